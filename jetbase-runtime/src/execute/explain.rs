//! Explains a failed message by its position in the file.

use std::ops::Range;

use jetbase_core::{Dialect, Position, snippet};

use super::message::{MessageFailure, Purpose};
use super::pointer::pointed_at;
use super::{Grouping, Job};
use crate::connection::Cause;
use crate::error::{Error, ErrorKind, Kept, Outcome, StatementError, TableError};
use crate::session::Session;

/// What to do about rows whose parents are missing.
const REMOVE_ORPHANS: &str = "delete those rows in the file, or correct their references";
/// What to do about a reference that SQLite cannot check.
const REPAIR_REFERENCE: &str = "make the columns that the reference names a PRIMARY KEY or UNIQUE, in this file or an earlier one";
/// What to do about a file that releases jetbase's session lock.
const RELEASE_OWN_LOCKS: &str = "release only the file's own locks, not all of them: without pg_advisory_unlock_all(), \
                         RELEASE_ALL_LOCKS() and DISCARD ALL";

/// What queries to the database after a failure have shown.
#[derive(Debug, Default)]
pub(super) struct FailureContext {
    /// What remains of the file.
    pub(super) kept: Kept,
    /// The schema and the name of an invalid index of the failed statement.
    pub(super) leftover: Option<(String, String)>,
    /// Whether the index did not exist before the statement.
    pub(super) leftover_is_own: bool,
    /// The partition that the failed statement has begun to detach.
    pub(super) detaching: Option<String>,
    /// The invalid indexes of the database after a statement that may have left one.
    pub(super) invalid: Vec<String>,
    /// What the file did wrong although none of its statements failed, as a sentence.
    fault: Option<String>,
    /// Which table could run code of others, as the cause.
    untrusted: Option<Cause>,
}

/// What a failed statement has left, and the next run removes or completes.
#[derive(Clone, Debug)]
pub(super) enum Leftover {
    /// An invalid index, with its schema.
    Index(String),
    /// A partition that is still being detached.
    Partition(String),
}

impl FailureContext {
    /// Returns what the failed statement has left, and nobody else.
    pub(super) fn own_leftover(&self) -> Option<Leftover> {
        let index = self.leftover.as_ref().filter(|_| self.leftover_is_own);
        let index = index.map(|(schema, name)| Leftover::Index(format!("{schema}.{name}")));
        index.or_else(|| self.detaching.clone().map(Leftover::Partition))
    }
}

impl Job<'_> {
    /// Undoes what failed, and asks the database what remains of the file.
    pub(super) async fn clean_up(
        &self,
        session: &mut Session<'_>,
        failure: &MessageFailure,
        grouping: Grouping,
    ) -> FailureContext {
        let mut fault = self.orphans(session, failure).await;
        let ended = self.transaction_ended(session, failure, grouping).await;
        let unsafe_tables = roll_back(session).await == RolledBack::NotEverything;
        session.reset().await;
        let kept = if unsafe_tables {
            // A statement that fails may have written some of its rows.
            let failed = usize::from(matches!(failure.purpose, Purpose::Statement(_)));
            Kept::Perhaps(failure.executed + failed)
        } else if ended {
            Kept::Perhaps(failure.executed)
        } else if self.is_in_doubt(failure) {
            Kept::InDoubt { done: failure.done }
        } else if failure.done > 0 {
            Kept::Statements(failure.done)
        } else {
            Kept::Nothing
        };
        if fault.is_none() {
            fault = self.released_session_lock(session, failure).await;
        }
        let untrusted = match failure.purpose {
            Purpose::Guard if session.sql.guard_codes.contains(&failure.cause.code.as_str()) => {
                Some(session.untrusted_or(failure.cause.clone()).await)
            }
            _ => None,
        };
        FailureContext { kept, fault, untrusted, ..FailureContext::default() }
    }

    /// Whether a failed statement may have taken effect in part.
    fn is_in_doubt(&self, failure: &MessageFailure) -> bool {
        let Purpose::Statement(index) = failure.purpose else { return false };
        let can_be = self.statements.get(index).is_some_and(|it| match it.results {
            1 => it.may_fail_in_part,
            _ => failure.in_part,
        });
        if self.builds_concurrently(index) {
            // The catalog shows what it has left.
            return false;
        }
        // Only a text that the server has not begun to execute has a position (PostgreSQL).
        can_be && failure.retry_from.is_none() && failure.cause.position.is_none()
    }

    /// Whether the file's transaction had ended before the failure, according to the server.
    async fn transaction_ended(
        &self,
        session: &mut Session<'_>,
        failure: &MessageFailure,
        grouping: Grouping,
    ) -> bool {
        let has_one = grouping != Grouping::PerStatement || failure.retry_from.is_some();
        if !has_one || failure.executed <= failure.done || failure.was_open {
            return false;
        }
        if failure.purpose == Purpose::StillOpen {
            return true;
        }
        let result = session.raw(session.sql.transaction_probe).await;
        match session.dialect {
            Dialect::Postgres => result.is_ok(),
            Dialect::MySql | Dialect::Sqlite => {
                result.is_err() && !failure.cause.ended_transaction()
            }
        }
    }

    /// Describes the rows whose parents are missing, if they are what stopped the file.
    pub(super) async fn orphans(
        &self,
        session: &mut Session<'_>,
        failure: &MessageFailure,
    ) -> Option<String> {
        if failure.purpose != Purpose::ForeignKeys {
            return None;
        }
        session.orphans().await
    }

    /// When a fence stopped the file, describes whether the file itself had released the session
    /// lock. If so, the run still has the row, but not the session lock.
    async fn released_session_lock(
        &self,
        session: &mut Session<'_>,
        failure: &MessageFailure,
    ) -> Option<String> {
        if failure.purpose != Purpose::Fence
            || failure.executed == 0
            || !session.liveness.has_session_lock()
        {
            return None;
        }
        let sets = session.read(session.sql.poll).await.ok()?;
        let row = sets.first()?.rows.first()?;
        let has_row =
            session.process_id.as_deref().is_some_and(|id| row.opt("process_id") == Some(id));
        let released = row.is_true("is_locked") && has_row && !row.is_true("is_alive");
        released.then(|| {
            "it releases all locks of its session, including jetbase's session lock".to_owned()
        })
    }

    /// The error after a lost connection. The history may later show the outcome.
    pub(super) fn interrupted(
        &self,
        session: &Session<'_>,
        failure: MessageFailure,
        grouping: Grouping,
    ) -> Error {
        let is_recorded = grouping == Grouping::PerStatement && self.needs_journal(session.dialect);
        let outcome = match grouping {
            _ if is_recorded => {
                Outcome::Unfinished { done: failure.done, in_doubt: Some(failure.done + 1) }
            }
            Grouping::PerStatement => Outcome::InDoubt,
            Grouping::OneMessage | Grouping::OneTransaction => Outcome::Unknown,
        };
        let file = self.migration.path().to_owned();
        let message = failure.cause.message.clone();
        Error::new(ErrorKind::Interrupted { file, outcome, message }).caused_by(&failure.cause)
    }

    pub(super) fn explain(
        &self,
        session: &Session<'_>,
        failure: MessageFailure,
        found: FailureContext,
    ) -> Error {
        if failure.is_requested(session) {
            return self.stopped(failure, found);
        }
        let file = self.migration.path();
        let left = found.own_leftover();
        let FailureContext { kept, fault, untrusted, leftover, invalid, .. } = found;
        let leftover = leftover.map(|(schema, name)| format!("{schema}.{name}"));
        let mut failure = failure;
        if !invalid.is_empty() {
            let invalid = format!(
                "the invalid indexes of this database are {}: drop those that this statement has left",
                invalid.join(", ")
            );
            failure.cause.hint.get_or_insert(invalid);
        }
        let fails_check = session.sql.fence_codes.contains(&failure.cause.code.as_str());
        match failure.purpose {
            Purpose::Guard => {
                let cause = untrusted.unwrap_or(failure.cause);
                Error::database(format!("preparing {file}"), &cause).keeping(kept)
            }
            Purpose::Fence if fails_check => match fault {
                Some(fault) => self.file_fault(fault, RELEASE_OWN_LOCKS, kept),
                None => Error::new(ErrorKind::LockLost { file: Some(file.to_owned()), kept }),
            },
            Purpose::Statement(index) | Purpose::Replay(index) | Purpose::CommitStatement(index) => {
                self.statement_error(&failure, Some(index), kept, left)
            }
            Purpose::Valid(index) => self.invalid_index(index, &failure, leftover.unwrap_or_default(), kept),
            Purpose::Commit => self.statement_error(&failure, None, kept, None),
            Purpose::StillOpen => self.file_fault(
                "it ends its transaction itself, with a COMMIT or ROLLBACK inside a statement".to_owned(),
                "remove it: jetbase begins and ends the transaction of each file",
                kept,
            ),
            Purpose::ForeignKeys => match fault {
                Some(fault) => self.file_fault(fault, REMOVE_ORPHANS, kept),
                None => {
                    let reason = failure.cause.message;
                    let message = format!("the references of its tables cannot be checked: {reason}");
                    self.file_fault(message, REPAIR_REFERENCE, kept)
                }
            },
            Purpose::Record | Purpose::Recorded if fails_check => self.file_fault(
                "it could not be recorded: the database accepted the row of jetbase_migrations and did not store it \
                 as it was sent"
                    .to_owned(),
                "drop the trigger, the rule or the policy on jetbase_migrations that prevents it",
                kept,
            ),
            Purpose::Record if failure.cause.constraint.as_deref() == Some("jetbase_migrations_pkey") => {
                let (file, schema) = (file.to_owned(), session.namespace.schema.clone());
                TableError::SequenceBehind { file, schema }.into()
            }
            Purpose::Record | Purpose::Recorded => {
                Error::database(format!("recording {file}"), &failure.cause).keeping(kept)
            }
            Purpose::Journal => {
                Error::database(format!("recording the statements of {file} in jetbase_journal"), &failure.cause)
                    .keeping(kept)
            }
            Purpose::Setup | Purpose::Fence | Purpose::Reset | Purpose::Stop(_) => {
                Error::database(format!("preparing {file}"), &failure.cause).keeping(kept)
            }
        }
    }

    /// The error of a statement that is larger than a packet that the server accepts.
    pub(super) fn too_large(&self, index: usize, range: &Range<usize>, limit: usize) -> Error {
        let text = self.script.text();
        let message = format!(
            "it has {} bytes, and the server takes {limit} in one packet (max_allowed_packet)",
            range.len()
        );
        let hint = "raise max_allowed_packet on the server, or write several statements";
        let error = self.fault(message, Some(hint.to_owned()), Kept::Nothing);
        Error::new(ErrorKind::Statement(Box::new(StatementError {
            position: Some(Position::of(text, range.start)),
            statement: Some((index + 1, self.statements.len())),
            ..error
        })))
    }

    /// The error of a file that did something wrong although none of its statements failed.
    fn file_fault(&self, message: String, hint: &str, kept: Kept) -> Error {
        let error = self.fault(message, Some(hint.to_owned()), kept);
        Error::new(ErrorKind::Statement(Box::new(error)))
    }

    /// Returns an error without a position, a code and a statement.
    fn fault(&self, message: String, hint: Option<String>, kept: Kept) -> StatementError {
        StatementError {
            file: self.migration.path().to_owned(),
            position: None,
            snippet: String::new(),
            message,
            code: String::new(),
            detail: None,
            context: None,
            hint,
            statement: None,
            leftover: None,
            detaching: None,
            kept,
        }
    }

    /// The error of a statement that has succeeded although its index is invalid.
    fn invalid_index(
        &self,
        index: usize,
        failure: &MessageFailure,
        name: String,
        kept: Kept,
    ) -> Error {
        let message = format!(
            "the index {name} is INVALID: an earlier attempt outside of jetbase has left it, and IF NOT EXISTS keeps it"
        );
        let hint = format!("run DROP INDEX CONCURRENTLY {name}, then run again");
        let cause = Cause {
            message,
            hint: Some(hint),
            context: None,
            code: String::new(),
            source: None,
            ..failure.cause.clone()
        };
        let failure =
            MessageFailure { purpose: Purpose::Statement(index), cause, offset: None, ..*failure };
        self.statement_error(&failure, Some(index), kept, None)
    }

    pub(super) fn statement_error(
        &self,
        failure: &MessageFailure,
        index: Option<usize>,
        kept: Kept,
        leftover: Option<Leftover>,
    ) -> Error {
        let text = self.script.text();
        let range = index.and_then(|index| self.statements.get(index)).map(|it| it.range.clone());
        let at = range.clone().map(|range| {
            let statement = self.text(&range);
            range.start + pointed_at(failure, statement).unwrap_or(0)
        });
        let width = |at: usize| {
            let rest = text.get(at..).unwrap_or_default();
            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').count().max(1)
        };
        let Cause { message, code, detail, hint, context, .. } = failure.cause.clone();
        let (leftover, detaching) = match leftover {
            Some(Leftover::Index(name)) => (Some(name), None),
            Some(Leftover::Partition(name)) => (None, Some(name)),
            None => (None, None),
        };
        Error::new(ErrorKind::Statement(Box::new(StatementError {
            position: at.map(|at| Position::of(text, at)),
            snippet: at.map(|at| snippet(text, at, width(at))).unwrap_or_default(),
            code,
            detail,
            context: context.map(String::from),
            statement: index.map(|index| (index + 1, self.statements.len())),
            leftover,
            detaching,
            ..self.fault(message, hint, kept)
        })))
        .caused_by(&failure.cause)
    }
}

/// What a ROLLBACK has undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RolledBack {
    Everything,
    /// Rows of tables without transactions remain (MySQL).
    NotEverything,
}

async fn roll_back(session: &mut Session<'_>) -> RolledBack {
    if session.dialect != Dialect::MySql {
        let _ = session.raw("ROLLBACK").await;
        return RolledBack::Everything;
    }
    let sets = session.raw("ROLLBACK; SHOW WARNINGS").await.unwrap_or_default();
    let mut warnings = sets.iter().flat_map(|set| &set.rows);
    if warnings.any(|warning| warning.text("Code") == NOT_ROLLED_BACK) {
        RolledBack::NotEverything
    } else {
        RolledBack::Everything
    }
}

/// "Some non-transactional changed tables couldn't be rolled back".
const NOT_ROLLED_BACK: &str = "1196";
