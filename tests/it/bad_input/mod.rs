//! Invalid arguments, invalid URLs, missing rights, broken files.

mod arguments;
mod failed_file;
pub(crate) mod rights;
mod server;
mod sqlite_file;
mod url;

use std::time::{Duration, Instant};

use jetbase::{ErrorKind, Migrations, Report};
use jetbase_test_harness::{Database, DatabaseKind, Suite, TestError, TestResult};

use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    arguments::register(suite);
    url::register(suite);
    rights::register(suite);
    server::register(suite);
    failed_file::register(suite);
    sqlite_file::register(suite);
}

const A: (&str, &str) =
    ("V1__a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);\n-- rollback\nDROP TABLE a;\n");

const SECRET: &str = "hunter2";

fn one() -> Migrations {
    set(&[A])
}

/// Returns the error of a run that must fail within a time.
async fn refused(
    run: impl IntoFuture<Output = Result<Report, jetbase::Error>>,
    within: Duration,
) -> Result<jetbase::Error, TestError> {
    let began = Instant::now();
    let result = run.into_future().await;
    assert!(began.elapsed() < within, "it took {:?}", began.elapsed());
    match result {
        Ok(report) => Err(format!("the run was not refused: {report}").into()),
        Err(error) => {
            hides_password(&error)?;
            Ok(error)
        }
    }
}

/// Fails if an error contains the password.
fn hides_password(error: &jetbase::Error) -> TestResult {
    let mut texts = vec![format!("{error:#}"), format!("{error:?}"), format!("{error:#?}")];
    texts.extend([
        format!("{:?}", error.kind()),
        error.kind().to_string(),
        format!("{:?}", error.report()),
    ]);
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        texts.extend([cause.to_string(), format!("{cause:?}")]);
        source = cause.source();
    }
    match texts.into_iter().find(|text| text.contains(SECRET)) {
        Some(text) => Err(format!("the password is shown: {text}").into()),
        None => Ok(()),
    }
}

/// The code and the help text of a database error.
fn database(error: &jetbase::Error) -> Result<(&str, &str), TestError> {
    match error.kind() {
        ErrorKind::Database { code, kind, .. } => Ok((code, kind.help())),
        _ => Err(format!("another kind of error: {error:#}").into()),
    }
}

/// Whether a database has no table or does not exist.
async fn is_empty(db: &Database) -> Result<bool, TestError> {
    let tables = match db.kind {
        DatabaseKind::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
        DatabaseKind::Mysql => {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
        }
        DatabaseKind::Postgres => {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        }
    };
    Ok(db.rows(tables).await?.is_empty())
}

pub(crate) async fn lock_is_free(db: &Database) -> TestResult {
    let lock = db.rows("SELECT is_locked, process_id, locked_at FROM jetbase_lock").await?;
    assert_eq!(lock, [[Some("0".to_owned()), None, None]]);
    Ok(())
}

const SECOND: Duration = Duration::from_secs(1);
