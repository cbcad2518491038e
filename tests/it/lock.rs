use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use jetbase::{DatabaseUrl, ErrorKind, Event, Kept, Migrations, Report, Wait};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};
use sqlx::{Connection as _, MySqlConnection};
use tokio::task::JoinHandle;

use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let all = DatabaseKind::ALL;
    let nothing = Needs::NOTHING;
    suite.each("waits_no_longer_than_allowed", all, nothing, gives_up);
    suite.each("goes_on_when_the_lock_comes_free", all, nothing, waits);
    suite.each("stops_when_the_lock_is_taken_away", all, nothing, loses);
    suite.each(
        "refuses_a_file_that_gives_the_lock_away",
        DatabaseKind::SERVERS,
        nothing,
        gives_away,
    );
    suite.each(
        "a_statement_that_stays_is_recorded_in_the_end",
        &[DatabaseKind::Mysql],
        nothing,
        insists,
    );
    suite.each("takes_over_from_the_dead", all, nothing, recovers);
    suite.each("frees_what_the_dead_left_with_nothing_to_do", all, nothing, tidies);
    suite.each("sees_a_living_holder", all, nothing, sees_the_living);
    suite.each("a_forced_unlock_does_not_hang", all, nothing, forces);
    suite.each("starts_sixteen_times_from_nothing", all, nothing, storm);
    suite.each("frees_the_lock_behind_a_failure", all, nothing, frees);
    suite.each("brings_a_missing_lock_row_back", all, nothing, missing_row);
}

fn one() -> Migrations {
    set(&[("V1__a.sql", "CREATE TABLE a (id INTEGER);\n")])
}

/// Asks the database from inside a listener, which may not wait on the runtime that it runs on.
pub(crate) fn aside(db: &Database, sql: &str) -> Option<String> {
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime
                .block_on(db.rows(sql))
                .expect("an answer")
                .into_iter()
                .flatten()
                .next()
                .flatten()
        });
        asking.join().expect("the thread")
    })
}

/// Takes the lock as the Python tool does.
const PYTHON: &str = "UPDATE jetbase_lock SET is_locked = TRUE, locked_at = CURRENT_TIMESTAMP, \
                      process_id = '7f9c24e8-3b12-4fef-91e0-56a2d5a3f1c0' WHERE id = 1";
const FREE: &str =
    "UPDATE jetbase_lock SET is_locked = FALSE, locked_at = NULL, process_id = NULL WHERE id = 1";

async fn gives_up(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    jetbase::run(&set(&[("V0__first.sql", "SELECT 1;\n")]), target).await?;
    ctx.db.execute(PYTHON).await?;
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
    // With nothing pending nobody needs the lock.
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
    ctx.db.execute(PYTHON).await?;
    let more =
        set(&[("V0__first.sql", "SELECT 1;\n"), ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n")]);
    let url = ctx.db.url.clone();
    let run = tokio::spawn(async move { jetbase::run_url(&more, &url).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!run.is_finished());
    ctx.db.execute(FREE).await?;
    let report = run.await??;
    assert_eq!(report.applied.len(), 1);
    assert!(report.waited >= Duration::from_millis(300), "{:?}", report.waited);
    Ok(())
}

async fn loses(ctx: TestContext) -> TestResult {
    let sleep = match ctx.kind {
        DatabaseKind::Sqlite => "SELECT 1;\n",
        DatabaseKind::Postgres => "SELECT pg_sleep(0.5);\n",
        DatabaseKind::Mysql => "DO SLEEP(0.5);\n",
    };
    let insert = "CREATE TABLE b (id INTEGER);\n";
    let set = set(&[
        ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n"),
        ("V2__sleep.sql", sleep),
        ("V3__b.sql", insert),
    ]);
    let db = ctx.db.clone();
    // Between two files nothing holds the row: there the operator's unlock succeeds everywhere.
    let run = jetbase::run_url(&set, &ctx.db.url).on_event(move |event| {
        if matches!(event, Event::Finished { file, .. } if file == "V2__sleep.sql") {
            aside(&db, FREE);
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

/// Leaves a row behind as a run of ours that was killed: its id is taken from a real run.
async fn leave_behind(ctx: &TestContext) -> Result<String, jetbase_test_harness::TestError> {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(None));
    let (db, note) = (ctx.db.clone(), std::sync::Arc::clone(&seen));
    let run = jetbase::run_url(&one(), &ctx.db.url).on_event(move |event| {
        if matches!(event, Event::Acquired { .. }) {
            *note.lock().expect("no panic before") =
                aside(&db, "SELECT process_id FROM jetbase_lock");
        }
    });
    run.await?;
    let id = seen.lock().expect("no panic before").clone().ok_or("nobody held the lock")?;
    ctx.db.execute(&PYTHON.replace("7f9c24e8-3b12-4fef-91e0-56a2d5a3f1c0", &id)).await?;
    Ok(id)
}

/// What commits by itself is done; its row is tried again when somebody stands in the way.
async fn insists(ctx: TestContext) -> TestResult {
    let text = "-- jetbase: lock_timeout=1s\nCREATE TABLE a (id INTEGER);\nINSERT INTO a VALUES (1);\n\
                CREATE TABLE b (id INTEGER);\nINSERT INTO b VALUES (2);\n";
    let set = set(&[("V1__a.sql", text)]);
    let tries = Arc::new(AtomicU32::new(0));
    let (count, url) = (Arc::clone(&tries), ctx.db.url.clone());
    let run = jetbase::run_url(&set, &ctx.db.url).on_event(move |event| match event {
        Event::Started { .. } => lock_row_for(&url, Duration::from_millis(2500)),
        Event::Retrying { .. } => {
            count.fetch_add(1, Ordering::SeqCst);
        }
        _ => {}
    });
    assert_eq!(run.await?.applied.len(), 1);
    assert!(tries.load(Ordering::SeqCst) > 0, "nobody stood in the way");
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

/// A file that gives back all locks of its session is not recorded, and told what it does.
async fn gives_away(ctx: TestContext) -> TestResult {
    let gives = match ctx.kind {
        DatabaseKind::Postgres => "SELECT 1 FROM (SELECT pg_advisory_unlock_all()) AS gone;\n",
        _ => "DO RELEASE_ALL_LOCKS();\n",
    };
    let files = [("V1__a.sql", "CREATE TABLE a (id INTEGER);\n"), ("V2__gives.sql", gives)];
    let error = jetbase::run_url(&set(&files), &ctx.db.url).await.expect_err("refused");
    assert_eq!(
        format!("{error:#}"),
        "V2__gives.sql: it releases all locks of its session, including jetbase's session lock\n   \
         = hint: release only the file's own locks, not all of them: without pg_advisory_unlock_all(), \
         RELEASE_ALL_LOCKS() and DISCARD ALL\nnothing of this file was kept; correct it and run again\n\
         done before this error, and kept: V1__a.sql"
    );
    assert!(!jetbase::lock_status(&one(), DatabaseUrl(&ctx.db.url)).await?.locked);
    let mended = [files[0], ("V2__gives.sql", "CREATE TABLE b (id INTEGER);\n")];
    assert_eq!(jetbase::run_url(&set(&mended), &ctx.db.url).await?.applied.len(), 1);
    Ok(())
}

async fn recovers(ctx: TestContext) -> TestResult {
    let id = leave_behind(&ctx).await?;
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

async fn tidies(ctx: TestContext) -> TestResult {
    let id = leave_behind(&ctx).await?;
    let report = jetbase::run_url(&one(), &ctx.db.url).wait(Wait::Never).await?;
    assert!(report.is_up_to_date());
    assert_eq!(report.recovered.as_deref(), Some(id.as_str()));
    assert_eq!(ctx.db.value("SELECT is_locked FROM jetbase_lock").await?.as_deref(), Some("0"));
    // The lock of somebody of whom nobody can know is left alone.
    ctx.db.execute(PYTHON).await?;
    assert_eq!(jetbase::run_url(&one(), &ctx.db.url).await?.recovered, None);
    assert_eq!(ctx.db.value("SELECT is_locked FROM jetbase_lock").await?.as_deref(), Some("1"));
    Ok(())
}

/// A run in the middle of its only file, which takes some seconds.
async fn in_the_middle(
    db: &Database,
    seconds: u32,
) -> Result<(Migrations, JoinHandle<Result<Report, jetbase::Error>>), TestError> {
    let slow = match db.kind {
        DatabaseKind::Sqlite => format!(
            "CREATE TABLE slow AS WITH RECURSIVE n(i) AS \
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT max(i) AS i FROM n;\n",
            seconds * 2_000_000
        ),
        DatabaseKind::Postgres => format!("SELECT pg_sleep({seconds});\n"),
        DatabaseKind::Mysql => format!("DO SLEEP({seconds});\n"),
    };
    let set = set(&[("V1__slow.sql", &slow)]);
    let (tell, told) = tokio::sync::oneshot::channel();
    let mut tell = Some(tell);
    let run = jetbase::run_url(&set, &db.url).on_event(move |event| {
        if matches!(event, Event::Started { .. }) {
            tell.take().map(|tell| tell.send(()));
        }
    });
    let run = tokio::spawn(run.into_future());
    told.await?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok((set, run))
}

/// A file in work holds the row, but on MySQL, where the fence behind it stops the run.
async fn forces(ctx: TestContext) -> TestResult {
    let (set, run) = in_the_middle(&ctx.db, 6).await?;
    let began = Instant::now();
    let unlocked = jetbase::unlock(&set, DatabaseUrl(&ctx.db.url)).force().await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let end = run.await?;
    if ctx.kind == DatabaseKind::Mysql {
        assert!(unlocked?.holder.is_some());
        let error = end.expect_err("lost");
        assert!(matches!(error.kind(), ErrorKind::LockLost { .. }), "{error:#}");
    } else {
        let told = unlocked.expect_err("busy").to_string();
        assert!(told.starts_with("the lock cannot be released now: process 6a6250"), "{told}");
        assert!(
            told.contains(" is executing a migration under it; wait until it is done"),
            "{told}"
        );
        assert_eq!(end?.applied.len(), 1);
    }
    Ok(())
}

async fn sees_the_living(ctx: TestContext) -> TestResult {
    let (set, run) = in_the_middle(&ctx.db, 2).await?;
    let status = jetbase::lock_status(&set, DatabaseUrl(&ctx.db.url)).await?;
    assert_eq!((status.locked, status.alive), (true, Some(true)), "{status}");
    if ctx.kind == DatabaseKind::Postgres {
        let holder = status.holder.as_deref().unwrap_or_default();
        assert!(holder.contains(", jetbase V1__slow.sql 1/1, active"), "{status}");
    }
    let error =
        jetbase::unlock(&set, DatabaseUrl(&ctx.db.url)).await.expect_err("the holder lives");
    assert!(
        format!("{error:#}").contains("; the holder is alive: wait until it is done, or end it"),
        "{error:#}"
    );
    let error = jetbase::run_url(&set, &ctx.db.url).wait(Wait::Never).await.expect_err("held");
    assert!(matches!(error.kind(), ErrorKind::Held { alive: Some(true), .. }), "{error:#}");
    run.await??;
    Ok(())
}

async fn storm(ctx: TestContext) -> TestResult {
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

async fn frees(ctx: TestContext) -> TestResult {
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
