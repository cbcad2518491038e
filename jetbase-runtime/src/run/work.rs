//! The work under the lock: plan again, refuse what this session cannot do, execute.

use std::time::Instant;

use jetbase_core::{Dialect, SessionEffect};
use tracing::Instrument;

use super::RunRequest;
use super::plan::{commits_of, plan_run, replaces};
use super::unfinished::resume_files;
use crate::error::{Error, ErrorKind, FileErrorKind};
use crate::event::{Event, Listener};
use crate::execute::{Job, JobProgress, prepare};
use crate::lock::Commits;
use crate::report::{Applied, Report};
use crate::session::{Liveness, NextStep, Session};
use crate::target::ConnectionOwner;

/// Plans again, under the lock, and executes that plan. `prepared` has the jobs of the plan that was
/// made without the lock.
pub(super) async fn work<'m>(
    request: &'m RunRequest,
    prepared: Vec<Job<'m>>,
    session: &mut Session<'_>,
    listener: &mut Listener,
    report: &mut Report,
) -> Result<(), Error> {
    let history = session.history().await?;
    let planned = plan_run(request, &history, async || session.superseded().await).await?;
    report.skipped.clone_from(&planned.skipped);
    let set = &request.set;
    let mut jobs = prepare(set, &planned, session.namespace.syntax, request.empty, prepared)?;
    session.has_triggers |= jobs.iter().any(|job| job.mentions_trigger);
    refuse(session, &jobs)?;
    if session.owner == ConnectionOwner::Caller && session.dialect == Dialect::Postgres {
        set.iter().for_each(|migration| session.collect_setting_names(migration.script().text()));
        session.collect_setting_names_of_functions().await;
    }
    let effects = jobs.iter().map(|job| job.session_use.effect);
    session.take_snapshot_for(effects.max().unwrap_or(SessionEffect::Nothing)).await?;
    if replaces(set, &history, &planned) {
        session.create_superseded().await?;
    }
    resume_files(request, session, &mut jobs, listener).await?;
    for (index, job) in jobs.iter().enumerate() {
        if request.options.cancel.is_requested() {
            break;
        }
        job.warnings.iter().for_each(|finding| listener.warn(finding.to_string()));
        let span = tracing::info_span!(target: "jetbase", "jetbase.migration", file = job.migration.file());
        if job.session_use.reads {
            session.refresh_for_reader().await?;
        }
        session.prepare_reference_check(job.file_text(), job.is_permanent()).await;
        execute(session, listener, report, job, (index + 1, jobs.len())).instrument(span).await?;
        if job.needs_journal(session.dialect) {
            session.shrink_journal().await;
        }
        let next = if index + 1 < jobs.len() { NextStep::File } else { NextStep::Release };
        session.refresh(job.session_use.effect, next).await?;
    }
    Ok(())
}

async fn execute(
    session: &mut Session<'_>,
    listener: &mut Listener,
    report: &mut Report,
    job: &Job<'_>,
    (number, of): (usize, usize),
) -> Result<(), Error> {
    let file = job.migration.file().to_owned();
    let action = job.action;
    listener.emit(&Event::Started { file: file.clone(), number, of, action });
    let started = Instant::now();
    let label = format!("jetbase {file} {number}/{of}");
    job.run(session, &label, |progress| {
        let file = file.clone();
        listener.emit(&match progress {
            JobProgress::Retrying { attempt, reason } => {
                Event::Retrying { file, attempt, reason: reason.to_owned() }
            }
            JobProgress::Statement { index, sql } => {
                let (statement, of) = (index + 1, job.count());
                Event::Executing { file, statement, of, sql: sql.to_owned() }
            }
        });
    })
    .await?;
    let elapsed = started.elapsed();
    report.applied.push(Applied {
        file: file.clone(),
        version: job.migration.version(),
        kind: job.migration.kind(),
        action,
        elapsed,
    });
    listener.emit(&Event::Finished { file, elapsed, action });
    Ok(())
}

/// Refuses files that this session cannot execute, or whose effect on the session cannot be undone.
fn refuse(session: &Session<'_>, jobs: &[Job<'_>]) -> Result<(), Error> {
    if session.liveness == Liveness::Fenced
        && commits_of(jobs, session.dialect) == Commits::PerStatement
    {
        return Err(Error::new(ErrorKind::PlanChanged));
    }
    if let Some(job) = jobs.iter().find(|job| session.pooled && job.needs_own_session()) {
        return Err(Error::file(job.migration.path(), FileErrorKind::NeedsSession));
    }
    if let Some(job) =
        jobs.iter().find(|job| session.owner == ConnectionOwner::Caller && job.empties_session)
    {
        return Err(Error::file(job.migration.path(), FileErrorKind::EmptiesSession));
    }
    if let Some(job) = jobs.iter().find(|job| session.cannot_undo(job.session_use.effect)) {
        return Err(Error::file(job.migration.path(), FileErrorKind::LeavesObjects));
    }
    Ok(())
}
