//! Attempts to acquire the lock, each with one message.

use super::protocol::Observation;
use super::row::{is_missing, refused};
use super::side_file::SideFile;
use crate::connection::{Failure, ResultSet};
use crate::error::Error;
use crate::session::Session;

/// Takes the lock over from an owner whose steps are all fenced, unless the owner is executing one.
pub(super) async fn take_over(
    session: &mut Session<'_>,
    dead: &str,
    obstacle: &mut Option<String>,
) -> Result<Observation, Error> {
    session.bindings = session.bindings.clone().literal("dead", dead);
    let sql = match session.liveness.has_session_lock() {
        true => session.sql.take_over_with_session_lock,
        false => session.sql.take_over,
    };
    let answer = match session.write(sql).await {
        Ok(sets) => sets.last().and_then(|set| set.rows.first()).cloned().unwrap_or_default(),
        Err(failure) => {
            release_session_lock(session, &mut None).await;
            return refused(&failure, "taking the migration lock over", obstacle);
        }
    };
    if answer.is_true(0) {
        return Ok(Observation::Won(Some(dead.to_owned())));
    }
    if answer.is_true(1) {
        release_session_lock(session, &mut None).await;
    }
    Ok(Observation::Refused)
}

/// Tries to acquire the lock with one atomic UPDATE, which is committed at once.
pub(super) async fn attempt(
    session: &mut Session<'_>,
    side_file: &mut Option<SideFile>,
    obstacle: &mut Option<String>,
) -> Result<Observation, Error> {
    if side_file.as_mut().is_some_and(|file| !file.try_lock()) {
        return Ok(Observation::Refused);
    }
    let sql = if session.liveness.has_session_lock() {
        session.sql.acquire_with_session_lock
    } else {
        session.sql.acquire
    };
    let sets = match session.write(sql).await {
        Ok(sets) => sets,
        Err(Failure { cause, .. }) if is_missing(session, &cause) => {
            release_session_lock(session, side_file).await;
            return Ok(Observation::NoTables);
        }
        Err(failure) => {
            // The session lock may be ours although the row is not. If we kept it, we would look
            // like a holder.
            release_session_lock(session, side_file).await;
            return refused(&failure, "taking the migration lock", obstacle);
        }
    };
    *obstacle = None;
    let first =
        |set: Option<&ResultSet>| set.and_then(|set| set.rows.first()).cloned().unwrap_or_default();
    let (before, answer) = (first(sets.first()), first(sets.last()));
    if answer.is_true(0) {
        return Ok(Observation::Won(before.opt(2).map(str::to_owned)));
    }
    if answer.is_true(1) {
        release_session_lock(session, side_file).await;
    }
    Ok(Observation::Refused)
}

/// Releases the session lock, because the row is not ours.
pub(super) async fn release_session_lock(
    session: &mut Session<'_>,
    side_file: &mut Option<SideFile>,
) {
    if session.has_server_lock() {
        let _ = session.ask(session.sql.release_session_lock).await;
    }
    if let Some(file) = side_file {
        file.unlock();
    }
}
