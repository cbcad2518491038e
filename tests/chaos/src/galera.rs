//! A Galera cluster: many processes on all nodes, and a holder whose node is killed or stopped.

use std::time::{Duration, Instant};

use jetbase_test_harness::DatabaseKind;

use crate::case::{CaseContext, CaseResult};
use crate::cluster_cases::{NodeFault, lose_node, storm_on_all_nodes};
use crate::worker::FAILED;
use crate::worker_group::{StartMode, WorkerGroup};
use crate::{files, galera_cluster};

const VERSIONS: usize = 6;

/// Many processes start on all nodes with an empty database.
pub(crate) async fn storms(ctx: CaseContext) -> CaseResult {
    storm_on_all_nodes(&galera_cluster::start().await?, ctx.size).await
}

pub(crate) async fn killed(_: CaseContext) -> CaseResult {
    lose_node(&galera_cluster::start().await?, NodeFault::Killed).await
}

pub(crate) async fn frozen(_: CaseContext) -> CaseResult {
    lose_node(&galera_cluster::start().await?, NodeFault::Frozen).await
}

/// A node without the other nodes refuses every statement. A run waits for it.
pub(crate) async fn minority(_: CaseContext) -> CaseResult {
    let cluster = galera_cluster::start().await?;
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
