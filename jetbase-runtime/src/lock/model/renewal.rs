//! The steps of a run that goes on over a fresh session: what `Session::renew` does,
//! one statement at a time.
//!
//! Its `Client::session` is the old session until the fresh one has the other session lock.

use super::Flaw;
use super::client::{Chance, Turn};
use super::sessions::renewed;
use super::world::{Outcome, Phase};

impl Turn<'_> {
    /// Opens the fresh session, once the server has noticed the end of the one before.
    pub(super) fn open_fresh(&mut self) -> Option<()> {
        let fresh = renewed(self.via);
        if self.world.sessions[fresh].open {
            return None;
        }
        let client = &mut self.world.clients[self.run];
        client.renewals = client.renewals.checked_sub(1)?;
        self.world.sessions[fresh].open = true;
        self.go(Phase::Moving)
    }

    /// Takes the other session lock, and asks whether the old session has had its own until then.
    pub(super) fn move_lock(&mut self) -> Option<()> {
        let (old, fresh) = (self.via, renewed(self.via));
        if !self.world.sessions[fresh].open {
            return self.stay();
        }
        let taken = self.world.take_lock(fresh);
        if self.chance == Chance::Refused {
            // The server may have done what it does not answer.
            self.world.faults = self.world.faults.checked_sub(1)?;
            return self.stay();
        }
        let unchecked = self.has_flaw(Flaw::MovesUnchecked);
        match (taken, self.chance) {
            // The statement waits for the session lock, up to a limit.
            (false, Chance::Soon) => return None,
            (false, _) if !unchecked => return self.stay(),
            (true, Chance::Late) => return None,
            _ => {}
        }
        if !self.world.has_lock(old) && !self.has_flaw(Flaw::TrustsOldSession) {
            return self.stay();
        }
        self.world.clients[self.run].session = fresh;
        self.go(Phase::Moved)
    }

    /// The renewal has failed: the row is freed over the old session, where there still is one.
    fn stay(&mut self) -> Option<()> {
        self.world.abandon(renewed(self.via));
        if !self.world.sessions[self.via].open {
            return self.finish(Outcome::Severed);
        }
        self.go(Phase::Release(Outcome::Failed))
    }

    /// Ends the old session, and works on in the fresh one.
    pub(super) fn end_old(&mut self) -> Option<()> {
        self.world.abandon(renewed(self.via));
        self.go(Phase::Working)?;
        if !self.world.sessions[self.via].open {
            self.world.sever(self.setup, self.run);
        }
        Some(())
    }

    /// As [`Flaw::MovesLate`] has it: the end of the old session comes first.
    pub(super) fn end_old_first(&mut self) -> Option<()> {
        self.world.abandon(self.via);
        self.world.clients[self.run].session = renewed(self.via);
        self.go(Phase::Moved)
    }

    /// As [`Flaw::MovesLate`] has it: the session lock comes last.
    pub(super) fn take_lock_late(&mut self) -> Option<()> {
        let open = self.world.sessions[self.via].open;
        if !open || !self.world.take_lock(self.via) {
            return None;
        }
        self.go(Phase::Working)
    }
}
