//! Queries: they only read, take no lock, and create no table.

mod lock;

use std::fmt;
use std::future::IntoFuture;

use futures_core::future::BoxFuture;
use jetbase_core::{
    Ahead, Goal, Kind, Migrations, Policy, Problem, Record, Refusal, Repeat, SkipReason, Skipped,
    Until, Validation, Version, plan, validate as compare_all,
};

pub use self::lock::{LockStatus, Unlock, Unlocked, lock_status, unlock};
use crate::error::{Error, SettingError};
use crate::state::{NamespaceOptions, read_state};
use crate::target::{Connect, ConnectionSource, Source, Target};

/// A query on a database: `.await` it.
///
/// # Errors
///
/// Returns an [`Error`] if the database cannot be read, or if the tables of jetbase cannot be
/// trusted. [`validate`] and [`check`] also return one if the history and the files differ.
#[must_use = "a question is not asked until it is awaited"]
pub struct Query<'t, T> {
    source: Source<'t>,
    set: Migrations,
    options: NamespaceOptions,
    policy: Policy,
    ask: Ask<T>,
}

/// The function that runs one query.
type Ask<T> = for<'a> fn(&'a QueryRequest, &'a mut dyn Connect) -> BoxFuture<'a, Result<T, Error>>;

/// The input of a query.
struct QueryRequest {
    set: Migrations,
    options: NamespaceOptions,
    policy: Policy,
}

impl<T> fmt::Debug for Query<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Query")
    }
}

impl<'t, T> Query<'t, T> {
    fn new(set: &Migrations, source: Source<'t>, ask: Ask<T>) -> Self {
        let options = NamespaceOptions::of(set);
        Query { source, set: set.clone(), options, policy: Policy::default(), ask }
    }

    /// Sets the schema (MySQL: the database) to read. The default is the connection's own.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.options.schema = Some(schema.into());
        self
    }

    /// Sets the PostgreSQL role to read as, like `SET ROLE`.
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.options.role = Some(role.into());
        self
    }

    /// Trusts a PostgreSQL role that owns jetbase's tables or their schema. See
    /// [`Run::trust_owner`](crate::Run::trust_owner).
    pub fn trust_owner(mut self, role: impl Into<String>) -> Self {
        self.options.trusted.push(role.into());
        self
    }

    /// Skips a validation. Call it again to skip another one.
    pub fn skip(mut self, validation: Validation) -> Self {
        self.policy.skip.push(validation);
        self
    }

    /// Sets when `RA__` files run, which decides whether they count as pending.
    pub fn repeat(mut self, repeat: Repeat) -> Self {
        self.policy.repeat = repeat;
        self
    }

    /// Sets how to treat applied versions that are newer than the whole set.
    pub fn ahead(mut self, ahead: Ahead) -> Self {
        self.policy.ahead = ahead;
        self
    }
}

impl<'t, T: Send + 't> IntoFuture for Query<'t, T> {
    type Output = Result<T, Error>;
    type IntoFuture = BoxFuture<'t, Result<T, Error>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let question =
                QueryRequest { set: self.set, options: self.options, policy: self.policy };
            match self.source.0 {
                ConnectionSource::Shared(mut origin) => {
                    (self.ask)(&question, origin.as_mut()).await
                }
                ConnectionSource::Borrowed(mut origin) => {
                    (self.ask)(&question, origin.as_mut()).await
                }
                ConnectionSource::Broken(fault) => Err(SettingError::DatabaseUrl(fault).into()),
            }
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
    pub kind: Kind,
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
        Ok(())
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
    Query::new(set, target.source(), |question, origin| {
        Box::pin(async move {
            let history = read_state(origin, &question.options).await?.history.unwrap_or_default();
            let planned =
                plan(&question.set, &history, &Goal::Upgrade(Until::End), &question.policy);
            let (planned, problems) = match planned {
                Ok(planned) => (planned, Vec::new()),
                // Plan again without validations, to list what would be pending.
                Err(Refusal { problems }) => {
                    let policy = Policy { skip: vec![Validation::All], ..question.policy.clone() };
                    let goal = Goal::Upgrade(Until::End);
                    (plan(&question.set, &history, &goal, &policy).unwrap_or_default(), problems)
                }
            };
            let files = planned.steps.iter().filter_map(|step| question.set.get(step.index));
            let pending = files.map(|it| Pending {
                file: it.file().to_owned(),
                version: it.version(),
                description: it.description().into_owned(),
                kind: it.kind(),
            });
            let pending = pending.collect();
            Ok(Status { pending, skipped: planned.skipped, applied: history, problems })
        })
    })
}

/// The history: one row for each applied migration.
#[derive(Clone, Debug)]
pub struct History {
    /// The rows, in the order in which they were applied. A repeatable has the position of its
    /// latest run.
    pub records: Vec<Record>,
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
    Query::new(set, target.source(), |question, origin| {
        Box::pin(async move {
            let mut records =
                read_state(origin, &question.options).await?.history.unwrap_or_default();
            records.sort_by(|a, b| a.applied_at.cmp(&b.applied_at).then(a.order.cmp(&b.order)));
            Ok(History { records })
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
    Query::new(set, target.source(), |question, origin| {
        Box::pin(async move {
            let history = read_state(origin, &question.options).await?.history.unwrap_or_default();
            Ok(history.into_iter().filter_map(|record| record.version).max())
        })
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
    Query::new(set, target.source(), |question, origin| {
        Box::pin(async move {
            let history = read_state(origin, &question.options).await?.history.unwrap_or_default();
            let skipped = compare_all(&question.set, &history, &question.policy)?;
            Ok(Validated { records: history.len(), skipped })
        })
    })
}

/// Whether a program may start on a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Every migration of the set is applied.
    Ready,
    /// A newer program has applied further migrations.
    Ahead,
    /// Some files are still pending.
    Behind {
        /// The names of the files, in the order in which they would run.
        pending: Vec<String>,
    },
}

impl Readiness {
    /// Whether the program may start.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !matches!(self, Readiness::Behind { .. })
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Readiness::Ready => f.write_str("ready: everything is applied"),
            Readiness::Ahead => f.write_str("ready: the database is ahead of this program"),
            Readiness::Behind { pending } => {
                write!(f, "not ready: {} pending ({})", pending.len(), pending.join(", "))
            }
        }
    }
}

/// Returns whether the database is at the set, or ahead of it. Use it as the readiness check of a
/// service.
///
/// The check also works while another process migrates.
///
/// # Errors
///
/// See [`Query`]. A difference is [`ErrorKind::Refused`](crate::ErrorKind::Refused).
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use {jetbase_core::{Folder, Migrations, Options}, jetbase_runtime::{check, sqlx::SqlitePool}};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Folder::read("../migrations".as_ref()).files, Options::NONE);
/// assert!(!check(&set, &pool).await?.is_ready()); // four files are pending
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn check<'t>(set: &Migrations, target: impl Target<'t> + 't) -> Query<'t, Readiness> {
    Query::new(set, target.source(), |question, origin| {
        Box::pin(async move {
            let history = read_state(origin, &question.options).await?.history.unwrap_or_default();
            let planned =
                plan(&question.set, &history, &Goal::Upgrade(Until::End), &question.policy)?;
            if planned.skipped.iter().any(|it| it.reason == SkipReason::Ahead) {
                return Ok(Readiness::Ahead);
            }
            let files = planned.steps.iter().filter_map(|step| question.set.get(step.index));
            let pending: Vec<_> = files.map(|it| it.file().to_owned()).collect();
            Ok(if pending.is_empty() { Readiness::Ready } else { Readiness::Behind { pending } })
        })
    })
}
