//! Sends the messages of a job, and finds out which part of which message failed.

use jetbase_core::{Dialect, SessionEffect};

use super::message::{FileMessage, MessageFailure, Part, Purpose};
use super::{Grouping, Job, JobProgress, OVERHEAD};
use crate::connection::{Cause, SendFailure};
use crate::session::Session;
use crate::target::ConnectionOwner;

/// The longest text of several messages that are sent together, in bytes.
const LONGEST_BATCH: usize = 1024 * 1024;

/// What is known after the messages that have succeeded.
struct Delivered {
    /// How many statements of the file are permanent, and how many were executed.
    done: usize,
    executed: usize,
    /// Whether the file's transaction was still open after its last statement.
    was_open: bool,
}

impl Delivered {
    fn add(&mut self, message: &FileMessage) {
        self.done = message.done.unwrap_or(self.done);
        self.executed += message.statements();
        self.was_open |= message.parts.iter().any(|it| it.purpose == Purpose::StillOpen);
    }
}

impl Job<'_> {
    /// Sends the messages in order. The statements before the one with the index `first` are permanent.
    ///
    /// If the run must stop at once, a message with a statement of the file is cancelled, or not sent. The
    /// other messages record what is permanent, so they are sent all the same.
    pub(super) async fn deliver(
        &self,
        session: &mut Session<'_>,
        messages: &[FileMessage],
        grouping: Grouping,
        first: usize,
        progress: &mut impl FnMut(JobProgress<'_>),
    ) -> Result<(), MessageFailure> {
        let mut delivered = Delivered { done: first, executed: first, was_open: false };
        let mut number = 0;
        while let Some(rest) = messages.get(number..).filter(|rest| !rest.is_empty()) {
            let count = self.batch(session, rest, grouping);
            let batch = rest.get(..count).unwrap_or(rest);
            let can_stop = batch.iter().any(|message| message.can_stop(grouping));
            if can_stop && session.cancel.is_at_once() {
                return Err(not_sent(&delivered, batch));
            }
            // A batch of SQLite ends with the statement of the file that is reported. On MySQL, a batch may have
            // several.
            if messages.len() > 1 && (count == 1 || reports_each(session)) {
                batch.iter().for_each(|message| message.report(progress));
            }
            let parts: Vec<_> = batch.iter().flat_map(|message| &message.parts).collect();
            let texts: Vec<_> = parts.iter().map(|part| part.sql.as_str()).collect();
            let text = texts.join(";\n");
            let sent = match can_stop {
                true => session.execute_until_cancelled(&text).await,
                false => session.execute(&text).await,
            };
            if let Err(failure) = sent {
                return Err(failed(delivered, batch, number, &parts, failure));
            }
            batch.iter().for_each(|message| delivered.add(message));
            number += count;
        }
        Ok(())
    }

    /// Returns how many of the messages are sent together. Where the database executes the statements of a
    /// text one after the other, and stops at the first one that fails, they have the same effect as
    /// messages that are sent one by one.
    fn batch(&self, session: &Session<'_>, messages: &[FileMessage], grouping: Grouping) -> usize {
        let is_possible = match session.dialect {
            Dialect::Sqlite => grouping == Grouping::OneTransaction,
            Dialect::MySql => {
                grouping == Grouping::PerStatement && session.owner == ConnectionOwner::Run
            }
            // It executes a text of several statements as one transaction.
            Dialect::Postgres => false,
        };
        // Between two messages, a run can stop.
        if !is_possible || session.cancel.is_at_once() {
            return 1;
        }
        let longest = LONGEST_BATCH.min(session.largest_message.saturating_sub(OVERHEAD));
        let (mut length, mut has_ended) = (0, false);
        let fits = |message: &&FileMessage| {
            length += message.parts.iter().map(|part| part.sql.len() + 2).sum::<usize>();
            let joins = message.parts.iter().all(|part| self.joins(session.dialect, part));
            let fits = length <= longest && joins && !has_ended;
            // On SQLite, each statement of the file is reported when it starts.
            has_ended = reports_each(session) && message.statements() > 0;
            fits
        };
        messages.iter().take_while(fits).count().max(1)
    }

    /// Whether a part may be sent together with others. On MySQL, a statement may not that calls code,
    /// because the number of its results is unknown, or that changes how the server reads what follows.
    /// A query may not either: `SLEEP` succeeds when it is cancelled, and the server would go on.
    fn joins(&self, dialect: Dialect, part: &Part) -> bool {
        const WORDS: &[&str] = &[
            "ALTER", "CREATE", "DELETE", "DROP", "INSERT", "RENAME", "REPLACE", "TRUNCATE",
            "UPDATE",
        ];
        let (Purpose::Statement(index) | Purpose::Replay(index)) = part.purpose else {
            return true;
        };
        let Some(statement) = self.statements.get(index) else { return false };
        dialect != Dialect::MySql
            || (matches!(statement.session_effect, SessionEffect::Nothing | SessionEffect::Rows)
                && !statement.is_setting
                && statement.table_locks.is_none()
                && self.starts_with(statement, WORDS))
    }
}

/// Whether a batch ends with each statement of the file, because somebody listens to its start.
fn reports_each(session: &Session<'_>) -> bool {
    session.reports_statements && session.dialect == Dialect::Sqlite
}

/// The run was asked to stop before a batch.
fn not_sent(delivered: &Delivered, batch: &[FileMessage]) -> MessageFailure {
    MessageFailure {
        purpose: Purpose::Stop(delivered.executed),
        cause: Cause::client("the run was asked to stop"),
        offset: None,
        executed: delivered.executed,
        was_open: delivered.was_open,
        retry_from: batch.first().and_then(|message| message.retry_from),
        done: delivered.done,
        in_part: false,
    }
}

/// Finds the message of a batch that failed, and its part. `parts` are those of the whole batch, and
/// `number` is the index of its first message.
fn failed(
    mut delivered: Delivered,
    batch: &[FileMessage],
    mut number: usize,
    parts: &[&Part],
    failure: SendFailure,
) -> MessageFailure {
    let (mut at, offset) = locate(parts, &failure);
    let purpose = parts.get(at).map_or(Purpose::Setup, |part| part.purpose);
    let before = parts.get(..at).unwrap_or_default();
    let results_before: usize = before.iter().map(|part| part.results).sum();
    let in_part = failure.completed.len() > results_before;
    let mut messages = batch.iter();
    let mut message = messages.next();
    while let Some(succeeded) = message.filter(|it| it.parts.len() <= at) {
        at -= succeeded.parts.len();
        number += 1;
        delivered.add(succeeded);
        message = messages.next();
    }
    // PostgreSQL parses a whole message first. A syntax error in a later part has a position there,
    // although no part was executed.
    let parts = message.map(|message| message.parts.as_slice()).unwrap_or_default();
    let before = match failure.completed.is_empty() {
        true => &[],
        false => parts.get(..at).unwrap_or_default(),
    };
    let executed = before.iter().filter(|it| is_statement(it.purpose)).count();
    let ran = executed > 0;
    let was_open = before.iter().any(|it| it.purpose == Purpose::StillOpen);
    let done_at_once = message.and_then(|message| message.done_at_once);
    // Before its statement, a message changes nothing but the journal.
    let unchanged = done_at_once.is_some() && !ran && !is_statement(purpose);
    MessageFailure {
        purpose,
        cause: failure.cause,
        offset,
        executed: delivered.executed + executed,
        was_open: delivered.was_open || was_open,
        retry_from: message
            .and_then(|message| message.retry_from)
            .or_else(|| unchanged.then_some(number)),
        done: done_at_once.filter(|_| ran).unwrap_or(delivered.done),
        in_part,
    }
}

fn is_statement(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Statement(_))
}

/// Returns the part of a text that failed, and the character in it that the database reports.
fn locate(parts: &[&Part], failure: &SendFailure) -> (usize, Option<usize>) {
    let last = parts.len().saturating_sub(1);
    if let Some(position) = failure.cause.position {
        let mut rest = position.saturating_sub(1);
        for (index, part) in parts.iter().enumerate() {
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
    for (index, part) in parts.iter().enumerate() {
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

    fn part(sql: &str, purpose: Purpose) -> Part {
        Part { sql: sql.into(), purpose, results: 1 }
    }

    #[test]
    fn a_position_is_found_in_its_part() {
        let parts = ["BEGIN", "SELECT ä", "COMMIT"].map(|sql| part(sql, Purpose::Setup));
        let parts: Vec<_> = parts.iter().collect();
        let cause = Cause { position: Some(5 + 2 + 8), ..Cause::default() };
        assert_eq!(locate(&parts, &SendFailure { completed: vec![], cause }), (1, Some(7)));
        let cause = Cause { position: Some(5 + 2 + 9), ..Cause::default() };
        assert_eq!(locate(&parts, &SendFailure { completed: vec![], cause }), (1, Some(7)));
        let failure =
            SendFailure { completed: vec![Default::default(); 2], cause: Cause::default() };
        assert_eq!(locate(&parts, &failure), (2, None));
    }

    #[test]
    fn a_failure_in_a_batch_means_the_same_as_in_its_message() {
        let message = |index| FileMessage {
            done: Some(index + 1),
            done_at_once: Some(index + 1),
            ..FileMessage::of(vec![
                part("SELECT 1", Purpose::Fence),
                part("CREATE TABLE a (id INT)", Purpose::Statement(index)),
                part("INSERT", Purpose::Journal),
            ])
        };
        let batch = [message(0), message(1), message(2)];
        let parts: Vec<_> = batch.iter().flat_map(|it| &it.parts).collect();
        for results in 0..9 {
            let failure = SendFailure {
                completed: vec![Default::default(); results],
                cause: Cause::default(),
            };
            let delivered = Delivered { done: 0, executed: 0, was_open: false };
            let found = failed(delivered, &batch, 4, &parts, failure);
            let permanent = (results + 1) / 3;
            assert_eq!((found.done, found.executed), (permanent, permanent), "{results}");
            let retried = (results % 3 == 0).then_some(4 + results / 3);
            assert_eq!(found.retry_from, retried, "{results}");
        }
    }
}
