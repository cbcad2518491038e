use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jetbase::{DatabaseUrl, ErrorKind, Event, Kept, Migrations, Report, Wait};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};
use sqlx::{Connection as _, MySqlConnection};
use tokio::task::JoinHandle;

use crate::apply::set;
use crate::run_in_progress::{notify_at_start, query_in_listener, slow};

pub(crate) fn register(suite: &mut Suite) {
    let all = DatabaseKind::ALL;
    let nothing = Needs::NOTHING;
    suite.each("a_run_waits_no_longer_than_its_limit", all, nothing, gives_up);
    suite.each("a_run_continues_when_the_lock_is_released", all, nothing, waits);
    suite.each("a_run_stops_when_its_lock_is_released_by_force", all, nothing, loses_lock);
    suite.each(
        "a_run_refuses_a_file_that_releases_its_session_lock",
        DatabaseKind::SERVERS,
        nothing,
        releases_session_lock,
    );
    suite.each(
        "a_committed_file_is_recorded_after_retries",
        &[DatabaseKind::Mysql],
        nothing,
        records_after_retries,
    );
    suite.each("a_run_recovers_the_lock_of_a_killed_holder", all, nothing, recovers);
    suite.each("a_run_with_nothing_pending_releases_a_stale_lock", all, nothing, releases_stale);
    suite.each("the_lock_status_shows_that_the_holder_is_alive", all, nothing, shows_live_holder);
    suite.each("a_forced_unlock_does_not_hang", all, nothing, forced_unlock);
    suite.each("sixteen_runs_at_once_apply_each_file_once", all, nothing, many_runs_at_once);
    suite.each("a_failed_run_releases_the_lock", all, nothing, releases_after_failure);
    suite.each("a_run_recreates_a_missing_lock_row", all, nothing, missing_row);
}

fn one() -> Migrations {
    set(&[("V1__a.sql", "CREATE TABLE a (id INTEGER);\n")])
}

/// Acquires the lock as the Python tool does.
const ACQUIRE_AS_PYTHON: &str = "UPDATE jetbase_lock SET is_locked = TRUE, locked_at = CURRENT_TIMESTAMP, \
                      process_id = '7f9c24e8-3b12-4fef-91e0-56a2d5a3f1c0' WHERE id = 1";
const RELEASE: &str =
    "UPDATE jetbase_lock SET is_locked = FALSE, locked_at = NULL, process_id = NULL WHERE id = 1";

async fn gives_up(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    jetbase::run(&set(&[("V0__first.sql", "SELECT 1;\n")]), target).await?;
    ctx.db.execute(ACQUIRE_AS_PYTHON).await?;
    let more =
        set(&[("V0__first.sql", "SELECT 1;\n"), ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n")]);
    for wait in [Wait::Never, Wait::UpTo(Duration::from_millis(300))] {
        let error = jetbase::run(&more, target).wait(wait).await.expect_err("held");
        let ErrorKind::Held { holder, .. } = error.kind() else { panic!("{error:#}") };
        assert_eq!(holder, "the Python tool (process 7f9c24e8-3b12-4fef-91e0-56a2d5a3f1c0)");
        assert!(
            format!("{error:#}")
                .ends_with("if you are sure that the holder is dead, run `jetbase unlock`"),
            "{error:#}"
        );
    }
    // A run with nothing pending does not need the lock.
    assert!(
        jetbase::run(&set(&[("V0__first.sql", "SELECT 1;\n")]), target)
            .wait(Wait::Never)
            .await?
            .is_up_to_date()
    );
    let status = jetbase::lock_status(&more, target).await?.to_string();
    assert!(status.starts_with("Status: LOCKED\nLocked At: 2"), "{status}");
    assert!(jetbase::unlock(&more, target).await?.holder.is_some());
    assert_eq!(jetbase::run(&more, target).wait(Wait::Never).await?.applied.len(), 1);
    Ok(())
}

async fn waits(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    jetbase::run(&set(&[]), target).await?;
    jetbase::run(&set(&[("V0__first.sql", "SELECT 1;\n")]), target).await?;
    ctx.db.execute(ACQUIRE_AS_PYTHON).await?;
    let more =
        set(&[("V0__first.sql", "SELECT 1;\n"), ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n")]);
    let url = ctx.db.url.clone();
    let run = tokio::spawn(async move { jetbase::run_url(&more, &url).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!run.is_finished());
    ctx.db.execute(RELEASE).await?;
    let report = run.await??;
    assert_eq!(report.applied.len(), 1);
    assert!(report.waited >= Duration::from_millis(300), "{:?}", report.waited);
    Ok(())
}

async fn loses_lock(ctx: TestContext) -> TestResult {
    let sleep = match ctx.kind {
        DatabaseKind::Sqlite => "SELECT 1;\n",
        DatabaseKind::Postgres => "SELECT pg_sleep(0.5);\n",
        DatabaseKind::Mysql => "DO SLEEP(0.5);\n",
    };
    let set = set(&[
        ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n"),
        ("V2__sleep.sql", sleep),
        ("V3__b.sql", "CREATE TABLE b (id INTEGER);\n"),
    ]);
    let db = ctx.db.clone();
    // Between two files no transaction holds the row, so an unlock succeeds on every database.
    let run = jetbase::run_url(&set, &ctx.db.url).on_event(move |event| {
        if matches!(event, Event::Finished { file, .. } if file == "V2__sleep.sql") {
            query_in_listener(&db, RELEASE);
        }
    });
    let error = run.await.expect_err("lost");
    assert!(
        matches!(error.kind(), ErrorKind::LockLost { file: Some(file), .. } if file == "V3__b.sql"),
        "{error:#}"
    );
    assert_eq!(error.report().applied.len(), 2);
    assert!(ctx.db.rows("SELECT * FROM b").await.is_err(), "a statement ran without the lock");
    assert_eq!(
        ctx.db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(),
        Some("2")
    );
    assert_eq!(jetbase::run_url(&set, &ctx.db.url).await?.applied.len(), 1);
    Ok(())
}

/// Locks the row with the id of a run that has ended, as a killed run leaves it.
async fn make_lock_stale(ctx: &TestContext) -> Result<String, jetbase_test_harness::TestError> {
    let id = Arc::new(Mutex::new(None));
    let (db, seen) = (ctx.db.clone(), Arc::clone(&id));
    let run = jetbase::run_url(&one(), &ctx.db.url).on_event(move |event| {
        if matches!(event, Event::Acquired { .. }) {
            *seen.lock().unwrap() = query_in_listener(&db, "SELECT process_id FROM jetbase_lock");
        }
    });
    run.await?;
    let id = id.lock().unwrap().clone().ok_or("the run did not hold the lock")?;
    ctx.db.execute(&ACQUIRE_AS_PYTHON.replace("7f9c24e8-3b12-4fef-91e0-56a2d5a3f1c0", &id)).await?;
    Ok(id)
}

/// The statements of the file are committed implicitly. The run retries to record the file while
/// another session holds the lock row.
async fn records_after_retries(ctx: TestContext) -> TestResult {
    let text = "-- jetbase: lock_timeout=1s\nCREATE TABLE a (id INTEGER);\nINSERT INTO a VALUES (1);\n\
                CREATE TABLE b (id INTEGER);\nINSERT INTO b VALUES (2);\n";
    let set = set(&[("V1__a.sql", text)]);
    let retries = Arc::new(AtomicU32::new(0));
    let (count, url) = (Arc::clone(&retries), ctx.db.url.clone());
    let run = jetbase::run_url(&set, &ctx.db.url).on_event(move |event| match event {
        Event::Started { .. } => lock_row_for(&url, Duration::from_millis(2500)),
        Event::Retrying { .. } => {
            count.fetch_add(1, Ordering::SeqCst);
        }
        _ => {}
    });
    assert_eq!(run.await?.applied.len(), 1);
    assert!(retries.load(Ordering::SeqCst) > 0, "the run did not retry");
    let sums = "SELECT (SELECT count(*) FROM a), (SELECT sum(id) FROM b), count(*) FROM jetbase_migrations";
    let one = |text: &str| Some(text.to_owned());
    assert_eq!(ctx.db.rows(sums).await?, [[one("1"), one("2"), one("1")]]);
    Ok(())
}

/// Locks the lock row of MySQL in another thread, and returns when it is locked. A listener may not
/// wait on the runtime that it runs on.
fn lock_row_for(url: &str, length: Duration) {
    let (url, (locked, is_locked)) = (url.to_owned(), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut connection = MySqlConnection::connect(&url).await.expect("a connection");
            let lock = "START TRANSACTION; SELECT id FROM jetbase_lock WHERE id = 1 FOR UPDATE";
            sqlx::raw_sql(lock).execute(&mut connection).await.expect("the row");
            locked.send(()).expect("the listener waits");
            tokio::time::sleep(length).await;
            connection.close().await.expect("it was open");
        });
    });
    is_locked.recv().expect("the row is locked");
}

/// A file that releases all locks of its session is not recorded, and the error names the cause.
async fn releases_session_lock(ctx: TestContext) -> TestResult {
    let releases = match ctx.kind {
        DatabaseKind::Postgres => "SELECT 1 FROM (SELECT pg_advisory_unlock_all()) AS gone;\n",
        _ => "DO RELEASE_ALL_LOCKS();\n",
    };
    let files = [("V1__a.sql", "CREATE TABLE a (id INTEGER);\n"), ("V2__releases.sql", releases)];
    let error = jetbase::run_url(&set(&files), &ctx.db.url).await.expect_err("refused");
    assert_eq!(
        format!("{error:#}"),
        "V2__releases.sql: it releases all locks of its session, including jetbase's session lock\n   \
         = hint: release only the file's own locks, not all of them: without pg_advisory_unlock_all(), \
         RELEASE_ALL_LOCKS() and DISCARD ALL\nnothing of this file was kept; correct it and run again\n\
         done before this error, and kept: V1__a.sql"
    );
    assert!(!jetbase::lock_status(&one(), DatabaseUrl(&ctx.db.url)).await?.locked);
    let corrected = [files[0], ("V2__releases.sql", "CREATE TABLE b (id INTEGER);\n")];
    assert_eq!(jetbase::run_url(&set(&corrected), &ctx.db.url).await?.applied.len(), 1);
    Ok(())
}

async fn recovers(ctx: TestContext) -> TestResult {
    let id = make_lock_stale(&ctx).await?;
    let more = set(&[
        ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n"),
        ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n"),
    ]);
    let status = jetbase::lock_status(&more, DatabaseUrl(&ctx.db.url)).await?;
    assert_eq!((status.locked, status.alive), (true, Some(false)), "{status}");
    let report = jetbase::run_url(&more, &ctx.db.url).wait(Wait::Never).await?;
    assert_eq!(report.recovered.as_deref(), Some(id.as_str()));
    assert_eq!(report.applied.len(), 1);
    Ok(())
}

async fn releases_stale(ctx: TestContext) -> TestResult {
    let id = make_lock_stale(&ctx).await?;
    let report = jetbase::run_url(&one(), &ctx.db.url).wait(Wait::Never).await?;
    assert!(report.is_up_to_date());
    assert_eq!(report.recovered.as_deref(), Some(id.as_str()));
    assert_eq!(ctx.db.value("SELECT is_locked FROM jetbase_lock").await?.as_deref(), Some("0"));
    // A run keeps the lock of a holder whose liveness it cannot check.
    ctx.db.execute(ACQUIRE_AS_PYTHON).await?;
    assert_eq!(jetbase::run_url(&one(), &ctx.db.url).await?.recovered, None);
    assert_eq!(ctx.db.value("SELECT is_locked FROM jetbase_lock").await?.as_deref(), Some("1"));
    Ok(())
}

/// Starts a run of one file, which takes this many seconds, and waits until the file runs.
async fn start_slow_run(
    db: &Database,
    seconds: u32,
) -> Result<(Migrations, JoinHandle<Result<Report, jetbase::Error>>), TestError> {
    let set = set(&[("V1__slow.sql", &slow(db.kind, seconds))]);
    let (run, started) = notify_at_start(jetbase::run_url(&set, &db.url), "V1__slow.sql");
    let run = tokio::spawn(run.into_future());
    started.await?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok((set, run))
}

/// A running file keeps the row locked, but not on MySQL. There, the run detects at its next check
/// that the lock is lost, and stops.
async fn forced_unlock(ctx: TestContext) -> TestResult {
    let (set, run) = start_slow_run(&ctx.db, 6).await?;
    let began = Instant::now();
    let unlocked = jetbase::unlock(&set, DatabaseUrl(&ctx.db.url)).force().await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let end = run.await?;
    if ctx.kind == DatabaseKind::Mysql {
        assert!(unlocked?.holder.is_some());
        let error = end.expect_err("lost");
        assert!(matches!(error.kind(), ErrorKind::LockLost { .. }), "{error:#}");
    } else {
        let text = unlocked.expect_err("busy").to_string();
        assert!(text.starts_with("the lock cannot be released now: process 6a6250"), "{text}");
        assert!(
            text.contains(" is executing a migration under it; wait until it is done"),
            "{text}"
        );
        assert_eq!(end?.applied.len(), 1);
    }
    Ok(())
}

async fn shows_live_holder(ctx: TestContext) -> TestResult {
    let (set, run) = start_slow_run(&ctx.db, 2).await?;
    let status = jetbase::lock_status(&set, DatabaseUrl(&ctx.db.url)).await?;
    assert_eq!((status.locked, status.alive), (true, Some(true)), "{status}");
    if ctx.kind == DatabaseKind::Postgres {
        let holder = status.holder.as_deref().unwrap_or_default();
        assert!(holder.contains(", jetbase V1__slow.sql 1/1, active"), "{status}");
    }
    let error =
        jetbase::unlock(&set, DatabaseUrl(&ctx.db.url)).await.expect_err("the holder is alive");
    assert!(
        format!("{error:#}").contains("; the holder is alive: wait until it is done, or end it"),
        "{error:#}"
    );
    let error = jetbase::run_url(&set, &ctx.db.url).wait(Wait::Never).await.expect_err("held");
    assert!(matches!(error.kind(), ErrorKind::Held { alive: Some(true), .. }), "{error:#}");
    run.await??;
    Ok(())
}

async fn many_runs_at_once(ctx: TestContext) -> TestResult {
    let set = set(&[
        ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n"),
        ("V2__b.sql", "INSERT INTO a (id) VALUES (1);\n"),
        ("V3__c.sql", "INSERT INTO a (id) VALUES (2);\n"),
    ]);
    let runs: Vec<_> = (0..16)
        .map(|_| {
            let (set, url) = (set.clone(), ctx.db.url.clone());
            tokio::spawn(async move { jetbase::run_url(&set, &url).await })
        })
        .collect();
    let mut applied = 0;
    for run in runs {
        applied += run.await??.applied.len();
    }
    assert_eq!(applied, 3);
    assert_eq!(ctx.db.value("SELECT count(*) FROM a").await?.as_deref(), Some("2"));
    Ok(())
}

async fn releases_after_failure(ctx: TestContext) -> TestResult {
    let broken = set(&[
        ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n"),
        (
            "V2__broken.sql",
            "INSERT INTO a (id) VALUES (1);\nINSERT INTO nowhere (id) VALUES (2);\n",
        ),
    ]);
    let error = jetbase::run_url(&broken, &ctx.db.url).await.expect_err("no such table");
    let ErrorKind::Statement(failed) = error.kind() else { panic!("{error:#}") };
    assert_eq!(failed.file, "V2__broken.sql");
    assert_eq!(failed.position.map(|it| it.line), Some(2), "{error:#}");
    assert_eq!(failed.statement, Some((2, 2)), "{error:#}");
    assert_eq!(failed.kept, Kept::Nothing, "{error:#}");
    assert!(format!("{error:#}").contains("INSERT INTO nowhere (id) VALUES (2);"), "{error:#}");
    assert!(
        format!("{error:#}").ends_with("done before this error, and kept: V1__a.sql"),
        "{error:#}"
    );
    assert_eq!(ctx.db.value("SELECT count(*) FROM a").await?.as_deref(), Some("0"));
    assert_eq!(ctx.db.value("SELECT is_locked FROM jetbase_lock").await?.as_deref(), Some("0"));
    Ok(())
}

async fn missing_row(ctx: TestContext) -> TestResult {
    jetbase::run_url(&one(), &ctx.db.url).await?;
    ctx.db.execute("DELETE FROM jetbase_lock").await?;
    let more = set(&[
        ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n"),
        ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n"),
    ]);
    assert_eq!(jetbase::run_url(&more, &ctx.db.url).await?.applied.len(), 1);
    ctx.db.execute("DROP TABLE jetbase_lock").await?;
    assert_eq!(
        jetbase::lock_status(&more, DatabaseUrl(&ctx.db.url)).await?.to_string(),
        "Status: UNLOCKED"
    );
    let third = set(&[
        ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n"),
        ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n"),
        ("V3__c.sql", "CREATE TABLE c (id INTEGER);\n"),
    ]);
    assert_eq!(jetbase::run_url(&third, &ctx.db.url).await?.applied.len(), 1);
    Ok(())
}
