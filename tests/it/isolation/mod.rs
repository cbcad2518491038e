//! What runs, files, sessions and callers must not notice of each other.

/// What a panic leaves behind.
mod abandoned;
/// What a caller's own connection had before is there afterwards.
mod callers;
/// A file that leaves nothing costs nothing.
mod costs;
/// What a run leaves behind that is dropped in the middle.
mod dropped;
/// Nothing that a file leaves in its session reaches the next file.
mod leaks;
/// The same: what files of MySQL and MariaDB can leave.
mod leaks_mysql;
/// The same: what files of PostgreSQL can leave.
mod leaks_postgres;
/// The same: what files of SQLite can leave.
mod leaks_sqlite;
/// From a failed try, and from a failed run, to the next one.
mod retries;
/// Errors say what was kept.
mod sentences;
/// Settings of a server or a role do not decide about our own statements.
mod settings;
/// What others change while the transaction of a file is open.
mod snapshots;
/// A connection of somebody else, of any kind.
mod somebody;
/// No wait is longer than its limit.
mod waits;
/// The same: servers that say nothing, and pools without a free connection.
mod waits_network;

use jetbase_test_harness::{Database, Suite, TestError, TestResult};

pub(crate) fn register(suite: &mut Suite) {
    leaks::register(suite);
    retries::register(suite);
    settings::register(suite);
    callers::register(suite);
    waits::register(suite);
    waits_network::register(suite);
    abandoned::register(suite);
    dropped::register(suite);
    costs::register(suite);
    sentences::register(suite);
    snapshots::register(suite);
}

/// The first column of all rows.
async fn column(db: &Database, sql: &str) -> Result<Vec<String>, TestError> {
    let rows = db.rows(sql).await?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

/// The lock is free, and these files are in the history, each once.
async fn is_tidy(db: &Database, files: &[&str]) -> TestResult {
    let locked = db.value("SELECT is_locked FROM jetbase_lock").await?;
    assert_eq!(locked.as_deref(), Some("0"), "the lock is still held");
    let recorded = column(db, "SELECT filename FROM jetbase_migrations ORDER BY 1").await?;
    assert_eq!(recorded, files, "the history");
    Ok(())
}

/// Two lists hold the same lines; else the lines that only one of them holds are the error.
fn same_lines(what: &str, before: &[String], after: &[String]) -> TestResult {
    let only = |these: &[String], those: &[String]| {
        these.iter().filter(|line| !those.contains(line)).cloned().collect::<Vec<_>>()
    };
    let (gone, new) = (only(before, after), only(after, before));
    if gone.is_empty() && new.is_empty() {
        return Ok(());
    }
    Err(format!("{what}: {new:?} instead of {gone:?}").into())
}
