use jetbase::{Ahead, AnyTarget, DatabaseUrl, ErrorKind, HistoryChange, RepairScope, Wait};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};

use crate::apply::set;
use crate::run_in_progress::{notify_at_start, slow};

pub(crate) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    suite.each(
        "a_repair_makes_the_history_agree_with_the_files",
        DatabaseKind::ALL,
        nothing,
        repairs,
    );
    suite.each("a_repair_keeps_the_rows_of_a_newer_program", DatabaseKind::ALL, nothing, ahead);
    suite.each("a_repair_needs_the_lock_only_for_a_change", DatabaseKind::ALL, nothing, needs_lock);
    suite.each(
        "a_graceful_shutdown_ends_after_the_current_file",
        DatabaseKind::ALL,
        nothing,
        shuts_down,
    );
}

const V1: (&str, &str) = ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n");
const V2: (&str, &str) = ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n");
const CHANGED: (&str, &str) = ("V2__b.sql", "CREATE TABLE b (id BIGINT);\n");
const RA: (&str, &str) = ("RA__r.sql", "DELETE FROM a WHERE id IS NULL;\n");

async fn repairs(ctx: TestContext) -> TestResult {
    let target = || AnyTarget::new(DatabaseUrl(&ctx.db.url));
    jetbase::run(&set(&[V1, V2]), target()).await?;
    let less = set(&[CHANGED]);

    let planned = jetbase::repair(&less, target()).dry_run().await?;
    assert!(planned.repaired.is_empty());
    let [
        HistoryChange::RowDeleted { version: Some(one), file, .. },
        HistoryChange::ChecksumUpdated { version: two, from, to, .. },
    ] = planned.planned.as_slice()
    else {
        panic!("{planned}");
    };
    assert_eq!((one.to_string(), file.as_str(), two.to_string()), ("1".into(), V1.0, "2".into()));
    assert_ne!(from, to);

    let report = jetbase::repair(&less, target()).only(RepairScope::Checksums).await?;
    assert_eq!(report.repaired, planned.planned[1..]);
    let report = jetbase::repair(&less, target()).await?;
    assert_eq!(report.repaired, planned.planned[..1]);
    assert!(jetbase::repair(&less, target()).await?.repaired.is_empty());
    assert_eq!(jetbase::validate(&less, target()).await?.records, 1);
    // The migrations themselves stay.
    assert_eq!(ctx.db.value("SELECT count(*) FROM a").await?.as_deref(), Some("0"));
    assert!(!jetbase::lock_status(&less, target()).await?.locked);
    Ok(())
}

async fn ahead(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    jetbase::run(&set(&[V1, V2, RA]), target).await?;
    let older = set(&[V1]);
    assert!(jetbase::repair(&older, target).await?.repaired.is_empty());
    let report = jetbase::repair(&older, target).ahead(Ahead::Refuse).await?;
    let files: Vec<_> = report
        .repaired
        .iter()
        .map(|change| match change {
            HistoryChange::RowDeleted { file, .. } => file.as_str(),
            HistoryChange::ChecksumUpdated { .. } => panic!("{report}"),
        })
        .collect();
    assert_eq!(files, [V2.0, RA.0]);
    Ok(())
}

async fn needs_lock(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    jetbase::run(&set(&[V1, V2]), target).await?;
    ctx.db
        .execute(
            "UPDATE jetbase_lock SET is_locked = TRUE, locked_at = CURRENT_TIMESTAMP, \
             process_id = '7f9c24e8-3b12-4fef-91e0-56a2d5a3f1c0' WHERE id = 1",
        )
        .await?;
    assert!(jetbase::repair(&set(&[V1, V2]), target).wait(Wait::Never).await?.repaired.is_empty());
    let changed = set(&[V1, CHANGED]);
    let error = jetbase::repair(&changed, target).wait(Wait::Never).await.expect_err("held");
    assert!(matches!(error.kind(), ErrorKind::Held { .. }), "{error}");
    let error = jetbase::repair(&changed, target)
        .graceful_shutdown(std::future::ready(()))
        .await
        .expect_err("stopped");
    assert!(matches!(error.kind(), ErrorKind::Cancelled), "{error}");
    assert!(jetbase::validate(&changed, target).await.is_err());
    Ok(())
}

async fn shuts_down(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    let set = set(&[("V1__slow.sql", &slow(ctx.kind, 2)), V2]);
    let (run, started) = notify_at_start(jetbase::run(&set, target), "V1__slow.sql");
    let report = run.graceful_shutdown(async { drop(started.await) }).await?;
    assert_eq!(
        report.applied.iter().map(|it| it.file.as_str()).collect::<Vec<_>>(),
        ["V1__slow.sql"]
    );
    assert!(!jetbase::lock_status(&set, target).await?.locked);
    // A shutdown signal that never completes does not stop the run.
    let report = jetbase::run(&set, target).graceful_shutdown(std::future::pending()).await?;
    assert_eq!(report.applied.len(), 1);
    Ok(())
}
