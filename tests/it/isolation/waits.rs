use std::time::{Duration, Instant};

use jetbase::{DatabaseUrl, Error as Refusal, Migrations, Report, Wait};
use jetbase_test_harness::{Database, DatabaseKind, Needs, Suite, TestContext, TestResult};

use super::column;
use super::somebody::Somebody;
use crate::apply::set;

/// The limit of a run, and how long it may take with everything around it.
pub(super) const LIMIT: Duration = Duration::from_secs(2);
pub(super) const GENEROUS: Duration = Duration::from_secs(8);
/// How long a question without a limit may take.
const QUESTION: Duration = Duration::from_secs(70);

/// What somebody else does so that a run has to wait.
#[derive(Clone, Copy, Debug)]
struct Obstacle {
    name: &'static str,
    kinds: &'static [DatabaseKind],
    before: Before,
    /// Takes it.
    take: &'static str,
    /// Gives it back.
    give: &'static str,
    /// One of these words says what a run waited for.
    words: &'static [&'static str],
}

/// What is in the database when somebody stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    /// The tables, and the first file in the history.
    Tables,
    /// The same in SQLite's mode with a log of what is written.
    WriteAhead,
}

const POSTGRES: &[DatabaseKind] = &[DatabaseKind::Postgres];
const MYSQL: &[DatabaseKind] = &[DatabaseKind::Mysql];
const SQLITE: &[DatabaseKind] = &[DatabaseKind::Sqlite];
const ROW: &[&str] = &["jetbase_lock", " row"];
const TABLE: &[&str] = &["jetbase_lock", "jetbase_migrations", " table"];
const FILE: &[&str] = &["write", "busy", "locked", "lock"];

const fn obstacle(
    name: &'static str,
    kinds: &'static [DatabaseKind],
    take: &'static str,
    words: &'static [&'static str],
) -> Obstacle {
    Obstacle { name, kinds, before: Before::Tables, take, give: "ROLLBACK", words }
}

const OBSTACLES: &[Obstacle] = &[
    obstacle(
        "a_locked_row",
        DatabaseKind::SERVERS,
        "BEGIN; SELECT id FROM jetbase_lock WHERE id = 1 FOR UPDATE",
        ROW,
    ),
    obstacle(
        "a_row_that_is_changed",
        DatabaseKind::SERVERS,
        "BEGIN; UPDATE jetbase_lock SET locked_at = CURRENT_TIMESTAMP WHERE id = 1",
        ROW,
    ),
    obstacle(
        "a_row_that_is_deleted",
        DatabaseKind::SERVERS,
        "BEGIN; DELETE FROM jetbase_lock WHERE id = 1",
        ROW,
    ),
    obstacle(
        "a_locked_lock_table",
        POSTGRES,
        "BEGIN; LOCK TABLE jetbase_lock IN ACCESS EXCLUSIVE MODE",
        TABLE,
    ),
    obstacle(
        "a_lock_table_that_may_only_be_read",
        POSTGRES,
        "BEGIN; LOCK TABLE jetbase_lock IN EXCLUSIVE MODE",
        TABLE,
    ),
    obstacle(
        "a_locked_history",
        POSTGRES,
        "BEGIN; LOCK TABLE jetbase_migrations IN ACCESS EXCLUSIVE MODE",
        TABLE,
    ),
    Obstacle {
        give: "UNLOCK TABLES",
        ..obstacle("a_locked_lock_table", MYSQL, "LOCK TABLES jetbase_lock WRITE", TABLE)
    },
    Obstacle {
        give: "UNLOCK TABLES",
        ..obstacle(
            "a_lock_table_that_may_only_be_read",
            MYSQL,
            "LOCK TABLES jetbase_lock READ",
            TABLE,
        )
    },
    Obstacle {
        give: "UNLOCK TABLES",
        ..obstacle("a_locked_history", MYSQL, "LOCK TABLES jetbase_migrations WRITE", TABLE)
    },
    Obstacle {
        give: "XA ROLLBACK 'theirs'",
        ..obstacle(
            "a_prepared_transaction",
            MYSQL,
            "XA START 'theirs'; UPDATE jetbase_lock SET locked_at = NOW() WHERE id = 1; \
             XA END 'theirs'; XA PREPARE 'theirs'",
            ROW,
        )
    },
    Obstacle {
        before: Before::Nothing,
        give: "SELECT pg_advisory_unlock(1784835700, 1)",
        ..obstacle(
            "the_lock_for_creating_tables",
            POSTGRES,
            "SELECT pg_advisory_lock(1784835700, 1)",
            &["creating", "tables", "1784835700"],
        )
    },
    obstacle("a_writer", SQLITE, "BEGIN IMMEDIATE", FILE),
    obstacle("an_exclusive_writer", SQLITE, "BEGIN EXCLUSIVE", FILE),
    Obstacle {
        before: Before::WriteAhead,
        ..obstacle("a_writer_in_wal_mode", SQLITE, "BEGIN IMMEDIATE", FILE)
    },
    Obstacle {
        before: Before::WriteAhead,
        ..obstacle("an_exclusive_writer_in_wal_mode", SQLITE, "BEGIN EXCLUSIVE", FILE)
    },
    Obstacle {
        before: Before::Nothing,
        ..obstacle("a_writer_on_an_empty_database", SQLITE, "BEGIN IMMEDIATE", FILE)
    },
];

pub(crate) fn register(suite: &mut Suite) {
    // A prepared transaction is the server's: its name must not meet another one.
    for it in OBSTACLES {
        let needs = if it.take.starts_with("XA") { Needs::OWN_SERVER } else { Needs::NOTHING };
        let waits = format!("no_run_waits_beyond_its_limit_for_{}", it.name);
        suite.each(&waits, it.kinds, needs, move |ctx| gives_up(ctx, *it));
        let goes_on = format!("a_run_continues_after_{}", it.name);
        suite.each(&goes_on, it.kinds, needs, move |ctx| goes_on_later(ctx, *it));
    }
    let name = "queries_end_while_the_tables_are_locked";
    suite.each(name, DatabaseKind::ALL, Needs::NOTHING, questions);
}

const FIRST: (&str, &str) = ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n");

/// What is to be run.
pub(super) fn two() -> Migrations {
    set(&[FIRST, ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n")])
}

async fn prepare(db: &Database, before: Before) -> TestResult {
    if before == Before::WriteAhead {
        db.execute("PRAGMA journal_mode = WAL").await?;
    }
    if before == Before::Nothing {
        return Ok(());
    }
    jetbase::run_url(&set(&[FIRST]), &db.url).await?;
    Ok(())
}

/// A run that has to end with an error, within generous bounds, and says what it waited for.
pub(super) async fn ends(
    what: &str,
    run: impl Future<Output = Result<Report, Refusal>>,
    words: &[&str],
) -> Result<(), String> {
    let began = Instant::now();
    match tokio::time::timeout(GENEROUS, run).await {
        Err(_) => Err(format!("{what}: it still waits after {GENEROUS:?}")),
        Ok(Ok(report)) => Err(format!("{what}: it succeeded: {report}")),
        Ok(Err(error)) => {
            let text = format!("{error:#}");
            if words.iter().any(|word| text.to_lowercase().contains(word)) {
                return Ok(());
            }
            let elapsed = began.elapsed();
            Err(format!("{what}: after {elapsed:.1?} it does not say what it waited for: {text}"))
        }
    }
}

pub(super) fn none_wrong(results: Vec<Result<(), String>>) -> TestResult {
    let wrong: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

async fn gives_up(ctx: TestContext, it: Obstacle) -> TestResult {
    prepare(&ctx.db, it.before).await?;
    let mut holder = Somebody::at(&ctx.db).await?;
    holder.execute(it.take).await?;
    let mut results = Vec::new();
    for wait in [Wait::Never, Wait::UpTo(LIMIT)] {
        let run = jetbase::run_url(&two(), &ctx.db.url).wait(wait).into_future();
        results.push(ends(&format!("{wait:?}"), run, it.words).await);
    }
    holder.execute(it.give).await?;
    holder.close().await?;
    none_wrong(results)?;
    // Nothing of those runs is left, and nobody works on behind them.
    let report = jetbase::run_url(&two(), &ctx.db.url).wait(Wait::UpTo(GENEROUS)).await?;
    assert!(!report.applied.is_empty(), "a run that was refused did its work all the same");
    Ok(())
}

async fn goes_on_later(ctx: TestContext, it: Obstacle) -> TestResult {
    prepare(&ctx.db, it.before).await?;
    let mut holder = Somebody::at(&ctx.db).await?;
    holder.execute(it.take).await?;
    let holder = tokio::spawn(holder.until(Duration::from_millis(1500), it.give));
    let wait = Wait::UpTo(Duration::from_secs(20));
    let run = jetbase::run_url(&two(), &ctx.db.url).wait(wait).into_future();
    let report = tokio::time::timeout(Duration::from_secs(25), run).await;
    holder.await??;
    report.map_err(|_| "it still waits after 25 s")??;
    let names = column(&ctx.db, "SELECT filename FROM jetbase_migrations ORDER BY 1").await?;
    assert_eq!(names, ["V1__a.sql", "V2__b.sql"]);
    Ok(())
}

/// Questions have no limit of their own; they end with an answer or an error all the same.
async fn questions(ctx: TestContext) -> TestResult {
    prepare(&ctx.db, Before::Tables).await?;
    let take = match ctx.kind {
        DatabaseKind::Postgres => {
            "BEGIN; LOCK TABLE jetbase_lock, jetbase_migrations IN ACCESS EXCLUSIVE MODE"
        }
        DatabaseKind::Mysql => "LOCK TABLES jetbase_lock WRITE, jetbase_migrations WRITE",
        DatabaseKind::Sqlite => "BEGIN EXCLUSIVE",
    };
    let mut holder = Somebody::at(&ctx.db).await?;
    holder.execute(take).await?;
    let (all, target) = (two(), DatabaseUrl(&ctx.db.url));
    let within = |what: &'static str| move |_| format!("{what} still waits after {QUESTION:?}");
    let (status, lock, unlock) = tokio::join!(
        tokio::time::timeout(QUESTION, jetbase::status(&all, target).into_future()),
        tokio::time::timeout(QUESTION, jetbase::lock_status(&all, target).into_future()),
        tokio::time::timeout(QUESTION, jetbase::unlock(&all, target).into_future()),
    );
    none_wrong(vec![
        status.map(drop).map_err(within("status")),
        lock.map(drop).map_err(within("lock_status")),
        unlock.map(drop).map_err(within("unlock")),
    ])?;
    holder.close().await
}
