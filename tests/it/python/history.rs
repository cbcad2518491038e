//! Each tool reads the history that the other one wrote.

use std::collections::BTreeMap;

use jetbase::{Action, DatabaseUrl, Readiness, Repeat};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
};

use super::{V1, V1_1, V2, V3, count, files, history, ours, set_of, texts, theirs};

pub(super) fn register(suite: &mut Suite) {
    let all = DatabaseKind::ALL;
    let python = Needs::PYTHON;
    suite.each(
        "the_python_tool_finds_our_history_up_to_date",
        all,
        python,
        python_has_nothing_to_do,
    );
    suite.each("the_python_tool_reads_our_history", all, python, python_answers);
    suite.each(
        "a_run_finds_the_history_of_the_python_tool_up_to_date",
        all,
        python,
        we_have_nothing_to_do,
    );
    suite.each("the_python_tool_rolls_back_our_files", all, python, python_rolls_back);
    suite.each("a_rollback_undoes_files_of_the_python_tool", all, python, we_roll_back);
    suite.each("both_tools_share_repeatables", all, python, repeatables);
    suite.each("both_tools_refuse_a_changed_file", all, python, drift);
    suite.each("a_near_miss_that_the_python_tool_has_run_stops_no_run", all, python, near_miss);
}

async fn python_has_nothing_to_do(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1, V1_1, V2])?;
    let report = ours(&project, &ctx.db).await?;
    assert_eq!(files(&report), ["V1__make_a.sql", "V1_1__fill_a.sql", "V2__make_b.sql"]);
    let before = history(&ctx.db).await?;
    assert_eq!(theirs(&project, &ctx.db).await?, Vec::<String>::new());
    assert_eq!(history(&ctx.db).await?, before);
    assert_eq!(count(&ctx.db, "a").await?, "2");
    // The Python tool applies only the new file.
    project.write(V3.0, V3.1)?;
    assert_eq!(theirs(&project, &ctx.db).await?, ["V3__make_c.sql"]);
    assert!(ours(&project, &ctx.db).await?.is_up_to_date());
    Ok(())
}

async fn python_answers(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1, V1_1, V2, ("ROC__none.sql", "SELECT 1;\n")])?;
    ours(&project, &ctx.db).await?;
    for (arguments, line) in [
        (
            &["validate-checksums"][..],
            "All migration checksums are valid - no altered upgrade statements detected.",
        ),
        (&["validate-files"], "All migrations have corresponding files."),
        (&["current"], "Latest migration version: 2"),
        (&["lock-status"], "Status: UNLOCKED"),
        (&["fix"], "Fix completed successfully."),
    ] {
        let output = project.python(&ctx.db, arguments).await?.succeeded()?;
        assert!(output.lines().contains(&line), "{arguments:?}: {output:?}");
    }
    let listed = project.python(&ctx.db, &["history"]).await?.succeeded()?;
    let at =
        |text: &str| listed.stdout.find(text).ok_or(format!("no `{text}` in {}", listed.stdout));
    assert!(
        at(" make a ")? < at(" fill a ")? && at(" fill a ")? < at(" make b ")?,
        "{}",
        listed.stdout
    );
    project.write(V3.0, V3.1)?;
    let status = project.python(&ctx.db, &["status"]).await?.succeeded()?.stdout;
    let (applied, pending) =
        status.split_once("Migrations Pending").ok_or("no table of pending files")?;
    for text in ["make a", "fill a", "make b"] {
        assert!(applied.contains(text) && !pending.contains(text), "{text}: {status}");
    }
    assert!(!applied.contains("make c") && pending.contains("make c"), "{status}");
    assert!(!pending.contains("none"), "{status}");
    Ok(())
}

async fn we_have_nothing_to_do(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1, V1_1, V2])?;
    assert_eq!(theirs(&project, &ctx.db).await?.len(), 3);
    let before = history(&ctx.db).await?;
    let set = set_of(&project)?;
    let target = DatabaseUrl(&ctx.db.url);
    assert!(jetbase::run(&set, target).await?.is_up_to_date());
    assert_eq!(history(&ctx.db).await?, before);
    assert_eq!(count(&ctx.db, "a").await?, "2");
    assert_eq!(jetbase::check(&set, target).await?, Readiness::Ready);
    assert_eq!(jetbase::validate(&set, target).await?.records, 3);
    assert_eq!(
        jetbase::current(&set, target).await?.map(|it| it.to_string()).as_deref(),
        Some("2")
    );
    let status = jetbase::status(&set, target).await?;
    assert_eq!(
        (status.applied.len(), status.pending.len(), status.problems.len()),
        (3, 0, 0),
        "{status}"
    );
    let records = jetbase::history(&set, target).await?.records;
    let versions: Vec<_> =
        records.iter().map(|it| it.version.as_ref().map_or("", jetbase::Version::as_str)).collect();
    assert_eq!(versions, ["1", "1.1", "2"]);
    assert_eq!(jetbase::lock_status(&set, target).await?.to_string(), "Status: UNLOCKED");
    project.write(V3.0, V3.1)?;
    assert_eq!(files(&ours(&project, &ctx.db).await?), ["V3__make_c.sql"]);
    assert!(theirs(&project, &ctx.db).await?.is_empty());
    Ok(())
}

async fn python_rolls_back(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1, V1_1, V2])?;
    ours(&project, &ctx.db).await?;
    let output = project.python(&ctx.db, &["rollback", "-c", "2"]).await?.succeeded()?;
    for file in ["V2__make_b.sql", "V1_1__fill_a.sql"] {
        assert!(output.contains(&format!("Rollback applied successfully: {file}")), "{output:?}");
    }
    assert_eq!(count(&ctx.db, "a").await?, "0");
    assert!(ctx.db.rows("SELECT * FROM b").await.is_err(), "b is still there");
    assert_eq!(files(&ours(&project, &ctx.db).await?), ["V1_1__fill_a.sql", "V2__make_b.sql"]);
    assert!(theirs(&project, &ctx.db).await?.is_empty());
    let numbers =
        ctx.db.rows("SELECT version, order_executed FROM jetbase_migrations ORDER BY 2").await?;
    assert_eq!(texts(&numbers), [["1", "1"], ["1.1", "4"], ["2", "5"]]);
    Ok(())
}

async fn we_roll_back(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1, V1_1, V2])?;
    theirs(&project, &ctx.db).await?;
    let set = set_of(&project)?;
    let report = jetbase::rollback(&set, DatabaseUrl(&ctx.db.url)).count(2).await?;
    assert_eq!(files(&report), ["V2__make_b.sql", "V1_1__fill_a.sql"]);
    assert!(report.applied.iter().all(|it| it.action == Action::RollBack));
    assert_eq!(count(&ctx.db, "a").await?, "0");
    assert!(ctx.db.rows("SELECT * FROM b").await.is_err(), "b is still there");
    let current = project.python(&ctx.db, &["current"]).await?.succeeded()?;
    assert!(current.contains("Latest migration version: 1\n"), "{current:?}");
    assert_eq!(theirs(&project, &ctx.db).await?, ["V1_1__fill_a.sql", "V2__make_b.sql"]);
    assert!(ours(&project, &ctx.db).await?.is_up_to_date());
    jetbase::rollback(&set, DatabaseUrl(&ctx.db.url)).all().await?;
    let current = project.python(&ctx.db, &["current"]).await?.succeeded()?;
    assert!(current.contains("No migrations have been applied yet."), "{current:?}");
    Ok(())
}

/// Returns how often each repeatable ran.
async fn run_counts(db: &Database) -> Result<BTreeMap<String, String>, TestError> {
    let rows = db.rows("SELECT what, count(*) FROM log GROUP BY what").await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((row.first()?.clone()?, row.get(1)?.clone()?)))
        .collect())
}

fn expected(counts: &[(&str, &str)]) -> BTreeMap<String, String> {
    counts.iter().map(|(what, times)| ((*what).to_owned(), (*times).to_owned())).collect()
}

async fn repeatables(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let project = PythonProject::with(&[
        ("V1__log.sql", "CREATE TABLE log (what VARCHAR(20) NOT NULL);\n"),
        ("views/RA__always.sql", "INSERT INTO log (what) VALUES ('ra');\n"),
        ("ROC__change.sql", "INSERT INTO log (what) VALUES ('one');\n"),
    ])?;
    let (always, change) = ("RA__always.sql", "ROC__change.sql");
    assert_eq!(files(&ours(&project, db).await?), ["V1__log.sql", always, change]);
    assert_eq!(run_counts(db).await?, expected(&[("ra", "1"), ("one", "1")]));

    // The Python tool runs RA again. It does not run an unchanged ROC.
    assert_eq!(theirs(&project, db).await?, [always]);
    assert_eq!(run_counts(db).await?, expected(&[("ra", "2"), ("one", "1")]));
    assert!(ours(&project, db).await?.is_up_to_date());
    let again =
        jetbase::run(&set_of(&project)?, DatabaseUrl(&db.url)).repeat(Repeat::Always).await?;
    assert_eq!(files(&again), [always]);
    assert_eq!(run_counts(db).await?, expected(&[("ra", "3"), ("one", "1")]));

    let rows = "SELECT order_executed, filename, checksum FROM jetbase_migrations ORDER BY 1";
    let before = db.rows(rows).await?;
    project.write(change, "INSERT INTO log (what) VALUES ('two');\n")?;
    assert_eq!(files(&ours(&project, db).await?), [always, change]);
    let after = db.rows(rows).await?;
    let (before, after) = (texts(&before), texts(&after));
    assert_eq!(after[..2], before[..2], "V1 and RA keep number and checksum");
    assert_eq!(after[2][..2], before[2][..2], "ROC keeps its row");
    assert_ne!(after[2][2], before[2][2], "ROC has a new checksum");
    let last = db.value("SELECT filename FROM jetbase_migrations ORDER BY applied_at DESC").await?;
    assert_eq!(last.as_deref(), Some(change));
    assert_eq!(theirs(&project, db).await?, [always]);
    assert_eq!(run_counts(db).await?, expected(&[("ra", "5"), ("one", "1"), ("two", "1")]));

    project.write(change, "INSERT INTO log (what) VALUES ('three');\n")?;
    assert_eq!(theirs(&project, db).await?, [always, change]);
    assert!(ours(&project, db).await?.is_up_to_date());
    assert_eq!(
        run_counts(db).await?,
        expected(&[("ra", "6"), ("one", "1"), ("two", "1"), ("three", "1")])
    );
    assert_eq!(count(db, "jetbase_migrations").await?, "3");
    Ok(())
}

async fn near_miss(ctx: TestContext) -> TestResult {
    let near = ("V1__make_a.sql", "CREATE TABLE a (id INTEGER);\n-- rollback:\nDROP TABLE a;\n");
    let project = PythonProject::with(&[near])?;
    let error = ours(&project, &ctx.db).await.expect_err("the undo part would run");
    assert!(error.to_string().starts_with("`-- rollback:` is not the rollback marker"), "{error}");
    // The Python tool creates the table, drops it, and records the file.
    assert_eq!(theirs(&project, &ctx.db).await?, [near.0]);
    count(&ctx.db, "a").await.expect_err("the table is gone");
    project.write(V2.0, V2.1)?;
    let report = ours(&project, &ctx.db).await?;
    assert_eq!(files(&report), [V2.0]);
    assert_eq!(report.warnings.len(), 1, "{report}");
    assert!(report.warnings[0].starts_with("V1__make_a.sql:2:1: "), "{report}");
    Ok(())
}

async fn drift(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1, V2])?;
    ours(&project, &ctx.db).await?;
    project.write(V1.0, "CREATE TABLE a (id BIGINT NOT NULL);\n")?;
    let error = ours(&project, &ctx.db).await.expect_err("V1 was edited");
    let error = format!("{error:#}");
    assert!(
        error.starts_with("V1__make_a.sql was changed after version 1 had been applied"),
        "{error:#}"
    );
    let output = project.python(&ctx.db, &["upgrade"]).await?.failed()?;
    assert!(output.contains("Checksum mismatch for versions: 1."), "{output:?}");
    // Jetbase accepts the repair of the Python tool.
    project.python(&ctx.db, &["fix-checksums"]).await?.succeeded()?;
    assert!(ours(&project, &ctx.db).await?.is_up_to_date());
    // Changes of the rollback section, comments and line ends do not change the checksum.
    project.write(
        V1.0,
        "-- a\r\n  CREATE TABLE a (id BIGINT NOT NULL);\r\n-- rollback\r\nDROP TABLE a;\r\n",
    )?;
    assert!(ours(&project, &ctx.db).await?.is_up_to_date());
    assert!(theirs(&project, &ctx.db).await?.is_empty());
    Ok(())
}
