//! The steps of a run: what `lock::with_lock` and the work in it do, one statement at a time.

use std::time::Duration;

use crate::lock::protocol::{LockAction, LockRow, Observation, Progress, UNRESPONSIVE_AFTER, next};
use crate::session::Liveness;
use crate::wait::WaitLimits;

use super::sessions::{ModelJob, ModelJobKind, POOL, lock_of};
use super::world::{Id, ModelOutcome, ModelTables, Phase, World};
use super::{File, Flaw, Setup};

/// What time or chance adds to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Chance {
    Soon,
    /// The timeout is reached.
    Late,
    /// This run has seen the row unchanged for long.
    Unchanged,
    /// The database refuses the statement for a momentary reason.
    Refused,
    /// The previous file has left something in the session.
    Renewed,
}

const LIMITS: WaitLimits = WaitLimits { alive: None, unknown: Duration::from_secs(60) };
const LATE: Duration = Duration::from_secs(3600);

/// One step of one run. It returns `None` if the step is not possible now.
pub(super) struct Turn<'a> {
    pub(super) setup: &'a Setup,
    pub(super) world: &'a mut World,
    pub(super) run: usize,
    /// The server's session that receives the statement.
    pub(super) via: usize,
    pub(super) chance: Chance,
}

/// Returns the sessions that may receive a run's next statement.
pub(super) fn routes(setup: &Setup, world: &World, run: usize) -> Vec<usize> {
    let client = &world.clients[run];
    if !setup.runs[run].pooled {
        return vec![client.session];
    }
    let free = POOL.into_iter().filter(|session| world.sessions[*session].job.is_none());
    // For a run without a session lock, the pooler's sessions do not differ.
    free.take(if client.liveness.has_session_lock() { 2 } else { 1 }).collect()
}

impl Turn<'_> {
    pub(super) fn id(&self) -> Id {
        Id::Run(self.run as u8)
    }

    pub(super) fn liveness(&self) -> Liveness {
        self.world.clients[self.run].liveness
    }

    pub(super) fn has_flaw(&self, flaw: Flaw) -> bool {
        self.setup.flaw == flaw
    }

    pub(super) fn go(&mut self, phase: Phase) -> Option<()> {
        self.world.clients[self.run].phase = phase;
        Some(())
    }

    pub(super) fn finish(&mut self, outcome: ModelOutcome) -> Option<()> {
        self.world.finish(self.setup, self.run, outcome);
        Some(())
    }

    pub(super) fn step(&mut self) -> Option<()> {
        match self.world.clients[self.run].phase {
            Phase::Idle => self.begin(),
            Phase::Acquire(action, owner) => self.perform(action, owner),
            Phase::AttemptHasSessionLock(from) => self.update_row(from),
            Phase::AttemptFailed => {
                self.release_session_lock();
                self.decide(Observation::Refused)
            }
            Phase::Working if self.chance == Chance::Renewed => self.open_fresh(),
            Phase::Working => self.work(),
            Phase::Moving if self.has_flaw(Flaw::EndsOldSessionFirst) => self.end_old_first(),
            Phase::Moving => self.move_lock(),
            Phase::Moved if self.has_flaw(Flaw::EndsOldSessionFirst) => self.take_lock_late(),
            Phase::Moved => self.end_old(),
            Phase::Checked(version) => self.send(version, ModelJobKind::Statement),
            Phase::Recording(version) => self.send(version, ModelJobKind::Record),
            Phase::Release(outcome) if self.has_flaw(Flaw::ReleasesSessionLockFirst) => {
                self.release_session_lock();
                self.go(Phase::ReleaseSessionLock(outcome))
            }
            Phase::Release(outcome) => {
                self.free_row(self.id())?;
                if !self.liveness().has_session_lock() {
                    return self.finish(outcome);
                }
                self.go(Phase::ReleaseSessionLock(outcome))
            }
            Phase::ReleaseSessionLock(outcome) => {
                if self.has_flaw(Flaw::ReleasesSessionLockFirst) {
                    self.free_row(self.id())?;
                }
                self.release_session_lock();
                self.finish(outcome)
            }
            Phase::InNewSession => self.release_over_new_session(),
            Phase::NewSessionHasLock => self.take_own_row(),
            Phase::NewSessionHasRow => {
                self.free_row(Id::NewSession(self.run as u8))?;
                self.finish(ModelOutcome::Severed)
            }
            Phase::Awaiting | Phase::Dead | Phase::Done(_) => None,
        }
    }

    /// The run reads the state, and opens its session.
    fn begin(&mut self) -> Option<()> {
        let pending = self.world.pending();
        if pending == 0 {
            return self.go(Phase::Done(ModelOutcome::UpToDate));
        }
        let access = self.setup.runs[self.run];
        let open = self.setup.is_open(pending) && !self.has_flaw(Flaw::FencedInNameOnly);
        let unfenced = open || !self.setup.fenceable();
        let client = &mut self.world.clients[self.run];
        client.list = pending;
        client.liveness = if unfenced && access.liveness == Liveness::Fenced {
            Liveness::None
        } else {
            access.liveness
        };
        if !access.pooled {
            self.world.sessions[self.run].open = true;
        }
        match self.world.tables {
            ModelTables::Missing => self.decide(Observation::NoTables),
            _ => self.go(Phase::Acquire(LockAction::TryAcquire, None)),
        }
    }

    /// The run asks the protocol for the next action. Sleeping changes nothing, so the model omits
    /// it.
    fn decide(&mut self, seen: Observation) -> Option<()> {
        let claimant = self.setup.claimant(self.run, &self.world.clients[self.run]);
        let waited = if self.chance == Chance::Late { LATE } else { Duration::ZERO };
        // The model omits pauses, and with them the count of actions between two pauses.
        let progress = Progress { waited, ..Progress::default() };
        let action = match next(&claimant, &seen, progress, LIMITS) {
            LockAction::Sleep => next(&claimant, &Observation::Refused, progress, LIMITS),
            action => action,
        };
        let owner = self.world.row.filter(|_| action == LockAction::TakeOver);
        self.go(Phase::Acquire(action, owner))
    }

    fn perform(&mut self, action: LockAction, owner: Option<Id>) -> Option<()> {
        match action {
            LockAction::CreateTables | LockAction::CreateRow => {
                self.world.tables = ModelTables::Ready;
                self.go(Phase::Acquire(LockAction::TryAcquire, None))
            }
            LockAction::TryAcquire => self.attempt(),
            LockAction::TakeOver => self.take_over(owner),
            LockAction::ReadRow => self.read_row(),
            LockAction::Hold => {
                if !self.has_flaw(Flaw::PlansOnce) {
                    self.world.clients[self.run].list = self.world.pending();
                }
                self.go(Phase::Working)
            }
            LockAction::GiveUp => self.finish(ModelOutcome::Busy),
            LockAction::Sleep => unreachable!("the protocol answers a refusal with a read"),
        }
    }

    /// The run tries to acquire the lock. The two halves are two steps, because they are two
    /// statements on MySQL.
    fn attempt(&mut self) -> Option<()> {
        if self.world.tables == ModelTables::Missing {
            return self.decide(Observation::NoTables);
        }
        if self.liveness().has_session_lock() {
            return self.take_session_lock(None);
        }
        if self.world.tables == ModelTables::Empty || self.world.row.is_some() {
            return self.decide(Observation::Refused);
        }
        self.world.seize(self.setup, self.id());
        self.decide(Observation::Acquired(None))
    }

    fn take_session_lock(&mut self, from: Option<Id>) -> Option<()> {
        if !self.world.take_lock(self.via) && !self.has_flaw(Flaw::TakesRowWithoutSessionLock) {
            return self.decide(Observation::Refused);
        }
        self.go(Phase::AttemptHasSessionLock(from))
    }

    fn update_row(&mut self, from: Option<Id>) -> Option<()> {
        if self.chance == Chance::Refused {
            self.world.faults = self.world.faults.checked_sub(1)?;
            if self.has_flaw(Flaw::KeepsSessionLock) {
                return self.decide(Observation::Refused);
            }
            return self.go(Phase::AttemptFailed);
        }
        let recoverable_prefix = self.setup.prefix(self.liveness());
        let ours = match (self.world.tables, self.world.row) {
            (ModelTables::Missing | ModelTables::Empty, _) => false,
            (_, None) => from.is_none(),
            (_, Some(owner)) if from.is_some() => from == Some(owner),
            (_, Some(owner)) => self
                .setup
                .text(owner, self.world.liveness_of(owner))
                .starts_with(&recoverable_prefix),
        };
        let ours = ours && self.other_lock_is_free();
        let locked = self.world.row_is_locked(self.setup);
        match (ours, from) {
            // An UPDATE waits for the row; a takeover skips a locked row.
            (true, None) if locked => None,
            (true, _) if !locked => {
                self.world.seize(self.setup, self.id());
                self.decide(Observation::Acquired(None))
            }
            _ => self.go(Phase::AttemptFailed),
        }
    }

    /// The run takes the row from this owner only, which was unresponsive for long.
    fn take_over(&mut self, owner: Option<Id>) -> Option<()> {
        if self.liveness().has_session_lock() && !self.has_flaw(Flaw::TakesOverWithoutSessionLock) {
            return self.take_session_lock(owner);
        }
        let locked = self.world.row_is_locked(self.setup);
        if locked || owner.is_none() || self.world.row != owner {
            return self.decide(Observation::Refused);
        }
        self.world.seize(self.setup, self.id());
        self.decide(Observation::Acquired(None))
    }

    fn read_row(&mut self) -> Option<()> {
        let row = self.world.row;
        let owner = row.map(|id| self.setup.text(id, self.world.liveness_of(id)));
        let seen = match self.world.tables {
            ModelTables::Missing => Observation::NoTables,
            ModelTables::Empty => Observation::NoRow,
            ModelTables::Ready => Observation::Row(LockRow {
                locked: row.is_some(),
                owner,
                since: None,
                alive: Some(self.world.session_locks.iter().any(Option::is_some)),
                unchanged_for: if self.chance == Chance::Unchanged {
                    UNRESPONSIVE_AFTER
                } else {
                    Duration::ZERO
                },
            }),
        };
        self.decide(seen)
    }

    pub(super) fn release_session_lock(&mut self) {
        self.world.release_lock(self.via);
    }

    /// Whether no session has the other session lock. A holder that changes its session may have
    /// it.
    pub(super) fn other_lock_is_free(&self) -> bool {
        let other = 1 - lock_of(self.via);
        self.has_flaw(Flaw::ChecksOneSessionLock) || self.world.session_locks[other].is_none()
    }

    /// The run starts the next file of its list.
    fn work(&mut self) -> Option<()> {
        let list = self.world.clients[self.run].list;
        let Some(version) = (0..2).find(|version| list & (1 << version) != 0) else {
            return self.go(Phase::Release(ModelOutcome::Applied));
        };
        match self.setup.files[version] {
            File::Whole => self.send(version, ModelJobKind::Transaction),
            File::Open if self.world.fence_holds(self.setup, self.run as u8, self.via) => {
                self.go(Phase::Checked(version))
            }
            File::Open => self.go(Phase::Release(ModelOutcome::LockLost)),
        }
    }

    fn send(&mut self, version: usize, kind: ModelJobKind) -> Option<()> {
        let session = &mut self.world.sessions[self.via];
        debug_assert!(session.open && session.job.is_none(), "one message at a time");
        session.job = Some(ModelJob { run: self.run as u8, version, kind, fenced: false });
        self.go(Phase::Awaiting)
    }
}
