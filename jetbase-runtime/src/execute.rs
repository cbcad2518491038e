//! Executes one migration: turns its file into messages, and turns a failure into a position in the
//! file.

mod explain;
mod message;
mod writer;

use std::ops::Range;
use std::time::Duration;

use jetbase_core::{
    Action, Dialect, Effect, Kind, Migration, Migrations, Plan, Reading, Script, Section,
    SessionEffect, Syntax, Transaction, check, cut, effect, reads_session, session_effect,
};

use self::message::{Purpose, deliver};
use crate::connection::CauseKind;
use crate::error::{Error, ErrorKind, FileFault};
use crate::lock::Commits;
use crate::session::{Next, Session};

/// A migration that is ready to run: its file is read, split into statements, and checked.
pub(crate) struct Job<'m> {
    pub(crate) migration: Migration<'m>,
    pub(crate) action: Action,
    reading: Reading,
    script: Script<'m>,
    /// The position of each statement in the script's text, and its effect on a transaction.
    statements: Vec<(Range<usize>, Effect)>,
    transaction: Transaction,
    /// The effect that the file may have on its session.
    pub(crate) effect: SessionEffect,
    /// Whether the file reads what other statements may have left in the session.
    pub(crate) reads_session: bool,
    lock_timeout: Option<Duration>,
    statement_timeout: Option<Duration>,
}

/// Prepares the files of a plan, all of them before the first statement runs.
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
            return Err(Error::file(migration.path(), FileFault::ChangedDuringBuild));
        }
        let section = match step.action {
            Action::Apply | Action::Reapply => Section::Upgrade,
            Action::RollBack => Section::Rollback,
        };
        let base = script.range(section).map_or(0, |range| range.start);
        let statements =
            cut(script.section(section), script.delimiter(), syntax).unwrap_or_default();
        let effects = statements.iter().map(|it| session_effect(it.sql, it.syntax));
        let session_effect = effects.max().unwrap_or(SessionEffect::Nothing);
        let reads_session = statements.iter().any(|it| reads_session(it.sql, it.syntax));
        let statements = statements
            .iter()
            .map(|it| (base + it.start..base + it.start + it.sql.len(), effect(it.sql, it.syntax)))
            .collect();
        let directives = script.directives().unwrap_or_default();
        jobs.push(Job {
            migration,
            action: step.action,
            reading: set.options().reading,
            script,
            statements,
            transaction: directives.transaction,
            effect: session_effect,
            reads_session,
            lock_timeout: directives.lock_timeout,
            statement_timeout: directives.statement_timeout,
        });
    }
    if findings.is_empty() { Ok(jobs) } else { Err(Error::new(ErrorKind::Findings(findings))) }
}

/// How the statements of a job are grouped into messages and transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    OneMessage,
    /// One transaction, with one message for each statement. On SQLite, no network is in between.
    OneTransaction,
    /// Each statement in its own message, because some of them commit by themselves.
    EachAlone,
}

/// The maximum length of what a message holds besides the statements of its file.
const OVERHEAD: usize = 16 * 1024;

/// The maximum length of what a message holds in front of a statement.
const FENCES: usize = 1024;

/// How often a file is tried that cannot get a lock on a table.
const TRIES: u32 = 10;

/// Returns a statement without the comments in front of it.
fn behind_comments(sql: &str) -> &str {
    let sql = sql.trim_start();
    let rest = match (sql.strip_prefix("--"), sql.strip_prefix("/*")) {
        (Some(comment), _) => comment.split_once('\n'),
        (_, Some(comment)) => comment.split_once("*/"),
        _ => return sql,
    };
    rest.map_or("", |(_, rest)| behind_comments(rest))
}

impl<'m> Job<'m> {
    /// Returns the statements as they will be sent.
    pub(crate) fn statements(&self) -> Vec<String> {
        self.statements.iter().map(|(range, _)| self.sent(range)).collect()
    }

    fn sent(&self, range: &Range<usize>) -> String {
        match self.reading {
            Reading::Plain => self.text(range).to_owned(),
            // In the Python tool's files, `\:` escapes a colon that starts no parameter.
            Reading::Python => self.text(range).replace("\\:", ":"),
        }
    }

    fn text(&self, range: &Range<usize>) -> &str {
        self.script.text().get(range.clone()).unwrap_or_default()
    }

    /// Whether the fence guards every statement of the file.
    pub(crate) fn work(&self, dialect: Dialect) -> Commits {
        if self.mode(dialect) == Mode::OneMessage {
            Commits::PerFile
        } else {
            Commits::PerStatement
        }
    }

    /// Whether something of the file outlives its transactions. Such statements need one session,
    /// but a pooler spreads them over several sessions, and passes what they leave to other
    /// programs.
    pub(crate) fn needs_session(&self) -> bool {
        let off = self.transaction == Transaction::Off;
        let leaves = |sql: &str| {
            let sql = behind_comments(sql).to_ascii_lowercase();
            match sql.split(|c: char| !c.is_ascii_alphanumeric()).next() {
                Some("set" | "reset" | "discard") => off,
                Some("prepare" | "listen" | "load") => true,
                _ if sql.contains("set_config") => off,
                _ => sql.contains("pg_advisory_lock") || sql.contains("pg_try_advisory_lock"),
            }
        };
        self.statements.iter().any(|(range, _)| leaves(self.text(range)))
    }

    /// Whether a statement of the file ends objects of its session, including those of others
    /// (PostgreSQL).
    pub(crate) fn empties_session(&self) -> bool {
        let empties = |sql: &str| {
            let sql = behind_comments(sql).to_ascii_uppercase();
            let mut words = sql.split_ascii_whitespace();
            match (words.next(), words.next()) {
                (Some("DISCARD"), _) => true,
                (Some("RESET" | "DEALLOCATE" | "CLOSE"), Some("ALL")) => true,
                (Some("UNLISTEN"), Some("*")) => true,
                (Some("DEALLOCATE"), Some("PREPARE")) => words.next() == Some("ALL"),
                _ => false,
            }
        };
        self.statements.iter().any(|(range, _)| empties(self.text(range)))
    }

    /// Whether the file may create a trigger.
    pub(crate) fn mentions_trigger(&self) -> bool {
        let mut texts = self.statements.iter().map(|(range, _)| self.text(range));
        texts.any(|sql| sql.to_ascii_uppercase().contains("TRIGGER"))
    }

    /// Whether the file replaces an older text of itself.
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

    /// Returns the mode. If the server does not accept a message of the file's length, the file is
    /// split into several.
    fn mode_of(&self, session: &Session<'_>) -> Mode {
        let mode = self.mode(session.dialect);
        let length: usize = self.statements.iter().map(|(range, _)| range.len() + 2).sum();
        match mode {
            Mode::OneMessage if length + OVERHEAD > session.largest_message => Mode::OneTransaction,
            mode => mode,
        }
    }

    /// Refuses a statement that is so large that the server would close the connection.
    fn fits(&self, session: &Session<'_>) -> Result<(), Error> {
        let limit = session.largest_message;
        let too_large =
            |(_, (range, _)): &(usize, &(Range<usize>, Effect))| range.len() + FENCES > limit;
        match self.statements.iter().enumerate().find(too_large) {
            None => Ok(()),
            Some((index, (range, _))) => Err(self.too_large(index, range, limit)),
        }
    }

    /// Executes the file and records it. `label` shows the file to the server's operator.
    pub(crate) async fn run(
        &self,
        session: &mut Session<'_>,
        label: &str,
        mut retrying: impl FnMut(u32, &str),
    ) -> Result<(), Error> {
        self.fits(session)?;
        let mode = self.mode_of(session);
        let (mut attempt, mut from) = (1, 0);
        loop {
            // A fresh session has another session lock.
            let bindings = self.bindings(session, label, mode);
            let messages = self.messages(session, &bindings, mode);
            let halt = match deliver(session, &messages, from).await {
                Ok(()) => return Ok(()),
                Err(halt) => halt,
            };
            if halt.role == Purpose::Reset && halt.cause.kind != CauseKind::Lost {
                // The file is committed. Only its settings remain to be reset.
                session.reset().await;
                return Ok(());
            }
            if halt.cause.kind == CauseKind::Lost {
                return Err(self.interrupted(halt, mode));
            }
            // Undo what failed before the failure is reported.
            let found = self.look_after(session, &halt, mode).await;
            let again = halt.again.filter(|_| halt.cause.is_contended() && attempt < TRIES);
            let Some(again) = again else { return Err(self.explain(session, halt, found)) };
            if again == 0 {
                session.refresh(self.effect, Next::File).await?;
            }
            from = again;
            attempt += 1;
            retrying(attempt, &halt.cause.message);
            tokio::time::sleep(Duration::from_millis(200).mul_f64(0.5 + fastrand::f64())).await;
        }
    }
}

#[cfg(test)]
mod tests;
