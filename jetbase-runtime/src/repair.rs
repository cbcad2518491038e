//! Repairs of the history. They use the lock and the fence like the record of a migration.

mod report;

use std::future::{Future, IntoFuture};
use std::time::Instant;

use futures_core::future::BoxFuture;
use jetbase_core::{
    Ahead, Kind, Migrations, Policy, Problem, Record, Refusal, Validation, validate,
};

pub use self::report::{HistoryChange, RepairReport};
use crate::cancel::{Cancel, Shutdown};
use crate::environment;
use crate::error::{Error, ErrorKind, Kept, SettingError, TableError};
use crate::event::{Event, Listener};
use crate::lock::{Commits, LockRequest, with_lock};
use crate::run::{DryRun, direct, in_task};
use crate::session::Session;
use crate::state::{NamespaceOptions, read_state};
use crate::target::{Connect, Source, Target};
use crate::wait::{Limit, Wait};

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
            options: NamespaceOptions::of(set),
            wait: Wait::of_environment(),
            direct: environment::direct_url(),
            scopes: vec![RepairScope::Files, RepairScope::Checksums],
            ahead: Ahead::default(),
            dry_run: DryRun::No,
            cancel: Cancel::default(),
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

impl<'t> Repair<'t> {
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

    /// Sets how long to wait while another process holds the lock. See
    /// [`Run::wait`](crate::Run::wait).
    pub fn wait(mut self, wait: Wait) -> Self {
        self.request.wait = Ok(wait);
        self
    }

    /// Sets the schema (MySQL: the database) to work in. The default is the connection's own.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.request.options.schema = Some(schema.into());
        self
    }

    /// Sets the PostgreSQL role to work as, like `SET ROLE`.
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.request.options.role = Some(role.into());
        self
    }

    /// Trusts a PostgreSQL role that owns jetbase's tables or their schema. See
    /// [`Run::trust_owner`](crate::Run::trust_owner).
    pub fn trust_owner(mut self, role: impl Into<String>) -> Self {
        self.request.options.trusted.push(role.into());
        self
    }

    /// Sets a URL that reaches the same database without a pooler. See
    /// [`Run::direct_url`](crate::Run::direct_url).
    pub fn direct_url(mut self, url: impl Into<String>) -> Self {
        self.request.direct = Some(url.into());
        self
    }

    /// Calls a function with each event, as it happens.
    ///
    /// A panic in the function resumes after the lock is released.
    pub fn on_event(mut self, listen: impl FnMut(&Event) + Send + 'static) -> Self {
        self.listener = Listener::new(listen, &self.request.cancel);
        self
    }

    /// Stops waiting for the lock when a future completes. The repair then returns
    /// [`ErrorKind::Cancelled`]. A repair that has the lock ends as usual.
    pub fn graceful_shutdown(mut self, signal: impl Future<Output = ()> + Send + 't) -> Self {
        self.shutdown = Shutdown::on(signal);
        self
    }

    /// Reports what the repair would change. Nothing is changed, and no lock is taken.
    pub fn dry_run(mut self) -> Self {
        self.request.dry_run = DryRun::Yes;
        self
    }
}

impl<'t> IntoFuture for Repair<'t> {
    type Output = Result<RepairReport, Error>;
    type IntoFuture = BoxFuture<'t, Result<RepairReport, Error>>;

    fn into_future(self) -> Self::IntoFuture {
        let cancel = self.request.cancel.clone();
        let span = tracing::info_span!(target: "jetbase", "jetbase.repair");
        let (request, listener) = (self.request, self.listener);
        let work = in_task(self.source, cancel.clone(), span, move |origin| {
            Box::pin(async move { request.perform(listener, origin).await })
        });
        self.shutdown.watch(cancel, work)
    }
}

/// The request for a repair. The builder sets its fields.
#[derive(Debug)]
struct RepairRequest {
    set: Migrations,
    options: NamespaceOptions,
    /// How long to wait for the lock, or what is wrong with the value of `JETBASE_WAIT`.
    wait: Result<Wait, SettingError>,
    direct: Option<String>,
    scopes: Vec<RepairScope>,
    ahead: Ahead,
    dry_run: DryRun,
    cancel: Cancel,
}

impl RepairRequest {
    async fn perform(
        &self,
        mut listener: Listener,
        origin: &mut dyn Connect,
    ) -> Result<RepairReport, Error> {
        let started = Instant::now();
        let mut report = RepairReport::default();
        let result = attempt(self, &mut listener, origin, &mut report).await;
        if let Some(panic) = listener.take_panic() {
            std::panic::resume_unwind(panic);
        }
        report.warnings = listener.take_warnings();
        report.elapsed = started.elapsed();
        result.map(|()| report)
    }
}

/// Repairs the history. If there is nothing to repair, it takes no lock.
async fn attempt(
    request: &RepairRequest,
    listener: &mut Listener,
    origin: &mut dyn Connect,
    report: &mut RepairReport,
) -> Result<(), Error> {
    let wait = request.wait.clone()?;
    let first = read_state(origin, &request.options).await?;
    let changes = request.changes(first.history.as_deref().unwrap_or_default())?;
    if request.dry_run == DryRun::Yes {
        report.planned = changes;
        return Ok(());
    }
    let mut direct = direct(request.direct.as_deref(), origin.dialect())?;
    if changes.is_empty() {
        return Ok(());
    }
    let origin = match &mut direct {
        Some(direct) => direct.as_mut(),
        None => origin,
    };
    let wanted = LockRequest {
        state: &first,
        options: &request.options,
        limit: Limit::begin(wait),
        commits: Commits::PerFile,
        cancel: &request.cancel,
    };
    let repaired = with_lock(
        origin,
        &wanted,
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
    let changes = request.changes(&history)?;
    let fill = session.bindings.clone();
    let fill = fill.literal("statement_timeout", "0").literal("lock_timeout", "5000");
    let fill = fill.literal("label", "jetbase fix").literal("tx", "fix");
    let sql = session.sql;
    let mut templates: Vec<&str> = session.guard(sql.guard_writing).to_vec();
    let guarded = templates.len();
    templates.push(sql.fence_locking);
    if session.has_server_lock() {
        templates.push(sql.fence_session_lock);
    }
    let opened = sql.open.len();
    let mut parts: Vec<String> =
        sql.open.iter().chain(&templates).map(|part| fill.fill(part)).collect();
    let checked = opened..opened + guarded;
    let fenced = checked.end..parts.len();
    for change in &changes {
        let fill = fill.clone();
        let (templates, fill, kind) = match change {
            HistoryChange::ChecksumUpdated { version, to, .. } => (
                [sql.repair, sql.repaired],
                fill.literal("version", version.as_str()).literal("checksum", to),
                Kind::Versioned,
            ),
            HistoryChange::RowDeleted { version: Some(version), kind, .. } => {
                ([sql.delete, sql.deleted], fill.literal("version", version.as_str()), *kind)
            }
            HistoryChange::RowDeleted { file, kind, .. } => {
                ([sql.forget, sql.forgotten], fill.literal("file", file), *kind)
            }
        };
        let fill = fill.literal("kind", kind.as_str());
        parts.extend(templates.iter().map(|part| fill.fill(part)));
    }
    let written = fenced.end..parts.len();
    parts.extend(sql.still_open.iter().map(|part| fill.fill(part)));
    parts.push("COMMIT".to_owned());
    let result = match session.execute(&parts.join(";\n")).await {
        Ok(_) => Ok(()),
        Err(failure) => {
            let (at, code) = (failure.completed.len(), failure.cause.code.as_str());
            let fails_check = sql.fence_codes.contains(&code);
            Err(if fails_check && fenced.contains(&at) {
                Error::new(ErrorKind::LockLost { file: None, kept: Kept::Nothing })
            } else if checked.contains(&at) && sql.guard_codes.contains(&code) {
                let _ = session.raw("ROLLBACK").await;
                Error::database(
                    "checking jetbase's tables",
                    &session.untrusted_or(failure.cause).await,
                )
            } else if fails_check && written.contains(&at) {
                TableError::ChangeIgnored {
                    operation: "correcting the migration history".to_owned(),
                    table: "jetbase_migrations".to_owned(),
                }
                .into()
            } else {
                Error::database("correcting the migration history", &failure.cause)
            })
        }
    };
    if result.is_err() {
        let _ = session.raw("ROLLBACK").await;
    }
    session.reset().await;
    result.map(|()| changes)
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
            let Err(Refusal { problems }) = validate(&self.set, history, &policy) else { continue };
            let (found, others): (Vec<_>, Vec<_>) = problems
                .into_iter()
                .map(|problem| (change_for(&problem, history), problem))
                .partition(|(change, _)| change.is_some());
            // A file with a version that is too low does not concern the history.
            let others = others.into_iter().map(|(_, problem)| problem);
            let others: Vec<_> =
                others.filter(|it| !matches!(it, Problem::OutOfOrder { .. })).collect();
            if !others.is_empty() {
                return Err(Refusal { problems: others }.into());
            }
            changes.extend(found.into_iter().filter_map(|(change, _)| change));
        }
        Ok(changes)
    }
}

/// Returns the change that removes a problem, if a repair may make it.
fn change_for(problem: &Problem, history: &[Record]) -> Option<HistoryChange> {
    match problem {
        Problem::Changed { version, file, recorded, found } => {
            Some(HistoryChange::ChecksumUpdated {
                version: version.clone(),
                file: file.clone(),
                from: recorded.clone(),
                to: found.clone(),
            })
        }
        Problem::Missing { version, file } | Problem::Ahead { version, file } => {
            Some(HistoryChange::RowDeleted {
                version: Some(version.clone()),
                file: file.clone(),
                kind: Kind::Versioned,
            })
        }
        Problem::MissingRepeatable { file } => {
            let row = history.iter().find(|row| row.version.is_none() && row.file == *file)?;
            Some(HistoryChange::RowDeleted { version: None, file: file.clone(), kind: row.kind })
        }
        _ => None,
    }
}
