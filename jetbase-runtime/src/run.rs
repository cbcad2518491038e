//! Runs that upgrade and roll back: the public builders and their options.

mod outcome;
mod perform;
mod plan;
mod work;

use std::future::{Future, IntoFuture};

use futures_core::future::BoxFuture;
use jetbase_core::{Ahead, Goal, Migrations, Policy, Repeat, Until, Validation, Version};

use self::perform::start;
pub(crate) use self::perform::{direct, in_task};
use crate::cancel::{Cancel, Shutdown};
use crate::environment;
use crate::error::{Error, SettingError};
use crate::event::{Event, Listener};
use crate::report::Report;
use crate::state::NamespaceOptions;
use crate::target::{Source, Target, source_of_url};
use crate::wait::Wait;

/// A request for one run. The builders below set its fields.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) set: Migrations,
    pub(crate) goal: Goal,
    pub(crate) policy: Policy,
    /// How long to wait for the lock, or what is wrong with the value of `JETBASE_WAIT`.
    pub(crate) wait: Result<Wait, SettingError>,
    pub(crate) options: NamespaceOptions,
    pub(crate) direct: Option<String>,
    pub(crate) published: Published,
    pub(crate) dry_run: DryRun,
    pub(crate) listener: Listener,
    pub(crate) cancel: Cancel,
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

/// Whether the run only reports what it would execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DryRun {
    No,
    Yes,
}

impl Request {
    pub(crate) fn new(set: &Migrations, goal: Goal) -> Self {
        let options = NamespaceOptions::of(set);
        Request {
            set: set.clone(),
            goal,
            policy: Policy::default(),
            wait: Wait::of_environment(),
            options,
            direct: environment::direct_url(),
            published: Published::default(),
            dry_run: DryRun::No,
            listener: Listener::default(),
            cancel: Cancel::default(),
        }
    }
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
    Run {
        source: target.source(),
        request: Request::new(set, Goal::Upgrade(Until::End)),
        shutdown: Shutdown::default(),
    }
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
    Run {
        source: source_of_url(url),
        request: Request::new(set, Goal::Upgrade(Until::End)),
        shutdown: Shutdown::default(),
    }
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
    Rollback {
        source: target.source(),
        request: Request::new(set, Goal::Rollback(Until::Count(1))),
        shutdown: Shutdown::default(),
    }
}

/// A run that applies pending migrations: set options, then `.await` it.
///
/// The run opens a `tracing` span `jetbase.run` with the field `goal`. In it, each file has a span
/// `jetbase.migration` with the field `file`. Every [`Event`] is also a `tracing` event. The target
/// of all of them is `jetbase`.
///
/// On a pool or a URL, the run works in a task of its own. When the future is dropped, that task
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
    request: Request,
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
    request: Request,
    shutdown: Shutdown<'t>,
}

macro_rules! options {
    ($Builder:ident) => {
        impl<'t> $Builder<'t> {
            /// Sets how long to wait while another process holds the lock. The default is the value
            /// of the environment variable `JETBASE_WAIT` (`30s`, `never`), else
            /// [`Wait::Patiently`].
            pub fn wait(mut self, wait: Wait) -> Self {
                self.request.wait = Ok(wait);
                self
            }

            /// Sets the schema (MySQL: the database) to work in. The default is the connection's
            /// own.
            pub fn schema(mut self, schema: impl Into<String>) -> Self {
                self.request.options.schema = Some(schema.into());
                self
            }

            /// Sets the PostgreSQL role to work as, like `SET ROLE`.
            pub fn role(mut self, role: impl Into<String>) -> Self {
                self.request.options.role = Some(role.into());
                self
            }

            /// Trusts a PostgreSQL role that owns jetbase's tables or their schema.
            ///
            /// Always trusted are the role that migrates, superusers, and the owner of the
            /// database. A table of any other owner is refused if a trigger, a rule, a policy, a
            /// default or anything else on it could run the owner's code with the rights of the
            /// role that migrates.
            pub fn trust_owner(mut self, role: impl Into<String>) -> Self {
                self.request.options.trusted.push(role.into());
                self
            }

            /// Sets a URL that reaches the same database without a pooler. Over it, the lock of a
            /// dead holder is recovered at once. The default is the value of the environment
            /// variable `JETBASE_DIRECT_URL`.
            pub fn direct_url(mut self, url: impl Into<String>) -> Self {
                self.request.direct = Some(url.into());
                self
            }

            /// Sets what to do when a PostgreSQL publication contains jetbase's tables.
            pub fn published(mut self, published: Published) -> Self {
                self.request.published = published;
                self
            }

            /// Calls a function with each event, as it happens.
            ///
            /// A panic in the function stops the run before the next file. The panic resumes after
            /// the lock is released and the connection is returned. [`Event`] has an example.
            pub fn on_event(mut self, listen: impl FnMut(&Event) + Send + 'static) -> Self {
                self.request.listener = Listener::new(listen, &self.request.cancel);
                self
            }

            /// Stops the run when a future completes, for example the one of
            /// `tokio::signal::ctrl_c`.
            ///
            /// The run finishes the current file, releases the lock, and returns the report of what
            /// was applied. If it does not have the lock yet, it returns
            /// [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
            pub fn graceful_shutdown(
                mut self,
                signal: impl Future<Output = ()> + Send + 't,
            ) -> Self {
                self.shutdown = Shutdown::on(signal);
                self
            }

            /// Reports what the run would do. Nothing is executed, and no lock is taken.
            pub fn dry_run(mut self) -> Self {
                self.request.dry_run = DryRun::Yes;
                self
            }
        }

        impl<'t> IntoFuture for $Builder<'t> {
            type Output = Result<Report, Error>;
            type IntoFuture = BoxFuture<'t, Result<Report, Error>>;

            fn into_future(self) -> Self::IntoFuture {
                let cancel = self.request.cancel.clone();
                self.shutdown.watch(cancel, start(self.source, self.request))
            }
        }
    };
}

options!(Run);
options!(Rollback);

impl Run<'_> {
    /// Applies versions up to and including this one. Repeatables run as usual.
    ///
    /// The version is a variant of the generated `versions`, or a [`Version`].
    pub fn to_version(mut self, version: impl Into<Version>) -> Self {
        self.request.goal = Goal::Upgrade(Until::Version(version.into()));
        self
    }

    /// Applies at most this many versions. Repeatables run as usual.
    pub fn count(mut self, count: usize) -> Self {
        self.request.goal = Goal::Upgrade(Until::Count(count));
        self
    }

    /// Skips a validation. Call it again to skip another one.
    pub fn skip(mut self, validation: Validation) -> Self {
        self.request.policy.skip.push(validation);
        self
    }

    /// Sets what to do when a newer program has already migrated the database.
    pub fn ahead(mut self, ahead: Ahead) -> Self {
        self.request.policy.ahead = ahead;
        self
    }

    /// Sets when `RA__` files run.
    pub fn repeat(mut self, repeat: Repeat) -> Self {
        self.request.policy.repeat = repeat;
        self
    }
}

impl Rollback<'_> {
    /// Rolls back this many versions, the latest first.
    pub fn count(mut self, count: usize) -> Self {
        self.request.goal = Goal::Rollback(Until::Count(count));
        self
    }

    /// Rolls back every version above this one, which must be applied.
    ///
    /// The version is a variant of the generated `versions`, or a [`Version`].
    pub fn to_version(mut self, version: impl Into<Version>) -> Self {
        self.request.goal = Goal::Rollback(Until::Version(version.into()));
        self
    }

    /// Rolls back every version.
    pub fn all(mut self) -> Self {
        self.request.goal = Goal::Rollback(Until::End);
        self
    }
}
