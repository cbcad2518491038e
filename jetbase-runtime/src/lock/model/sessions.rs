//! The sessions on the server, and the two session locks.
//!
//! A run begins in a session with the first lock; a renewal leads to one with the
//! other lock, and the next renewal back to the first.

use super::world::{Job, World};

/// A session on the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Session {
    pub(super) open: bool,
    /// Its client is gone, and the server has not noticed.
    pub(super) orphan: bool,
    pub(super) job: Option<Job>,
}

/// The pooler's sessions.
pub(super) const POOL: [usize; 2] = [6, 7];

/// The session of a run that looks after the row when its connection is lost.
pub(super) const fn afresh(run: usize) -> usize {
    run + 4
}

/// The session that a renewal leads to.
pub(super) const fn renewed(session: usize) -> usize {
    if session < 2 { session + 2 } else { session - 2 }
}

/// Which of the two session locks a session takes.
pub(super) const fn lock_of(session: usize) -> usize {
    match session {
        2 | 3 => 1,
        _ => 0,
    }
}

impl World {
    /// Ends a session: its work is undone, its session lock is free.
    pub(super) fn close(&mut self, session: usize) {
        self.sessions[session] = Session { open: POOL.contains(&session), ..Session::default() };
        self.release_lock(session);
    }

    /// A session gives its session locks back.
    pub(super) fn release_lock(&mut self, session: usize) {
        for proof in &mut self.proofs {
            *proof = proof.filter(|holder| *holder != session);
        }
    }

    /// A session takes its session lock, unless another one has it.
    pub(super) fn take_lock(&mut self, session: usize) -> bool {
        let proof = &mut self.proofs[lock_of(session)];
        *proof.get_or_insert(session) == session
    }

    /// Whether a session has its session lock.
    pub(super) fn has_lock(&self, session: usize) -> bool {
        self.proofs[lock_of(session)] == Some(session)
    }

    /// A session has no client any more; the server notices that later.
    pub(super) fn abandon(&mut self, session: usize) {
        let session = &mut self.sessions[session];
        session.orphan = session.open;
    }
}
