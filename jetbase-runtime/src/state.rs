//! The database state: where a command works, as which user, and what is applied there.

mod bindings;
mod explain;
mod message;
mod packed;
mod read;
mod server;

use jetbase_core::{Dialect, MigrationKind, Migrations, Record, Syntax, Version};

use self::message::{SqliteSettings, StateMessage};
pub(crate) use self::read::{read_state, read_state_for_plan};
use crate::connection::{Connection, ResultRow, ResultSet, RowHandling, UntrustedTable};
use crate::dialect::{Bindings, Sql};
use crate::error::{Error, NamespaceError, TableError};
use crate::journal::JournalRow;
use crate::wait::Limit;

/// The schema in which a command works, and its user. It is fixed once, when the database state is
/// read.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    /// The schema (PostgreSQL), the database (MySQL), or `main` (SQLite).
    pub(crate) schema: String,
    pub(crate) user: String,
    pub(crate) search_path: String,
    /// The database, if a schema is not a database.
    pub(crate) database: String,
    pub(crate) syntax: Syntax,
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

/// How much of the history the first message reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HistoryColumns {
    All,
    /// Those that a plan needs. The descriptions and times of the records are empty.
    Plan,
}

/// What the first message to the database returns.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseState {
    pub(crate) namespace: Namespace,
    /// The rows of the history; `None` if there is no history table yet.
    pub(crate) history: Option<Vec<Record>>,
    /// The process id in the lock row, whether its owner is alive or dead.
    pub(crate) lock_owner: Option<String>,
    /// The rows of the journal.
    pub(crate) journal: Vec<JournalRow>,
}

/// Reads the state of the database with one message, without a lock and without a change.
async fn read_database_state(
    connection: &mut dyn Connection,
    dialect: Dialect,
    options: &NamespaceOptions,
    columns: HistoryColumns,
    limit: Limit,
) -> Result<DatabaseState, Error> {
    if connection.is_in_transaction() {
        return Err(NamespaceError::InTransaction.into());
    }
    options.check(dialect)?;
    if dialect == Dialect::Sqlite {
        return read_sqlite_state(connection, options, columns, limit).await;
    }
    StateMessage::new(dialect, options, columns, SqliteSettings::default())
        .read(connection, options, limit)
        .await
}

/// The same on SQLite, where the wait for other connections is a setting of the connection.
async fn read_sqlite_state(
    connection: &mut dyn Connection,
    options: &NamespaceOptions,
    columns: HistoryColumns,
    limit: Limit,
) -> Result<DatabaseState, Error> {
    let settings = "PRAGMA busy_timeout;\nPRAGMA main.synchronous";
    let settings = connection.send(settings, RowHandling::Keep).await;
    let settings = settings.map_err(Error::during("reading the migration history"))?;
    let value = |at: usize, default: &str| {
        settings.get(at).and_then(ResultSet::value).unwrap_or(default).to_owned()
    };
    let settings = SqliteSettings { busy_timeout: value(0, "0"), synchronous: value(1, "FULL") };
    let restore = format!("PRAGMA busy_timeout = {}", settings.busy_timeout);
    connection.on_abandon(vec![restore]);
    let message = StateMessage::new(Dialect::Sqlite, options, columns, settings);
    let found = message.read(connection, options, limit).await;
    connection.on_abandon(Vec::new());
    found
}

/// Adds the names of jetbase's tables as literals, and the expression `untrusted`, which finds those
/// that could run code of another role. `{trusted}` is set.
pub(crate) fn guarded(sql: &Sql, bindings: Bindings) -> Bindings {
    let tables = [
        ("lock_name", "{lock}"),
        ("migrations_name", "{migrations}"),
        ("superseded_name", "{superseded}"),
        ("journal_name", "{journal}"),
    ];
    let bindings = tables.into_iter().fold(bindings, |bindings, (name, table)| {
        let table = bindings.render(table);
        bindings.literal(name, &table)
    });
    let oids = bindings.render(
        "to_regclass({lock_name}), to_regclass({migrations_name}), to_regclass({superseded_name}), to_regclass({journal_name})",
    );
    bindings.expression("guarded", &oids).nested("untrusted", sql.untrusted)
}

/// Returns the query that finds a table of jetbase that could run code of another role.
pub(crate) fn untrusted_tables(sql: &Sql, bindings: &Bindings) -> String {
    let query =
        "SELECT relname, owner, fault FROM {untrusted} AS tables WHERE fault IS NOT NULL LIMIT 1";
    let parts = sql.read_settings.iter().chain([&query]);
    parts.map(|part| bindings.render(part)).collect::<Vec<_>>().join(";\n")
}

/// Reads the result of [`untrusted_tables`].
pub(crate) fn untrusted(result: &ResultSet) -> Option<UntrustedTable> {
    let row = result.rows.first()?;
    Some(UntrustedTable {
        table: row.text("relname").to_owned(),
        owner: row.text("owner").to_owned(),
        fault: row.text("fault").to_owned(),
    })
}

impl NamespaceOptions {
    /// Returns the options that a set asks for.
    pub(crate) fn of(set: &Migrations) -> Self {
        NamespaceOptions {
            schema: set.options().schema.map(str::to_owned),
            ..NamespaceOptions::default()
        }
    }

    /// Fails if this dialect cannot meet the options.
    fn check(&self, dialect: Dialect) -> Result<(), NamespaceError> {
        match (dialect, &self.schema, &self.role) {
            (Dialect::Sqlite, Some(schema), _) if schema != "main" => {
                Err(NamespaceError::SchemaUnsupported { schema: schema.clone() })
            }
            (Dialect::Sqlite | Dialect::MySql, _, Some(role)) => {
                Err(NamespaceError::RoleUnsupported { role: role.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// Creates the namespace from the facts of the first message.
fn namespace_of(
    dialect: Dialect,
    facts: &ResultRow,
    has_history: bool,
    options: &NamespaceOptions,
) -> Result<Namespace, Error> {
    server::check_server(dialect, facts)?;
    let search_path = facts.text("search_path").to_owned();
    let Some(schema) = facts.opt("used_schema").map(str::to_owned) else {
        return Err(match (&options.schema, dialect) {
            (Some(schema), _) => NamespaceError::SchemaNotFound { schema: schema.clone(), dialect },
            (None, Dialect::MySql) => NamespaceError::NoDatabase,
            (None, Dialect::Postgres | Dialect::Sqlite) => NamespaceError::NoSchema { search_path },
        }
        .into());
    };
    if let Some(history) =
        facts.opt("history_schema").filter(|found| has_history && *found != schema)
    {
        let history = history.to_owned();
        return Err(NamespaceError::OtherSchema { history, schema, search_path }.into());
    }
    let settings = facts.text("syntax_settings");
    let syntax = match dialect {
        Dialect::Postgres => Syntax { backslash_escapes: settings == "off", ..Syntax::of(dialect) },
        Dialect::MySql => Syntax {
            ansi_quotes: settings.contains("ANSI"),
            backslash_escapes: !settings.contains("NO_BACKSLASH_ESCAPES"),
            ..Syntax::of_server(server::version_of(facts.text("server_version")))
        },
        Dialect::Sqlite => Syntax::of(dialect),
    };
    Ok(Namespace {
        schema,
        user: options.role.clone().unwrap_or_else(|| facts.text("user_name").to_owned()),
        search_path: match (&options.schema, dialect) {
            // Show the schema alone, like the Python tool.
            (Some(schema), Dialect::Postgres) => format!("\"{}\"", schema.replace('"', "\"\"")),
            _ => search_path,
        },
        database: facts.text("database_name").to_owned(),
        syntax,
        trusted: options.trusted.clone(),
    })
}

/// Reads the rows of `jetbase_migrations`. Each row begins with the number of all rows.
pub(crate) fn records(set: &ResultSet) -> Result<Vec<Record>, TableError> {
    let rows = &set.rows;
    let rows_of = |row: &ResultRow| row.text("row_count").parse().ok();
    let expected: usize = rows.first().and_then(rows_of).unwrap_or(rows.len());
    if expected == 0 {
        return Ok(Vec::new());
    }
    if expected != rows.len() {
        return Err(TableError::RowsMissing { received: rows.len(), expected });
    }
    let places = set.places(RECORD_COLUMNS);
    rows.iter().map(|row| record(places.map(|place| row.at(place)))).collect()
}

const RECORD_COLUMNS: [&str; 7] = [
    "order_executed",
    "version",
    "description",
    "filename",
    "migration_type",
    "applied_at",
    "checksum",
];

/// Creates a record from the values of `RECORD_COLUMNS`.
fn record(values: [Option<&str>; 7]) -> Result<Record, TableError> {
    let [order, version, description, file, kind, applied_at, checksum] = values;
    let order = order.unwrap_or_default().parse().unwrap_or_default();
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let version = match version.map(|text| (text, Version::parse(text))) {
        None => None,
        Some((_, Ok(version))) => Some(version),
        Some((version, Err(_))) => {
            let version = version.to_owned();
            return Err(TableError::InvalidVersion { order, file: text(file), version });
        }
    };
    Ok(Record {
        order,
        version,
        description: text(description),
        file: text(file),
        kind: MigrationKind::from_column(kind.unwrap_or_default())
            .unwrap_or(MigrationKind::Versioned),
        applied_at: text(applied_at),
        checksum: text(checksum),
    })
}
