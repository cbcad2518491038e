//! The objects in the lists of a result.

use jetbase_core::{
    Action, ConvertedFile, DetectedState, Finding, Problem, Record, Rename, SkipReason, Skipped,
};
use jetbase_runtime::{
    Applied, DetectedVersion, Diagnostic, HistoryChange, Pending, Planned, Unfinished,
};
use serde::Serialize;

use super::millis;

/// A migration that was executed.
#[derive(Debug, Serialize)]
pub(crate) struct AppliedJson {
    file: String,
    version: Option<String>,
    kind: &'static str,
    action: &'static str,
    elapsed_ms: u64,
}

/// A migration that a dry run would execute.
#[derive(Debug, Serialize)]
pub(crate) struct PlannedJson {
    file: String,
    action: &'static str,
    statements: Vec<String>,
}

/// A pending version, compared with the database.
#[derive(Debug, Serialize)]
pub(crate) struct DetectedJson {
    version: String,
    file: String,
    state: &'static str,
    done: Vec<String>,
    missing: Vec<String>,
}

/// A migration that a run skips.
#[derive(Debug, Serialize)]
pub(crate) struct SkippedJson {
    file: String,
    reason: &'static str,
    message: String,
}

/// A row of the history.
#[derive(Debug, Serialize)]
pub(crate) struct RecordJson {
    order: i64,
    version: Option<String>,
    description: String,
    file: String,
    kind: &'static str,
    applied_at: String,
    checksum: String,
}

/// A migration that a run would execute.
#[derive(Debug, Serialize)]
pub(crate) struct PendingJson {
    version: Option<String>,
    description: String,
    file: String,
    kind: &'static str,
}

/// A reason why a run would refuse.
#[derive(Debug, Serialize)]
pub(crate) struct ProblemJson {
    kind: &'static str,
    version: Option<String>,
    file: Option<String>,
    message: String,
    help: String,
}

/// A line of a diagnosis.
#[derive(Debug, Serialize)]
pub(crate) struct DiagnosticJson {
    subject: &'static str,
    level: &'static str,
    message: String,
    help: String,
}

/// A file of which only a part is permanent.
#[derive(Debug, Serialize)]
pub(crate) struct UnfinishedJson {
    file: String,
    direction: &'static str,
    done: usize,
    in_doubt: Option<usize>,
    leftover: Option<String>,
    message: String,
}

impl From<&Unfinished> for UnfinishedJson {
    fn from(unfinished: &Unfinished) -> Self {
        UnfinishedJson {
            file: unfinished.file.clone(),
            direction: unfinished.direction.as_str(),
            done: unfinished.done,
            in_doubt: unfinished.in_doubt,
            leftover: unfinished.leftover.clone(),
            message: unfinished.to_string(),
        }
    }
}

/// A finding in a file.
#[derive(Debug, Serialize)]
pub(crate) struct FindingJson {
    severity: String,
    rule: &'static str,
    file: String,
    line: Option<usize>,
    column: Option<usize>,
    message: String,
    help: String,
}

/// A change of the history.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum ChangeJson {
    Checksum { kind: &'static str, version: String, file: String, from: String, to: String },
    Row { kind: &'static str, version: Option<String>, file: String },
}

/// A file that has a new name.
#[derive(Debug, Serialize)]
pub(crate) struct RenameJson {
    from: String,
    to: String,
}

/// A file of a conversion.
#[derive(Debug, Serialize)]
pub(crate) struct ConvertedJson {
    path: String,
    from: Vec<String>,
}

/// A line of `inspect --json`.
#[derive(Debug, Serialize)]
pub(crate) struct InspectJson {
    pub(crate) file: String,
    pub(crate) valid_name: bool,
    pub(crate) kind: Option<&'static str>,
    pub(crate) version: Option<String>,
    pub(crate) description: Option<String>,
    #[serde(flatten)]
    pub(crate) contents: ContentsJson,
    pub(crate) findings: Vec<InspectFindingJson>,
}

/// The contents of a file. The texts are null if the file cannot be read.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ContentsJson {
    pub(crate) delimiter: Option<String>,
    pub(crate) checksum: Option<String>,
    pub(crate) upgrade: Vec<StatementJson>,
    pub(crate) rollback: Vec<StatementJson>,
}

/// A statement, with the line of the file where it begins.
#[derive(Debug, Serialize)]
pub(crate) struct StatementJson {
    pub(crate) line: usize,
    pub(crate) sql: String,
}

/// A finding with its five documented fields.
#[derive(Debug, Serialize)]
pub(crate) struct InspectFindingJson {
    severity: String,
    rule: &'static str,
    line: Option<usize>,
    column: Option<usize>,
    message: String,
}

impl From<&Applied> for AppliedJson {
    fn from(applied: &Applied) -> Self {
        AppliedJson {
            file: applied.file.clone(),
            version: applied.version.as_ref().map(ToString::to_string),
            kind: applied.kind.as_str(),
            action: action(applied.action),
            elapsed_ms: millis(applied.elapsed),
        }
    }
}

impl From<&Planned> for PlannedJson {
    fn from(planned: &Planned) -> Self {
        PlannedJson {
            file: planned.file.clone(),
            action: action(planned.action),
            statements: planned.statements.clone(),
        }
    }
}

impl From<&DetectedVersion> for DetectedJson {
    fn from(it: &DetectedVersion) -> Self {
        DetectedJson {
            version: it.version.to_string(),
            file: it.file.clone(),
            state: match it.state {
                DetectedState::AlreadyThere => "already_there",
                DetectedState::ToApply => "to_apply",
                DetectedState::Conflict => "conflict",
                DetectedState::Unknown => "unknown",
            },
            done: it.done.clone(),
            missing: it.missing.clone(),
        }
    }
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Apply => "apply",
        Action::Reapply => "reapply",
        Action::RollBack => "roll_back",
    }
}

impl From<&Skipped> for SkippedJson {
    fn from(skipped: &Skipped) -> Self {
        let reason = match skipped.reason {
            SkipReason::Ahead => "ahead",
            SkipReason::Missing => "missing",
            SkipReason::OutOfOrder => "out_of_order",
            SkipReason::Changed => "changed",
            SkipReason::Superseded => "superseded",
            SkipReason::NotRepeated => "not_repeated",
        };
        SkippedJson { file: skipped.file.clone(), reason, message: skipped.reason.to_string() }
    }
}

impl From<&Record> for RecordJson {
    fn from(record: &Record) -> Self {
        RecordJson {
            order: record.order,
            version: record.version.as_ref().map(ToString::to_string),
            description: record.description.clone(),
            file: record.file.clone(),
            kind: record.kind.as_str(),
            applied_at: record.applied_at.clone(),
            checksum: record.checksum.clone(),
        }
    }
}

impl From<&Pending> for PendingJson {
    fn from(pending: &Pending) -> Self {
        PendingJson {
            version: pending.version.as_ref().map(ToString::to_string),
            description: pending.description.clone(),
            file: pending.file.clone(),
            kind: pending.kind.as_str(),
        }
    }
}

impl From<&Problem> for ProblemJson {
    fn from(problem: &Problem) -> Self {
        let (kind, version, file) = match problem {
            Problem::Changed { version, file, .. } => {
                ("changed", Some(version.to_string()), Some(file))
            }
            Problem::OtherSet { version, file, .. } => {
                ("other_set", Some(version.to_string()), Some(file))
            }
            Problem::Respelled { file, recorded } => {
                ("respelled", Some(recorded.to_string()), Some(file))
            }
            Problem::Renamed { version, recorded, .. } => {
                ("renamed", version.as_ref().map(ToString::to_string), Some(recorded))
            }
            Problem::Missing { version, file } => {
                ("missing", Some(version.to_string()), Some(file))
            }
            Problem::MissingRepeatable { file } => ("missing", None, Some(file)),
            Problem::Ahead { version, file } => ("ahead", Some(version.to_string()), Some(file)),
            Problem::OutOfOrder { file, version, .. } => {
                ("out_of_order", Some(version.to_string()), Some(file))
            }
            Problem::UnknownVersion { version } => {
                ("unknown_version", Some(version.to_string()), None)
            }
            Problem::NotApplied { version } => ("not_applied", Some(version.to_string()), None),
            Problem::NoFile { version, file } => ("no_file", Some(version.to_string()), Some(file)),
            Problem::NoRollback { file } => ("no_rollback", None, Some(file)),
            Problem::Recorded { file } => ("recorded", None, Some(file)),
            Problem::HasHistory { .. } => ("has_history", None, None),
            Problem::NotRepeatable { file } => ("not_repeatable", None, Some(file)),
            _ => ("other", None, None),
        };
        ProblemJson {
            kind,
            version,
            file: file.cloned(),
            message: problem.to_string(),
            help: problem.help().to_string(),
        }
    }
}

impl From<&Diagnostic> for DiagnosticJson {
    fn from(line: &Diagnostic) -> Self {
        DiagnosticJson {
            subject: line.subject,
            level: line.level.name(),
            message: line.message.clone(),
            help: line.help.clone(),
        }
    }
}

impl From<&Finding> for FindingJson {
    fn from(finding: &Finding) -> Self {
        FindingJson {
            severity: finding.severity.to_string(),
            rule: finding.rule,
            file: finding.file.clone(),
            line: finding.position.map(|position| position.line),
            column: finding.position.map(|position| position.column),
            message: finding.message.clone(),
            help: finding.help.clone(),
        }
    }
}

impl From<&Finding> for InspectFindingJson {
    fn from(finding: &Finding) -> Self {
        InspectFindingJson {
            severity: finding.severity.to_string(),
            rule: finding.rule,
            line: finding.position.map(|position| position.line),
            column: finding.position.map(|position| position.column),
            message: finding.message.clone(),
        }
    }
}

impl From<&HistoryChange> for ChangeJson {
    fn from(change: &HistoryChange) -> Self {
        match change {
            HistoryChange::ChecksumUpdated { version, file, from, to, .. } => {
                ChangeJson::Checksum {
                    kind: "checksum",
                    version: version.to_string(),
                    file: file.clone(),
                    from: from.clone(),
                    to: to.clone(),
                }
            }
            HistoryChange::RowDeleted { version, file, .. } => ChangeJson::Row {
                kind: "forgotten",
                version: version.as_ref().map(ToString::to_string),
                file: file.clone(),
            },
        }
    }
}

impl From<&Rename> for RenameJson {
    fn from(rename: &Rename) -> Self {
        RenameJson { from: rename.from.clone(), to: rename.to.clone() }
    }
}

impl From<&ConvertedFile> for ConvertedJson {
    fn from(file: &ConvertedFile) -> Self {
        ConvertedJson { path: file.path.clone(), from: file.from.clone() }
    }
}
