//! A run that is asked to stop at once: it cancels its statement, says what is there, and releases the
//! lock.

mod moments;
#[cfg(unix)]
mod signals;
mod statements;

use std::time::Duration;

use jetbase::{
    AnyTarget, CancelHandle, DatabaseUrl, Error, ErrorKind, Event, Kept, Report, Run,
    StatementError,
};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};
use tokio::sync::oneshot;

use crate::apply::set;
use crate::journal::alone;

pub(crate) fn register(suite: &mut Suite) {
    let (all, nothing) = (DatabaseKind::ALL, Needs::NOTHING);
    suite.each("a_run_cancels_the_statement_of_a_file", all, nothing, in_a_transaction);
    suite.each("a_run_cancels_a_statement_outside_a_transaction", all, nothing, by_itself);
    suite.each("a_rollback_cancels_its_statement", all, nothing, rollback);
    suite.each("a_redo_cancels_its_statement", all, nothing, redo);
    suite.each("a_run_on_a_pool_cancels_its_statement", all, nothing, on_a_pool);
    suite.each("a_run_on_a_lent_connection_stops_at_once", all, nothing, on_a_lent_connection);
    statements::register(suite);
    moments::register(suite);
    #[cfg(unix)]
    signals::register(suite);
}

/// A statement that does not end by itself during a test.
pub(crate) const fn endless(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::Postgres => "SELECT pg_sleep(600)",
        // After SLEEP, the second row notices that the statement was cancelled.
        DatabaseKind::Mysql => {
            "SELECT SLEEP(600) FROM (SELECT 1 AS i UNION ALL SELECT 2) AS two_rows"
        }
        DatabaseKind::Sqlite => {
            "CREATE TABLE slow AS WITH RECURSIVE n(i) AS \
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) SELECT max(i) AS i FROM n"
        }
    }
}

/// A file whose third statement is this one.
fn file(third: &str) -> String {
    format!(
        "CREATE TABLE e (id INTEGER);\nINSERT INTO e VALUES (1);\n{third};\nINSERT INTO e VALUES (2);\n"
    )
}

/// Waits until the database sleeps in a statement, or until SQLite is said to execute one.
async fn until_it_sleeps(db: &Database, started: Option<oneshot::Receiver<()>>) -> TestResult {
    let sleeping = match db.kind {
        DatabaseKind::Postgres => {
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        }
        DatabaseKind::Mysql => {
            "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep' AND db = DATABASE()"
        }
        DatabaseKind::Sqlite => {
            started.ok_or("no message")?.await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
            return Ok(());
        }
    };
    until(db, sleeping, "1").await
}

/// Waits until a query returns this value.
async fn until(db: &Database, query: &str, value: &str) -> TestResult {
    for _ in 0..1200 {
        if db.value(query).await?.as_deref() == Some(value) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(format!("`{query}` has not returned {value} within a minute").into())
}

/// Adds a listener that sends a message when the run executes the third statement.
fn notify_at_third(run: Run<'_>) -> (Run<'_>, oneshot::Receiver<()>) {
    let (sender, receiver) = oneshot::channel();
    let mut sender = Some(sender);
    let run = run.on_event(move |event| {
        if matches!(event, Event::Executing { statement: 3, .. }) {
            sender.take().map(|sender| sender.send(()));
        }
    });
    (run, receiver)
}

/// Awaits a run, and asks it to stop at once while the third statement is executed.
async fn stopped(db: &Database, run: Run<'_>) -> Result<Result<Report, Error>, TestError> {
    let (run, started) = notify_at_third(run);
    let handle = run.cancel_handle();
    stopped_by(db, run, handle, Some(started)).await
}

async fn stopped_by(
    db: &Database,
    run: impl IntoFuture<Output = Result<Report, Error>>,
    handle: CancelHandle,
    started: Option<oneshot::Receiver<()>>,
) -> Result<Result<Report, Error>, TestError> {
    let stop = async {
        let sleeps = until_it_sleeps(db, started).await;
        handle.cancel_now();
        sleeps
    };
    let (result, sleeps) = tokio::join!(run.into_future(), stop);
    sleeps?;
    Ok(result)
}

/// Awaits a run, and asks it to stop at once when the query returns 1.
async fn stopped_while(
    db: &Database,
    run: Run<'_>,
    query: &str,
) -> Result<Result<Report, Error>, TestError> {
    let handle = run.cancel_handle();
    let stop = async {
        let found = until(db, query, "1").await;
        handle.cancel_now();
        found
    };
    let (result, found) = tokio::join!(run.into_future(), stop);
    found?;
    Ok(result)
}

/// Whether the table and the rows of a file are there, each once.
async fn effects(db: &Database) -> Result<[bool; 3], TestError> {
    let has_table = db.rows("SELECT * FROM e").await.is_ok();
    let mut found = [has_table, false, false];
    for id in [1, 2].into_iter().filter(|_| has_table) {
        let count = db.value(&format!("SELECT count(*) FROM e WHERE id = {id}")).await?;
        found[id] = count.as_deref() == Some("1");
        assert!(matches!(count.as_deref(), Some("0" | "1")), "{count:?} rows with {id}");
    }
    Ok(found)
}

fn stopped_file(error: &Error) -> &StatementError {
    match error.kind() {
        ErrorKind::Stopped(stopped) => stopped,
        other => panic!("{other}"),
    }
}

/// Compares the error with the database, which must be free for the next run.
async fn says_what_is_there(db: &Database, error: &Error) -> TestResult {
    let text = format!("{error:#}");
    let claimed = match stopped_file(error).kept {
        Kept::Nothing => {
            assert!(text.contains("\nnothing of this file was kept: run again"), "{text}");
            0
        }
        Kept::Statements(done) => {
            let end =
                format!("permanent: run again, and the run goes on at statement {}", done + 1);
            assert!(text.contains(&end), "{text}");
            done
        }
        kept => panic!("{kept:?}: {text}"),
    };
    assert_eq!(effects(db).await?, [claimed > 0, claimed > 1, claimed > 3], "{text}");
    crate::bad_input::lock_is_free(db).await
}

/// Stops a run of the file, and finishes it with a statement that ends.
async fn stops_and_goes_on(db: &Database, text: &str, target: AnyTarget<'_>) -> TestResult {
    let files = set(&[("V1__e.sql", text)]);
    let error = stopped(db, jetbase::run(&files, target)).await?.expect_err("it was stopped");
    says_what_is_there(db, &error).await?;
    assert_eq!(stopped_file(&error).statement, Some((3, 4)), "{error:#}");
    let shown = format!("{error:#}");
    let position = if text.starts_with("--") { "4:1" } else { "3:1" };
    let start = format!(
        "V1__e.sql:{position}: statement 3 of 4 was cancelled, because the run was asked to stop\n"
    );
    assert!(shown.starts_with(&start), "{shown}");
    let text = text.replace(endless(db.kind), "SELECT 1");
    let report = jetbase::run_url(&set(&[("V1__e.sql", &text)]), &db.url).await?;
    assert_eq!(report.applied.len(), 1);
    assert_eq!(effects(db).await?, [true; 3]);
    Ok(())
}

async fn in_a_transaction(ctx: TestContext) -> TestResult {
    let text = file(endless(ctx.kind));
    stops_and_goes_on(&ctx.db, &text, AnyTarget::new(DatabaseUrl(&ctx.db.url))).await
}

async fn by_itself(ctx: TestContext) -> TestResult {
    let text = format!("-- jetbase: transaction=off\n{}", file(endless(ctx.kind)));
    stops_and_goes_on(&ctx.db, &text, AnyTarget::new(DatabaseUrl(&ctx.db.url))).await
}

async fn on_a_pool(ctx: TestContext) -> TestResult {
    let (db, text) = (&ctx.db, alone(ctx.kind, &file(endless(ctx.kind))));
    match ctx.kind {
        DatabaseKind::Postgres => {
            let pool = jetbase::sqlx::PgPool::connect(&db.url).await?;
            stops_and_goes_on(db, &text, AnyTarget::new(&pool)).await
        }
        DatabaseKind::Mysql => {
            let pool = jetbase::sqlx::MySqlPool::connect(&db.url).await?;
            stops_and_goes_on(db, &text, AnyTarget::new(&pool)).await
        }
        DatabaseKind::Sqlite => {
            let pool = jetbase::sqlx::SqlitePool::connect(&db.url).await?;
            stops_and_goes_on(db, &text, AnyTarget::new(&pool)).await?;
            // Nothing interrupts what the pool executes afterwards.
            jetbase::sqlx::query("CREATE TABLE later (id INTEGER)").execute(&pool).await?;
            Ok(())
        }
    }
}

/// On a server, what runs on a lent connection cannot be cancelled. Nothing follows it.
async fn on_a_lent_connection(ctx: TestContext) -> TestResult {
    use jetbase::sqlx::{Connection, MySqlConnection, PgConnection, SqliteConnection};

    let db = &ctx.db;
    let lent = async |text: &str, target: AnyTarget<'_>| -> TestResult {
        let text = format!("-- jetbase: transaction=off\n{text}");
        let files = set(&[("V1__e.sql", &text)]);
        let error = stopped(db, jetbase::run(&files, target)).await?.expect_err("it was stopped");
        says_what_is_there(db, &error).await?;
        let shown = format!("{error:#}");
        assert_eq!(stopped_file(&error).kept, Kept::Statements(3), "{shown}");
        let start = "V1__e.sql:5:1: the run was asked to stop before statement 4 of 4\n";
        assert!(shown.starts_with(start), "{shown}");
        jetbase::run_url(&files, &db.url).await?;
        assert_eq!(effects(db).await?, [true; 3]);
        Ok(())
    };
    match ctx.kind {
        DatabaseKind::Postgres => {
            let mut connection = PgConnection::connect(&db.url).await?;
            lent(&file("SELECT pg_sleep(2)"), AnyTarget::new(&mut connection)).await?;
            connection.ping().await?;
        }
        DatabaseKind::Mysql => {
            let mut connection = MySqlConnection::connect(&db.url).await?;
            lent(&file("SELECT SLEEP(2)"), AnyTarget::new(&mut connection)).await?;
            connection.ping().await?;
        }
        DatabaseKind::Sqlite => {
            let mut connection = SqliteConnection::connect(&db.url).await?;
            let text = file(endless(ctx.kind));
            stops_and_goes_on(db, &text, AnyTarget::new(&mut connection)).await?;
            let rows = jetbase::sqlx::query("SELECT * FROM e").fetch_all(&mut connection).await?;
            assert_eq!(rows.len(), 2);
        }
    }
    Ok(())
}

async fn rollback(ctx: TestContext) -> TestResult {
    let (db, target) = (&ctx.db, DatabaseUrl(&ctx.db.url));
    let down = format!("SELECT 1;\n-- rollback\n{}", file(endless(ctx.kind)));
    let text = format!("-- jetbase: transaction=off\n{down}");
    let files = set(&[("V1__e.sql", &text)]);
    jetbase::run(&files, target).await?;
    let (sender, started) = oneshot::channel();
    let mut sender = Some(sender);
    let rollback = jetbase::rollback(&files, target).on_event(move |event| {
        if matches!(event, Event::Executing { statement: 3, .. }) {
            sender.take().map(|sender| sender.send(()));
        }
    });
    let handle = rollback.cancel_handle();
    let error = stopped_by(db, rollback, handle, Some(started)).await?.expect_err("stopped");
    says_what_is_there(db, &error).await?;
    assert_eq!(stopped_file(&error).kept, Kept::Statements(2), "{error:#}");
    let text = text.replace(endless(ctx.kind), "SELECT 1");
    jetbase::rollback(&set(&[("V1__e.sql", &text)]), target).await?;
    assert_eq!(effects(db).await?, [true; 3]);
    Ok(())
}

async fn redo(ctx: TestContext) -> TestResult {
    let (db, target) = (&ctx.db, DatabaseUrl(&ctx.db.url));
    let first = set(&[("V1__e.sql", "SELECT 1;\n-- rollback\nSELECT 1;\n")]);
    jetbase::run(&first, target).await?;
    let text = format!("{}-- rollback\nSELECT 1;\n", file(endless(ctx.kind)));
    let changed = set(&[("V1__e.sql", &text)]);
    let (sender, started) = oneshot::channel();
    let mut sender = Some(sender);
    let redo = jetbase::redo(&changed, target).on_event(move |event| {
        if matches!(event, Event::Executing { statement: 3, .. }) {
            sender.take().map(|sender| sender.send(()));
        }
    });
    let handle = redo.cancel_handle();
    let error = stopped_by(db, redo, handle, Some(started)).await?.expect_err("stopped");
    says_what_is_there(db, &error).await?;
    assert_eq!(error.report().applied.len(), 1, "V1 was rolled back");
    Ok(())
}
