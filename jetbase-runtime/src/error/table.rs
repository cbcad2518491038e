//! A table of jetbase cannot be used, or its rows cannot be trusted.

use jetbase_core::Name;

use crate::connection::UntrustedTable;

/// A table of jetbase cannot be used, or its rows cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// Row-level security hides rows of the history (PostgreSQL).
    #[error(
        "row-level security hides rows of jetbase_migrations from this user, so applied migrations \
         would look pending; run as the owner of the table, grant BYPASSRLS, or run ALTER TABLE \
         jetbase_migrations DISABLE ROW LEVEL SECURITY"
    )]
    RowsFiltered,
    /// The server sent only some of the rows of the history.
    #[error(
        "the server sent {received} of the {expected} rows of jetbase_migrations; a setting of the \
         server or of this user limits or hides rows: remove it, and run again"
    )]
    RowsMissing {
        /// The number of rows that the server sent.
        received: usize,
        /// The number of rows of the table.
        expected: usize,
    },
    /// A row of the history has a version that is not a version.
    #[error(
        "the row {order} of jetbase_migrations ({file}) has the version `{}`, which is not a version; {}",
        version.escape_debug(),
        correct(*order, file)
    )]
    InvalidVersion {
        /// The number of the row: `order_executed`.
        order: i64,
        /// The name of the file.
        file: String,
        /// The text in the column `version`.
        version: String,
    },
    /// A role that is not trusted owns the table, and could run code through it (PostgreSQL).
    #[error(
        "the table {table} belongs to `{owner}` and {fault}, so it could run code of `{owner}` with the \
         rights of this user; make this user, a superuser or the database's owner the owner of the \
         table, drop what is named, or trust `{owner}` with `trust_owner`"
    )]
    UntrustedOwner {
        /// The name of the table.
        table: String,
        /// The owner of the table.
        owner: String,
        /// What could run code, such as `has a trigger or a foreign key`.
        fault: String,
    },
    /// A publication contains jetbase's tables (PostgreSQL).
    #[error(
        "the publication {publication} sends jetbase's tables to its subscribers, whose history would \
         then list migrations that they do not have; run ALTER PUBLICATION \"{publication}\" DROP TABLE \
         jetbase_lock, jetbase_migrations (if it is FOR ALL TABLES, create it again with a list of \
         tables), or allow it with `Published::Allow`"
    )]
    Published {
        /// The name of the publication.
        publication: String,
    },
    /// The storage engine of the tables has no transactions (MySQL).
    #[error(
        "the storage engine of {} has no transactions, so a file and its history row could not be \
         committed together; run {}",
        tables.join(" and "),
        convert(tables)
    )]
    NotTransactional {
        /// The names of the tables.
        tables: Vec<String>,
    },
    /// The sequence of the history is behind its rows (PostgreSQL).
    #[error(
        "{file} cannot be recorded: the sequence of jetbase_migrations is behind its rows, as after a \
         copy without the sequence; run SELECT setval(pg_get_serial_sequence('\"{schema}\".\
         jetbase_migrations', 'order_executed'), (SELECT max(order_executed) FROM \"{schema}\".\
         jetbase_migrations)), then run again"
    )]
    SequenceBehind {
        /// The path of the file in its folder.
        file: String,
        /// The schema of the table.
        schema: String,
    },
    /// The database accepted a change of the table, and did not make it.
    #[error(
        "{operation} failed: the database accepted the change of {table} and did not make it; remove \
         the trigger, the rule or the policy on {table} that prevents it, and run again"
    )]
    ChangeIgnored {
        /// What jetbase was doing.
        operation: String,
        /// The name of the table.
        table: String,
    },
}

impl From<UntrustedTable> for TableError {
    fn from(UntrustedTable { table, owner, fault }: UntrustedTable) -> Self {
        TableError::UntrustedOwner { table, owner, fault }
    }
}

/// Returns how to correct a row whose version is not a version.
fn correct(order: i64, file: &str) -> String {
    match Name::parse(file).ok().and_then(|name| name.version) {
        Some(version) => format!(
            "run UPDATE jetbase_migrations SET version = '{version}' WHERE order_executed = {order}"
        ),
        None => "write the version of the migration into the row".to_owned(),
    }
}

fn convert(tables: &[String]) -> String {
    let commands = tables.iter().map(|table| format!("ALTER TABLE {table} ENGINE = InnoDB"));
    commands.collect::<Vec<_>>().join("; ")
}
