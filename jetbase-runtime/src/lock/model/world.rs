//! The state of the model: the database, and how far everybody is.

use std::hash::{Hash, Hasher};

use crate::lock::Liveness;
use crate::lock::protocol::Action;

use super::sessions::{POOL, Session, afresh, renewed};
use super::{File, Setup};

// The checker keeps fingerprints of states; the protocol itself has no use for one.
impl Hash for Action {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
    }
}

/// Who a row names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Id {
    Run(u8),
    /// A run's fresh session after the loss of its own.
    Heir(u8),
    Python,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Tables {
    Missing,
    /// The row is not there yet.
    Empty,
    Ready,
}

/// A message that the server works on, whatever becomes of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Job {
    pub(super) run: u8,
    pub(super) version: usize,
    pub(super) kind: Kind,
    /// The first fence has been passed.
    pub(super) fenced: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Fence, statements, history, fence, commit.
    Transaction,
    /// One statement that commits by itself.
    Statement,
    /// Fence, history, commit.
    Record,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Outcome {
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

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Idle,
    /// In the waiting loop: the protocol has decided, with this owner in sight.
    Acquire(Action, Option<Id>),
    /// Inside an attempt: the session lock is ours, the row is next; from whom it may be taken by force.
    Proven(Option<Id>),
    /// The attempt failed, the session lock goes back.
    Unproven,
    /// Under the lock, with the pending versions.
    Working,
    /// A fresh session is open, and has no session lock yet.
    Moving,
    /// The fresh session has the other session lock, and the old one is not ended yet.
    Moved,
    /// The fence in front of a statement that commits by itself has passed.
    Checked(usize),
    /// Its message is at the server.
    Awaiting,
    /// The statement is done, its history is next.
    Recording(usize),
    Release(Outcome),
    /// The row is free, the session lock is not.
    ReleaseProof(Outcome),
    /// The connection was lost inside a file; a fresh one looks after the row.
    Afresh,
    /// The fresh session has the session lock.
    AfreshProven,
    /// The fresh session has the row.
    AfreshHeld,
    Dead,
    Done(Outcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client {
    pub(super) phase: Phase,
    pub(super) claim: Liveness,
    /// What is pending, as far as it knows: one bit a version.
    pub(super) list: u8,
    /// Its session on the server, where it has one of its own.
    pub(super) session: usize,
    /// How often it may still go on over a fresh session.
    pub(super) renewals: u8,
}

/// How far the Python tool is; the lists are from before it has the lock.
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

/// What has happened that a property, or an excuse, asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Marks {
    /// The operator has freed the row.
    pub(super) unlocked: bool,
    /// Whose row was taken over because its owner was silent.
    pub(super) taken_over: [bool; 2],
    /// A file has given the session lock back.
    pub(super) dropped: bool,
    /// A row was inherited.
    pub(super) inherited: bool,
    pub(super) robbed_living: bool,
    pub(super) robbed_unknown: bool,
    /// Somebody committed whom the row did not name.
    pub(super) trespassed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) tables: Tables,
    pub(super) row: Option<Id>,
    /// The server's sessions that have the two session locks.
    pub(super) proofs: [Option<usize>; 2],
    /// Two of the runs' own, two for their renewals, two after a lost connection, two of the pooler.
    pub(super) sessions: [Session; 8],
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
            claim: Liveness::None,
            list: 0,
            session,
            renewals: setup.renewals,
        };
        let mut sessions = [Session::default(); 8];
        for session in POOL {
            sessions[session].open = true;
        }
        World {
            tables: if setup.fresh { Tables::Missing } else { Tables::Ready },
            row: None,
            proofs: [None; 2],
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

    /// What is pending now.
    pub(super) fn pending(&self) -> u8 {
        (0..2).filter(|version| self.history[*version] == 0).map(|version| 1 << version).sum()
    }

    /// The transaction that keeps the row from being changed.
    pub(super) fn row_is_locked(&self, setup: &Setup) -> bool {
        setup.fenceable() && self.past_fence().count() > 0
    }

    /// The transactions that have passed their first fence.
    pub(super) fn past_fence(&self) -> impl Iterator<Item = Job> {
        self.sessions.iter().filter_map(|session| session.job).filter(|job| job.fenced)
    }

    pub(super) fn claim_of(&self, id: Id) -> Liveness {
        match id {
            Id::Run(run) | Id::Heir(run) => self.clients[run as usize].claim,
            Id::Python => Liveness::None,
        }
    }

    /// Whether anything of an owner could still work: its session, a message of
    /// its at a pooler's session, or the run itself through the pooler.
    pub(super) fn lives(&self, setup: &Setup, id: Id) -> bool {
        let (run, sessions) = match id {
            Id::Run(run) => (run as usize, [run as usize, renewed(run as usize)]),
            Id::Heir(run) => (run as usize, [afresh(run as usize); 2]),
            Id::Python => return true,
        };
        let Client { phase, session: current, .. } = self.clients[run];
        // Whose file has given the session lock back comes to its release at the latest fence.
        let gives_back = matches!(phase, Phase::Release(_) | Phase::ReleaseProof(_));
        if self.marks.dropped && gives_back {
            return false;
        }
        let runs = !matches!(phase, Phase::Dead | Phase::Done(_) | Phase::Idle);
        let mut jobs = self.sessions.iter().filter_map(|session| session.job);
        let mut lives = sessions.into_iter().filter(|session| {
            let Session { open, orphan, .. } = self.sessions[*session];
            // Nothing is sent to a fresh session before it has its session lock.
            let unused = phase == Phase::Moving && *session != current;
            // An orphan has only what it was sent.
            open && !orphan && !unused
        });
        lives.next().is_some()
            || jobs.any(|job| job.run as usize == run)
            || setup.runs[run].pooled && runs
    }

    /// A run ends by itself.
    pub(super) fn finish(&mut self, setup: &Setup, run: usize, outcome: Outcome) {
        if !setup.runs[run].pooled {
            self.close(self.clients[run].session);
        }
        self.clients[run].phase = Phase::Done(outcome);
    }

    /// The row becomes ours, whoever's it was.
    pub(super) fn seize(&mut self, setup: &Setup, id: Id) {
        if let Some(old) = self.row.filter(|old| *old != id) {
            match (self.claim_of(old), old) {
                (Liveness::Fenced, Id::Run(run)) => self.marks.taken_over[run as usize] = true,
                (Liveness::None | Liveness::Fenced, _) => self.marks.robbed_unknown = true,
                _ => {
                    self.marks.inherited = true;
                    self.marks.robbed_living |= self.lives(setup, old);
                }
            }
        }
        self.row = Some(id);
    }

    /// Whether a statement that commits by itself runs while somebody else works.
    pub(super) fn overlap(&self) -> bool {
        let jobs = || self.sessions.iter().filter_map(|session| session.job);
        let open = || jobs().filter(|job| job.kind == Kind::Statement);
        let others =
            |run| jobs().any(|job| job.run != run && (job.fenced || job.kind == Kind::Statement));
        open().count() > 1
            || open().any(|job| matches!(self.python, Python::InTransaction(_)) || others(job.run))
    }
}

impl Setup {
    pub(super) fn is_open(&self, list: u8) -> bool {
        (0..2).any(|version| list & (1 << version) != 0 && self.files[version] == File::Open)
    }
}
