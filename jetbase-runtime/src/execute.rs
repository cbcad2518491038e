//! Executing one migration: its file becomes messages, a failure becomes a place in the file.

use std::ops::Range;
use std::time::Duration;

use jetbase_core::{
    Action, Dialect, Effect, Kind, Migration, Migrations, Plan, Position, Reading, Script, Section,
    Syntax, Transaction, check, cut, effect, snippet,
};

use crate::connection::{Cause, CauseKind, Failure};
use crate::dialect::Fill;
use crate::error::{Error, ErrorKind, Outcome, StatementError};
use crate::lock::Work;
use crate::session::Session;
use crate::target::Owner;

/// A migration that is ready to run: read, cut, and checked.
pub(crate) struct Job<'m> {
    pub(crate) migration: Migration<'m>,
    pub(crate) action: Action,
    reading: Reading,
    script: Script<'m>,
    /// Where the statements stand in the script's text, and what each does to a transaction.
    statements: Vec<(Range<usize>, Effect)>,
    transaction: Transaction,
    lock_timeout: Option<Duration>,
    statement_timeout: Option<Duration>,
}

/// Makes a plan's files ready, all of them before the first statement runs.
pub(crate) fn prepare<'m>(
    set: &'m Migrations,
    plan: &Plan,
    syntax: Syntax,
) -> Result<Vec<Job<'m>>, Error> {
    let mut jobs = Vec::new();
    let mut findings = Vec::new();
    for step in &plan.steps {
        let Some(migration) = set.get(step.index) else { continue };
        let script = migration.script();
        findings.extend(check(migration.path(), &script, &[syntax]));
        if script.checksum() != migration.checksum() {
            return Err(Error::place(format!(
                "{} was changed while this program was compiled; compile it again",
                migration.path()
            )));
        }
        let section = match step.action {
            Action::Apply | Action::Reapply => Section::Upgrade,
            Action::RollBack => Section::Rollback,
        };
        let base = script.range(section).map_or(0, |range| range.start);
        let statements =
            cut(script.section(section), script.delimiter(), syntax).unwrap_or_default();
        let statements = statements
            .iter()
            .map(|it| (base + it.start..base + it.start + it.sql.len(), effect(it.sql, syntax)))
            .collect();
        let directives = script.directives().unwrap_or_default();
        jobs.push(Job {
            migration,
            action: step.action,
            reading: set.options().reading,
            script,
            statements,
            transaction: directives.transaction,
            lock_timeout: directives.lock_timeout,
            statement_timeout: directives.statement_timeout,
        });
    }
    if findings.is_empty() { Ok(jobs) } else { Err(Error::new(ErrorKind::Findings(findings))) }
}

/// One statement of a message, and what it is there for.
struct Part {
    sql: String,
    role: Role,
    /// How many results the server sends for it.
    results: usize,
}

/// What a part of a message is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
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

/// How a job's statements travel and commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// One message, one transaction.
    OneMessage,
    /// One transaction, statement by statement (SQLite: no network lies between).
    OneTransaction,
    /// Each statement in a message of its own, for some commit by themselves.
    EachAlone,
}

/// A message that failed.
struct Halt {
    role: Role,
    cause: Cause,
    /// The character of the part that the database points at, from 0.
    offset: Option<usize>,
    /// How many statements of the file were executed before.
    executed: usize,
}

/// How often a file is tried that could not get a lock on a table.
const TRIES: u32 = 10;

impl<'m> Job<'m> {
    /// The statements, as they will be sent.
    pub(crate) fn statements(&self) -> Vec<String> {
        self.statements.iter().map(|(range, _)| self.sent(range)).collect()
    }

    /// A statement as it is sent.
    fn sent(&self, range: &Range<usize>) -> String {
        match self.reading {
            Reading::Plain => self.text(range).to_owned(),
            // The Python tool's files escape a colon that begins no parameter.
            Reading::Python => self.text(range).replace("\\:", ":"),
        }
    }

    fn text(&self, range: &Range<usize>) -> &str {
        self.script.text().get(range.clone()).unwrap_or_default()
    }

    /// Whether the fence guards every statement of the file.
    pub(crate) fn work(&self, dialect: Dialect) -> Work {
        if self.mode(dialect) == Mode::OneMessage { Work::Fenced } else { Work::Open }
    }

    /// Whether the file's text takes the place of an older one.
    pub(crate) fn replaces(&self) -> bool {
        self.action == Action::Reapply && self.migration.kind() == Kind::RunsOnChange
    }

    fn mode(&self, dialect: Dialect) -> Mode {
        let plain = self.statements.iter().all(|(_, effect)| *effect == Effect::Transactional);
        match (dialect, self.transaction) {
            (_, Transaction::Off) => Mode::EachAlone,
            (Dialect::Sqlite, _) => Mode::OneTransaction,
            (Dialect::MySql, _) if !plain => Mode::EachAlone,
            (Dialect::Postgres | Dialect::MySql, _) => Mode::OneMessage,
        }
    }

    /// Executes the file and records it; `label` names it to the server's operator.
    pub(crate) async fn run(
        &self,
        session: &mut Session<'_>,
        label: &str,
        mut retrying: impl FnMut(u32, &str),
    ) -> Result<(), Error> {
        let mode = self.mode(session.dialect);
        let words = self.words(session, label, mode);
        let messages = self.messages(session, &words, mode);
        let mut attempt = 1;
        loop {
            let halt = match deliver(session, &messages).await {
                Ok(()) => return Ok(()),
                Err(halt) => halt,
            };
            if halt.cause.kind != CauseKind::Lost {
                // What failed is undone before anybody is told.
                let orphans = self.orphans(session, &halt).await;
                let _ = session.raw("ROLLBACK").await;
                session.reset().await;
                let passes = session.sql.passing.contains(&halt.cause.code.as_str());
                if passes && mode != Mode::EachAlone && attempt < TRIES {
                    attempt += 1;
                    retrying(attempt, &halt.cause.message);
                    tokio::time::sleep(Duration::from_millis(200).mul_f64(0.5 + fastrand::f64()))
                        .await;
                    continue;
                }
                return Err(self.explain(session, halt, mode, orphans));
            }
            return Err(self.explain(session, halt, mode, None));
        }
    }

    /// The words of the templates that this file fills.
    fn words(&self, session: &Session<'_>, label: &str, mode: Mode) -> Fill {
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

    fn messages(&self, session: &Session<'_>, fill: &Fill, mode: Mode) -> Vec<Vec<Part>> {
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
                match mode {
                    Mode::OneMessage => vec![all],
                    _ => all.into_iter().map(|part| vec![part]).collect(),
                }
            }
            Mode::EachAlone => {
                let mut frame = settle;
                // Through a pooler, a session's setting would reach other clients.
                if session.proof.is_proof() || session.owner != Owner::Run {
                    frame.extend(owns(Role::Frame, sql.alone));
                }
                let mut messages: Vec<_> = frame.into_iter().map(|part| vec![part]).collect();
                let mut in_transaction = false;
                for (index, (range, effect)) in statements {
                    let mut message = Vec::new();
                    let undoable =
                        *effect == Effect::Transactional && self.transaction == Transaction::Whole;
                    if undoable && !in_transaction {
                        message.extend(owns(Role::Frame, sql.open));
                    }
                    in_transaction = undoable;
                    message.extend(fences(sql.fence));
                    match session.dialect {
                        // The statement must be alone in its message, so the fence goes in front of it.
                        Dialect::Postgres | Dialect::Sqlite => {
                            messages.extend([message, vec![statement(index, range)]])
                        }
                        Dialect::MySql => {
                            message.push(statement(index, range));
                            messages.push(message);
                        }
                    }
                }
                if !in_transaction {
                    opening.append(&mut closing);
                    closing = opening;
                }
                messages.push(closing);
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

    /// The rows that lost their parents, in words, when that is what stopped the file.
    async fn orphans(&self, session: &mut Session<'_>, halt: &Halt) -> Option<String> {
        if halt.role != Role::ForeignKeys {
            return None;
        }
        let sets = session.raw("PRAGMA foreign_key_check").await.ok()?;
        let rows = sets.first().map(|set| set.rows.as_slice()).unwrap_or_default();
        let words: Vec<_> = rows
            .iter()
            .take(5)
            .map(|row| format!("{} row {} → {}", row.text(0), row.text(1), row.text(2)))
            .collect();
        let more = if rows.len() > words.len() { ", …" } else { "" };
        let count = match rows.len() {
            1 => "a row without its parent".to_owned(),
            count => format!("{count} rows without their parents"),
        };
        Some(format!("it leaves {count}: {}{more}", words.join(", ")))
    }

    fn explain(
        &self,
        session: &Session<'_>,
        halt: Halt,
        mode: Mode,
        orphans: Option<String>,
    ) -> Error {
        let file = self.migration.path();
        let alone = mode == Mode::EachAlone;
        if halt.cause.kind == CauseKind::Lost {
            // Who looks at the history afterwards may know better.
            let outcome = if alone { Outcome::InDoubt } else { Outcome::Unknown };
            return Error::new(ErrorKind::Interrupted {
                file: file.to_owned(),
                outcome,
                message: halt.cause.message,
            });
        }
        let permanent = if alone { self.permanent(halt.executed) } else { 0 };
        match halt.role {
            Role::Fence if session.sql.fence_codes.contains(&halt.cause.code.as_str()) => {
                Error::new(ErrorKind::LockLost { file: Some(file.to_owned()) })
            }
            Role::Statement(index) => self.statement_error(&halt, Some(index), permanent),
            Role::Commit => self.statement_error(&halt, None, permanent),
            Role::StillOpen => Error::place(format!(
                "{file} ended its transaction itself, with a COMMIT inside a statement; take it out: nothing was recorded"
            )),
            Role::ForeignKeys => Error::new(ErrorKind::Statement(Box::new(StatementError {
                file: file.to_owned(),
                position: None,
                snippet: String::new(),
                message: orphans.unwrap_or(halt.cause.message),
                code: String::new(),
                detail: None,
                hint: Some("delete those rows in the file, or mend their references".to_owned()),
                statement: None,
                permanent: 0,
            }))),
            Role::Record if halt.cause.code == "23505" && halt.cause.message.contains("_pkey") => {
                let (schema, table) = (&session.place.schema, "jetbase_migrations");
                Error::place(format!(
                    "{file} cannot be recorded: the numbers of {table} are behind its rows, as after a copy without \
                     its sequence; run SELECT setval(pg_get_serial_sequence('\"{schema}\".{table}', 'order_executed'), \
                     (SELECT max(order_executed) FROM \"{schema}\".{table})), then run again"
                ))
            }
            Role::Record => Error::database(format!("recording {file}"), &halt.cause),
            Role::Frame | Role::Fence | Role::Reset => {
                Error::database(format!("preparing {file}"), &halt.cause)
            }
        }
    }

    /// How many statements cannot be undone once `executed` of them ran.
    fn permanent(&self, executed: usize) -> usize {
        if self.transaction == Transaction::Off {
            return executed;
        }
        let ran = self.statements.get(..executed).unwrap_or_default();
        ran.iter().rposition(|(_, effect)| *effect != Effect::Transactional).map_or(0, |at| at + 1)
    }

    fn statement_error(&self, halt: &Halt, index: Option<usize>, permanent: usize) -> Error {
        let text = self.script.text();
        let range =
            index.and_then(|index| self.statements.get(index)).map(|(range, _)| range.clone());
        let at = range.clone().map(|range| {
            let statement = self.text(&range);
            let pointed =
                halt.offset.and_then(|chars| statement.char_indices().nth(chars)).map(|(at, _)| at);
            let inside = pointed
                .or_else(|| line_of(&halt.cause.message, statement))
                .or_else(|| token_of(&halt.cause.message, statement));
            range.start + inside.unwrap_or(0)
        });
        let width = |at: usize| {
            let rest = text.get(at..).unwrap_or_default();
            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').count().max(1)
        };
        Error::new(ErrorKind::Statement(Box::new(StatementError {
            file: self.migration.path().to_owned(),
            position: at.map(|at| Position::of(text, at)),
            snippet: at.map(|at| snippet(text, at, width(at))).unwrap_or_default(),
            message: halt.cause.message.clone(),
            code: halt.cause.code.clone(),
            detail: halt.cause.detail.clone(),
            hint: halt.cause.hint.clone(),
            statement: index.map(|index| (index + 1, self.statements.len())),
            permanent,
        })))
    }
}

/// MySQL counts lines inside the failing statement: `… at line 3`.
fn line_of(message: &str, statement: &str) -> Option<usize> {
    let line: usize = message.rsplit_once(" at line ")?.1.parse().ok()?;
    let start: usize =
        statement.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let indent = statement.get(start..)?.chars().take_while(|c| *c == ' ' || *c == '\t').count();
    Some(start + indent)
}

/// SQLite names the word it stumbled over: `near "x": syntax error`; it counts if it stands there once.
fn token_of(message: &str, statement: &str) -> Option<usize> {
    let word = message.strip_prefix("near \"")?.split_once("\": ")?.0;
    let mut found = statement.match_indices(word);
    let (at, _) = found.next()?;
    found.next().is_none().then_some(at)
}

/// Sends the messages one after the other.
async fn deliver(session: &mut Session<'_>, messages: &[Vec<Part>]) -> Result<(), Halt> {
    let mut executed = 0;
    for message in messages {
        let texts: Vec<_> = message.iter().map(|part| part.sql.as_str()).collect();
        if let Err(failure) = session.execute(&texts.join(";\n")).await {
            let (part, offset) = locate(message, &failure);
            let role = message.get(part).map_or(Role::Frame, |part| part.role);
            let before = message
                .iter()
                .take(part)
                .filter(|it| matches!(it.role, Role::Statement(_)))
                .count();
            return Err(Halt { role, cause: failure.cause, offset, executed: executed + before });
        }
        executed += message.iter().filter(|it| matches!(it.role, Role::Statement(_))).count();
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
