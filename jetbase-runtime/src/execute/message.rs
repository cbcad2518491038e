//! The messages of a job: what is sent together, and which part of it failed.

use std::time::Duration;

use jetbase_core::Dialect;

use super::{Grouping, Job, JobProgress};
use crate::connection::Cause;
use crate::dialect::Bindings;
use crate::session::Session;

/// One statement of a message, with its purpose.
pub(super) struct Part {
    pub(super) sql: String,
    pub(super) purpose: Purpose,
    /// The number of results that the server sends for it.
    pub(super) results: usize,
}

/// Statements that are sent together.
pub(super) struct FileMessage {
    pub(super) parts: Vec<Part>,
    /// The message from which to retry after a transient failure: the one that starts the
    /// transaction. `None` if something may have taken effect.
    pub(super) retry_from: Option<usize>,
    /// How many statements of the file are permanent after this message.
    pub(super) done: Option<usize>,
    /// How many are permanent as soon as the message's statement has succeeded, because the statement
    /// commits by itself.
    pub(super) done_at_once: Option<usize>,
}

impl FileMessage {
    pub(super) fn of(parts: Vec<Part>) -> Self {
        FileMessage { parts, retry_from: None, done: None, done_at_once: None }
    }

    pub(super) fn retried_from(self, retry_from: Option<usize>) -> Self {
        FileMessage { retry_from, ..self }
    }

    /// Returns the number of the file's statements in the message.
    pub(super) fn statements(&self) -> usize {
        self.parts.iter().filter(|it| matches!(it.purpose, Purpose::Statement(_))).count()
    }

    /// Whether the message may be cancelled: it has a statement of the file, or ends the transaction
    /// of the file.
    pub(super) fn can_stop(&self, grouping: Grouping) -> bool {
        let has = |purpose: fn(&Purpose) -> bool| self.parts.iter().any(|it| purpose(&it.purpose));
        has(|it| matches!(it, Purpose::Statement(_)))
            || (grouping != Grouping::PerStatement
                && has(|it| matches!(it, Purpose::ForeignKeys | Purpose::Commit)))
    }

    /// Reports the first statement of the file in the message.
    pub(super) fn report(&self, progress: &mut impl FnMut(JobProgress<'_>)) {
        let statement = self.parts.iter().find_map(|part| match part.purpose {
            Purpose::Statement(index) => Some((index, part.sql.as_str())),
            _ => None,
        });
        if let Some((index, sql)) = statement {
            progress(JobProgress::Statement { index, sql });
        }
    }
}

/// The purpose of a part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Settings, and the start of the transaction.
    Setup,
    /// Checks that jetbase's tables run no code of others.
    Guard,
    /// Checks that this run still has the lock.
    Fence,
    /// A statement of the file, numbered from 0.
    Statement(usize),
    /// A statement of the file that an earlier run has executed, and that sets the session.
    Replay(usize),
    /// Checks that the index of the statement is valid.
    Valid(usize),
    /// Writes a row of the journal.
    Journal,
    /// Commits a statement together with its row of the journal.
    CommitStatement(usize),
    /// Checks that the file has not ended the transaction.
    StillOpen,
    /// Checks that no row has lost its parent.
    ForeignKeys,
    /// Writes the history row.
    Record,
    /// Checks that the history row is there.
    Recorded,
    Commit,
    /// Resets what the file has set, after the commit.
    Reset,
    /// The run was asked to stop before this statement was sent.
    Stop(usize),
}

/// A message that failed.
pub(super) struct MessageFailure {
    pub(super) purpose: Purpose,
    pub(super) cause: Cause,
    /// The character of the part that the database reports, from 0.
    pub(super) offset: Option<usize>,
    /// The number of statements of the file that were executed before.
    pub(super) executed: usize,
    /// Whether the file's transaction was still open after its last statement.
    pub(super) was_open: bool,
    /// The message from which to retry, if that is safe.
    pub(super) retry_from: Option<usize>,
    /// How many statements of the file are permanent.
    pub(super) done: usize,
    /// Whether the failed statement consists of several, and some of them were executed.
    pub(super) in_part: bool,
}

impl Job<'_> {
    /// Returns the bindings for the templates of this file.
    pub(super) fn bindings(
        &self,
        session: &Session<'_>,
        label: &str,
        grouping: Grouping,
    ) -> Bindings {
        let per_statement = grouping == Grouping::PerStatement;
        // A statement that cannot be undone must not be stopped by a default timeout of jetbase.
        let lock_timeout = self.lock_timeout.unwrap_or(if per_statement {
            Duration::ZERO
        } else {
            Duration::from_secs(5)
        });
        let statement_timeout = self.statement_timeout.unwrap_or_default();
        let bindings = session.fence_bindings();
        let bindings = match session.dialect {
            // The unit is seconds. A year means no limit.
            Dialect::MySql => {
                let seconds = |limit: Duration| limit.as_millis().div_ceil(1000) as i64;
                let lock = if lock_timeout.is_zero() { 31_536_000 } else { seconds(lock_timeout) };
                bindings
                    .number("lock_timeout", lock)
                    .number("statement_timeout", seconds(statement_timeout))
                    .number("select_timeout", statement_timeout.as_millis() as i64)
            }
            Dialect::Postgres | Dialect::Sqlite => bindings
                .literal("lock_timeout", &lock_timeout.as_millis().to_string())
                .literal("statement_timeout", &statement_timeout.as_millis().to_string()),
        };
        let bindings = bindings.literal_or_null("version", self.migration.version_text());
        let same_version = match self.migration.version_text() {
            Some(_) => "version = {version}",
            None => "version IS NULL",
        };
        bindings
            .nested("same_version", same_version)
            .literal("label", label)
            .literal("tx", self.migration.file())
            .literal("description", &self.migration.description())
            .literal("file", self.migration.file())
            .literal("kind", self.migration.kind().as_str())
            .literals("stale", &self.stale)
            .literal("checksum", &self.migration.checksum().to_string())
    }
}
