//! The release of the row: by its run, or after a lost connection by a new session, like
//! `lock::release_over_new_session`.

use crate::session::Liveness;

use super::Flaw;
use super::client::{Chance, Turn};
use super::world::{Id, ModelOutcome, Phase};

impl Turn<'_> {
    /// Compare-and-set. It waits for a transaction that has locked the row.
    pub(super) fn free_row(&mut self, id: Id) -> Option<()> {
        if self.world.row == Some(id) {
            if self.world.row_is_locked(self.setup) {
                return None;
            }
            self.world.row = None;
        }
        Some(())
    }

    /// After a lost connection, the run releases the row if that is safe.
    pub(super) fn release_over_new_session(&mut self) -> Option<()> {
        if self.chance == Chance::Late {
            return self.finish(ModelOutcome::Severed);
        }
        if self.has_flaw(Flaw::ReleasesRowWithoutSessionLock) {
            self.free_row(self.id())?;
            return self.finish(ModelOutcome::Severed);
        }
        if self.liveness().has_session_lock() {
            if !self.world.take_lock(self.via) {
                return None;
            }
            let goes_on = self.has_flaw(Flaw::Reconnects);
            return self.go(if goes_on { Phase::Working } else { Phase::NewSessionHasLock });
        }
        let guarded =
            self.liveness() == Liveness::Fenced || self.has_flaw(Flaw::ReleasesUnfencedWork);
        if guarded && self.setup.fenceable() {
            self.free_row(self.id())?;
        }
        self.finish(ModelOutcome::Severed)
    }

    pub(super) fn take_own_row(&mut self) -> Option<()> {
        match self.world.row {
            None => {}
            Some(owner) if owner == self.id() => {}
            Some(_) => return self.finish(ModelOutcome::Severed),
        }
        if !self.other_lock_is_free() {
            self.release_session_lock();
            return self.go(Phase::InNewSession);
        }
        if self.world.row_is_locked(self.setup) {
            return None;
        }
        self.world.seize(self.setup, Id::NewSession(self.run as u8));
        self.go(Phase::NewSessionHasRow)
    }
}
