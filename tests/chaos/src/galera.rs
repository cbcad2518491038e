//! A Galera cluster: many processes on all nodes, and a holder whose node is killed or stopped.

use std::path::Path;
use std::time::{Duration, Instant};

use jetbase::{DatabaseUrl, Folder, Migrations, Options};
use jetbase_test_harness::{Database, DatabaseKind, TestError};
use rustix::process::Signal;

use crate::case::{CaseContext, CaseResult};
use crate::cluster::Cluster;
use crate::files;
use crate::journal::percentiles;
use crate::worker::{FAILED, HELD};
use crate::worker_group::{StartMode, WorkerGroup, signal};

const VERSIONS: usize = 6;

/// Many processes start on all nodes with an empty database.
pub(crate) async fn storms(ctx: CaseContext) -> CaseResult {
    let (processes, rounds) = (ctx.size.pick(30, 9), ctx.size.pick(20, 2));
    let cluster = Cluster::start().await?;
    let mut times = Vec::new();
    let mut winners = [0; 3];
    for round in 0..rounds {
        let in_round = |error: TestError| format!("round {round}: {error:#}");
        let nodes = cluster.fresh(&format!("storm_{round}")).await.map_err(in_round)?;
        let mut group =
            WorkerGroup::new(&nodes[0], &files::effects(DatabaseKind::Mysql, VERSIONS, 1))?;
        let urls: Vec<_> = nodes.iter().map(|node| format!("url={}", node.url)).collect();
        for number in 0..processes {
            group.start(&[&urls[number % 3]], StartMode::OnRelease)?;
        }
        let pids: Vec<_> = group.workers.iter().map(|worker| worker.pid).collect();
        group.wait_until_ready(processes).await?;
        let start = Instant::now();
        group.release();
        group.finish(Duration::from_secs(120)).await.map_err(in_round)?;
        times.push(start.elapsed());
        group.journal.no_errors().map_err(in_round)?;
        group.journal.no_overlap().map_err(in_round)?;
        let finished: Vec<_> = group.journal.all("finished").map(|it| it.pid).collect();
        if finished.len() != VERSIONS || finished.iter().any(|pid| *pid != finished[0]) {
            return Err(in_round(format!("files were finished by {finished:?}").into()).into());
        }
        let winner = pids.iter().position(|pid| *pid == finished[0]).unwrap_or_default();
        winners[winner % 3] += 1;
        verify(&nodes, VERSIONS).await.map_err(in_round)?;
    }
    let (median, last) = percentiles(times);
    Ok(format!(
        "{processes} processes over 3 nodes, {rounds} rounds: one winner each (by node {winners:?}), each version \
         once; a round {median:.2?}, at most {last:.2?}"
    ))
}

/// Checks all nodes after they have caught up.
async fn verify(nodes: &[Database], versions: usize) -> Result<(), TestError> {
    for node in nodes {
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Err(error) = files::verify(node, versions).await {
            if Instant::now() > deadline {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

/// What happens to the node of the holder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NodeFault {
    Killed,
    Frozen,
}

pub(crate) async fn killed(_: CaseContext) -> CaseResult {
    lose_node(NodeFault::Killed).await
}

pub(crate) async fn frozen(_: CaseContext) -> CaseResult {
    lose_node(NodeFault::Frozen).await
}

async fn lose_node(fault: NodeFault) -> CaseResult {
    let cluster = Cluster::start().await?;
    let nodes = cluster.fresh("lost").await?;
    let mut group =
        WorkerGroup::new(&nodes[2], &files::effects(DatabaseKind::Mysql, VERSIONS, 1500))?;
    let holder = group.start(&[], StartMode::AtOnce)?;
    let third =
        |it: &crate::journal::JournalEntry| it.event == "started" && it.detail.starts_with("V3__");
    group.until(Duration::from_secs(30), third).await?;
    let paths = nodes[2].rows("SELECT @@datadir, @@pid_file").await?;
    let path = |at: usize| paths[0][at].clone().unwrap_or_default();
    let pid_file = Path::new(&path(0)).join(path(1));
    let node: u32 = std::fs::read_to_string(pid_file)?.trim().parse()?;
    let waiters: Result<Vec<_>, _> = (0..6)
        .map(|number| {
            let url = format!("url={}", nodes[number % 2].url);
            group.start(&[&url, "wait=12"], StartMode::AtOnce)
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    match fault {
        NodeFault::Killed => cluster.crash(2)?,
        NodeFault::Frozen => signal(node, Signal::STOP)?,
    }
    let mut error = String::new();
    for pid in waiters? {
        let code = group.code(pid, Duration::from_secs(60)).await;
        error = group.last_entry(pid, "error");
        let names_node = error.contains("another node");
        if !names_node || !code.as_ref().is_ok_and(|code| *code == i32::from(HELD)) {
            let _ = signal(node, Signal::CONT);
            return Err(format!("a waiter ended with {code:?}: {error}").into());
        }
    }
    if fault == NodeFault::Frozen {
        signal(node, Signal::CONT)?;
    } else {
        cluster.start_again(2).await?;
    }
    cluster.wait_for_size(3).await?;
    // The holder may have continued after its node was back. Then nothing is pending.
    let code = group.code(holder, Duration::from_secs(120)).await?;
    let holder_error = group.last_entry(holder, "error");
    let row = nodes[0].rows("SELECT is_locked, process_id FROM jetbase_lock").await?;
    if row[0][0].as_deref() == Some("1") {
        let folder = Folder::read(&group.migrations());
        let set = Migrations::load(folder.files, Options::default());
        jetbase::unlock(&set, DatabaseUrl(&nodes[0].url)).await?;
    }
    let last = group.start(&[&format!("url={}", nodes[1].url)], StartMode::AtOnce)?;
    let end = group.code(last, Duration::from_secs(60)).await?;
    if end != 0 {
        return Err(format!(
            "after `unlock` the next one ended with {end}: {}",
            group.last_entry(last, "error")
        )
        .into());
    }
    group.journal.no_overlap()?;
    verify(&nodes, VERSIONS).await?;
    Ok(format!(
        "6 waiters on the other nodes: no lock was recovered; the error of each: \"{error}\"; the holder ended with {code} ({holder_error}); \
         row then {:?}; each version once",
        row[0]
    ))
}

/// A node without the other nodes refuses every statement. A run waits for it.
pub(crate) async fn minority(_: CaseContext) -> CaseResult {
    let cluster = Cluster::start().await?;
    let nodes = cluster.fresh("minority").await?;
    let mut group = WorkerGroup::new(&nodes[0], &files::effects(DatabaseKind::Mysql, VERSIONS, 1))?;
    cluster.crash(1)?;
    cluster.crash(2)?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while nodes[0].rows("SELECT 1 FROM mysql.user LIMIT 1").await.is_ok() {
        if Instant::now() > deadline {
            return Err("one node of three still answers".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let short = group.start(&["wait=3"], StartMode::AtOnce)?;
    let start = Instant::now();
    let code = group.code(short, Duration::from_secs(30)).await?;
    let (failed_after, error) = (start.elapsed(), group.last_entry(short, "error"));
    if code != i32::from(FAILED) || !error.contains("1047") || failed_after < Duration::from_secs(3)
    {
        return Err(format!("after {failed_after:.1?} it ended with {code}: {error}").into());
    }
    let waiter = group.start(&[], StartMode::AtOnce)?;
    group.until(Duration::from_secs(20), |it| it.pid == waiter && it.event == "event").await?;
    let reason = group.last_entry(waiter, "event");
    tokio::time::sleep(Duration::from_secs(3)).await;
    nodes[0].execute("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'").await?;
    let start = Instant::now();
    let code = group.code(waiter, Duration::from_secs(60)).await?;
    if code != 0 {
        return Err(format!("it ended with {code}: {}", group.last_entry(waiter, "error")).into());
    }
    files::verify(&nodes[0], VERSIONS).await?;
    Ok(format!(
        "with a limit of 3 s the run failed after {failed_after:.1?}: \"{error}\"; the other run reported \"{reason}\" and finished \
         {:.1?} after the node was available again",
        start.elapsed()
    ))
}
