//! An acquisition of the lock: its statements, and what they have shown so far.

use std::time::{Duration, Instant};

use super::holder::describe_obstacle;
use super::protocol::{LockRow, Observation};
use super::side_file::SideFile;
use crate::connection::{ResultSet, SendFailure};
use crate::error::Error;
use crate::session::Session;

/// A session that reads or acquires the lock, and what it has seen.
pub(super) struct Acquisition<'s, 'c> {
    pub(super) session: &'s mut Session<'c>,
    pub(super) side_file: Option<SideFile>,
    /// The row as it was read last.
    pub(super) row: LockRow,
    /// What kept the last statement from the tables.
    pub(super) obstacle: Option<String>,
    unchanged: UnchangedRow,
}

impl<'s, 'c> Acquisition<'s, 'c> {
    pub(super) fn new(session: &'s mut Session<'c>, side_file: Option<SideFile>) -> Self {
        Acquisition {
            session,
            side_file,
            row: LockRow::default(),
            obstacle: None,
            unchanged: UnchangedRow::default(),
        }
    }

    /// Tries to acquire the lock with one atomic UPDATE, which is committed at once.
    pub(super) async fn attempt(&mut self) -> Result<Observation, Error> {
        if self.side_file.as_mut().is_some_and(|file| !file.try_lock()) {
            return Ok(Observation::Refused);
        }
        let sql = if self.session.liveness.has_session_lock() {
            self.session.sql.acquire_with_session_lock
        } else {
            self.session.sql.acquire
        };
        let sets = match self.session.write_lock(sql).await {
            Ok(sets) => sets,
            Err(failure) => {
                // This run may have the session lock without the row. Then it must not keep the session
                // lock, because other runs would take it for a holder.
                self.release_session_lock().await;
                if self.session.lacks_tables(&failure.cause).await {
                    return Ok(Observation::NoTables);
                }
                return self.refused(&failure, "acquiring the migration lock");
            }
        };
        self.obstacle = None;
        let previous =
            sets.first().and_then(|set| set.first_row().opt("previous").map(str::to_owned));
        Ok(self.check_acquired(&sets, previous).await)
    }

    /// Reads whether the statement has acquired the row. Without the row, the session lock is
    /// released.
    async fn check_acquired(
        &mut self,
        sets: &[ResultSet],
        previous: Option<String>,
    ) -> Observation {
        let row = sets.last().map(ResultSet::first_row).unwrap_or_default();
        if row.is_true("has_row") {
            return Observation::Acquired(previous);
        }
        if row.is_true("has_session_lock") {
            self.release_session_lock().await;
        }
        Observation::Refused
    }

    /// Takes the lock over from an owner whose steps are all fenced, unless the owner is executing
    /// one.
    pub(super) async fn take_over(&mut self) -> Result<Observation, Error> {
        self.unchanged = UnchangedRow::default();
        let owner = self.row.owner.clone().unwrap_or_default();
        self.session.bind(|it| it.literal("stale_owner", &owner));
        let sql = if self.session.liveness.has_session_lock() {
            self.session.sql.take_over_with_session_lock
        } else {
            self.session.sql.take_over
        };
        match self.session.write_lock(sql).await {
            Ok(sets) => Ok(self.check_acquired(&sets, Some(owner)).await),
            Err(failure) => {
                self.release_session_lock().await;
                self.refused(&failure, "taking the migration lock over")
            }
        }
    }

    /// Creates the row, if it does not exist yet.
    pub(super) async fn create_row(&mut self) -> Result<Observation, Error> {
        match self.session.write_lock(self.session.sql.create_row).await {
            Ok(_) => self.attempt().await,
            Err(failure) => self.refused(&failure, "creating the lock row"),
        }
    }

    /// Reads the row, without a lock and without a transaction.
    pub(super) async fn read_row(&mut self) -> Result<Observation, Error> {
        let sets = match self.session.read(self.session.sql.poll).await {
            Ok(sets) => sets,
            Err(failure) if self.session.lacks_tables(&failure.cause).await => {
                return Ok(Observation::NoTables);
            }
            Err(failure) => {
                self.refused(&failure, "reading the migration lock")?;
                return Ok(Observation::Unreadable);
            }
        };
        let Some(row) = sets.first().and_then(|set| set.rows.first()) else {
            return Ok(Observation::NoRow);
        };
        self.row = LockRow {
            locked: row.is_true("is_locked"),
            owner: row.opt("process_id").map(str::to_owned),
            since: row.opt("locked_at").map(str::to_owned),
            alive: match &mut self.side_file {
                Some(file) => Some(file.is_held_by_others()),
                None => row.opt("is_alive").map(|_| row.is_true("is_alive")),
            },
            unchanged_for: self.unchanged.length(
                ["process_id", "locked_at", "fingerprint"].map(|it| row.text(it).to_owned()),
            ),
        };
        Ok(Observation::Row(self.row.clone()))
    }

    /// Describes the holder, or what keeps a free lock from being acquired.
    pub(super) async fn describe_obstacle(&mut self) -> String {
        describe_obstacle(self.session, &self.row, self.obstacle.as_deref()).await
    }

    /// Releases the session lock, because this run does not have the row.
    async fn release_session_lock(&mut self) {
        self.session.release_session_lock().await;
        if let Some(file) = &mut self.side_file {
            file.unlock();
        }
    }

    /// Treats a transient refusal by the database as a failed attempt.
    fn refused(&mut self, failure: &SendFailure, doing: &str) -> Result<Observation, Error> {
        if !failure.cause.is_contended() {
            return Err(Error::database(doing, &failure.cause));
        }
        let obstacle = if failure.cause.is_refused_by_group() {
            "the group of this MySQL server, which refuses transactions of this node at the moment"
        } else {
            "another connection that locks the table jetbase_lock or jetbase_migrations"
        };
        self.obstacle = Some(format!(
            "{obstacle} (while {doing}: {}, {})",
            failure.cause.message, failure.cause.code
        ));
        Ok(Observation::Refused)
    }
}

/// For how long this run has seen the row and the history unchanged.
#[derive(Debug, Default)]
struct UnchangedRow {
    seen: Option<([String; 3], Instant)>,
}

impl UnchangedRow {
    fn length(&mut self, signs: [String; 3]) -> Duration {
        match &self.seen {
            Some((before, since)) if *before == signs => since.elapsed(),
            _ => {
                self.seen = Some((signs, Instant::now()));
                Duration::ZERO
            }
        }
    }
}
