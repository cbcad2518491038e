//! Runs that upgrade and roll back: the public builders and their options.

mod outcome;
mod perform;
mod plan;
mod redo;
mod unfinished;
mod work;

use std::future::IntoFuture;

use futures_core::future::BoxFuture;
use jetbase_core::{Goal, Migrations, Policy, Until};

use self::perform::perform;
pub use self::redo::{Reapply, Redo, reapply, redo};
use crate::cancel::Shutdown;
use crate::error::Error;
use crate::event::Listener;
use crate::execute::{Empty, TransactionUse};
use crate::into_version::IntoVersion;
use crate::journal::Resume;
use crate::options::{LockOptions, lock_methods, policy_methods};
use crate::report::Report;
use crate::target::{Source, Target, source_of_url};
use crate::task::in_task;

/// The request for one run. The builders below set its fields.
#[derive(Debug)]
pub(crate) struct RunRequest {
    set: Migrations,
    goal: Goal,
    policy: Policy,
    published: Published,
    empty: Empty,
    transactions: TransactionUse,
    options: LockOptions,
    /// Where the unfinished file goes on, if the caller has found it out.
    resume: Option<Resume>,
}

/// What to do when a PostgreSQL publication contains jetbase's tables.
///
/// A subscriber would receive a copy of the history and of the lock. The history would then list
/// migrations that the subscriber's database does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Published {
    /// Refuse to run, and say how to remove the tables from the publication.
    #[default]
    Refuse,
    /// Run anyway.
    Allow,
}

/// Applies the pending migrations of a set.
///
/// The returned builder is a future: await it. See [`Run`]. A program that embeds its migrations
/// calls `migrations::run(&pool)` instead.
///
/// # Errors
///
/// See [`Run`].
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use {jetbase_core::{Folder, Migrations, Options}, jetbase_runtime::{run, sqlx::SqlitePool}};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Folder::read("../migrations".as_ref()).files, Options::NONE);
/// let report = run(&set, &pool).await?;
/// assert_eq!(report.applied.len(), 4);
///
/// assert!(run(&set, &pool).await?.is_up_to_date());
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn run<'t>(set: &Migrations, target: impl Target<'t> + 't) -> Run<'t> {
    Run::new(set, target.source(), Goal::Upgrade(Until::End))
}

/// Applies the pending migrations of a set to the database behind a URL. See
/// [`DatabaseUrl`](crate::DatabaseUrl).
///
/// # Errors
///
/// See [`Run`]. A wrong URL is [`ErrorKind::Setting`](crate::ErrorKind::Setting).
///
/// # Examples
///
/// ```no_run
/// # use jetbase_core::Migrations;
/// # use jetbase_runtime::{Error, run_url};
/// # async fn example(set: &Migrations) -> Result<(), Error> {
/// let report = run_url(set, "postgres://app@db.example.org/app").await?;
/// println!("{report}");
/// # Ok(())
/// # }
/// ```
pub fn run_url(set: &Migrations, url: &str) -> Run<'static> {
    Run::new(set, source_of_url(url), Goal::Upgrade(Until::End))
}

/// Rolls back the highest applied version. [`Rollback`] has options to roll back more.
///
/// The returned builder is a future: await it.
///
/// # Errors
///
/// See [`Rollback`].
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use jetbase_core::{Folder, Migrations, Options, Version};
/// # use jetbase_runtime::{rollback, run, sqlx::SqlitePool};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Folder::read("../migrations".as_ref()).files, Options::NONE);
/// run(&set, &pool).await?;
///
/// let report = rollback(&set, &pool).await?;
/// assert_eq!(report.applied[0].file, "V3__first_user.sql");
///
/// rollback(&set, &pool).to_version(Version::parse("1")?).await?;
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn rollback<'t>(set: &Migrations, target: impl Target<'t> + 't) -> Rollback<'t> {
    Rollback::new(set, target.source(), Goal::Rollback(Until::Count(1)))
}

/// A run that applies pending migrations: set options, then `.await` it.
///
/// The run opens a `tracing` span `jetbase.run` with the field `goal`. In it, each file has a span
/// `jetbase.migration` with the field `file`. Every [`Event`](crate::Event) is also a `tracing` event. The target
/// of all of them is `jetbase`.
///
/// On a pool or a URL, the run applies files in a task of its own. When the future is dropped, that task
/// finishes the current file and releases the lock. On a `&mut` connection, the run stops where the
/// future is dropped. The lock may then stay held until it is unlocked by hand.
///
/// # Errors
///
/// Returns an [`Error`] that says what happened, where, and what to do. It contains the report of
/// what was applied before the failure.
#[derive(Debug)]
#[must_use = "a run does nothing until it is awaited"]
pub struct Run<'t> {
    source: Source<'t>,
    request: RunRequest,
    listener: Listener,
    shutdown: Shutdown<'t>,
}

/// A run that rolls back: set options, then `.await` it. See [`Run`] for what happens when it is
/// dropped.
///
/// # Errors
///
/// Returns an [`Error`] as [`Run`] does. Before it executes anything, it refuses if a file is missing
/// or has no rollback section ([`ErrorKind::Refused`](crate::ErrorKind::Refused)).
#[derive(Debug)]
#[must_use = "a rollback does nothing until it is awaited"]
pub struct Rollback<'t> {
    source: Source<'t>,
    request: RunRequest,
    listener: Listener,
    shutdown: Shutdown<'t>,
}

macro_rules! builder {
    ($Builder:ident) => {
        lock_methods!($Builder);

        impl<'t> $Builder<'t> {
            fn new(set: &Migrations, source: Source<'t>, goal: Goal) -> Self {
                let request = RunRequest {
                    set: set.clone(),
                    goal,
                    policy: Policy::default(),
                    published: Published::default(),
                    empty: Empty::default(),
                    transactions: TransactionUse::default(),
                    options: LockOptions::of(set),
                    resume: None,
                };
                let (listener, shutdown) = (Listener::default(), Shutdown::default());
                $Builder { source, request, listener, shutdown }
            }

            /// Sets what to do when a PostgreSQL publication contains jetbase's tables.
            pub fn published(mut self, published: Published) -> Self {
                self.request.published = published;
                self
            }
        }

        impl<'t> IntoFuture for $Builder<'t> {
            type Output = Result<Report, Error>;
            type IntoFuture = BoxFuture<'t, Result<Report, Error>>;

            fn into_future(self) -> Self::IntoFuture {
                let (request, listener) = (self.request, self.listener);
                let goal = match request.goal {
                    Goal::Upgrade(_) => "upgrade",
                    Goal::Rollback(_) => "rollback",
                    Goal::Redo(_) => "redo",
                    Goal::Reapply(_) => "reapply",
                };
                let span = tracing::info_span!(target: "jetbase", "jetbase.run", goal);
                let cancel = request.options.cancel.clone();
                in_task(self.source, cancel, self.shutdown, span, move |source| {
                    Box::pin(async move { perform(&request, listener, source).await })
                })
            }
        }
    };
}

use builder;

builder!(Run);
builder!(Rollback);

macro_rules! resumable {
    ($Builder:ident) => {
        impl $Builder<'_> {
            /// Says where an unfinished file goes on, after a person has found out whether its
            /// statement in doubt has taken effect.
            ///
            /// The statements before it count as executed. The run refuses
            /// ([`ErrorKind::Journal`](crate::ErrorKind::Journal)) if no file is unfinished.
            pub fn resume(mut self, resume: Resume) -> Self {
                self.request.resume = Some(resume);
                self
            }
        }
    };
}

resumable!(Run);
resumable!(Rollback);
policy_methods!(['t] Run<'t>);

impl Run<'_> {
    /// Applies versions up to and including this one. Repeatables run as usual.
    ///
    /// The version is a variant of the generated `versions`, or a [`Version`](jetbase_core::Version).
    pub fn to_version(mut self, version: impl IntoVersion) -> Self {
        self.request.goal = Goal::Upgrade(Until::Version(version.into_version()));
        self
    }

    /// Applies at most this many versions. Repeatables run as usual.
    pub fn count(mut self, count: usize) -> Self {
        self.request.goal = Goal::Upgrade(Until::Count(count));
        self
    }

    /// Applies consecutive files in one transaction, so that all of them are applied, or none.
    ///
    /// It is faster, because each file costs less and the server writes to the disk once. The price:
    /// - The transaction keeps every lock of its files until its end, so others may wait for as long as all files
    ///   need.
    /// - If a file fails, the files before it in its transaction are rolled back too
    ///   ([`Report::same_transaction`](crate::Report::same_transaction)), and the next run executes them again.
    /// - The history shows the files only at the end. A run that is asked to stop after the current file stops
    ///   after the transaction.
    ///
    /// Each file is still fenced, checked and recorded. These files have a transaction of their own, or none, as
    /// in every run: a file that cannot be rolled back (on MySQL and MariaDB, every file with DDL), a file that
    /// an earlier run has begun, and a file that reads what earlier statements have left in the session
    /// (`lastval()`, `last_insert_id()`). A file that sets variables, calls code or makes temporary objects is the
    /// last one of its transaction, because the session is reset after it. On a `&mut` connection to a server, a
    /// file that changes rows is the last one too.
    pub fn one_transaction(mut self) -> Self {
        self.request.transactions = TransactionUse::PerRun;
        self
    }

    /// Sets what to do with a pending versioned migration that has no statements.
    pub fn empty(mut self, empty: Empty) -> Self {
        self.request.empty = empty;
        self
    }
}

impl Rollback<'_> {
    /// Rolls back this many versions, the latest first.
    pub fn count(mut self, count: usize) -> Self {
        self.request.goal = Goal::Rollback(Until::Count(count));
        self
    }

    /// Rolls back every version above this one, which must be applied. Version `0` means every version.
    ///
    /// The version is a variant of the generated `versions`, or a [`Version`](jetbase_core::Version).
    pub fn to_version(mut self, version: impl IntoVersion) -> Self {
        self.request.goal = Goal::Rollback(Until::Version(version.into_version()));
        self
    }

    /// Rolls back every version.
    pub fn all(mut self) -> Self {
        self.request.goal = Goal::Rollback(Until::End);
        self
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests;
