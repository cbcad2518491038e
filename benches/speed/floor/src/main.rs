//! The floor: the least that a library over sqlx can do. Its history is one table. If nothing is
//! pending, it sends one `SELECT`, which reads as many rows as jetbase has to compare. Each file is one
//! message with its row of the history. There is no lock, and nothing is verified.
//!
//! With the argument `checked`, it sends the checks that jetbase sends, and nothing else: see `checks.rs`. So it shows
//! which part of the difference is the price of the guarantees.

mod checks;

use speed_contender::files::files;
use speed_contender::{Backend, Contender, Failure, MigrationSet};
use sqlx::{
    AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, Row as _, SqliteConnection,
};
use tokio::runtime::Runtime;

const CREATE: &str = "CREATE TABLE floor_history (version VARCHAR(255) PRIMARY KEY, name VARCHAR(500) NOT NULL, \
                      checksum VARCHAR(64) NOT NULL, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)";
const READ: &str = "SELECT version, checksum FROM floor_history ORDER BY applied_at, version";
const CHECKSUM: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

enum FloorConnection {
    Mysql(MySqlConnection),
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

struct Floor {
    runtime: Runtime,
    backend: Backend,
    connection: FloorConnection,
    is_checked: bool,
}

impl FloorConnection {
    async fn execute(&mut self, sql: String) -> Result<(), sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match self {
            FloorConnection::Mysql(connection) => sql.execute(connection).await.map(drop),
            FloorConnection::Postgres(connection) => sql.execute(connection).await.map(drop),
            FloorConnection::Sqlite(connection) => sql.execute(connection).await.map(drop),
        }
    }

    /// The versions that are applied.
    async fn history(&mut self, before: &str) -> Result<Vec<(String, String)>, sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(format!("{before}{READ}")));
        macro_rules! pairs {
            ($rows:expr) => {
                $rows
                    .iter()
                    .map(|row| Ok((row.try_get_unchecked(0)?, row.try_get_unchecked(1)?)))
                    .collect()
            };
        }
        match self {
            FloorConnection::Mysql(connection) => pairs!(sql.fetch_all(connection).await?),
            FloorConnection::Postgres(connection) => pairs!(sql.fetch_all(connection).await?),
            FloorConnection::Sqlite(connection) => pairs!(sql.fetch_all(connection).await?),
        }
    }
}

/// One file and its row. On MySQL, DDL commits by itself, so a transaction would only add work.
fn message(backend: Backend, sql: &str, row: &str) -> String {
    match backend {
        Backend::Mysql => format!("{sql}\n{row}"),
        Backend::Postgres => format!("BEGIN;\n{sql}\n{row};\nCOMMIT"),
        Backend::Sqlite => format!("BEGIN IMMEDIATE;\n{sql}\n{row};\nCOMMIT"),
    }
}

impl Contender for Floor {
    fn connect(backend: Backend, url: &str) -> Result<Self, Failure> {
        let runtime = Runtime::new()?;
        let connection = runtime.block_on(async {
            Ok::<_, Failure>(match backend {
                Backend::Mysql => FloorConnection::Mysql(MySqlConnection::connect(url).await?),
                Backend::Postgres => FloorConnection::Postgres(PgConnection::connect(url).await?),
                Backend::Sqlite => FloorConnection::Sqlite(SqliteConnection::connect(url).await?),
            })
        })?;
        let is_checked = std::env::args().nth(1).is_some_and(|it| it == "checked");
        Ok(Floor { runtime, backend, connection, is_checked })
    }

    fn migrate(&mut self, set: MigrationSet) -> Result<(), Failure> {
        let Floor { backend, ref mut connection, is_checked, .. } = *self;
        let before = if is_checked { checks::before_history(backend) } else { "" };
        self.runtime.block_on(async {
            let applied = match connection.history(before).await {
                Ok(applied) => applied,
                Err(sqlx::Error::Database(_)) => {
                    connection.execute(CREATE.to_owned()).await?;
                    Vec::new()
                }
                Err(error) => return Err(error),
            };
            // The files are in order, and the floor never leaves one out.
            let pending = files(set).get(applied.len()..).unwrap_or_default();
            if is_checked && !pending.is_empty() {
                connection.execute(checks::acquire(backend).to_owned()).await?;
            }
            for (name, sql) in pending {
                let version = name.trim_start_matches('V').split("__").next().unwrap_or_default();
                let row = format!(
                    "INSERT INTO floor_history (version, name, checksum) VALUES ('{version}', '{name}', '{CHECKSUM}')"
                );
                connection
                    .execute(match is_checked {
                        true => checks::message(backend, name, version, sql, &row),
                        false => message(backend, sql, &row),
                    })
                    .await?;
            }
            if is_checked && !pending.is_empty() {
                connection.execute(checks::release(backend).to_owned()).await?;
            }
            Ok(())
        })?;
        Ok(())
    }
}

fn main() {
    speed_contender::serve::<Floor>();
}
