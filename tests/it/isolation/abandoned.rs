use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Duration;

use jetbase::{Event, Migrations, Wait};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};
use sqlx::Connection;
use sqlx::mysql::{MySqlConnection, MySqlPoolOptions};
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::sqlite::{SqliteConnection, SqlitePoolOptions};

use super::{column, is_recorded_and_unlocked, result_of, same_lines};
use crate::apply::set;
use crate::run_in_progress::query_in_listener;

pub(crate) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    suite.each(
        "a_panic_of_a_listener_does_not_change_a_pool",
        DatabaseKind::ALL,
        nothing,
        panics_with_pool,
    );
    suite.each(
        "a_panic_of_a_listener_does_not_change_the_callers_connection",
        DatabaseKind::ALL,
        nothing,
        panics_with_caller,
    );
}

pub(super) const SOON: Wait = Wait::UpTo(Duration::from_secs(20));
const NAMES: [&str; 3] = ["V1__a.sql", "V2__b.sql", "V3__c.sql"];

/// On MySQL, the table is kept if the file cannot be recorded.
fn first(kind: DatabaseKind) -> (&'static str, &'static str) {
    match kind {
        DatabaseKind::Mysql => ("V1__a.sql", "CREATE TABLE IF NOT EXISTS a (id INTEGER);\n"),
        _ => ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n"),
    }
}

pub(super) fn files(kind: DatabaseKind) -> Migrations {
    set(&[
        first(kind),
        ("V2__b.sql", "INSERT INTO a (id) VALUES (1);\n"),
        ("V3__c.sql", "INSERT INTO a (id) VALUES (2);\n"),
    ])
}

/// The kinds of events at which the listener panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PanicAt {
    Waiting,
    Recovered,
    Acquired,
    Started,
    Finished,
    LockLost,
    Released,
}

const EVENTS: [PanicAt; 7] = [
    PanicAt::Waiting,
    PanicAt::Recovered,
    PanicAt::Acquired,
    PanicAt::Started,
    PanicAt::Finished,
    PanicAt::LockLost,
    PanicAt::Released,
];

impl PanicAt {
    fn is(self, event: &Event) -> bool {
        match event {
            Event::Waiting { .. } => self == PanicAt::Waiting,
            Event::Recovered { .. } => self == PanicAt::Recovered,
            Event::Acquired { .. } => self == PanicAt::Acquired,
            Event::Started { .. } => self == PanicAt::Started,
            Event::Finished { .. } => self == PanicAt::Finished,
            Event::LockLost => self == PanicAt::LockLost,
            Event::Released => self == PanicAt::Released,
            _ => false,
        }
    }
}

const RELEASE: &str =
    "UPDATE jetbase_lock SET is_locked = FALSE, locked_at = NULL, process_id = NULL";

/// Returns a listener that panics at this event. For a lost lock, it first releases the lock.
fn panicking(db: &Database, panic_at: PanicAt) -> impl FnMut(&Event) + Send + use<> {
    let db = db.clone();
    move |event| {
        let before_last = matches!(event, Event::Finished { file, .. } if file == "V2__b.sql");
        if panic_at == PanicAt::LockLost && before_last {
            query_in_listener(&db, RELEASE);
        }
        assert!(!panic_at.is(event), "the listener panics as intended");
    }
}

/// Queries for the settings of a connection and for an open transaction.
pub(super) const fn state_queries(kind: DatabaseKind) -> &'static [&'static str] {
    match kind {
        DatabaseKind::Sqlite => &[
            "SELECT 'foreign_keys ' || foreign_keys FROM pragma_foreign_keys",
            "SELECT 'busy_timeout ' || timeout FROM pragma_busy_timeout",
            // These two fail inside a transaction.
            "BEGIN",
            "ROLLBACK",
        ],
        DatabaseKind::Postgres => &[
            "SELECT name || ' ' || setting FROM pg_catalog.pg_settings \
             WHERE source = 'session' AND name NOT LIKE 'transaction%'",
            "SELECT 'in a transaction ' || (now() <> statement_timestamp())::text",
        ],
        DatabaseKind::Mysql => &[
            // This fails inside a transaction.
            "SET TRANSACTION READ WRITE",
            "SELECT CONCAT_WS(' ', @@sql_mode, @@autocommit, @@foreign_key_checks, @@time_zone, \
             @@lock_wait_timeout, @@innodb_lock_wait_timeout, @@wait_timeout)",
        ],
    }
}

/// The settings of a connection, and whether it is in a transaction.
macro_rules! session_state {
    ($executor:expr, $kind:expr) => {{
        let mut lines: Vec<String> = Vec::new();
        for query in $crate::isolation::abandoned::state_queries($kind) {
            let rows = sqlx::raw_sql(*query).fetch_all(&mut *$executor).await?;
            for row in &rows {
                lines.push(sqlx::Row::try_get_unchecked(row, 0)?);
            }
        }
        lines
    }};
}

pub(super) use session_state;

/// Locks the row as the Python tool does, or as a killed run leaves it.
async fn lock_row(db: &Database, panic_at: PanicAt) -> TestResult {
    let id = match panic_at {
        PanicAt::Waiting => "7f9c24e8-3b12-4fef-91e0-56a2d5a3f1c0".to_owned(),
        PanicAt::Recovered => id_of_ended_run(db).await?,
        _ => return Ok(()),
    };
    jetbase::run_url(&set(&[]), &db.url).await?;
    db.execute(&format!(
        "UPDATE jetbase_lock SET is_locked = TRUE, locked_at = CURRENT_TIMESTAMP, process_id = '{id}'"
    ))
    .await
}

/// The id in the lock of a run that has ended.
async fn id_of_ended_run(db: &Database) -> Result<String, TestError> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let db_of_listener = db.clone();
    let run = jetbase::run_url(&set(&[("V1__a.sql", "CREATE TABLE a (id INTEGER);\n")]), &db.url);
    run.on_event(move |event| {
        if matches!(event, Event::Acquired { .. }) {
            let id = query_in_listener(&db_of_listener, "SELECT process_id FROM jetbase_lock");
            let _ = sender.send(id);
        }
    })
    .await?;
    receiver.recv()?.ok_or_else(|| "the run did not hold the lock".into())
}

/// Releases the lock as the Python tool does at its end.
async fn release_as_python(db: &Database, panic_at: PanicAt) -> TestResult {
    if panic_at == PanicAt::Waiting {
        db.execute(RELEASE).await?;
    }
    Ok(())
}

/// Checks that every file is applied once.
pub(super) async fn is_complete(db: &Database) -> TestResult {
    is_recorded_and_unlocked(db, &NAMES).await?;
    assert_eq!(column(db, "SELECT id FROM a ORDER BY id").await?, ["1", "2"]);
    Ok(())
}

async fn panics_with_pool(ctx: TestContext) -> TestResult {
    let mut errors = Vec::new();
    for panic_at in EVENTS {
        if let Err(error) = panics_once(&ctx, panic_at).await {
            errors.push(format!("{panic_at:?}: {error:#}"));
        }
    }
    result_of(errors)
}

async fn panics_once(ctx: &TestContext, panic_at: PanicAt) -> TestResult {
    let db = ctx.another().await?;
    // Only a database with tables has a lock to wait for.
    if panic_at == PanicAt::Waiting {
        jetbase::run_url(&set(&[("V1__a.sql", "CREATE TABLE a (id INTEGER);\n")]), &db.url).await?;
    }
    lock_row(&db, panic_at).await?;
    let kind = ctx.kind;
    let all = if matches!(panic_at, PanicAt::Waiting | PanicAt::Recovered) {
        files(DatabaseKind::Sqlite)
    } else {
        files(kind)
    };
    macro_rules! with {
        ($Options:ty) => {{
            let pool = <$Options>::new().max_connections(1).connect(&db.url).await?;
            let before = session_state!(pool.acquire().await?, kind);
            let (task_set, task_pool) = (all.clone(), pool.clone());
            let listener = panicking(&db, panic_at);
            let task = tokio::spawn(async move {
                jetbase::run(&task_set, &task_pool).on_event(listener).await
            });
            let end = tokio::time::timeout(Duration::from_secs(20), task).await?;
            let panicked = end.expect_err("the listener panics");
            assert!(panicked.is_panic(), "{panicked}");
            let after = session_state!(pool.acquire().await?, kind);
            release_as_python(&db, panic_at).await?;
            let report = jetbase::run(&all, &pool).wait(SOON).await;
            let at_end = session_state!(pool.acquire().await?, kind);
            pool.close().await;
            report?;
            same_lines("the pool's connection", &before, &after)?;
            same_lines("the pool's connection after the next run", &before, &at_end)?;
        }};
    }
    match kind {
        DatabaseKind::Postgres => with!(PgPoolOptions),
        DatabaseKind::Mysql => with!(MySqlPoolOptions),
        DatabaseKind::Sqlite => with!(SqlitePoolOptions),
    }
    let done = tokio::spawn(async move { is_complete(&db).await });
    done.await?
}

/// Runs a future to its end and catches a panic.
async fn catch_panic<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = Box::pin(future);
    std::future::poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

/// A run over the caller's connection panics. Checks that the connection did not change.
macro_rules! panics {
    ($Connection:ty, $db:expr, $all:expr, $panic_at:expr) => {{
        let mut caller = <$Connection>::connect(&$db.url).await?;
        let before = session_state!(&mut caller, $db.kind);
        let run = jetbase::run(&$all, &mut caller).on_event(panicking(&$db, $panic_at));
        if let Ok(ended) = catch_panic(run.into_future()).await {
            return Err(format!("{:?}: it did not panic: {ended:?}", $panic_at).into());
        }
        let after = session_state!(&mut caller, $db.kind);
        same_lines("the caller's connection", &before, &after)
    }};
}

async fn panics_with_caller(ctx: TestContext) -> TestResult {
    let mut errors = Vec::new();
    // A run over a borrowed connection to a server has no session lock, so it recovers no lock.
    let events = EVENTS.into_iter();
    for panic_at in
        events.filter(|it| ctx.kind == DatabaseKind::Sqlite || *it != PanicAt::Recovered)
    {
        let db = ctx.another().await?;
        if panic_at == PanicAt::Waiting {
            jetbase::run_url(&set(&[first(ctx.kind)]), &db.url).await?;
        }
        lock_row(&db, panic_at).await?;
        let all = files(ctx.kind);
        let checked = match ctx.kind {
            DatabaseKind::Sqlite => panics!(SqliteConnection, db, all, panic_at),
            DatabaseKind::Postgres => panics!(PgConnection, db, all, panic_at),
            DatabaseKind::Mysql => panics!(MySqlConnection, db, all, panic_at),
        };
        if panic_at != PanicAt::Waiting {
            let locked = db.value("SELECT is_locked FROM jetbase_lock").await?;
            assert_eq!(locked.as_deref(), Some("0"), "{panic_at:?}: the lock is still held");
        }
        release_as_python(&db, panic_at).await?;
        if let Err(error) = checked.and(check_next_run(&db, &all).await) {
            errors.push(format!("{panic_at:?}: {error:#}"));
        }
    }
    result_of(errors)
}

/// Checks that the caller's connection did not change.
pub(super) async fn check_caller(caller: &mut SqliteConnection, before: &[String]) -> TestResult {
    let query = async { Ok::<_, TestError>(session_state!(&mut *caller, DatabaseKind::Sqlite)) };
    let after = query.await.map_err(|error| format!("the caller's connection: {error:#}"))?;
    same_lines("the caller's connection", before, &after)
}

/// A later run applies the other files, and each file once.
pub(super) async fn check_next_run(db: &Database, all: &Migrations) -> TestResult {
    jetbase::run_url(all, &db.url).wait(SOON).await?;
    let db = db.clone();
    tokio::spawn(async move { is_complete(&db).await }).await?
}
