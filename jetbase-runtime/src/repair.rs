//! Repairs of the history. They use the lock and the fence like the record of a migration.

mod report;

use std::future::IntoFuture;
use std::time::Instant;

use futures_core::future::BoxFuture;
use jetbase_core::{
    Ahead, MigrationKind, Migrations, PlanError, Policy, Problem, Record, Validation, validate,
};

pub use self::report::{HistoryChange, RepairReport};
use crate::cancel::Shutdown;
use crate::error::{Error, JournalError};
use crate::event::Listener;
use crate::journal::{JournalRow, Unfinished};
use crate::lock::{Commits, LockRequest, with_lock};
use crate::options::{DryRun, LockOptions, direct_or, lock_methods};
use crate::session::Session;
use crate::state::read_state;
use crate::target::{Connect, Source, Target};
use crate::task::in_task;
use crate::wait::Limit;

/// What a repair changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairScope {
    /// Updates the checksums that differ from those of the files.
    Checksums,
    /// Deletes the rows of migrations whose files are missing.
    Files,
}

/// Makes the history agree with the files of a set: deletes the rows of missing files, and updates
/// checksums.
///
/// A repair changes the table `jetbase_migrations` only. It executes no migration. All its changes
/// are one transaction, under the lock. If there is nothing to repair, it takes no lock.
///
/// The returned builder is a future: await it. See [`Repair`].
///
/// # Errors
///
/// See [`Repair`].
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use jetbase_core::{Migrations, Options};
/// # use jetbase_runtime::{RepairScope, repair, sqlx::SqlitePool};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Vec::new(), Options::NONE);
/// let preview = repair(&set, &pool).dry_run().await?;
/// println!("{preview}");
///
/// let report = repair(&set, &pool).only(RepairScope::Checksums).await?;
/// assert!(report.repaired.is_empty());
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn repair<'t>(set: &Migrations, target: impl Target<'t> + 't) -> Repair<'t> {
    Repair {
        source: target.source(),
        request: RepairRequest {
            set: set.clone(),
            scopes: vec![RepairScope::Files, RepairScope::Checksums],
            ahead: Ahead::default(),
            options: LockOptions::of(set),
        },
        listener: Listener::default(),
        shutdown: Shutdown::default(),
    }
}

/// A repair of the history: set options, then `.await` it.
///
/// On a pool or a URL, the repair works in a task of its own. When the future is dropped, that task
/// ends its transaction and releases the lock.
///
/// # Errors
///
/// Returns an [`Error`] when the database cannot be used, when another process holds the lock for
/// longer than the wait, or when the history differs from the files in a way that no repair may
/// change. Then the history is as it was.
#[derive(Debug)]
#[must_use = "a repair does nothing until it is awaited"]
pub struct Repair<'t> {
    source: Source<'t>,
    request: RepairRequest,
    listener: Listener,
    shutdown: Shutdown<'t>,
}

impl Repair<'_> {
    /// Limits the repair to checksums or to missing files. The default is both.
    pub fn only(mut self, scope: RepairScope) -> Self {
        self.request.scopes = vec![scope];
        self
    }

    /// Sets how to treat applied versions that are newer than the whole set.
    ///
    /// By default a newer program has applied them, and their rows stay. With [`Ahead::Refuse`],
    /// their files count as missing, and [`RepairScope::Files`] deletes their rows.
    pub fn ahead(mut self, ahead: Ahead) -> Self {
        self.request.ahead = ahead;
        self
    }
}

lock_methods!(Repair);

impl<'t> IntoFuture for Repair<'t> {
    type Output = Result<RepairReport, Error>;
    type IntoFuture = BoxFuture<'t, Result<RepairReport, Error>>;

    fn into_future(self) -> Self::IntoFuture {
        let (request, listener) = (self.request, self.listener);
        let cancel = request.options.cancel.clone();
        let span = tracing::info_span!(target: "jetbase", "jetbase.repair");
        in_task(self.source, cancel, self.shutdown, span, move |source| {
            Box::pin(async move { request.perform(listener, source).await })
        })
    }
}

/// The request for a repair. The builder sets its fields.
#[derive(Debug)]
struct RepairRequest {
    set: Migrations,
    scopes: Vec<RepairScope>,
    ahead: Ahead,
    options: LockOptions,
}

impl RepairRequest {
    async fn perform(
        &self,
        mut listener: Listener,
        source: &mut dyn Connect,
    ) -> Result<RepairReport, Error> {
        let started = Instant::now();
        let mut report = RepairReport::default();
        let result = attempt(self, &mut listener, source, &mut report).await;
        if let Some(panic) = listener.take_panic() {
            std::panic::resume_unwind(panic);
        }
        report.warnings = listener.take_warnings();
        report.elapsed = started.elapsed();
        result.map(|()| report)
    }
}

/// Refuses to change the history while a file is unfinished.
pub(crate) fn refuse_unfinished(entries: &[JournalRow]) -> Result<(), Error> {
    match Unfinished::of(entries).into_iter().next() {
        Some(unfinished) => Err(JournalError::Unfinished(unfinished).into()),
        None => Ok(()),
    }
}

/// Repairs the history. If there is nothing to repair, it takes no lock.
async fn attempt(
    request: &RepairRequest,
    listener: &mut Listener,
    source: &mut dyn Connect,
    report: &mut RepairReport,
) -> Result<(), Error> {
    let wait = request.options.wait.clone()?;
    let first = read_state(source, &request.options.namespace).await?;
    refuse_unfinished(&first.journal)?;
    let changes = request.changes(first.history.as_deref().unwrap_or_default())?;
    if request.options.dry_run == DryRun::Yes {
        report.planned = changes;
        return Ok(());
    }
    let mut direct = request.options.direct_source(source.dialect())?;
    if changes.is_empty() {
        return Ok(());
    }
    let source = direct_or(&mut direct, source);
    let lock_request = LockRequest {
        state: &first,
        options: &request.options,
        limit: Limit::start(wait),
        commits: Commits::PerFile,
    };
    let repaired = with_lock(
        source,
        &lock_request,
        listener,
        |_| Ok(()),
        async |session, held, _| {
            report.waited = held.waited;
            report.recovered.clone_from(&held.recovered);
            write(request, session).await
        },
    );
    report.repaired = repaired.await?;
    Ok(())
}

/// Decides again, with the history read under the lock, and repairs it in one transaction.
async fn write(
    request: &RepairRequest,
    session: &mut Session<'_>,
) -> Result<Vec<HistoryChange>, Error> {
    let history = session.history().await?;
    refuse_unfinished(&session.read_journal().await?)?;
    let changes = request.changes(&history)?;
    let sql = session.sql;
    let mut written = Vec::new();
    for change in &changes {
        let bindings = session.bindings.clone();
        let (templates, bindings, kind) = match change {
            HistoryChange::ChecksumUpdated { version, to, .. } => (
                [sql.repair, sql.repaired],
                bindings.literal("version", version.as_str()).literal("checksum", to),
                MigrationKind::Versioned,
            ),
            HistoryChange::RowDeleted { version: Some(version), kind, .. } => {
                ([sql.delete, sql.deleted], bindings.literal("version", version.as_str()), *kind)
            }
            HistoryChange::RowDeleted { file, kind, .. } => (
                [sql.delete_repeatable, sql.repeatable_deleted],
                bindings.literal("file", file),
                *kind,
            ),
        };
        let bindings = bindings.literal("kind", kind.as_str());
        written.extend(templates.iter().map(|part| bindings.render(part)));
    }
    session.change_history("correcting the migration history", "jetbase fix", written).await?;
    Ok(changes)
}

impl RepairRequest {
    /// Returns the changes for the differences in scope. Other differences are refused.
    fn changes(&self, history: &[Record]) -> Result<Vec<HistoryChange>, Error> {
        let mut changes = Vec::new();
        for scope in &self.scopes {
            let skip = match scope {
                RepairScope::Checksums => Validation::Files,
                RepairScope::Files => Validation::Checksums,
            };
            let policy = Policy { skip: vec![skip], ahead: self.ahead, ..Policy::default() };
            let Err(PlanError { problems }) = validate(&self.set, history, &policy) else {
                continue;
            };
            let (found, others): (Vec<_>, Vec<_>) = problems
                .into_iter()
                .map(|problem| (change_for(&problem, history), problem))
                .partition(|(change, _)| change.is_some());
            // A file with a version that is too low does not concern the history.
            let others = others.into_iter().map(|(_, problem)| problem);
            let others: Vec<_> =
                others.filter(|it| !matches!(it, Problem::OutOfOrder { .. })).collect();
            if !others.is_empty() {
                return Err(PlanError { problems: others }.into());
            }
            changes.extend(found.into_iter().filter_map(|(change, _)| change));
        }
        Ok(changes)
    }
}

/// Returns the change that removes a problem, if a repair may make it.
fn change_for(problem: &Problem, history: &[Record]) -> Option<HistoryChange> {
    match problem {
        Problem::Changed { version, file, recorded, found, change } => {
            Some(HistoryChange::ChecksumUpdated {
                version: version.clone(),
                file: file.clone(),
                from: recorded.clone(),
                to: found.clone(),
                change: change.clone(),
            })
        }
        Problem::Missing { version, file } | Problem::Ahead { version, file } => {
            Some(HistoryChange::RowDeleted {
                version: Some(version.clone()),
                file: file.clone(),
                kind: MigrationKind::Versioned,
            })
        }
        Problem::MissingRepeatable { file } => {
            let row = history.iter().find(|row| row.version.is_none() && row.file == *file)?;
            Some(HistoryChange::RowDeleted { version: None, file: file.clone(), kind: row.kind })
        }
        _ => None,
    }
}
