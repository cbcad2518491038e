use std::time::Duration;

use jetbase::{Migrations, Report};
use jetbase_test_harness::{Database, DatabaseKind, TestError, TestResult};
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Row};

/// A connection of another session, which stays open.
pub(super) enum SecondConnection {
    Postgres(PgConnection),
    Mysql(MySqlConnection),
    Sqlite(SqliteConnection),
}

impl SecondConnection {
    pub(super) async fn at(db: &Database) -> Result<SecondConnection, TestError> {
        let url = db.url.as_str();
        Ok(match db.kind {
            DatabaseKind::Postgres => SecondConnection::Postgres(PgConnection::connect(url).await?),
            DatabaseKind::Mysql => SecondConnection::Mysql(MySqlConnection::connect(url).await?),
            DatabaseKind::Sqlite => SecondConnection::Sqlite(SqliteConnection::connect(url).await?),
        })
    }

    /// Executes statements.
    pub(super) async fn execute(&mut self, sql: &str) -> TestResult {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql));
        let done = match self {
            SecondConnection::Postgres(connection) => statement.execute(connection).await.map(drop),
            SecondConnection::Mysql(connection) => statement.execute(connection).await.map(drop),
            SecondConnection::Sqlite(connection) => statement.execute(connection).await.map(drop),
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
            SecondConnection::Postgres(connection) => column!(connection),
            SecondConnection::Mysql(connection) => column!(connection),
            SecondConnection::Sqlite(connection) => column!(connection),
        };
        Ok(texts.into_iter().map(|text| text.unwrap_or_else(|| "NULL".to_owned())).collect())
    }

    /// Runs migrations on this connection.
    pub(super) async fn migrate(&mut self, set: &Migrations) -> Result<Report, jetbase::Error> {
        match self {
            SecondConnection::Postgres(connection) => jetbase::run(set, connection).await,
            SecondConnection::Mysql(connection) => jetbase::run(set, connection).await,
            SecondConnection::Sqlite(connection) => jetbase::run(set, connection).await,
        }
    }

    /// Executes a statement after a time and closes the connection.
    pub(super) async fn execute_later(mut self, length: Duration, end: &str) -> TestResult {
        tokio::time::sleep(length).await;
        self.execute(end).await?;
        self.close().await
    }

    pub(super) async fn close(self) -> TestResult {
        match self {
            SecondConnection::Postgres(connection) => connection.close().await?,
            SecondConnection::Mysql(connection) => connection.close().await?,
            SecondConnection::Sqlite(connection) => connection.close().await?,
        }
        Ok(())
    }
}
