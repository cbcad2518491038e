//! The lock protocol, explored exhaustively: every order of steps of two runs, the
//! Python tool, an operator and the faults between them.
//!
//! What a run decides is decided by the real [`protocol::next`] and [`protocol::judge`];
//! the model is their environment. Every statement is one step, time is a choice,
//! and a [`Flaw`] puts a mistake into the runtime that a property must find.
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

use super::Liveness;
use super::identity::prefix;
use super::protocol::Claimant;
use world::{Client, Id};

/// What a migration of the model does to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum File {
    /// One message, one transaction.
    Whole,
    /// One statement that commits by itself, recorded afterwards.
    Open,
}

/// How a transaction makes sure of the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fence {
    /// The first statement locks it: PostgreSQL, and SQLite's writer lock.
    Front,
    /// The first statement looks, the last one locks: MySQL.
    Back,
}

/// How a run reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Access {
    liveness: Liveness,
    /// Each transaction may get another of the server's sessions.
    pooled: bool,
}

const DIRECT: Access = Access { liveness: Liveness::Advisory, pooled: false };
const POOLED: Access = Access { liveness: Liveness::None, pooled: true };
/// As a pooled run of transactional files only calls itself.
const FENCED: Access = Access { liveness: Liveness::Fenced, pooled: true };

/// A mistake in the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// A lost connection is replaced inside the run, which goes on with its list.
    Reconnects,
    /// The session lock is given back in front of the row.
    ProofFirst,
    /// The row of a holder of the same class is taken without its session lock.
    RobsWithoutProof,
    /// The last fence reads the transaction's snapshot.
    PlainFence,
    /// After a lost connection the row is freed from a fresh one, without the session lock.
    FreesWithoutProof,
    /// No fence asks for the session lock.
    NoProofInFence,
    /// The history is not read again under the lock.
    PlansOnce,
    /// An attempt that failed behind the session lock keeps it.
    KeepsProof,
    /// Who is cancelled at the moment of success leaves the row locked.
    ForgetsRow,
    /// The row of a lost session that no fence guarded is freed from a fresh one.
    FreesOpenWork,
    /// A proven run takes a silent owner's row over without its own session lock.
    TakesOverBare,
    /// Whose files are not all guarded calls itself fenced all the same.
    FencedInName,
    /// A renewal ends the old session before the fresh one has the other session lock.
    MovesLate,
    /// A renewal goes on although the fresh session has not got the other session lock.
    MovesUnchecked,
    /// A renewal does not ask whether the old session still has its session lock.
    TrustsOldSession,
    /// Who takes the row does not ask whether the other session lock is free.
    AsksForOneLock,
    /// Every fence asks for the first session lock, also when the run has the other one.
    FencesFirstLock,
}

/// One configuration of the model.
#[derive(Clone, Debug)]
struct Setup {
    runs: [Access; 2],
    files: [File; 2],
    fence: Fence,
    /// Keeps a version from being recorded twice.
    index: bool,
    python: bool,
    /// A file may give all session locks back, without meaning ours.
    drops: bool,
    /// How often a run goes on over a fresh session: MySQL, between two files.
    renewals: u8,
    /// The tables are not there yet.
    fresh: bool,
    /// How often the operator frees the row by force.
    unlocks: u8,
    /// How many faults, of any kind, happen in one behaviour.
    faults: u8,
    flaw: Flaw,
    prefixes: [String; 5],
}

/// All runs of the model are on one server.
const SERVER: &str = "7301";

impl Setup {
    fn new(runs: [Access; 2], files: [File; 2]) -> Self {
        let proofs = [
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
            prefixes: proofs.map(|proof| prefix(proof, SERVER)),
        }
    }

    fn flawed(self, flaw: Flaw) -> Self {
        Setup { flaw, ..self }
    }

    fn prefix(&self, proof: Liveness) -> String {
        self.prefixes[proof as usize].clone()
    }

    /// Whether one who is silent can be stopped by a fence at all.
    fn fenceable(&self) -> bool {
        self.fence == Fence::Front
    }

    fn claimant(&self, run: usize, client: &Client) -> Claimant {
        Claimant {
            id: self.text(Id::Run(run as u8), client.claim),
            liveness: client.claim,
            recoverable_prefix: self.prefix(client.claim),
            fenced_prefix: if self.fenceable() {
                self.prefix(Liveness::Fenced)
            } else {
                String::new()
            },
        }
    }

    /// A process id as it stands in the row.
    fn text(&self, id: Id, claim: Liveness) -> String {
        match id {
            Id::Run(run) => format!("{}8000-00000000000{run}", self.prefix(claim)),
            Id::Heir(run) => format!("{}8000-10000000000{run}", self.prefix(claim)),
            Id::Python => "0f0e0d0c-0000-4000-8000-000000000000".to_owned(),
        }
    }
}
