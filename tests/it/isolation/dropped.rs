use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnection, SqlitePoolOptions};

use super::abandoned::{SOON, check_caller, check_next_run, files, is_complete, session_state};
use super::{result_of, same_lines};
use crate::targets::drop_after;

pub(crate) fn register(suite: &mut Suite) {
    let (nothing, sqlite) = (Needs::NOTHING, &[DatabaseKind::Sqlite][..]);
    suite.each("a_dropped_run_does_not_change_the_callers_connection", sqlite, nothing, dropped);
    suite.each("a_dropped_run_does_not_change_a_pool", sqlite, nothing, dropped_with_pool);
    suite.each("a_dropped_command_keeps_a_memory_database", sqlite, nothing, dropped_in_memory);
}

async fn dropped(ctx: TestContext) -> TestResult {
    let all = files(ctx.kind);
    let mut errors = Vec::new();
    let (mut polls, mut finished) = (1, false);
    // A few failures are enough.
    while !finished && errors.len() < 5 {
        assert!(polls < 2000, "the run never ends");
        let db = ctx.another().await?;
        let mut caller = SqliteConnection::connect(&db.url).await?;
        let before = session_state!(&mut caller, ctx.kind);
        finished = drop_after(polls, jetbase::run(&all, &mut caller).into_future()).await;
        let mut result = check_caller(&mut caller, &before).await;
        if result.is_ok() {
            result = check_next_run(&db, &all).await;
        }
        if let Err(error) = result {
            errors.push(format!("after {polls} polls: {error:#}"));
        }
        polls += 1;
    }
    result_of(errors)
}

async fn dropped_with_pool(ctx: TestContext) -> TestResult {
    let all = files(ctx.kind);
    let (mut polls, mut finished) = (1, false);
    while !finished {
        assert!(polls < 2000, "the run never ends");
        let db = ctx.another().await?;
        let pool = SqlitePoolOptions::new().max_connections(1).connect(&db.url).await?;
        let before = session_state!(pool.acquire().await?, ctx.kind);
        finished = drop_after(polls, jetbase::run(&all, &pool).into_future()).await;
        jetbase::run(&all, &pool).wait(SOON).await?;
        let after = session_state!(pool.acquire().await?, ctx.kind);
        same_lines(&format!("after {polls} polls, the pool's connection"), &before, &after)?;
        pool.close().await;
        is_complete(&db).await?;
        polls += 1;
    }
    Ok(())
}

/// A memory database ends with the only connection of its pool.
async fn dropped_in_memory(ctx: TestContext) -> TestResult {
    let all = files(ctx.kind);
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    sqlx::raw_sql("CREATE TABLE kept (id INTEGER); PRAGMA busy_timeout = 4321")
        .execute(&pool)
        .await?;
    let check = async |what: &str, polls: usize| -> TestResult {
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM kept").fetch_one(&pool).await?;
        let timeout: i64 = sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(&pool).await?;
        assert_eq!((kept, timeout), (0, 4321), "{what} dropped after {polls} polls");
        Ok(())
    };
    let (mut polls, mut finished) = (1, false);
    while !finished {
        assert!(polls < 2000, "status never ends");
        finished = drop_after(polls, jetbase::status(&all, &pool).into_future()).await;
        check("status", polls).await?;
        polls += 1;
    }
    (polls, finished) = (1, false);
    while !finished {
        assert!(polls < 2000, "the run never ends");
        finished = drop_after(polls, jetbase::run(&all, &pool).into_future()).await;
        check("the run", polls).await?;
        polls += 1;
    }
    jetbase::run(&all, &pool).wait(SOON).await?;
    let last = jetbase::run(&all, &pool).await?;
    assert!(last.is_up_to_date());
    Ok(())
}
