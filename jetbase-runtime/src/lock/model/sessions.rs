//! The sessions on the server, and the two session locks.
//!
//! A run starts in a session with the first lock. A renewal leads to a session with the other lock,
//! and the next renewal back to the first.

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

/// A message that the server executes, even if its sender is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ModelJob {
    pub(super) run: u8,
    pub(super) version: usize,
    pub(super) kind: ModelJobKind,
    /// The first fence has passed.
    pub(super) fenced: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ModelJobKind {
    /// Fence, statements, history, fence, commit.
    Transaction,
    /// One statement that commits by itself.
    Statement,
    /// Fence, history, commit.
    Record,
}
