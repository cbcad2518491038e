//! The exit codes of all commands, and which result has which code.

use std::process::ExitCode;

use jetbase_core::{Finding, Problem};
use jetbase_runtime::{AdoptionError, ErrorKind, JournalError, Readiness};

/// How a command ended. `--help` documents the codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The command did its work, or there was none.
    #[default]
    Done = 0,
    /// The command failed for a reason that has no code of its own.
    Failed = 1,
    /// The arguments or the settings are wrong.
    Usage = 2,
    /// `check`: migrations are pending. `sum --check`: migrations are not recorded. `adopt`: something is
    /// left to do by hand.
    Pending = 10,
    /// The files differ from the history or from the list of recorded migrations. `baseline --detect`: a
    /// version is there in part.
    Drift = 11,
    /// Another process holds the lock, keeps it from being taken or released, or took it away.
    Locked = 12,
    /// Ctrl-C stopped the run.
    Interrupted = 130,
    /// SIGTERM stopped the run.
    Terminated = 143,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// The code for problems that a validation found.
    pub(crate) fn of_problems(problems: &[Problem]) -> Self {
        if problems.is_empty() { Exit::Done } else { Exit::Drift }
    }

    /// The code for errors in files. Those about the list of recorded migrations are drift.
    pub(crate) fn of_findings(findings: &[Finding]) -> Self {
        if findings.iter().any(is_about_list) { Exit::Drift } else { Exit::Failed }
    }

    /// The code for files that are not in the list of recorded migrations.
    pub(crate) fn of_unrecorded(files: &[String]) -> Self {
        if files.is_empty() { Exit::Done } else { Exit::Pending }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

impl From<&ErrorKind> for Exit {
    fn from(kind: &ErrorKind) -> Self {
        match kind {
            ErrorKind::Refused(refusal) if refusal.problems.iter().any(Problem::is_drift) => {
                Exit::Drift
            }
            ErrorKind::Journal(JournalError::Changed { .. } | JournalError::FileGone(_)) => {
                Exit::Drift
            }
            ErrorKind::Adoption(AdoptionError::Differs(_)) => Exit::Drift,
            ErrorKind::Adoption(AdoptionError::Busy { .. })
            | ErrorKind::Held { .. }
            | ErrorKind::Blocked { .. }
            | ErrorKind::HolderBusy { .. }
            | ErrorKind::LockLost { .. } => Exit::Locked,
            ErrorKind::Cancelled | ErrorKind::Stopped(_) => Exit::Interrupted,
            _ => Exit::Failed,
        }
    }
}

impl From<&Readiness> for Exit {
    fn from(readiness: &Readiness) -> Self {
        if readiness.is_ready() { Exit::Done } else { Exit::Pending }
    }
}

/// Whether a finding is about the list of recorded migrations, and not about one file.
pub(crate) fn is_about_list(finding: &Finding) -> bool {
    LIST_RULES.contains(&finding.rule)
}

const LIST_RULES: [&str; 9] = [
    "changed",
    "renamed",
    "replaced",
    "deleted",
    "out-of-order",
    "list",
    "conflict",
    "missing-list",
    "accept",
];
