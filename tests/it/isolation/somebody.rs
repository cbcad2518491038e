use std::time::Duration;

use jetbase::{Migrations, Report};
use jetbase_test_harness::{Database, DatabaseKind, TestError, TestResult};
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Row};

/// A connection that stays open.
pub(super) enum Somebody {
    Postgres(PgConnection),
    Mysql(MySqlConnection),
    Sqlite(SqliteConnection),
}

impl Somebody {
    pub(super) async fn at(db: &Database) -> Result<Somebody, TestError> {
        let url = db.url.as_str();
        Ok(match db.kind {
            DatabaseKind::Postgres => Somebody::Postgres(PgConnection::connect(url).await?),
            DatabaseKind::Mysql => Somebody::Mysql(MySqlConnection::connect(url).await?),
            DatabaseKind::Sqlite => Somebody::Sqlite(SqliteConnection::connect(url).await?),
        })
    }

    /// Executes statements.
    pub(super) async fn execute(&mut self, sql: &str) -> TestResult {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql));
        let done = match self {
            Somebody::Postgres(connection) => statement.execute(connection).await.map(drop),
            Somebody::Mysql(connection) => statement.execute(connection).await.map(drop),
            Somebody::Sqlite(connection) => statement.execute(connection).await.map(drop),
        };
        done.map_err(|error| format!("{error:#}\nin the test's statement: {sql}").into())
    }

    /// The first column of all rows, as text.
    pub(super) async fn column(&mut self, sql: &str) -> Result<Vec<String>, TestError> {
        macro_rules! column {
            ($connection:expr) => {{
                let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all($connection).await?;
                let texts = rows.iter().map(|row| row.try_get_unchecked::<Option<String>, _>(0));
                texts.collect::<Result<Vec<_>, _>>()?
            }};
        }
        let texts = match self {
            Somebody::Postgres(connection) => column!(connection),
            Somebody::Mysql(connection) => column!(connection),
            Somebody::Sqlite(connection) => column!(connection),
        };
        Ok(texts.into_iter().map(|text| text.unwrap_or_else(|| "NULL".to_owned())).collect())
    }

    /// Runs migrations on this very connection.
    pub(super) async fn migrate(&mut self, set: &Migrations) -> Result<Report, jetbase::Error> {
        match self {
            Somebody::Postgres(connection) => jetbase::run(set, connection).await,
            Somebody::Mysql(connection) => jetbase::run(set, connection).await,
            Somebody::Sqlite(connection) => jetbase::run(set, connection).await,
        }
    }

    /// Executes these statements, and later those; then the connection is closed.
    pub(super) async fn until(mut self, length: Duration, end: &str) -> TestResult {
        tokio::time::sleep(length).await;
        self.execute(end).await?;
        self.close().await
    }

    pub(super) async fn close(self) -> TestResult {
        match self {
            Somebody::Postgres(connection) => connection.close().await?,
            Somebody::Mysql(connection) => connection.close().await?,
            Somebody::Sqlite(connection) => connection.close().await?,
        }
        Ok(())
    }
}
