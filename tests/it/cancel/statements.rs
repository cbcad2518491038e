//! The statements that are hard to cancel.

use jetbase::{DatabaseUrl, ErrorKind, Kept};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};

use super::{effects, file, says_what_is_there, stopped, stopped_by, stopped_file, stopped_while};
use crate::apply::set;
use crate::bad_input::lock_is_free;

pub(super) fn register(suite: &mut Suite) {
    let (postgres, mysql) = (&[DatabaseKind::Postgres], &[DatabaseKind::Mysql]);
    let nothing = Needs::NOTHING;
    suite.each("a_run_cancels_what_its_commit_waits_for", postgres, nothing, commit);
    suite.each("a_run_cancels_an_index_that_is_built_concurrently", postgres, nothing, index);
    suite.each("a_run_cancels_a_statement_that_waits_for_a_lock", postgres, nothing, waits);
    suite.each("a_cancelled_sleep_counts_as_executed", mysql, nothing, sleep);
    suite.each("a_run_cancels_a_ddl_statement_that_waits", mysql, nothing, ddl_waits);
    suite.each("a_run_cancels_a_ddl_statement_that_copies_rows", mysql, nothing, ddl_copies);
}

async fn commit(ctx: TestContext) -> TestResult {
    let (db, target) = (&ctx.db, DatabaseUrl(&ctx.db.url));
    db.execute(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN PERFORM pg_sleep(600); RETURN NULL; END $$;
         CREATE TABLE late (id INTEGER);
         CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION wait()",
    )
    .await?;
    let files = set(&[("V1__e.sql", &file("INSERT INTO late VALUES (1)"))]);
    let run = jetbase::run(&files, target);
    let handle = run.cancel_handle();
    let error = stopped_by(db, run, handle, None).await?.expect_err("it was stopped");
    assert_eq!(
        format!("{error:#}"),
        "V1__e.sql: the run was asked to stop before the file was recorded\n\
         nothing of this file was kept: run again"
    );
    assert_eq!(effects(db).await?, [false; 3]);
    lock_is_free(db).await?;
    db.execute("DROP TRIGGER late ON late").await?;
    jetbase::run(&files, target).await?;
    assert_eq!(effects(db).await?, [true; 3]);
    Ok(())
}

async fn index(ctx: TestContext) -> TestResult {
    let (db, target) = (&ctx.db, DatabaseUrl(&ctx.db.url));
    db.execute("CREATE TABLE old (id INTEGER)").await?;
    let text = file("CREATE INDEX CONCURRENTLY i ON old (id)");
    let files = set(&[("V1__e.sql", &format!("-- jetbase: transaction=off\n{text}"))]);
    // The index waits for this transaction.
    use jetbase::sqlx::{Connection, Executor, PgConnection};
    let mut other = PgConnection::connect(&db.url).await?;
    other.execute("BEGIN; INSERT INTO old VALUES (1)").await?;
    let waits = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
    let result = stopped_while(db, jetbase::run(&files, target), waits).await?;
    let error = result.expect_err("it was stopped");
    let shown = format!("{error:#}");
    let stopped = stopped_file(&error);
    assert_eq!((stopped.kept, stopped.statement), (Kept::Statements(2), Some((3, 4))), "{shown}");
    let end = "the invalid index public.i remains; the next run drops it and builds it again\n\
               its first 2 statements are permanent: run again, and the run goes on at statement 3";
    assert!(shown.ends_with(end), "{shown}");
    assert_eq!(effects(db).await?, [true, true, false]);
    lock_is_free(db).await?;
    other.execute("COMMIT").await?;
    jetbase::run(&files, target).await?;
    assert_eq!(effects(db).await?, [true; 3]);
    let valid = db.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid").await?;
    assert_eq!(valid.as_deref(), Some("0"));
    Ok(())
}

async fn waits(ctx: TestContext) -> TestResult {
    let (db, target) = (&ctx.db, DatabaseUrl(&ctx.db.url));
    db.execute("CREATE TABLE old (id INTEGER)").await?;
    let text =
        format!("-- jetbase: lock_timeout=0\n{}", file("ALTER TABLE old ADD COLUMN a INTEGER"));
    let files = set(&[("V1__e.sql", &text)]);
    use jetbase::sqlx::{Connection, Executor, PgConnection};
    let mut other = PgConnection::connect(&db.url).await?;
    other.execute("BEGIN; INSERT INTO old VALUES (1)").await?;
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'old'::regclass";
    let result = stopped_while(db, jetbase::run(&files, target), waits).await?;
    let error = result.expect_err("it was stopped");
    assert_eq!(stopped_file(&error).kept, Kept::Nothing, "{error:#}");
    assert_eq!(stopped_file(&error).statement, Some((3, 4)), "{error:#}");
    assert_eq!(effects(db).await?, [false; 3]);
    lock_is_free(db).await?;
    other.execute("COMMIT").await?;
    jetbase::run(&files, target).await?;
    assert_eq!(effects(db).await?, [true; 3]);
    Ok(())
}

/// The server ends SLEEP without an error. The run sends nothing after it.
async fn sleep(ctx: TestContext) -> TestResult {
    let (db, target) = (&ctx.db, DatabaseUrl(&ctx.db.url));
    let text = file("DO SLEEP(600)");
    let files = set(&[("V1__e.sql", &text)]);
    let error = stopped(db, jetbase::run(&files, target)).await?.expect_err("it was stopped");
    says_what_is_there(db, &error).await?;
    assert_eq!(
        format!("{error:#}"),
        "V1__e.sql:4:1: the run was asked to stop before statement 4 of 4\n     |\n   \
         4 | INSERT INTO e VALUES (2);\n     | ^^^^^^\n\
         its first statement is permanent: run again, and the run goes on at statement 2"
    );
    let files = set(&[("V1__e.sql", &text.replace("600", "0"))]);
    jetbase::run(&files, target).await?;
    assert_eq!(effects(db).await?, [true; 3]);
    Ok(())
}

async fn ddl_waits(ctx: TestContext) -> TestResult {
    let (db, target) = (&ctx.db, DatabaseUrl(&ctx.db.url));
    db.execute("CREATE TABLE old (id INTEGER)").await?;
    let files = set(&[("V1__e.sql", &file("ALTER TABLE old ADD COLUMN a INTEGER"))]);
    use jetbase::sqlx::{Connection, Executor, MySqlConnection};
    let mut other = MySqlConnection::connect(&db.url).await?;
    other.execute("START TRANSACTION").await?;
    other.execute("INSERT INTO old VALUES (1)").await?;
    let waits = "SELECT COUNT(*) FROM information_schema.processlist
                     WHERE state LIKE 'Waiting for table metadata lock%' AND db = DATABASE()";
    let result = stopped_while(db, jetbase::run(&files, target), waits).await?;
    let error = result.expect_err("it was stopped");
    assert_eq!(stopped_file(&error).kept, Kept::Statements(2), "{error:#}");
    assert_eq!(effects(db).await?, [true, true, false]);
    lock_is_free(db).await?;
    db.rows("SELECT a FROM old").await.expect_err("there is no such column");
    other.execute("COMMIT").await?;
    jetbase::run(&files, target).await?;
    assert_eq!(effects(db).await?, [true; 3]);
    db.rows("SELECT a FROM old").await?;
    Ok(())
}

async fn ddl_copies(ctx: TestContext) -> TestResult {
    let (db, target) = (&ctx.db, DatabaseUrl(&ctx.db.url));
    db.execute("CREATE TABLE old (id INTEGER AUTO_INCREMENT PRIMARY KEY, t CHAR(200))").await?;
    db.execute("INSERT INTO old (t) VALUES ('a'), ('b'), ('c'), ('d')").await?;
    for _ in 0..14 {
        db.execute("INSERT INTO old (t) SELECT t FROM old").await?;
    }
    let text = file("ALTER TABLE old ADD COLUMN a INTEGER, ALGORITHM = COPY");
    let files = set(&[("V1__e.sql", &text)]);
    let copies = "SELECT COUNT(*) FROM information_schema.processlist
                      WHERE state LIKE '%opy to tmp table%' AND db = DATABASE()";
    let result = stopped_while(db, jetbase::run(&files, target), copies).await?;
    let has_column = db.rows("SELECT a FROM old LIMIT 1").await.is_ok();
    match result {
        Ok(_) => assert!(has_column && effects(db).await? == [true; 3]),
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Stopped(_)), "{error:#}");
            let kept = if has_column { 3 } else { 2 };
            assert_eq!(stopped_file(&error).kept, Kept::Statements(kept), "{error:#}");
            assert_eq!(effects(db).await?, [true, true, false]);
        }
    }
    lock_is_free(db).await?;
    jetbase::run(&files, target).await?;
    assert_eq!(effects(db).await?, [true; 3]);
    db.rows("SELECT a FROM old LIMIT 1").await?;
    Ok(())
}
