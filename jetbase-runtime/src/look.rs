//! The first look: where a command works, as whom, and what has been applied there.

use jetbase_core::{Dialect, Kind, Record, Syntax};

use crate::connection::{Cause, Connection, Failure, QUESTIONS, ResultSet, Row, Rows, moment};
use crate::dialect::{Fill, Sql, sql};
use crate::error::Error;

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
}

/// What the caller fixes about the place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) schema: Option<String>,
    pub(crate) role: Option<String>,
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

/// Takes the first look: one message, no lock, no change.
pub(crate) async fn look(
    connection: &mut dyn Connection,
    dialect: Dialect,
    wish: &Wish,
) -> Result<Look, Error> {
    if connection.is_in_transaction() {
        return Err(in_transaction());
    }
    if let Some(fault) = wish.fault(dialect) {
        return Err(Error::place(fault));
    }
    let sql = sql(dialect);
    let fill = looking(Fill::new(dialect, wish.schema.as_deref()), dialect, wish.schema.as_deref());
    let question = looking_as(&fill, sql, wish);
    // One answer a statement, and the history's is the last of these.
    let answers = question.matches(";\n").count() + 1;
    let whole = format!("{question};\n{}", fill.fill(sql.left));
    let mut left = None;
    let (sets, history) = match ask(connection, &whole).await {
        Ok(mut sets) => {
            let row = sets.pop().and_then(|set| set.rows.into_iter().next());
            left = row.and_then(|row| row.opt(0).map(str::to_owned));
            let history = sets.pop().unwrap_or_default();
            (sets, Some(history.rows.iter().map(record).collect()))
        }
        // The history is known; who has the lock is no business of this user, or there is none.
        Err(Failure { completed: mut sets, .. }) if sets.len() == answers => {
            let history = sets.pop().unwrap_or_default();
            (sets, Some(history.rows.iter().map(record).collect()))
        }
        Err(Failure { completed, cause }) if is_missing(sql, &cause) => (completed, None),
        Err(Failure { cause, .. }) if is_filtered(&cause) => {
            return Err(Error::place(
                "row-level security hides rows of jetbase_migrations from this user, so that nothing would look \
                 applied; run as the tables' owner, grant BYPASSRLS, or disable row-level security on them",
            ));
        }
        Err(Failure { cause, .. }) if cause.message.contains("to set role") => {
            let user = ask(connection, "SELECT current_user").await.unwrap_or_default();
            let user = user.iter().find_map(|set| set.rows.first()).cloned().unwrap_or_default();
            return Err(Error::place(format!(
                "the connection works as `{0}`, which may not take the role `{1}` ({2}); grant `{1}` to `{0}`, or give \
                 the URL the right user",
                user.text(0),
                wish.role.as_deref().unwrap_or_default(),
                cause.code
            )));
        }
        Err(Failure { cause, .. }) if cause.code == "1046" => {
            return Err(Error::place("the URL names no database; append `/name` to it"));
        }
        // SQLite begins the look with a transaction of its own, only to learn that it can.
        Err(Failure { cause, .. }) if cause.message.ends_with("within a transaction") => {
            return Err(in_transaction());
        }
        Err(Failure { cause, .. }) => {
            return Err(Error::database("reading the migration history", &cause));
        }
    };
    let facts = sets.iter().rev().find_map(|set| set.rows.first()).cloned().unwrap_or_default();
    if dialect == Dialect::Postgres && facts.is_true(3) {
        // What the look has set lasts as long as the caller's transaction: it gets its own back.
        let before = sets.iter().find_map(|set| set.rows.first()).cloned().unwrap_or_default();
        let restore = fill
            .literal("row_security", before.text(0))
            .literal("statement_timeout", before.text(1))
            .literal("lock_timeout", before.text(2))
            .fill(RESTORE_LOOK);
        // A transaction that is aborted has nothing to lose.
        let _ = connection.send(&restore, Rows::Drop).await;
    }
    Ok(Look { place: settle(dialect, &facts, history.is_some(), wish)?, history, left })
}

/// Asks a question, and asks it again while the server is busy for the moment.
async fn ask(connection: &mut dyn Connection, sql: &str) -> Result<Vec<ResultSet>, Failure> {
    let mut again = 0;
    loop {
        match connection.send(sql, Rows::Keep).await {
            Err(failure) if failure.is_momentary() && again < QUESTIONS => again += 1,
            answer => return answer,
        }
        moment(again).await;
    }
}

/// Gives a caller's transaction back what the look has set in it.
const RESTORE_LOOK: &str = "SELECT set_config('row_security', {row_security}, true),
  set_config('statement_timeout', {statement_timeout}, true), set_config('lock_timeout', {lock_timeout}, true)";

impl Wish {
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
    let fill = fill.literal("look_table", &table);
    match (schema, dialect) {
        // NULL where there is no such schema.
        (Some(schema), Dialect::Postgres) => fill.literal("wanted", schema).nested(
            "look_schema",
            "(SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = {wanted})",
        ),
        (Some(schema), Dialect::MySql) => fill.literal("wanted", schema).nested(
            "look_schema",
            "(SELECT schema_name FROM information_schema.schemata WHERE schema_name = {wanted})",
        ),
        (Some(schema), Dialect::Sqlite) => fill.literal("look_schema", schema),
        (None, Dialect::Postgres) => fill.expression("look_schema", "current_schema()"),
        (None, Dialect::MySql) => fill.expression("look_schema", "DATABASE()"),
        (None, Dialect::Sqlite) => fill.expression("look_schema", "'main'"),
    }
}

/// The message of a look, in the wished role.
fn looking_as(fill: &Fill, sql: &Sql, wish: &Wish) -> String {
    let look = fill.fill(sql.look);
    match &wish.role {
        Some(role) => format!(
            "{};\n{look}",
            fill.clone().identifier("name", role).fill("SET LOCAL ROLE {name}")
        ),
        None => look,
    }
}

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
            ..Syntax::of(dialect)
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
    })
}

/// Reads a row of `jetbase_migrations`.
pub(crate) fn record(row: &Row) -> Record {
    Record {
        order: row.text(0).parse().unwrap_or_default(),
        version: row.opt(1).map(str::to_owned),
        description: row.text(2).to_owned(),
        file: row.text(3).to_owned(),
        kind: Kind::from_column(row.text(4)).unwrap_or(Kind::Versioned),
        applied_at: row.text(5).to_owned(),
        checksum: row.text(6).to_owned(),
    }
}
