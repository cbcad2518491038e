//! The messages of a job: what travels together, and which part of it failed.

use std::ops::Range;
use std::time::Duration;

use jetbase_core::{Action, Dialect, Effect, SessionEffect, Transaction, cut};

use super::{Job, Mode, behind_comments};
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
    /// Our tables must run nobody else's code.
    Guard,
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
    /// The history row must be there.
    Recorded,
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
    /// Whether the transaction of the file was found open behind its last statement.
    pub(super) found_open: bool,
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
        let fill = fill.literal_or_null("version", self.migration.version());
        let same_version = match self.migration.version() {
            Some(_) => "version = {version}",
            None => "version IS NULL",
        };
        fill.nested("same_version", same_version)
            .literal("label", label)
            .literal("tx", self.migration.file())
            .literal("description", &self.migration.description())
            .literal("file", self.migration.file())
            .literal("kind", self.migration.kind().as_str())
            .literal("checksum", &self.migration.checksum().to_string())
    }

    pub(super) fn messages(&self, session: &Session<'_>, fill: &Fill, mode: Mode) -> Vec<Message> {
        let writer = Writer { job: self, session, fill };
        match mode {
            Mode::OneMessage => vec![Message { parts: writer.transaction(), again: Some(0) }],
            Mode::OneTransaction => writer
                .transaction()
                .into_iter()
                .map(|part| Message { parts: vec![part], again: Some(0) })
                .collect(),
            Mode::EachAlone => writer.each_alone(),
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

/// Writes the messages of a job for one session.
struct Writer<'w, 'j, 'c> {
    job: &'w Job<'j>,
    session: &'w Session<'c>,
    fill: &'w Fill,
}

impl Writer<'_, '_, '_> {
    fn part(&self, role: Role, template: &str) -> Part {
        Part { sql: self.fill.fill(template), role, results: 1 }
    }

    fn parts(&self, role: Role, templates: &[&str]) -> Vec<Part> {
        templates.iter().map(|template| self.part(role, template)).collect()
    }

    fn statement(&self, index: usize, range: &Range<usize>) -> Part {
        Part {
            sql: self.job.sent(range),
            role: Role::Statement(index),
            results: self.job.results(range, self.session),
        }
    }

    fn fences(&self, fence: &str) -> Vec<Part> {
        let mut parts = vec![self.part(Role::Fence, fence)];
        parts.extend(self.session_fence());
        parts
    }

    /// The fence on the session lock, where the session has one that the server knows.
    fn session_fence(&self) -> Option<Part> {
        let server = self.session.dialect != Dialect::Sqlite;
        (self.session.proof.is_proof() && server)
            .then(|| self.part(Role::Fence, self.session.sql.fence_proof))
    }

    fn guard(&self) -> Vec<Part> {
        self.parts(Role::Guard, self.session.guard(self.session.sql.guard_writing))
    }

    /// The beginning of the transaction, with all checks in front of the file.
    fn opening(&self) -> Vec<Part> {
        let sql = self.session.sql;
        let mut open = self.parts(Role::Frame, sql.open);
        open.extend(self.guard());
        match self.session.dialect {
            // A locking fence in front would make the Python tool hang instead of fail, and a plain
            // one inside the transaction would fix what the file can see before it has begun.
            Dialect::MySql => {
                let mut parts = self.fences(sql.fence);
                parts.append(&mut open);
                parts
            }
            Dialect::Postgres | Dialect::Sqlite => {
                open.extend(self.fences(sql.fence_locking));
                open
            }
        }
    }

    /// The whole file in one transaction.
    fn transaction(&self) -> Vec<Part> {
        let sql = self.session.sql;
        let mut parts = self.parts(Role::Frame, sql.settle);
        parts.extend(self.opening());
        parts.extend(self.parts(Role::Frame, sql.file_settings));
        let statements = self.job.statements.iter().enumerate();
        parts.extend(statements.map(|(index, (range, _))| self.statement(index, range)));
        parts.extend(self.resume());
        parts.extend(self.parts(Role::StillOpen, sql.still_open));
        parts.extend(self.closing());
        parts
    }

    /// What our own statements need again behind those of the file.
    fn resume(&self) -> Vec<Part> {
        let sql = self.session.sql;
        let untouched = match self.session.dialect {
            Dialect::Postgres => self.job.effect == SessionEffect::Nothing,
            Dialect::MySql => false,
            Dialect::Sqlite => self.job.effect < SessionEffect::Setting,
        };
        self.parts(Role::Frame, if untouched { sql.beside } else { sql.resume })
    }

    /// The last checks, the history row, the commit, and what follows it.
    fn closing(&self) -> Vec<Part> {
        let sql = self.session.sql;
        let mut parts = Vec::new();
        if self.session.foreign_keys && !sql.foreign_keys.is_empty() {
            parts.push(self.part(Role::ForeignKeys, sql.foreign_keys));
        }
        parts.extend(self.fences(sql.fence_locking));
        if self.session.keeps_superseded && self.job.replaces() {
            parts.extend(self.parts(Role::Guard, self.session.guard(sql.guard_superseded_writing)));
            parts.extend(self.parts(Role::Record, sql.supersede));
        }
        let (record, recorded) = match self.job.action {
            Action::Apply => (sql.insert, sql.inserted),
            Action::Reapply => (sql.update, sql.updated),
            Action::RollBack => (sql.delete, sql.deleted),
        };
        parts.push(self.part(Role::Record, record));
        parts.extend(self.parts(Role::Commit, sql.settle_deferred));
        parts.push(self.part(Role::Recorded, recorded));
        parts.push(self.part(Role::Commit, "COMMIT"));
        // Outside a transaction, the settings of the file's frame are the session's.
        let off = self.job.transaction == Transaction::Off;
        let effect = if off { SessionEffect::Object } else { self.job.effect };
        let reset = self.session.resetting(effect);
        parts.extend(reset.map(|sql| Part { sql, role: Role::Reset, results: 1 }));
        parts
    }

    /// Each statement in a message of its own, behind a fence; then the record in a transaction.
    fn each_alone(&self) -> Vec<Message> {
        let sql = self.session.sql;
        let once = |parts| Message { parts, again: None };
        let mut frame = self.parts(Role::Frame, sql.settle);
        // Through a pooler, a session's setting would reach other clients.
        if self.session.proof.is_proof() || self.session.owner != Owner::Run {
            frame.extend(self.parts(Role::Frame, sql.alone));
        }
        let mut messages: Vec<_> = frame.into_iter().map(|part| once(vec![part])).collect();
        // The message that the open transaction begins with.
        let mut open = None;
        let mut tables = Tables::Free;
        for (index, (range, effect)) in self.job.statements.iter().enumerate() {
            let mut parts = Vec::new();
            let undoable = *effect == Effect::Transactional
                && self.job.transaction == Transaction::Whole
                && tables == Tables::Free;
            parts.extend(match tables {
                Tables::Free => self.beside(sql.fence),
                // LOCK TABLES hides every other table, so that only the session lock can be checked.
                Tables::Locked => self.session_fence().into_iter().collect(),
            });
            if undoable && open.is_none() {
                parts.extend(self.parts(Role::Frame, sql.open));
            }
            open = undoable.then(|| open.unwrap_or(messages.len()));
            tables = tables.behind(self.job.text(range));
            match self.session.dialect {
                // The statement must be alone in its message, so the fence goes in front of it.
                Dialect::Postgres | Dialect::Sqlite => {
                    messages.extend([once(parts), once(vec![self.statement(index, range)])])
                }
                Dialect::MySql => {
                    parts.push(self.statement(index, range));
                    messages.push(Message { parts, again: open });
                }
            }
        }
        let mut last = Vec::new();
        if tables == Tables::Locked {
            messages.push(once(self.parts(Role::Frame, &["UNLOCK TABLES"])));
        }
        // Whatever the text of the last message holds must be read as it was written.
        messages
            .extend(self.parts(Role::Frame, sql.encoding).into_iter().map(|part| once(vec![part])));
        match open {
            Some(_) => {
                last.extend(self.resume());
                last.extend(self.parts(Role::StillOpen, sql.still_open));
            }
            None => {
                last.extend(self.resume_alone());
                last.extend(self.opening());
            }
        }
        last.extend(self.closing());
        messages.push(Message { again: open.or(Some(messages.len())), parts: last });
        messages
    }

    /// A fence outside a transaction, with what it needs.
    fn beside(&self, fence: &str) -> Vec<Part> {
        let mut parts = self.parts(Role::Frame, self.session.sql.beside);
        parts.extend(self.parts(Role::Guard, self.session.guard(self.session.sql.guard_reading)));
        parts.extend(self.fences(fence));
        parts
    }

    /// What our own statements need again where no transaction is open.
    fn resume_alone(&self) -> Vec<Part> {
        match self.session.dialect {
            // The transaction that follows sets it all.
            Dialect::Postgres => self.parts(Role::Frame, &["RESET SESSION AUTHORIZATION"]),
            Dialect::MySql | Dialect::Sqlite => self.resume(),
        }
    }
}

/// Whether the file has locked tables for its session (MySQL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tables {
    Free,
    Locked,
}

impl Tables {
    /// How it is behind a statement.
    fn behind(self, sql: &str) -> Self {
        let sql = behind_comments(sql);
        let mut words =
            sql.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
        let first = words.next().unwrap_or_default().to_ascii_uppercase();
        let second = words.next().unwrap_or_default().to_ascii_uppercase();
        match (first.as_str(), second.as_str()) {
            ("LOCK", "TABLE" | "TABLES") => Tables::Locked,
            ("UNLOCK", "TABLE" | "TABLES") => Tables::Free,
            ("FLUSH", "TABLE" | "TABLES") if sql.to_ascii_uppercase().contains("LOCK") => {
                Tables::Locked
            }
            _ => self,
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
    let mut found_open = false;
    for message in messages.iter().skip(from) {
        let Message { parts, again } = message;
        let texts: Vec<_> = parts.iter().map(|part| part.sql.as_str()).collect();
        if let Err(failure) = session.execute(&texts.join(";\n")).await {
            let (part, offset) = locate(parts, &failure);
            let role = parts.get(part).map_or(Role::Frame, |part| part.role);
            let before = parts.get(..part).unwrap_or_default();
            executed += before.iter().filter(|it| matches!(it.role, Role::Statement(_))).count();
            found_open |= before.iter().any(|it| it.role == Role::StillOpen);
            let cause = failure.cause;
            return Err(Halt { role, cause, offset, executed, found_open, again: *again });
        }
        executed += message.statements();
        found_open |= parts.iter().any(|it| it.role == Role::StillOpen);
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
