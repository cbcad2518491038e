//! Why a command failed: the Python tool's sentence if it has one, then jetbase's own with the
//! remedy.

use std::fmt::Display;
use std::io;

use jetbase_core::{Finding, PlanError};
use jetbase_runtime::{Error, ErrorKind, Kept, Outcome, StatementError};

use super::exit::Exit;
use super::json::{CommandFields, ErrorDetails, ErrorJson, list, millis};
use super::python;
use super::sentence::{sentence, sentence_of};
use super::signal::Signal;

/// A failed command.
#[derive(Debug)]
pub(crate) struct CommandError {
    /// The kind of failure, for programs.
    kind: &'static str,
    /// The text to print, with one block for each mistake.
    pub(crate) blocks: Vec<String>,
    pub(crate) exit: Exit,
    /// Further fields of the error, for programs.
    details: Box<ErrorDetails>,
    /// What had been done before.
    pub(crate) partial: Box<CommandFields>,
}

impl CommandError {
    pub(crate) fn new(kind: &'static str, message: impl Into<String>, exit: Exit) -> Self {
        CommandError {
            kind,
            blocks: vec![message.into()],
            exit,
            details: Box::default(),
            partial: Box::default(),
        }
    }

    /// The command line or the configuration is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        CommandError::new("usage", message, Exit::Usage)
    }

    /// A signal has come, and the current file is finished.
    pub(crate) fn interrupted(message: impl Into<String>, signal: Signal) -> Self {
        CommandError::new("interrupted", message, signal.exit())
    }

    /// The run failed after a signal. If it failed because of the signal, the exit code says so.
    pub(crate) fn after(mut self, signal: Signal) -> Self {
        if self.exit == Exit::Interrupted || self.kind == "connection_lost" {
            self.exit = signal.exit();
        }
        self
    }

    /// A file cannot be read or written.
    pub(crate) fn io(what: impl Display, error: &io::Error) -> Self {
        CommandError::new("io", format!("{what}: {}", io_reason(error)), Exit::Failed)
    }

    /// A file that the command would create exists.
    pub(crate) fn exists(file: impl Display) -> Self {
        let text = format!("{file} already exists. It was not changed.");
        CommandError::new("io", text, Exit::Failed)
    }

    /// The folder contains something that no command can work with.
    pub(crate) fn folder(findings: &[Finding], folder: &str) -> Self {
        let blocks = findings.iter().map(|it| match python::sentence_of_finding(it) {
            Some(python) => format!("{python}\n{}", it.render(folder)),
            None => it.render(folder),
        });
        CommandError {
            blocks: blocks.collect(),
            details: Box::new(ErrorDetails::Findings { findings: list(findings) }),
            ..CommandError::new("folder", "", Exit::of_findings(findings))
        }
    }

    /// An error about files of a folder. The folder is shown before their names.
    pub(crate) fn in_folder(error: &Error, folder: &str) -> Self {
        let mut message = match error.kind() {
            ErrorKind::Refused(refusal) => refused(refusal),
            ErrorKind::Findings(findings) => return CommandError::folder(findings, folder),
            ErrorKind::Statement(error) if !folder.is_empty() => {
                sentence(&ErrorKind::Statement(under(folder, error)).to_string())
            }
            ErrorKind::Stopped(error) if !folder.is_empty() => {
                sentence(&ErrorKind::Stopped(under(folder, error)).to_string())
            }
            ErrorKind::Held { .. } => format!(
                "Migration lock is already held by another process.\n{}",
                sentence(&error.kind().to_string())
            ),
            kind => sentence(&kind.to_string()),
        };
        let done: Vec<_> = error.report().applied.iter().map(|it| it.file.as_str()).collect();
        if !done.is_empty() {
            message.push_str(&format!("\nDone before that, and kept: {}.", done.join(", ")));
        }
        CommandError {
            details: Box::new(details(error.kind())),
            ..CommandError::new(kind_name(error.kind()), message, Exit::from(error.kind()))
        }
    }

    pub(crate) fn partial(self, partial: CommandFields) -> Self {
        CommandError { partial: Box::new(partial), ..self }
    }

    /// Returns the value of `error` under `--json`.
    pub(crate) fn json(&self) -> ErrorJson<'_> {
        ErrorJson { kind: self.kind, message: self.blocks.join("\n"), details: &self.details }
    }
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        CommandError::in_folder(&error, "")
    }
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        CommandError::io("a file cannot be used", &error)
    }
}

/// Returns the reason of an input or output error, without its number.
pub(crate) fn io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// Returns the same error with the folder before the name of its file.
fn under(folder: &str, error: &StatementError) -> Box<StatementError> {
    let mut error = error.clone();
    error.file = format!("{}/{}", folder.trim_end_matches('/'), error.file);
    Box::new(error)
}

/// Returns the value of `kind` in the JSON of an error.
fn kind_name(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Refused(_) => "refused",
        ErrorKind::Findings(_) => "folder",
        ErrorKind::Held { .. } => "held",
        ErrorKind::Blocked { .. } => "blocked",
        ErrorKind::HolderBusy { .. } => "holder_busy",
        ErrorKind::LockLost { .. } => "lock_lost",
        ErrorKind::Statement(_) => "statement",
        ErrorKind::Interrupted { .. } => "connection_lost",
        ErrorKind::Database { .. } => "database",
        ErrorKind::Cancelled => "interrupted",
        ErrorKind::Stopped(_) => "stopped",
        ErrorKind::Server(_) => "server",
        ErrorKind::Namespace(_) => "namespace",
        ErrorKind::Table(_) => "table",
        ErrorKind::Setting(_) => "setting",
        ErrorKind::LockFile(_) => "lock_file",
        ErrorKind::File { .. } => "file",
        ErrorKind::Journal(_) => "unfinished",
        ErrorKind::Adoption(_) => "adoption",
        ErrorKind::SessionLockNotMoved => "session_lock",
        ErrorKind::PlanChanged => "plan_changed",
        _ => "other",
    }
}

/// Returns the fields next to `kind` and `message` in the JSON of an error.
fn details(kind: &ErrorKind) -> ErrorDetails {
    match kind {
        ErrorKind::Refused(refusal) => ErrorDetails::Refused { problems: list(&refusal.problems) },
        ErrorKind::Held { holder, since, alive, waited } => ErrorDetails::Held {
            holder: holder.clone(),
            since: since.clone(),
            alive: *alive,
            waited_ms: millis(*waited),
        },
        ErrorKind::Blocked { obstacle, waited } => {
            ErrorDetails::Blocked { obstacle: obstacle.clone(), waited_ms: millis(*waited) }
        }
        ErrorKind::HolderBusy { holder } => ErrorDetails::HolderBusy { holder: holder.clone() },
        ErrorKind::LockLost { file, kept } => {
            ErrorDetails::LockLost { file: file.clone(), permanent: permanent(*kept) }
        }
        ErrorKind::Statement(error) | ErrorKind::Stopped(error) => ErrorDetails::Statement {
            file: error.file.clone(),
            line: error.position.map(|position| position.line),
            column: error.position.map(|position| position.column),
            statement: error.statement.map(|(number, _)| number),
            statements: error.statement.map(|(_, of)| of),
            code: error.code.clone(),
            database_message: error.message.clone(),
            detail: error.detail.clone(),
            hint: error.hint.clone(),
            context: error.context.clone(),
            permanent: permanent(error.kept),
        },
        ErrorKind::Interrupted { file, outcome, .. } => {
            ErrorDetails::ConnectionLost { file: file.clone(), outcome: outcome_name(*outcome) }
        }
        ErrorKind::Database { code, kept, .. } => {
            ErrorDetails::Database { code: code.clone(), permanent: permanent(*kept) }
        }
        ErrorKind::File { file, .. } => ErrorDetails::File { file: file.clone() },
        ErrorKind::LockFile(error) => {
            ErrorDetails::LockFile { path: error.path.display().to_string() }
        }
        _ => ErrorDetails::None,
    }
}

/// Returns how many statements are permanent; `None` if that cannot be determined.
fn permanent(kept: Kept) -> Option<usize> {
    match kept {
        Kept::Nothing => Some(0),
        Kept::Statements(count) => Some(count),
        Kept::InDoubt { .. } | Kept::Perhaps(_) => None,
    }
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Committed => "committed",
        Outcome::RolledBack => "rolled_back",
        Outcome::InDoubt => "in_doubt",
        Outcome::Unfinished { .. } => "unfinished",
        Outcome::Unknown => "unknown",
    }
}

/// Formats a refusal: first the Python tool's sentences, then every problem with its remedy.
fn refused(refusal: &PlanError) -> String {
    let mut lines = python::sentences(&refusal.problems);
    let indent = if lines.is_empty() { "" } else { "  " };
    let problems = refusal.problems.iter();
    lines.extend(problems.map(|it| format!("{indent}{}", sentence_of(it))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use jetbase_core::{Problem, Version};
    use jetbase_runtime::{NamespaceError, SettingError, TableError};

    use super::*;

    #[test]
    fn the_sentence_of_the_python_tool_comes_first() {
        let changed = |version: &str| Problem::Changed {
            version: Version::parse(version).unwrap(),
            file: format!("V{version}__a.sql"),
            recorded: "0123456789".to_owned(),
            found: "abcdefabcd".to_owned(),
            change: None,
        };
        let error = Error::from(PlanError { problems: vec![changed("1"), changed("2")] });
        let failure = CommandError::from(error);
        assert_eq!(failure.exit, Exit::Drift);
        let text = failure.blocks.concat();
        assert!(text.starts_with(
            "Checksum mismatch for versions: 1, 2. Files have been changed since migration.\n  V1__a.sql was changed"
        ));
    }

    #[test]
    fn each_kind_of_error_has_a_name_in_json() {
        let setting = SettingError::Wait { value: "x".to_owned() };
        for (error, kind) in [
            (Error::from(NamespaceError::InTransaction), "namespace"),
            (Error::from(TableError::RowsFiltered), "table"),
            (Error::from(setting), "setting"),
        ] {
            let error = CommandError::from(error);
            assert_eq!((error.kind, error.exit), (kind, Exit::Failed));
        }
    }

    #[test]
    fn a_wrong_request_is_no_drift() {
        let problem = Problem::NotApplied { version: Version::parse("9").unwrap() };
        let failure = CommandError::from(Error::from(PlanError { problems: vec![problem] }));
        assert_eq!(failure.exit, Exit::Failed);
        assert_eq!(
            serde_json::to_string(&failure.json()).unwrap(),
            r#"{"kind":"refused","message":"Version '9' has not been applied yet or does not exist.\n  Version 9 is not applied; name a version that the history shows as applied.","problems":[{"kind":"not_applied","version":"9","file":null,"message":"version 9 is not applied","help":"name a version that the history shows as applied"}]}"#
        );
    }
}
