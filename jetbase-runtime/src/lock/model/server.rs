//! The steps of all others: the server with its sessions and messages, the Python tool, the
//! operator, and the faults.

use crate::lock::protocol::LockAction;

use super::sessions::{ModelJob, ModelJobKind, ModelSession, POOL, new_session, renewed};
use super::world::{Id, ModelOutcome, ModelTables, Phase, Python, World};
use super::{Fence, Flaw, Setup};

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    /// A run ends without notice. Its message has already reached the server.
    Crash(usize),
    PythonCrash,
    /// The connection between a run and the server is interrupted.
    Partition(usize),
    /// The server ends a session: an operator, the lease, or a shortage of resources.
    Kill(usize),
    /// The server restarts or fails over.
    Restart,
    /// A statement of a file fails.
    Statement(usize),
    Cancel(usize),
    /// A file releases all session locks: `pg_advisory_unlock_all()`.
    DropSessionLock(usize),
}

impl World {
    /// Whether a run's fence passes on a session.
    pub(super) fn fence_holds(&self, setup: &Setup, run: u8, session: usize) -> bool {
        let asks = self.clients[run as usize].liveness.has_session_lock()
            && setup.flaw != Flaw::FencesWithoutSessionLock;
        let held = match setup.flaw {
            Flaw::FencesFirstSessionLock => self.session_locks[0] == Some(session),
            _ => self.has_lock(session),
        };
        self.row == Some(Id::Run(run)) && (!asks || held)
    }

    /// The server executes the next step of a message.
    pub(super) fn serve(&mut self, setup: &Setup, session: usize) -> Option<()> {
        let job = self.sessions[session].job?;
        let holds = self.fence_holds(setup, job.run, session);
        let sees_a_snapshot =
            setup.fence == Fence::Back && setup.flaw == Flaw::ReadsSnapshotInFence;
        if job.kind == ModelJobKind::Statement {
            self.effects[job.version] += 1;
            self.answer(session, Ok(Phase::Recording(job.version)));
        } else if !job.fenced {
            // A run that the row names waits while the row is locked.
            if holds && self.row_is_locked(setup) {
                return None;
            }
            if holds {
                self.sessions[session].job = Some(ModelJob { fenced: true, ..job })
            } else {
                self.answer(session, Err(ModelOutcome::LockLost))
            }
        } else if !holds && !sees_a_snapshot {
            self.answer(session, Err(ModelOutcome::LockLost));
        } else if setup.index && self.history[job.version] > 0 {
            self.answer(session, Err(ModelOutcome::Failed));
        } else {
            self.marks.committed_without_row |= self.row != Some(Id::Run(job.run));
            self.history[job.version] += 1;
            if job.kind == ModelJobKind::Transaction {
                self.effects[job.version] += 1;
            }
            self.answer(session, Ok(Phase::Working));
        }
        Some(())
    }

    /// The message is done. Its sender receives the answer if it is still connected.
    fn answer(&mut self, session: usize, result: Result<Phase, ModelOutcome>) {
        let Some(job) = self.sessions[session].job.take() else { return };
        let orphan = self.sessions[session].orphan;
        let client = &mut self.clients[job.run as usize];
        let ours = client.session == session || POOL.contains(&session);
        if client.phase == Phase::Awaiting && ours && !orphan {
            if result == Ok(Phase::Working) {
                client.list &= !(1 << job.version);
            }
            client.phase = result.unwrap_or_else(Phase::Release);
        }
    }

    /// The server notices that a session has no client, after its work is done.
    pub(super) fn reap(&mut self, session: usize) -> Option<()> {
        let ModelSession { orphan, job, .. } = self.sessions[session];
        (orphan && job.is_none()).then(|| self.close(session))
    }

    pub(super) fn unlock(&mut self, setup: &Setup) -> Option<()> {
        if self.row.is_none() || self.row_is_locked(setup) {
            return None;
        }
        self.unlocks = self.unlocks.checked_sub(1)?;
        self.row = None;
        self.marks.unlocked = true;
        Some(())
    }

    /// The Python tool reads its list, then takes the row, then executes the list as it was.
    pub(super) fn python(&mut self, setup: &Setup) -> Option<()> {
        self.python = match self.python {
            Python::Idle => match (self.tables, self.pending()) {
                (ModelTables::Missing, _) => {
                    self.tables = ModelTables::Empty;
                    Python::Idle
                }
                (ModelTables::Empty, _) => {
                    self.tables = ModelTables::Ready;
                    Python::Idle
                }
                (_, 0) => Python::Done,
                (_, list) => Python::Listed(list),
            },
            Python::Listed(list) if self.row.is_none() => {
                self.row = Some(Id::Python);
                Python::Holding(list)
            }
            Python::Holding(0) => {
                self.row = self.row.filter(|owner| *owner != Id::Python);
                Python::Done
            }
            Python::Holding(list) => Python::InTransaction(list),
            Python::InTransaction(list) => {
                let version = list.trailing_zeros() as usize;
                if setup.index && self.history[version] > 0 {
                    Python::Holding(0)
                } else {
                    self.history[version] += 1;
                    self.effects[version] += 1;
                    Python::Holding(list & (list - 1))
                }
            }
            Python::Listed(_) | Python::Absent | Python::Done | Python::Dead => return None,
        };
        Some(())
    }

    /// A fault happens; `None` if it cannot.
    pub(super) fn suffer(&mut self, setup: &Setup, fault: Fault) -> Option<()> {
        self.faults = self.faults.checked_sub(1)?;
        match fault {
            Fault::Crash(run) => {
                self.connected(run)?;
                self.orphan(setup, run);
                self.clients[run].phase = Phase::Dead;
            }
            Fault::PythonCrash => match self.python {
                Python::Holding(_) | Python::InTransaction(_) => self.python = Python::Dead,
                _ => return None,
            },
            Fault::Partition(run) => {
                self.connected(run)?;
                self.orphan(setup, run);
                self.sever(setup, run);
            }
            Fault::Kill(session) => self.kill(setup, session)?,
            Fault::Restart => {
                let at_work = self.sessions.iter().any(|it| it.job.is_some() || it.orphan);
                let locked = self.session_locks.iter().any(Option::is_some);
                (at_work || locked || self.row.is_some()).then_some(())?;
                (0..self.sessions.len()).for_each(|session| self.close(session));
                for run in 0..2 {
                    if self.connected(run).is_some() {
                        self.sever(setup, run);
                    }
                }
                if let Python::InTransaction(_) = self.python {
                    self.python = Python::Holding(0);
                }
            }
            Fault::Statement(session) => {
                let job = self.sessions[session].job?;
                let running = job.fenced && job.kind == ModelJobKind::Transaction;
                (running || job.kind == ModelJobKind::Statement).then_some(())?;
                self.answer(session, Err(ModelOutcome::Failed));
            }
            Fault::DropSessionLock(session) => {
                let job = self.sessions[session].job?;
                let inside = job.fenced && job.kind == ModelJobKind::Transaction;
                (setup.drops && inside && self.has_lock(session))
                    .then(|| self.release_lock(session))?;
                self.marks.dropped = true;
            }
            Fault::Cancel(run) => match self.clients[run].phase {
                Phase::Acquire(LockAction::Hold, _) if setup.flaw != Flaw::LeavesRowLocked => {
                    self.clients[run].phase = Phase::Release(ModelOutcome::Cancelled);
                }
                Phase::Acquire(..) => self.finish(setup, run, ModelOutcome::Cancelled),
                _ => return None,
            },
        }
        Some(())
    }

    /// Whether a run has a session, or waits for one in the pooler.
    fn connected(&self, run: usize) -> Option<()> {
        let phase = self.clients[run].phase;
        (!matches!(phase, Phase::Idle | Phase::Dead | Phase::Done(_))).then_some(())
    }

    /// A run's sessions lose their client. A pooler's session does not belong to a run.
    fn orphan(&mut self, setup: &Setup, run: usize) {
        if !setup.runs[run].pooled {
            [run, renewed(run), new_session(run)]
                .into_iter()
                .for_each(|session| self.abandon(session));
        }
    }

    fn kill(&mut self, setup: &Setup, session: usize) -> Option<()> {
        let ModelSession { open, orphan, job } = self.sessions[session];
        if !open {
            return None;
        }
        if POOL.contains(&session) {
            let run = job?.run as usize;
            self.close(session);
            if self.clients[run].phase == Phase::Awaiting {
                self.sever(setup, run);
            }
            return Some(());
        }
        self.close(session);
        let run = session % 2;
        // A run that changes its session sends nothing to the other one, and notices the loss at
        // its next step.
        let unnoticed = matches!(self.clients[run].phase, Phase::Moving | Phase::Moved);
        if !orphan && !unnoticed {
            self.sever(setup, run);
        }
        Some(())
    }

    /// A run learns that its connection is lost. A new session releases the row. If that one is
    /// lost too, the run ends.
    pub(super) fn sever(&mut self, setup: &Setup, run: usize) {
        let client = &mut self.clients[run];
        if client.session == new_session(run) || matches!(client.phase, Phase::InNewSession) {
            client.phase = Phase::Done(ModelOutcome::Severed);
            return;
        }
        if !setup.runs[run].pooled {
            client.session = new_session(run);
            self.sessions[client.session].open = true;
        }
        client.phase = Phase::InNewSession;
    }
}
