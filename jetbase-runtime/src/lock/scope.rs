//! The scope of the lock: the only function that acquires the lock, does a piece of work, and
//! releases the lock again.

use std::time::Duration;

use jetbase_core::Record;

use super::acquire::{Acquired, Commits, DoneByOthers, HeldLock, NeverDoneByOthers, acquire};
use super::release::{LostLock, NewSessionRelease, Release, release, release_over_new_session};
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Listener};
use crate::journal::JournalRow;
use crate::options::LockOptions;
use crate::session::Session;
use crate::state::{DatabaseState, NamespaceOptions};
use crate::target::Connect;
use crate::wait::Limit;

/// What a caller wants the lock for.
pub(crate) struct LockRequest<'a> {
    /// The database state that the caller has read without the lock.
    pub(crate) state: &'a DatabaseState,
    pub(crate) options: &'a LockOptions,
    /// How long to wait for the server and for the lock.
    pub(crate) limit: Limit,
    pub(crate) commits: Commits,
}

/// Why a piece of work under the lock failed.
#[derive(Debug)]
pub(crate) struct WorkError {
    pub(crate) error: Error,
    /// The history as a new session has read it, if the run has lost its connection.
    pub(crate) history: Option<Vec<Record>>,
    /// The journal, as the new session has read it after the lost session had ended.
    pub(crate) journal: Option<Vec<JournalRow>>,
}

impl From<Error> for WorkError {
    fn from(error: Error) -> Self {
        WorkError { error, history: None, journal: None }
    }
}

impl From<WorkError> for Error {
    fn from(failed: WorkError) -> Self {
        failed.error
    }
}

/// Opens a session, acquires the lock, does the work, and releases the lock on every path.
///
/// `check` sees the session before the run waits for the lock. If it refuses, no lock is taken.
///
/// If the connection is lost, or cannot release the lock, a new session releases the lock where that
/// is safe. What goes wrong with the release is a warning: the work itself has already succeeded or
/// failed.
pub(crate) async fn with_lock<T>(
    source: &mut dyn Connect,
    request: &LockRequest<'_>,
    listener: &mut Listener,
    check: impl FnOnce(&Session<'_>) -> Result<(), Error>,
    work: impl AsyncFnOnce(&mut Session<'_>, &HeldLock, &mut Listener) -> Result<T, Error>,
) -> Result<T, WorkError> {
    with_lock_unless(source, request, listener, check, NeverDoneByOthers, work).await
}

/// The same, unless another run does the work meanwhile.
///
/// After each wait, when the lock is free, `done_by_others` can return the value of the work. Then the
/// lock is not acquired. So in a storm of processes, only one of them acquires it.
pub(crate) async fn with_lock_unless<T>(
    source: &mut dyn Connect,
    request: &LockRequest<'_>,
    listener: &mut Listener,
    check: impl FnOnce(&Session<'_>) -> Result<(), Error>,
    done_by_others: impl DoneByOthers<T>,
    work: impl AsyncFnOnce(&mut Session<'_>, &HeldLock, &mut Listener) -> Result<T, Error>,
) -> Result<T, WorkError> {
    request.options.cancel.outlive_future().await;
    let mut session = Session::open(source, request.state, request.limit).await?;
    session.allow_interrupts(&request.options.cancel).await;
    let mut unreleased = None;
    let result = match check(&session) {
        Ok(()) => {
            let (lost, others) = (&mut unreleased, done_by_others);
            acquire_and_work(&mut session, request, listener, others, work, lost).await
        }
        Err(refusal) => Err(refusal),
    };
    let result = match result {
        Ok(value) => Ok(value),
        Err(error) => Err(session.name_primary(error).await),
    };
    let is_interrupted = result.as_ref().is_err_and(is_interrupted);
    // What a file has set can prevent every write of its session, such as `gtid_next` on MySQL.
    let cannot_release = unreleased.as_ref().is_some_and(|error: &Error| !error.is_contended());
    let may_be_lost = result.is_err() || unreleased.is_some();
    let is_lost =
        is_interrupted || cannot_release || (may_be_lost && session.is_connection_lost().await);
    // The answer to an attempt may be lost, so the row may name this run even if it has no lock.
    let process_id = session.process_id.take().filter(|_| is_lost);
    let lost = process_id.map(|id| LostLock { id, liveness: session.liveness });
    session.close().await;
    let tries = if is_interrupted { RECONNECT_TRIES } else { 1 };
    let afterwards = match &lost {
        Some(lost) => {
            resolve_lost_connection(source, &request.options.namespace, lost, tries).await
        }
        None => None,
    };
    if let Some(error) = unreleased.filter(|_| !afterwards.as_ref().is_some_and(|it| it.released)) {
        listener.warn(format!("{error:#}; run `jetbase unlock` when no other process migrates"));
    }
    result.map_err(|error| match afterwards {
        Some(NewSessionRelease { history, journal, .. }) => {
            WorkError { error, history: Some(history), journal }
        }
        None => error.into(),
    })
}

/// Does the work in an open session. If the lock cannot be released there, `unreleased` says why.
async fn acquire_and_work<T>(
    session: &mut Session<'_>,
    request: &LockRequest<'_>,
    listener: &mut Listener,
    done_by_others: impl DoneByOthers<T>,
    work: impl AsyncFnOnce(&mut Session<'_>, &HeldLock, &mut Listener) -> Result<T, Error>,
    unreleased: &mut Option<Error>,
) -> Result<T, Error> {
    let LockRequest { options, limit, commits, .. } = *request;
    let held = match acquire(session, limit, listener, options, commits, done_by_others).await? {
        Acquired::Held(held) => held,
        Acquired::DoneByOthers(value) => return Ok(value),
    };
    let result = work(session, &held, listener).await;
    if result.as_ref().is_err_and(is_interrupted) {
        return result;
    }
    if matches!(result.as_ref().map_err(Error::kind), Err(ErrorKind::LockLost { .. })) {
        listener.emit(&Event::LockLost);
    }
    match release(session, held).await {
        Ok(Release::Done) => listener.emit(&Event::Released),
        Ok(Release::OtherOwner) if result.is_ok() => {
            let message = "another process took the migration lock away during the run; everything had been done and recorded before";
            listener.warn(message.to_owned());
        }
        Ok(Release::OtherOwner) => {}
        Err(cause) => *unreleased = Some(Error::database("releasing the migration lock", &cause)),
    }
    result
}

/// How often a run tries to reach a server that it has lost inside a file. A server that restarts
/// needs a moment.
const RECONNECT_TRIES: u32 = 10;
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Releases the lock of a lost connection over a new session. Returns `None` if the server cannot
/// be reached.
async fn resolve_lost_connection(
    source: &mut dyn Connect,
    options: &NamespaceOptions,
    lost: &LostLock,
    tries: u32,
) -> Option<NewSessionRelease> {
    for attempt in 1..=tries {
        if let Ok(release) = release_over_new_session(source, options, lost).await {
            return Some(release);
        }
        if attempt < tries {
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
    }
    None
}

/// Whether the connection was lost inside a file.
fn is_interrupted(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted { .. })
}
