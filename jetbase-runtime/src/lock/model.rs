//! An exhaustive exploration of the lock protocol: every order of steps of two runs, the Python
//! tool, an operator and the faults between them.
//!
//! The real [`protocol::next`] and [`protocol::judge`] make the decisions of a run. The model is
//! their environment. Every statement is one step, and time is a choice. A [`Flaw`] adds a mistake
//! to the runtime, which a property must find.
//!
//! [`protocol::next`]: super::protocol::next
//! [`protocol::judge`]: super::protocol::judge

mod check;
mod client;
mod release;
mod renewal;
mod server;
mod sessions;
mod tests;
mod world;

use super::identity::prefix;
use super::protocol::Claimant;
use crate::session::Liveness;
use world::{Client, Id};

/// The effect of a model's migration on a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum File {
    /// One message, one transaction.
    Whole,
    /// One statement that commits by itself and is recorded afterwards.
    Open,
}

/// How a transaction checks the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fence {
    /// The first statement locks the row: PostgreSQL, and SQLite's writer lock.
    Front,
    /// The first statement reads the row, the last one locks it: MySQL.
    Back,
}

/// How a run reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Access {
    liveness: Liveness,
    /// Each transaction may use another one of the server's sessions.
    pooled: bool,
}

const DIRECT: Access = Access { liveness: Liveness::Advisory, pooled: false };
const POOLED: Access = Access { liveness: Liveness::None, pooled: true };
/// A pooled run calls itself that only if all its files are transactional.
const FENCED: Access = Access { liveness: Liveness::Fenced, pooled: true };

/// A mistake in the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// The run replaces a lost connection, and continues with its list.
    Reconnects,
    /// The session lock is released before the row.
    ReleasesSessionLockFirst,
    /// The row of a holder of the same class is taken without its session lock.
    TakesRowWithoutSessionLock,
    /// The last fence reads the transaction's snapshot.
    ReadsSnapshotInFence,
    /// After a lost connection, a new session releases the row without the session lock.
    ReleasesRowWithoutSessionLock,
    /// No fence checks the session lock.
    FencesWithoutSessionLock,
    /// The history is not read again under the lock.
    PlansOnce,
    /// An attempt that fails after it acquired the session lock keeps that lock.
    KeepsSessionLock,
    /// A run that is cancelled when its attempt succeeds leaves the row locked.
    LeavesRowLocked,
    /// A new session releases the row of a lost session whose work no fence guarded.
    ReleasesUnfencedWork,
    /// A run with a session lock takes over the row of an unresponsive owner without its own
    /// session lock.
    TakesOverWithoutSessionLock,
    /// A run calls itself fenced although not all of its files are guarded.
    FencedInNameOnly,
    /// A renewal ends the old session before the new one has the other session lock.
    EndsOldSessionFirst,
    /// A renewal continues although the new session did not get the other session lock.
    MovesWithoutSessionLock,
    /// A renewal does not check whether the old session still has its session lock.
    TrustsOldSession,
    /// A run that takes the row does not check whether the other session lock is free.
    ChecksOneSessionLock,
    /// Every fence checks the first session lock, even if the run has the other one.
    FencesFirstSessionLock,
}

/// One configuration of the model.
#[derive(Clone, Debug)]
struct Setup {
    runs: [Access; 2],
    files: [File; 2],
    fence: Fence,
    /// Prevents a version from being recorded twice.
    index: bool,
    python: bool,
    /// A file may release all session locks, including that of the run by mistake.
    drops: bool,
    /// How often a run continues in a new session, between two files (MySQL).
    renewals: u8,
    /// The tables do not exist yet.
    fresh: bool,
    /// How often the operator releases the row by force.
    unlocks: u8,
    /// How many faults of any kind happen in one behaviour.
    faults: u8,
    flaw: Flaw,
    prefixes: [String; 5],
}

/// All runs of the model are on one server.
const SERVER: &str = "7301";

impl Setup {
    fn new(runs: [Access; 2], files: [File; 2]) -> Self {
        let liveness = [
            Liveness::None,
            Liveness::Advisory,
            Liveness::GetLock,
            Liveness::File,
            Liveness::Fenced,
        ];
        Setup {
            runs,
            files,
            fence: Fence::Front,
            index: true,
            python: true,
            drops: true,
            renewals: 0,
            fresh: false,
            unlocks: 1,
            faults: 1,
            flaw: Flaw::None,
            prefixes: liveness.map(|liveness| prefix(liveness, SERVER)),
        }
    }

    fn flawed(self, flaw: Flaw) -> Self {
        Setup { flaw, ..self }
    }

    fn prefix(&self, liveness: Liveness) -> String {
        self.prefixes[liveness as usize].clone()
    }

    /// Whether a fence can stop an unresponsive owner at all.
    fn fenceable(&self) -> bool {
        self.fence == Fence::Front
    }

    fn claimant(&self, run: usize, client: &Client) -> Claimant {
        Claimant {
            id: self.text(Id::Run(run as u8), client.liveness),
            liveness: client.liveness,
            recoverable_prefix: self.prefix(client.liveness),
            fenced_prefix: if self.fenceable() {
                self.prefix(Liveness::Fenced)
            } else {
                String::new()
            },
        }
    }

    /// Returns the process id as it is stored in the row.
    fn text(&self, id: Id, liveness: Liveness) -> String {
        match id {
            Id::Run(run) => format!("{}8000-00000000000{run}", self.prefix(liveness)),
            Id::NewSession(run) => format!("{}8000-10000000000{run}", self.prefix(liveness)),
            Id::Python => "0f0e0d0c-0000-4000-8000-000000000000".to_owned(),
        }
    }
}
