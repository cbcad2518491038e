//! The messages of a job: what travels together, and which part of it failed.

use std::ops::Range;
use std::time::Duration;

use jetbase_core::{Action, Dialect, Effect, Transaction, cut};

use super::{Job, Mode};
use crate::connection::{Cause, Failure};
use crate::dialect::Fill;
use crate::session::Session;
use crate::target::Owner;

/// One statement of a message, and what it is there for.
pub(super) struct Part {
    sql: String,
    role: Role,
    /// How many results the server sends for it.
    results: usize,
}

/// What travels together.
pub(super) struct Message {
    parts: Vec<Part>,
    /// Where to begin again when it fails for the moment: the message that its transaction begins
    /// with. `None` where something may have taken effect.
    again: Option<usize>,
}

impl Message {
    /// How many statements of the file it holds.
    fn statements(&self) -> usize {
        self.parts.iter().filter(|it| matches!(it.role, Role::Statement(_))).count()
    }
}

/// What a part of a message is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Settings, and the beginning of the transaction.
    Frame,
    /// The lock must be ours.
    Fence,
    /// A statement of the file, from 0.
    Statement(usize),
    /// The file must not have ended the transaction.
    StillOpen,
    /// No row may have lost its parent.
    ForeignKeys,
    /// The history row.
    Record,
    Commit,
    /// Behind the commit: what the file set is taken back.
    Reset,
}

/// A message that failed.
pub(super) struct Halt {
    pub(super) role: Role,
    pub(super) cause: Cause,
    /// The character of the part that the database points at, from 0.
    pub(super) offset: Option<usize>,
    /// How many statements of the file were executed before.
    pub(super) executed: usize,
    /// The message to begin again with, where that is safe.
    pub(super) again: Option<usize>,
}

impl Job<'_> {
    /// The words of the templates that this file fills.
    pub(super) fn words(&self, session: &Session<'_>, label: &str, mode: Mode) -> Fill {
        let alone = mode == Mode::EachAlone;
        // A statement that cannot be undone must not be cut off by a default of ours.
        let lock_timeout = self.lock_timeout.unwrap_or(if alone {
            Duration::ZERO
        } else {
            Duration::from_secs(5)
        });
        let statement_timeout = self.statement_timeout.unwrap_or_default();
        let fill = session.fill.clone();
        let fill = match session.dialect {
            // Seconds; a year stands for ever.
            Dialect::MySql => {
                let seconds = |limit: Duration| limit.as_millis().div_ceil(1000) as i64;
                let lock = if lock_timeout.is_zero() { 31_536_000 } else { seconds(lock_timeout) };
                fill.number("lock_timeout", lock)
                    .number("statement_timeout", seconds(statement_timeout))
            }
            Dialect::Postgres | Dialect::Sqlite => fill
                .literal("lock_timeout", &lock_timeout.as_millis().to_string())
                .literal("statement_timeout", &statement_timeout.as_millis().to_string()),
        };
        fill.literal("label", label)
            .literal("tx", self.migration.file())
            .literal_or_null("version", self.migration.version())
            .literal("description", &self.migration.description())
            .literal("file", self.migration.file())
            .literal("kind", self.migration.kind().as_str())
            .literal("checksum", &self.migration.checksum().to_string())
    }

    pub(super) fn messages(&self, session: &Session<'_>, fill: &Fill, mode: Mode) -> Vec<Message> {
        let sql = session.sql;
        let own = |role: Role, template: &str| Part { sql: fill.fill(template), role, results: 1 };
        let owns =
            |role: Role, list: &[&str]| list.iter().map(|it| own(role, it)).collect::<Vec<_>>();
        let fences = |fence: &str| {
            let mut parts = vec![own(Role::Fence, fence)];
            if session.proof.is_proof() && session.dialect != Dialect::Sqlite {
                parts.push(own(Role::Fence, sql.fence_proof));
            }
            parts
        };
        let statement = |index: usize, range: &Range<usize>| Part {
            sql: self.sent(range),
            role: Role::Statement(index),
            results: self.results(range, session),
        };
        let mut closing =
            owns(Role::StillOpen, if mode == Mode::EachAlone { &[] } else { sql.still_open });
        closing.extend(owns(Role::Frame, sql.resume));
        if session.foreign_keys && !sql.foreign_keys.is_empty() {
            closing.push(own(Role::ForeignKeys, sql.foreign_keys));
        }
        closing.extend(fences(sql.fence_locking));
        if session.keeps_superseded && self.replaces() {
            closing.extend(owns(Role::Record, sql.supersede));
        }
        closing.push(own(
            Role::Record,
            match self.action {
                Action::Apply => sql.insert,
                Action::Reapply => sql.update,
                Action::RollBack => sql.delete,
            },
        ));
        closing.push(own(Role::Commit, "COMMIT"));
        closing.extend(session.resetting().map(|sql| Part { sql, role: Role::Reset, results: 1 }));

        let statements = self.statements.iter().enumerate();
        let settle = owns(Role::Frame, sql.settle);
        let mut opening = owns(Role::Frame, sql.open);
        match mode {
            Mode::OneMessage | Mode::OneTransaction => {
                // On MySQL a locking fence at the front would make the Python tool hang instead of fail.
                let front =
                    if session.dialect == Dialect::MySql { sql.fence } else { sql.fence_locking };
                let mut all = settle;
                all.append(&mut opening);
                all.extend(fences(front));
                all.extend(statements.map(|(index, (range, _))| statement(index, range)));
                all.append(&mut closing);
                let whole = |parts| Message { parts, again: Some(0) };
                match mode {
                    Mode::OneMessage => vec![whole(all)],
                    _ => all.into_iter().map(|part| whole(vec![part])).collect(),
                }
            }
            Mode::EachAlone => {
                let mut frame = settle;
                // Through a pooler, a session's setting would reach other clients.
                if session.proof.is_proof() || session.owner != Owner::Run {
                    frame.extend(owns(Role::Frame, sql.alone));
                }
                let once = |parts| Message { parts, again: None };
                let mut messages: Vec<_> = frame.into_iter().map(|part| once(vec![part])).collect();
                // The message that the open transaction begins with.
                let mut open = None;
                for (index, (range, effect)) in statements {
                    let mut parts = Vec::new();
                    let undoable =
                        *effect == Effect::Transactional && self.transaction == Transaction::Whole;
                    if undoable && open.is_none() {
                        parts.extend(owns(Role::Frame, sql.open));
                    }
                    open = undoable.then(|| open.unwrap_or(messages.len()));
                    parts.extend(fences(sql.fence));
                    match session.dialect {
                        // The statement must be alone in its message, so the fence goes in front of it.
                        Dialect::Postgres | Dialect::Sqlite => {
                            messages.extend([once(parts), once(vec![statement(index, range)])])
                        }
                        Dialect::MySql => {
                            parts.push(statement(index, range));
                            messages.push(Message { parts, again: open });
                        }
                    }
                }
                if open.is_none() {
                    opening.append(&mut closing);
                    closing = opening;
                }
                let again = open.or(Some(messages.len()));
                messages.push(Message { parts: closing, again });
                messages
            }
        }
    }

    /// How many results the server sends for one of our statements: under a
    /// delimiter of its own, a file may join several into one.
    fn results(&self, range: &Range<usize>, session: &Session<'_>) -> usize {
        match session.place.syntax {
            Some(syntax) if self.script.delimiter() != ";" => {
                cut(self.text(range), ";", syntax).map_or(1, |statements| statements.len().max(1))
            }
            _ => 1,
        }
    }
}

/// Sends the messages one after the other, from one of them on.
pub(super) async fn deliver(
    session: &mut Session<'_>,
    messages: &[Message],
    from: usize,
) -> Result<(), Halt> {
    let mut executed = messages.iter().take(from).map(Message::statements).sum();
    for message in messages.iter().skip(from) {
        let Message { parts, again } = message;
        let texts: Vec<_> = parts.iter().map(|part| part.sql.as_str()).collect();
        if let Err(failure) = session.execute(&texts.join(";\n")).await {
            let (part, offset) = locate(parts, &failure);
            let role = parts.get(part).map_or(Role::Frame, |part| part.role);
            let before = parts.iter().take(part);
            executed += before.filter(|it| matches!(it.role, Role::Statement(_))).count();
            return Err(Halt { role, cause: failure.cause, offset, executed, again: *again });
        }
        executed += message.statements();
    }
    Ok(())
}

/// The part of a message that failed, and the character in it that the database points at.
fn locate(message: &[Part], failure: &Failure) -> (usize, Option<usize>) {
    let last = message.len().saturating_sub(1);
    if let Some(position) = failure.cause.position {
        let mut rest = position.saturating_sub(1);
        for (index, part) in message.iter().enumerate() {
            let length = part.sql.chars().count();
            if rest < length {
                return (index, Some(rest));
            }
            rest = rest.saturating_sub(length + ";\n".len());
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
        let part = |sql: &str| Part { sql: sql.into(), role: Role::Frame, results: 1 };
        let message = [part("BEGIN"), part("SELECT ä"), part("COMMIT")];
        let cause = Cause { position: Some(5 + 2 + 8), ..Cause::default() };
        assert_eq!(locate(&message, &Failure { completed: vec![], cause }), (1, Some(7)));
        let failure = Failure { completed: vec![Default::default(); 2], cause: Cause::default() };
        assert_eq!(locate(&message, &failure), (2, None));
    }
}
