//! Processes are killed at random times and started again.

use std::time::Duration;

use jetbase_test_harness::TestError;

use crate::case::{CaseContext, CaseResult};
use crate::files;
use crate::journal::percentiles;
use crate::worker_group::{StartMode, WorkerGroup};

/// The number of workers at the same time.
const WORKERS: usize = 20;

/// The number of files for one database.
const VERSIONS: usize = 60;

/// The sums over all databases.
#[derive(Default)]
struct CrashTotals {
    kills: usize,
    databases: usize,
    periods: usize,
    recovered: usize,
    /// How often the lock was stale after the last file.
    stale: usize,
    times: Vec<Duration>,
}

pub(crate) async fn crash(ctx: CaseContext) -> CaseResult {
    let wanted = ctx.size.pick(200, 15);
    let mut sum = CrashTotals::default();
    while sum.kills < wanted {
        sum.databases += 1;
        let number = sum.databases;
        run_database(&ctx, &mut sum, wanted)
            .await
            .map_err(|error| format!("database {number}: {error:#}"))?;
    }
    let CrashTotals { kills, databases, periods, recovered, stale, times } = sum;
    let of_holders = times.len();
    let (median, last) = percentiles(times);
    Ok(format!(
        "{kills} kills, {of_holders} of them of the holder, {recovered} recovered locks, {periods} periods of the lock on \
         {databases} databases: no overlap, each version once; from the kill to the next holder {median:.1?}, \
         99 % {last:.1?}; {stale} locks were stale after the last file, and the next process released them"
    ))
}

/// One database, from empty to the last version.
async fn run_database(
    ctx: &CaseContext,
    sum: &mut CrashTotals,
    wanted: usize,
) -> Result<(), TestError> {
    let workers = ctx.size.pick(WORKERS, 8);
    let db = ctx.fresh().await?;
    let mut group = WorkerGroup::new(&db, &files::effects(db.kind, VERSIONS, 20))?;
    let start = |group: &mut WorkerGroup| {
        // Some workers apply one file per run, some several files, and some all files.
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
        let any_worker = group.workers[fastrand::usize(..group.workers.len())].pid;
        let target =
            group.journal.holder().filter(|_| fastrand::u8(..100) < 60).unwrap_or(any_worker);
        if group.kill(target).await? {
            sum.kills += 1;
            start(&mut group)?;
        }
    }
    // A worker that was killed between its last file and the release leaves a stale lock. The next
    // process releases it, also with nothing pending.
    if files::check_lock_is_free(&db).await.is_err() {
        sum.stale += 1;
        group.start(&["limit=10"], StartMode::AtOnce)?;
        group.finish(Duration::from_secs(5)).await?;
        files::check_lock_is_free(&db).await?;
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
