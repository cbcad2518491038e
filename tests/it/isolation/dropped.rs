use std::task::Poll;

use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnection, SqlitePoolOptions};

use super::abandoned::{SOON, checked, files, goes_on, is_complete, shown};
use super::same_lines;

pub(crate) fn register(suite: &mut Suite) {
    let (nothing, sqlite) = (Needs::NOTHING, &[DatabaseKind::Sqlite][..]);
    suite.each("a_dropped_run_does_not_change_the_callers_connection", sqlite, nothing, dropped);
    suite.each("a_dropped_run_does_not_change_a_pool", sqlite, nothing, dropped_with_pool);
}

/// Polls a future so many times, and then drops it; says whether it was finished before.
async fn drop_after<F: Future>(polls: usize, future: F) -> bool {
    let mut future = Box::pin(future);
    let mut count = 0;
    std::future::poll_fn(|context| {
        count += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if count >= polls => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn dropped(ctx: TestContext) -> TestResult {
    let all = files(ctx.kind);
    let mut wrong = Vec::new();
    let (mut polls, mut finished) = (1, false);
    // A few failures tell enough.
    while !finished && wrong.len() < 5 {
        assert!(polls < 2000, "the run never ends");
        let db = ctx.another().await?;
        let mut caller = SqliteConnection::connect(&db.url).await?;
        let before = shown!(&mut caller, ctx.kind);
        finished = drop_after(polls, jetbase::run(&all, &mut caller).into_future()).await;
        let mut done = checked(&mut caller, &before).await;
        if done.is_ok() {
            done = goes_on(&db, &all).await;
        }
        if let Err(error) = done {
            wrong.push(format!("after {polls} polls: {error:#}"));
        }
        polls += 1;
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

async fn dropped_with_pool(ctx: TestContext) -> TestResult {
    let all = files(ctx.kind);
    let (mut polls, mut finished) = (1, false);
    while !finished {
        assert!(polls < 2000, "the run never ends");
        let db = ctx.another().await?;
        let pool = SqlitePoolOptions::new().max_connections(1).connect(&db.url).await?;
        let before = shown!(pool.acquire().await?, ctx.kind);
        finished = drop_after(polls, jetbase::run(&all, &pool).into_future()).await;
        jetbase::run(&all, &pool).wait(SOON).await?;
        let after = shown!(pool.acquire().await?, ctx.kind);
        same_lines(&format!("after {polls} polls, the pool's connection"), &before, &after)?;
        pool.close().await;
        is_complete(&db).await?;
        polls += 1;
    }
    Ok(())
}
