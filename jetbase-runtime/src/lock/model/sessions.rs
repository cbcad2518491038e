//! The sessions on the server, and the two session locks.
//!
//! A run starts in a session with the first lock. A renewal leads to a session with the other lock,
//! and the next renewal back to the first.

use super::world::{ModelJob, World};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ModelSession {
    pub(super) open: bool,
    /// The client is gone, and the server has not noticed yet.
    pub(super) orphan: bool,
    pub(super) job: Option<ModelJob>,
}

pub(super) const POOL: [usize; 2] = [6, 7];

/// Returns the session in which a run resolves the row after its connection is lost.
pub(super) const fn new_session(run: usize) -> usize {
    run + 4
}

/// Returns the session that a renewal leads to.
pub(super) const fn renewed(session: usize) -> usize {
    if session < 2 { session + 2 } else { session - 2 }
}

/// Returns which of the two session locks a session takes.
pub(super) const fn lock_of(session: usize) -> usize {
    match session {
        2 | 3 => 1,
        _ => 0,
    }
}

impl World {
    /// Ends a session: its work is rolled back, and its session lock is free.
    pub(super) fn close(&mut self, session: usize) {
        self.sessions[session] =
            ModelSession { open: POOL.contains(&session), ..ModelSession::default() };
        self.release_lock(session);
    }

    /// Releases the session locks of a session.
    pub(super) fn release_lock(&mut self, session: usize) {
        for lock in &mut self.session_locks {
            *lock = lock.filter(|holder| *holder != session);
        }
    }

    /// Takes the session lock for a session, unless another one has it.
    pub(super) fn take_lock(&mut self, session: usize) -> bool {
        let lock = &mut self.session_locks[lock_of(session)];
        *lock.get_or_insert(session) == session
    }

    pub(super) fn has_lock(&self, session: usize) -> bool {
        self.session_locks[lock_of(session)] == Some(session)
    }

    /// Removes the client of a session. The server notices that later.
    pub(super) fn abandon(&mut self, session: usize) {
        let session = &mut self.sessions[session];
        session.orphan = session.open;
    }
}
