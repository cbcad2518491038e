//! What interrupts a transaction of several files: requests to stop, a lost connection, a lost lock.

use jetbase::{DatabaseUrl, Event, Outcome};
use jetbase_test_harness::{Database, DatabaseKind, TestContext, TestResult, block_on_new_thread};

use super::{V1, V2, V3, count, create_table, history};
use crate::apply::set;
use crate::lost_connection::end_other_connections;

pub(super) async fn stopped(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    create_table(db).await?;
    let last = match db.kind {
        DatabaseKind::Mysql => "CREATE TABLE u (id INTEGER);\n",
        _ => "-- jetbase: transaction=off\nCREATE TABLE u (id INTEGER);\n",
    };
    let set = set(&[V1, V2, V3, ("V4__d.sql", last)]);
    let run = jetbase::run(&set, DatabaseUrl(&db.url)).one_transaction();
    let handle = run.cancel_handle();
    let report = run
        .on_event(move |event| {
            if matches!(event, Event::Started { .. }) {
                handle.stop_after_file();
            }
        })
        .await?;
    assert_eq!(report.applied.len(), 3, "{report}");
    assert_eq!(history(db).await?.len(), 3);
    Ok(())
}

pub(super) async fn cancelled(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    create_table(db).await?;
    let set = set(&[V1, V2, V3]);
    let run = jetbase::run(&set, DatabaseUrl(&db.url)).one_transaction();
    let handle = run.cancel_handle();
    let error = run
        .on_event(move |event| {
            if matches!(event, Event::Started { file, .. } if file == "V3__c.sql") {
                handle.cancel_now();
            }
        })
        .await
        .expect_err("the run was asked to stop");
    assert!(matches!(error.kind(), jetbase::ErrorKind::Stopped(_)), "{error:#}");
    let expected = "the run was asked to stop before statement 1 of 1";
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(error.report().same_transaction, ["V1__a.sql", "V2__b.sql"]);
    assert_eq!((count(db).await?.as_deref(), history(db).await?), (Some("0"), vec![]));
    assert_eq!(jetbase::run(&set, DatabaseUrl(&db.url)).one_transaction().await?.applied.len(), 3);
    Ok(())
}

pub(super) async fn lost(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    create_table(db).await?;
    let killed = Database::at(db.kind, &db.url)?;
    let error = jetbase::run(&set(&[V1, V2, V3]), DatabaseUrl(&db.url))
        .one_transaction()
        .on_event(move |event| {
            if matches!(event, Event::Started { file, .. } if file == "V3__c.sql") {
                end_other_connections(&killed);
            }
        })
        .await
        .expect_err("the connection is lost");
    let jetbase::ErrorKind::Interrupted { outcome, .. } = error.kind() else { panic!("{error:#}") };
    assert_eq!(*outcome, Outcome::RolledBack, "{error}");
    assert_eq!(error.report().same_transaction, ["V1__a.sql", "V2__b.sql"]);
    assert_eq!((count(db).await?.as_deref(), history(db).await?), (Some("0"), vec![]));
    let report = jetbase::run(&set(&[V1, V2, V3]), DatabaseUrl(&db.url)).one_transaction().await?;
    assert_eq!(report.applied.len(), 3);
    Ok(())
}

/// Another process takes the lock away while the transaction is open.
pub(super) async fn no_lock(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    create_table(db).await?;
    let other = Database::at(db.kind, &db.url)?;
    let error = jetbase::run(&set(&[V1, V2, V3]), DatabaseUrl(&db.url))
        .one_transaction()
        .on_event(move |event| {
            if matches!(event, Event::Started { file, .. } if file == "V3__c.sql") {
                let release = "UPDATE jetbase_lock SET is_locked = FALSE, process_id = NULL";
                block_on_new_thread(other.execute(release)).expect("the lock is released");
            }
        })
        .await
        .expect_err("the lock is lost");
    assert!(matches!(error.kind(), jetbase::ErrorKind::LockLost { .. }), "{error:#}");
    // MariaDB 11.6 and newer refuse the row that has changed since the snapshot. The run tries again, and then its
    // first file finds the lock lost.
    let before = &error.report().same_transaction;
    assert!(before.is_empty() || *before == ["V1__a.sql", "V2__b.sql"], "{error}");
    assert_eq!((count(db).await?.as_deref(), history(db).await?), (Some("0"), vec![]));
    Ok(())
}
