//! One connection that does a whole run, and every message that it sends.

mod probe;

use std::time::Duration;

use jetbase_core::{Dialect, Record};

use crate::connection::{CauseKind, Connection, End, Failure, QUESTIONS, ResultSet, Rows, moment};
use crate::dialect::{Fill, Sql, sql};
use crate::error::{Error, ErrorKind};
use crate::lock::{Claim, Proof};
use crate::look::{Look, Place, record};
use crate::target::{Dedicated, Open, Owner};

/// A run's own connection, with all words of its templates.
pub(crate) struct Session<'c> {
    connection: Box<dyn Connection + 'c>,
    pub(crate) owner: Owner,
    pub(crate) dialect: Dialect,
    pub(crate) sql: &'static Sql,
    pub(crate) fill: Fill,
    pub(crate) place: Place,
    /// How the life of this session can be proved.
    pub(crate) proof: Proof,
    /// Whether other servers write to the same tables: then only ids of this one can be judged.
    pub(crate) writers: Writers,
    /// Whether a pooler stands before the server: no session is ours alone.
    pub(crate) pooled: bool,
    /// What tells this server from others.
    pub(crate) server: String,
    /// The history table was there at the first look.
    pub(crate) has_history: bool,
    /// Both tables are there.
    pub(crate) has_tables: bool,
    /// The file of an SQLite database.
    pub(crate) file: Option<String>,
    /// Whether SQLite checks foreign keys for the connection's owner.
    pub(crate) foreign_keys: bool,
    /// There is a table for replaced texts.
    pub(crate) keeps_superseded: bool,
    /// The publications that would carry our tables to subscribers.
    pub(crate) published: Vec<String>,
    /// What we hold, or may hold, the lock as.
    pub(crate) claim: Option<Claim>,
    /// What puts the caller's own settings back.
    restore: Vec<String>,
}

/// What marks a session as ours alone: a pooler does not pass it on.
pub(crate) fn nonce() -> String {
    format!("{:016x}", fastrand::u64(..))
}

impl<'c> Session<'c> {
    /// Opens the run's own connection, and makes sure that it is in the look's place.
    pub(crate) async fn open(
        origin: &'c mut dyn Open,
        look: &Look,
        nonce: &str,
        patience: Duration,
    ) -> Result<Session<'c>, Error> {
        let dialect = origin.dialect();
        let opened = origin.dedicate(nonce.to_owned(), patience).await;
        let dedicated = opened.map_err(|cause| Error::database("connecting", &cause))?;
        Session::over(dedicated, dialect, look, nonce).await
    }

    /// Makes a session of a connection that is open already.
    pub(crate) async fn over(
        dedicated: Dedicated<'c>,
        dialect: Dialect,
        look: &Look,
        nonce: &str,
    ) -> Result<Session<'c>, Error> {
        let Dedicated { connection, owner } = dedicated;
        let place = look.place.clone();
        let sql = sql(dialect);
        let fill = names(Fill::new(dialect, Some(&place.schema)), &place)
            .literal("nonce", nonce)
            .literal("path", &place.search_path)
            .literal("role", "none")
            .literal("session_role", "none");
        let mut session = Session {
            connection,
            owner,
            dialect,
            sql,
            fill,
            place,
            proof: Proof::None,
            writers: Writers::One,
            pooled: false,
            server: String::new(),
            has_history: look.history.is_some(),
            has_tables: false,
            file: None,
            foreign_keys: false,
            keeps_superseded: false,
            published: Vec::new(),
            claim: None,
            restore: Vec::new(),
        };
        session.probe().await?;
        Ok(session)
    }

    /// Sends a template of ours that reads, whatever the session's timeouts are.
    pub(crate) async fn send(&mut self, template: &str) -> Result<Vec<ResultSet>, Failure> {
        let mut again = 0;
        loop {
            match self.send_behind(self.sql.reading, template).await {
                Err(failure) if failure.is_momentary() && again < QUESTIONS => again += 1,
                answer => return answer,
            }
            moment(again).await;
        }
    }

    /// Sends a template of ours that writes, whatever the session's defaults are.
    pub(crate) async fn write(&mut self, template: &str) -> Result<Vec<ResultSet>, Failure> {
        self.send_behind(self.sql.writing, template).await
    }

    async fn send_behind(
        &mut self,
        settings: &[&str],
        template: &str,
    ) -> Result<Vec<ResultSet>, Failure> {
        let own = |mut sets: Vec<ResultSet>| sets.split_off(settings.len().min(sets.len()));
        let parts = settings.iter().chain([&template]);
        let sql = parts.map(|part| self.fill.fill(part)).collect::<Vec<_>>().join(";\n");
        self.raw(&sql)
            .await
            .map(own)
            .map_err(|failure| Failure { completed: own(failure.completed), cause: failure.cause })
    }

    /// Sends a text as it is, and keeps its rows.
    pub(crate) async fn raw(&mut self, sql: &str) -> Result<Vec<ResultSet>, Failure> {
        self.connection.send(sql, Rows::Keep).await
    }

    /// Sends a text as it is, and forgets its rows.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<Vec<ResultSet>, Failure> {
        self.connection.send(sql, Rows::Drop).await
    }

    /// Whether the connection is gone.
    pub(crate) async fn is_gone(&mut self) -> bool {
        self.raw("SELECT 1").await.is_err_and(|failure| failure.cause.kind == CauseKind::Lost)
    }

    /// Reads which texts of `ROC__` files were replaced by newer ones; none without the table.
    pub(crate) async fn superseded(&mut self) -> Vec<(String, String)> {
        let sets = self.send(self.sql.superseded).await.unwrap_or_default();
        let rows = sets.into_iter().flat_map(|set| set.rows);
        rows.map(|row| (row.text(0).to_owned(), row.text(1).to_owned())).collect()
    }

    /// Reads the history again.
    pub(crate) async fn history(&mut self) -> Result<Vec<Record>, Error> {
        let sql = "SELECT order_executed, version, description, filename, migration_type, applied_at, checksum
FROM {migrations} ORDER BY order_executed";
        let sets = self
            .send(sql)
            .await
            .map_err(|failure| Error::database("reading the migration history", &failure.cause))?;
        Ok(sets.first().map(|set| set.rows.iter().map(record).collect()).unwrap_or_default())
    }

    /// Takes back what a file may have left in the session: nothing may reach the next file, or the caller.
    pub(crate) async fn reset(&mut self) {
        let parts: Vec<String> = self.resetting().collect();
        if !parts.is_empty() {
            // Each setting is the session's own: there is nothing to undo when one is refused.
            let _ = self.raw(&parts.join(";\n")).await;
        }
    }

    /// What a message appends behind its COMMIT.
    pub(crate) fn resetting(&self) -> impl Iterator<Item = String> {
        // The caller's own settings, also those that no list shows, stay.
        let own = self.owner == Owner::Caller;
        let part = move |part: &&'static str| match *part {
            "RESET ALL" if own => RESET_BUT_THE_CALLERS,
            part => part,
        };
        // MySQL's are the caller's again when the session is closed: until then `settle` decides.
        let restore = if self.dialect == Dialect::MySql { &[] } else { self.restore.as_slice() };
        let reset = self.sql.reset.iter().map(part).map(|part| self.fill.fill(part));
        reset.chain(restore.iter().cloned())
    }

    /// Counts the rows without parents that were there before us: only new ones are refused.
    pub(crate) async fn count_orphans(&mut self) {
        if !self.foreign_keys {
            return;
        }
        match self.raw("SELECT count(*) FROM pragma_foreign_key_check").await {
            Ok(sets) => {
                let count = sets
                    .first()
                    .and_then(|set| set.rows.first())
                    .and_then(|row| row.text(0).parse().ok());
                self.fill = self.fill.clone().number("orphans", count.unwrap_or(0));
            }
            // A schema whose references cannot be checked now cannot be checked behind a file either.
            Err(_) => self.fill = self.fill.clone().number("orphans", i64::MAX),
        }
    }

    /// Ends the session.
    pub(crate) async fn close(mut self) {
        if self.dialect == Dialect::Sqlite && self.foreign_keys {
            let _ = self.raw("PRAGMA foreign_keys = ON").await;
        }
        if self.dialect == Dialect::MySql {
            for part in std::mem::take(&mut self.restore) {
                let _ = self.raw(&part).await;
            }
        }
        // A memory database lives in its connection; a file is better opened afresh.
        let end = if self.file.is_some() { End::Close } else { End::Reuse };
        self.connection.finish(end).await;
    }
}

/// Takes back what a file has set on the caller's connection; what the caller has set follows.
const RESET_BUT_THE_CALLERS: &str =
    "SELECT set_config(name, reset_val, false) FROM pg_catalog.pg_settings
  WHERE source = 'session' AND name NOT LIKE 'transaction%' AND name <> 'seed'";

/// Who writes to the tables of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writers {
    /// One server, whatever its name was before.
    One,
    /// The nodes of a cluster, or another server through a subscription.
    Several,
}

/// The tables' names as literals.
fn names(fill: Fill, place: &Place) -> Fill {
    let (lock, migrations) = (fill.fill("{lock}"), fill.fill("{migrations}"));
    fill.literal("lock_name", &lock)
        .literal("migrations_name", &migrations)
        .literal("schema_name", &place.schema)
}

impl Error {
    /// Whether the connection is gone.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.kind(), ErrorKind::Interrupted { .. })
    }
}
