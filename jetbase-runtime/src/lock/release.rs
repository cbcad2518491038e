//! Giving the lock back, from the session that has it or from a fresh one.

use std::time::Duration;

use jetbase_core::{Dialect, Record};

use super::identity::ProcessId;
use super::protocol::{Proof, Seen};
use super::{Claim, Held, attempt};
use crate::connection::Cause;
use crate::error::Error;
use crate::look::Wish;
use crate::run::first_look;
use crate::session::{Session, nonce};
use crate::target::Open;

/// What became of the lock at the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    Done,
    /// The row is not ours any more.
    NotOurs,
}

/// Gives the lock back: compare-and-set on our own id, the row first, then the proof.
pub(crate) async fn release(session: &mut Session<'_>, _held: Held) -> Result<Release, Cause> {
    let mut tries = 0;
    let sets = loop {
        match session.write(session.sql.release).await {
            Ok(sets) => break sets,
            Err(failure) => {
                tries += 1;
                if !failure.cause.is_contended() || tries > 10 {
                    return Err(failure.cause);
                }
                tokio::time::sleep(Duration::from_millis(20) * tries).await;
            }
        }
    };
    if session.proof.is_proof() && session.dialect != Dialect::Sqlite {
        let _ = session.send(session.sql.release_proof).await;
    }
    let freed = sets.first().is_some_and(|set| set.affected == 1);
    Ok(if freed { Release::Done } else { Release::NotOurs })
}

/// Frees the lock of a session of ours that was lost, from a fresh one, and reads the history.
///
/// With a proof, only once the old session is provably gone; without one, only
/// where the fence keeps the old session from working on (PostgreSQL).
pub(crate) async fn release_afresh(
    origin: &mut dyn Open,
    wish: &Wish,
    claim: &Claim,
) -> Result<Vec<Record>, Error> {
    let found = first_look(origin, wish).await?;
    let nonce = nonce();
    let mut session = Session::open(origin, &found, &nonce, Duration::ZERO).await?;
    let heir = ProcessId::new(session.proof, &session.server);
    session.fill = session.fill.clone().literal("heirloom", &claim.id);
    if claim.proof.is_proof() && session.proof == claim.proof {
        session.fill = session.fill.clone().literal("me", heir.as_str());
        for _ in 0..25 {
            if let Seen::Won(_) = attempt(&mut session, &mut None).await? {
                session
                    .write(session.sql.release)
                    .await
                    .map_err(|it| Error::database("releasing the lock", &it.cause))?;
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    } else if claim.proof == Proof::Fenced {
        session.fill = session.fill.clone().literal("me", &claim.id);
        let sql = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = '5s'; {}; COMMIT",
            session.sql.release
        );
        let _ = session.send(&sql).await;
    }
    let history = session.history().await;
    session.close().await;
    history
}
