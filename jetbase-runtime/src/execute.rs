//! Executes one migration: turns its file into messages, and turns a failure into a position in the
//! file.

mod deliver;
mod detach;
mod explain;
mod job_group;
mod message;
mod per_statement;
mod pointer;
mod resume;
mod statement_rows;
mod stopped;
mod writer;

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use jetbase_core::{
    Action, CheckedFile, Checksum, Detection, Dialect, Effect, Finding, Migration, MigrationKind,
    Migrations, NEAR_MARKER, OwnSession, Plan, Position, Reading, Script, Section, SessionEffect,
    SessionUse, Statement, Syntax, TableLocks, Transaction, check, detection, effect,
    empties_session, is_setting, may_fail_in_part, mentions_trigger, needs_own_session,
    session_use, table_locks,
};

pub(crate) use self::job_group::{FailedFile, JobGroup, TransactionUse};
use crate::error::{Error, ErrorKind, FileErrorKind};
use crate::lock::Commits;
use crate::session::Session;

/// A migration that is ready to run: its file is read, split into statements, and checked.
pub(crate) struct Job<'m> {
    /// The index of the migration in its set.
    index: usize,
    pub(crate) migration: Migration<'m>,
    pub(crate) action: Action,
    reading: Reading,
    script: Script<'m>,
    statements: Vec<JobStatement>,
    transaction: Transaction,
    /// How the file uses its session.
    pub(crate) session_use: SessionUse,
    own_session: OwnSession,
    /// Whether a statement ends objects of its session, including those of others (PostgreSQL).
    pub(crate) empties_session: bool,
    /// Whether the file may create a trigger.
    pub(crate) mentions_trigger: bool,
    lock_timeout: Option<Duration>,
    statement_timeout: Option<Duration>,
    /// How many statements from the first one are permanent, because an earlier run has executed
    /// them.
    done: usize,
    /// Whether the journal has rows about the file, also those that no longer count.
    pub(crate) has_entries: bool,
    /// The `ROC__` files whose rows become stale when this version is committed.
    stale: Vec<String>,
    /// What somebody should check in the file, although the run executes it.
    pub(crate) warnings: Vec<Finding>,
}

/// What to do with a pending versioned migration that has no statements.
///
/// If it is applied, its file must not change, so it cannot be filled later. A file that is recorded in
/// the list beside the folder, or that has a line `-- jetbase: allow=empty`, is always applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// Refuse to run. This is the default of a release build.
    Refuse,
    /// Apply it, with a warning. This is the default of a debug build.
    Allow,
}

impl Default for Empty {
    fn default() -> Self {
        if cfg!(debug_assertions) { Empty::Allow } else { Empty::Refuse }
    }
}

/// What a job reports while it runs.
pub(crate) enum JobProgress<'a> {
    /// The file starts, perhaps again.
    Started,
    /// The statements of the file have succeeded, and it is recorded.
    Ended,
    /// The file is permanent, and with it all files of its transaction.
    Committed,
    /// A statement, numbered from 0, is sent in a message of its own.
    Statement { index: usize, sql: &'a str },
    /// The file could not get a lock on a table, and is tried again.
    Retrying { attempt: u32, reason: &'a str },
}

/// What a job knows of one statement of its file.
struct JobStatement {
    /// The position in the script's text.
    range: Range<usize>,
    effect: Effect,
    /// How many results the server sends. With a delimiter of its own, a file may join several
    /// statements into one.
    results: usize,
    /// What it does to the table locks of its session (MySQL).
    table_locks: Option<TableLocks>,
    /// What it leaves in its session.
    session_effect: SessionEffect,
    /// Whether a new session must execute it again: it only changes settings.
    is_setting: bool,
    /// How to find out whether it has taken effect, if its end was not seen.
    detection: Detection,
    /// Whether it may have taken effect in part when it fails.
    may_fail_in_part: bool,
}

impl JobStatement {
    /// `base` is the position of the section in the script's text.
    fn of(statement: &Statement<'_>, base: usize) -> Self {
        let start = base + statement.start;
        let (effect, session_effect) = (effect(statement), session_use(statement).effect);
        let is_setting = session_effect <= SessionEffect::Setting && is_setting(statement);
        let table_locks = table_locks(statement);
        JobStatement {
            range: start..start + statement.sql.len(),
            effect,
            results: statement.count(),
            table_locks,
            session_effect,
            is_setting: is_setting || table_locks.is_some(),
            detection: detection(statement),
            may_fail_in_part: may_fail_in_part(statement),
        }
    }
}

/// Prepares the files of a plan, all of them before the first statement runs. Each file is lexed
/// once, and everything that the run needs to know of its statements is read from the tokens.
///
/// `prepared` has the jobs of an earlier plan. Those that are in this plan too are used again.
pub(crate) fn prepare<'m>(
    set: &'m Migrations,
    plan: &Plan,
    syntax: Syntax,
    empty: Empty,
    prepared: Vec<Job<'m>>,
) -> Result<Vec<Job<'m>>, Error> {
    let mut prepared: HashMap<_, _> =
        prepared.into_iter().map(|job| ((job.index, job.action), job)).collect();
    let mut jobs = Vec::new();
    let mut findings = Vec::new();
    for step in &plan.steps {
        if let Some(job) = prepared.remove(&(step.index, step.action)) {
            jobs.push(Job { stale: stale_after(&job.migration, plan), ..job });
            continue;
        }
        let Some(migration) = set.get(step.index) else { continue };
        let script = migration.script();
        if script.checksum() != migration.checksum() {
            return Err(Error::file(migration.path(), FileErrorKind::ChangedDuringBuild));
        }
        let checked = check(migration.path(), &script, &[syntax]);
        let section = match step.action {
            Action::Apply | Action::Reapply => Section::Upgrade,
            Action::RollBack => Section::Rollback,
        };
        let base = script.range(section).map_or(0, |range| range.start);
        let directives = script.directives().unwrap_or_default();
        let statements = checked.statements(section);
        let own_session = statements.iter().map(needs_own_session).max();
        let (warnings, errors) = judge(&checked, &migration, step.action, empty);
        findings.extend(errors);
        jobs.push(Job {
            index: step.index,
            migration,
            action: step.action,
            reading: set.options().reading,
            statements: statements.iter().map(|it| JobStatement::of(it, base)).collect(),
            transaction: directives.transaction,
            session_use: statements
                .iter()
                .map(session_use)
                .fold(SessionUse::default(), SessionUse::and),
            own_session: own_session.unwrap_or_default(),
            empties_session: statements.iter().any(empties_session),
            mentions_trigger: statements.iter().any(mentions_trigger),
            lock_timeout: directives.lock_timeout,
            statement_timeout: directives.statement_timeout,
            done: 0,
            has_entries: false,
            warnings,
            stale: stale_after(&migration, plan),
            script,
        });
    }
    if findings.is_empty() { Ok(jobs) } else { Err(Error::new(ErrorKind::Findings(findings))) }
}

/// Returns the `ROC__` files whose rows become stale with a migration: those of the plan, if it is a
/// version.
fn stale_after(migration: &Migration<'_>, plan: &Plan) -> Vec<String> {
    migration.version_text().map(|_| plan.stale.clone()).unwrap_or_default()
}

/// Returns the findings of a file that only warn, and those that forbid the run.
///
/// A file that a database has applied already, or that is recorded, still runs although a comment in it
/// looks like the rollback marker: no program stops starting because of an old file.
fn judge(
    checked: &CheckedFile<'_>,
    migration: &Migration<'_>,
    action: Action,
    empty: Empty,
) -> (Vec<Finding>, Vec<Finding>) {
    let is_new = action == Action::Apply && !migration.is_recorded();
    let tolerated = |finding: &Finding| finding.rule == NEAR_MARKER && !is_new;
    let findings = checked.findings.iter().cloned();
    let (mut warnings, mut errors): (Vec<_>, Vec<_>) = findings.partition(tolerated);
    // The macro has warned about a recorded file.
    warnings.retain(|_| !migration.is_recorded());
    if let Some(finding) = &checked.empty
        && is_new
        && migration.kind() == MigrationKind::Versioned
    {
        match empty {
            Empty::Refuse => errors.push(finding.clone()),
            Empty::Allow => warnings.push(finding.clone()),
        }
    }
    (warnings, errors)
}

/// How the statements of a job are grouped into messages and transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grouping {
    OneMessage,
    /// One transaction, with one message for each statement. On SQLite, no network is in between.
    OneTransaction,
    /// Each statement in its own message, because some of them commit by themselves.
    PerStatement,
}

/// The maximum length of what a message holds besides the statements of its file.
const OVERHEAD: usize = 16 * 1024;

/// The maximum length of what a message holds in front of a statement.
const FENCES: usize = 4 * 1024;

impl<'m> Job<'m> {
    /// Returns the number of statements.
    pub(crate) fn count(&self) -> usize {
        self.statements.len()
    }

    /// Returns the statements as they will be sent.
    pub(crate) fn statements(&self) -> Vec<String> {
        self.statements.iter().map(|statement| self.sent(&statement.range)).collect()
    }

    fn sent(&self, range: &Range<usize>) -> String {
        match self.reading {
            Reading::Plain => self.text(range).to_owned(),
            // In the Python tool's files, `\:` escapes a colon that starts no parameter.
            Reading::Python => self.text(range).replace("\\:", ":"),
        }
    }

    /// Returns the SHA-256 of the text of a statement, as it is sent.
    fn digest(&self, statement: &JobStatement) -> Checksum {
        Checksum::of_text(&self.sent(&statement.range))
    }

    /// Returns where a statement stands in the file.
    fn place(&self, statement: &JobStatement) -> Position {
        Position::of(self.script.text(), statement.range.start)
    }

    fn text(&self, range: &Range<usize>) -> &str {
        self.script.text().get(range.clone()).unwrap_or_default()
    }

    /// The text of the whole file.
    pub(crate) fn file_text(&self) -> &str {
        self.script.text()
    }

    /// Whether all statements of the file are permanent, so that only its record is missing.
    pub(crate) fn is_permanent(&self) -> bool {
        self.done > 0 && self.done >= self.statements.len()
    }

    /// Whether the fence guards every statement of the file.
    pub(crate) fn commits(&self, dialect: Dialect) -> Commits {
        if self.grouping(dialect) == Grouping::OneMessage {
            Commits::PerFile
        } else {
            Commits::PerStatement
        }
    }

    /// Whether something of the file outlives its transactions. Such statements need one session,
    /// but a pooler spreads them over several sessions, and passes what they leave to other
    /// programs.
    pub(crate) fn needs_own_session(&self) -> bool {
        match self.own_session {
            OwnSession::NotNeeded => false,
            OwnSession::OutsideTransaction => self.transaction == Transaction::Off,
            OwnSession::Always => true,
        }
    }

    /// Whether the file replaces an older text of itself.
    pub(crate) fn replaces(&self) -> bool {
        self.action == Action::Reapply && self.migration.kind() == MigrationKind::RunsOnChange
    }

    fn grouping(&self, dialect: Dialect) -> Grouping {
        let plain = self.statements.iter().all(|it| it.effect == Effect::Transactional);
        match (dialect, self.transaction) {
            (_, Transaction::Off) => Grouping::PerStatement,
            (Dialect::Sqlite, _) => Grouping::OneTransaction,
            (Dialect::MySql, _) if !plain => Grouping::PerStatement,
            (Dialect::Postgres | Dialect::MySql, _) => Grouping::OneMessage,
        }
    }

    /// Returns the grouping. If the server does not accept a message of the file's length, the file is
    /// split into several.
    fn grouping_in(&self, session: &Session<'_>) -> Grouping {
        let grouping = self.grouping(session.dialect);
        let length: usize = self.statements.iter().map(|it| it.range.len() + 2).sum();
        match grouping {
            Grouping::OneMessage if length + OVERHEAD > session.largest_message => {
                Grouping::OneTransaction
            }
            grouping => grouping,
        }
    }

    /// Refuses a statement that is so large that the server would close the connection.
    pub(crate) fn fits(&self, session: &Session<'_>) -> Result<(), Error> {
        let limit = session.largest_message;
        let too_large = |it: &JobStatement| it.range.len() + FENCES > limit;
        match self.statements.iter().enumerate().find(|(_, it)| too_large(it)) {
            None => Ok(()),
            Some((index, it)) => Err(self.too_large(index, &it.range, limit)),
        }
    }
}

#[cfg(test)]
mod tests;
