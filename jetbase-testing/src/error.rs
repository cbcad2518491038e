//! Why a test has no database.

use std::error::Error;
use std::fmt;

use jetbase_core::Dialect;

/// Why a test gets no database: no server, a missing right, a migration or a fixture that fails.
///
/// [`Display`](fmt::Display) and [`Debug`](fmt::Debug) show the same text, because the result of a test
/// is printed with `Debug`. It contains no password.
pub struct TestingError {
    text: String,
}

impl TestingError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        TestingError { text: text.into() }
    }

    /// The migrations cannot be applied to the template.
    pub(crate) fn migrations(error: &jetbase_runtime::Error) -> Self {
        TestingError::new(format!(
            "the migrations cannot be applied to the template of the tests\n{error:#}"
        ))
    }

    /// No connection to the server.
    pub(crate) fn connect(server: &str, error: &sqlx::Error) -> Self {
        TestingError::new(format!(
            "cannot connect to the server of {server}: {}\n\
             Is the server running, and is the URL right?",
            cause(error)
        ))
    }

    /// The server refuses a statement.
    pub(crate) fn statement(dialect: Dialect, sql: &str, error: &sqlx::Error) -> Self {
        let first = sql.lines().next().unwrap_or_default();
        let text = format!("`{first}` failed: {}", cause(error));
        let code = error.as_database_error().and_then(|it| it.code());
        let help = match (dialect, code.as_deref()) {
            (Dialect::Postgres, Some("42501")) => {
                "A test needs a role that may create databases: ALTER ROLE <role> CREATEDB"
            }
            (Dialect::MySql, Some("42000")) if text.contains("denied") => {
                "A test needs a user who may create databases: \
                 GRANT ALL ON `jetbase\\_t%`.* TO <user>"
            }
            _ => return TestingError::new(text),
        };
        TestingError::new(format!("{text}\n{help}"))
    }

    /// A folder or a file of the SQLite tests cannot be used.
    #[cfg(feature = "sqlite")]
    pub(crate) fn file(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        TestingError::new(format!("cannot {what} {}: {error}", path.display()))
    }

    /// Another process builds the template and does not end.
    pub(crate) fn builder() -> Self {
        TestingError::new(format!(
            "another process has been applying the migrations to the template for {BUILD_MINUTES} minutes: \
             look for a test process that does not end"
        ))
    }
}

/// How long a test waits for another process that builds its template.
pub(crate) const BUILD_MINUTES: u64 = 10;

/// The message of the server, or the cause without the words of the driver.
pub(crate) fn cause(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

impl fmt::Display for TestingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for TestingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for TestingError {}
