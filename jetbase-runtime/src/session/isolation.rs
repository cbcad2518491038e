//! Gives each file a session like that of a new run.
//!
//! - PostgreSQL: after the COMMIT, the message ends everything that `DISCARD ALL` ends, except the
//!   session lock.
//! - MySQL and MariaDB: the run continues on a new connection, and moves its session lock to it.
//! - SQLite, and every connection of the caller: a snapshot is taken before the first file. After
//!   each file, everything that is not in the snapshot is ended.

use std::time::Duration;

use jetbase_core::{Dialect, SessionEffect};

use super::{Liveness, Session};
use crate::connection::{Connection, End, ResultSet, RowHandling, send_within};
use crate::error::{Error, ErrorKind};
use crate::target::ConnectionOwner;

/// What comes after a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextStep {
    File,
    Release,
}

/// The time limit of the check whether the old session still has its lock.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

impl Session<'_> {
    /// Whether the session cannot undo what a file with this effect may leave in it.
    ///
    /// A caller's connection to MySQL cannot be replaced, and its server lists neither temporary
    /// tables nor variables.
    pub(crate) fn cannot_undo(&self, effect: SessionEffect) -> bool {
        let listed = match effect {
            SessionEffect::Nothing | SessionEffect::Setting => true,
            SessionEffect::Rows => !self.has_triggers,
            SessionEffect::Code | SessionEffect::Object => false,
        };
        self.dialect == Dialect::MySql && self.reconnect.is_none() && !listed
    }

    /// Takes a snapshot of the session, if any of the files may leave something in it.
    pub(crate) async fn take_snapshot_for(&mut self, effect: SessionEffect) -> Result<(), Error> {
        let listed = match self.dialect {
            Dialect::Sqlite => effect >= SessionEffect::Setting,
            // `DISCARD` cannot distinguish a session lock that a file leaves from the run's own.
            Dialect::Postgres => match self.owner {
                ConnectionOwner::Caller => effect > SessionEffect::Nothing,
                ConnectionOwner::Run | ConnectionOwner::Pool => {
                    effect == SessionEffect::Object && !self.pooled
                }
            },
            Dialect::MySql => self.owner == ConnectionOwner::Caller,
        };
        if listed && self.snapshot.is_none() {
            self.snapshot = Some(self.take_snapshot().await?);
            self.restore_caller_on_drop();
        }
        Ok(())
    }

    /// Counts the rows whose parents were already missing. Only new ones are refused.
    pub(crate) async fn count_orphans(&mut self) {
        if !self.foreign_keys {
            return;
        }
        let count = match self.raw("SELECT count(*) FROM pragma_foreign_key_check").await {
            Ok(sets) => {
                sets.first().and_then(ResultSet::value).and_then(|count| count.parse().ok())
            }
            // If the references of a schema cannot be checked now, they cannot be checked after a
            // file either.
            Err(_) => Some(i64::MAX),
        };
        self.bind(|it| it.number("orphans", count.unwrap_or(0)));
    }

    /// Gives the next step a fresh session. `effect` is that of the file before.
    pub(crate) async fn refresh(
        &mut self,
        effect: SessionEffect,
        next: NextStep,
    ) -> Result<(), Error> {
        self.used = true;
        match self.dialect {
            Dialect::MySql if self.reconnect.is_some() => {
                let by_trigger = effect == SessionEffect::Rows && self.has_triggers;
                match next {
                    _ if effect <= SessionEffect::Rows && !by_trigger => Ok(()),
                    NextStep::File => self.continue_on_new_connection().await,
                    // Nothing of the file can affect others: the session ends with the run.
                    NextStep::Release => {
                        self.reset().await;
                        Ok(())
                    }
                }
            }
            Dialect::Sqlite if effect < SessionEffect::Setting => Ok(()),
            Dialect::Postgres
                if self.owner != ConnectionOwner::Caller && effect < SessionEffect::Object =>
            {
                Ok(())
            }
            _ if effect > SessionEffect::Nothing => self.restore_snapshot().await,
            _ => Ok(()),
        }
    }

    /// Gives a fresh session to a file that reads what earlier statements have left.
    pub(crate) async fn refresh_for_reader(&mut self) -> Result<(), Error> {
        match self.dialect {
            Dialect::MySql if self.used && self.reconnect.is_some() => {
                self.continue_on_new_connection().await
            }
            // The number of the last inserted row would be that of the lock row or of a history
            // row.
            Dialect::Sqlite => {
                let done = self.raw(SQLITE_NO_LAST_ROW).await.map(drop);
                done.map_err(Error::during("preparing the session"))
            }
            _ => Ok(()),
        }
    }

    /// Continues on a new connection.
    ///
    /// At every moment the run holds one of the two session locks: the new session acquires the
    /// other one before the old session ends. The old session must still have its lock at that
    /// moment. Otherwise another run may have taken the row in the meantime.
    async fn continue_on_new_connection(&mut self) -> Result<(), Error> {
        let Some(reconnect) = self.reconnect.clone() else { return Ok(()) };
        let mut other = reconnect(Duration::ZERO).await.map_err(|cause| {
            // A full server may be full of runs that wait for this one. So this run releases the
            // lock and starts again.
            Error::database("opening a fresh session for the next file", &cause).restarting()
        })?;
        std::mem::swap(&mut self.connection, &mut other);
        let moved = match self.prepare_new_connection().await {
            Ok(()) => self.check_old_session_lock(other.as_mut()).await,
            refused => refused,
        };
        if moved.is_ok() {
            self.bind(|it| it.swapped("key", "other_key"));
            self.used = false;
        } else {
            // Release the lock over the session that may still have it.
            std::mem::swap(&mut self.connection, &mut other);
        }
        other.finish(End::Close).await;
        moved
    }

    /// Sets up the new session like the old one, and acquires the other session lock.
    async fn prepare_new_connection(&mut self) -> Result<(), Error> {
        let setup = self.setup.join(";\n");
        let doing = "preparing a fresh session for the next file";
        if !setup.is_empty() {
            self.raw(&setup).await.map_err(Error::during(doing))?;
        }
        if self.liveness != Liveness::GetLock {
            return Ok(());
        }
        let sets = self.read(self.sql.move_session_lock).await.map_err(Error::during(doing))?;
        if sets.first().and_then(ResultSet::value) == Some("1") {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::SessionLockNotMoved))
        }
    }

    /// Fails unless the old session still has its lock.
    async fn check_old_session_lock(&mut self, old: &mut dyn Connection) -> Result<(), Error> {
        if self.liveness != Liveness::GetLock {
            return Ok(());
        }
        let query = self.bindings.render(self.sql.fence_session_lock);
        let sent = send_within(old, &query, RowHandling::Drop, Some(ANSWER_WITHIN)).await;
        sent.map(drop).map_err(Error::during("moving the session lock to a fresh session"))
    }
}

/// Makes the connection forget the last row that it inserted.
const SQLITE_NO_LAST_ROW: &str = "CREATE TEMP TABLE jetbase_no_row (id INTEGER);
INSERT INTO temp.jetbase_no_row (rowid) VALUES (0);
DROP TABLE temp.jetbase_no_row";
