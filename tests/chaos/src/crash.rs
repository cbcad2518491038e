//! Processes are killed at random moments, and started again.

use std::time::Duration;

use jetbase_test_harness::TestError;

use crate::bench::{CaseContext, CaseResult};
use crate::files;
use crate::journal::spread;
use crate::worker_group::{StartMode, WorkerGroup};

/// How many workers there are at any time.
const WORKERS: usize = 20;

/// How many files one database takes.
const VERSIONS: usize = 60;

/// What is added up over all databases.
#[derive(Default)]
struct CrashTotals {
    kills: usize,
    databases: usize,
    periods: usize,
    recovered: usize,
    /// How often the row was left behind the last file.
    left: usize,
    times: Vec<Duration>,
}

pub(crate) async fn crash(ctx: CaseContext) -> CaseResult {
    let wanted = ctx.size.pick(200, 15);
    let mut sum = CrashTotals::default();
    while sum.kills < wanted {
        sum.databases += 1;
        let number = sum.databases;
        epoch(&ctx, &mut sum, wanted)
            .await
            .map_err(|error| format!("database {number}: {error:#}"))?;
    }
    let CrashTotals { kills, databases, periods, recovered, left, times } = sum;
    let of_holders = times.len();
    let (median, last) = spread(times);
    Ok(format!(
        "{kills} kills, {of_holders} of them of the holder, {recovered} takeovers, {periods} times held on \
         {databases} databases: no overlap, each version once; from the kill to the next holder {median:.1?}, \
         99 % {last:.1?}; {left} rows left behind the last file, freed by the next process"
    ))
}

/// One database, from empty to the last version.
async fn epoch(ctx: &CaseContext, sum: &mut CrashTotals, wanted: usize) -> Result<(), TestError> {
    let workers = ctx.size.pick(WORKERS, 8);
    let db = ctx.fresh().await?;
    let mut group = WorkerGroup::new(&db, &files::effects(db.kind, VERSIONS, 20))?;
    let start = |group: &mut WorkerGroup| {
        // Some take one file at a time, some several, some all.
        let step = ["step=1", "step=3", ""][fastrand::usize(..3)];
        group.start(&[step, "limit=120"], StartMode::AtOnce)
    };
    for _ in 0..workers {
        start(&mut group)?;
    }
    while !group.workers.is_empty() {
        let pause = Duration::from_millis(fastrand::u64(10..120));
        tokio::time::sleep(pause).await;
        group.reap()?;
        if sum.kills >= wanted || group.workers.is_empty() {
            continue;
        }
        group.journal.refresh()?;
        let anybody = group.workers[fastrand::usize(..group.workers.len())].pid;
        let killed = group.journal.holder().filter(|_| fastrand::u8(..100) < 60).unwrap_or(anybody);
        if group.kill(killed).await? {
            sum.kills += 1;
            start(&mut group)?;
        }
    }
    // Who was killed behind the last file, before the release, left a row that nobody needed since:
    // the next process frees it, though it has nothing else to do.
    if files::free(&db).await.is_err() {
        sum.left += 1;
        group.start(&["limit=10"], StartMode::AtOnce)?;
        group.finish(Duration::from_secs(5)).await?;
        files::free(&db).await?;
    }
    group.write(&[files::effect(db.kind, VERSIONS + 1, 1)])?;
    group.start(&["limit=10"], StartMode::AtOnce)?;
    group.finish(Duration::from_secs(5)).await?;
    group.journal.no_errors()?;
    sum.periods += group.journal.no_overlap()?;
    sum.recovered += group.journal.count("recovered");
    sum.times.extend(group.journal.recoveries());
    files::verify(&db, VERSIONS + 1).await?;
    db.remove().await;
    Ok(())
}
