//! The JSON objects that commands print with `--json`. The order of their keys is documented.

#[cfg(test)]
mod tests;
mod values;

use std::time::Duration;

use jetbase_runtime::{LockStatus, RepairReport, Report};
use serde::Serialize;

pub(crate) use self::values::{
    AppliedJson, ChangeJson, ContentsJson, ConvertedJson, DetectedJson, DiagnosticJson,
    FindingJson, InspectJson, PendingJson, PlannedJson, ProblemJson, RecordJson, RenameJson,
    SkippedJson, StatementJson, UnfinishedJson,
};

/// The object that a command prints.
#[derive(Serialize)]
pub(crate) struct OutputJson<'a> {
    pub(crate) command: &'a str,
    pub(crate) ok: bool,
    pub(crate) exit_code: u8,
    #[serde(flatten)]
    pub(crate) fields: &'a CommandFields,
    pub(crate) error: Option<ErrorJson<'a>>,
}

/// The fields of a command, between `exit_code` and `error`.
#[derive(Debug, Default, Serialize)]
#[serde(untagged)]
pub(crate) enum CommandFields {
    #[default]
    None,
    Run {
        adopted: Vec<String>,
        applied: Vec<AppliedJson>,
        same_transaction: Vec<String>,
        planned: Vec<PlannedJson>,
        skipped: Vec<SkippedJson>,
        warnings: Vec<String>,
        waited_ms: u64,
        recovered: Option<String>,
        elapsed_ms: u64,
    },
    Status {
        applied: Vec<RecordJson>,
        pending: Vec<PendingJson>,
        skipped: Vec<SkippedJson>,
        problems: Vec<ProblemJson>,
        unfinished: Vec<UnfinishedJson>,
        lock: Box<CommandFields>,
    },
    Doctor {
        diagnostics: Vec<DiagnosticJson>,
    },
    History {
        records: Vec<RecordJson>,
    },
    Current {
        version: Option<String>,
    },
    Check {
        state: &'static str,
        pending: Vec<String>,
        unfinished: Vec<UnfinishedJson>,
    },
    LockStatus {
        locked: bool,
        locked_at: Option<String>,
        process_id: Option<String>,
        holder: Option<String>,
        alive: Option<bool>,
        unfinished: Vec<UnfinishedJson>,
    },
    Journal {
        unfinished: Vec<UnfinishedJson>,
    },
    Unlock {
        holder: Option<String>,
    },
    Validate {
        compared: Option<usize>,
        problems: Vec<ProblemJson>,
        skipped: Vec<SkippedJson>,
    },
    Repair {
        repaired: Vec<ChangeJson>,
    },
    Baseline {
        marked: Vec<String>,
        planned: Vec<String>,
        detected: Vec<DetectedJson>,
        suggested: Option<String>,
    },
    Init {
        created: Vec<String>,
    },
    New {
        file: String,
    },
    Sum {
        list: String,
        recorded: Vec<String>,
        entries: usize,
    },
    SumCheck {
        list: String,
        unrecorded: Vec<String>,
    },
    Text {
        text: String,
    },
    Renumber {
        renamed: Vec<RenameJson>,
    },
    Adopt {
        files: Vec<ConvertedJson>,
        map: String,
        written: bool,
        findings: Vec<FindingJson>,
        adopted: Vec<String>,
    },
}

/// The value of `error`.
#[derive(Serialize)]
pub(crate) struct ErrorJson<'a> {
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    #[serde(flatten)]
    pub(crate) details: &'a ErrorDetails,
}

/// The fields of an error, after `kind` and `message`.
#[derive(Debug, Default, Serialize)]
#[serde(untagged)]
pub(crate) enum ErrorDetails {
    #[default]
    None,
    Findings {
        findings: Vec<FindingJson>,
    },
    Refused {
        problems: Vec<ProblemJson>,
    },
    Held {
        holder: String,
        since: Option<String>,
        alive: Option<bool>,
        waited_ms: u64,
    },
    Blocked {
        obstacle: String,
        waited_ms: u64,
    },
    HolderBusy {
        holder: String,
    },
    LockLost {
        file: Option<String>,
        permanent: Option<usize>,
    },
    Statement {
        file: String,
        line: Option<usize>,
        column: Option<usize>,
        statement: Option<usize>,
        statements: Option<usize>,
        code: String,
        database_message: String,
        detail: Option<String>,
        hint: Option<String>,
        context: Option<String>,
        permanent: Option<usize>,
    },
    ConnectionLost {
        file: String,
        outcome: &'static str,
    },
    Database {
        code: String,
        permanent: Option<usize>,
    },
    File {
        file: String,
    },
    LockFile {
        path: String,
    },
}

/// Converts a list to its JSON values.
pub(crate) fn list<'a, T: 'a, J: From<&'a T>>(values: impl IntoIterator<Item = &'a T>) -> Vec<J> {
    values.into_iter().map(J::from).collect()
}

/// Returns milliseconds, limited to the range of JSON numbers.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl From<&Report> for CommandFields {
    fn from(report: &Report) -> Self {
        CommandFields::Run {
            adopted: report.adopted.clone(),
            applied: list(&report.applied),
            same_transaction: report.same_transaction.clone(),
            planned: list(&report.planned),
            skipped: list(&report.skipped),
            warnings: report.warnings.clone(),
            waited_ms: millis(report.waited),
            recovered: report.recovered.clone(),
            elapsed_ms: millis(report.elapsed),
        }
    }
}

impl From<&LockStatus> for CommandFields {
    fn from(status: &LockStatus) -> Self {
        CommandFields::LockStatus {
            locked: status.locked,
            locked_at: status.locked_at.clone(),
            process_id: status.process_id.clone(),
            holder: status.holder.clone(),
            alive: status.alive,
            unfinished: list(&status.unfinished),
        }
    }
}

impl From<&RepairReport> for CommandFields {
    fn from(report: &RepairReport) -> Self {
        CommandFields::Repair { repaired: list(&report.repaired) }
    }
}
