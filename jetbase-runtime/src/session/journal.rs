//! The table of the journal.

use jetbase_core::Dialect;

use super::Session;
use crate::connection::{Cause, ResultSet, SendFailure};
use crate::dialect::Bindings;
use crate::error::Error;
use crate::journal::JournalRow;

impl Session<'_> {
    /// Reads the journal, if there is one.
    pub(crate) async fn read_journal(&mut self) -> Result<Vec<JournalRow>, Error> {
        if !self.has_journal {
            return Ok(Vec::new());
        }
        let guard = self.guard(self.sql.guard_journal_reading);
        let sent = self.send_template(self.sql.read_settings, guard, self.sql.journal).await;
        let sets = sent.map_err(Error::during("reading jetbase_journal"))?;
        let rows = sets.iter().flat_map(|set| &set.rows);
        Ok(rows.filter_map(JournalRow::of).collect())
    }

    /// Creates the journal, if there is none.
    pub(crate) async fn create_journal(&mut self) -> Result<(), Error> {
        if self.has_journal {
            return Ok(());
        }
        let created = self.write(self.sql.create_journal).await;
        created.map_err(Error::during("creating jetbase_journal"))?;
        self.has_journal = true;
        self.empties_journal = true;
        // Another process may have created it just before.
        self.read_new_tables().await
    }

    /// Changes the journal in one transaction, if the run still has the lock. `changes` are
    /// rendered statements.
    pub(crate) async fn write_journal(&mut self, changes: &[String]) -> Result<(), Error> {
        let bindings = self.bindings.clone();
        let bindings = match self.dialect {
            Dialect::MySql => bindings,
            Dialect::Postgres | Dialect::Sqlite => bindings.literal("lock_timeout", "5000"),
        };
        let mut parts = self.journal_opening(&bindings);
        parts.push(bindings.render(self.sql.fence_locking));
        parts.extend_from_slice(changes);
        parts.push("COMMIT".to_owned());
        self.send_journal(&parts).await.map_err(Error::during("writing jetbase_journal"))
    }

    /// Writes what became of the statements of this run, and of no other. It needs no lock: the rows
    /// have the process id of this run.
    pub(crate) async fn settle_journal(&mut self, changes: &[String]) -> Result<(), Cause> {
        let bindings = self.bindings.clone().literal("lock_timeout", "5000");
        let mut parts = self.journal_opening(&bindings);
        parts.extend_from_slice(changes);
        parts.push("COMMIT".to_owned());
        self.send_journal(&parts).await.map_err(Cause::from)
    }

    /// Shrinks the empty journal, so that the first message of the next run sees that it is empty
    /// (PostgreSQL). If others read the table at this moment, it stays as it is.
    pub(crate) async fn shrink_journal(&mut self) {
        if self.dialect != Dialect::Postgres || !self.empties_journal {
            return;
        }
        let bindings = self.bindings.clone().literal("lock_timeout", "100");
        let mut parts = self.journal_opening(&bindings);
        parts.push(bindings.render(self.sql.fence_locking));
        parts.extend([IS_EMPTY, "TRUNCATE {journal}", "COMMIT"].map(|it| bindings.render(it)));
        // The next run reads the table in a second message.
        let _ = self.send_journal(&parts).await;
    }

    fn journal_opening(&self, bindings: &Bindings) -> Vec<String> {
        let guard = self.guard(self.sql.guard_journal_writing);
        self.sql.begin.iter().chain(guard).map(|part| bindings.render(part)).collect()
    }

    async fn send_journal(&mut self, parts: &[String]) -> Result<(), SendFailure> {
        match self.execute(&parts.join(";\n")).await {
            Ok(_) => Ok(()),
            Err(failure) => {
                let _ = self.raw("ROLLBACK").await;
                Err(failure)
            }
        }
    }

    /// Asks the catalog about an object: 1 if it exists, 2 if it is an invalid index, else 0.
    pub(crate) async fn read_catalog(&mut self, expression: &str) -> Result<u8, Error> {
        let sets = self.raw(&format!("SELECT {expression} AS found")).await;
        let sets = sets.map_err(Error::during("reading the catalog of the database"))?;
        Ok(sets.first().and_then(ResultSet::value).and_then(|it| it.parse().ok()).unwrap_or(0))
    }
}

/// Fails if the journal has a row.
const IS_EMPTY: &str = "SELECT 1 / CASE WHEN EXISTS (SELECT 1 FROM {journal}) THEN 0 ELSE 1 END";
