use std::time::Duration;

use jetbase::{DatabaseUrl, Event};
use jetbase_test_harness::{Database, DatabaseKind, Needs, Suite, TestContext, TestResult};

use crate::apply::set;
use crate::run_in_progress::query_in_listener;

pub(crate) fn register(suite: &mut Suite) {
    suite.each(
        "a_run_that_loses_its_connection_after_the_last_file_releases_the_lock",
        DatabaseKind::SERVERS,
        Needs::NOTHING,
        releases_over_new_connection,
    );
}

/// Ends every other connection to the database.
pub(crate) fn end_other_connections(db: &Database) {
    if db.kind == DatabaseKind::Postgres {
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        // A session ends a moment later.
        while query_in_listener(db, end).as_deref() != Some("0") {
            std::thread::sleep(Duration::from_millis(20));
        }
        return;
    }
    let end = "SELECT GROUP_CONCAT(CONCAT('KILL ', ID) SEPARATOR '; ') \
               FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()";
    let end = query_in_listener(db, end).expect("the run has a connection");
    query_in_listener(db, &end);
}

async fn releases_over_new_connection(ctx: TestContext) -> TestResult {
    let one = set(&[("V1__a.sql", "CREATE TABLE a (id INTEGER);\n")]);
    let db = ctx.db.clone();
    let run = jetbase::run(&one, DatabaseUrl(&ctx.db.url)).on_event(move |event| {
        if matches!(event, Event::Finished { .. }) {
            end_other_connections(&db);
        }
    });
    let report = run.await?;
    assert_eq!(report.applied.len(), 1);
    assert_eq!(report.warnings, Vec::<String>::new());
    assert!(!jetbase::lock_status(&one, DatabaseUrl(&ctx.db.url)).await?.locked);
    Ok(())
}
