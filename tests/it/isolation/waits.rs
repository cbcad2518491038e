use std::time::{Duration, Instant};

use jetbase::{DatabaseUrl, Migrations, Report, Wait};
use jetbase_test_harness::{Database, DatabaseKind, Needs, Suite, TestContext, TestResult};

use super::second_connection::SecondConnection;
use super::{column, result_of};
use crate::apply::set;

/// The wait limit of a run.
pub(super) const LIMIT: Duration = Duration::from_secs(2);
/// The time after which a run with this limit must have ended.
pub(super) const MUST_END: Duration = Duration::from_secs(8);
/// The time after which a query without a limit must have ended.
const QUERY_MUST_END: Duration = Duration::from_secs(70);

/// What another session does so that a run must wait.
#[derive(Clone, Copy, Debug)]
struct Blocker {
    name: &'static str,
    kinds: &'static [DatabaseKind],
    before: InitialState,
    /// SQL that acquires the lock.
    acquire: &'static str,
    /// SQL that releases the lock.
    release: &'static str,
    /// The error of the run contains one of these texts.
    texts: &'static [&'static str],
}

/// What is in the database before the other session acquires its lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InitialState {
    Nothing,
    /// The tables, and the first file in the history.
    Tables,
    /// The same in the WAL mode of SQLite.
    WriteAhead,
}

const POSTGRES: &[DatabaseKind] = &[DatabaseKind::Postgres];
const MYSQL: &[DatabaseKind] = &[DatabaseKind::Mysql];
const SQLITE: &[DatabaseKind] = &[DatabaseKind::Sqlite];
const ROW: &[&str] = &["jetbase_lock", " row"];
const TABLE: &[&str] = &["jetbase_lock", "jetbase_migrations", " table"];
const FILE: &[&str] = &["write", "busy", "locked", "lock"];

const fn blocker(
    name: &'static str,
    kinds: &'static [DatabaseKind],
    acquire: &'static str,
    texts: &'static [&'static str],
) -> Blocker {
    Blocker { name, kinds, before: InitialState::Tables, acquire, release: "ROLLBACK", texts }
}

const BLOCKERS: &[Blocker] = &[
    blocker(
        "a_locked_row",
        DatabaseKind::SERVERS,
        "BEGIN; SELECT id FROM jetbase_lock WHERE id = 1 FOR UPDATE",
        ROW,
    ),
    blocker(
        "a_row_that_is_changed",
        DatabaseKind::SERVERS,
        "BEGIN; UPDATE jetbase_lock SET locked_at = CURRENT_TIMESTAMP WHERE id = 1",
        ROW,
    ),
    blocker(
        "a_row_that_is_deleted",
        DatabaseKind::SERVERS,
        "BEGIN; DELETE FROM jetbase_lock WHERE id = 1",
        ROW,
    ),
    blocker(
        "a_locked_lock_table",
        POSTGRES,
        "BEGIN; LOCK TABLE jetbase_lock IN ACCESS EXCLUSIVE MODE",
        TABLE,
    ),
    blocker(
        "a_lock_table_that_may_only_be_read",
        POSTGRES,
        "BEGIN; LOCK TABLE jetbase_lock IN EXCLUSIVE MODE",
        TABLE,
    ),
    blocker(
        "a_locked_history",
        POSTGRES,
        "BEGIN; LOCK TABLE jetbase_migrations IN ACCESS EXCLUSIVE MODE",
        TABLE,
    ),
    Blocker {
        release: "UNLOCK TABLES",
        ..blocker("a_locked_lock_table", MYSQL, "LOCK TABLES jetbase_lock WRITE", TABLE)
    },
    Blocker {
        release: "UNLOCK TABLES",
        ..blocker(
            "a_lock_table_that_may_only_be_read",
            MYSQL,
            "LOCK TABLES jetbase_lock READ",
            TABLE,
        )
    },
    Blocker {
        release: "UNLOCK TABLES",
        ..blocker("a_locked_history", MYSQL, "LOCK TABLES jetbase_migrations WRITE", TABLE)
    },
    Blocker {
        release: "XA ROLLBACK 'theirs'",
        ..blocker(
            "a_prepared_transaction",
            MYSQL,
            "XA START 'theirs'; UPDATE jetbase_lock SET locked_at = NOW() WHERE id = 1; \
             XA END 'theirs'; XA PREPARE 'theirs'",
            ROW,
        )
    },
    Blocker {
        before: InitialState::Nothing,
        release: "SELECT pg_advisory_unlock(1784835700, 1)",
        ..blocker(
            "the_lock_for_creating_tables",
            POSTGRES,
            "SELECT pg_advisory_lock(1784835700, 1)",
            &["creating", "tables", "1784835700"],
        )
    },
    blocker("a_writer", SQLITE, "BEGIN IMMEDIATE", FILE),
    blocker("an_exclusive_writer", SQLITE, "BEGIN EXCLUSIVE", FILE),
    Blocker {
        before: InitialState::WriteAhead,
        ..blocker("a_writer_in_wal_mode", SQLITE, "BEGIN IMMEDIATE", FILE)
    },
    Blocker {
        before: InitialState::WriteAhead,
        ..blocker("an_exclusive_writer_in_wal_mode", SQLITE, "BEGIN EXCLUSIVE", FILE)
    },
    Blocker {
        before: InitialState::Nothing,
        ..blocker("a_writer_on_an_empty_database", SQLITE, "BEGIN IMMEDIATE", FILE)
    },
];

pub(crate) fn register(suite: &mut Suite) {
    // The name of a prepared transaction must be unique on the server.
    for it in BLOCKERS {
        let needs = if it.acquire.starts_with("XA") { Needs::OWN_SERVER } else { Needs::NOTHING };
        let limit = format!("no_run_waits_beyond_its_limit_for_{}", it.name);
        suite.each(&limit, it.kinds, needs, move |ctx| gives_up(ctx, *it));
        let continues = format!("a_run_continues_after_{}", it.name);
        suite.each(&continues, it.kinds, needs, move |ctx| runs_after_release(ctx, *it));
    }
    let name = "queries_end_while_the_tables_are_locked";
    suite.each(name, DatabaseKind::ALL, Needs::NOTHING, queries);
}

const FIRST: (&str, &str) = ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n");

pub(super) fn two() -> Migrations {
    set(&[FIRST, ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n")])
}

async fn prepare(db: &Database, before: InitialState) -> TestResult {
    if before == InitialState::WriteAhead {
        db.execute("PRAGMA journal_mode = WAL").await?;
    }
    if before == InitialState::Nothing {
        return Ok(());
    }
    jetbase::run_url(&set(&[FIRST]), &db.url).await?;
    Ok(())
}

/// Checks that a run ends in time with an error that contains one of these texts.
pub(super) async fn fails_in_time(
    what: &str,
    run: impl Future<Output = Result<Report, jetbase::Error>>,
    texts: &[&str],
) -> Result<(), String> {
    let began = Instant::now();
    match tokio::time::timeout(MUST_END, run).await {
        Err(_) => Err(format!("{what}: the run still waits after {MUST_END:?}")),
        Ok(Ok(report)) => Err(format!("{what}: the run succeeded: {report}")),
        Ok(Err(error)) => {
            let text = format!("{error:#}");
            if texts.iter().any(|part| text.to_lowercase().contains(part)) {
                return Ok(());
            }
            let elapsed = began.elapsed();
            Err(format!(
                "{what}: after {elapsed:.1?}, the error does not name what the run waited for: {text}"
            ))
        }
    }
}

pub(super) fn all_ok(results: Vec<Result<(), String>>) -> TestResult {
    result_of(results.into_iter().filter_map(Result::err).collect())
}

async fn gives_up(ctx: TestContext, it: Blocker) -> TestResult {
    prepare(&ctx.db, it.before).await?;
    let mut holder = SecondConnection::at(&ctx.db).await?;
    holder.execute(it.acquire).await?;
    let mut results = Vec::new();
    for wait in [Wait::Never, Wait::UpTo(LIMIT)] {
        let run = jetbase::run_url(&two(), &ctx.db.url).wait(wait).into_future();
        results.push(fails_in_time(&format!("{wait:?}"), run, it.texts).await);
    }
    holder.execute(it.release).await?;
    holder.close().await?;
    all_ok(results)?;
    // The failed runs have stopped, so the next run applies a file.
    let report = jetbase::run_url(&two(), &ctx.db.url).wait(Wait::UpTo(MUST_END)).await?;
    assert!(!report.applied.is_empty(), "a failed run continued in the background");
    Ok(())
}

async fn runs_after_release(ctx: TestContext, it: Blocker) -> TestResult {
    prepare(&ctx.db, it.before).await?;
    let mut holder = SecondConnection::at(&ctx.db).await?;
    holder.execute(it.acquire).await?;
    let holder = tokio::spawn(holder.execute_later(Duration::from_millis(1500), it.release));
    let wait = Wait::UpTo(Duration::from_secs(20));
    let run = jetbase::run_url(&two(), &ctx.db.url).wait(wait).into_future();
    let report = tokio::time::timeout(Duration::from_secs(25), run).await;
    holder.await??;
    report.map_err(|_| "the run still waits after 25 s")??;
    let names = column(&ctx.db, "SELECT filename FROM jetbase_migrations ORDER BY 1").await?;
    assert_eq!(names, ["V1__a.sql", "V2__b.sql"]);
    Ok(())
}

/// Queries have no wait limit. They end with a result or an error.
async fn queries(ctx: TestContext) -> TestResult {
    prepare(&ctx.db, InitialState::Tables).await?;
    let acquire = match ctx.kind {
        DatabaseKind::Postgres => {
            "BEGIN; LOCK TABLE jetbase_lock, jetbase_migrations IN ACCESS EXCLUSIVE MODE"
        }
        DatabaseKind::Mysql => "LOCK TABLES jetbase_lock WRITE, jetbase_migrations WRITE",
        DatabaseKind::Sqlite => "BEGIN EXCLUSIVE",
    };
    let mut holder = SecondConnection::at(&ctx.db).await?;
    holder.execute(acquire).await?;
    let (all, target) = (two(), DatabaseUrl(&ctx.db.url));
    let within =
        |what: &'static str| move |_| format!("{what} still waits after {QUERY_MUST_END:?}");
    let (status, lock, unlock) = tokio::join!(
        tokio::time::timeout(QUERY_MUST_END, jetbase::status(&all, target).into_future()),
        tokio::time::timeout(QUERY_MUST_END, jetbase::lock_status(&all, target).into_future()),
        tokio::time::timeout(QUERY_MUST_END, jetbase::unlock(&all, target).into_future()),
    );
    all_ok(vec![
        status.map(drop).map_err(within("status")),
        lock.map(drop).map_err(within("lock_status")),
        unlock.map(drop).map_err(within("unlock")),
    ])?;
    holder.close().await
}
