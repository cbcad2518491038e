//! The release of the row: by its run, or after a lost connection by a new session, like
//! `lock::release_afresh`.

use crate::lock::Liveness;

use super::Flaw;
use super::client::{Chance, Turn};
use super::world::{Id, Outcome, Phase};

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
    pub(super) fn look_after_row(&mut self) -> Option<()> {
        if self.chance == Chance::Late {
            return self.finish(Outcome::Severed);
        }
        if self.has_flaw(Flaw::FreesWithoutProof) {
            self.free_row(self.id())?;
            return self.finish(Outcome::Severed);
        }
        if self.claim().has_session_lock() {
            if !self.world.take_lock(self.via) {
                return None;
            }
            let goes_on = self.has_flaw(Flaw::Reconnects);
            return self.go(if goes_on { Phase::Working } else { Phase::AfreshProven });
        }
        let guarded = self.claim() == Liveness::Fenced || self.has_flaw(Flaw::FreesOpenWork);
        if guarded && self.setup.fenceable() {
            self.free_row(self.id())?;
        }
        self.finish(Outcome::Severed)
    }

    pub(super) fn inherit_own_row(&mut self) -> Option<()> {
        match self.world.row {
            None => {}
            Some(owner) if owner == self.id() => {}
            Some(_) => return self.finish(Outcome::Severed),
        }
        if !self.other_lock_is_free() {
            self.drop_proof();
            return self.go(Phase::Afresh);
        }
        if self.world.row_is_locked(self.setup) {
            return None;
        }
        self.world.seize(self.setup, Id::Heir(self.run as u8));
        self.go(Phase::AfreshHeld)
    }
}
