//! What becomes of a run: a lost connection, skipped files, warnings, the plan of a dry run.

use std::time::Duration;

use jetbase_core::{Action, Goal, Plan, SkipReason};

use super::Request;
use crate::error::{Error, ErrorKind, Outcome};
use crate::event::Event;
use crate::execute::Job;
use crate::lock;
use crate::report::{Planned, Report};
use crate::target::Connect;

/// Resolves a lost connection: reads from the history what became of the file, and releases the
/// lock where that is safe.
pub(super) async fn resolve_lost_connection(
    request: &mut Request,
    origin: &mut dyn Connect,
    error: Error,
    claim: &lock::Claim,
) -> Error {
    let ErrorKind::Interrupted { file, outcome, message } = error.kind().clone() else {
        return error;
    };
    let versioned = request.set.iter().any(|it| it.path() == file && !it.kind().is_repeatable());
    let rolling_back = matches!(request.goal, Goal::Rollback(_));
    // A server that restarts needs a moment. The run does not wait longer for a server that is
    // gone.
    for _ in 0..10 {
        let Ok(history) = lock::release_afresh(origin, &request.options, claim).await else {
            tokio::time::sleep(Duration::from_millis(500)).await;
            continue;
        };
        let name = file.rsplit('/').next().unwrap_or(&file);
        let recorded = history.iter().any(|it| it.file == name);
        let outcome = match outcome {
            _ if !versioned => Outcome::Unknown,
            _ if recorded != rolling_back => Outcome::Committed,
            Outcome::InDoubt => Outcome::InDoubt,
            _ => Outcome::RolledBack,
        };
        return error.with_kind(ErrorKind::Interrupted { file, outcome, message });
    }
    error
}

/// Reports what a plan skips.
pub(super) fn report_skipped(request: &mut Request, report: &mut Report, planned: &Plan) {
    report.skipped.clone_from(&planned.skipped);
    let ahead: Vec<_> =
        planned.skipped.iter().filter(|it| it.reason == SkipReason::Ahead).collect();
    if let Some(last) = ahead.last() {
        let message = format!(
            "the database is ahead of this program: a newer program applied {} ({} files in all); this run executes nothing",
            last.file,
            ahead.len()
        );
        warn(request, report, message);
    }
}

pub(super) fn warn(request: &mut Request, report: &mut Report, message: String) {
    request.listener.emit(&Event::Warning { message: message.clone() });
    report.warnings.push(message);
}

pub(super) fn planned_job(job: &Job<'_>) -> Planned {
    let action: Action = job.action;
    Planned { file: job.migration.file().to_owned(), action, statements: job.statements() }
}
