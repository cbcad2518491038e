//! The jetbase lock: the row that both tools respect, and the session lock that shows whether its
//! holder is alive.

mod holder;
mod identity;
#[cfg(test)]
mod model;
mod protocol;
mod release;
mod side_file;
mod tables;
mod wait;

use std::time::{Duration, Instant};

use jetbase_core::Dialect;

use crate::cancel::Cancel;
use crate::connection::{ResultSet, SendFailure};
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Listener};
use crate::session::{Session, Topology};

pub(crate) use holder::describe;
use holder::{give_up, obstructor};
use identity::ProcessId;
pub(crate) use identity::is_ours;
use protocol::{Action, Claimant, Observation, Progress, next};
pub(crate) use protocol::{Liveness, LockRow};
pub(crate) use release::{Release, release, release_afresh};
use side_file::SideFile;
use tables::create_tables;
pub(crate) use wait::Limit;
pub use wait::Wait;

/// The id under which a run holds the lock, or may hold it because an answer was lost.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    id: String,
    liveness: Liveness,
}

impl Claim {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

/// Whether the fence guards everything that a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commits {
    /// Yes: all files are transactional, on PostgreSQL.
    PerFile,
    /// No: some statements commit by themselves.
    PerStatement,
}

/// The lock, while the run holds it.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) waited: Duration,
    pub(crate) recovered: Option<String>,
    /// Keeps the session lock of an SQLite run.
    _side_file: Option<SideFile>,
}

/// The pauses between two attempts: the first and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// When a waiting run first reports for whom it waits, and how often it repeats the report.
pub(crate) const FIRST_NOTICE: Duration = Duration::from_secs(5);
pub(crate) const NOTICE_INTERVAL: Duration = Duration::from_secs(30);

/// Acquires the lock. Afterwards the session's `{me}` is the process id.
pub(crate) async fn acquire(
    session: &mut Session<'_>,
    limit: Limit,
    listener: &mut Listener,
    cancel: &Cancel,
    work: Commits,
) -> Result<Held, Error> {
    session.wait_within(limit).await;
    let found = session.file.as_deref().map_or(Ok(None), SideFile::find_or_make);
    let side_file = found?;
    if let Some(file) = &side_file {
        session.liveness = Liveness::File;
        session.server = file.identity();
    }
    // A fence can only stop a run whose every step it guards.
    let fenceable = session.dialect == Dialect::Postgres && !session.server.is_empty();
    if fenceable && session.liveness == Liveness::None && work == Commits::PerFile {
        session.liveness = Liveness::Fenced;
    }
    let claimant = claimant(session, fenceable);
    session.fill = session
        .fill
        .clone()
        .literal("me", &claimant.id)
        .literal("recoverable_prefix", &format!("{}%", claimant.recoverable_prefix));
    session.claim = Some(Claim { id: claimant.id.clone(), liveness: claimant.liveness });

    let held = contend(session, side_file, &claimant, limit, listener, cancel).await?;
    session.work_without_limit().await;
    Ok(held)
}

/// Tries, reads and waits until the run holds the lock, or the limit is reached.
async fn contend(
    session: &mut Session<'_>,
    mut side_file: Option<SideFile>,
    claimant: &Claimant,
    limit: Limit,
    listener: &mut Listener,
    cancel: &Cancel,
) -> Result<Held, Error> {
    let (started, patience) = (Instant::now(), limit.patience());
    let mut pause = FIRST_PAUSE;
    let mut word = FIRST_NOTICE;
    let mut row = LockRow::default();
    let mut silence = Silence::default();
    let mut obstacle = None;
    let mut progress = Progress::default();
    let mut seen = match session.has_tables {
        true => attempt(session, &mut side_file, &mut obstacle).await?,
        false => Observation::NoTables,
    };
    loop {
        progress.waited = started.elapsed();
        let action = next(claimant, &seen, progress, patience);
        // A lock that is already ours must be released, so the run holds it first.
        if cancel.is_asked() && action != Action::Hold {
            return Err(Error::new(ErrorKind::Cancelled));
        }
        progress = progress.behind(action);
        match action {
            Action::CreateTables => {
                seen = match create_tables(session, limit, &mut obstacle).await? {
                    true => attempt(session, &mut side_file, &mut obstacle).await?,
                    false => Observation::Unreadable,
                };
            }
            Action::CreateRow => {
                let sql = session.sql.create_row;
                seen = match session.write(sql).await {
                    Ok(_) => attempt(session, &mut side_file, &mut obstacle).await?,
                    Err(failure) => refused(&failure, "creating the lock row", &mut obstacle)?,
                };
            }
            Action::TryAcquire => seen = attempt(session, &mut side_file, &mut obstacle).await?,
            Action::TakeOver => {
                let owner = row.owner.as_deref().unwrap_or_default();
                seen = take_over(session, owner, &mut obstacle).await?;
                silence = Silence::default();
            }
            Action::ReadRow => {
                seen = read_row(session, side_file.as_mut(), &mut silence, &mut obstacle).await?;
                if let Observation::Row(found) = &seen {
                    row = found.clone();
                }
            }
            Action::Sleep => {
                if progress.waited >= word {
                    word += NOTICE_INTERVAL;
                    let holder = obstructor(session, &row, obstacle.as_deref()).await;
                    listener.emit(&Event::Waiting { holder, since: row.since.clone() });
                }
                let jitter = 0.5 + fastrand::f64();
                cancel.sleep(pause.mul_f64(jitter)).await;
                pause = pause.mul_f64(1.6).min(LONGEST_PAUSE);
                progress = Progress { waited: progress.waited, ..Progress::default() };
                seen = Observation::Refused;
            }
            Action::Hold => {
                let recovered = match seen {
                    Observation::Won(dead) => dead,
                    _ => None,
                };
                if let Some(from) = &recovered {
                    listener.emit(&Event::Recovered { from: from.clone() });
                }
                let waited = started.elapsed();
                listener.emit(&Event::Acquired { waited });
                return Ok(Held { waited, recovered, _side_file: side_file });
            }
            Action::GiveUp => {
                return Err(give_up(session, claimant, row, obstacle, progress.waited).await);
            }
        }
    }
}

/// Describes this run as a claimant of the lock.
fn claimant(session: &Session<'_>, fenceable: bool) -> Claimant {
    Claimant {
        id: ProcessId::new(session.liveness, &session.server).as_str().to_owned(),
        liveness: session.liveness,
        recoverable_prefix: same_class(session, session.liveness),
        fenced_prefix: if fenceable {
            same_class(session, Liveness::Fenced)
        } else {
            String::new()
        },
    }
}

/// Returns the prefix of the ids whose owners' liveness this session can check.
fn same_class(session: &Session<'_>, proof: Liveness) -> String {
    match session.topology {
        // An SQLite file may have several names, each with its own side file.
        Topology::SingleWriter if proof != Liveness::File => identity::class(proof),
        Topology::SingleWriter | Topology::Cluster => identity::prefix(proof, &session.server),
    }
}

/// For how long this run has seen the row and the history unchanged.
#[derive(Debug, Default)]
struct Silence {
    seen: Option<([String; 3], Instant)>,
}

impl Silence {
    fn length(&mut self, signs: [String; 3]) -> Duration {
        match &self.seen {
            Some((before, since)) if *before == signs => since.elapsed(),
            _ => {
                self.seen = Some((signs, Instant::now()));
                Duration::ZERO
            }
        }
    }
}

/// Takes the lock over from an owner whose steps are all fenced, unless the owner is executing one.
async fn take_over(
    session: &mut Session<'_>,
    dead: &str,
    obstacle: &mut Option<String>,
) -> Result<Observation, Error> {
    session.fill = session.fill.clone().literal("dead", dead);
    let sql = match session.liveness.has_session_lock() {
        true => session.sql.take_over_proven,
        false => session.sql.take_over,
    };
    let answer = match session.write(sql).await {
        Ok(sets) => sets.last().and_then(|set| set.rows.first()).cloned().unwrap_or_default(),
        Err(failure) => {
            release_session_lock(session, &mut None).await;
            return refused(&failure, "taking the migration lock over", obstacle);
        }
    };
    if answer.is_true("has_row") {
        return Ok(Observation::Won(Some(dead.to_owned())));
    }
    if answer.is_true("has_session_lock") {
        release_session_lock(session, &mut None).await;
    }
    Ok(Observation::Refused)
}

/// Tries to acquire the lock with one atomic UPDATE, which is committed at once.
async fn attempt(
    session: &mut Session<'_>,
    side_file: &mut Option<SideFile>,
    obstacle: &mut Option<String>,
) -> Result<Observation, Error> {
    if side_file.as_mut().is_some_and(|file| !file.try_lock()) {
        return Ok(Observation::Refused);
    }
    let sql = if session.liveness.has_session_lock() {
        session.sql.acquire_proven
    } else {
        session.sql.acquire
    };
    let sets = match session.write(sql).await {
        Ok(sets) => sets,
        Err(failure) => {
            // The session lock may be ours although the row is not. If we kept it, we would look
            // like a holder.
            release_session_lock(session, side_file).await;
            if session.lacks_tables(&failure.cause).await {
                return Ok(Observation::NoTables);
            }
            return refused(&failure, "acquiring the migration lock", obstacle);
        }
    };
    *obstacle = None;
    let first =
        |set: Option<&ResultSet>| set.and_then(|set| set.rows.first()).cloned().unwrap_or_default();
    let (before, answer) = (first(sets.first()), first(sets.last()));
    if answer.is_true("has_row") {
        return Ok(Observation::Won(before.opt("previous").map(str::to_owned)));
    }
    if answer.is_true("has_session_lock") {
        release_session_lock(session, side_file).await;
    }
    Ok(Observation::Refused)
}

/// Releases the session lock, because the row is not ours.
async fn release_session_lock(session: &mut Session<'_>, side_file: &mut Option<SideFile>) {
    if session.has_server_lock() {
        let _ = session.ask(session.sql.release_proof).await;
    }
    if let Some(file) = side_file {
        file.unlock();
    }
}

/// Reads the row, without a lock and without a transaction. `alive` is set only for owners whose
/// liveness can be checked.
pub(crate) async fn inspect(session: &mut Session<'_>) -> Result<Option<LockRow>, Error> {
    let found = session.file.as_deref().map_or(Ok(None), SideFile::find);
    let mut side_file = found?;
    let proof = match session.dialect {
        Dialect::Postgres => Liveness::Advisory,
        Dialect::MySql => Liveness::GetLock,
        Dialect::Sqlite => Liveness::File,
    };
    if let Some(file) = &side_file {
        session.server = file.identity();
    }
    let same_class = same_class(session, proof);
    let mut obstacle = None;
    let silence = &mut Silence::default();
    let row = match read_row(session, side_file.as_mut(), silence, &mut obstacle).await? {
        Observation::Row(row) => row,
        Observation::Unreadable => {
            return Err(Error::new(ErrorKind::Blocked {
                obstacle: obstructor(session, &LockRow::default(), obstacle.as_deref()).await,
                waited: Duration::ZERO,
            }));
        }
        _ => return Ok(None),
    };
    let known = row.owner.as_ref().is_some_and(|owner| owner.starts_with(&same_class));
    Ok(Some(LockRow { alive: row.alive.filter(|_| known), ..row }))
}

async fn read_row(
    session: &mut Session<'_>,
    side_file: Option<&mut SideFile>,
    silence: &mut Silence,
    obstacle: &mut Option<String>,
) -> Result<Observation, Error> {
    let sets = match session.send(session.sql.poll).await {
        Ok(sets) => sets,
        Err(failure) if session.lacks_tables(&failure.cause).await => {
            return Ok(Observation::NoTables);
        }
        Err(failure) => {
            refused(&failure, "reading the migration lock", obstacle)?;
            return Ok(Observation::Unreadable);
        }
    };
    let Some(row) = sets.first().and_then(|set| set.rows.first()) else {
        return Ok(Observation::NoRow);
    };
    let alive = match side_file {
        Some(file) => Some(file.is_held_by_others()),
        None => row.opt("is_alive").map(|_| row.is_true("is_alive")),
    };
    Ok(Observation::Row(LockRow {
        locked: row.is_true("is_locked"),
        owner: row.opt("process_id").map(str::to_owned),
        since: row.opt("locked_at").map(str::to_owned),
        alive,
        silent: silence
            .length(["process_id", "locked_at", "fingerprint"].map(|it| row.text(it).to_owned())),
    }))
}

/// Treats a momentary refusal by the database as a failed attempt.
fn refused(
    failure: &SendFailure,
    doing: &str,
    obstacle: &mut Option<String>,
) -> Result<Observation, Error> {
    if !failure.cause.is_contended() {
        return Err(Error::database(doing, &failure.cause));
    }
    *obstacle = Some(format!(
        "another connection that locks the table jetbase_lock or jetbase_migrations (while {doing}: {}, {})",
        failure.cause.message, failure.cause.code
    ));
    Ok(Observation::Refused)
}
