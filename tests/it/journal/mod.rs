//! Files whose statements commit by themselves, and fail in their middle.

mod commands;
mod concurrently;
mod failing_inputs;
mod failing_statements;
mod joined_messages;

use jetbase::{DatabaseUrl, Error, ErrorKind, JournalError, Kept, Migrations, Report, Resume};
use jetbase_test_harness::{Database, DatabaseKind, Needs, Suite, TestContext, TestResult};

use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let all = DatabaseKind::ALL;
    let nothing = Needs::NOTHING;
    commands::register(suite);
    concurrently::register(suite);
    joined_messages::register(suite);
    failing_inputs::register(suite);
    suite.each("a_run_goes_on_at_the_statement_that_failed", all, nothing, goes_on);
    suite.each("a_run_refuses_a_change_of_permanent_statements", all, nothing, refuses_a_change);
    suite.each("a_rollback_goes_on_at_the_statement_that_failed", all, nothing, rollback_goes_on);
    suite.each("other_commands_refuse_while_a_file_is_unfinished", all, nothing, others_refuse);
    suite.each("a_run_asks_about_a_statement_in_doubt", all, nothing, asks);
    suite.each(
        "a_run_finds_an_interrupted_statement_in_the_catalog",
        DatabaseKind::SERVERS,
        nothing,
        looks,
    );
    suite.each("a_run_sets_the_session_of_an_unfinished_file_again", all, nothing, sets_again);
}

/// A file whose statements commit by themselves.
pub(crate) fn alone(kind: DatabaseKind, text: &str) -> String {
    match kind {
        DatabaseKind::Mysql => text.to_owned(),
        _ => format!("-- jetbase: transaction=off\n{text}"),
    }
}

async fn upgrade(db: &Database, files: &[(&str, &str)]) -> Result<Report, Error> {
    jetbase::run_url(&set(files), &db.url).await
}

fn kept(error: &Error) -> Kept {
    match error.kind() {
        ErrorKind::Statement(failed) => failed.kept,
        other => panic!("{other}"),
    }
}

fn journal_error(error: &Error) -> &JournalError {
    match error.kind() {
        ErrorKind::Journal(error) => error,
        other => panic!("{other}"),
    }
}

async fn journal_rows(db: &Database) -> Result<usize, jetbase_test_harness::TestError> {
    Ok(db.rows("SELECT * FROM jetbase_journal").await?.len())
}

const SHOP: &str = "CREATE TABLE shop (id INTEGER);\nINSERT INTO shop VALUES (1);\n\
                    CREATE TABLE item (id INTEGER);\nINSERT INTO item VALUES (1);\n\
                    CREATE TABLE shop (id INTEGER);\nINSERT INTO item VALUES (2);\n";

async fn goes_on(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let broken = alone(ctx.kind, SHOP);
    for _ in 0..2 {
        let error = upgrade(db, &[("V1__shop.sql", &broken)]).await.expect_err("it exists");
        let text = format!("{error:#}");
        assert!(text.contains("statement 5 of 6 failed"), "{text}");
        assert_eq!(kept(&error), Kept::Statements(4), "{text}");
        assert!(
            text.contains("its first 4 statements are permanent: correct the statements after them and run again, and the run goes on at statement 5"),
            "{text}"
        );
        assert_eq!(journal_rows(db).await?, 4);
        crate::bad_input::lock_is_free(db).await?;
    }
    let corrected = broken.replacen(
        "CREATE TABLE shop (id INTEGER);\nINSERT INTO item",
        "CREATE TABLE last (id INTEGER);\nINSERT INTO item",
        1,
    );
    assert_ne!(broken, corrected);
    let report = upgrade(db, &[("V1__shop.sql", &corrected)]).await?;
    assert_eq!(report.applied.len(), 1);
    for (table, rows) in [("shop", "1"), ("item", "2"), ("last", "0")] {
        let count = db.value(&format!("SELECT count(*) FROM {table}")).await?;
        assert_eq!(count.as_deref(), Some(rows), "{table}");
    }
    assert_eq!(journal_rows(db).await?, 0);
    assert!(upgrade(db, &[("V1__shop.sql", &corrected)]).await?.is_up_to_date());
    Ok(())
}

async fn refuses_a_change(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let broken = alone(ctx.kind, SHOP);
    upgrade(db, &[("V1__shop.sql", &broken)]).await.expect_err("it exists");
    let changed =
        broken.replace("CREATE TABLE item (id INTEGER)", "\nCREATE TABLE item (id BIGINT)");
    let error = upgrade(db, &[("V1__shop.sql", &changed)]).await.expect_err("it was changed");
    let line = if ctx.kind == DatabaseKind::Mysql { 3 } else { 4 };
    let text = format!("{error:#}");
    let start = format!(
        "V1__shop.sql:{}:1: statement 3 was changed after it had been executed (then at {line}:1)",
        line + 1
    );
    assert!(text.starts_with(&start), "{text}");
    let shorter = alone(ctx.kind, "CREATE TABLE shop (id INTEGER);\n");
    let error = upgrade(db, &[("V1__shop.sql", &shorter)]).await.expect_err("it is shorter");
    assert!(
        matches!(journal_error(&error), JournalError::Changed { position: None, .. }),
        "{error:#}"
    );
    // A person can say where it goes on.
    let done =
        alone(ctx.kind, "CREATE TABLE shop (id INTEGER);\nCREATE TABLE more (id INTEGER);\n");
    let run = |at| jetbase::run(&set(&[("V1__shop.sql", &done)]), DatabaseUrl(&db.url)).resume(at);
    let error = run(Resume::At(4)).await.expect_err("there is no such statement");
    assert!(matches!(journal_error(&error), JournalError::NoStatement { .. }), "{error:#}");
    run(Resume::After(1)).await?;
    db.rows("SELECT * FROM more").await?;
    let error = run(Resume::After(1)).await.expect_err("nothing is unfinished");
    assert!(matches!(journal_error(&error), JournalError::NothingToResume), "{error:#}");
    Ok(())
}

async fn rollback_goes_on(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let up = "CREATE TABLE a (id INTEGER);\nCREATE TABLE b (id INTEGER);\n-- rollback\n";
    let with = |down: &str| {
        let text = alone(ctx.kind, &format!("{up}{down}"));
        set(&[("V1__a.sql", &text)])
    };
    let broken = with("DROP TABLE a;\nDROP TABLE nowhere;\nDROP TABLE b;\n");
    jetbase::run_url(&broken, &db.url).await?;
    let error = jetbase::rollback(&broken, DatabaseUrl(&db.url)).await.expect_err("no table");
    assert_eq!(kept(&error), Kept::Statements(1), "{error:#}");
    let error = jetbase::run_url(&broken, &db.url).await.expect_err("the rollback is unfinished");
    assert_eq!(
        format!("{error:#}"),
        "the rollback of V1__a.sql is unfinished: its first statement is permanent; run `jetbase rollback` to \
         finish it first, or undo its statements by hand and run `jetbase journal clear V1__a.sql`"
    );
    jetbase::rollback(&with("DROP TABLE a;\nDROP TABLE b;\n"), DatabaseUrl(&db.url)).await?;
    db.rows("SELECT * FROM b").await.expect_err("it is dropped");
    assert_eq!(journal_rows(db).await?, 0);
    assert_eq!(db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(), Some("0"));
    Ok(())
}

async fn others_refuse(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let first = ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n-- rollback\nDROP TABLE a;\n");
    let broken = alone(ctx.kind, SHOP);
    let files = [first, ("V2__shop.sql", broken.as_str())];
    upgrade(db, &files).await.expect_err("it exists");
    let (all, url) = (set(&files), || DatabaseUrl(&db.url));
    let error = jetbase::rollback(&all, url()).await.expect_err("V2 is unfinished");
    assert!(matches!(journal_error(&error), JournalError::Unfinished(_)), "{error:#}");
    let error = jetbase::repair(&all, url()).await.expect_err("V2 is unfinished");
    assert!(matches!(journal_error(&error), JournalError::Unfinished(_)), "{error:#}");
    // The file was renamed.
    let renamed = set(&[first, ("V2__store.sql", &broken)]);
    let error = jetbase::run_url(&renamed, &db.url).await.expect_err("the file is gone");
    assert!(matches!(journal_error(&error), JournalError::FileGone(_)), "{error:#}");
    // A newer program has begun it: an older one starts.
    let report = jetbase::run_url(&set(&[first]), &db.url).await?;
    assert!(report.is_up_to_date() && report.warnings.len() == 1, "{report:?}");
    Ok(())
}

/// Lets a file fail at its second statement, and then changes its row to an intent, as if the run had
/// been interrupted in the statement.
async fn interrupt(db: &Database, files: &Migrations, digest_of: &str) -> TestResult {
    jetbase::run_url(files, &db.url).await.expect_err("the second statement fails");
    let digest = jetbase::Checksum::of_text(digest_of);
    db.execute(&format!(
        "INSERT INTO jetbase_journal SELECT filename, direction, 2, '{digest}', 'intent', '2:1', 0, NULL, NULL, \
         applied_at, recorded_at, process_id FROM jetbase_journal"
    ))
    .await
}

async fn asks(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    // The database does not show whether this statement has taken effect.
    let statement = match ctx.kind {
        DatabaseKind::Mysql => "ALTER TABLE a ADD CHECK (missing > 0)",
        DatabaseKind::Postgres => "CALL missing()",
        _ => "UPDATE missing SET id = 1",
    };
    let text = format!("CREATE TABLE a (id INTEGER);\n{statement};\nINSERT INTO a VALUES (1);\n");
    let files = set(&[("V1__a.sql", &alone(ctx.kind, &text))]);
    interrupt(db, &files, statement).await?;
    let error = jetbase::run_url(&files, &db.url).await.expect_err("it is in doubt");
    let doubt = journal_error(&error);
    assert!(matches!(doubt, JournalError::InDoubt { statement: 2, .. }), "{error:#}");
    assert!(format!("{error:#}").contains("--resume-after 2"), "{error:#}");
    let after = jetbase::run(&files, DatabaseUrl(&db.url)).resume(Resume::After(2));
    assert_eq!(after.await?.applied.len(), 1);
    assert_eq!(db.value("SELECT count(*) FROM a").await?.as_deref(), Some("1"));
    assert_eq!(journal_rows(db).await?, 0);
    Ok(())
}

async fn looks(ctx: TestContext) -> TestResult {
    let (statement, effect) = match ctx.kind {
        DatabaseKind::Mysql => {
            ("ALTER TABLE a ADD COLUMN n INTEGER", "ALTER TABLE a ADD COLUMN n INTEGER")
        }
        _ => ("CREATE INDEX CONCURRENTLY i ON a (id)", "CREATE INDEX i ON a (id)"),
    };
    let with = |second: &str| {
        let text =
            format!("CREATE TABLE a (id INTEGER);\n{second};\nINSERT INTO a (id) VALUES (1);\n");
        set(&[("V1__a.sql", &alone(ctx.kind, &text))])
    };
    for has_happened in [true, false] {
        let db = &ctx.another().await?;
        interrupt(db, &with("DROP TABLE missing"), statement).await?;
        if has_happened {
            db.execute(effect).await?;
        }
        jetbase::run_url(&with(statement), &db.url).await?;
        db.execute(effect).await.expect_err("the effect is there");
        assert_eq!(db.value("SELECT count(*) FROM a").await?.as_deref(), Some("1"));
        assert_eq!(journal_rows(db).await?, 0);
    }
    Ok(())
}

async fn sets_again(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let (setting, use_of_it) = match ctx.kind {
        DatabaseKind::Mysql => ("SET SESSION sql_mode = ''", "INSERT INTO a VALUES ('')"),
        DatabaseKind::Postgres => (
            "SET search_path = pg_catalog",
            "INSERT INTO public.a VALUES (length(current_setting('search_path')))",
        ),
        _ => ("PRAGMA ignore_check_constraints = ON", "INSERT INTO a VALUES (-1)"),
    };
    let check = if ctx.kind == DatabaseKind::Sqlite { " CHECK (id > 0)" } else { "" };
    let text = |failing: &str| {
        let text = format!(
            "CREATE TABLE a (id INTEGER{check});\n{setting};\nCREATE TABLE public_b (id INTEGER);\n{failing};\n{use_of_it};\n"
        );
        let text = if ctx.kind == DatabaseKind::Postgres {
            text.replace("public_b", "public.b")
        } else {
            text
        };
        set(&[("V1__a.sql", &alone(ctx.kind, &text))])
    };
    let error = jetbase::run_url(&text("DROP TABLE missing"), &db.url).await.expect_err("no table");
    assert_eq!(kept(&error), Kept::Statements(3), "{error:#}");
    jetbase::run_url(&text("SELECT 1"), &db.url).await?;
    let expected = match ctx.kind {
        DatabaseKind::Mysql => "0",
        DatabaseKind::Postgres => "10",
        _ => "-1",
    };
    assert_eq!(db.value("SELECT id FROM a").await?.as_deref(), Some(expected));
    Ok(())
}
