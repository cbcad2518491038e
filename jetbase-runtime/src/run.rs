//! Applying and rolling back: what a caller may ask for.

mod perform;
mod work;

use std::future::IntoFuture;

use futures_core::future::BoxFuture;
use jetbase_core::{Ahead, Goal, Migrations, Policy, Repeat, Until, Validation, Version};

pub(crate) use self::perform::{read_state, start};
use crate::cancel::Cancel;
use crate::environment;
use crate::error::Error;
use crate::event::{Event, Listener};
use crate::lock::Wait;
use crate::report::Report;
use crate::state::NamespaceOptions;
use crate::target::{Source, Target, source_of_url};

/// What is asked for; the builders below fill it in.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) set: Migrations,
    pub(crate) goal: Goal,
    pub(crate) policy: Policy,
    /// How long to wait, or what is wrong with what the environment says about it.
    pub(crate) wait: Result<Wait, String>,
    pub(crate) options: NamespaceOptions,
    pub(crate) direct: Option<String>,
    pub(crate) published: Published,
    pub(crate) dry_run: DryRun,
    pub(crate) listener: Listener,
    pub(crate) cancel: Cancel,
}

/// What to do when a publication carries jetbase's tables to subscribers.
///
/// A subscriber's copy would claim migrations that it has not, and carry the lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Published {
    /// Refuse, and say how to take the tables out.
    #[default]
    Refuse,
    /// Run all the same.
    Allow,
}

/// Whether anything is executed.
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

/// Applies what is pending in a set.
///
/// The returned builder is a future: await it. See [`Run`].
pub fn run<'t>(set: &Migrations, target: impl Target<'t> + 't) -> Run<'t> {
    Run { source: target.source(), request: Request::new(set, Goal::Upgrade(Until::End)) }
}

/// Applies what is pending in a set, on the database behind a URL; see [`DatabaseUrl`](crate::DatabaseUrl).
pub fn run_url(set: &Migrations, url: &str) -> Run<'static> {
    Run { source: source_of_url(url), request: Request::new(set, Goal::Upgrade(Until::End)) }
}

/// Rolls back the version applied last, or more.
///
/// The returned builder is a future: await it. See [`Rollback`].
pub fn rollback<'t>(set: &Migrations, target: impl Target<'t> + 't) -> Rollback<'t> {
    Rollback {
        source: target.source(),
        request: Request::new(set, Goal::Rollback(Until::Count(1))),
    }
}

/// A run that applies what is pending: set options, then `.await` it.
///
/// `tracing` sees a span `jetbase.run` with the field `goal`, in it a span
/// `jetbase.migration` with the field `file` for each file, and every
/// [`Event`] as an event; their target is `jetbase`.
///
/// With a pool, or a URL, the work is done in a task of its own: when the
/// future is dropped, the file in work is finished, and the lock is released.
/// With `&mut` a connection the work ends where the future is dropped: the
/// lock may then stay until somebody unlocks it.
///
/// # Errors
///
/// An [`Error`] that names what happened, where, and what to do; it carries
/// the report of what was applied before.
#[derive(Debug)]
#[must_use = "a run does nothing until it is awaited"]
pub struct Run<'t> {
    source: Source<'t>,
    request: Request,
}

/// A run that rolls back: set options, then `.await` it. See [`Run`] for what
/// dropping it means, and for its errors.
#[derive(Debug)]
#[must_use = "a rollback does nothing until it is awaited"]
pub struct Rollback<'t> {
    source: Source<'t>,
    request: Request,
}

macro_rules! options {
    ($Builder:ident) => {
        impl<'t> $Builder<'t> {
            /// How long to wait while somebody else holds the lock; without it, what the
            /// environment's `JETBASE_WAIT` says (`30s`, `never`), else [`Wait::Patiently`].
            pub fn wait(mut self, wait: Wait) -> Self {
                self.request.wait = Ok(wait);
                self
            }

            /// The schema (MySQL: the database) to work in, instead of the connection's own.
            pub fn schema(mut self, schema: impl Into<String>) -> Self {
                self.request.options.schema = Some(schema.into());
                self
            }

            /// The PostgreSQL role to work as, as `SET ROLE` would.
            pub fn role(mut self, role: impl Into<String>) -> Self {
                self.request.options.role = Some(role.into());
                self
            }

            /// Trusts a PostgreSQL role that owns jetbase's tables, or their schema.
            ///
            /// Trusted without it: the role that migrates, superusers, and the owner of the database. A
            /// table of anybody else is refused if a trigger, a rule, a policy, a default or anything
            /// else of it could run code of its owner with the rights of the role that migrates.
            pub fn trust_owner(mut self, role: impl Into<String>) -> Self {
                self.request.options.trusted.push(role.into());
                self
            }

            /// A URL that leads past a pooler to the same database: over it, a dead holder is
            /// recovered at once. Without it, what the environment's `JETBASE_DIRECT_URL` says.
            pub fn direct_url(mut self, url: impl Into<String>) -> Self {
                self.request.direct = Some(url.into());
                self
            }

            /// What to do when a PostgreSQL publication carries jetbase's tables to subscribers.
            pub fn published(mut self, published: Published) -> Self {
                self.request.published = published;
                self
            }

            /// Hears what happens, as it happens.
            ///
            /// A panic in the function stops the run before the next file; it goes on when the lock is
            /// released and the connection is given back.
            pub fn on_event(mut self, listen: impl FnMut(&Event) + Send + 'static) -> Self {
                self.request.listener = Listener::new(listen, &self.request.cancel);
                self
            }

            /// Reports what would be done, and takes no lock.
            pub fn dry_run(mut self) -> Self {
                self.request.dry_run = DryRun::Yes;
                self
            }
        }

        impl<'t> IntoFuture for $Builder<'t> {
            type Output = Result<Report, Error>;
            type IntoFuture = BoxFuture<'t, Result<Report, Error>>;

            fn into_future(self) -> Self::IntoFuture {
                start(self.source, self.request)
            }
        }
    };
}

options!(Run);
options!(Rollback);

impl Run<'_> {
    /// Applies versions up to and with this one; repeatables run as ever.
    ///
    /// It is one of the generated `versions`, or a [`Version`].
    pub fn to_version(mut self, version: impl Into<Version>) -> Self {
        self.request.goal = Goal::Upgrade(Until::Version(version.into()));
        self
    }

    /// Applies at most this many versions; repeatables run as ever.
    pub fn count(mut self, count: usize) -> Self {
        self.request.goal = Goal::Upgrade(Until::Count(count));
        self
    }

    /// Skips a validation; it can be called for several.
    pub fn skip(mut self, validation: Validation) -> Self {
        self.request.policy.skip.push(validation);
        self
    }

    /// What to do when a newer program has migrated the database already.
    pub fn ahead(mut self, ahead: Ahead) -> Self {
        self.request.policy.ahead = ahead;
        self
    }

    /// When `RA__` files run.
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
    /// It is one of the generated `versions`, or a [`Version`].
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
