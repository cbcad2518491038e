//! The work under the lock: plan again, refuse what this session cannot do, execute.

use std::time::Instant;

use jetbase_core::{Dialect, SessionEffect};
use tracing::Instrument;

use super::Request;
use super::perform::{planned, work_of};
use crate::error::Error;
use crate::event::Event;
use crate::execute::{Job, prepare};
use crate::lock::{Commits, Liveness};
use crate::report::{Applied, Report};
use crate::session::{Next, Session};
use crate::target::Owner;

/// Plans again, under the lock, and executes that plan.
pub(super) async fn work(
    request: &mut Request,
    session: &mut Session<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let history = session.history().await?;
    let planned = planned(request, &history, async || session.superseded().await).await?;
    report.skipped.clone_from(&planned.skipped);
    let set = request.set.clone();
    let syntax = session.namespace.syntax.unwrap_or(jetbase_core::Syntax::of(session.dialect));
    let jobs = prepare(&set, &planned, syntax)?;
    session.has_triggers |= jobs.iter().any(|job| job.mentions_trigger);
    refuse(session, &jobs)?;
    session.count_orphans().await;
    if session.owner == Owner::Caller && session.dialect == Dialect::Postgres {
        set.iter().for_each(|migration| session.learn_settings(migration.script().text()));
        session.learn_settings_of_functions().await;
    }
    let effects = jobs.iter().map(|job| job.session_use.effect);
    session.remember(effects.max().unwrap_or(SessionEffect::Nothing)).await?;
    if jobs.iter().any(Job::replaces) {
        session.create_superseded().await?;
    }
    for (index, job) in jobs.iter().enumerate() {
        if request.cancel.is_asked() {
            break;
        }
        let span = tracing::info_span!(target: "jetbase", "jetbase.migration", file = job.migration.file());
        if job.session_use.reads {
            session.refresh_for_reader().await?;
        }
        execute(request, session, report, job, (index + 1, jobs.len())).instrument(span).await?;
        let next = if index + 1 < jobs.len() { Next::File } else { Next::Release };
        session.refresh(job.session_use.effect, next).await?;
    }
    Ok(())
}

async fn execute(
    request: &mut Request,
    session: &mut Session<'_>,
    report: &mut Report,
    job: &Job<'_>,
    (number, of): (usize, usize),
) -> Result<(), Error> {
    let file = job.migration.file().to_owned();
    let action = job.action;
    request.listener.emit(&Event::Started { file: file.clone(), number, of, action });
    let started = Instant::now();
    let label = format!("jetbase {file} {number}/{of}");
    let listener = &mut request.listener;
    job.run(session, &label, |attempt, reason| {
        listener.emit(&Event::Retrying { file: file.clone(), attempt, reason: reason.to_owned() });
    })
    .await?;
    let elapsed = started.elapsed();
    report.applied.push(Applied {
        file: file.clone(),
        version: job.migration.version().map(str::to_owned),
        kind: job.migration.kind(),
        action,
        elapsed,
    });
    request.listener.emit(&Event::Finished { file, elapsed, action });
    Ok(())
}

/// Refuses files that this session cannot execute, or whose effect on the session cannot be undone.
fn refuse(session: &Session<'_>, jobs: &[Job<'_>]) -> Result<(), Error> {
    if session.liveness == Liveness::Fenced
        && work_of(jobs, session.dialect) == Commits::PerStatement
    {
        return Err(Error::place(
            "while this run waited, files became pending that commit by themselves; run again",
        ));
    }
    if let Some(job) = jobs.iter().find(|job| session.pooled && job.needs_own_session()) {
        return Err(Error::place(format!(
            "{} sets something for its session that outlives a transaction, but a pooler may give each of its \
             statements another session, and the settings to other programs; name a way past the pooler with \
             `direct_url` or JETBASE_DIRECT_URL",
            job.migration.path()
        )));
    }
    if let Some(job) = jobs.iter().find(|job| session.owner == Owner::Caller && job.empties_session)
    {
        return Err(Error::place(format!(
            "{} empties its session (DISCARD, RESET ALL, DEALLOCATE ALL, CLOSE ALL or UNLISTEN *), and this connection is \
             borrowed: what its owner has in it would be gone; pass a pool or a URL instead of `&mut` a connection",
            job.migration.path()
        )));
    }
    if let Some(job) = jobs.iter().find(|job| session.cannot_undo(job.session_use.effect)) {
        return Err(Error::place(format!(
            "{} makes something that lives as long as its session, such as a temporary table or a variable, and a \
             borrowed connection cannot be given back without it; pass a pool or a URL instead of `&mut` a connection",
            job.migration.path()
        )));
    }
    Ok(())
}
