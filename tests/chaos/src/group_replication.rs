//! A MySQL group: many processes on all nodes, and a holder whose node is killed or stopped.

use std::time::{Duration, Instant};

use jetbase_test_harness::{DatabaseKind, TestError};
use rustix::process::Signal;

use crate::case::{CaseContext, CaseResult};
use crate::cluster_cases::{
    NodeFault, lose_node, process_of, single_winner, start_holder, storm_on_all_nodes, unlock,
    verify,
};
use crate::group_cluster::{GroupMode, primary, start};
use crate::group_secondary::names_primary;
use crate::journal::percentiles;
use crate::worker::{FAILED, HELD};
use crate::worker_group::{StartMode, WorkerGroup, signal};
use crate::{files, group_cluster};

const VERSIONS: usize = 6;

/// Many processes start on all nodes with an empty database. All nodes accept writes.
pub(crate) async fn storms(ctx: CaseContext) -> CaseResult {
    storm_on_all_nodes(&start(GroupMode::MultiPrimary).await?, ctx.size).await
}

/// Many processes start on all nodes with an empty database. A process on a secondary either finds
/// that nothing is pending, or fails with the address of the primary.
pub(crate) async fn storms_with_primary(ctx: CaseContext) -> CaseResult {
    let cluster = start(GroupMode::SinglePrimary).await?;
    let (processes, rounds) = (ctx.size.pick(30, 9), ctx.size.pick(20, 2));
    let address = primary(&cluster, 0).await?.ok_or("the group has no primary")?;
    let mut times = Vec::new();
    let (mut refused, mut error) = (0, String::new());
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
        for (number, pid) in pids.iter().enumerate() {
            let code = group.code(*pid, Duration::from_secs(120)).await.map_err(in_round)?;
            if code == 0 {
                continue;
            }
            refused += 1;
            error = group.last_entry(*pid, "error");
            let on_secondary = number % 3 != 0 && code == i32::from(FAILED);
            if !on_secondary || !error.contains(&names_primary(&address)) {
                let node = number % 3;
                let text = format!("a worker on node {node} ended with {code}: {error}");
                return Err(in_round(text.into()).into());
            }
        }
        times.push(start.elapsed());
        single_winner(&group).map_err(in_round)?;
        verify(&nodes, VERSIONS).await.map_err(in_round)?;
    }
    let (median, last) = percentiles(times);
    Ok(format!(
        "{processes} processes over 3 nodes, {rounds} rounds: one winner each, on the primary, each version once; a round \
         {median:.2?}, at most {last:.2?}; {refused} processes on secondaries failed with \"{error}\""
    ))
}

pub(crate) async fn killed(_: CaseContext) -> CaseResult {
    lose_node(&start(GroupMode::MultiPrimary).await?, NodeFault::Killed).await
}

pub(crate) async fn frozen(_: CaseContext) -> CaseResult {
    lose_node(&start(GroupMode::MultiPrimary).await?, NodeFault::Frozen).await
}

/// The holder dies, and its node does not. The next run on that node takes the lock over.
pub(crate) async fn holder_killed(_: CaseContext) -> CaseResult {
    let cluster = start(GroupMode::MultiPrimary).await?;
    let nodes = cluster.fresh("holder_killed").await?;
    let mut group =
        WorkerGroup::new(&nodes[2], &files::effects(DatabaseKind::Mysql, VERSIONS, 500))?;
    let holder = start_holder(&mut group, &nodes[2]).await?;
    let url = |number: usize| format!("url={}", nodes[number].url);
    let elsewhere = group.start(&[&url(0)], StartMode::AtOnce)?;
    group.kill(holder).await?;
    let next = group.start(&[&url(2)], StartMode::AtOnce)?;
    for pid in [next, elsewhere] {
        let code = group.code(pid, Duration::from_secs(90)).await?;
        if code != 0 {
            let error = group.last_entry(pid, "error");
            return Err(format!("the process {pid} ended with {code}: {error}").into());
        }
    }
    let recovered: Vec<_> = group.journal.all("recovered").map(|it| it.pid).collect();
    if recovered != [next] {
        return Err(format!("the lock was recovered by {recovered:?}, not by {next}").into());
    }
    group.journal.no_overlap()?;
    verify(&nodes, VERSIONS).await?;
    let time = group.journal.recoveries().into_iter().next().unwrap_or_default();
    Ok(format!("{time:.1?} to the next holder, on the same node; each version once"))
}

pub(crate) async fn primary_killed(_: CaseContext) -> CaseResult {
    lose_primary(NodeFault::Killed).await
}

pub(crate) async fn primary_frozen(_: CaseContext) -> CaseResult {
    lose_primary(NodeFault::Frozen).await
}

/// The primary dies or stops under a holder, and the group elects another one.
async fn lose_primary(fault: NodeFault) -> CaseResult {
    let cluster = start(GroupMode::SinglePrimary).await?;
    let nodes = cluster.fresh("lost").await?;
    let old = primary(&cluster, 0).await?.ok_or("the group has no primary")?;
    let mut group =
        WorkerGroup::new(&nodes[0], &files::effects(DatabaseKind::Mysql, VERSIONS, 1500))?;
    let process = process_of(&cluster, 0).await?;
    let holder = start_holder(&mut group, &nodes[0]).await?;
    let began = Instant::now();
    fault.inflict(&cluster, 0).await?;
    let new = loop {
        match group_cluster::primary(&cluster, 1).await? {
            Some(address) if address != old => break address,
            _ if began.elapsed() > Duration::from_secs(60) => {
                return Err("the group elected no new primary".into());
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    let elected = began.elapsed();
    let is_primary = |number: usize| nodes[number].url.contains(&format!("@{new}/"));
    let (at, other) = if is_primary(1) { (1, 2) } else { (2, 1) };
    let url = |number: usize| format!("url={}", nodes[number].url);
    let waiter = group.start(&[&url(at), "wait=5"], StartMode::AtOnce)?;
    let reader = group.start(&[&url(other), "wait=5"], StartMode::AtOnce)?;
    let waiter_code = group.code(waiter, Duration::from_secs(60)).await;
    let reader_code = group.code(reader, Duration::from_secs(60)).await;
    let error = group.last_entry(waiter, "error");
    let of_reader = group.last_entry(reader, "error");
    if fault == NodeFault::Frozen {
        signal(process, Signal::CONT)?;
    }
    if waiter_code? != i32::from(HELD) || !error.contains("another node") {
        return Err(format!("the waiter on the new primary: {error}").into());
    }
    if reader_code? != i32::from(FAILED) || !of_reader.contains(&names_primary(&new)) {
        return Err(format!("the run on the other secondary: {of_reader}").into());
    }
    let code = group.code(holder, Duration::from_secs(120)).await?;
    let holder_error = group.last_entry(holder, "error");
    let row = unlock(&group, &nodes[at]).await?;
    let last = group.start(&[&url(at)], StartMode::AtOnce)?;
    let end = group.code(last, Duration::from_secs(60)).await?;
    if end != 0 {
        let error = group.last_entry(last, "error");
        return Err(format!("after `unlock` the next one ended with {end}: {error}").into());
    }
    if fault == NodeFault::Killed {
        cluster.start_again(0).await?;
    }
    cluster.wait_for_size(3).await?;
    group.journal.no_overlap()?;
    verify(&nodes, VERSIONS).await?;
    Ok(format!(
        "another primary after {elected:.1?}; a run there: \"{error}\"; a run on the other node: \"{of_reader}\"; the holder ended \
         with {code} ({holder_error}); row then {row}; after `unlock` the next run continued; each version once"
    ))
}
