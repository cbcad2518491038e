//! The state of the model: the database, and the progress of every participant.

use std::hash::{Hash, Hasher};

use crate::lock::protocol::LockAction;
use crate::session::Liveness;

use super::sessions::{ModelJob, ModelJobKind, ModelSession, POOL, lock_of, new_session, renewed};
use super::{File, Setup};

// The checker hashes states. The protocol itself does not need this hash.
impl Hash for LockAction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
    }
}

/// The owner that a row names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Id {
    Run(u8),
    /// The new session of a run that has lost its own.
    NewSession(u8),
    Python,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ModelTables {
    Missing,
    /// The table exists, but its row does not.
    Empty,
    Ready,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ModelOutcome {
    Applied,
    UpToDate,
    Busy,
    Cancelled,
    Failed,
    /// A fence has failed.
    LockLost,
    /// The connection was lost.
    Severed,
}

/// The progress of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Idle,
    /// In the waiting loop. The protocol has decided, when the row named this owner.
    Acquire(LockAction, Option<Id>),
    /// Inside an attempt: the run has the session lock, and takes the row next. The owner is the
    /// one whose row it may take over.
    AttemptHasSessionLock(Option<Id>),
    /// The attempt has failed. The run releases the session lock next.
    AttemptFailed,
    /// The run holds the lock, with its list of pending versions.
    Working,
    /// A new session is open, but has no session lock yet.
    Moving,
    /// The new session has the other session lock, but the old one has not ended yet.
    Moved,
    /// The fence before a statement that commits by itself has passed.
    Checked(usize),
    /// A message of the run is at the server.
    Awaiting,
    /// The statement is done. The record of it is next.
    Recording(usize),
    Release(ModelOutcome),
    /// The row is free, but the session lock is not.
    ReleaseSessionLock(ModelOutcome),
    /// The connection was lost. A new session releases the row.
    InNewSession,
    /// The new session has the session lock.
    NewSessionHasLock,
    /// The new session has the row.
    NewSessionHasRow,
    Dead,
    Done(ModelOutcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client {
    pub(super) phase: Phase,
    pub(super) liveness: Liveness,
    /// The pending versions that the run knows of, with one bit for each.
    pub(super) list: u8,
    /// The run's session on the server, if it has one of its own.
    pub(super) session: usize,
    /// How often the run may still continue in a new session.
    pub(super) renewals: u8,
}

/// The progress of the Python tool. It reads its list before it has the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Python {
    Absent,
    Idle,
    Listed(u8),
    Holding(u8),
    InTransaction(u8),
    Done,
    Dead,
}

/// Events that a property, or an exception from it, asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Marks {
    /// The operator has released the row.
    pub(super) unlocked: bool,
    /// The runs whose rows were taken over because they were unresponsive.
    pub(super) taken_over: [bool; 2],
    /// A file has released the session lock.
    pub(super) dropped: bool,
    /// A run has taken a row from an owner whose liveness can be checked.
    pub(super) recovered: bool,
    pub(super) took_from_living: bool,
    pub(super) took_from_unknown: bool,
    /// A transaction has committed although the row did not name its run.
    pub(super) committed_without_row: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) tables: ModelTables,
    pub(super) row: Option<Id>,
    /// The sessions that hold the two session locks.
    pub(super) session_locks: [Option<usize>; 2],
    /// Two sessions of the runs, two for their renewals, two after a lost connection, and two of
    /// the pooler.
    pub(super) sessions: [ModelSession; 8],
    pub(super) history: [u8; 2],
    pub(super) effects: [u8; 2],
    pub(super) clients: [Client; 2],
    pub(super) python: Python,
    pub(super) unlocks: u8,
    pub(super) faults: u8,
    pub(super) marks: Marks,
}

impl World {
    pub(super) fn new(setup: &Setup) -> Self {
        let client = |session| Client {
            phase: Phase::Idle,
            liveness: Liveness::None,
            list: 0,
            session,
            renewals: setup.renewals,
        };
        let mut sessions = [ModelSession::default(); 8];
        for session in POOL {
            sessions[session].open = true;
        }
        World {
            tables: if setup.fresh { ModelTables::Missing } else { ModelTables::Ready },
            row: None,
            session_locks: [None; 2],
            sessions,
            history: [0; 2],
            effects: [0; 2],
            clients: [client(0), client(1)],
            python: if setup.python { Python::Idle } else { Python::Absent },
            unlocks: setup.unlocks,
            faults: setup.faults,
            marks: Marks::default(),
        }
    }

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

    /// Returns the versions that are pending now.
    pub(super) fn pending(&self) -> u8 {
        (0..2).filter(|version| self.history[*version] == 0).map(|version| 1 << version).sum()
    }

    /// Whether a transaction keeps the row from being changed.
    pub(super) fn row_is_locked(&self, setup: &Setup) -> bool {
        setup.fenceable() && self.past_fence().count() > 0
    }

    /// Returns the transactions that have passed their first fence.
    pub(super) fn past_fence(&self) -> impl Iterator<Item = ModelJob> {
        self.sessions.iter().filter_map(|session| session.job).filter(|job| job.fenced)
    }

    pub(super) fn liveness_of(&self, id: Id) -> Liveness {
        match id {
            Id::Run(run) | Id::NewSession(run) => self.clients[run as usize].liveness,
            Id::Python => Liveness::None,
        }
    }

    /// Whether an owner could still do something: its session, a message of it in a pooler's
    /// session, or the run itself through the pooler.
    pub(super) fn lives(&self, setup: &Setup, id: Id) -> bool {
        let (run, sessions) = match id {
            Id::Run(run) => (run as usize, [run as usize, renewed(run as usize)]),
            Id::NewSession(run) => (run as usize, [new_session(run as usize); 2]),
            Id::Python => return true,
        };
        let Client { phase, session: current, .. } = self.clients[run];
        // If a file has released the session lock, the run releases the row at the next fence at
        // the latest.
        let gives_back = matches!(phase, Phase::Release(_) | Phase::ReleaseSessionLock(_));
        if self.marks.dropped && gives_back {
            return false;
        }
        let runs = !matches!(phase, Phase::Dead | Phase::Done(_) | Phase::Idle);
        let mut jobs = self.sessions.iter().filter_map(|session| session.job);
        let mut lives = sessions.into_iter().filter(|session| {
            let ModelSession { open, orphan, .. } = self.sessions[*session];
            // Nothing is sent to a new session before it has its session lock.
            let unused = phase == Phase::Moving && *session != current;
            // A session without a client only executes what it has already received.
            open && !orphan && !unused
        });
        lives.next().is_some()
            || jobs.any(|job| job.run as usize == run)
            || setup.runs[run].pooled && runs
    }

    /// Ends a run in the regular way.
    pub(super) fn finish(&mut self, setup: &Setup, run: usize, outcome: ModelOutcome) {
        if !setup.runs[run].pooled {
            self.close(self.clients[run].session);
        }
        self.clients[run].phase = Phase::Done(outcome);
    }

    /// Gives the row to a new owner, whatever its owner was before.
    pub(super) fn seize(&mut self, setup: &Setup, id: Id) {
        if let Some(old) = self.row.filter(|old| *old != id) {
            match (self.liveness_of(old), old) {
                (Liveness::Fenced, Id::Run(run)) => self.marks.taken_over[run as usize] = true,
                (Liveness::None | Liveness::Fenced, _) => self.marks.took_from_unknown = true,
                _ => {
                    self.marks.recovered = true;
                    self.marks.took_from_living |= self.lives(setup, old);
                }
            }
        }
        self.row = Some(id);
    }

    /// Whether a statement that commits by itself runs while another participant works.
    pub(super) fn overlap(&self) -> bool {
        let jobs = || self.sessions.iter().filter_map(|session| session.job);
        let open = || jobs().filter(|job| job.kind == ModelJobKind::Statement);
        let others = |run| {
            jobs().any(|job| job.run != run && (job.fenced || job.kind == ModelJobKind::Statement))
        };
        open().count() > 1
            || open().any(|job| matches!(self.python, Python::InTransaction(_)) || others(job.run))
    }
}

impl Setup {
    pub(super) fn is_open(&self, list: u8) -> bool {
        (0..2).any(|version| list & (1 << version) != 0 && self.files[version] == File::Open)
    }
}
