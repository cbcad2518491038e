//! The outcome of a run: a lost connection, skipped files, the plan of a dry run.

use std::collections::HashSet;

use jetbase_core::{Action, Goal, Migrations, Plan, Record, SkipReason, Syntax, check_markers};

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
        // A redo executes both sections of a file, and the row does not tell which one was lost.
        _ if !versioned || matches!(request.goal, Goal::Redo(_)) => Outcome::Unknown,
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

/// Warns about applied files of a folder with a comment that is nearly the rollback marker. The macro
/// has checked the files of an embedded set.
pub(super) fn warn_about_markers(
    listener: &mut Listener,
    set: &Migrations,
    history: &[Record],
    syntax: Syntax,
) {
    if set.is_embedded() {
        return;
    }
    let applied: HashSet<_> = history.iter().filter_map(|it| it.version.as_ref()).collect();
    for migration in set.iter() {
        if migration.version().is_some_and(|version| applied.contains(&version)) {
            let findings = check_markers(migration.path(), &migration.script(), syntax);
            findings.iter().for_each(|finding| listener.warn(finding.to_string()));
        }
    }
}

pub(super) fn planned_job(job: &Job<'_>) -> Planned {
    let action: Action = job.action;
    Planned { file: job.migration.file().to_owned(), action, statements: job.statements() }
}
