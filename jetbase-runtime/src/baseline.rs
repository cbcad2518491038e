//! Marks versions as applied without executing them.

mod report;

use std::future::IntoFuture;
use std::time::Instant;

use futures_core::future::BoxFuture;
use jetbase_core::{MigrationKind, Migrations, Record, Version, plan_baseline};

pub use self::report::BaselineReport;
use crate::cancel::Shutdown;
use crate::error::Error;
use crate::event::Listener;
use crate::into_version::IntoVersion;
use crate::lock::{Commits, LockRequest, with_lock};
use crate::options::{DryRun, LockOptions, direct_or, lock_methods};
use crate::repair::refuse_unfinished;
use crate::session::Session;
use crate::state::read_state;
use crate::target::{Connect, ConnectionOwner, Source, Target};
use crate::task::in_task;
use crate::wait::Limit;

/// Marks every version up to and including this one as applied, and executes none of them.
///
/// It is for a database whose schema exists already, because something else has made it.
/// [`detect_baseline`](crate::detect_baseline) compares the pending versions with the database, and names the
/// version for the baseline. If the history of another tool exists, [`adopt`](crate::adopt()) is better: it
/// verifies what that tool has applied.
///
/// The rows are one transaction, under the lock. Repeatable files (`RA__`, `ROC__`) stay pending, because they can
/// run again by definition: the next run executes them.
///
/// The returned builder is a future: await it. See [`Baseline`].
///
/// # Errors
///
/// See [`Baseline`].
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use jetbase_core::{Folder, Migrations, Options, Version};
/// # use jetbase_runtime::{baseline, run, sqlx::{self, SqlitePool}};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Folder::read("../migrations".as_ref()).files, Options::NONE);
/// sqlx::raw_sql("CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL)").execute(&pool).await?;
/// let version = Version::parse("1")?;
/// println!("{}", baseline(&set, &pool, version.clone()).dry_run().await?);
///
/// let report = baseline(&set, &pool, version).await?;
/// assert_eq!(report.marked, ["V1__create_users.sql"]);
/// // A run applies only the rest.
/// assert_eq!(run(&set, &pool).await?.applied.len(), 3);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn baseline<'t>(
    set: &Migrations,
    target: impl Target<'t> + 't,
    version: impl IntoVersion,
) -> Baseline<'t> {
    Baseline {
        source: target.source(),
        request: BaselineRequest {
            set: set.clone(),
            version: version.into_version(),
            force: false,
            options: LockOptions::of(set),
        },
        listener: Listener::default(),
        shutdown: Shutdown::default(),
    }
}

/// A baseline: set options, then `.await` it.
///
/// On a pool or a URL, the baseline works in a task of its own. When the future is dropped, that task
/// ends its transaction and releases the lock.
///
/// # Errors
///
/// Returns an [`Error`] when the database cannot be used, when another process holds the lock for
/// longer than the wait, when the set has no such version or the history has rows
/// ([`ErrorKind::Refused`](crate::ErrorKind::Refused)), and when a file is unfinished
/// ([`ErrorKind::Journal`](crate::ErrorKind::Journal)). Then nothing was written.
#[derive(Debug)]
#[must_use = "a baseline does nothing until it is awaited"]
pub struct Baseline<'t> {
    source: Source<'t>,
    request: BaselineRequest,
    listener: Listener,
    shutdown: Shutdown<'t>,
}

impl Baseline<'_> {
    /// Allows a history with rows. Then the versions above the highest applied one are marked. The rows stay as
    /// they are, and a history that contradicts the files is refused all the same.
    pub fn force(mut self) -> Self {
        self.request.force = true;
        self
    }
}

lock_methods!(Baseline);

impl<'t> IntoFuture for Baseline<'t> {
    type Output = Result<BaselineReport, Error>;
    type IntoFuture = BoxFuture<'t, Result<BaselineReport, Error>>;

    fn into_future(self) -> Self::IntoFuture {
        let (request, listener) = (self.request, self.listener);
        let cancel = request.options.cancel.clone();
        let span = tracing::info_span!(target: "jetbase", "jetbase.baseline");
        in_task(self.source, cancel, self.shutdown, span, move |source| {
            Box::pin(async move { request.perform(listener, source).await })
        })
    }
}

/// The request for a baseline. The builder sets its fields.
#[derive(Debug)]
struct BaselineRequest {
    set: Migrations,
    version: Version,
    force: bool,
    options: LockOptions,
}

impl BaselineRequest {
    async fn perform(
        &self,
        mut listener: Listener,
        source: &mut dyn Connect,
    ) -> Result<BaselineReport, Error> {
        let started = Instant::now();
        let mut report = BaselineReport::default();
        let result = self.attempt(&mut listener, source, &mut report).await;
        if let Some(panic) = listener.take_panic() {
            std::panic::resume_unwind(panic);
        }
        report.warnings = listener.take_warnings();
        report.elapsed = started.elapsed();
        result.map(|()| report)
    }

    /// Marks the versions. If there is nothing to mark, it takes no lock.
    async fn attempt(
        &self,
        listener: &mut Listener,
        source: &mut dyn Connect,
        report: &mut BaselineReport,
    ) -> Result<(), Error> {
        let wait = self.options.wait.clone()?;
        let state = read_state(source, &self.options.namespace).await?;
        refuse_unfinished(&state.journal)?;
        let planned = self.files(state.history.as_deref().unwrap_or_default())?;
        if self.options.dry_run == DryRun::Yes {
            report.planned = planned;
            return Ok(());
        }
        let mut direct = self.options.direct_source(source.dialect())?;
        if planned.is_empty() {
            return Ok(());
        }
        let source = direct_or(&mut direct, source);
        let lock_request = LockRequest {
            state: &state,
            options: &self.options,
            limit: Limit::start(wait),
            commits: Commits::PerFile,
        };
        let marked = with_lock(
            source,
            &lock_request,
            listener,
            |_| Ok(()),
            async |session, held, _| {
                report.waited = held.waited;
                report.recovered.clone_from(&held.recovered);
                self.write(session).await
            },
        );
        report.marked = marked.await?;
        Ok(())
    }

    /// Decides again, with the history read under the lock, and writes the rows in one transaction.
    async fn write(&self, session: &mut Session<'_>) -> Result<Vec<String>, Error> {
        let history = session.history().await?;
        refuse_unfinished(&session.read_journal().await?)?;
        let migrations = plan_baseline(&self.set, &history, &self.version, self.force)?;
        let (sql, bindings) = (session.sql, &session.bindings);
        let mut changes = Vec::new();
        if session.owner == ConnectionOwner::Caller {
            // The caller's session may have a number for its next row.
            changes.extend(sql.restore_number.iter().map(|part| bindings.render(part)));
        }
        for migration in &migrations {
            let bindings = bindings
                .clone()
                .literal_or_null("version", migration.version_text())
                .nested("same_version", "version = {version}")
                .literal("description", &migration.description())
                .literal("file", migration.file())
                .literal("kind", MigrationKind::Versioned.as_str())
                .literal("checksum", &migration.checksum().to_string());
            changes.extend([sql.insert, sql.inserted].map(|part| bindings.render(part)));
        }
        let names = migrations.iter().map(|it| it.file().to_owned()).collect();
        session.change_history("marking versions as applied", "jetbase baseline", changes).await?;
        Ok(names)
    }

    /// Returns the names of the files to mark.
    fn files(&self, history: &[Record]) -> Result<Vec<String>, Error> {
        let migrations = plan_baseline(&self.set, history, &self.version, self.force)?;
        Ok(migrations.iter().map(|it| it.file().to_owned()).collect())
    }
}
