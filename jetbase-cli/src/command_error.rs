//! Why a command failed: the Python tool's sentence if it has one, then jetbase's own with the
//! remedy.

use std::fmt::Display;

use jetbase_core::{Finding, Problem, Refusal};

use super::answer::{Code, Object, sentence};
use super::record::{finding, problem};
use jetbase_runtime::{Error, ErrorKind, Kept, Outcome, StatementError};

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The kind of failure, for programs.
    kind: &'static str,
    /// The text to print, with one block for each mistake.
    pub(crate) blocks: Vec<String>,
    pub(crate) code: Code,
    /// Further fields of the error, for programs.
    details: Object,
    /// What had been done before.
    pub(crate) partial: Object,
}

impl Failure {
    pub(crate) fn new(kind: &'static str, message: impl Into<String>, code: Code) -> Self {
        Failure {
            kind,
            blocks: vec![message.into()],
            code,
            details: Object::default(),
            partial: Object::default(),
        }
    }

    /// The command line or the configuration is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure::new("usage", message, Code::Usage)
    }

    /// Ctrl-C was pressed, and the current file is finished.
    pub(crate) fn interrupted(message: impl Into<String>) -> Self {
        Failure::new("interrupted", message, Code::Interrupted)
    }

    /// A file cannot be read or written.
    pub(crate) fn io(what: impl Display, error: &std::io::Error) -> Self {
        let text = error.to_string();
        let reason = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
        Failure::new("io", format!("{what}: {reason}"), Code::Failed)
    }

    /// The folder contains something that no command can work with.
    pub(crate) fn folder(findings: &[Finding], folder: &str, code: Code) -> Self {
        let blocks = findings.iter().map(|it| match sentence_of_finding(it) {
            Some(python) => format!("{python}\n{}", it.render(folder)),
            None => it.render(folder),
        });
        Failure {
            blocks: blocks.collect(),
            details: Object::default().list("findings", findings.iter().map(finding)),
            ..Failure::new("folder", "", code)
        }
    }

    pub(crate) fn partial(self, partial: Object) -> Self {
        Failure { partial, ..self }
    }

    /// Returns the value of `error` under `--json`.
    pub(crate) fn error(&self) -> Object {
        let head = Object::default().field("kind", self.kind);
        head.field("message", self.blocks.join("\n")).fields(&self.details)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::in_folder(&error, "")
    }
}

impl Failure {
    /// An error about files of a folder. The folder is shown before their names.
    pub(crate) fn in_folder(error: &Error, folder: &str) -> Self {
        let (kind, code) = class(error.kind());
        let mut message = match error.kind() {
            ErrorKind::Refused(refusal) => refused(refusal),
            ErrorKind::Findings(findings) => return Failure::folder(findings, folder, code),
            ErrorKind::Statement(error) if !folder.is_empty() => {
                let mut error = StatementError::clone(error);
                error.file = format!("{}/{}", folder.trim_end_matches('/'), error.file);
                sentence(&error.to_string())
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
        Failure { details: details(error.kind()), ..Failure::new(kind, message, code) }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::io("a file cannot be used", &error)
    }
}

fn class(kind: &ErrorKind) -> (&'static str, Code) {
    match kind {
        ErrorKind::Refused(refusal) => {
            let drift = refusal.problems.iter().any(Problem::is_drift);
            ("refused", if drift { Code::Drift } else { Code::Failed })
        }
        ErrorKind::Findings(_) => ("folder", Code::Failed),
        ErrorKind::Place(_) => ("place", Code::Failed),
        ErrorKind::Held { .. } => ("held", Code::Locked),
        ErrorKind::Blocked { .. } => ("blocked", Code::Locked),
        ErrorKind::LockLost { .. } => ("lock_lost", Code::Locked),
        ErrorKind::Statement(_) => ("statement", Code::Failed),
        ErrorKind::Interrupted { .. } => ("connection_lost", Code::Failed),
        ErrorKind::Database { .. } => ("database", Code::Failed),
        ErrorKind::Cancelled => ("interrupted", Code::Interrupted),
        _ => ("other", Code::Failed),
    }
}

/// Returns the fields next to `kind` and `message` in the JSON of an error.
fn details(kind: &ErrorKind) -> Object {
    let none = Object::default();
    match kind {
        ErrorKind::Refused(refusal) => none.list("problems", refusal.problems.iter().map(problem)),
        ErrorKind::Held { holder, since, alive, waited } => none
            .field("holder", holder.as_str())
            .field("since", since.clone())
            .field("alive", *alive)
            .field("waited_ms", millis(*waited)),
        ErrorKind::Blocked { obstacle, waited } => {
            none.field("obstacle", obstacle.as_str()).field("waited_ms", millis(*waited))
        }
        ErrorKind::LockLost { file, kept } => {
            none.field("file", file.clone()).field("permanent", permanent(*kept))
        }
        ErrorKind::Statement(error) => statement(error),
        ErrorKind::Interrupted { file, outcome, .. } => {
            none.field("file", file.as_str()).field("outcome", word(*outcome))
        }
        ErrorKind::Database { code, kept, .. } => {
            none.field("code", code.as_str()).field("permanent", permanent(*kept))
        }
        _ => none,
    }
}

fn statement(error: &StatementError) -> Object {
    Object::default()
        .field("file", error.file.as_str())
        .field("line", error.position.map(|position| position.line))
        .field("column", error.position.map(|position| position.column))
        .field("statement", error.statement.map(|(number, _)| number))
        .field("statements", error.statement.map(|(_, of)| of))
        .field("code", error.code.as_str())
        .field("database_message", error.message.as_str())
        .field("detail", error.detail.clone())
        .field("hint", error.hint.clone())
        .field("permanent", permanent(error.kept))
}

/// Returns how many statements are permanent; null if that cannot be determined.
fn permanent(kept: Kept) -> Option<usize> {
    match kept {
        Kept::Nothing => Some(0),
        Kept::Statements(count) => Some(count),
        Kept::Perhaps(_) => None,
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Committed => "committed",
        Outcome::RolledBack => "rolled_back",
        Outcome::InDoubt => "in_doubt",
        Outcome::Unknown => "unknown",
    }
}

/// Returns milliseconds, limited to the range of JSON numbers.
pub(crate) fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Formats a refusal: first the Python tool's sentences, then every problem with its remedy.
fn refused(refusal: &Refusal) -> String {
    let mut lines = sentences(&refusal.problems);
    let indent = if lines.is_empty() { "" } else { "  " };
    let own = refusal.problems.iter();
    lines.extend(own.map(|it| format!("{indent}{}", sentence(&format!("{it}; {}", it.help())))));
    lines.join("\n")
}

/// Returns the Python tool's sentences for these problems.
pub(crate) fn sentences(problems: &[Problem]) -> Vec<String> {
    let mut sentences = Vec::new();
    let changed: Vec<_> = problems.iter().filter_map(changed).collect();
    if !changed.is_empty() {
        let versions = changed.join(", ");
        sentences.push(format!(
            "Checksum mismatch for versions: {versions}. Files have been changed since migration."
        ));
    }
    sentences.extend(problems.iter().filter_map(sentence_of_problem));
    let repeatables: Vec<_> = problems.iter().filter_map(missing_repeatable).collect();
    if !repeatables.is_empty() {
        sentences.push(format!(
            "The following migrated repeatable files are missing: {}",
            repeatables.join(", ")
        ));
    }
    sentences
}

fn changed(problem: &Problem) -> Option<&str> {
    match problem {
        Problem::Changed { version, .. } | Problem::OtherSet { version, .. } => Some(version),
        _ => None,
    }
}

fn missing_repeatable(problem: &Problem) -> Option<&str> {
    match problem {
        Problem::MissingRepeatable { file } => Some(file),
        _ => None,
    }
}

fn sentence_of_problem(problem: &Problem) -> Option<String> {
    Some(match problem {
        Problem::Missing { version, .. } | Problem::Ahead { version, .. } => format!(
            "Version {version} has been migrated but is missing from the current migration files."
        ),
        Problem::OutOfOrder { file, version, latest } => format!(
            "{file} has version {version} which is lower than the latest migrated version {latest}.\n\
             New migration files cannot have versions lower than the latest migrated version.\n\
             Please rename the file to have a version higher than {latest}."
        ),
        Problem::UnknownTarget { version } => {
            format!("The specified to_version '{version}' does not exist among pending migrations.")
        }
        Problem::NotApplied { version } => {
            format!("Version '{version}' has not been applied yet or does not exist.")
        }
        Problem::NoFile { version, .. } => format!(
            "Migration file for version '{version}' not found. Cannot proceed with rollback."
        ),
        _ => return None,
    })
}

fn sentence_of_finding(finding: &Finding) -> Option<String> {
    let file = finding.file.rsplit('/').next().unwrap_or_default();
    match finding.rule {
        "name" => Some(format!("Invalid migration filename format: {file}.")),
        "duplicate-version" => {
            let version = jetbase_core::Name::parse(file).ok()?.version?;
            Some(format!("Duplicate migration version detected: {version}."))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_of_the_python_tool_comes_first() {
        let changed = |version: &str| Problem::Changed {
            version: version.to_owned(),
            file: format!("V{version}__a.sql"),
            recorded: "0123456789".to_owned(),
            found: "abcdefabcd".to_owned(),
        };
        let error = Error::from(Refusal { problems: vec![changed("1"), changed("2")] });
        let failure = Failure::from(error);
        assert_eq!(failure.code, Code::Drift);
        let text = failure.blocks.concat();
        assert!(text.starts_with(
            "Checksum mismatch for versions: 1, 2. Files have been changed since migration.\n  V1__a.sql was changed"
        ));
    }

    #[test]
    fn a_wrong_request_is_no_drift() {
        let problem = Problem::NotApplied { version: "9".to_owned() };
        let failure = Failure::from(Error::from(Refusal { problems: vec![problem] }));
        assert_eq!(failure.code, Code::Failed);
        assert_eq!(
            failure.error().to_string(),
            r#"{"kind":"refused","message":"Version '9' has not been applied yet or does not exist.\n  Version 9 is not applied; name a version that the history shows as applied.","problems":[{"kind":"not_applied","version":"9","file":null,"message":"version 9 is not applied","help":"name a version that the history shows as applied"}]}"#
        );
    }
}
