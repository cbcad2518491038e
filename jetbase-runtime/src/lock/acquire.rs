//! Acquires the lock: tries, reads and waits.

use std::time::{Duration, Instant};

use futures_core::future::BoxFuture;
use jetbase_core::Dialect;

use super::acquisition::Acquisition;
use super::holder::describe_holder;
use super::identity::{ProcessId, same_class};
use super::protocol::{Claimant, LockAction, Observation, OwnerState, Progress, judge, next};
use super::side_file::SideFile;
use super::tables::create_tables;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Listener};
use crate::options::LockOptions;
use crate::session::{Liveness, Session};
use crate::wait::{Limit, NOTICE_INTERVAL, jittered};

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
pub(crate) struct HeldLock {
    /// How long the run waited for it.
    pub(crate) waited: Duration,
    /// The id of the stale lock that it replaced, if there was one.
    pub(crate) recovered: Option<String>,
    /// Keeps the session lock of an SQLite run.
    _side_file: Option<SideFile>,
}

/// The pauses between two attempts: the shortest and the longest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Returns the pause of a run that has waited for that long: an eighth of it. So a run notices the release
/// of the lock after a small part of the time for which it has waited.
fn pause_after(waited: Duration) -> Duration {
    (waited / 8).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

/// Finds out whether other runs do the work while this one waits for the lock.
pub(crate) trait DoneByOthers<T>: Send {
    /// Returns the value of the work if nothing is left to do after the run has waited for that long.
    fn value<'s>(
        &'s mut self,
        session: &'s mut Session<'_>,
        waited: Duration,
    ) -> BoxFuture<'s, Option<T>>;
}

/// For work that a run does in any case.
pub(super) struct NeverDoneByOthers;

impl<T> DoneByOthers<T> for NeverDoneByOthers {
    fn value<'s>(&'s mut self, _: &'s mut Session<'_>, _: Duration) -> BoxFuture<'s, Option<T>> {
        Box::pin(async { None })
    }
}

/// What an acquisition ends with.
pub(super) enum Acquired<T> {
    Held(HeldLock),
    DoneByOthers(T),
}

/// Acquires the lock, unless `done_by_others` finds after a wait that there is nothing left to do.
/// Afterwards the session's `{me}` is the process id.
pub(super) async fn acquire<T>(
    session: &mut Session<'_>,
    limit: Limit,
    listener: &mut Listener,
    options: &LockOptions,
    commits: Commits,
    done_by_others: impl DoneByOthers<T>,
) -> Result<Acquired<T>, Error> {
    session.wait_within(limit).await;
    let found = session.file.as_deref().map_or(Ok(None), SideFile::find_or_create);
    let side_file = found?;
    if let Some(file) = &side_file {
        session.liveness = Liveness::File;
        session.server = file.identity();
    }
    // A fence can only stop a run whose every step it guards.
    let fenceable = session.dialect == Dialect::Postgres && !session.server.is_empty();
    if fenceable && session.liveness == Liveness::None && commits == Commits::PerFile {
        session.liveness = Liveness::Fenced;
    }
    let claimant = claimant(session, fenceable);
    let recoverable = format!("{}%", claimant.recoverable_prefix);
    session.bind(|it| it.literal("me", &claimant.id).literal("recoverable_prefix", &recoverable));
    session.process_id = Some(claimant.id.clone());

    let acquisition = Acquisition::new(session, side_file);
    let acquired =
        wait_for_lock(acquisition, &claimant, limit, listener, options, done_by_others).await?;
    session.work_without_limit().await;
    Ok(acquired)
}

/// Tries, reads and waits until the run holds the lock, or the limit is reached.
async fn wait_for_lock<T>(
    mut lock: Acquisition<'_, '_>,
    claimant: &Claimant,
    limit: Limit,
    listener: &mut Listener,
    options: &LockOptions,
    mut done_by_others: impl DoneByOthers<T>,
) -> Result<Acquired<T>, Error> {
    let cancel = &options.cancel;
    let (started, limits) = (Instant::now(), limit.limits());
    let mut has_waited = false;
    let mut next_notice = options.first_notice;
    let mut progress = Progress::default();
    let mut observation =
        if lock.session.has_tables { lock.attempt().await? } else { Observation::NoTables };
    loop {
        progress.waited = started.elapsed();
        let action = next(claimant, &observation, progress, limits);
        // A lock that this run has acquired must be released, so the run holds it first.
        if cancel.is_requested() && action != LockAction::Hold {
            return Err(Error::new(ErrorKind::Cancelled));
        }
        progress = progress.after(action);
        observation = match action {
            LockAction::CreateTables if create_tables(&mut lock, limit).await? => {
                lock.attempt().await?
            }
            LockAction::CreateTables => Observation::Unreadable,
            LockAction::CreateRow => lock.create_row().await?,
            LockAction::TryAcquire => {
                if std::mem::take(&mut has_waited)
                    && !lock.row.locked
                    && let Some(value) = done_by_others.value(lock.session, started.elapsed()).await
                {
                    return Ok(Acquired::DoneByOthers(value));
                }
                lock.attempt().await?
            }
            LockAction::TakeOver => lock.take_over().await?,
            LockAction::ReadRow => lock.read_row().await?,
            LockAction::Sleep => {
                if progress.waited >= next_notice {
                    next_notice += NOTICE_INTERVAL;
                    let holder = lock.describe_obstacle().await;
                    listener.emit(&Event::Waiting { holder, since: lock.row.since.clone() });
                }
                cancel.sleep(jittered(pause_after(progress.waited))).await;
                has_waited = true;
                progress = Progress { waited: progress.waited, ..Progress::default() };
                Observation::Refused
            }
            LockAction::Hold => {
                let recovered = match observation {
                    Observation::Acquired(recovered) => recovered,
                    _ => None,
                };
                if let Some(from) = &recovered {
                    listener.emit(&Event::Recovered { from: from.clone() });
                }
                let waited = started.elapsed();
                listener.emit(&Event::Acquired { waited });
                let _side_file = lock.side_file;
                return Ok(Acquired::Held(HeldLock { waited, recovered, _side_file }));
            }
            LockAction::GiveUp => return Err(give_up(lock, claimant, progress.waited).await),
        };
    }
}

/// Returns the error of a run that has waited too long.
async fn give_up(mut lock: Acquisition<'_, '_>, claimant: &Claimant, waited: Duration) -> Error {
    if !lock.row.locked {
        let obstacle = lock.describe_obstacle().await;
        return Error::new(ErrorKind::Blocked { obstacle, waited });
    }
    let alive = matches!(judge(claimant, &lock.row), OwnerState::Alive).then_some(true);
    let holder = describe_holder(lock.session, &lock.row).await;
    Error::new(ErrorKind::Held { holder, since: lock.row.since, alive, waited })
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
