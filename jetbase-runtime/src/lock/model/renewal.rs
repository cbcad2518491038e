//! The steps of a run that continues in a new session: what `Session::renew` does, one statement at
//! a time.
//!
//! `Client::session` is the old session until the new one has the other session lock.

use super::Flaw;
use super::client::{Chance, Turn};
use super::sessions::renewed;
use super::world::{ModelOutcome, Phase};

impl Turn<'_> {
    /// The run opens the new session after the server has noticed the end of the previous one.
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

    /// The new session takes the other session lock. Then the run checks whether the old session
    /// still has its own.
    pub(super) fn move_lock(&mut self) -> Option<()> {
        let (old, fresh) = (self.via, renewed(self.via));
        if !self.world.sessions[fresh].open {
            return self.stay();
        }
        let taken = self.world.take_lock(fresh);
        if self.chance == Chance::Refused {
            // The server may have executed a statement although its answer is lost.
            self.world.faults = self.world.faults.checked_sub(1)?;
            return self.stay();
        }
        let unchecked = self.has_flaw(Flaw::MovesWithoutSessionLock);
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

    /// The renewal has failed. The run releases the row over the old session, if it still exists.
    fn stay(&mut self) -> Option<()> {
        self.world.abandon(renewed(self.via));
        if !self.world.sessions[self.via].open {
            self.world.sever(self.setup, self.run);
            return Some(());
        }
        self.go(Phase::Release(ModelOutcome::Failed))
    }

    /// The run ends the old session, and continues in the new one.
    pub(super) fn end_old(&mut self) -> Option<()> {
        self.world.abandon(renewed(self.via));
        self.go(Phase::Working)?;
        if !self.world.sessions[self.via].open {
            self.world.sever(self.setup, self.run);
        }
        Some(())
    }

    /// With [`Flaw::EndsOldSessionFirst`], the old session ends first.
    pub(super) fn end_old_first(&mut self) -> Option<()> {
        self.world.abandon(self.via);
        self.world.clients[self.run].session = renewed(self.via);
        self.go(Phase::Moved)
    }

    /// With [`Flaw::EndsOldSessionFirst`], the session lock comes last.
    pub(super) fn take_lock_late(&mut self) -> Option<()> {
        let open = self.world.sessions[self.via].open;
        if !open || !self.world.take_lock(self.via) {
            return None;
        }
        self.go(Phase::Working)
    }
}
