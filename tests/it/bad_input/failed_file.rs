//! Files that fail or are refused.

use jetbase::{DatabaseUrl, ErrorKind, Kept, Problem, Version};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};

use super::{A, SECOND, is_empty, lock_is_free, refused};
use crate::apply::set;

pub(super) fn register(suite: &mut Suite) {
    let all = DatabaseKind::ALL;
    let nothing = Needs::NOTHING;
    suite.each("a_failed_file_is_not_recorded", all, nothing, fails_in_the_middle);
    suite.each("a_failed_first_file_releases_the_lock", all, nothing, fails_at_once);
    suite.each("a_failed_rollback_keeps_its_version_recorded", all, nothing, fails_to_roll_back);
    suite.each(
        "an_error_names_a_failure_at_the_commit",
        &[DatabaseKind::Postgres],
        nothing,
        fails_at_the_commit,
    );
    suite.each(
        "an_error_points_at_the_word_that_failed",
        &[DatabaseKind::Postgres],
        nothing,
        points_at_the_word,
    );
    suite.each("a_run_refuses_files_that_end_their_transaction", all, nothing, transaction_control);
    suite.each("a_run_refuses_files_that_contradict_the_history", all, nothing, contradictions);
    suite.each("a_run_accepts_unusual_names_and_texts", all, nothing, unusual_texts);
}

const BROKEN: &str = "CREATE TABLE IF NOT EXISTS b (id INTEGER);\nINSERT INTO b (id) VALUES (1);\n\n  INSERT INTO nowhere\n    (id) VALUES (2);\nINSERT INTO b (id) VALUES (3);\n";

async fn fails_in_the_middle(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let last = ("V3__c.sql", "CREATE TABLE c (id INTEGER);\n");
    let error = refused(
        jetbase::run_url(&set(&[A, ("deep/V2__b.sql", BROKEN), last]), &db.url),
        30 * SECOND,
    )
    .await?;
    let text = format!("{error:#}");
    let ErrorKind::Statement(failed) = error.kind() else { return Err(error.into()) };
    assert_eq!(
        (failed.file.as_str(), failed.statement),
        ("deep/V2__b.sql", Some((3, 4))),
        "{text}"
    );
    assert_eq!(failed.position.map(|it| it.line), Some(4), "{text}");
    // Only PostgreSQL gives the position in a statement.
    let column = if ctx.kind == DatabaseKind::Postgres { 15 } else { 3 };
    assert!(
        text.starts_with(&format!("deep/V2__b.sql:4:{column}: statement 3 of 4 failed: ")),
        "{text}"
    );
    let lines: Vec<_> = text.lines().collect();
    let shown = lines
        .iter()
        .position(|line| line.contains("4 |   INSERT INTO nowhere"))
        .ok_or(format!("no snippet: {text}"))?;
    let caret =
        lines.get(shown + 1).and_then(|line| line.find('^')).ok_or(format!("no caret: {text}"))?;
    let failed_word = if ctx.kind == DatabaseKind::Postgres { "nowhere" } else { "INSERT" };
    assert_eq!(lines[shown].find(failed_word), Some(caret), "{text}");
    assert!(text.contains("nowhere") && !text.contains("at line"), "{text}");
    assert!(text.ends_with("done before this error, and kept: V1__a.sql"), "{text}");
    let applied: Vec<_> = error.report().applied.iter().map(|it| it.file.as_str()).collect();
    assert_eq!(applied, ["V1__a.sql"]);
    let kept = if ctx.kind == DatabaseKind::Mysql { Kept::Statements(1) } else { Kept::Nothing };
    assert_eq!(failed.kept, kept, "{text}");

    let recorded = db.rows("SELECT version FROM jetbase_migrations ORDER BY 1").await?;
    assert_eq!(recorded, [[Some("1".to_owned())]]);
    if ctx.kind == DatabaseKind::Mysql {
        // MySQL commits a `CREATE TABLE` implicitly. The inserts are rolled back.
        assert_eq!(db.value("SELECT count(*) FROM b").await?.as_deref(), Some("0"));
    } else {
        assert!(db.rows("SELECT * FROM b").await.is_err(), "a part of the file was committed");
    }
    assert!(db.rows("SELECT * FROM c").await.is_err(), "a later file ran");
    lock_is_free(db).await?;

    let corrected = BROKEN.replace("nowhere", "a");
    let report =
        jetbase::run_url(&set(&[A, ("deep/V2__b.sql", &corrected), last]), &db.url).await?;
    assert_eq!(report.applied.len(), 2);
    assert_eq!(db.value("SELECT count(*) FROM b").await?.as_deref(), Some("2"));
    assert_eq!(db.value("SELECT count(*) FROM a").await?.as_deref(), Some("1"));
    Ok(())
}

async fn fails_at_once(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let broken = set(&[("V1__x.sql", "SELEC 1;\n")]);
    for _ in 0..2 {
        let error = refused(jetbase::run_url(&broken, &db.url), 30 * SECOND).await?;
        assert!(
            format!("{error:#}").starts_with("V1__x.sql:1:1: statement 1 of 1 failed: "),
            "{error:#}"
        );
        assert!(format!("{error:#}").contains("nothing of this file was kept"), "{error:#}");
        assert!(error.report().applied.is_empty());
        lock_is_free(db).await?;
    }
    assert_eq!(db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(), Some("0"));
    Ok(())
}

async fn fails_to_roll_back(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let broken = (
        "V2__b.sql",
        "INSERT INTO a (id) VALUES (1);\n-- rollback\nDELETE FROM a;\nDELETE FROM nowhere;\n",
    );
    let set = set(&[A, broken]);
    jetbase::run_url(&set, &db.url).await?;
    let error = refused(jetbase::rollback(&set, DatabaseUrl(&db.url)).all(), 30 * SECOND).await?;
    let text = format!("{error:#}");
    assert!(text.starts_with("V2__b.sql:4:") && text.contains("statement 2 of 2 failed"), "{text}");
    assert_eq!(db.value("SELECT count(*) FROM a").await?.as_deref(), Some("1"));
    assert_eq!(db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(), Some("2"));
    lock_is_free(db).await
}

async fn fails_at_the_commit(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let text = "CREATE TABLE child (a INTEGER REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO child VALUES (7);\n";
    let error =
        refused(jetbase::run_url(&set(&[A, ("V2__child.sql", text)]), &db.url), 30 * SECOND)
            .await?;
    let shown = format!("{error:#}");
    let ErrorKind::Statement(failed) = error.kind() else { return Err(error.into()) };
    assert_eq!((failed.statement, failed.code.as_str()), (None, "23503"), "{shown}");
    assert!(shown.starts_with("V2__child.sql: the commit failed: "), "{shown}");
    assert!(shown.contains("= detail: Key (a)=(7) is not present in table \"a\"."), "{shown}");
    assert!(shown.contains("nothing of this file was kept"), "{shown}");
    assert!(db.rows("SELECT * FROM child").await.is_err(), "the table was committed");
    assert_eq!(db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(), Some("1"));
    lock_is_free(db).await
}

async fn points_at_the_word(ctx: TestContext) -> TestResult {
    let text = "-- größe: ä\nCREATE TABLE t (body TEXT);\nINSERT INTO t VALUES ('日本', 'x;y');\n";
    let error =
        refused(jetbase::run_url(&set(&[("V1__t.sql", text)]), &ctx.db.url), 30 * SECOND).await?;
    assert!(
        format!("{error:#}").starts_with("V1__t.sql:3:29: statement 2 of 2 failed: "),
        "{error:#}"
    );
    let late = "CREATE TABLE t (n INTEGER);\nINSERT INTO t VALUES (1);\nINSERT INTO t SELECT 1 / (n - 1) FROM t;\n";
    let error =
        refused(jetbase::run_url(&set(&[("V1__t.sql", late)]), &ctx.db.url), 30 * SECOND).await?;
    // A division by zero has no position, so the error has that of the statement.
    assert!(
        format!("{error:#}")
            .starts_with("V1__t.sql:3:1: statement 3 of 3 failed: division by zero (22012)"),
        "{error:#}"
    );
    let raised = "DO $$\nBEGIN\n  RAISE EXCEPTION 'no; thanks' USING HINT = 'ask again', DETAIL = 'really';\nEND $$;\n";
    let error =
        refused(jetbase::run_url(&set(&[("V1__t.sql", raised)]), &ctx.db.url), 30 * SECOND).await?;
    let text = format!("{error:#}");
    assert!(
        text.starts_with("V1__t.sql:1:1: statement 1 of 1 failed: no; thanks (P0001)"),
        "{text}"
    );
    assert!(text.contains("= detail: really") && text.contains("= hint: ask again"), "{text}");
    Ok(())
}

async fn transaction_control(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    for text in ["BEGIN;\nSELECT 1;\nCOMMIT;\n", "SELECT 1;\nROLLBACK;\n"] {
        let error =
            refused(jetbase::run_url(&set(&[A, ("V2__x.sql", text)]), &db.url), 30 * SECOND)
                .await?;
        assert!(matches!(error.kind(), ErrorKind::Findings(_)), "{error:#}");
        assert!(format!("{error:#}").contains("--> V2__x.sql:"), "{error:#}");
        // The finding is reported before the first statement of the first file.
        assert!(error.report().applied.is_empty());
        assert!(is_empty(db).await?, "a table was created");
    }
    Ok(())
}

async fn contradictions(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    let (two, three) = (("V2__b.sql", "SELECT 2;\n"), ("V3__c.sql", "SELECT 3;\n"));
    jetbase::run(&set(&[A, three]), target).await?;
    let before = ctx.db.rows("SELECT * FROM jetbase_migrations").await?;
    let edited = ("V1__a.sql", "CREATE TABLE a (id BIGINT PRIMARY KEY);\n");
    for (files, message) in [
        (vec![edited, three], "V1__a.sql was changed after version 1 had been applied"),
        (vec![three], "version 1 (V1__a.sql) has been applied, but its file is missing"),
        (
            vec![A, two, three],
            "V2__b.sql is new, but its version 2 is below 3, which is applied; rename the file to a version above 3",
        ),
        (
            vec![("V1_0__a.sql", A.1), three],
            "V1_0__a.sql is recorded as version 1, which is another spelling of the same version",
        ),
        (
            vec![("V1__other.sql", "SELECT 1;\n"), three],
            "version 1 was recorded from another set (V1__a.sql, not V1__other.sql)",
        ),
    ] {
        let set = set(&files);
        for error in [
            refused(jetbase::run(&set, target), 30 * SECOND).await?,
            refused(jetbase::run(&set, target).dry_run(), 30 * SECOND).await?,
            jetbase::validate(&set, target).await.expect_err(message),
            jetbase::check(&set, target).await.expect_err(message),
        ] {
            assert!(matches!(error.kind(), ErrorKind::Refused(_)), "{error:#}");
            assert!(format!("{error:#}").starts_with(message), "{error:#}");
        }
        let status = jetbase::status(&set, target).await?;
        assert_eq!(status.problems.len(), 1, "{status}");
        assert!(status.to_string().contains(&format!("problem: {message}")), "{status}");
    }
    let all = set(&[A, three, ("V4__d.sql", "SELECT 4;\n")]);
    let version = |text: &str| Version::parse(text).map_err(|error| format!("{error:?}"));
    let error = refused(jetbase::run(&all, target).to_version(version("5")?), 30 * SECOND).await?;
    assert_eq!(format!("{error:#}"), "no migration has the version 5; name a version of the set");
    let error =
        refused(jetbase::rollback(&all, target).to_version(version("4")?), 30 * SECOND).await?;
    assert!(
        matches!(error.kind(), ErrorKind::Refused(refusal) if matches!(refusal.problems[..], [Problem::NotApplied { .. }])),
        "{error:#}"
    );
    let error = refused(jetbase::rollback(&set(&[A]), target), 30 * SECOND).await?;
    assert!(
        format!("{error:#}")
            .starts_with("version 3 cannot be rolled back: its file V3__c.sql is missing"),
        "{error:#}"
    );
    assert_eq!(ctx.db.rows("SELECT * FROM jetbase_migrations").await?, before);
    lock_is_free(&ctx.db).await
}

async fn unusual_texts(ctx: TestContext) -> TestResult {
    let files = [
        ("V1__it's {a} $1 ? %s :name.sql", "CREATE TABLE t (body VARCHAR(100));\n"),
        (
            "V2__größe 日本 🦀.sql",
            "INSERT INTO t (body) VALUES ('{me} {migrations} $1 ? %s :name 🦀');\n",
        ),
        (
            "V3__long_line.sql",
            &format!("INSERT INTO t (body) VALUES ('x'); -- {}\n", "y".repeat(200_000)),
        ),
    ];
    let set = set(&files);
    assert_eq!(jetbase::run_url(&set, &ctx.db.url).await?.applied.len(), 3);
    assert!(jetbase::run_url(&set, &ctx.db.url).await?.is_up_to_date());
    let names = ctx
        .db
        .rows("SELECT filename, description FROM jetbase_migrations ORDER BY order_executed")
        .await?;
    let row = |file: &str, text: &str| vec![Some(file.to_owned()), Some(text.to_owned())];
    assert_eq!(
        names,
        [
            row("V1__it's {a} $1 ? %s :name.sql", "it's {a} $1 ? %s :name"),
            row("V2__größe 日本 🦀.sql", "größe 日本 🦀"),
            row("V3__long_line.sql", "long line"),
        ]
    );
    let body = ctx.db.value("SELECT body FROM t WHERE body <> 'x'").await?;
    assert_eq!(body.as_deref(), Some("{me} {migrations} $1 ? %s :name 🦀"));
    Ok(())
}
