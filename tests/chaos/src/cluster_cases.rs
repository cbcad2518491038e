//! What must hold on every cluster whose nodes all accept writes.

use std::path::Path;
use std::time::{Duration, Instant};

use jetbase::{DatabaseUrl, Folder, Migrations, Options};
use jetbase_test_harness::{Database, DatabaseKind, TestError};
use rustix::process::Signal;

use crate::case::{CaseResult, Size};
use crate::cluster::Cluster;
use crate::files;
use crate::journal::{JournalEntry, percentiles};
use crate::worker::HELD;
use crate::worker_group::{StartMode, WorkerGroup, signal};

const VERSIONS: usize = 6;

/// Many processes start on all nodes with an empty database.
pub(crate) async fn storm_on_all_nodes(cluster: &Cluster, size: Size) -> CaseResult {
    let (processes, rounds) = (size.pick(30, 9), size.pick(20, 2));
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
        let winner = single_winner(&group).map_err(in_round)?;
        winners[pids.iter().position(|pid| *pid == winner).unwrap_or_default() % 3] += 1;
        verify(&nodes, VERSIONS).await.map_err(in_round)?;
    }
    let (median, last) = percentiles(times);
    Ok(format!(
        "{processes} processes over 3 nodes, {rounds} rounds: one winner each (by node {winners:?}), each version \
         once; a round {median:.2?}, at most {last:.2?}"
    ))
}

/// Returns the process that has finished every file. Fails if there are several, or if two processes
/// held the lock at the same time.
pub(crate) fn single_winner(group: &WorkerGroup) -> Result<u32, TestError> {
    group.journal.no_overlap()?;
    let finished: Vec<_> = group.journal.all("finished").map(|it| it.pid).collect();
    if finished.len() != VERSIONS || finished.iter().any(|pid| *pid != finished[0]) {
        return Err(format!("files were finished by {finished:?}").into());
    }
    Ok(finished[0])
}

/// Checks all nodes after they have caught up.
pub(crate) async fn verify(nodes: &[Database], versions: usize) -> Result<(), TestError> {
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
pub(crate) enum NodeFault {
    Killed,
    Frozen,
}

impl NodeFault {
    /// Does it to a node.
    pub(crate) async fn inflict(self, cluster: &Cluster, number: usize) -> Result<(), TestError> {
        match self {
            NodeFault::Killed => cluster.crash(number),
            NodeFault::Frozen => signal(process_of(cluster, number).await?, Signal::STOP),
        }
    }
}

/// The process of a node that answers.
pub(crate) async fn process_of(cluster: &Cluster, number: usize) -> Result<u32, TestError> {
    let paths = cluster.node(number, "mysql")?.rows("SELECT @@datadir, @@pid_file").await?;
    let path = |at: usize| paths[0][at].clone().unwrap_or_default();
    let pid_file = Path::new(&path(0)).join(path(1));
    Ok(std::fs::read_to_string(pid_file)?.trim().parse()?)
}

/// Starts a run on a node that takes several seconds, and waits until it executes the third file.
pub(crate) async fn start_holder(
    group: &mut WorkerGroup,
    node: &Database,
) -> Result<u32, TestError> {
    let holder = group.start(&[&format!("url={}", node.url)], StartMode::AtOnce)?;
    let third = |it: &JournalEntry| it.event == "started" && it.detail.starts_with("V3__");
    group.until(Duration::from_secs(30), third).await?;
    Ok(holder)
}

/// Releases the lock as an operator, if it is held.
pub(crate) async fn unlock(group: &WorkerGroup, node: &Database) -> Result<String, TestError> {
    let row = node.rows("SELECT is_locked, process_id FROM jetbase_lock").await?;
    if row[0][0].as_deref() == Some("1") {
        let folder = Folder::read(&group.migrations());
        let set = Migrations::load(folder.files, Options::default());
        jetbase::unlock(&set, DatabaseUrl(&node.url)).await?;
    }
    Ok(format!("{:?}", row[0]))
}

/// The node of a holder dies or stops. No run on the other nodes takes the lock.
pub(crate) async fn lose_node(cluster: &Cluster, fault: NodeFault) -> CaseResult {
    let nodes = cluster.fresh("lost").await?;
    let mut group =
        WorkerGroup::new(&nodes[2], &files::effects(DatabaseKind::Mysql, VERSIONS, 1500))?;
    let process = process_of(cluster, 2).await?;
    let holder = start_holder(&mut group, &nodes[2]).await?;
    let waiters: Result<Vec<_>, _> = (0..6)
        .map(|number| {
            let url = format!("url={}", nodes[number % 2].url);
            group.start(&[&url, "wait=12"], StartMode::AtOnce)
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    fault.inflict(cluster, 2).await?;
    let mut error = String::new();
    for pid in waiters? {
        let code = group.code(pid, Duration::from_secs(60)).await;
        error = group.last_entry(pid, "error");
        let names_node = error.contains("another node");
        if !names_node || !code.as_ref().is_ok_and(|code| *code == i32::from(HELD)) {
            let _ = signal(process, Signal::CONT);
            return Err(format!("a waiter ended with {code:?}: {error}").into());
        }
    }
    match fault {
        NodeFault::Frozen => signal(process, Signal::CONT)?,
        NodeFault::Killed => cluster.start_again(2).await?,
    }
    cluster.wait_for_size(3).await?;
    // The holder may have continued after its node was back. Then nothing is pending.
    let code = group.code(holder, Duration::from_secs(120)).await?;
    let holder_error = group.last_entry(holder, "error");
    let row = unlock(&group, &nodes[0]).await?;
    let last = group.start(&[&format!("url={}", nodes[1].url)], StartMode::AtOnce)?;
    let end = group.code(last, Duration::from_secs(60)).await?;
    if end != 0 {
        let error = group.last_entry(last, "error");
        return Err(format!("after `unlock` the next one ended with {end}: {error}").into());
    }
    group.journal.no_overlap()?;
    verify(&nodes, VERSIONS).await?;
    Ok(format!(
        "6 waiters on the other nodes: no lock was recovered; the error of each: \"{error}\"; the holder ended with {code} ({holder_error}); \
         row then {row}; each version once"
    ))
}
