//! The work under the lock: plan again, refuse what this session cannot do, execute.

use std::time::{Duration, Instant};

use jetbase_core::{Dialect, SessionEffect};

use super::RunRequest;
use super::plan::{commits_of, plan_run, replaces};
use super::unfinished::resume_files;
use crate::error::{Error, ErrorKind, FileErrorKind};
use crate::event::{Event, Listener};
use crate::execute::{FailedFile, Job, JobGroup, JobProgress, prepare};
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
    session.reports_statements = listener.has_listener();
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
    for group in JobGroup::split(&jobs, session, request.transactions) {
        if request.options.cancel.is_requested() {
            break;
        }
        let [first, ..] = group.jobs else { continue };
        for job in group.jobs {
            job.fits(session)?;
            job.warnings.iter().for_each(|finding| listener.warn(finding.to_string()));
        }
        if first.session_use.reads {
            session.refresh_for_reader().await?;
        }
        session.prepare_reference_check(&group.texts(), first.is_permanent()).await;
        execute(session, listener, report, &group).await?;
        if first.needs_journal(session.dialect) {
            session.shrink_journal().await;
        }
        let is_last = group.start + group.jobs.len() == jobs.len();
        let next = if is_last { NextStep::Release } else { NextStep::File };
        session.refresh(group.session_effect(), next).await?;
    }
    Ok(())
}

/// Executes the files of a group, and adds them to the report when they are committed.
async fn execute(
    session: &mut Session<'_>,
    listener: &mut Listener,
    report: &mut Report,
    group: &JobGroup<'_, '_>,
) -> Result<(), Error> {
    let mut started: Vec<Option<Instant>> = vec![None; group.jobs.len()];
    let mut elapsed = vec![Duration::ZERO; group.jobs.len()];
    let executed = group.run(session, |index, progress| {
        let Some(job) = group.jobs.get(index) else { return };
        let (Some(started), Some(elapsed)) = (started.get_mut(index), elapsed.get_mut(index))
        else {
            return;
        };
        let (file, action) = (|| job.migration.file().to_owned(), job.action);
        let event = match progress {
            JobProgress::Started if started.is_some() => return,
            JobProgress::Started => {
                *started = Some(Instant::now());
                let (number, of) = (group.number(index), group.of);
                Event::Started { file: file(), number, of, action }
            }
            JobProgress::Ended => {
                *elapsed = started.map_or(Duration::ZERO, |started| started.elapsed());
                return;
            }
            JobProgress::Committed => {
                let (version, kind, elapsed) =
                    (job.migration.version(), job.migration.kind(), *elapsed);
                report.applied.push(Applied { file: file(), version, kind, action, elapsed });
                Event::Finished { file: file(), elapsed, action }
            }
            JobProgress::Retrying { attempt, reason } => {
                Event::Retrying { file: file(), attempt, reason: reason.to_owned() }
            }
            JobProgress::Statement { index, sql } => {
                let (statement, of) = (index + 1, job.count());
                Event::Executing { file: file(), statement, of, sql: sql.to_owned() }
            }
        };
        listener.emit(&event);
    });
    if let Err(FailedFile { index, error }) = executed.await {
        let before = group.jobs.iter().take(index);
        report.same_transaction = before.map(|job| job.migration.file().to_owned()).collect();
        return Err(error);
    }
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
