//! A node of a MySQL group that applies nothing for a while: it shows an old row of the lock.

use std::time::{Duration, Instant};

use jetbase_test_harness::{DatabaseKind, TestError};
use sqlx::{Connection as _, MySqlConnection};

use crate::case::{CaseContext, CaseResult};
use crate::cluster::Cluster;
use crate::cluster_cases::unlock;
use crate::files;
use crate::group_cluster::{GroupMode, start};
use crate::worker::LOST;
use crate::worker_group::{StartMode, WorkerGroup};

/// An operator unlocks on another node while the node of the holder lags, and the next run executes
/// the file of the holder. The holder executes nothing more, although its own node still shows its
/// lock.
pub(crate) async fn lagging(_: CaseContext) -> CaseResult {
    let cluster = start(GroupMode::MultiPrimary).await?;
    let rows = files::effect(DatabaseKind::Mysql, 2, 4000);
    let of_rows = unlock_elsewhere(&cluster, "lagging_rows", &rows).await?;
    let text = "DO SLEEP(4);\nCREATE TABLE third (id INTEGER PRIMARY KEY);\nINSERT INTO effects (version) VALUES (2);\n";
    let table = ("V2__table.sql".to_owned(), text.to_owned());
    let of_table = unlock_elsewhere(&cluster, "lagging_table", &table).await?;
    Ok(format!(
        "each file once; the holder in a file of rows: \"{of_rows}\"; in a file with a table: \"{of_table}\""
    ))
}

/// Another node changes a row that a file changes too, and the node of the run does not know it yet. The
/// group refuses the COMMIT of the file, and the run executes the file again.
pub(crate) async fn conflict(_: CaseContext) -> CaseResult {
    let cluster = start(GroupMode::MultiPrimary).await?;
    let nodes = cluster.fresh("conflict").await?;
    let prepare = "CREATE TABLE obstacle (id INTEGER PRIMARY KEY);
CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO counter VALUES (1, 0)";
    nodes[0].execute(prepare).await?;
    let text = "UPDATE counter SET n = n + 1 WHERE id = 1;\nDO SLEEP(2);\n";
    let files = [files::first(DatabaseKind::Mysql), ("V2__counts.sql".into(), text.into())];
    let mut group = WorkerGroup::new(&nodes[0], &files)?;
    let run = group.start(&[], StartMode::AtOnce)?;
    let begins =
        |it: &crate::journal::JournalEntry| it.event == "started" && it.detail == files[1].0;
    group.until(Duration::from_secs(30), begins).await?;
    let mut blocker = MySqlConnection::connect(&nodes[0].url).await?;
    sqlx::raw_sql("LOCK TABLES obstacle READ").execute(&mut blocker).await?;
    nodes[1].execute("INSERT INTO obstacle VALUES (1)").await?;
    nodes[1].execute("UPDATE counter SET n = n + 100 WHERE id = 1").await?;
    let conflicts = "SELECT SUM(count_conflicts_detected) FROM performance_schema.replication_group_member_stats";
    let deadline = Instant::now() + Duration::from_secs(30);
    while nodes[0].value(conflicts).await?.as_deref() == Some("0") {
        if Instant::now() > deadline {
            return Err("the group found no conflict".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    blocker.close().await?;
    let retries = |it: &crate::journal::JournalEntry| it.pid == run && it.event == "event";
    let retried = group.until(Duration::from_secs(30), retries).await?.detail;
    let code = group.code(run, Duration::from_secs(60)).await?;
    if code != 0 {
        return Err(format!("it ended with {code}: {}", group.last_entry(run, "error")).into());
    }
    for node in &nodes {
        files::check_count(node, "SELECT n FROM counter", 101, "was counted").await?;
        files::check_lock_is_free(node).await?;
    }
    Ok(format!("the run reported \"{retried}\", and the file was executed once"))
}

/// Returns the error of the holder.
async fn unlock_elsewhere(
    cluster: &Cluster,
    name: &str,
    file: &(String, String),
) -> Result<String, TestError> {
    let nodes = cluster.fresh(name).await?;
    let mut group = WorkerGroup::new(&nodes[0], &[files::first(DatabaseKind::Mysql)])?;
    let first = group.start(&[], StartMode::AtOnce)?;
    group.code(first, Duration::from_secs(60)).await?;
    // As in the tables of the Python tool, no index refuses a version that is recorded twice.
    let prepare = "ALTER TABLE jetbase_migrations DROP INDEX jetbase_migrations_version;
CREATE TABLE obstacle (id INTEGER PRIMARY KEY)";
    nodes[0].execute(prepare).await?;
    group.write(std::slice::from_ref(file))?;
    let holder = group.start(&[], StartMode::AtOnce)?;
    let begins = |it: &crate::journal::JournalEntry| it.event == "started" && it.detail == file.0;
    group.until(Duration::from_secs(30), begins).await?;
    // The node applies changes in the order of the group, so it waits for this table.
    let mut blocker = MySqlConnection::connect(&nodes[0].url).await?;
    sqlx::raw_sql("LOCK TABLES obstacle READ").execute(&mut blocker).await?;
    nodes[1].execute("INSERT INTO obstacle VALUES (1)").await?;
    unlock(&group, &nodes[1]).await?;
    let next = group.start(&[&format!("url={}", nodes[1].url)], StartMode::AtOnce)?;
    let code = group.code(next, Duration::from_secs(60)).await?;
    let error = group.last_entry(next, "error");
    blocker.close().await?;
    if code != 0 {
        return Err(format!("{name}: the next run ended with {code}: {error}").into());
    }
    let code = group.code(holder, Duration::from_secs(60)).await?;
    let error = group.last_entry(holder, "error");
    if code != i32::from(LOST) {
        return Err(format!("{name}: the holder ended with {code}: {error}").into());
    }
    let times = "SELECT COUNT(*) FROM effects WHERE version = 2";
    for node in &nodes {
        files::check_count(node, times, 1, "times the file was executed").await?;
        files::check_lock_is_free(node).await?;
    }
    Ok(error)
}
