//! Says what became of a file whose run was asked to stop at once.

use super::Job;
use super::explain::FailureContext;
use super::message::{MessageFailure, Purpose};
use crate::error::{Error, ErrorKind};
use crate::session::Session;

impl MessageFailure {
    /// Whether the message failed, or was not sent, because the run was asked to stop at once.
    pub(super) fn is_requested(&self, session: &Session<'_>) -> bool {
        session.cancel.is_at_once()
            && (matches!(self.purpose, Purpose::Stop(_)) || self.cause.is_cancelled())
    }
}

impl Job<'_> {
    /// The error of a file that was stopped.
    pub(super) fn stopped(&self, failure: MessageFailure, found: FailureContext) -> Error {
        let index = match failure.purpose {
            Purpose::Statement(index)
            | Purpose::Replay(index)
            | Purpose::Valid(index)
            | Purpose::CommitStatement(index)
            | Purpose::Stop(index) => index,
            _ => failure.executed,
        };
        let index = Some(index).filter(|index| *index < self.count());
        let error = self.statement_error(&failure, index, found.kept, found.own_leftover());
        match error.kind().clone() {
            ErrorKind::Statement(stopped) => error.with_kind(ErrorKind::Stopped(stopped)),
            _ => error,
        }
    }
}
