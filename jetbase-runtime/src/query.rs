//! Queries: they only read, take no lock, and create no table.

mod detect;
mod journal;
mod lock;
mod readiness;

use std::fmt;
use std::future::IntoFuture;

use futures_core::future::BoxFuture;
use jetbase_core::{
    Goal, Migration, MigrationKind, Migrations, Plan, PlanError, Policy, Problem, Record, Skipped,
    Until, Validation, Version, plan, validate as compare_all,
};

pub use self::detect::{DetectedBaseline, DetectedVersion, detect_baseline};
pub use self::journal::{ClearJournal, UnfinishedFiles, clear_journal, journal};
pub(crate) use self::lock::read_lock;
pub use self::lock::{LockStatus, Unlock, Unlocked, lock_status, unlock};
pub use self::readiness::{Readiness, check};
use crate::error::Error;
use crate::journal::Unfinished;
use crate::options::{namespace_methods, policy_methods};
use crate::state::{DatabaseState, NamespaceOptions, read_state};
use crate::target::{Connect, Source, Target};

/// A query on a database: `.await` it.
///
/// # Errors
///
/// Returns an [`Error`] if the database cannot be read, or if the tables of jetbase cannot be
/// trusted. [`validate`] and [`check`] also return one if the history and the files differ.
#[must_use = "a query does nothing until it is awaited"]
pub struct Query<'t, T> {
    source: Source<'t>,
    request: QueryRequest,
    read: Read<T>,
}

/// The function that runs one query.
type Read<T> =
    Box<dyn FnOnce(QueryRequest, &mut dyn Connect) -> BoxFuture<'_, Result<T, Error>> + Send>;

/// The input of a query.
struct QueryRequest {
    set: Migrations,
    namespace: NamespaceOptions,
    policy: Policy,
}

impl QueryRequest {
    /// Plans to apply everything.
    fn plan(&self, history: &[Record], policy: &Policy) -> Result<Plan, PlanError> {
        plan(&self.set, history, &Goal::Upgrade(Until::End), policy)
    }

    /// Returns the migrations that a plan executes.
    fn migrations(&self, plan: &Plan) -> impl Iterator<Item = Migration<'_>> {
        plan.steps.iter().filter_map(|step| self.set.get(step.index))
    }
}

impl<T> fmt::Debug for Query<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Query")
    }
}

namespace_methods!(['t, T] Query<'t, T>, request.namespace);
policy_methods!(['t, T] Query<'t, T>);

impl<'t, T: 'static> Query<'t, T> {
    fn new(
        set: &Migrations,
        source: Source<'t>,
        read: impl FnOnce(QueryRequest, &mut dyn Connect) -> BoxFuture<'_, Result<T, Error>>
        + Send
        + 'static,
    ) -> Self {
        let (set, namespace) = (set.clone(), NamespaceOptions::of(set));
        let request = QueryRequest { set, namespace, policy: Policy::default() };
        Query { source, request, read: Box::new(read) }
    }

    /// Creates a query whose result depends on the state of the database only.
    fn of_state(
        set: &Migrations,
        target: impl Target<'t> + 't,
        result: fn(&QueryRequest, DatabaseState) -> Result<T, Error>,
    ) -> Self {
        Query::new(set, target.source(), move |request, source| {
            Box::pin(async move {
                let state = read_state(source, &request.namespace).await?;
                result(&request, state)
            })
        })
    }

    /// Creates a query whose result depends on the history only.
    fn of_history(
        set: &Migrations,
        target: impl Target<'t> + 't,
        result: fn(&QueryRequest, Vec<Record>) -> Result<T, Error>,
    ) -> Self {
        Query::new(set, target.source(), move |request, source| {
            Box::pin(async move {
                let state = read_state(source, &request.namespace).await?;
                result(&request, state.history.unwrap_or_default())
            })
        })
    }
}

impl<'t, T: Send + 't> IntoFuture for Query<'t, T> {
    type Output = Result<T, Error>;
    type IntoFuture = BoxFuture<'t, Result<T, Error>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut source = self.source.into_connect()?;
            (self.read)(self.request, source.as_mut()).await
        })
    }
}

/// The applied and the pending migrations of a database.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The history, in the order of execution.
    pub applied: Vec<Record>,
    /// The migrations that a run would execute, in that order.
    pub pending: Vec<Pending>,
    /// The migrations that a run would skip although they may be expected to run.
    pub skipped: Vec<Skipped>,
    /// The reasons why a run would refuse.
    pub problems: Vec<Problem>,
    /// The files of which only a part is permanent.
    pub unfinished: Vec<Unfinished>,
    /// Who is migrating now.
    pub lock: LockStatus,
}

/// A migration that a run would execute.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pending {
    /// The name of the file.
    pub file: String,
    /// The version, if the migration is versioned.
    pub version: Option<Version>,
    /// The description.
    pub description: String,
    /// The kind of migration.
    pub kind: MigrationKind,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} applied, {} pending", self.applied.len(), self.pending.len())?;
        for pending in &self.pending {
            write!(f, "\n  pending {}", pending.file)?;
        }
        for skipped in &self.skipped {
            write!(f, "\n  skipped {}: {}", skipped.file, skipped.reason)?;
        }
        for problem in &self.problems {
            write!(f, "\n  problem: {problem}; {}", problem.help())?;
        }
        for unfinished in &self.unfinished {
            write!(f, "\n  unfinished: {unfinished}")?;
        }
        match &self.lock.holder {
            Some(holder) => write!(f, "\n  migrating now: {holder}"),
            None => Ok(()),
        }
    }
}

/// Returns the applied and the pending migrations.
///
/// A difference between history and files is no error here. It is one of [`Status::problems`].
///
/// # Errors
///
/// See [`Query`].
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use jetbase_core::{Folder, Migrations, Options};
/// # use jetbase_runtime::{status, sqlx::SqlitePool};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Folder::read("../migrations".as_ref()).files, Options::NONE);
/// let status = status(&set, &pool).await?;
/// assert_eq!((status.applied.len(), status.pending.len()), (0, 4));
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn status<'t>(set: &Migrations, target: impl Target<'t> + 't) -> Query<'t, Status> {
    Query::new(set, target.source(), |request, source| Box::pin(read_status(request, source)))
}

async fn read_status(request: QueryRequest, source: &mut dyn Connect) -> Result<Status, Error> {
    let state = read_state(source, &request.namespace).await?;
    let unfinished = Unfinished::of(&state.journal);
    let lock = self::lock::status_of(source, &state).await?;
    let applied = state.history.unwrap_or_default();
    let (planned, problems) = match request.plan(&applied, &request.policy) {
        Ok(planned) => (planned, Vec::new()),
        // Plan again without validations, to list what would be pending.
        Err(PlanError { problems }) => {
            let policy = Policy { skip: vec![Validation::All], ..request.policy.clone() };
            (request.plan(&applied, &policy).unwrap_or_default(), problems)
        }
    };
    let pending = request.migrations(&planned).map(|it| Pending {
        file: it.file().to_owned(),
        version: it.version(),
        description: it.description().into_owned(),
        kind: it.kind(),
    });
    let (pending, skipped) = (pending.collect(), planned.skipped);
    Ok(Status { applied, pending, skipped, problems, unfinished, lock })
}

/// The history: one row for each applied migration.
#[derive(Clone, Debug)]
pub struct History {
    /// The rows, in the order in which they were applied. A repeatable has the position of its
    /// latest run.
    pub records: Vec<Record>,
    /// Whether the database has the table of the history. Without it, there are no records.
    pub table_exists: bool,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.records.is_empty() {
            return f.write_str("nothing has been applied");
        }
        for (n, record) in self.records.iter().enumerate() {
            let separator = if n == 0 { "" } else { "\n" };
            write!(f, "{separator}{} {}", record.applied_at, record.file)?;
        }
        Ok(())
    }
}

/// Returns what has been applied, and when.
///
/// # Errors
///
/// See [`Query`].
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use jetbase_core::{Folder, Migrations, Options};
/// # use jetbase_runtime::{history, run, sqlx::SqlitePool};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Folder::read("../migrations".as_ref()).files, Options::NONE);
/// run(&set, &pool).await?;
/// for record in history(&set, &pool).await?.records {
///     println!("{} {}", record.applied_at, record.file);
/// }
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn history<'t>(set: &Migrations, target: impl Target<'t> + 't) -> Query<'t, History> {
    Query::new(set, target.source(), |request, source| {
        Box::pin(async move {
            let history = read_state(source, &request.namespace).await?.history;
            let table_exists = history.is_some();
            let mut records = history.unwrap_or_default();
            records.sort_by(|a, b| a.applied_at.cmp(&b.applied_at).then(a.order.cmp(&b.order)));
            Ok(History { records, table_exists })
        })
    })
}

/// Returns the highest applied version, or `None` if no version is applied.
///
/// # Errors
///
/// See [`Query`].
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use {jetbase_core::{Migrations, Options}, jetbase_runtime::{current, sqlx::SqlitePool}};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Vec::new(), Options::NONE);
/// assert_eq!(current(&set, &pool).await?, None);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn current<'t>(set: &Migrations, target: impl Target<'t> + 't) -> Query<'t, Option<Version>> {
    Query::of_history(set, target, |_, history| {
        Ok(history.into_iter().filter_map(|record| record.version).max())
    })
}

/// The result of a successful validation: the history matches the set.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Validated {
    /// The number of rows that were compared.
    pub records: usize,
    /// The differences that are known and tolerated.
    pub skipped: Vec<Skipped>,
}

impl fmt::Display for Validated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "history and files agree ({} rows compared)", self.records)
    }
}

/// Compares the history with the set: checksums, missing files, and files whose version is too low.
///
/// # Errors
///
/// See [`Query`]. A difference is [`ErrorKind::Refused`](crate::ErrorKind::Refused).
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use {jetbase_core::{Migrations, Options}, jetbase_runtime::{validate, sqlx::SqlitePool}};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Vec::new(), Options::NONE);
/// let validated = validate(&set, &pool).await?;
/// assert_eq!(validated.records, 0);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn validate<'t>(set: &Migrations, target: impl Target<'t> + 't) -> Query<'t, Validated> {
    Query::of_history(set, target, |request, history| {
        let skipped = compare_all(&request.set, &history, &request.policy)?;
        Ok(Validated { records: history.len(), skipped })
    })
}
