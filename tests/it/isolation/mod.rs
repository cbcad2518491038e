//! What a run, a file, a session or a caller must not notice of another one.

/// The state after a panic of a listener.
mod abandoned;
/// A run keeps the session state of the caller's connection.
mod callers;
/// A file that leaves no session state needs no new connection.
mod costs;
/// The state after a run was dropped.
mod dropped;
/// An error states correctly what was kept.
mod error_texts;
/// The session state of a file does not reach the next file.
mod leaks;
/// The session state on MySQL and MariaDB.
mod leaks_mysql;
/// The session state on PostgreSQL.
mod leaks_postgres;
/// The state of a connection to SQLite.
mod leaks_sqlite;
/// A failed attempt does not change the next one.
mod retries;
/// A connection of another session.
mod second_connection;
/// Settings of a server or a role do not change jetbase's own statements.
mod settings;
/// What others change while the transaction of a file is open.
mod snapshots;
/// No wait is longer than its limit.
mod waits;
/// Servers that do not answer, and pools without a free connection.
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
    error_texts::register(suite);
    snapshots::register(suite);
}

/// The first column of all rows.
/// Returns the first column.
pub(crate) async fn column(db: &Database, sql: &str) -> Result<Vec<String>, TestError> {
    let rows = db.rows(sql).await?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

/// Checks that the lock is free, and that the history has each of these files once.
async fn is_recorded_and_unlocked(db: &Database, files: &[&str]) -> TestResult {
    let locked = db.value("SELECT is_locked FROM jetbase_lock").await?;
    assert_eq!(locked.as_deref(), Some("0"), "the lock is still held");
    let recorded = column(db, "SELECT filename FROM jetbase_migrations ORDER BY 1").await?;
    assert_eq!(recorded, files, "the history");
    Ok(())
}

/// Checks that two lists have the same lines. The error has the lines that differ.
fn same_lines(what: &str, before: &[String], after: &[String]) -> TestResult {
    let only = |these: &[String], those: &[String]| {
        these.iter().filter(|line| !those.contains(line)).cloned().collect::<Vec<_>>()
    };
    let (removed, added) = (only(before, after), only(after, before));
    if removed.is_empty() && added.is_empty() {
        return Ok(());
    }
    Err(format!("{what}: {added:?} instead of {removed:?}").into())
}

/// Fails with all errors that a test has collected.
fn result_of(errors: Vec<String>) -> TestResult {
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n").into()) }
}
