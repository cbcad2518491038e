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

use super::{column, is_tidy, same_lines};
use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    suite.each(
        "a_panic_of_a_listener_leaves_a_pool_as_it_was",
        DatabaseKind::ALL,
        nothing,
        panics_with_pool,
    );
    suite.each(
        "a_panic_leaves_a_callers_connection_as_it_was",
        DatabaseKind::ALL,
        nothing,
        panics_with_caller,
    );
}

pub(super) const SOON: Wait = Wait::UpTo(Duration::from_secs(20));
const NAMES: [&str; 3] = ["V1__a.sql", "V2__b.sql", "V3__c.sql"];

/// On MySQL a table stays when its row cannot be written any more.
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

/// The kinds of events that a run tells here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Waiting,
    Recovered,
    Acquired,
    Started,
    Finished,
    LockLost,
    Released,
}

const MOMENTS: [Moment; 7] = [
    Moment::Waiting,
    Moment::Recovered,
    Moment::Acquired,
    Moment::Started,
    Moment::Finished,
    Moment::LockLost,
    Moment::Released,
];

impl Moment {
    fn is(self, event: &Event) -> bool {
        match event {
            Event::Waiting { .. } => self == Moment::Waiting,
            Event::Recovered { .. } => self == Moment::Recovered,
            Event::Acquired { .. } => self == Moment::Acquired,
            Event::Started { .. } => self == Moment::Started,
            Event::Finished { .. } => self == Moment::Finished,
            Event::LockLost => self == Moment::LockLost,
            Event::Released => self == Moment::Released,
            _ => false,
        }
    }
}

const FREE: &str = "UPDATE jetbase_lock SET is_locked = FALSE, locked_at = NULL, process_id = NULL";

/// A listener that panics at that moment; so that a lock is lost, it takes it away.
fn panicking(db: &Database, moment: Moment) -> impl FnMut(&Event) + Send + use<> {
    let db = db.clone();
    move |event| {
        let before_last = matches!(event, Event::Finished { file, .. } if file == "V2__b.sql");
        if moment == Moment::LockLost && before_last {
            aside(&db, FREE).expect("it can be set free");
        }
        assert!(!moment.is(event), "a listener that panics");
    }
}

/// Asks the database from inside a listener, which may not wait on the runtime that it runs on.
fn aside(db: &Database, sql: &'static str) -> Result<Option<String>, TestError> {
    let db = db.clone();
    let asking = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(db.value(sql))
    });
    asking.join().map_err(|_| "the thread panicked")?
}

/// What a connection shows of its settings and of an open transaction.
pub(super) const fn state(kind: DatabaseKind) -> &'static [&'static str] {
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

/// The state of every idle connection of a pool.
macro_rules! shown {
    ($executor:expr, $kind:expr) => {{
        let mut lines: Vec<String> = Vec::new();
        for question in $crate::isolation::abandoned::state($kind) {
            let rows = sqlx::raw_sql(*question).fetch_all(&mut *$executor).await?;
            for row in &rows {
                lines.push(sqlx::Row::try_get_unchecked(row, 0)?);
            }
        }
        lines
    }};
}

pub(super) use shown;

/// Takes the lock as the Python tool does, or leaves it behind as a run of ours that is dead.
async fn hold(db: &Database, moment: Moment) -> TestResult {
    let id = match moment {
        Moment::Waiting => "7f9c24e8-3b12-4fef-91e0-56a2d5a3f1c0".to_owned(),
        Moment::Recovered => left_id(db).await?,
        _ => return Ok(()),
    };
    jetbase::run_url(&set(&[]), &db.url).await?;
    db.execute(&format!(
        "UPDATE jetbase_lock SET is_locked = TRUE, locked_at = CURRENT_TIMESTAMP, process_id = '{id}'"
    ))
    .await
}

/// The id of a real run, which ends.
async fn left_id(db: &Database) -> Result<String, TestError> {
    let (tell, told) = std::sync::mpsc::channel();
    let db_of_listener = db.clone();
    let run = jetbase::run_url(&set(&[("V1__a.sql", "CREATE TABLE a (id INTEGER);\n")]), &db.url);
    run.on_event(move |event| {
        if matches!(event, Event::Acquired { .. }) {
            let _ = tell.send(aside(&db_of_listener, "SELECT process_id FROM jetbase_lock"));
        }
    })
    .await?;
    told.recv()??.ok_or_else(|| "nobody held the lock".into())
}

/// Frees what the Python tool would free by itself.
async fn let_go(db: &Database, moment: Moment) -> TestResult {
    if moment == Moment::Waiting {
        db.execute(FREE).await?;
    }
    Ok(())
}

/// Everything is applied, each file once.
pub(super) async fn is_complete(db: &Database) -> TestResult {
    is_tidy(db, &NAMES).await?;
    assert_eq!(column(db, "SELECT id FROM a ORDER BY id").await?, ["1", "2"]);
    Ok(())
}

async fn panics_with_pool(ctx: TestContext) -> TestResult {
    let mut wrong = Vec::new();
    for moment in MOMENTS {
        if let Err(error) = panics_once(&ctx, moment).await {
            wrong.push(format!("{moment:?}: {error:#}"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

async fn panics_once(ctx: &TestContext, moment: Moment) -> TestResult {
    let db = ctx.another().await?;
    // Only a database with tables has a lock to wait for.
    if moment == Moment::Waiting {
        jetbase::run_url(&set(&[("V1__a.sql", "CREATE TABLE a (id INTEGER);\n")]), &db.url).await?;
    }
    hold(&db, moment).await?;
    let kind = ctx.kind;
    let all = if matches!(moment, Moment::Waiting | Moment::Recovered) {
        files(DatabaseKind::Sqlite)
    } else {
        files(kind)
    };
    macro_rules! with {
        ($Options:ty) => {{
            let pool = <$Options>::new().max_connections(1).connect(&db.url).await?;
            let before = shown!(pool.acquire().await?, kind);
            let (of_task, lent) = (all.clone(), pool.clone());
            let listener = panicking(&db, moment);
            let task =
                tokio::spawn(async move { jetbase::run(&of_task, &lent).on_event(listener).await });
            let end = tokio::time::timeout(Duration::from_secs(20), task).await?;
            let panicked = end.expect_err("it panics");
            assert!(panicked.is_panic(), "{panicked}");
            let after = shown!(pool.acquire().await?, kind);
            let_go(&db, moment).await?;
            let report = jetbase::run(&all, &pool).wait(SOON).await;
            let at_last = shown!(pool.acquire().await?, kind);
            pool.close().await;
            report?;
            same_lines("the pool's connection", &before, &after)?;
            same_lines("the pool's connection behind the next run", &before, &at_last)?;
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

/// What a future ends with, a panic included.
async fn caught<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
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

/// A run over a caller's connection that panics, and whether the connection is as it was.
macro_rules! panics {
    ($Connection:ty, $db:expr, $all:expr, $moment:expr) => {{
        let mut caller = <$Connection>::connect(&$db.url).await?;
        let before = shown!(&mut caller, $db.kind);
        let run = jetbase::run(&$all, &mut caller).on_event(panicking(&$db, $moment));
        if let Ok(ended) = caught(run.into_future()).await {
            return Err(format!("{:?}: it did not panic: {ended:?}", $moment).into());
        }
        let after = shown!(&mut caller, $db.kind);
        same_lines("the caller's connection", &before, &after)
    }};
}

async fn panics_with_caller(ctx: TestContext) -> TestResult {
    let mut wrong = Vec::new();
    // A borrowed connection to a server has no session lock, and so recovers no lock of the dead.
    let moments = MOMENTS.into_iter();
    for moment in moments.filter(|it| ctx.kind == DatabaseKind::Sqlite || *it != Moment::Recovered)
    {
        let db = ctx.another().await?;
        if moment == Moment::Waiting {
            jetbase::run_url(&set(&[first(ctx.kind)]), &db.url).await?;
        }
        hold(&db, moment).await?;
        let all = files(ctx.kind);
        let checked = match ctx.kind {
            DatabaseKind::Sqlite => panics!(SqliteConnection, db, all, moment),
            DatabaseKind::Postgres => panics!(PgConnection, db, all, moment),
            DatabaseKind::Mysql => panics!(MySqlConnection, db, all, moment),
        };
        if moment != Moment::Waiting {
            let locked = db.value("SELECT is_locked FROM jetbase_lock").await?;
            assert_eq!(locked.as_deref(), Some("0"), "{moment:?}: the lock is still held");
        }
        let_go(&db, moment).await?;
        if let Err(error) = checked.and(goes_on(&db, &all).await) {
            wrong.push(format!("{moment:?}: {error:#}"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// The connection is as it was.
pub(super) async fn checked(caller: &mut SqliteConnection, before: &[String]) -> TestResult {
    let look = async { Ok::<_, TestError>(shown!(&mut *caller, DatabaseKind::Sqlite)) };
    let after = look.await.map_err(|error| format!("the caller's connection: {error:#}"))?;
    same_lines("the caller's connection", before, &after)
}

/// A later run does what is left, each file once.
pub(super) async fn goes_on(db: &Database, all: &Migrations) -> TestResult {
    jetbase::run_url(all, &db.url).wait(SOON).await?;
    let db = db.clone();
    tokio::spawn(async move { is_complete(&db).await }).await?
}
