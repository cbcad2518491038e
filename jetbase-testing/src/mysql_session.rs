//! The session with which a test works on a server of MySQL or MariaDB.

use jetbase_core::Dialect;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Executor, Row};

use crate::error::TestingError;

/// The session that keeps a database: it has the lock of its name.
pub struct MySqlKeeper(pub(crate) MySqlConnection);

impl MySqlKeeper {
    pub(crate) async fn create(&mut self, database: &str) -> Result<(), TestingError> {
        self.execute(&format!("CREATE DATABASE `{database}`")).await
    }

    pub(crate) async fn drop_database(&mut self, database: &str) -> Result<(), TestingError> {
        self.execute(&format!("DROP DATABASE IF EXISTS `{database}`")).await
    }

    pub(crate) async fn execute(&mut self, sql: &str) -> Result<(), TestingError> {
        let result = self.0.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await;
        result.map(drop).map_err(|error| failed(sql, &error))
    }

    /// Returns rows as text.
    pub(crate) async fn rows(&mut self, sql: &str) -> Result<Vec<TextRow>, TestingError> {
        self.try_rows(sql).await.map_err(|error| failed(sql, &error))
    }

    pub(crate) async fn try_rows(&mut self, sql: &str) -> Result<Vec<TextRow>, sqlx::Error> {
        let rows: Vec<MySqlRow> = self.0.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
        rows.iter()
            .map(|row| (0..row.len()).map(|at| row.try_get_unchecked(at)).collect())
            .collect()
    }

    /// Returns the first column, without NULL.
    pub(crate) async fn names(&mut self, sql: &str) -> Result<Vec<String>, TestingError> {
        self.rows(sql).await.map(first_column)
    }
}

/// The values of the first column that are not NULL.
pub(crate) fn first_column(rows: Vec<TextRow>) -> Vec<String> {
    rows.into_iter().filter_map(|row| row.into_iter().next()?).collect()
}

/// A row as text; `None` is `NULL`.
pub(crate) type TextRow = Vec<Option<String>>;

/// The number of an error of the server; 0 for every other error.
pub(crate) fn number(error: &sqlx::Error) -> u16 {
    error
        .as_database_error()
        .and_then(|it| it.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>())
        .map_or(0, sqlx::mysql::MySqlDatabaseError::number)
}

pub(crate) fn failed(sql: &str, error: &sqlx::Error) -> TestingError {
    TestingError::statement(Dialect::MySql, sql, error)
}
