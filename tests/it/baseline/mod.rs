//! Versions that are marked as applied, and the comparison of a set with a database.

mod detected;

use std::future::IntoFuture;

use jetbase::{DatabaseUrl, ErrorKind, JournalError, PlanError, Problem, Report, Version, Wait};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
    TextRows,
};

use crate::apply::set;
use crate::journal::alone;
use crate::run_in_progress::{notify_at_start, slow};
use crate::tool::tool;

pub(crate) fn register(suite: &mut Suite) {
    let (all, nothing) = (DatabaseKind::ALL, Needs::NOTHING);
    detected::register(suite);
    suite.each("a_baseline_marks_versions_and_executes_none", all, nothing, marks);
    suite.each("both_tools_go_on_after_a_baseline", all, Needs::PYTHON, with_python);
    suite.each("a_baseline_refuses_a_history_unless_forced", all, nothing, refuses_a_history);
    suite.each("a_baseline_refuses_while_a_file_is_unfinished", all, nothing, unfinished);
    suite.each("a_baseline_waits_for_a_run_and_looks_again", all, nothing, races);
    suite.each("the_tool_detects_a_baseline_and_writes_it", all, nothing, command);
}

const V1: (&str, &str) =
    ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n-- rollback\nDROP TABLE a;\n");
const V1_1: (&str, &str) =
    ("V1_1__it's.sql", "ALTER TABLE a ADD COLUMN name VARCHAR(9);\n-- rollback\nSELECT 1;\n");
const V2: (&str, &str) =
    ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n-- rollback\nDROP TABLE b;\n");
const V10: (&str, &str) =
    ("V10__c.sql", "CREATE TABLE c (id INTEGER);\n-- rollback\nDROP TABLE c;\n");
const RA: (&str, &str) = ("RA__r.sql", "DELETE FROM a WHERE id IS NULL;\n");
const ROC: (&str, &str) = ("ROC__s.sql", "DELETE FROM b WHERE id IS NULL;\n");

fn version(text: &str) -> Version {
    Version::parse(text).expect("a version")
}

fn applied(report: &Report) -> Vec<&str> {
    report.applied.iter().map(|it| it.file.as_str()).collect()
}

fn refusal(error: &jetbase::Error) -> &PlanError {
    match error.kind() {
        ErrorKind::Refused(refusal) => refusal,
        other => panic!("{other}"),
    }
}

async fn rows(db: &Database) -> Result<TextRows, TestError> {
    db.rows(
        "SELECT version, description, filename, migration_type, checksum FROM jetbase_migrations ORDER BY order_executed",
    )
    .await
}

async fn marks(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    let set = set(&[V1, V1_1, V2, V10, RA, ROC]);
    ctx.db.execute("CREATE TABLE a (id INTEGER, name VARCHAR(9))").await?;
    ctx.db.execute("CREATE TABLE b (id INTEGER)").await?;

    let planned = jetbase::baseline(&set, target, version("2")).dry_run().await?;
    assert_eq!(planned.planned, [V1.0, V1_1.0, V2.0], "{planned}");
    assert!(planned.marked.is_empty());
    assert!(rows(&ctx.db).await.is_err(), "a dry run creates no table");

    let report = jetbase::baseline(&set, target, version("2")).await?;
    assert_eq!(report.marked, planned.planned, "{report}");
    assert!(!jetbase::lock_status(&set, target).await?.locked);
    let status = jetbase::status(&set, target).await?;
    assert_eq!(status.pending.iter().map(|it| &*it.file).collect::<Vec<_>>(), [V10.0, RA.0, ROC.0]);

    // The rows are those of an upgrade.
    let other = ctx.another().await?;
    let run = jetbase::run(&set, DatabaseUrl(&other.url)).to_version(version("2"));
    assert_eq!(applied(&run.await?), [V1.0, V1_1.0, V2.0, RA.0, ROC.0]);
    let upgraded = rows(&other).await?;
    assert_eq!(rows(&ctx.db).await?, upgraded[..3]);
    let times =
        ctx.db.rows("SELECT applied_at FROM jetbase_migrations ORDER BY order_executed").await?;
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");

    // A run applies only the rest.
    assert_eq!(applied(&jetbase::run(&set, target).await?), [V10.0, RA.0, ROC.0]);
    assert_eq!(jetbase::validate(&set, target).await?.records, 6);
    // What was marked can be rolled back.
    let rolled = jetbase::rollback(&set, target).count(2).await?;
    assert_eq!(applied(&rolled), [V10.0, V2.0]);
    Ok(())
}

async fn with_python(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1, V2, V10])?;
    let set = set(&[V1, V2, V10]);
    ctx.db.execute("CREATE TABLE a (id INTEGER)").await?;
    ctx.db.execute("CREATE TABLE b (id INTEGER)").await?;
    jetbase::baseline(&set, DatabaseUrl(&ctx.db.url), version("2")).await?;
    let before = rows(&ctx.db).await?;
    for (arguments, text) in [
        (&["current"][..], "Latest migration version: 2"),
        (&["validate-files"], "All migrations have corresponding files."),
        (&["status"], V10.0),
        (&["upgrade"], "Migration applied successfully: V10__c.sql"),
        (&["upgrade"], "Migrations are up to date."),
    ] {
        let output = project.python(&ctx.db, arguments).await?.succeeded()?;
        let file = text.strip_prefix("V10__").and_then(|it| it.strip_suffix(".sql"));
        assert!(output.contains(file.unwrap_or(text)), "{arguments:?}: {output:?}");
    }
    let after = rows(&ctx.db).await?;
    assert_eq!((after.len(), &after[..2]), (3, &before[..]));
    assert!(jetbase::run(&set, DatabaseUrl(&ctx.db.url)).await?.is_up_to_date());
    Ok(())
}

async fn refuses_a_history(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    let all = set(&[V1, V2, V10, RA]);
    let error = jetbase::baseline(&all, target, version("3")).await.expect_err("unknown");
    let [Problem::UnknownVersion { .. }] = refusal(&error).problems[..] else { panic!("{error}") };
    assert!(error.to_string().contains("name a version of the set"), "{error}");

    jetbase::run(&set(&[V1]), target).await?;
    let before = rows(&ctx.db).await?;
    for wanted in ["2", "1"] {
        let refused = jetbase::baseline(&all, target, version(wanted));
        let error = refused.await.expect_err("the history has a row");
        let [Problem::HasHistory { rows: 1 }] = refusal(&error).problems[..] else {
            panic!("{error}")
        };
    }
    assert_eq!(rows(&ctx.db).await?, before);
    let forced = |wanted| jetbase::baseline(&all, target, version(wanted)).force();
    assert!(forced("1").await?.marked.is_empty());
    assert_eq!(forced("2").dry_run().await?.planned, [V2.0]);
    assert_eq!(forced("2").await?.marked, [V2.0]);
    assert_eq!(rows(&ctx.db).await?[..1], before);
    assert_eq!(applied(&jetbase::run(&all, target).await?), [V10.0, RA.0]);

    // A history that contradicts the files is refused all the same.
    let changed = set(&[("V1__a.sql", "CREATE TABLE a (id BIGINT);\n"), V2, V10, RA]);
    let error = jetbase::baseline(&changed, target, version("10")).force().await;
    let error = error.expect_err("drift");
    assert!(matches!(refusal(&error).problems[..], [Problem::Changed { .. }]), "{error}");
    let late = set(&[V1, V1_1, V2, V10, RA]);
    let error =
        jetbase::baseline(&late, target, version("1.1")).force().await.expect_err("too low");
    assert!(matches!(refusal(&error).problems[..], [Problem::OutOfOrder { .. }]), "{error}");
    Ok(())
}

async fn unfinished(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    let text = alone(ctx.kind, "CREATE TABLE a (id INTEGER);\nDROP TABLE nothing;\n");
    let set = set(&[("V1__a.sql", &text), V2]);
    jetbase::run(&set, target).await.expect_err("the second statement fails");
    for baseline in [
        jetbase::baseline(&set, target, version("1")),
        jetbase::baseline(&set, target, version("1")).force(),
        jetbase::baseline(&set, target, version("1")).dry_run(),
    ] {
        let error = baseline.await.expect_err("V1 is unfinished");
        let ErrorKind::Journal(JournalError::Unfinished(it)) = error.kind() else {
            panic!("{error}")
        };
        assert_eq!(it.file, "V1__a.sql");
    }
    assert!(rows(&ctx.db).await?.is_empty());
    Ok(())
}

async fn races(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    let set = set(&[("V1__slow.sql", &slow(ctx.kind, 2)), V2]);
    let run = jetbase::run_url(&set, &ctx.db.url);
    let (run, started) = notify_at_start(run, "V1__slow.sql");
    let run = tokio::spawn(run.into_future());
    started.await?;
    let held = jetbase::baseline(&set, target, version("2")).wait(Wait::Never).await;
    let error = held.expect_err("the run holds the lock");
    assert!(matches!(error.kind(), ErrorKind::Held { .. }), "{error}");
    // The history was empty at the first look, and has rows under the lock.
    let error = jetbase::baseline(&set, target, version("2")).await.expect_err("applied meanwhile");
    let [Problem::HasHistory { rows: 2 }] = refusal(&error).problems[..] else { panic!("{error}") };
    assert_eq!(run.await??.applied.len(), 2);
    assert_eq!(rows(&ctx.db).await?.len(), 2);
    Ok(())
}

async fn command(ctx: TestContext) -> TestResult {
    let project =
        PythonProject::with(&[V1, ("V2__seed.sql", "INSERT INTO a (id) VALUES (1);\n"), V10])?;
    let url = ctx.db.url.as_str();
    ctx.db.execute("CREATE TABLE a (id INTEGER)").await?;
    let detected = tool(&project, url, &["baseline", "--detect"]).await?;
    assert_eq!(detected.code, Some(0), "{}", detected.stderr);
    for text in ["already there", "nothing shows it", "to apply", "`jetbase baseline 1`"] {
        assert!(detected.stdout.contains(text), "{text}: {}", detected.stdout);
    }
    let json = tool(&project, url, &["baseline", "--detect", "--json"]).await?.json()?;
    assert_eq!(
        (&json["suggested"], &json["detected"][2]["state"]),
        (&"1".into(), &"to_apply".into())
    );
    assert!(rows(&ctx.db).await.is_err(), "nothing is written");

    let preview = tool(&project, url, &["baseline", "2", "--dry-run"]).await?;
    assert_eq!(
        preview.stdout.trim(),
        "Would mark V1__a.sql as applied\nWould mark V2__seed.sql as applied"
    );
    let marked = tool(&project, url, &["baseline", "V2"]).await?;
    assert_eq!(marked.code, Some(0), "{}", marked.stderr);
    assert_eq!(marked.stdout.trim(), "Marked V1__a.sql as applied\nMarked V2__seed.sql as applied");
    let refused = tool(&project, url, &["baseline", "10"]).await?;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("The history has 2 rows already"), "{}", refused.stderr);
    let detected = tool(&project, url, &["baseline", "--detect"]).await?;
    assert!(detected.stdout.contains("There is no version to mark"), "{}", detected.stdout);

    project.write("V10__c.sql", "CREATE TABLE c (id INTEGER);\nCREATE TABLE d (id INTEGER);\n")?;
    ctx.db.execute("CREATE TABLE c (id INTEGER)").await?;
    let conflict = tool(&project, url, &["baseline", "--detect"]).await?;
    assert_eq!(conflict.code, Some(11), "{}", conflict.stdout);
    assert!(conflict.stdout.contains("table or view d is missing"), "{}", conflict.stdout);
    assert!(conflict.stderr.contains("V10__c.sql is there in part"), "{}", conflict.stderr);
    ctx.db.execute("CREATE TABLE d (id INTEGER)").await?;
    let there = tool(&project, url, &["baseline", "--detect"]).await?;
    assert!(there.stdout.contains("`jetbase baseline 10 --force`"), "{}", there.stdout);
    let usage = tool(&project, url, &["baseline"]).await?;
    assert_eq!(usage.code, Some(2), "{}", usage.stderr);
    let usage = tool(&project, url, &["baseline", "2", "--detect"]).await?;
    assert_eq!(usage.code, Some(2), "{}", usage.stderr);
    Ok(())
}
