use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jetbase::{ErrorKind, Event, Kept, Migrations};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};

use super::column;
use super::second_connection::SecondConnection;
use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let mysql = &[DatabaseKind::Mysql];
    suite.each(
        "a_file_runs_again_when_a_row_changed_since_its_transaction_began",
        mysql,
        Needs::NOTHING,
        row_changes,
    );
    suite.each(
        "an_unlock_since_the_transaction_of_a_file_began_is_a_lost_lock",
        mysql,
        Needs::NOTHING,
        lock_is_taken,
    );
    suite.each(
        "an_unlock_keeps_a_file_from_a_statement_that_commits_by_itself",
        mysql,
        Needs::NOTHING,
        lock_is_taken_before_ddl,
    );
}

/// A file that reads a row, stops until another session releases the named lock, and changes the row.
fn stops_in_the_middle() -> Migrations {
    let text = "SELECT id FROM busy;\nDO GET_LOCK(DATABASE(), 60);\nUPDATE busy SET id = id + 1;\n";
    set(&[("V1__changes.sql", text)])
}

/// Such a file, with a statement at its end that commits by itself.
fn stops_before_ddl() -> Migrations {
    let text = "SELECT id FROM busy;\nDO GET_LOCK(DATABASE(), 60);\nUPDATE busy SET id = id + 1;\nCREATE TABLE last (id INTEGER);\n";
    set(&[("V1__changes.sql", text)])
}

/// Executes the statement while the file stops in the middle.
async fn execute_during_stop(
    db: &Database,
    mut other: SecondConnection,
    statement: &str,
) -> TestResult {
    let stopped = "SELECT id FROM information_schema.processlist WHERE state = 'User lock' AND db = DATABASE()";
    while column(db, stopped).await?.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    other.execute(statement).await?;
    other.execute("DO RELEASE_LOCK(DATABASE())").await
}

async fn prepare(ctx: &TestContext) -> Result<SecondConnection, TestError> {
    ctx.db
        .execute("CREATE TABLE busy (id INTEGER PRIMARY KEY); INSERT INTO busy VALUES (1)")
        .await?;
    let mut other = SecondConnection::at(&ctx.db).await?;
    other.execute("DO GET_LOCK(DATABASE(), 0)").await?;
    Ok(other)
}

/// MariaDB 11.6 and newer refuse the change with error 1020. Other servers change the newer row.
async fn row_changes(ctx: TestContext) -> TestResult {
    let other = prepare(&ctx).await?;
    let tries = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let files = stops_in_the_middle();
    let run = jetbase::run_url(&files, &ctx.db.url).on_event(move |event| {
        if matches!(event, Event::Retrying { .. }) {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let change = execute_during_stop(&ctx.db, other, "UPDATE busy SET id = id + 100");
    let (report, changed) = tokio::join!(run.into_future(), change);
    changed?;
    assert_eq!(report?.applied.len(), 1);
    assert_eq!(column(&ctx.db, "SELECT id FROM busy").await?, ["102"]);
    let isolated = ctx.db.rows("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'").await?;
    let refuses = isolated.iter().flatten().flatten().any(|value| value == "ON");
    assert_eq!(tries.load(Ordering::SeqCst) > 0, refuses);
    Ok(())
}

async fn lock_is_taken(ctx: TestContext) -> TestResult {
    loses_lock_in(&ctx, stops_in_the_middle()).await
}

/// The snapshot of the open transaction still shows the lock.
async fn lock_is_taken_before_ddl(ctx: TestContext) -> TestResult {
    loses_lock_in(&ctx, stops_before_ddl()).await?;
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'last'";
    assert!(column(&ctx.db, tables).await?.is_empty(), "a statement ran without the lock");
    Ok(())
}

/// Somebody unlocks while the file stops in the middle. Nothing of the file is kept.
async fn loses_lock_in(ctx: &TestContext, files: Migrations) -> TestResult {
    let other = prepare(ctx).await?;
    let run = jetbase::run_url(&files, &ctx.db.url);
    let free = "UPDATE jetbase_lock SET is_locked = FALSE, locked_at = NULL, process_id = NULL";
    let (report, freed) =
        tokio::join!(run.into_future(), execute_during_stop(&ctx.db, other, free));
    freed?;
    let error = report.expect_err("the lock is lost");
    assert!(
        matches!(error.kind(), ErrorKind::LockLost { file: Some(file), kept: Kept::Nothing } if file == "V1__changes.sql"),
        "{error:#}"
    );
    assert_eq!(column(&ctx.db, "SELECT id FROM busy").await?, ["1"]);
    Ok(())
}
