//! The rows of a test: a file with statements.

use jetbase_core::{Dialect, Position, Syntax, cut, snippet};
use sqlx::{AssertSqlSafe, Executor, Pool};

use crate::error::{TestingError, cause};

/// A file with statements that are executed before a test. `#[jetbase::test(fixtures(…))]` embeds one.
///
/// # Examples
///
/// ```
/// use jetbase_testing::Fixture;
///
/// let users = Fixture::new("users.sql", "INSERT INTO users (id) VALUES (1);");
/// assert_eq!(users.path(), "users.sql");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Fixture {
    path: &'static str,
    text: &'static str,
}

impl Fixture {
    /// Makes a fixture of the path of a file, which errors name, and its text.
    #[must_use]
    pub const fn new(path: &'static str, text: &'static str) -> Self {
        Fixture { path, text }
    }

    /// Returns the path of the file.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// Executes the statements, each by itself.
    pub(crate) async fn execute<DB: sqlx::Database>(
        &self,
        pool: &Pool<DB>,
        dialect: Dialect,
    ) -> Result<(), TestingError>
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        let syntax = Syntax::of(dialect);
        let statements = cut(self.text, ";", syntax)
            .map_err(|error| self.error(error.at, 1, &error.to_string()))?;
        let failed = |error: &sqlx::Error| self.error(0, 1, &cause(error));
        let mut connection = pool.acquire().await.map_err(|error| failed(&error))?;
        for statement in statements {
            let first = statement.sql.lines().next().unwrap_or_default();
            (&mut *connection).execute(sqlx::raw_sql(AssertSqlSafe(statement.sql))).await.map_err(
                |error| self.error(statement.start, first.chars().count(), &cause(&error)),
            )?;
        }
        Ok(())
    }

    fn error(&self, at: usize, width: usize, cause: &str) -> TestingError {
        TestingError::new(format!(
            "the fixture {}:{} failed: {cause}\n{}",
            self.path,
            Position::of(self.text, at),
            snippet(self.text, at, width)
        ))
    }
}
