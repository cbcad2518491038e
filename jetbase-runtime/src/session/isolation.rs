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

    /// Undoes what a failed file may have left in the session. Nothing of it may affect the release
    /// of the lock, the next attempt, or the caller.
    pub(crate) async fn reset(&mut self) {
        let mut parts: Vec<String> = self.reset_statements(SessionEffect::Object).collect();
        if self.dialect == Dialect::MySql {
            parts.push("UNLOCK TABLES".to_owned());
            parts.push(self.bindings.render("USE {schema}"));
            parts.extend(self.sql.waiting_settings.iter().map(|part| (*part).to_owned()));
        }
        if self.dialect == Dialect::Sqlite {
            parts.extend(self.sql.restore_settings.iter().map(|part| (*part).to_owned()));
        }
        if !parts.is_empty() {
            // Each setting concerns this session only. If one is refused, there is nothing to undo.
            let _ = self.raw(&parts.join(";\n")).await;
        }
    }

    /// Returns the statements that a message appends after its COMMIT, for a file with that effect.
    pub(crate) fn reset_statements(&self, effect: SessionEffect) -> impl Iterator<Item = String> {
        let of_caller = self.owner == ConnectionOwner::Caller;
        let part = move |part: &&'static str| match *part {
            // The caller's own settings stay, including those that the server does not list.
            "RESET ALL" if of_caller => RESET_TO_CALLERS_VALUES,
            part => part,
        };
        let pooled = self.pooled;
        // Through a pooler, other clients have prepared statements in the same session.
        let applies = move |part: &&&'static str| {
            let shared = pooled && SHARED_IN_POOL.contains(*part);
            !of_caller && !shared
        };
        // On MySQL, the caller's settings return when the session is closed. Until then the
        // template `session_settings` applies.
        let restore = match self.dialect {
            Dialect::Postgres => self.restore.as_slice(),
            Dialect::MySql | Dialect::Sqlite => &[],
        };
        let reset = self.sql.reset.iter().map(part);
        let discard = self.sql.discard.iter().filter(applies).copied();
        let all = reset
            .chain(discard)
            .map(|part| self.bindings.render(part))
            .chain(restore.iter().cloned());
        all.filter(move |_| effect > SessionEffect::Nothing)
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
        let query = self.fence_bindings().render(self.sql.fence_session_lock);
        let sent = send_within(old, &query, RowHandling::Drop, Some(ANSWER_WITHIN)).await;
        sent.map(drop).map_err(Error::during("moving the session lock to a fresh session"))
    }
}

/// Makes the connection forget the last row that it inserted.
const SQLITE_NO_LAST_ROW: &str = "CREATE TEMP TABLE jetbase_no_row (id INTEGER);
INSERT INTO temp.jetbase_no_row (rowid) VALUES (0);
DROP TABLE temp.jetbase_no_row";

/// Resets what a file has set on the caller's connection. The statements of `restore` then set the
/// caller's values.
const RESET_TO_CALLERS_VALUES: &str =
    "SELECT pg_catalog.set_config(name, reset_val, false) FROM pg_catalog.pg_settings
  WHERE source OPERATOR(pg_catalog.=) 'session' AND name OPERATOR(pg_catalog.!~~) 'transaction%'
    AND name OPERATOR(pg_catalog.<>) 'seed'";

/// The statements that affect other clients of a session behind a pooler.
const SHARED_IN_POOL: &[&str] = &["DEALLOCATE ALL", "UNLISTEN *"];
