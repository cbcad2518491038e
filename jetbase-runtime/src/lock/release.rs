//! Releases the lock, over the session that holds it or over a new one.

use std::time::Duration;

use jetbase_core::Record;

use super::acquire::HeldLock;
use super::acquisition::Acquisition;
use super::identity::ProcessId;
use super::protocol::Observation;
use crate::connection::Cause;
use crate::error::Error;
use crate::journal::JournalRow;
use crate::session::{Liveness, Session};
use crate::state::{NamespaceOptions, read_state};
use crate::target::Connect;
use crate::wait::{Limit, Wait};

/// The result of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    Done,
    /// The row does not name this run any more.
    OtherOwner,
}

/// How long a run tries to release the lock while others lock the row.
const RELEASE_WITHIN: Duration = Duration::from_secs(30);

/// Releases the lock: first the row, by compare-and-set on the run's own id, then the session lock.
pub(super) async fn release(session: &mut Session<'_>, _held: HeldLock) -> Result<Release, Cause> {
    let limit = Limit::start(Wait::UpTo(RELEASE_WITHIN));
    session.wait_within(limit).await;
    let mut tries = 0;
    let sets = loop {
        match session.write_lock(session.sql.release).await {
            Ok(sets) => break sets,
            Err(failure) if !is_passing(&failure.cause) || limit.time_left().is_zero() => {
                return Err(failure.cause);
            }
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(20) * tries.min(25)).await;
    };
    session.release_session_lock().await;
    let released = sets.first().is_some_and(|set| set.affected == 1);
    Ok(if released { Release::Done } else { Release::OtherOwner })
}

/// Whether a second attempt can succeed: others lock the row, or a request to cancel the statement before
/// came late.
fn is_passing(cause: &Cause) -> bool {
    cause.is_contended() || cause.is_cancelled()
}

/// The lock that a lost session holds, or may hold.
#[derive(Debug)]
pub(super) struct LostLock {
    pub(super) id: String,
    pub(super) liveness: Liveness,
}

/// What a new session has done for a lost one.
#[derive(Debug)]
pub(super) struct NewSessionRelease {
    /// The history after the lost session has ended.
    pub(super) history: Vec<Record>,
    /// The journal, if the lost session has ended.
    pub(super) journal: Option<Vec<JournalRow>>,
    pub(super) released: bool,
}

/// How often a new session tries to acquire the session lock of a lost one, and the pause between.
const TAKE_OVER_TRIES: u32 = 25;
const TAKE_OVER_PAUSE: Duration = Duration::from_millis(200);

/// Releases the lock of a lost session over a new one, and reads the history.
///
/// With a session lock, it releases the row only after the old session has ended. Without one, it
/// does so only where the fence keeps the old session from continuing (PostgreSQL).
pub(super) async fn release_over_new_session(
    source: &mut dyn Connect,
    options: &NamespaceOptions,
    lost: &LostLock,
) -> Result<NewSessionRelease, Error> {
    let state = read_state(source, options).await?;
    let limit = Limit::start(Wait::UpTo(RELEASE_WITHIN));
    let mut session = Session::open(source, &state, limit).await?;
    session.wait_within(limit).await;
    let released = release_lost(&mut session, lost).await;
    let history = match released {
        Ok(released) => read_afterwards(&mut session, released).await,
        Err(error) => Err(error),
    };
    session.close().await;
    history
}

async fn read_afterwards(
    session: &mut Session<'_>,
    released: bool,
) -> Result<NewSessionRelease, Error> {
    let history = session.history().await?;
    let journal = if released { Some(session.read_journal().await?) } else { None };
    Ok(NewSessionRelease { history, journal, released })
}

/// Releases the row of a lost session, where that is safe. Returns whether it is released.
async fn release_lost(session: &mut Session<'_>, lost: &LostLock) -> Result<bool, Error> {
    session.bind(|it| it.literal("recoverable_prefix", &lost.id));
    if lost.liveness.has_session_lock() && session.liveness == lost.liveness {
        let new_id = ProcessId::new(session.liveness, &session.server);
        session.bind(|it| it.literal("me", new_id.as_str()));
        for _ in 0..TAKE_OVER_TRIES {
            if let Observation::Acquired(_) = Acquisition::new(session, None).attempt().await? {
                let sent = session.write_lock(session.sql.release).await;
                sent.map_err(Error::during("releasing the lock"))?;
                return Ok(true);
            }
            tokio::time::sleep(TAKE_OVER_PAUSE).await;
        }
        return Ok(false);
    }
    if lost.liveness == Liveness::Fenced {
        session.bind(|it| it.literal("me", &lost.id));
        return Ok(session.write_lock(session.sql.release).await.is_ok());
    }
    Ok(false)
}
