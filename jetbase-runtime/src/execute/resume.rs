//! Finds out where an unfinished file goes on, and records where it has stopped.

use jetbase_core::{Checksum, Detection, Dialect, SessionEffect};

use super::explain::FailureContext;
use super::message::{MessageFailure, Purpose};
use super::{Grouping, Job};
use crate::dialect::{JOURNAL_DONE, JOURNAL_FAILED, JOURNAL_FORGET, JOURNAL_LEFTOVER};
use crate::error::{Error, JournalError, Kept};
use crate::journal::{
    Direction, INVALID, JournalMismatch, JournalRow, Resume, ResumePoint, has_taken_effect,
    resume_point,
};
use crate::session::Session;

impl Job<'_> {
    /// Whether a row of the journal is about this file, in the direction of this job.
    pub(crate) fn concerns(&self, file: &str, direction: Direction) -> bool {
        self.migration.file() == file && Direction::of(self.action) == direction
    }

    /// Whether a row of the journal is about the statement with this index.
    fn is_about(&self, entry: &JournalRow, index: usize) -> bool {
        self.concerns(&entry.file, entry.direction) && entry.statement == index + 1
    }

    /// Decides at which statement the file goes on. `entries` are the rows of the journal about it.
    /// `wish` is what the caller has found out about it.
    pub(crate) async fn resume(
        &mut self,
        session: &mut Session<'_>,
        entries: &[JournalRow],
        wish: Option<Resume>,
    ) -> Result<(), Error> {
        self.done = match wish {
            Some(wish) => self.set_done(session, wish).await?,
            None => self.find_done(session, entries).await?,
        };
        self.drop_leftover(session, entries).await?;
        self.check_session()
    }

    /// Returns how many statements are permanent, as the journal and the catalog show.
    async fn find_done(
        &self,
        session: &mut Session<'_>,
        entries: &[JournalRow],
    ) -> Result<usize, Error> {
        let digests: Vec<Checksum> = self.statements.iter().map(|it| self.digest(it)).collect();
        let (file, direction) = (self.migration.path().to_owned(), Direction::of(self.action));
        let (index, same_text) = match resume_point(&digests, entries) {
            Ok(ResumePoint::At(index)) => return Ok(index),
            Ok(ResumePoint::InDoubt { index, same_text }) => (index, same_text),
            Err(JournalMismatch::Changed { index, place }) => {
                let position = self.statements.get(index).map(|it| self.place(it));
                let statement = index + 1;
                let error =
                    JournalError::Changed { file, direction, statement, position, recorded: place };
                return Err(error.into());
            }
            Err(JournalMismatch::Invalid) => {
                return Err(JournalError::Invalid { file, direction }.into());
            }
        };
        let entry = entries.get(index);
        if same_text && let Some(done) = self.is_done(session, index, entry).await? {
            if done {
                self.write_rows(session, index..index + 1).await?;
            }
            return Ok(index + usize::from(done));
        }
        let position = self.statements.get(index).map(|it| self.place(it));
        let recorded = entry.map(|it| it.place.clone()).unwrap_or_default();
        let statement = index + 1;
        Err(JournalError::InDoubt { file, direction, statement, position, recorded }.into())
    }

    /// Finds out whether an interrupted statement has taken effect; `None` if the database does not
    /// show it.
    async fn is_done(
        &self,
        session: &mut Session<'_>,
        index: usize,
        entry: Option<&JournalRow>,
    ) -> Result<Option<bool>, Error> {
        let Some(statement) = self.statements.get(index) else { return Ok(None) };
        if statement.detection == Detection::Repeat || statement.is_setting {
            return Ok(Some(false));
        }
        let before = entry.and_then(|it| it.found);
        let expression = self.catalog_expression(session.sql, session.dialect, index);
        let (Some(before), Some(expression)) = (before, expression) else { return Ok(None) };
        self.replay_path(session, index).await?;
        let now = session.read_catalog(&expression).await?;
        if now == INVALID
            && before == 1
            && let Some(partition) = self.detached(index)
        {
            self.complete_detach(session, partition).await?;
            return Ok(Some(true));
        }
        Ok(Some(has_taken_effect(before, now)))
    }

    /// Sets the search path, or the database, as the statements before this one have set it.
    pub(super) async fn replay_path(
        &self,
        session: &mut Session<'_>,
        index: usize,
    ) -> Result<(), Error> {
        let sql = match session.dialect {
            Dialect::Postgres => Some("SELECT pg_catalog.set_config('search_path', {path}, false)"),
            Dialect::MySql => Some("USE {schema}"),
            Dialect::Sqlite => None,
        };
        let first = sql.map(|sql| session.bindings.render(sql));
        let settings = self.statements.iter().take(index).filter(|it| it.is_setting);
        let settings = settings.filter(|it| it.table_locks.is_none());
        for sql in first.into_iter().chain(settings.map(|it| self.sent(&it.range))) {
            let sent = session.execute(&sql).await;
            sent.map_err(Error::during("preparing the session of an unfinished file"))?;
        }
        Ok(())
    }

    /// Marks the statements as done that the caller names.
    async fn set_done(&self, session: &mut Session<'_>, wish: Resume) -> Result<usize, Error> {
        let done = match wish {
            Resume::After(number) => number,
            Resume::At(number) => number.saturating_sub(1),
        };
        if done > self.statements.len() || wish == Resume::At(0) {
            let (file, statements) = (self.migration.path().to_owned(), self.statements.len());
            return Err(JournalError::NoStatement { file, statements }.into());
        }
        self.write_rows(session, 0..done).await?;
        Ok(done)
    }

    /// Writes that statements are done. If the first one is among them, the file's other rows are
    /// removed.
    async fn write_rows(
        &self,
        session: &mut Session<'_>,
        statements: std::ops::Range<usize>,
    ) -> Result<(), Error> {
        let bindings = session.bindings.clone().literal("file", self.migration.file());
        let mut changes = Vec::new();
        if statements.start == 0 {
            let bindings = self.journal_bindings(bindings.clone(), 0, "", "NULL");
            changes.push(bindings.render(JOURNAL_FORGET));
        }
        for index in statements {
            let bindings = self.journal_bindings(bindings.clone(), index, "done", "NULL");
            changes.push(bindings.render(session.sql.journal_write));
        }
        session.write_journal(&changes).await
    }

    /// Drops the invalid index that a failed or interrupted statement of this file has left.
    async fn drop_leftover(
        &self,
        session: &mut Session<'_>,
        entries: &[JournalRow],
    ) -> Result<(), Error> {
        let Some(entry) = entries.get(self.done) else { return Ok(()) };
        let leftover = match &entry.leftover {
            Some(leftover) => Some(leftover.clone()),
            // The interrupted statement has built an index that did not exist before.
            None if entry.found == Some(0) && self.builds_concurrently(self.done) => {
                self.replay_path(session, self.done).await?;
                self.find_leftover(session, self.done).await?
            }
            None => None,
        };
        let Some((schema, name)) = leftover else { return Ok(()) };
        let bindings = session.bindings.clone();
        let bindings = bindings.literal("leftover_schema", &schema).literal("leftover_name", &name);
        let sets = session.raw(&bindings.render(IS_INVALID)).await;
        let sets = sets.map_err(Error::during("reading the indexes of the database"))?;
        if sets.first().is_none_or(|set| set.rows.is_empty()) {
            return Ok(());
        }
        let bindings = bindings.identifier("schema", &schema).identifier("name", &name);
        let dropped =
            session.raw(&bindings.render("DROP INDEX CONCURRENTLY {schema}.{name}")).await;
        dropped.map(drop).map_err(Error::during("dropping the invalid index of an earlier run"))
    }

    /// Returns the schema and the name of the invalid index that a statement has left.
    async fn find_leftover(
        &self,
        session: &mut Session<'_>,
        index: usize,
    ) -> Result<Option<(String, String)>, Error> {
        let statement = self.statements.get(index);
        let Some(Detection::Catalog(object)) = statement.map(|it| &it.detection) else {
            return Ok(None);
        };
        let Some(expression) = self.catalog_expression(session.sql, session.dialect, index) else {
            return Ok(None);
        };
        if session.read_catalog(&expression).await? != INVALID {
            return Ok(None);
        }
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let table = object.table.iter().map(|name| quoted(name));
        let path = object.schema.iter().map(|name| quoted(name)).chain(table);
        let table = path.collect::<Vec<_>>().join(".");
        let bindings = session.bindings.clone().literal("object_table", &table);
        let sets = session.raw(&bindings.render(SCHEMA_OF_TABLE)).await;
        let sets = sets.map_err(Error::during("reading the indexes of the database"))?;
        let schema = sets.first().and_then(|set| set.value().map(str::to_owned));
        Ok(schema.map(|schema| (schema, object.name.clone())))
    }

    /// Refuses a file whose permanent part has made something in its session that the rest may need.
    fn check_session(&self) -> Result<(), Error> {
        let made =
            |it: &super::JobStatement| it.session_effect > SessionEffect::Code && !it.is_setting;
        let rest_is_empty = self.done >= self.statements.len();
        match self.statements.iter().take(self.done).position(made) {
            Some(index) if !rest_is_empty => {
                let (file, direction) =
                    (self.migration.path().to_owned(), Direction::of(self.action));
                let position = self.statements.get(index).map(|it| self.place(it));
                let (statement, done) = (index + 1, self.done);
                Err(JournalError::SessionEnded { file, direction, statement, position, done }
                    .into())
            }
            _ => Ok(()),
        }
    }

    /// Records which statements of a failed file are permanent, so that the next run goes on after
    /// them.
    pub(super) async fn settle(
        &self,
        session: &mut Session<'_>,
        failure: &MessageFailure,
        mut found: FailureContext,
        label: &str,
    ) -> FailureContext {
        let grouping = self.grouping_in(session);
        let is_recorded = self.has_entries || self.needs_journal(session.dialect);
        if grouping != Grouping::PerStatement || (!is_recorded && failure.done == self.done) {
            return found;
        }
        if session.create_journal().await.is_err() {
            return found;
        }
        let failed = match failure.purpose {
            Purpose::Statement(index) | Purpose::Valid(index) => Some(index),
            _ => None,
        };
        if let Some(index) = failed.filter(|index| self.builds_concurrently(*index)) {
            let _ = self.replay_path(session, index).await;
            found.leftover = self.find_leftover(session, index).await.ok().flatten();
            let entries = session.read_journal().await.unwrap_or_default();
            let row = entries.iter().find(|it| self.is_about(it, index));
            found.leftover_is_own = row.is_some_and(|row| row.found == Some(0));
        }
        if let Some(index) = failed.filter(|index| self.detached(*index).is_some()) {
            let entries = session.read_journal().await.unwrap_or_default();
            let entry = entries.iter().find(|it| self.is_about(it, index));
            self.settle_detach(session, index, entry, failure.done, &mut found).await;
        }
        if matches!(found.kept, Kept::InDoubt { .. }) && session.dialect == Dialect::Postgres {
            let sets = session.raw(INVALID_INDEXES).await.unwrap_or_default();
            let rows = sets.iter().flat_map(|set| &set.rows);
            found.invalid = rows.map(|row| row.text("name").to_owned()).collect();
        }
        let bindings = self.bindings(session, label, grouping);
        let mut changes: Vec<String> = Vec::new();
        for index in self.done..failure.done {
            let bindings = self.journal_bindings(bindings.clone(), index, "done", "NULL");
            changes.push(bindings.render(session.sql.journal_write));
        }
        let last = failure.done.checked_sub(1);
        let of_run = self.journal_bindings(bindings.clone(), last.unwrap_or(0), "", "NULL");
        let of_run = if last.is_none() { of_run.number("number", 0) } else { of_run };
        let own = found.leftover.as_ref().filter(|_| found.leftover_is_own);
        let mut of_own_rows = vec![of_run.render(JOURNAL_DONE)];
        match (own, failed) {
            (Some((schema, name)), Some(index)) => {
                let bindings = self.journal_bindings(bindings, index, "", "NULL");
                let bindings =
                    bindings.literal("leftover_schema", schema).literal("leftover_name", name);
                of_own_rows.push(bindings.render(JOURNAL_LEFTOVER));
            }
            // The next run reads the row.
            _ if matches!(found.kept, Kept::InDoubt { .. }) || found.detaching.is_some() => {}
            _ => of_own_rows.push(of_run.render(JOURNAL_FAILED)),
        }
        changes.extend(of_own_rows.clone());
        if session.write_journal(&changes).await.is_err() {
            // Another run may have the lock now. The rows of this run are still its own.
            let _ = session.settle_journal(&of_own_rows).await;
        }
        found
    }
}

/// One row if the index exists and is invalid.
const IS_INVALID: &str = "SELECT 1 FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
  WHERE NOT i.indisvalid AND n.nspname OPERATOR(pg_catalog.=) {leftover_schema}::pg_catalog.name
    AND c.relname OPERATOR(pg_catalog.=) {leftover_name}::pg_catalog.name";

/// The names of all invalid indexes.
const INVALID_INDEXES: &str =
    "SELECT pg_catalog.concat(n.nspname, '.', c.relname) AS name FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
  WHERE NOT i.indisvalid AND n.nspname OPERATOR(pg_catalog.<>) 'pg_toast' LIMIT 10";

/// The schema of a table, which is also that of its indexes.
const SCHEMA_OF_TABLE: &str = "SELECT n.nspname FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
  WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({object_table})::pg_catalog.oid";
