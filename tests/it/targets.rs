use std::sync::{Arc, Mutex};

use jetbase::sqlx::{self, Connection};
use jetbase::{Event, Migrations};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};

use crate::apply::set;
use crate::run_in_progress::{notify_at_start, slow};

pub(crate) fn register(suite: &mut Suite) {
    suite.each(
        "a_run_works_with_a_pool_in_a_task",
        DatabaseKind::ALL,
        Needs::NOTHING,
        pool_in_a_task,
    );
    suite.each("a_run_works_with_a_connection", DatabaseKind::ALL, Needs::NOTHING, connection);
    suite.each("a_listener_gets_the_events_in_order", DatabaseKind::ALL, Needs::NOTHING, events);
    suite.each(
        "a_dropped_run_finishes_the_current_file",
        DatabaseKind::ALL,
        Needs::NOTHING,
        dropped,
    );
    suite.each(
        "a_run_dropped_at_any_moment_executes_nothing_twice",
        DatabaseKind::ALL,
        Needs::NOTHING,
        dropped_anywhere,
    );
    suite.once("a_url_with_an_unknown_scheme_is_an_error", Needs::NOTHING, scheme);
}

fn two() -> Migrations {
    set(&[
        ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n"),
        ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n"),
    ])
}

async fn pool_in_a_task(ctx: TestContext) -> TestResult {
    let set = two();
    let url = ctx.db.url.clone();
    let report = match ctx.kind {
        DatabaseKind::Sqlite => {
            let pool = sqlx::SqlitePool::connect(&url).await?;
            tokio::spawn(async move { jetbase::run(&set, &pool).await }).await??
        }
        DatabaseKind::Postgres => {
            let pool = sqlx::PgPool::connect(&url).await?;
            tokio::spawn(async move { jetbase::run(&set, &pool).await }).await??
        }
        DatabaseKind::Mysql => {
            let pool = sqlx::MySqlPool::connect(&url).await?;
            tokio::spawn(async move { jetbase::run(&set, &pool).await }).await??
        }
    };
    assert_eq!(report.applied.len(), 2);
    Ok(())
}

async fn connection(ctx: TestContext) -> TestResult {
    let set = two();
    match ctx.kind {
        DatabaseKind::Sqlite => {
            let mut connection = sqlx::SqliteConnection::connect(&ctx.db.url).await?;
            assert_eq!(jetbase::run(&set, &mut connection).await?.applied.len(), 2);
            let on: i64 =
                sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&mut connection).await?;
            assert_eq!(on, 1, "the foreign keys are still off");
        }
        DatabaseKind::Postgres => {
            let mut connection = sqlx::PgConnection::connect(&ctx.db.url).await?;
            sqlx::raw_sql("SET statement_timeout = '123s'").execute(&mut connection).await?;
            assert_eq!(jetbase::run(&set, &mut connection).await?.applied.len(), 2);
            let timeout: String =
                sqlx::query_scalar("SHOW statement_timeout").fetch_one(&mut connection).await?;
            assert_eq!(timeout, "123s", "the setting of the caller changed");
        }
        DatabaseKind::Mysql => {
            let mut connection = sqlx::MySqlConnection::connect(&ctx.db.url).await?;
            assert_eq!(jetbase::run(&set, &mut connection).await?.applied.len(), 2);
            let zone: String =
                sqlx::query_scalar("SELECT @@SESSION.time_zone").fetch_one(&mut connection).await?;
            assert_eq!(zone, "+00:00", "the setting of the caller changed");
        }
    }
    Ok(())
}

async fn events(ctx: TestContext) -> TestResult {
    let events = Arc::new(Mutex::new(Vec::new()));
    let received = Arc::clone(&events);
    let run = jetbase::run_url(&two(), &ctx.db.url).on_event(move |event| {
        let text = match event {
            Event::Acquired { .. } => "acquired".to_owned(),
            Event::Started { file, number, of, .. } => format!("{file} {number}/{of}"),
            Event::Finished { file, .. } => format!("{file} done"),
            Event::Released => "released".to_owned(),
            other => other.to_string(),
        };
        received.lock().unwrap().push(text);
    });
    run.await?;
    let events = events.lock().unwrap().clone();
    // SQLite gets each statement in a message of its own, and an event reports it.
    let statement = |file: &str| match ctx.kind {
        DatabaseKind::Sqlite => vec![format!("{file}: executing statement 1 of 1")],
        _ => Vec::new(),
    };
    let text = |text: &str| vec![text.to_owned()];
    let expected = [
        text("acquired"),
        text("V1__a.sql 1/2"),
        statement("V1__a.sql"),
        text("V1__a.sql done"),
        text("V2__b.sql 2/2"),
        statement("V2__b.sql"),
        text("V2__b.sql done"),
        text("released"),
    ];
    assert_eq!(events, expected.concat());
    Ok(())
}

async fn dropped(ctx: TestContext) -> TestResult {
    let slow = slow(ctx.kind, 1);
    let set = set(&[("V1__slow.sql", &slow), ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n")]);
    let (run, started) = notify_at_start(jetbase::run_url(&set, &ctx.db.url), "V1__slow.sql");
    let task = tokio::spawn(run.into_future());
    started.await?;
    task.abort();
    let mut state = None;
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        state = ctx.db.value("SELECT is_locked FROM jetbase_lock").await?;
        if state.as_deref() == Some("0") {
            break;
        }
    }
    assert_eq!(state.as_deref(), Some("0"), "the lock was not released");
    let rows = ctx.db.rows("SELECT filename FROM jetbase_migrations").await?;
    assert_eq!(rows, [[Some("V1__slow.sql".to_owned())]], "only the current file is finished");
    Ok(())
}

/// Polls a future so many times, and then drops it. Returns whether it was finished before.
pub(crate) async fn drop_after<F: Future>(polls: usize, future: F) -> bool {
    let mut future = Box::pin(future);
    let mut count = 0;
    std::future::poll_fn(|context| {
        count += 1;
        match future.as_mut().poll(context) {
            std::task::Poll::Ready(_) => std::task::Poll::Ready(true),
            std::task::Poll::Pending if count >= polls => std::task::Poll::Ready(false),
            std::task::Poll::Pending => std::task::Poll::Pending,
        }
    })
    .await
}

async fn dropped_anywhere(ctx: TestContext) -> TestResult {
    let set = set(&[
        // On MySQL, a table is kept if the program ends before it records the file.
        ("V1__a.sql", "CREATE TABLE IF NOT EXISTS a (id INTEGER);\n-- rollback\nDROP TABLE a;\n"),
        ("V2__b.sql", "INSERT INTO a (id) VALUES (1);\n-- rollback\nDELETE FROM a;\n"),
        ("V3__c.sql", "INSERT INTO a (id) VALUES (2);\n-- rollback\nDELETE FROM a WHERE id = 2;\n"),
    ]);
    for borrowed in [false, true] {
        let mut finished = false;
        let mut polls = 1;
        while !finished {
            assert!(polls < 2000, "the run never ends");
            finished = once_dropped(&ctx, &set, polls, borrowed).await?;
            // The dropped run finishes its current file. Then the next run applies the other files.
            for _ in 0..200 {
                let unlocked = jetbase::unlock(&set, jetbase::DatabaseUrl(&ctx.db.url)).await;
                match unlocked {
                    Ok(_) => break,
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
                }
            }
            jetbase::run_url(&set, &ctx.db.url).await?;
            let effects = ctx.db.value("SELECT count(*) FROM a").await?;
            assert_eq!(effects.as_deref(), Some("2"), "after {polls} polls");
            let rows = ctx.db.value("SELECT count(*) FROM jetbase_migrations").await?;
            assert_eq!(rows.as_deref(), Some("3"), "after {polls} polls");
            jetbase::rollback(&set, jetbase::DatabaseUrl(&ctx.db.url)).all().await?;
            polls += 1;
        }
    }
    Ok(())
}

async fn once_dropped(
    ctx: &TestContext,
    set: &Migrations,
    polls: usize,
    borrowed: bool,
) -> Result<bool, jetbase_test_harness::TestError> {
    let url = ctx.db.url.as_str();
    if !borrowed {
        return Ok(drop_after(polls, jetbase::run_url(set, url).into_future()).await);
    }
    // The connection is dropped with the future, because it may be in the middle of a message.
    Ok(match ctx.kind {
        DatabaseKind::Sqlite => {
            let mut connection = sqlx::SqliteConnection::connect(url).await?;
            drop_after(polls, jetbase::run(set, &mut connection).into_future()).await
        }
        DatabaseKind::Postgres => {
            let mut connection = sqlx::PgConnection::connect(url).await?;
            drop_after(polls, jetbase::run(set, &mut connection).into_future()).await
        }
        DatabaseKind::Mysql => {
            let mut connection = sqlx::MySqlConnection::connect(url).await?;
            drop_after(polls, jetbase::run(set, &mut connection).into_future()).await
        }
    })
}

async fn scheme() -> TestResult {
    let error =
        jetbase::run_url(&two(), "oracle://x:secret@y/z").await.expect_err("no such scheme");
    assert_eq!(
        format!("{error:#}"),
        "the database URL does not begin with `postgres://`, `mysql://`, `mariadb://` or `sqlite://`; correct it"
    );
    Ok(())
}

use std::future::IntoFuture;
