//! The steps of a run: read the state, plan, acquire the lock, plan again, execute, release.

use std::time::{Duration, Instant};

use futures_core::future::BoxFuture;
use jetbase_core::{Goal, Migration, Migrations, Record, Until};

use super::outcome::{planned_job, report_skipped, warn_about_markers, with_outcome};
use super::plan::{commits_of, plan_run, read_superseded};
use super::unfinished::refuse_unfinished;
use super::work::work;
use super::{Published, RunRequest};
use crate::adopt::{Adoption, advise, map_of};
use crate::environment;
use crate::error::{Error, Retry, TableError};
use crate::event::{Event, Listener};
use crate::execute::prepare;
use crate::lock::{
    Commits, DoneByOthers, LockRequest, is_rust_process_id, with_lock, with_lock_unless,
};
use crate::options::{DryRun, direct_or};
use crate::report::Report;
use crate::session::Session;
use crate::state::{DatabaseState, read_state_for_plan};
use crate::target::{Connect, ConnectionOwner};
use crate::wait::{Limit, NOTICE_INTERVAL, Wait, jittered};

/// Runs a request, and adds what was done to the report or to the error.
pub(super) async fn perform(
    request: &RunRequest,
    mut listener: Listener,
    source: &mut dyn Connect,
) -> Result<Report, Error> {
    let started = Instant::now();
    let mut report = Report::default();
    let result = attempt(request, &mut listener, source, &mut report).await;
    report.warnings = listener.take_warnings();
    report.elapsed = started.elapsed();
    if let Some(panic) = listener.take_panic() {
        std::panic::resume_unwind(panic);
    }
    match result {
        Ok(()) => Ok(report),
        Err(error) => Err(error.reporting(report)),
    }
}

/// Tries until the run succeeds or the wait is over. It waits while the server is starting, full,
/// or busy with other clients. If the server goes away before the first file, it starts again like
/// a new process.
async fn attempt(
    request: &RunRequest,
    listener: &mut Listener,
    source: &mut dyn Connect,
    report: &mut Report,
) -> Result<(), Error> {
    if let Some(warning) = crate::stale::warning(&request.set) {
        listener.warn(warning);
    }
    let wait = request.options.wait.clone()?;
    environment::lease()?;
    let mut limit = Limit::start(wait);
    let (mut was_reached, mut last_notice) = (false, None);
    loop {
        let mut reached = false;
        let error = match try_once(request, listener, source, report, limit, &mut reached).await {
            Err(error) if report.applied.is_empty() => error,
            // A run with a count does not start again: it would count from the beginning. Only a
            // run of everything does.
            Err(error) if error.restarts() && matches!(request.goal, Goal::Upgrade(Until::End)) => {
                limit = Limit::start(wait);
                error
            }
            result => return result,
        };
        was_reached |= reached;
        if reached {
            limit.restart();
        }
        // Do not wait for a server that was never reached: the address may be wrong.
        let retry = error.retry() == Retry::Yes
            || (error.retry() == Retry::IfServerWasThere && was_reached);
        if !retry || limit.time_left().is_zero() || request.options.cancel.is_requested() {
            return Err(error);
        }
        if last_notice.is_none_or(|last_notice: Instant| last_notice.elapsed() > NOTICE_INTERVAL) {
            last_notice = Some(Instant::now());
            listener.emit(&Event::Unavailable { reason: format!("{error:#}") });
        }
        request.options.cancel.sleep(jittered(Duration::from_millis(250))).await;
    }
}

/// Tries once. `reached` is set when the run has had a session of its own.
async fn try_once(
    request: &RunRequest,
    listener: &mut Listener,
    source: &mut dyn Connect,
    report: &mut Report,
    limit: Limit,
    reached: &mut bool,
) -> Result<(), Error> {
    let mut state = read_state_for_plan(source, &request.options.namespace, limit).await?;
    adopt_first(request, listener, source, report, limit, &mut state).await?;
    let history = state.history.as_deref().unwrap_or_default();
    let superseded = async || read_superseded(source, &state, limit).await;
    let planned = plan_run(request, history, superseded).await?;
    report_skipped(listener, report, &planned);
    warn_about_markers(listener, &request.set, history, state.namespace.syntax);
    let syntax = state.namespace.syntax;
    let jobs = prepare(&request.set, &planned, syntax, request.empty, Vec::new())?;
    refuse_unfinished(request, &state.journal, &jobs, listener)?;
    if request.options.dry_run == DryRun::Yes {
        let warnings = jobs.iter().flat_map(|job| &job.warnings);
        warnings.for_each(|finding| listener.warn(finding.to_string()));
        report.planned = jobs.iter().map(planned_job).collect();
        return Ok(());
    }
    // Check the direct URL early, before the run needs it.
    let mut direct = request.options.direct_source(source.dialect())?;
    let source = direct_or(&mut direct, source);
    if jobs.is_empty() {
        if state.lock_owner.as_deref().is_some_and(is_rust_process_id) {
            release_stale_lock(request, listener, source, &state, report).await;
        }
        return Ok(());
    }
    let commits = commits_of(&jobs, source.dialect());
    let lock_request = LockRequest { state: &state, options: &request.options, limit, commits };
    let check = |session: &Session<'_>| {
        *reached = session.owner == ConnectionOwner::Run;
        refuse_published(session, request.published)
    };
    let done = with_lock_unless(
        source,
        &lock_request,
        listener,
        check,
        RunByOthers { request },
        async |session, held, listener| {
            report.waited = held.waited;
            report.recovered.clone_from(&held.recovered);
            work(request, jobs, session, listener, report).await.map(|()| held.waited)
        },
    );
    match done.await.map_err(|failed| with_outcome(request, failed)) {
        Ok(waited) => {
            report.waited = waited;
            Ok(())
        }
        Err(error) if report.applied.is_empty() => Err(advise(error, source, &state, limit).await),
        Err(error) => Err(error),
    }
}

/// Plans the run again after a wait. The value is the time of the wait.
struct RunByOthers<'r> {
    request: &'r RunRequest,
}

impl DoneByOthers<Duration> for RunByOthers<'_> {
    fn value<'s>(
        &'s mut self,
        session: &'s mut Session<'_>,
        waited: Duration,
    ) -> BoxFuture<'s, Option<Duration>> {
        Box::pin(async move {
            let history = session.history().await.ok()?;
            let superseded = async || session.superseded().await;
            // What the plan refuses is refused again under the lock, with a reason.
            let planned = plan_run(self.request, &history, superseded).await.ok()?;
            planned.steps.is_empty().then_some(waited)
        })
    }
}

/// Adopts the history of the old tool before the first upgrade, if the set asks for it. Later, it adopts
/// what a program of the old release has applied since. A dry run plans as if it had been adopted.
async fn adopt_first(
    request: &RunRequest,
    listener: &mut Listener,
    source: &mut dyn Connect,
    report: &mut Report,
    limit: Limit,
    state: &mut DatabaseState,
) -> Result<(), Error> {
    let (set, options) = (&request.set, &request.options);
    if set.options().adopt.is_none() {
        return Ok(());
    }
    let ours = state.history.as_deref().unwrap_or_default();
    let is_pending = set.latest() > ours.iter().filter_map(|record| record.version.clone()).max();
    if !is_pending || !matches!(request.goal, Goal::Upgrade(_)) {
        return Ok(());
    }
    let Some(map) = map_of(set)? else { return Ok(()) };
    let adoption = Adoption { set, map: &map, options };
    let files = adoption.perform(source, state, limit, listener).await?.unwrap_or_default();
    if options.dry_run == DryRun::Yes {
        state.history.get_or_insert_default().extend(records_of(set, &files));
    } else if !files.is_empty() {
        report.adopted = files;
        *state = read_state_for_plan(source, &options.namespace, limit).await?;
    }
    Ok(())
}

/// Returns the rows that the history would have for these files.
fn records_of(set: &Migrations, files: &[String]) -> Vec<Record> {
    let applied = set.iter().filter(|it| files.iter().any(|file| file == it.file()));
    let record = |(index, migration): (usize, Migration<'_>)| Record {
        order: i64::try_from(index).unwrap_or_default() + 1,
        version: migration.version(),
        description: migration.description().into_owned(),
        file: migration.file().to_owned(),
        kind: migration.kind(),
        applied_at: String::new(),
        checksum: migration.checksum().to_string(),
    };
    applied.enumerate().map(record).collect()
}

/// Refuses to run if a publication contains jetbase's tables, unless the caller allows that.
fn refuse_published(session: &Session<'_>, published: Published) -> Result<(), Error> {
    let (Published::Refuse, [publication, ..]) = (published, session.published.as_slice()) else {
        return Ok(());
    };
    Err(TableError::Published { publication: publication.clone() }.into())
}

/// Releases a stale lock although there is nothing to do. The next run may be far away, and the
/// Python tool would refuse to run. It does not touch the lock of a holder that is alive.
async fn release_stale_lock(
    request: &RunRequest,
    listener: &mut Listener,
    source: &mut dyn Connect,
    state: &DatabaseState,
    report: &mut Report,
) {
    let lock_request = LockRequest {
        state,
        options: &request.options,
        limit: Limit::start(Wait::Never),
        commits: Commits::PerStatement,
    };
    let released = with_lock(
        source,
        &lock_request,
        listener,
        |_| Ok(()),
        async |_, held, _| {
            report.recovered.clone_from(&held.recovered);
            Ok(())
        },
    );
    // If this fails, the next run releases the lock.
    let _ = released.await;
}
