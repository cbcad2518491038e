//! The first look: where a command works, as whom, and what has been applied there.

use jetbase_core::{Dialect, Kind, Migrations, Record, Syntax};

use crate::connection::{
    Cause, Connection, Failure, QUESTIONS, ResultSet, Row, Rows, moment, send_within,
};
use crate::dialect::{Fill, Sql, sql};
use crate::error::Error;
use crate::lock::Limit;

/// Where a command works, and as whom; settled once, by the first look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// The schema (PostgreSQL), the database (MySQL), or `main` (SQLite).
    pub(crate) schema: String,
    pub(crate) user: String,
    pub(crate) search_path: String,
    /// The database, where a schema is not one.
    pub(crate) database: String,
    pub(crate) syntax: Option<Syntax>,
    /// The roles that the caller trusts.
    pub(crate) trusted: Vec<String>,
}

/// What the caller fixes about the place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) schema: Option<String>,
    pub(crate) role: Option<String>,
    /// The roles whose tables may run code, besides those that are trusted anyway.
    pub(crate) trusted: Vec<String>,
}

/// What the first look shows.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) place: Place,
    /// `None` where there is no history table yet.
    pub(crate) history: Option<Vec<Record>>,
    /// Who holds the lock, or left it behind.
    pub(crate) left: Option<String>,
}

/// Reads the state of the database: one message, no lock, no change.
pub(crate) async fn look(
    connection: &mut dyn Connection,
    dialect: Dialect,
    wish: &Wish,
    limit: Limit,
) -> Result<Look, Error> {
    if connection.is_in_transaction() {
        return Err(in_transaction());
    }
    if let Some(fault) = wish.fault(dialect) {
        return Err(Error::place(fault));
    }
    let patience = shorten_busy_timeout(connection, dialect).await;
    let found = Message::new(dialect, wish).look(connection, wish, limit).await;
    if let Some(patience) = patience {
        let _ = connection.send(&format!("PRAGMA busy_timeout = {patience}"), Rows::Drop).await;
    }
    found
}

/// Lets SQLite wait for other connections as long as one try of ours may take; what it was before.
async fn shorten_busy_timeout(connection: &mut dyn Connection, dialect: Dialect) -> Option<String> {
    if dialect != Dialect::Sqlite {
        return None;
    }
    let sets = connection.send("PRAGMA busy_timeout; PRAGMA busy_timeout = 1000", Rows::Keep).await;
    let sets = sets.ok()?;
    let before = sets.first().and_then(|set| set.rows.first())?.text(0).to_owned();
    (before != "1000").then_some(before)
}

/// The first message, and what its answer means.
struct Message {
    dialect: Dialect,
    sql: &'static Sql,
    fill: Fill,
    /// The statements, in their order.
    parts: Vec<String>,
    /// Which of them answers with the facts, and which with the history.
    facts: usize,
    history: usize,
}

impl Message {
    fn new(dialect: Dialect, wish: &Wish) -> Self {
        let sql = sql(dialect);
        let schema = wish.schema.as_deref();
        let fill = looking(Fill::new(dialect, schema), dialect, schema);
        let fill = fill.literals("trusted", &wish.trusted);
        let guarding = |tables: &[&str]| {
            let schema = "quote_ident(current_setting('jetbase.schema'))";
            let names =
                tables.iter().map(|table| format!("to_regclass(concat({schema}, '.{table}'))"));
            let names = names.collect::<Vec<_>>().join(", ");
            fill.clone().expression("guarded", &names).nested("untrusted", sql.untrusted)
        };
        let role = wish
            .role
            .iter()
            .map(|role| fill.clone().identifier("name", role).fill("SET LOCAL ROLE {name}"));
        let mut parts: Vec<_> = role.collect();
        let before = parts.len();
        let migrations = guarding(&["jetbase_migrations", "jetbase_superseded"]);
        parts.extend(sql.look.iter().map(|part| migrations.fill(part)));
        let history = parts.len().saturating_sub(1);
        let lock = guarding(&["jetbase_lock"]);
        parts.extend(sql.look_lock.iter().map(|part| lock.fill(part)));
        Message { dialect, sql, fill, parts, facts: before + sql.look_facts, history }
    }

    async fn look(
        &self,
        connection: &mut dyn Connection,
        wish: &Wish,
        limit: Limit,
    ) -> Result<Look, Error> {
        let (sets, cause) = match ask(connection, &self.parts.join(";\n"), limit).await {
            Ok(sets) => (sets, None),
            Err(Failure { completed, cause }) => (completed, Some(cause)),
        };
        let row = |at: usize| sets.get(at).and_then(|set| set.rows.first()).cloned();
        let facts = row(self.facts).unwrap_or_default();
        let history = match (&cause, sets.get(self.history)) {
            (Some(cause), None) if is_missing(self.sql, cause) => None,
            (Some(cause), _) if self.is_untrusted(cause, sets.len()) => {
                let untrusted = self.untrusted(connection, facts.text(5), limit).await;
                return Err(untrusted.unwrap_or_else(|| {
                    Error::database("checking the owners of jetbase's tables", cause)
                }));
            }
            (Some(cause), None) => return Err(self.explain(connection, wish, cause, limit).await),
            // Who has the lock is no business of this user, or there is no such table.
            (_, Some(set)) => Some(records(&set.rows)?),
            (None, None) => Some(Vec::new()),
        };
        let lock = row(self.parts.len().saturating_sub(1)).filter(|_| cause.is_none());
        let left = lock.filter(|row| row.is_true(0)).and_then(|row| row.opt(1).map(str::to_owned));
        let before = sets.get(self.facts.saturating_sub(5)..self.facts).unwrap_or_default();
        self.leave(connection, &facts, before).await;
        Ok(Look { place: settle(self.dialect, &facts, history.is_some(), wish)?, history, left })
    }

    /// Whether a check of a table's owner has failed.
    fn is_untrusted(&self, cause: &Cause, failed: usize) -> bool {
        let guards = |part: &String| part.starts_with("LOCK") || part.contains("fault IS NOT NULL");
        self.sql.guard_codes.contains(&cause.code.as_str())
            && self.parts.get(failed).is_some_and(guards)
    }

    /// Which table could run whose code.
    async fn untrusted(
        &self,
        connection: &mut dyn Connection,
        schema: &str,
        limit: Limit,
    ) -> Option<Error> {
        let table =
            |name: &str| self.fill.clone().identifier("s", schema).fill(&format!("{{s}}.{name}"));
        let fill = self
            .fill
            .clone()
            .literal("lock_name", &table("jetbase_lock"))
            .literal("migrations_name", &table("jetbase_migrations"))
            .literal("superseded_name", &table("jetbase_superseded"));
        let question = untrusted_tables(self.sql, fill);
        let sets = ask(connection, &question, limit).await.ok()?;
        untrusted(sets.last()?)
    }

    /// Gives a caller's transaction back what the message has set in it.
    async fn leave(&self, connection: &mut dyn Connection, facts: &Row, before: &[ResultSet]) {
        let sql = match self.dialect {
            Dialect::Postgres if facts.is_true(3) => {
                let names = ["row_security", "statement_timeout", "lock_timeout", "search_path"];
                let values = before.iter().filter_map(|set| set.rows.first()?.opt(0));
                let known = facts.opt(9).map(|value| ("transaction_timeout", value));
                let set = names.into_iter().zip(values).chain(known).map(|(name, value)| {
                    let fill = self.fill.clone().literal("name", name).literal("value", value);
                    fill.fill("SELECT pg_catalog.set_config({name}, {value}, true)")
                });
                set.collect::<Vec<_>>().join(";\n")
            }
            // Without `autocommit`, a question opens a transaction.
            Dialect::MySql if facts.text(9) == "0" && !facts.is_true(3) => "ROLLBACK".to_owned(),
            _ => return,
        };
        // A transaction that is aborted has nothing to lose.
        let _ = connection.send(&sql, Rows::Drop).await;
    }

    /// What a failure means that is none of the expected ones.
    async fn explain(
        &self,
        connection: &mut dyn Connection,
        wish: &Wish,
        cause: &Cause,
        limit: Limit,
    ) -> Error {
        if is_filtered(cause) {
            return Error::place(
                "row-level security hides rows of jetbase_migrations from this user, so that nothing would look \
                 applied; run as the tables' owner, grant BYPASSRLS, or disable row-level security on them",
            );
        }
        if cause.message.contains("to set role") {
            let user = ask(connection, "SELECT current_user", limit).await.unwrap_or_default();
            let user = user.iter().find_map(|set| set.rows.first()).cloned().unwrap_or_default();
            return Error::place(format!(
                "the connection works as `{0}`, which may not take the role `{1}` ({2}); grant `{1}` to `{0}`, or give \
                 the URL the right user",
                user.text(0),
                wish.role.as_deref().unwrap_or_default(),
                cause.code
            ));
        }
        match cause.code.as_str() {
            "1046" => Error::place("the URL names no database; append `/name` to it"),
            // SQLite begins with a transaction of its own, only to learn that it can.
            _ if cause.message.ends_with("within a transaction") => in_transaction(),
            _ => Error::database("reading the migration history", cause),
        }
    }
}

/// Asks which of our tables could run code of others; `{lock_name}` and `{migrations_name}` are set.
pub(crate) fn untrusted_tables(sql: &Sql, fill: Fill) -> String {
    let guarded = fill.fill(
        "to_regclass({lock_name}), to_regclass({migrations_name}), to_regclass({superseded_name})",
    );
    let fill = fill.expression("guarded", &guarded).nested("untrusted", sql.untrusted);
    let question =
        "SELECT relname, owner, fault FROM {untrusted} AS tables WHERE fault IS NOT NULL LIMIT 1";
    let parts = sql.reading.iter().chain([&question]);
    parts.map(|part| fill.fill(part)).collect::<Vec<_>>().join(";\n")
}

/// The answer to [`untrusted_tables`] as an error.
pub(crate) fn untrusted(answer: &ResultSet) -> Option<Error> {
    let row = answer.rows.first()?;
    let (table, owner, fault) = (row.text(0), row.text(1), row.text(2));
    Some(Error::place(format!(
        "the table {table} belongs to `{owner}` and {fault}, so it could run code of `{owner}` with the rights of \
         this user; make this user, a superuser or the database's owner the owner of the table, drop what is \
         named, or trust `{owner}` with `trust_owner`"
    )))
}

/// Asks a question, and asks it again while the server is busy for the moment.
async fn ask(
    connection: &mut dyn Connection,
    sql: &str,
    limit: Limit,
) -> Result<Vec<ResultSet>, Failure> {
    let mut again = 0;
    loop {
        match send_within(connection, sql, Rows::Keep, Some(limit.of_answer())).await {
            Err(failure) if failure.is_momentary() && again < QUESTIONS => again += 1,
            answer => return answer,
        }
        moment(again).await;
    }
}

impl Wish {
    /// What a set asks for.
    pub(crate) fn of(set: &Migrations) -> Self {
        Wish { schema: set.options().schema.map(str::to_owned), ..Wish::default() }
    }

    /// What this dialect cannot fulfil.
    fn fault(&self, dialect: Dialect) -> Option<String> {
        match (dialect, &self.schema, &self.role) {
            (Dialect::Sqlite, Some(schema), _) if schema != "main" => Some(format!(
                "SQLite has no schema `{schema}`; leave `schema` out, or open another file"
            )),
            (Dialect::Sqlite | Dialect::MySql, _, Some(role)) => Some(format!(
                "`{role}` cannot be taken as a role: only PostgreSQL has `SET ROLE` for owners; \
                 put the right user into the URL"
            )),
            _ => None,
        }
    }
}

/// The words that the look's template has and no other.
fn looking(fill: Fill, dialect: Dialect, schema: Option<&str>) -> Fill {
    let table = fill.fill("{migrations}");
    let fill = fill.literal("look_table", &table).nested("look_found", FOUND);
    match (schema, dialect) {
        // NULL where there is no such schema.
        (Some(schema), Dialect::Postgres) => fill.literal("wanted", schema).nested(
            "look_schema",
            "(SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) {wanted}::pg_catalog.name)",
        ),
        (Some(schema), Dialect::MySql) => fill.literal("wanted", schema).nested(
            "look_schema",
            "(SELECT schema_name FROM information_schema.schemata WHERE schema_name = {wanted})",
        ),
        (Some(schema), Dialect::Sqlite) => fill.literal("look_schema", schema),
        (None, Dialect::Postgres) => {
            fill.expression("look_schema", "pg_catalog.current_schema()")
        }
        (None, Dialect::MySql) => fill.expression("look_schema", "DATABASE()"),
        (None, Dialect::Sqlite) => fill.expression("look_schema", "'main'"),
    }
}

/// The schema in which PostgreSQL finds the history.
const FOUND: &str = "(SELECT n.nspname FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({look_table}))";

/// Whether the cause is that the history table is not there yet.
fn is_missing(sql: &Sql, cause: &Cause) -> bool {
    sql.no_table.contains(&cause.code.as_str())
        && (cause.code != "1" || cause.message.starts_with("no such table"))
}

fn is_filtered(cause: &Cause) -> bool {
    cause.code == "42501" && cause.message.contains("row-level security")
}

pub(crate) fn in_transaction() -> Error {
    Error::place(
        "the connection is inside a transaction, and migrations need their own; \
         commit it, or pass the pool instead of the transaction",
    )
}

/// Fixes the place from the facts of a look.
fn settle(dialect: Dialect, facts: &Row, has_history: bool, wish: &Wish) -> Result<Place, Error> {
    if facts.is_true(3) {
        return Err(in_transaction());
    }
    if let (None, Some(schema)) = (facts.opt(0), &wish.schema) {
        let (noun, nouns) = match dialect {
            Dialect::MySql => ("database", "databases"),
            Dialect::Postgres | Dialect::Sqlite => ("schema", "schemas"),
        };
        return Err(Error::place(format!(
            "there is no {noun} `{schema}` that this user may see; create the {noun} first; jetbase makes tables, not {nouns}"
        )));
    }
    let Some(schema) = facts.opt(0) else {
        return Err(Error::place(match dialect {
            Dialect::MySql => "the URL names no database; append `/name` to it".to_owned(),
            _ => format!(
                "no schema of the search path ({}) exists; create one, or name one with `schema`",
                facts.text(2)
            ),
        }));
    };
    if let Some(found) = facts.opt(5).filter(|found| has_history && *found != schema) {
        return Err(Error::place(format!(
            "the migration history is in the schema `{found}`, but new tables would go to `{schema}`, the first \
             of the search path ({}); name the right one with `schema`, or change the search path",
            facts.text(2)
        )));
    }
    let settings = facts.text(6);
    let syntax = match dialect {
        Dialect::Postgres => Syntax { backslash_escapes: settings == "off", ..Syntax::of(dialect) },
        Dialect::MySql => Syntax {
            ansi_quotes: settings.contains("ANSI"),
            backslash_escapes: !settings.contains("NO_BACKSLASH_ESCAPES"),
            ..Syntax::of_server(facts.text(7))
        },
        Dialect::Sqlite => Syntax::of(dialect),
    };
    Ok(Place {
        schema: schema.to_owned(),
        user: wish.role.clone().unwrap_or_else(|| facts.text(1).to_owned()),
        search_path: match (&wish.schema, dialect) {
            // As the Python tool does: the schema alone.
            (Some(schema), Dialect::Postgres) => format!("\"{}\"", schema.replace('"', "\"\"")),
            _ => facts.text(2).to_owned(),
        },
        database: facts.text(8).to_owned(),
        syntax: Some(syntax),
        trusted: wish.trusted.clone(),
    })
}

/// Reads the rows of `jetbase_migrations`, each behind the number of all rows.
pub(crate) fn records(rows: &[Row]) -> Result<Vec<Record>, Error> {
    let count: usize = rows.first().and_then(|row| row.text(0).parse().ok()).unwrap_or(rows.len());
    if count == 0 {
        return Ok(Vec::new());
    }
    if count != rows.len() {
        return Err(Error::place(format!(
            "the server sent {} of the {count} rows of jetbase_migrations; a setting of the server or of this user \
             limits or hides rows",
            rows.len()
        )));
    }
    Ok(rows.iter().map(record).collect())
}

fn record(row: &Row) -> Record {
    Record {
        order: row.text(1).parse().unwrap_or_default(),
        version: row.opt(2).map(str::to_owned),
        description: row.text(3).to_owned(),
        file: row.text(4).to_owned(),
        kind: Kind::from_column(row.text(5)).unwrap_or(Kind::Versioned),
        applied_at: row.text(6).to_owned(),
        checksum: row.text(7).to_owned(),
    }
}
