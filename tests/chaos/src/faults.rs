//! Sessions, networks and servers fail under a holder.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jetbase_test_harness::{Database, DatabaseKind, DatabaseServer, TestError};

use crate::bench::{CaseContext, CaseResult, Size};
use crate::bouncer::{Bouncer, PoolMode, port_of};
use crate::files;
use crate::journal::JournalEntry;
use crate::relay::Relay;
use crate::second_server::SecondServer;
use crate::worker::INTERRUPTED;
use crate::worker_group::{StartMode, WorkerGroup};

const VERSIONS: usize = 5;

/// Longer than a lease.
const LIMIT: &str = "limit=600";

/// A holder in the middle of its third file, seen through `seen`, and waiters that see `db`.
async fn start_scenario(
    size: Size,
    seen: &Database,
    db: &Database,
    waiters: usize,
) -> Result<(WorkerGroup, u32), TestError> {
    let mut group = WorkerGroup::new(db, &files::effects(db.kind, VERSIONS, size.pick(1500, 700)))?;
    let holder = group.start(&[&format!("url={}", seen.url), LIMIT], StartMode::AtOnce)?;
    let third = |it: &JournalEntry| it.what == "started" && it.rest.starts_with("V3__");
    group.until(Duration::from_secs(60), third).await?;
    for _ in 0..waiters {
        group.start(&[LIMIT], StartMode::AtOnce)?;
    }
    tokio::time::sleep(Duration::from_millis(size.pick(500, 200))).await;
    Ok((group, holder))
}

/// Waits for somebody else's turn.
async fn next(
    group: &mut WorkerGroup,
    holder: u32,
    within: Duration,
) -> Result<Duration, TestError> {
    let begun = Instant::now();
    group.until(within, |it| it.what == "acquired" && it.pid != holder).await?;
    Ok(begun.elapsed())
}

/// How the holder ended: only with `interrupted`, and with a sentence.
async fn interrupted(group: &mut WorkerGroup, holder: u32) -> Result<String, TestError> {
    let code = group.code(holder, Duration::from_secs(60)).await?;
    let told = group.last_entry(holder, "error");
    if code != i32::from(INTERRUPTED) {
        return Err(format!("the holder ended with {code}: {told}").into());
    }
    Ok(told)
}

/// The end of every start_scenario: all waiters did well, and each version ran once.
async fn finish_scenario(mut group: WorkerGroup, db: &Database) -> Result<(), TestError> {
    group.finish(Duration::from_secs(90)).await?;
    group.journal.no_overlap()?;
    files::verify(db, VERSIONS).await
}

/// The end of a start_scenario in which the holder's session is over at once.
async fn finish_after_fault(mut group: WorkerGroup, holder: u32, db: &Database) -> CaseResult {
    let time = next(&mut group, holder, Duration::from_secs(20)).await?;
    let told = interrupted(&mut group, holder).await?;
    finish_scenario(group, db).await?;
    Ok(format!("{time:.1?} to the next holder; the first one: \"{told}\""))
}

/// The server's operator ends the holder's session.
pub(crate) async fn terminated(ctx: CaseContext) -> CaseResult {
    let db = ctx.fresh().await?;
    let (group, holder) = start_scenario(ctx.size, &db, &db, 4).await?;
    let end = match db.kind {
        DatabaseKind::Postgres => "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name LIKE 'jetbase V3%' AND datname = current_database()"
            .to_owned(),
        _ => {
            // A run may have gone on over a fresh session, which has the other lock.
            let name = format!("CONCAT('jetbase:', LEFT(SHA2('{}', 256), 40))", db.name);
            let find = format!(
                "SELECT COALESCE(IS_USED_LOCK({name}), IS_USED_LOCK(CONCAT({name}, ':2')))"
            );
            format!("KILL {}", db.value(&find).await?.ok_or("nobody holds the session lock")?)
        }
    };
    db.execute(&end).await?;
    let told = finish_after_fault(group, holder, &db).await?;
    db.remove().await;
    Ok(told)
}

/// The connections of the holder are cut, and both sides are told.
pub(crate) async fn cut(ctx: CaseContext) -> CaseResult {
    let db = ctx.fresh().await?;
    let relay = Relay::start(&db).await?;
    let (group, holder) = start_scenario(ctx.size, &relay.before(&db)?, &db, 4).await?;
    relay.cut();
    let told = finish_after_fault(group, holder, &db).await?;
    db.remove().await;
    Ok(told)
}

/// The same between the holder and a pooler: it frees the lock over a new connection, because the
/// fence would stop the old one, and nobody has to wait until it counts as dead.
pub(crate) async fn cut_pooler(ctx: CaseContext) -> CaseResult {
    let db = ctx.fresh().await?;
    let bouncer =
        Bouncer::start(&db, PoolMode::Transaction, "extra_float_digits,options", 10).await?;
    let pooled = bouncer.before(&db)?;
    let relay = Relay::start(&pooled).await?;
    let (group, holder) = start_scenario(ctx.size, &relay.before(&pooled)?, &pooled, 4).await?;
    relay.cut();
    let told = finish_after_fault(group, holder, &db).await?;
    drop(bouncer);
    db.remove().await;
    Ok(told)
}

/// The network falls silent: the server ends the session when its lease is over.
pub(crate) async fn silent(ctx: CaseContext) -> CaseResult {
    let db = ctx.fresh().await?;
    let relay = Relay::start(&db).await?;
    let (mut group, holder) = start_scenario(ctx.size, &relay.before(&db)?, &db, 4).await?;
    // From here on the holder only believes that it holds the lock: what counts is what the server does.
    group.writer.note(holder, "silenced", "");
    relay.silence();
    let time = next(&mut group, holder, Duration::from_secs(330)).await?;
    relay.resume();
    let told = interrupted(&mut group, holder).await?;
    finish_scenario(group, &db).await?;
    db.remove().await;
    Ok(format!(
        "{time:.1?} to the next holder (the lease is 5 min, or JETBASE_LEASE); the first one: \"{told}\""
    ))
}

/// The server crashes under a holder and starts again.
pub(crate) async fn restarted(kind: DatabaseKind, ctx: CaseContext) -> CaseResult {
    let server = std::sync::Arc::new(DatabaseServer::start(kind).await?);
    let db = Database::fresh(Some(&server)).await?;
    let (mut group, holder) = start_scenario(ctx.size, &db, &db, 4).await?;
    let begun = Instant::now();
    server.restart().await?;
    let down = begun.elapsed();
    let time = next(&mut group, holder, Duration::from_secs(20)).await?;
    let told = interrupted(&mut group, holder).await?;
    finish_scenario(group, &db).await?;
    server.stop();
    Ok(format!(
        "down for {down:.1?}, then {time:.1?} to the next holder; the first one: \"{told}\""
    ))
}

/// A synchronous standby is promoted under a holder on the old primary.
pub(crate) async fn promoted(ctx: CaseContext) -> CaseResult {
    let server = std::sync::Arc::new(DatabaseServer::start(DatabaseKind::Postgres).await?);
    let db = Database::fresh(Some(&server)).await?;
    let standby = SecondServer::standby(port_of(&db.url)?).await?;
    db.execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await?;
    db.execute("SELECT pg_reload_conf()").await?;
    let relay = Relay::start(&db).await?;
    let seen = relay.before(&db)?;
    let (mut group, holder) = start_scenario(ctx.size, &seen, &seen, 0).await?;
    let new = standby.database(&db.name)?;
    new.execute("SELECT pg_promote()").await?;
    relay.lead_to(&new)?;
    // New processes come to the new primary, where nobody lives behind the row.
    for _ in 0..4 {
        group.start(&[&format!("url={}", seen.url)], StartMode::AtOnce)?;
    }
    let time = next(&mut group, holder, Duration::from_secs(20)).await?;
    let all = group.workers.len();
    while group.workers.len() == all {
        tokio::time::sleep(Duration::from_millis(20)).await;
        group.reap()?;
    }
    // The old holder's commit waits for a standby that is gone, until its server ends.
    server.crash()?;
    let told = interrupted(&mut group, holder).await?;
    // Two servers worked at the same time, one of them in vain: the new one's history decides.
    group.finish(Duration::from_secs(90)).await?;
    files::verify(&new, VERSIONS).await?;
    server.stop();
    Ok(format!("{time:.1?} to the next holder on the new primary; the first one: \"{told}\""))
}

/// A MariaDB is made anew, on a host of another name, of the data of one that died with a holder.
pub(crate) async fn recreated(ctx: CaseContext) -> CaseResult {
    let server = std::sync::Arc::new(DatabaseServer::start(DatabaseKind::Mysql).await?);
    let db = Database::fresh(Some(&server)).await?;
    let (mut group, holder) = start_scenario(ctx.size, &db, &db, 0).await?;
    let data = db.value("SELECT @@datadir").await?.map(PathBuf::from).ok_or("no data folder")?;
    server.crash()?;
    let twin = SecondServer::copy(&data).await?;
    let new = twin.database(&db.name)?;
    if new.value("SELECT @@hostname").await?.as_deref() != Some(SecondServer::HOST) {
        return Err("the copy has the host name of the first one".into());
    }
    second(crew_on(&mut group, &new)?, &mut group, holder, &new).await
}

/// A replica is promoted when its primary died with a holder.
pub(crate) async fn replica(ctx: CaseContext) -> CaseResult {
    let (primary, twin) = (SecondServer::replicated(1).await?, SecondServer::replicated(2).await?);
    let (root, copy) = (primary.database("mysql")?, twin.database("mysql")?);
    let port = port_of(&root.url)?;
    let source = format!(
        "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='copy', MASTER_PASSWORD='copy',
         MASTER_USE_GTID=slave_pos"
    );
    root.execute("CREATE USER copy@'127.0.0.1' IDENTIFIED BY 'copy'").await?;
    root.execute("GRANT REPLICATION SLAVE ON *.* TO copy@'127.0.0.1'").await?;
    root.execute("CREATE DATABASE app").await?;
    copy.execute(&source).await?;
    copy.execute("START SLAVE").await?;
    let (db, new) = (primary.database("app")?, twin.database("app")?);
    let (mut group, holder) = start_scenario(ctx.size, &db, &db, 0).await?;
    let deadline = Instant::now() + Duration::from_secs(20);
    let state = "SELECT COUNT(*) FROM jetbase_migrations, jetbase_lock WHERE is_locked";
    while !new.value(state).await.is_ok_and(|count| count.as_deref() == Some("2")) {
        if Instant::now() > deadline {
            let told = copy.rows("SHOW SLAVE STATUS").await?;
            return Err(format!("the replica did not catch up: {told:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    primary.crash()?;
    new.execute("STOP SLAVE").await?;
    second(crew_on(&mut group, &new)?, &mut group, holder, &new).await
}

/// Four processes on the server that took the place of the first.
fn crew_on(group: &mut WorkerGroup, db: &Database) -> Result<Instant, TestError> {
    let begun = Instant::now();
    for _ in 0..4 {
        group.start(&[&format!("url={}", db.url)], StartMode::AtOnce)?;
    }
    Ok(begun)
}

async fn second(begun: Instant, group: &mut WorkerGroup, holder: u32, db: &Database) -> CaseResult {
    next(group, holder, Duration::from_secs(20)).await?;
    let time = begun.elapsed();
    let told = interrupted(group, holder).await?;
    group.finish(Duration::from_secs(90)).await?;
    group.journal.no_overlap()?;
    files::verify(db, VERSIONS).await?;
    Ok(format!("{time:.1?} from their start to the next holder; the first one: \"{told}\""))
}
