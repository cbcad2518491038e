//! `ROC__` files after versions, and what is executed again on purpose.

use jetbase::{
    Action, DatabaseUrl, Empty, ErrorKind, Folder, Migrations, Options, Problem, Readiness, Report,
    SkipReason,
};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, PythonProject, Suite, TestContext, TestResult,
};

use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let all = DatabaseKind::ALL;
    let nothing = Needs::NOTHING;
    suite.each("a_view_that_a_version_drops_is_put_back", all, nothing, put_back);
    suite.each("a_view_that_a_rollback_drops_is_pending", all, nothing, pending_after_rollback);
    suite.each(
        "a_run_that_dies_after_a_version_leaves_its_view_pending",
        all,
        nothing,
        interrupted,
    );
    suite.each("a_file_that_cannot_be_repeated_is_skipped_after_a_version", all, nothing, skipped);
    suite.each("reapply_runs_an_unchanged_file", all, nothing, reapplied);
    suite.each("both_tools_put_a_dropped_view_back", all, Needs::PYTHON, with_python);
    suite.each("redo_fills_a_migration_that_was_applied_empty", all, nothing, filled);
    suite.each("redo_refuses_a_recorded_migration", all, nothing, recorded);
    suite.each("a_rollback_to_version_0_undoes_everything", all, nothing, to_version_0);
}

const V1: (&str, &str) =
    ("V1__t.sql", "CREATE TABLE t (id INTEGER, old INTEGER);\n-- rollback\nDROP TABLE t;\n");

/// It changes a table under a view, as PostgreSQL requires: first it drops the view.
const V2: (&str, &str) = (
    "V2__u.sql",
    "DROP VIEW v;\nCREATE TABLE u (id INTEGER);\n-- rollback\nDROP VIEW IF EXISTS v;\nDROP TABLE u;\n",
);

const ROC: (&str, &str) =
    ("ROC__v.sql", "DROP VIEW IF EXISTS v;\nCREATE VIEW v AS SELECT id AS it FROM t;\n");

fn files(report: &Report) -> Vec<&str> {
    report.applied.iter().map(|it| it.file.as_str()).collect()
}

async fn has_view(db: &Database) -> bool {
    db.value("SELECT count(*) FROM v").await.is_ok()
}

async fn put_back(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    jetbase::run(&set(&[V1, ROC]), target).await?;
    let number = "SELECT order_executed FROM jetbase_migrations WHERE filename = 'ROC__v.sql'";
    let before = ctx.db.value(number).await?;
    let both = set(&[V1, V2, ROC]);
    let planned = jetbase::run(&both, target).dry_run().await?.planned;
    assert_eq!(planned.iter().map(|it| &*it.file).collect::<Vec<_>>(), [V2.0, ROC.0]);
    let report = jetbase::run(&both, target).await?;
    assert_eq!(files(&report), [V2.0, ROC.0]);
    assert!(has_view(&ctx.db).await);
    assert_eq!(ctx.db.value(number).await?, before, "the row keeps its number");
    assert_eq!(jetbase::check(&both, target).await?, Readiness::Ready);
    assert!(jetbase::run(&both, target).await?.is_up_to_date());
    Ok(())
}

async fn pending_after_rollback(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    let both = set(&[V1, V2, ROC]);
    jetbase::run(&set(&[V1, ROC]), target).await?;
    jetbase::run(&both, target).await?;
    assert_eq!(files(&jetbase::rollback(&both, target).await?), [V2.0]);
    assert!(!has_view(&ctx.db).await);
    // The program of the release before: its versions are applied, but its view is gone.
    let older = set(&[V1, ROC]);
    let pending = vec![ROC.0.to_owned()];
    assert_eq!(
        jetbase::check(&older, target).await?,
        Readiness::Behind { pending, unfinished: Vec::new() }
    );
    let status = jetbase::status(&older, target).await?;
    assert_eq!(status.pending.len(), 1, "{status}");
    assert_eq!(files(&jetbase::run(&older, target).await?), [ROC.0]);
    assert!(has_view(&ctx.db).await);
    assert_eq!(jetbase::check(&older, target).await?, Readiness::Ready);
    Ok(())
}

async fn interrupted(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    jetbase::run(&set(&[V1, ROC]), target).await?;
    // V3 fails, so the run ends after V2 has dropped the view.
    let failing = set(&[V1, V2, ("V3__fails.sql", "DROP TABLE there_is_no_such_table;\n"), ROC]);
    jetbase::run(&failing, target).await.expect_err("V3 fails");
    assert!(!has_view(&ctx.db).await);
    let both = set(&[V1, V2, ROC]);
    let pending = vec![ROC.0.to_owned()];
    assert_eq!(
        jetbase::check(&both, target).await?,
        Readiness::Behind { pending, unfinished: Vec::new() }
    );
    assert_eq!(files(&jetbase::run(&both, target).await?), [ROC.0]);
    assert!(has_view(&ctx.db).await);
    Ok(())
}

async fn skipped(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    let seed = ("ROC__seed.sql", "INSERT INTO t (id) VALUES (1);\n");
    let v2 = ("V2__u.sql", "CREATE TABLE u (id INTEGER);\n");
    jetbase::run(&set(&[V1, seed]), target).await?;
    let report = jetbase::run(&set(&[V1, v2, seed]), target).await?;
    assert_eq!(files(&report), [v2.0]);
    assert_eq!(report.skipped.len(), 1, "{report}");
    assert_eq!(report.skipped[0].reason, SkipReason::NotRepeated);
    assert_eq!(ctx.db.value("SELECT count(*) FROM t").await?.as_deref(), Some("1"));
    let all = set(&[
        V1,
        v2,
        seed,
        ("V3__w.sql", "CREATE TABLE w (id INTEGER);\n-- rollback\nDROP TABLE w;\n"),
    ]);
    jetbase::run(&all, target).await?;
    let report = jetbase::rollback(&all, target).await?;
    assert_eq!(report.skipped.len(), 1, "{report}");
    assert!(jetbase::run(&set(&[V1, v2, seed]), target).await?.skipped.is_empty());
    Ok(())
}

async fn reapplied(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    let all = set(&[V1, ROC]);
    let error = jetbase::reapply(&all, target, V1.0).await.expect_err("V1 is not repeatable");
    assert_eq!(
        error.to_string(),
        "no repeatable migration has the name V1__t.sql; name a file of the set that begins with `ROC__` or `RA__`"
    );
    jetbase::run(&all, target).await?;
    ctx.db.execute("DROP VIEW v").await?;
    assert!(jetbase::run(&all, target).await?.is_up_to_date());
    let report = jetbase::reapply(&all, target, ROC.0).await?;
    assert_eq!(files(&report), [ROC.0]);
    assert_eq!(report.applied[0].action, Action::Reapply);
    assert!(has_view(&ctx.db).await);
    assert!(jetbase::run(&all, target).await?.is_up_to_date());
    Ok(())
}

async fn with_python(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let project = PythonProject::with(&[V1, ROC])?;
    let load = || Migrations::load(Folder::read(&project.migrations()).files, Options::default());
    let target = DatabaseUrl(&db.url);
    project.python(db, &["upgrade"]).await?.succeeded()?;
    project.write(V2.0, V2.1)?;
    assert_eq!(files(&jetbase::run(&load(), target).await?), [V2.0, ROC.0]);
    let output = project.python(db, &["upgrade"]).await?.succeeded()?;
    assert!(output.contains("Migrations are up to date."), "{output:?}");
    // After our rollback, the Python tool finds the view pending, and puts it back.
    jetbase::rollback(&load(), target).await?;
    assert!(!has_view(db).await);
    std::fs::remove_file(project.migrations().join(V2.0))?;
    let output = project.python(db, &["upgrade"]).await?.succeeded()?;
    assert!(output.contains("Migration applied successfully: ROC__v.sql"), "{output:?}");
    assert!(has_view(db).await);
    assert!(jetbase::run(&load(), target).await?.is_up_to_date());
    Ok(())
}

async fn filled(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    let empty = ("V2__u.sql", "-- upgrade\n\n-- rollback\n");
    let v3 = ("V3__w.sql", "CREATE TABLE w (id INTEGER);\n-- rollback\nDROP TABLE w;\n");
    jetbase::run(&set(&[V1, empty, v3]), target).empty(Empty::Allow).await?;
    let v2 = ("V2__u.sql", "CREATE TABLE u (id INTEGER);\n-- rollback\nDROP TABLE IF EXISTS u;\n");
    let now = set(&[V1, v2, v3]);
    jetbase::run(&now, target).await.expect_err("V2 has changed");
    let report = jetbase::redo(&now, target).await?;
    assert_eq!(files(&report), [v3.0, v2.0, v2.0, v3.0]);
    assert!(
        report.to_string().starts_with("rolled back 2 and applied 2 migrations in "),
        "{report}"
    );
    ctx.db.value("SELECT count(*) FROM u").await?;
    assert!(jetbase::run(&now, target).await?.is_up_to_date());
    // Nothing has changed: the highest version.
    assert_eq!(files(&jetbase::redo(&now, target).await?), [v3.0, v3.0]);
    assert_eq!(files(&jetbase::redo(&now, target).count(2).await?), [v3.0, v2.0, v2.0, v3.0]);
    Ok(())
}

async fn recorded(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    let v3 = ("V3__w.sql", "CREATE TABLE w (id INTEGER);\n-- rollback\nDROP TABLE w;\n");
    let v4 = ("V4__x.sql", "CREATE TABLE x (id INTEGER);\n-- rollback\nDROP TABLE x;\n");
    let with_recorded = |count: usize| {
        let project = PythonProject::with(&[V1, v3, v4]).expect("a project");
        let mut files = Folder::read(&project.migrations()).files;
        files.iter_mut().take(count).for_each(|file| file.recorded = true);
        Migrations::load(files, Options::default())
    };
    jetbase::run(&with_recorded(0), target).await?;
    // With a list: everything that is not recorded.
    let report = jetbase::redo(&with_recorded(1), target).await?;
    assert_eq!(files(&report), [v4.0, v3.0, v3.0, v4.0]);
    for (count, redo) in [
        (3, jetbase::redo(&with_recorded(3), target)),
        (1, jetbase::redo(&with_recorded(1), target).count(3)),
        (1, jetbase::redo(&with_recorded(1), target).to_version(jetbase::Version::parse("0")?)),
    ] {
        let error = redo.await.expect_err("a recorded version");
        let ErrorKind::Refused(refusal) = error.kind() else { panic!("{error}") };
        let file = if count == 3 { v4.0 } else { V1.0 };
        assert_eq!(refusal.problems, [Problem::Recorded { file: file.to_owned() }]);
        assert!(error.report().applied.is_empty());
        assert_eq!(
            error.to_string(),
            format!(
                "{file} cannot be redone: it is recorded, so other databases may have applied it; write the change \
                 as a new migration; to undo versions on purpose, use `rollback`"
            )
        );
    }
    Ok(())
}

async fn to_version_0(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    let both = set(&[V1, ROC]);
    jetbase::run(&both, target).await?;
    ctx.db.execute("DROP VIEW v").await?;
    let report = jetbase::rollback(&both, target).to_version(jetbase::Version::parse("0")?).await?;
    assert_eq!(files(&report), [V1.0]);
    assert_eq!(jetbase::current(&both, target).await?, None);
    Ok(())
}
