//! The database state: where a command works, as which user, and what is applied there.

mod message;

use jetbase_core::{Dialect, Kind, Migrations, Record, Syntax};

use self::message::Message;
use crate::connection::{Connection, ResultSet, Row, Rows};
use crate::dialect::{Bindings, Sql};
use crate::error::Error;
use crate::lock::Limit;

/// The schema in which a command works, and its user. It is fixed once, when the database state is
/// read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namespace {
    /// The schema (PostgreSQL), the database (MySQL), or `main` (SQLite).
    pub(crate) schema: String,
    pub(crate) user: String,
    pub(crate) search_path: String,
    /// The database, if a schema is not a database.
    pub(crate) database: String,
    pub(crate) syntax: Option<Syntax>,
    pub(crate) trusted: Vec<String>,
}

/// The options with which a caller fixes the namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamespaceOptions {
    pub(crate) schema: Option<String>,
    pub(crate) role: Option<String>,
    /// The roles whose tables may run code, in addition to those that are always trusted.
    pub(crate) trusted: Vec<String>,
}

/// What the first message to the database returns.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseState {
    pub(crate) namespace: Namespace,
    /// The rows of the history; `None` if there is no history table yet.
    pub(crate) history: Option<Vec<Record>>,
    /// The process id in the lock row, whether its owner is alive or dead.
    pub(crate) left: Option<String>,
}

/// Reads the state of the database with one message, without a lock and without a change.
pub(crate) async fn read_database_state(
    connection: &mut dyn Connection,
    dialect: Dialect,
    options: &NamespaceOptions,
    limit: Limit,
) -> Result<DatabaseState, Error> {
    if connection.is_in_transaction() {
        return Err(in_transaction());
    }
    if let Some(fault) = options.fault(dialect) {
        return Err(Error::place(fault));
    }
    if dialect == Dialect::Sqlite {
        return read_sqlite_state(connection, options, limit).await;
    }
    Message::new(dialect, options, "").read(connection, options, limit).await
}

/// The same on SQLite, where the wait for other connections is a setting of the connection.
async fn read_sqlite_state(
    connection: &mut dyn Connection,
    options: &NamespaceOptions,
    limit: Limit,
) -> Result<DatabaseState, Error> {
    let first = |sets: Vec<ResultSet>| {
        sets.first().and_then(|set| set.rows.first()).map(|row| row.text(0).to_owned())
    };
    let before = connection.send("PRAGMA busy_timeout", Rows::Keep).await.ok().and_then(first);
    let restore = before.map(|before| format!("PRAGMA busy_timeout = {before}"));
    if let Some(restore) = &restore {
        connection.on_abandon(vec![restore.clone()]);
        // One try waits a second at most.
        let _ = connection.send("PRAGMA busy_timeout = 1000", Rows::Drop).await;
    }
    let found = match connection.send("PRAGMA main.synchronous", Rows::Keep).await.map(first) {
        Ok(synchronous) => {
            let synchronous = synchronous.unwrap_or_else(|| "FULL".to_owned());
            let message = Message::new(Dialect::Sqlite, options, &synchronous);
            message.read(connection, options, limit).await
        }
        Err(failure) => Err(Error::database("reading the migration history", &failure.cause)),
    };
    if let Some(restore) = restore {
        let _ = connection.send(&restore, Rows::Drop).await;
        connection.on_abandon(Vec::new());
    }
    found
}

/// Adds the names of jetbase's tables as literals, and the question which of them could run code of
/// another role. `{trusted}` is set.
pub(crate) fn guarded(sql: &Sql, fill: Bindings) -> Bindings {
    let tables = [
        ("lock_name", "{lock}"),
        ("migrations_name", "{migrations}"),
        ("superseded_name", "{superseded}"),
    ];
    let fill = tables.into_iter().fold(fill, |fill, (name, table)| {
        let table = fill.fill(table);
        fill.literal(name, &table)
    });
    let oids = fill.fill(
        "to_regclass({lock_name}), to_regclass({migrations_name}), to_regclass({superseded_name})",
    );
    fill.expression("guarded", &oids).nested("untrusted", sql.untrusted)
}

/// Returns the message that asks which of jetbase's tables could run code of another role.
pub(crate) fn untrusted_tables(sql: &Sql, fill: &Bindings) -> String {
    let question =
        "SELECT relname, owner, fault FROM {untrusted} AS tables WHERE fault IS NOT NULL LIMIT 1";
    let parts = sql.reading.iter().chain([&question]);
    parts.map(|part| fill.fill(part)).collect::<Vec<_>>().join(";\n")
}

/// Turns the answer to [`untrusted_tables`] into an error.
pub(crate) fn untrusted(answer: &ResultSet) -> Option<Error> {
    let row = answer.rows.first()?;
    let (table, owner, fault) = (row.text(0), row.text(1), row.text(2));
    Some(Error::place(format!(
        "the table {table} belongs to `{owner}` and {fault}, so it could run code of `{owner}` with the rights of \
         this user; make this user, a superuser or the database's owner the owner of the table, drop what is \
         named, or trust `{owner}` with `trust_owner`"
    )))
}

impl NamespaceOptions {
    /// Returns the options that a set asks for.
    pub(crate) fn of(set: &Migrations) -> Self {
        NamespaceOptions {
            schema: set.options().schema.map(str::to_owned),
            ..NamespaceOptions::default()
        }
    }

    /// Returns why this dialect cannot meet the options, if it cannot.
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

pub(crate) fn in_transaction() -> Error {
    Error::place(
        "the connection is inside a transaction, and migrations need their own; \
         commit it, or pass the pool instead of the transaction",
    )
}

/// Makes the namespace from the facts of the first message.
fn namespace_of(
    dialect: Dialect,
    facts: &Row,
    has_history: bool,
    options: &NamespaceOptions,
) -> Result<Namespace, Error> {
    if facts.is_true(3) {
        return Err(in_transaction());
    }
    if let (None, Some(schema)) = (facts.opt(0), &options.schema) {
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
    Ok(Namespace {
        schema: schema.to_owned(),
        user: options.role.clone().unwrap_or_else(|| facts.text(1).to_owned()),
        search_path: match (&options.schema, dialect) {
            // Show the schema alone, like the Python tool.
            (Some(schema), Dialect::Postgres) => format!("\"{}\"", schema.replace('"', "\"\"")),
            _ => facts.text(2).to_owned(),
        },
        database: facts.text(8).to_owned(),
        syntax: Some(syntax),
        trusted: options.trusted.clone(),
    })
}

/// Reads the rows of `jetbase_migrations`. Each row begins with the number of all rows.
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
