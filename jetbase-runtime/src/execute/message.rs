//! The messages of a job: what is sent together, and which part of it failed.

use std::time::Duration;

use jetbase_core::Dialect;

use super::{Grouping, Job, JobProgress};
use crate::connection::{Cause, SendFailure};
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
    fn statements(&self) -> usize {
        self.parts.iter().filter(|it| matches!(it.purpose, Purpose::Statement(_))).count()
    }

    /// Whether the message may be cancelled: it has a statement of the file, or ends the transaction
    /// of the file.
    fn can_stop(&self, grouping: Grouping) -> bool {
        let has = |purpose: fn(&Purpose) -> bool| self.parts.iter().any(|it| purpose(&it.purpose));
        has(|it| matches!(it, Purpose::Statement(_)))
            || (grouping != Grouping::PerStatement
                && has(|it| matches!(it, Purpose::ForeignKeys | Purpose::Commit)))
    }

    /// Reports the first statement of the file in the message.
    fn report(&self, progress: &mut impl FnMut(JobProgress<'_>)) {
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
        let bindings = session.bindings.clone();
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

/// Sends the messages in order. The statements before the one with the index `first` are permanent.
///
/// If the run must stop at once, a message with a statement of the file is cancelled, or not sent. The
/// other messages record what is permanent, so they are sent all the same.
pub(super) async fn deliver(
    session: &mut Session<'_>,
    messages: &[FileMessage],
    grouping: Grouping,
    first: usize,
    progress: &mut impl FnMut(JobProgress<'_>),
) -> Result<(), MessageFailure> {
    let (mut done, mut executed) = (first, first);
    let mut was_open = false;
    for (number, message) in messages.iter().enumerate() {
        let FileMessage { parts, retry_from, done: done_after, done_at_once } = message;
        let can_stop = message.can_stop(grouping);
        if can_stop && session.cancel.is_at_once() {
            return Err(MessageFailure {
                purpose: Purpose::Stop(executed),
                cause: Cause::client("the run was asked to stop"),
                offset: None,
                executed,
                was_open,
                retry_from: *retry_from,
                done,
                in_part: false,
            });
        }
        if messages.len() > 1 {
            message.report(progress);
        }
        let texts: Vec<_> = parts.iter().map(|part| part.sql.as_str()).collect();
        let text = texts.join(";\n");
        let sent = match can_stop {
            true => session.execute_until_cancelled(&text).await,
            false => session.execute(&text).await,
        };
        if let Err(failure) = sent {
            let (part, offset) = locate(parts, &failure);
            let purpose = parts.get(part).map_or(Purpose::Setup, |part| part.purpose);
            // PostgreSQL parses a whole message first. A syntax error in a later part has a position
            // there, although no part was executed.
            let before = if failure.completed.is_empty() {
                &[]
            } else {
                parts.get(..part).unwrap_or_default()
            };
            executed +=
                before.iter().filter(|it| matches!(it.purpose, Purpose::Statement(_))).count();
            was_open |= before.iter().any(|it| it.purpose == Purpose::StillOpen);
            let results_before: usize = before.iter().map(|it| it.results).sum();
            let in_part = failure.completed.len() > results_before;
            let ran = before.iter().any(|it| matches!(it.purpose, Purpose::Statement(_)));
            done = done_at_once.filter(|_| ran).unwrap_or(done);
            let cause = failure.cause;
            return Err(MessageFailure {
                purpose,
                cause,
                offset,
                executed,
                was_open,
                // Before its statement, a message changes nothing but the journal.
                retry_from: retry_from.or(
                    if done_at_once.is_some() && !ran && !is_statement(purpose) {
                        Some(number)
                    } else {
                        None
                    },
                ),
                done,
                in_part,
            });
        }
        done = done_after.unwrap_or(done);
        executed += message.statements();
        was_open |= parts.iter().any(|it| it.purpose == Purpose::StillOpen);
    }
    Ok(())
}

fn is_statement(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Statement(_))
}

/// Returns the part of a message that failed, and the character in it that the database reports.
fn locate(message: &[Part], failure: &SendFailure) -> (usize, Option<usize>) {
    let last = message.len().saturating_sub(1);
    if let Some(position) = failure.cause.position {
        let mut rest = position.saturating_sub(1);
        for (index, part) in message.iter().enumerate() {
            let length = part.sql.chars().count();
            // An error at the end of a statement has the position of what separates it from the next.
            let separated = length + ";\n".len();
            if rest < separated {
                return (index, Some(rest.min(length.saturating_sub(1))));
            }
            rest -= separated;
        }
    }
    let mut results = failure.completed.len();
    for (index, part) in message.iter().enumerate() {
        if results < part.results {
            return (index, None);
        }
        results -= part.results;
    }
    (last, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_found_in_its_part() {
        let part = |sql: &str| Part { sql: sql.into(), purpose: Purpose::Setup, results: 1 };
        let message = [part("BEGIN"), part("SELECT ä"), part("COMMIT")];
        let cause = Cause { position: Some(5 + 2 + 8), ..Cause::default() };
        assert_eq!(locate(&message, &SendFailure { completed: vec![], cause }), (1, Some(7)));
        let cause = Cause { position: Some(5 + 2 + 9), ..Cause::default() };
        assert_eq!(locate(&message, &SendFailure { completed: vec![], cause }), (1, Some(7)));
        let failure =
            SendFailure { completed: vec![Default::default(); 2], cause: Cause::default() };
        assert_eq!(locate(&message, &failure), (2, None));
    }
}
