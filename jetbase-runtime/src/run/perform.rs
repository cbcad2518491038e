//! The steps of a run: read the state, plan, acquire the lock, plan again, execute, release.

use std::time::{Duration, Instant};

use futures_core::future::BoxFuture;
use jetbase_core::{Action, Dialect, Goal, Kind, Migrations, Plan, Record, Step, Until, plan};
use tracing::{Instrument, Span};

use super::outcome::{planned_job, report_skipped, resolve_lost_connection, warn};
use super::work::work;
use super::{DryRun, Published, Request};
use crate::cancel::{AskOnDrop, Cancel};
use crate::environment;
use crate::error::{Error, ErrorKind, Retry};
use crate::event::Event;
use crate::execute::{Job, prepare};
use crate::lock::{self, Commits, Held, Limit, Release, Wait};
use crate::report::Report;
use crate::session::{Session, nonce};
use crate::state::{DatabaseState, NamespaceOptions, read_database_state};
use crate::target::{Connect, ConnectionSource, DedicatedConnection, Owner, Source, source_of_url};

/// Starts a run.
pub(crate) fn start(
    source: Source<'_>,
    mut request: Request,
) -> BoxFuture<'_, Result<Report, Error>> {
    let name = match request.goal {
        Goal::Upgrade(_) => "upgrade",
        Goal::Rollback(_) => "rollback",
    };
    let span = tracing::info_span!(target: "jetbase", "jetbase.run", goal = name);
    in_task(source, request.cancel.clone(), span, move |origin| {
        Box::pin(async move { perform(&mut request, origin).await })
    })
}

/// Does the work of a command, in a task of its own where that is possible. When the future of such
/// a task is dropped, the task is asked to stop.
pub(crate) fn in_task<'t, T: Send + 'static>(
    source: Source<'t>,
    cancel: Cancel,
    span: Span,
    work: impl for<'c> FnOnce(&'c mut dyn Connect) -> BoxFuture<'c, Result<T, Error>> + Send + 'static,
) -> BoxFuture<'t, Result<T, Error>> {
    match source.0 {
        ConnectionSource::Shared(mut origin) => Box::pin(async move {
            let guard = AskOnDrop(cancel);
            let work = async move { work(origin.as_mut()).await };
            let result = tokio::spawn(work.instrument(span)).await;
            drop(guard);
            result.unwrap_or_else(|failure| match failure.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::new(ErrorKind::Cancelled)),
            })
        }),
        ConnectionSource::Borrowed(mut origin) => {
            Box::pin(async move { work(origin.as_mut()).await }.instrument(span))
        }
        ConnectionSource::Broken(why) => Box::pin(async move { Err(Error::place(why)) }),
    }
}

/// Runs a request, and adds what was done to the report or to the error.
async fn perform(request: &mut Request, origin: &mut dyn Connect) -> Result<Report, Error> {
    let started = Instant::now();
    let mut report = Report::default();
    let result = attempt(request, origin, &mut report).await;
    report.elapsed = started.elapsed();
    if let Some(panic) = request.listener.take_panic() {
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
    request: &mut Request,
    origin: &mut dyn Connect,
    report: &mut Report,
) -> Result<(), Error> {
    if let Some(warning) = crate::stale::warning(&request.set) {
        warn(request, report, warning);
    }
    let wait = request.wait.clone().map_err(Error::place)?;
    environment::lease().map_err(Error::place)?;
    let mut limit = Limit::begin(wait);
    let (mut was_there, mut last_notice) = (false, None);
    loop {
        let mut reached = false;
        let error = match once(request, origin, report, limit, &mut reached).await {
            Err(error) if report.applied.is_empty() => error,
            // A run with a count does not start again: it would count from the beginning. Only a
            // run of everything does.
            Err(error) if error.restarts() && matches!(request.goal, Goal::Upgrade(Until::End)) => {
                limit = Limit::begin(wait);
                error
            }
            result => return result,
        };
        was_there |= reached;
        if reached {
            limit.renew();
        }
        // Do not wait for a server that was never reached: the address may be wrong.
        let retry =
            error.retry() == Retry::Yes || (error.retry() == Retry::IfServerWasThere && was_there);
        if !retry || limit.left().is_zero() || request.cancel.is_asked() {
            return Err(error);
        }
        if last_notice
            .is_none_or(|last_notice: Instant| last_notice.elapsed() > lock::NOTICE_INTERVAL)
        {
            last_notice = Some(Instant::now());
            request.listener.emit(&Event::Unavailable { reason: error.to_string() });
        }
        request.cancel.sleep(Duration::from_millis(250).mul_f64(0.5 + fastrand::f64())).await;
    }
}

/// Tries once. `reached` is set when the run has had a session of its own.
async fn once(
    request: &mut Request,
    origin: &mut dyn Connect,
    report: &mut Report,
    limit: Limit,
    reached: &mut bool,
) -> Result<(), Error> {
    let first = read_state_once(origin, &request.options, limit).await?;
    let history = first.history.as_deref().unwrap_or_default();
    let planned =
        planned(request, history, async || superseded(origin, &first, limit).await).await?;
    report_skipped(request, report, &planned);
    let syntax = first.namespace.syntax.unwrap_or(jetbase_core::Syntax::of(origin.dialect()));
    let set = request.set.clone();
    let jobs = prepare(&set, &planned, syntax)?;
    if request.dry_run == DryRun::Yes {
        report.planned = jobs.iter().map(planned_job).collect();
        return Ok(());
    }
    // Check the direct URL early, before the run needs it.
    let mut direct = direct(request.direct.as_deref(), origin.dialect())?;
    let origin = match &mut direct {
        Some(direct) => direct.as_mut(),
        None => origin,
    };
    if jobs.is_empty() {
        drop(jobs);
        if first.left.as_deref().is_some_and(lock::is_ours) {
            release_stale_lock(request, origin, &first, report).await;
        }
        return Ok(());
    }
    let work = work_of(&jobs, origin.dialect());
    drop(jobs);

    let nonce = nonce();
    let mut session = Session::open(origin, &first, &nonce, limit).await?;
    *reached = session.owner == Owner::Run;
    if let (Published::Refuse, [publication, ..]) =
        (request.published, session.published.as_slice())
    {
        let refusal = Error::place(format!(
            "the publication {publication} carries jetbase's tables to its subscribers, which would then claim \
             migrations that they have not: ALTER PUBLICATION \"{publication}\" DROP TABLE jetbase_lock, \
             jetbase_migrations (one FOR ALL TABLES must be made anew with a list), or allow it with `Published::Allow`"
        ));
        session.close().await;
        return Err(refusal);
    }
    let result = under_lock(request, &mut session, report, limit, work).await;
    let Err(error) = result else {
        session.close().await;
        return Ok(());
    };
    let gone = error.is_lost() || session.is_gone().await;
    let claim = session.claim.take().filter(|_| gone);
    session.close().await;
    match claim {
        Some(claim) if error.is_lost() => {
            Err(resolve_lost_connection(request, origin, error, &claim).await)
        }
        Some(claim) => {
            // The answer to an attempt may be lost, so the row may name this run.
            let _ = lock::release_afresh(origin, &request.options, &claim).await;
            Err(error)
        }
        None => Err(error),
    }
}

/// Releases a stale lock although there is nothing to do. The next run may be far away, and the
/// Python tool would refuse to run. The lock of a living holder is left alone.
async fn release_stale_lock(
    request: &mut Request,
    origin: &mut dyn Connect,
    first: &DatabaseState,
    report: &mut Report,
) {
    let nonce = nonce();
    let limit = Limit::begin(Wait::Never);
    let Ok(mut session) = Session::open(origin, first, &nonce, limit).await else {
        return;
    };
    let held = lock::acquire(
        &mut session,
        limit,
        &mut request.listener,
        &request.cancel,
        Commits::PerStatement,
    )
    .await;
    if let Ok(held) = held {
        report.recovered.clone_from(&held.recovered);
        // If the release fails, the next run does it.
        if lock::release(&mut session, held).await.is_ok() {
            request.listener.emit(&Event::Released);
        }
    }
    session.close().await;
}

/// Whether the fence guards everything that these jobs do.
pub(super) fn work_of(jobs: &[Job<'_>], dialect: Dialect) -> Commits {
    if jobs.iter().all(|job| job.work(dialect) == Commits::PerFile) {
        Commits::PerFile
    } else {
        Commits::PerStatement
    }
}

/// Returns the connection source of the direct URL, if there is one.
pub(crate) fn direct(
    url: Option<&str>,
    dialect: Dialect,
) -> Result<Option<Box<dyn Connect>>, Error> {
    let Some(url) = url else { return Ok(None) };
    match source_of_url(url).0 {
        ConnectionSource::Shared(direct) if direct.dialect() == dialect => Ok(Some(direct)),
        ConnectionSource::Shared(_) | ConnectionSource::Borrowed(_) => Err(Error::place(format!(
            "the direct URL leads to another kind of database than {dialect}"
        ))),
        ConnectionSource::Broken(why) => {
            Err(Error::place(format!("the direct URL is of no use: {why}")))
        }
    }
}

/// Makes the plan. If the plan replaces a text with another one, it is made again with the texts
/// that newer programs have replaced.
pub(super) async fn planned(
    request: &mut Request,
    history: &[Record],
    superseded: impl AsyncFnOnce() -> Result<Vec<(String, String)>, Error>,
) -> Result<Plan, Error> {
    let planned = plan(&request.set, history, &request.goal, &request.policy)?;
    if !replaces(&request.set, &planned) {
        return Ok(planned);
    }
    request.policy.superseded = superseded().await?;
    Ok(plan(&request.set, history, &request.goal, &request.policy)?)
}

/// Whether a plan replaces an older text of a file.
fn replaces(set: &Migrations, planned: &Plan) -> bool {
    let replaced = |step: &Step| {
        let kind = set.get(step.index).map(|migration| migration.kind());
        step.action == Action::Reapply && kind == Some(Kind::RunsOnChange)
    };
    planned.steps.iter().any(replaced)
}

/// Reads, without the lock, the texts that newer ones have replaced.
async fn superseded(
    origin: &mut dyn Connect,
    first: &DatabaseState,
    limit: Limit,
) -> Result<Vec<(String, String)>, Error> {
    let dialect = origin.dialect();
    let connection = origin.connect_for_reading(limit.of_connecting()).await;
    let connection = connection.map_err(|cause| Error::database("connecting", &cause))?;
    let dedicated = DedicatedConnection { connection, owner: Owner::Pool, reconnect: None };
    let mut session = Session::over(dedicated, dialect, first, "", limit).await?;
    let superseded = session.superseded().await;
    session.close().await;
    superseded
}

/// Reads the database state over the caller's connection or one of its pool. It waits, within the
/// limit of a query, while others lock the tables.
pub(crate) async fn read_state(
    origin: &mut dyn Connect,
    options: &NamespaceOptions,
) -> Result<DatabaseState, Error> {
    let limit = Limit::of_question();
    loop {
        match read_state_once(origin, options, limit).await {
            Err(error) if error.is_contended() && !limit.left().is_zero() => {}
            found => return found,
        }
        tokio::time::sleep(Duration::from_millis(100).mul_f64(0.5 + fastrand::f64())).await;
    }
}

/// Reads the database state once.
async fn read_state_once(
    origin: &mut dyn Connect,
    options: &NamespaceOptions,
    limit: Limit,
) -> Result<DatabaseState, Error> {
    let dialect = origin.dialect();
    let connection = origin.connect_for_reading(limit.of_connecting()).await;
    let mut connection = connection.map_err(|cause| Error::database("connecting", &cause))?;
    let found = read_database_state(connection.as_mut(), dialect, options, limit).await;
    connection.finish(crate::connection::End::Reuse).await;
    found
}

/// Acquires the lock, works, and releases the lock on every path.
async fn under_lock(
    request: &mut Request,
    session: &mut Session<'_>,
    report: &mut Report,
    limit: Limit,
    expected: Commits,
) -> Result<(), Error> {
    let held = lock::acquire(session, limit, &mut request.listener, &request.cancel, expected);
    let held = held.await?;
    report.waited = held.waited;
    report.recovered.clone_from(&held.recovered);
    let result = work(request, session, report).await;
    if result.as_ref().is_err_and(Error::is_lost) {
        return result;
    }
    if matches!(result.as_ref().map_err(Error::kind), Err(ErrorKind::LockLost { .. })) {
        request.listener.emit(&Event::LockLost);
    }
    release_lock(request, session, held, report, result).await
}

async fn release_lock(
    request: &mut Request,
    session: &mut Session<'_>,
    held: Held,
    report: &mut Report,
    result: Result<(), Error>,
) -> Result<(), Error> {
    match lock::release(session, held).await {
        Ok(Release::Done) => request.listener.emit(&Event::Released),
        Ok(Release::NotOurs) if result.is_ok() => {
            warn(
                request,
                report,
                "the lock was taken away during the run; all of the work was done before"
                    .to_owned(),
            );
        }
        Ok(Release::NotOurs) => {}
        Err(cause) => {
            let error = Error::database("releasing the migration lock", &cause);
            warn(request, report, format!("{error}; run `jetbase unlock` when nobody migrates"));
        }
    }
    result
}
