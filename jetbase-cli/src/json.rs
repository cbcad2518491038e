//! History rows, problems and findings as JSON objects.

use jetbase_core::{Action, Finding, Kind, Problem, Record, SkipReason, Skipped};

use super::answer::Object;
use jetbase_runtime::Pending;

/// Formats a row of the history.
pub(crate) fn record(record: &Record) -> Object {
    Object::default()
        .field("order", record.order)
        .field("version", record.version.clone())
        .field("description", record.description.as_str())
        .field("file", record.file.as_str())
        .field("kind", record.kind.as_str())
        .field("applied_at", record.applied_at.as_str())
        .field("checksum", record.checksum.as_str())
}

/// Formats a migration that would run.
pub(crate) fn pending(pending: &Pending) -> Object {
    Object::default()
        .field("version", pending.version.clone())
        .field("description", pending.description.as_str())
        .field("file", pending.file.as_str())
        .field("kind", pending.kind.as_str())
}

/// Formats a migration that is skipped.
pub(crate) fn skipped(skipped: &Skipped) -> Object {
    let reason = match skipped.reason {
        SkipReason::Ahead => "ahead",
        SkipReason::Missing => "missing",
        SkipReason::OutOfOrder => "out_of_order",
        SkipReason::Changed => "changed",
        SkipReason::Superseded => "superseded",
    };
    let object = Object::default().field("file", skipped.file.as_str()).field("reason", reason);
    object.field("message", skipped.reason.to_string())
}

/// Formats a problem that prevents a run.
pub(crate) fn problem(problem: &Problem) -> Object {
    let (kind, version, file) = match problem {
        Problem::Changed { version, file, .. } => ("changed", Some(version), Some(file)),
        Problem::OtherSet { version, file, .. } => ("other_set", Some(version), Some(file)),
        Problem::Respelled { file, recorded } => ("respelled", Some(recorded), Some(file)),
        Problem::Missing { version, file } => ("missing", Some(version), Some(file)),
        Problem::MissingRepeatable { file } => ("missing", None, Some(file)),
        Problem::Ahead { version, file } => ("ahead", Some(version), Some(file)),
        Problem::OutOfOrder { file, version, .. } => ("out_of_order", Some(version), Some(file)),
        Problem::UnknownTarget { version } => ("unknown_target", Some(version), None),
        Problem::NotApplied { version } => ("not_applied", Some(version), None),
        Problem::NoFile { version, file } => ("no_file", Some(version), Some(file)),
        Problem::NoRollback { file } => ("no_rollback", None, Some(file)),
        _ => ("other", None, None),
    };
    Object::default()
        .field("kind", kind)
        .field("version", version.cloned())
        .field("file", file.cloned())
        .field("message", problem.to_string())
        .field("help", problem.help())
}

/// Formats a finding, with its remedy.
pub(crate) fn finding(finding: &Finding) -> Object {
    Object::default()
        .field("severity", finding.severity.to_string())
        .field("rule", finding.rule)
        .field("file", finding.file.as_str())
        .field("line", finding.position.map(|position| position.line))
        .field("column", finding.position.map(|position| position.column))
        .field("message", finding.message.as_str())
        .field("help", finding.help.as_str())
}

/// Returns the word for an action.
pub(crate) fn action(action: Action) -> &'static str {
    match action {
        Action::Apply => "apply",
        Action::Reapply => "reapply",
        Action::RollBack => "roll_back",
    }
}

/// Returns the text for the column `Version` of a table.
pub(crate) fn shown_version(version: Option<&str>, kind: Kind) -> String {
    version.unwrap_or(kind.as_str()).to_owned()
}
