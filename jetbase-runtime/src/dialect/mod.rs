//! What differs between the databases, as data: SQL texts with `{placeholders}`.

mod mysql;
mod postgres;
mod sqlite;

use std::time::Duration;

use jetbase_core::Dialect;

/// The SQL texts of one dialect.
///
/// `{migrations}` and `{lock}` are the two tables, quoted and qualified;
/// every other placeholder is a literal, an identifier or a number made by [`Fill`].
#[derive(Debug)]
pub(crate) struct Sql {
    /// One row: schema, user, search path, in a transaction, read only, schema
    /// that the history was found in, quoting settings, server; then the history.
    pub(crate) look: &'static str,
    /// Behind the history, in the same message: who holds the lock.
    pub(crate) left: &'static str,
    /// The codes of "there is no such table".
    pub(crate) no_table: &'static [&'static str],
    /// One row: user, search path, nonce, key of the session lock, both tables are
    /// there, backend, time zone, server, role, version, database, whether a subscription
    /// writes to them; then the server's identity.
    pub(crate) probe: &'static str,
    /// Makes both tables, the row and our index, whoever else does.
    pub(crate) create: &'static [&'static str],
    /// Keeps a version from being recorded twice; made with the table or not at all.
    pub(crate) index: &'static str,
    /// The codes of "somebody else made it at the same moment".
    pub(crate) create_races: &'static [&'static str],
    /// Makes the row.
    pub(crate) create_row: &'static str,
    /// One row: whether the lock is ours now, whether the session lock is.
    pub(crate) acquire: &'static str,
    /// The same with a session lock, and with takeover from the dead; the third
    /// column of its first row is who held the lock before.
    pub(crate) acquire_proven: &'static str,
    /// One row: locked, owner, since, whether the owner's session lives, a mark of the history.
    pub(crate) poll: &'static str,
    /// One row: whether the lock of `{dead}` is ours now, whether the session lock is; never
    /// waits for the row.
    pub(crate) take_over: &'static str,
    /// The same with a session lock.
    pub(crate) take_over_proven: &'static str,
    /// Sets the row free if it is ours; must be the first statement.
    pub(crate) release: &'static str,
    /// Gives the session lock back.
    pub(crate) release_proof: &'static str,
    /// Sets the row free, whoever has it.
    pub(crate) unlock: &'static str,
    /// Goes before what we read: no default of the session may decide.
    pub(crate) reading: &'static [&'static str],
    /// Goes before what we write.
    pub(crate) writing: &'static [&'static str],
    /// Keeps one statement of ours from waiting long for a lock.
    pub(crate) briefly: &'static [&'static str],
    /// Settings of the session between two files.
    pub(crate) settle: &'static [&'static str],
    /// Settings of the session for statements outside a transaction.
    pub(crate) alone: &'static [&'static str],
    /// Opens the transaction of a file.
    pub(crate) open: &'static [&'static str],
    /// Fails unless the row is ours.
    pub(crate) fence: &'static str,
    /// Fails unless the row is ours, and keeps it ours until the end of the transaction.
    pub(crate) fence_locking: &'static str,
    /// Fails unless the session lock is ours too.
    pub(crate) fence_proof: &'static str,
    /// Fails when the file has ended the transaction itself.
    pub(crate) still_open: &'static [&'static str],
    /// Takes back what a file has changed about who we are.
    pub(crate) resume: &'static [&'static str],
    /// Fails when rows without parents have come about.
    pub(crate) foreign_keys: &'static str,
    /// Records an upgrade.
    pub(crate) insert: &'static str,
    /// Records that a repeatable ran again.
    pub(crate) update: &'static str,
    /// The texts of `ROC__` files that newer ones have replaced.
    pub(crate) superseded: &'static str,
    /// Makes the table for them.
    pub(crate) create_superseded: &'static str,
    /// Notes that a `ROC__` file's text is replaced, before its row is.
    pub(crate) supersede: &'static [&'static str],
    /// Forgets a version.
    pub(crate) delete: &'static str,
    /// Takes back the session's settings behind a file.
    pub(crate) reset: &'static [&'static str],
    /// Lets the server end our session when nothing is heard of us for `{lease}` seconds.
    pub(crate) lease: &'static str,
    /// One row: who holds the lock, in words.
    pub(crate) holder: &'static str,
    /// The codes with which a fence fails.
    pub(crate) fence_codes: &'static [&'static str],
}

/// The texts of a dialect.
pub(crate) const fn sql(dialect: Dialect) -> &'static Sql {
    match dialect {
        Dialect::Postgres => &postgres::SQL,
        Dialect::MySql => &mysql::SQL,
        Dialect::Sqlite => &sqlite::SQL,
    }
}

/// The words for a template's placeholders.
#[derive(Clone, Debug)]
pub(crate) struct Fill {
    dialect: Dialect,
    words: Vec<(&'static str, String)>,
}

impl Fill {
    /// The placeholders that every template may have; `schema` qualifies the tables.
    pub(crate) fn new(dialect: Dialect, schema: Option<&str>) -> Self {
        let table = |name: &str| match schema {
            Some(schema) => {
                format!("{}.{}", identifier(dialect, schema), identifier(dialect, name))
            }
            None => name.to_owned(),
        };
        let words = vec![
            ("migrations", table("jetbase_migrations")),
            ("lock", table("jetbase_lock")),
            ("superseded", table("jetbase_superseded")),
            ("lease", lease().as_secs().max(1).to_string()),
        ];
        let fill = Fill { dialect, words };
        match schema {
            Some(schema) => fill.identifier("schema", schema),
            None => fill,
        }
    }

    /// Adds a text, quoted and escaped.
    pub(crate) fn literal(self, name: &'static str, text: &str) -> Self {
        let text = literal(self.dialect, text);
        self.raw(name, text)
    }

    /// Adds a text, or NULL.
    pub(crate) fn literal_or_null(self, name: &'static str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.literal(name, text),
            None => self.raw(name, "NULL".to_owned()),
        }
    }

    /// Adds a name, quoted.
    pub(crate) fn identifier(self, name: &'static str, text: &str) -> Self {
        let text = identifier(self.dialect, text);
        self.raw(name, text)
    }

    /// Adds a number.
    pub(crate) fn number(self, name: &'static str, number: i64) -> Self {
        self.raw(name, number.to_string())
    }

    /// Adds an SQL expression of ours that has placeholders itself.
    pub(crate) fn nested(self, name: &'static str, template: &str) -> Self {
        let text = self.fill(template);
        self.raw(name, text)
    }

    /// Adds an SQL expression of ours.
    pub(crate) fn expression(self, name: &'static str, text: &str) -> Self {
        self.raw(name, text.to_owned())
    }

    fn raw(mut self, name: &'static str, text: String) -> Self {
        self.words.retain(|(known, _)| *known != name);
        self.words.push((name, text));
        self
    }

    /// Puts the words in their places, in one pass: a word is never read as a template.
    pub(crate) fn fill(&self, template: &str) -> String {
        let mut text = String::with_capacity(template.len() + 64);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            match after.split_once('}') {
                Some((name, behind)) => {
                    let word = self.words.iter().find(|(known, _)| *known == name);
                    debug_assert!(word.is_some(), "`{{{name}}}` is not filled in {template}");
                    text.push_str(word.map_or("NULL", |(_, word)| word));
                    rest = behind;
                }
                None => rest = after,
            }
        }
        text.push_str(rest);
        text
    }
}

/// How long the server lets our session idle: what `JETBASE_LEASE` says, else five minutes.
fn lease() -> Duration {
    let told = std::env::var("JETBASE_LEASE").ok().and_then(|text| jetbase_core::duration(&text));
    told.filter(|lease| !lease.is_zero()).unwrap_or(Duration::from_secs(300))
}

/// A string literal that means the same under every setting of the server.
fn literal(dialect: Dialect, text: &str) -> String {
    let text = text.replace('\0', "");
    match dialect {
        Dialect::Postgres if text.contains('\\') => {
            format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
        }
        // `sql_mode` decides what a backslash is; hexadecimal digits need no decision.
        Dialect::MySql if text.contains('\\') => {
            let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            format!("_utf8mb4 0x{digits}")
        }
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

/// A quoted name.
fn identifier(dialect: Dialect, name: &str) -> String {
    let name = name.replace('\0', "");
    match dialect {
        Dialect::MySql => format!("`{}`", name.replace('`', "``")),
        Dialect::Postgres | Dialect::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_escaped_and_never_read_as_templates() {
        let fill = Fill::new(Dialect::Postgres, Some("a\"b"))
            .literal("me", "it's {lock} \\")
            .number("key", -1);
        assert_eq!(
            fill.fill("UPDATE {lock} SET x = {me}, y = {key}"),
            r#"UPDATE "a""b"."jetbase_lock" SET x =  E'it''s {lock} \\', y = -1"#
        );
        let fill =
            Fill::new(Dialect::MySql, Some("a`b")).literal("me", "\\'").literal_or_null("v", None);
        assert_eq!(fill.fill("{lock} {me} {v}"), "`a``b`.`jetbase_lock` _utf8mb4 0x5c27 NULL");
    }
}
