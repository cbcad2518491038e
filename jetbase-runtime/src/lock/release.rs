//! Releasing the lock, over the session that holds it or over a new one.

use std::time::Duration;

use jetbase_core::Record;

use super::identity::ProcessId;
use super::protocol::{Liveness, Observation};
use super::{Claim, HeldLock, Limit, Wait, attempt, release_session_lock};
use crate::connection::Cause;
use crate::error::Error;
use crate::run::read_state;
use crate::session::{Session, nonce};
use crate::state::NamespaceOptions;
use crate::target::Connect;

/// The result of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    Done,
    /// The row does not name this run any more.
    NotOurs,
}

/// How long a run tries to release the lock while others lock the row.
const RELEASE_WITHIN: Duration = Duration::from_secs(30);

/// Releases the lock: first the row, by compare-and-set on the run's own id, then the session lock.
pub(crate) async fn release(session: &mut Session<'_>, _held: HeldLock) -> Result<Release, Cause> {
    let limit = Limit::begin(Wait::UpTo(RELEASE_WITHIN));
    session.wait_within(limit).await;
    let mut tries = 0;
    let sets = loop {
        match session.write(session.sql.release).await {
            Ok(sets) => break sets,
            Err(failure) if !failure.cause.is_contended() || limit.left().is_zero() => {
                return Err(failure.cause);
            }
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(20) * tries.min(25)).await;
    };
    release_session_lock(session, &mut None).await;
    let freed = sets.first().is_some_and(|set| set.affected == 1);
    Ok(if freed { Release::Done } else { Release::NotOurs })
}

/// Releases the lock of a lost session over a new one, and reads the history.
///
/// With a session lock, it releases the row only after the old session has ended. Without one, it
/// does so only where the fence keeps the old session from continuing (PostgreSQL).
pub(crate) async fn release_afresh(
    origin: &mut dyn Connect,
    options: &NamespaceOptions,
    claim: &Claim,
) -> Result<Vec<Record>, Error> {
    let found = read_state(origin, options).await?;
    let nonce = nonce();
    let limit = Limit::begin(Wait::UpTo(RELEASE_WITHIN));
    let mut session = Session::open(origin, &found, &nonce, limit).await?;
    session.wait_within(limit).await;
    let new_id = ProcessId::new(session.liveness, &session.server);
    session.bindings = session.bindings.clone().literal("recoverable_prefix", &claim.id);
    if claim.liveness.has_session_lock() && session.liveness == claim.liveness {
        session.bindings = session.bindings.clone().literal("me", new_id.as_str());
        for _ in 0..25 {
            if let Observation::Won(_) = attempt(&mut session, &mut None, &mut None).await? {
                session
                    .write(session.sql.release)
                    .await
                    .map_err(|it| Error::database("releasing the lock", &it.cause))?;
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    } else if claim.liveness == Liveness::Fenced {
        session.bindings = session.bindings.clone().literal("me", &claim.id);
        let _ = session.write(session.sql.release).await;
    }
    let history = session.history().await;
    session.close().await;
    history
}
