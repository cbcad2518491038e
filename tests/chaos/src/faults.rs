//! Sessions, networks and servers fail while a process holds the lock.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jetbase_test_harness::{Database, DatabaseKind, DatabaseServer, TestError};

use crate::bouncer::{Bouncer, PoolMode, port_of};
use crate::case::{CaseContext, CaseResult, Size};
use crate::files;
use crate::journal::JournalEntry;
use crate::relay::Relay;
use crate::second_server::SecondServer;
use crate::worker::INTERRUPTED;
use crate::worker_group::{StartMode, WorkerGroup};

const VERSIONS: usize = 5;

/// The time limit of a worker, which is longer than a lease.
const LIMIT: &str = "limit=600";

/// Starts a holder that uses `holder_db` and waiters that use `db`. Returns when the holder runs its
/// third file.
async fn start_scenario(
    size: Size,
    holder_db: &Database,
    db: &Database,
    waiters: usize,
) -> Result<(WorkerGroup, u32), TestError> {
    let mut group = WorkerGroup::new(db, &files::effects(db.kind, VERSIONS, size.pick(1500, 700)))?;
    let holder = group.start(&[&format!("url={}", holder_db.url), LIMIT], StartMode::AtOnce)?;
    let third = |it: &JournalEntry| it.event == "started" && it.detail.starts_with("V3__");
    group.until(Duration::from_secs(60), third).await?;
    for _ in 0..waiters {
        group.start(&[LIMIT], StartMode::AtOnce)?;
    }
    tokio::time::sleep(Duration::from_millis(size.pick(500, 200))).await;
    Ok((group, holder))
}

/// Waits until another process acquires the lock.
async fn wait_for_next_holder(
    group: &mut WorkerGroup,
    holder: u32,
    within: Duration,
) -> Result<Duration, TestError> {
    let start = Instant::now();
    group.until(within, |it| it.event == "acquired" && it.pid != holder).await?;
    Ok(start.elapsed())
}

/// Waits until the holder ends with the exit code of an interrupted run. Returns its error.
async fn error_of_holder(group: &mut WorkerGroup, holder: u32) -> Result<String, TestError> {
    let code = group.code(holder, Duration::from_secs(60)).await?;
    let error = group.last_entry(holder, "error");
    if code != i32::from(INTERRUPTED) {
        return Err(format!("the holder ended with {code}: {error}").into());
    }
    Ok(error)
}

/// Waits until all waiters succeed, and checks that each version ran once.
async fn finish_scenario(mut group: WorkerGroup, db: &Database) -> Result<(), TestError> {
    group.finish(Duration::from_secs(90)).await?;
    group.journal.no_overlap()?;
    files::verify(db, VERSIONS).await
}

/// Finishes a scenario in which the session of the holder ends at once.
async fn finish_after_fault(mut group: WorkerGroup, holder: u32, db: &Database) -> CaseResult {
    let time = wait_for_next_holder(&mut group, holder, Duration::from_secs(20)).await?;
    let error = error_of_holder(&mut group, holder).await?;
    finish_scenario(group, db).await?;
    Ok(format!("{time:.1?} to the next holder; the error of the first one: \"{error}\""))
}

/// An administrator ends the session of the holder.
pub(crate) async fn terminated(ctx: CaseContext) -> CaseResult {
    let db = ctx.fresh().await?;
    let (group, holder) = start_scenario(ctx.size, &db, &db, 4).await?;
    let end = match db.kind {
        DatabaseKind::Postgres => "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name LIKE 'jetbase V3%' AND datname = current_database()"
            .to_owned(),
        _ => {
            // A run may have continued over a new session, which has the other lock.
            let name = format!("CONCAT('jetbase:', LEFT(SHA2('{}', 256), 40))", db.name);
            let find = format!(
                "SELECT COALESCE(IS_USED_LOCK({name}), IS_USED_LOCK(CONCAT({name}, ':2')))"
            );
            format!("KILL {}", db.value(&find).await?.ok_or("no session holds the session lock")?)
        }
    };
    db.execute(&end).await?;
    let error = finish_after_fault(group, holder, &db).await?;
    db.remove().await;
    Ok(error)
}

/// The connections of the holder are closed on both sides.
pub(crate) async fn cut(ctx: CaseContext) -> CaseResult {
    let db = ctx.fresh().await?;
    let relay = Relay::start(&db).await?;
    let (group, holder) = start_scenario(ctx.size, &relay.relayed(&db)?, &db, 4).await?;
    relay.cut();
    let error = finish_after_fault(group, holder, &db).await?;
    db.remove().await;
    Ok(error)
}

/// The connections between the holder and a pooler are closed. The holder releases the lock over a new
/// connection, so the waiters do not have to wait until it counts as stale.
pub(crate) async fn cut_pooler(ctx: CaseContext) -> CaseResult {
    let db = ctx.fresh().await?;
    let bouncer =
        Bouncer::start(&db, PoolMode::Transaction, "extra_float_digits,options", 10).await?;
    let pooled = bouncer.pooled(&db)?;
    let relay = Relay::start(&pooled).await?;
    let (group, holder) = start_scenario(ctx.size, &relay.relayed(&pooled)?, &pooled, 4).await?;
    relay.cut();
    let error = finish_after_fault(group, holder, &db).await?;
    drop(bouncer);
    db.remove().await;
    Ok(error)
}

/// The network drops everything: the server ends the session when its lease ends.
pub(crate) async fn silent(ctx: CaseContext) -> CaseResult {
    let db = ctx.fresh().await?;
    let relay = Relay::start(&db).await?;
    let (mut group, holder) = start_scenario(ctx.size, &relay.relayed(&db)?, &db, 4).await?;
    // From here on, only the server knows whether the holder holds the lock.
    group.writer.write(holder, "silenced", "");
    relay.pause();
    let time = wait_for_next_holder(&mut group, holder, Duration::from_secs(330)).await?;
    relay.resume();
    let error = error_of_holder(&mut group, holder).await?;
    finish_scenario(group, &db).await?;
    db.remove().await;
    Ok(format!(
        "{time:.1?} to the next holder (the lease is 5 min, or JETBASE_LEASE); the error of the first one: \"{error}\""
    ))
}

/// The server crashes while a process holds the lock, and starts again.
pub(crate) async fn restarted(kind: DatabaseKind, ctx: CaseContext) -> CaseResult {
    let server = std::sync::Arc::new(DatabaseServer::start(kind).await?);
    let db = Database::fresh(Some(&server)).await?;
    let (mut group, holder) = start_scenario(ctx.size, &db, &db, 4).await?;
    let start = Instant::now();
    server.restart().await?;
    let down = start.elapsed();
    let time = wait_for_next_holder(&mut group, holder, Duration::from_secs(20)).await?;
    let error = error_of_holder(&mut group, holder).await?;
    finish_scenario(group, &db).await?;
    server.stop();
    Ok(format!(
        "down for {down:.1?}, then {time:.1?} to the next holder; the error of the first one: \"{error}\""
    ))
}

/// A synchronous standby is promoted while a process holds the lock on the old primary.
pub(crate) async fn promoted(ctx: CaseContext) -> CaseResult {
    let server = std::sync::Arc::new(DatabaseServer::start(DatabaseKind::Postgres).await?);
    let db = Database::fresh(Some(&server)).await?;
    let standby = SecondServer::standby(port_of(&db.url)?).await?;
    db.execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await?;
    db.execute("SELECT pg_reload_conf()").await?;
    let relay = Relay::start(&db).await?;
    let relayed = relay.relayed(&db)?;
    let (mut group, holder) = start_scenario(ctx.size, &relayed, &relayed, 0).await?;
    let new = standby.database(&db.name)?;
    new.execute("SELECT pg_promote()").await?;
    relay.redirect_to(&new)?;
    // New processes use the new primary, where the holder of the row has no session.
    for _ in 0..4 {
        group.start(&[&format!("url={}", relayed.url)], StartMode::AtOnce)?;
    }
    let time = wait_for_next_holder(&mut group, holder, Duration::from_secs(20)).await?;
    let all = group.workers.len();
    while group.workers.len() == all {
        tokio::time::sleep(Duration::from_millis(20)).await;
        group.reap()?;
    }
    // The commit of the old holder waits for the old standby until its server ends.
    server.crash()?;
    let error = error_of_holder(&mut group, holder).await?;
    // Both servers executed files at the same time. Only the history of the new one counts.
    group.finish(Duration::from_secs(90)).await?;
    files::verify(&new, VERSIONS).await?;
    server.stop();
    Ok(format!(
        "{time:.1?} to the next holder on the new primary; the error of the first one: \"{error}\""
    ))
}

/// A MariaDB crashes while a process holds the lock. A copy of its data starts on a host with another
/// name.
pub(crate) async fn recreated(ctx: CaseContext) -> CaseResult {
    let server = std::sync::Arc::new(DatabaseServer::start(DatabaseKind::Mysql).await?);
    let db = Database::fresh(Some(&server)).await?;
    let (mut group, holder) = start_scenario(ctx.size, &db, &db, 0).await?;
    let data = db.value("SELECT @@datadir").await?.map(PathBuf::from).ok_or("no data folder")?;
    server.crash()?;
    let copy = SecondServer::copy(&data).await?;
    let new = copy.database(&db.name)?;
    if new.value("SELECT @@hostname").await?.as_deref() != Some(SecondServer::HOST) {
        return Err("the copy has the host name of the first one".into());
    }
    finish_on_new_server(start_on(&mut group, &new)?, &mut group, holder, &new).await
}

/// A primary crashes while a process holds the lock, and its replica is promoted.
pub(crate) async fn replica(ctx: CaseContext) -> CaseResult {
    let (primary, replica) =
        (SecondServer::replicated(1).await?, SecondServer::replicated(2).await?);
    let (primary_root, replica_root) = (primary.database("mysql")?, replica.database("mysql")?);
    let port = port_of(&primary_root.url)?;
    let source = if primary_root.is_mariadb().await? {
        format!(
            "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, MASTER_USER = 'copy', \
             MASTER_USE_GTID = slave_pos"
        )
    } else {
        format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {port}, SOURCE_USER = 'copy', \
             SOURCE_AUTO_POSITION = 1"
        )
    };
    primary_root.execute("CREATE USER copy@'127.0.0.1'").await?;
    primary_root.execute("GRANT REPLICATION SLAVE ON *.* TO copy@'127.0.0.1'").await?;
    primary_root.execute("CREATE DATABASE app").await?;
    replica_root.execute(&source).await?;
    replica_root.execute("START REPLICA").await?;
    let (db, new) = (primary.database("app")?, replica.database("app")?);
    let (mut group, holder) = start_scenario(ctx.size, &db, &db, 0).await?;
    let deadline = Instant::now() + Duration::from_secs(20);
    let state = "SELECT COUNT(*) FROM jetbase_migrations, jetbase_lock WHERE is_locked";
    while !new.value(state).await.is_ok_and(|count| count.as_deref() == Some("2")) {
        if Instant::now() > deadline {
            let status = replica_root.rows("SHOW REPLICA STATUS").await?;
            return Err(format!("the replica did not catch up: {status:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    primary.crash()?;
    new.execute("STOP REPLICA").await?;
    finish_on_new_server(start_on(&mut group, &new)?, &mut group, holder, &new).await
}

/// Starts four processes on the server that replaces the first one.
fn start_on(group: &mut WorkerGroup, db: &Database) -> Result<Instant, TestError> {
    let start = Instant::now();
    for _ in 0..4 {
        group.start(&[&format!("url={}", db.url)], StartMode::AtOnce)?;
    }
    Ok(start)
}

async fn finish_on_new_server(
    start: Instant,
    group: &mut WorkerGroup,
    holder: u32,
    db: &Database,
) -> CaseResult {
    wait_for_next_holder(group, holder, Duration::from_secs(20)).await?;
    let time = start.elapsed();
    let error = error_of_holder(group, holder).await?;
    group.finish(Duration::from_secs(90)).await?;
    group.journal.no_overlap()?;
    files::verify(db, VERSIONS).await?;
    Ok(format!(
        "{time:.1?} from their start to the next holder; the error of the first one: \"{error}\""
    ))
}
