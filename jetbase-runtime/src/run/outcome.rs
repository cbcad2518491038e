//! The outcome of a run: a lost connection, skipped files, the plan of a dry run.

use jetbase_core::{Action, Goal, Plan, SkipReason};

use super::RunRequest;
use crate::error::{Error, ErrorKind, Outcome};
use crate::event::Listener;
use crate::execute::Job;
use crate::journal::{Direction, Unfinished};
use crate::lock::WorkError;
use crate::report::{Planned, Report};

/// Adds to the error of a lost connection what the history says about the file.
pub(super) fn with_outcome(request: &RunRequest, failed: WorkError) -> Error {
    let WorkError { error, history, journal } = failed;
    let (ErrorKind::Interrupted { file, outcome, message }, Some(history)) =
        (error.kind().clone(), history)
    else {
        return error;
    };
    let versioned = request.set.iter().any(|it| it.path() == file && !it.kind().is_repeatable());
    let rolling_back = matches!(request.goal, Goal::Rollback(_));
    let name = file.rsplit('/').next().unwrap_or(&file);
    let recorded = history.iter().any(|it| it.file == name);
    let direction = if rolling_back { Direction::Rollback } else { Direction::Upgrade };
    let has_journal = journal.is_some();
    let mut unfinished = Unfinished::of(&journal.unwrap_or_default()).into_iter();
    let unfinished = unfinished.find(|it| it.file == name && it.direction == direction);
    let outcome = match (outcome, unfinished) {
        (_, Some(Unfinished { done, in_doubt, .. })) => Outcome::Unfinished { done, in_doubt },
        _ if !versioned => Outcome::Unknown,
        _ if recorded != rolling_back => Outcome::Committed,
        (Outcome::InDoubt, None) => Outcome::InDoubt,
        (Outcome::Unfinished { .. }, None) if !has_journal => outcome,
        _ => Outcome::RolledBack,
    };
    error.with_kind(ErrorKind::Interrupted { file, outcome, message })
}

/// Reports what a plan skips.
pub(super) fn report_skipped(listener: &mut Listener, report: &mut Report, planned: &Plan) {
    report.skipped.clone_from(&planned.skipped);
    let ahead: Vec<_> =
        planned.skipped.iter().filter(|it| it.reason == SkipReason::Ahead).collect();
    if let Some(last) = ahead.last() {
        listener.warn(format!(
            "the database is ahead of this program: a newer program applied {} ({} files in all); this run executes nothing",
            last.file,
            ahead.len()
        ));
    }
}

pub(super) fn planned_job(job: &Job<'_>) -> Planned {
    let action: Action = job.action;
    Planned { file: job.migration.file().to_owned(), action, statements: job.statements() }
}
