//! The options that several commands share, and the methods that set them.

use std::fmt;
use std::time::Duration;

use jetbase_core::{Dialect, Migrations};

use crate::cancel::Cancel;
use crate::environment;
use crate::error::{SettingError, UrlError};
use crate::state::NamespaceOptions;
use crate::target::{Connect, ConnectionSource, source_of_url};
use crate::wait::{FIRST_NOTICE, Wait};

/// The options of a command that takes the lock.
#[derive(Debug)]
pub(crate) struct LockOptions {
    pub(crate) namespace: NamespaceOptions,
    /// How long to wait for the lock, or what is wrong with the value of `JETBASE_WAIT`.
    pub(crate) wait: Result<Wait, SettingError>,
    /// The URL that bypasses a pooler.
    pub(crate) direct_url: Option<SecretUrl>,
    pub(crate) dry_run: DryRun,
    /// After which wait the run first reports that it waits.
    pub(crate) first_notice: Duration,
    pub(crate) cancel: Cancel,
}

/// A URL that may contain a password. `Debug` does not show it.
pub(crate) struct SecretUrl(pub(crate) String);

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretUrl")
    }
}

/// Whether a command only reports what it would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DryRun {
    No,
    Yes,
}

impl LockOptions {
    /// Returns the options that a set and the environment ask for.
    pub(crate) fn of(set: &Migrations) -> Self {
        LockOptions {
            namespace: NamespaceOptions::of(set),
            wait: Wait::from_environment(),
            direct_url: environment::direct_url().map(SecretUrl),
            dry_run: DryRun::No,
            first_notice: FIRST_NOTICE,
            cancel: Cancel::default(),
        }
    }

    /// Returns the connection source of the direct URL, if there is one.
    pub(crate) fn direct_source(
        &self,
        dialect: Dialect,
    ) -> Result<Option<Box<dyn Connect>>, SettingError> {
        let Some(url) = &self.direct_url else { return Ok(None) };
        match source_of_url(&url.0).0 {
            ConnectionSource::Shared(direct) if direct.dialect() == dialect => Ok(Some(direct)),
            ConnectionSource::Shared(_) | ConnectionSource::Borrowed(_) => {
                Err(SettingError::DirectUrl(UrlError::OtherDialect { expected: dialect }))
            }
            ConnectionSource::Broken(fault) => Err(SettingError::DirectUrl(fault)),
        }
    }
}

/// Returns the direct source if there is one, and else the caller's.
pub(crate) fn direct_or<'a>(
    direct: &'a mut Option<Box<dyn Connect>>,
    source: &'a mut (dyn Connect + 'a),
) -> &'a mut (dyn Connect + 'a) {
    match direct {
        Some(direct) => direct.as_mut(),
        None => source,
    }
}

/// Writes the methods that set the [`NamespaceOptions`] of a builder.
macro_rules! namespace_methods {
    ([$($parameters:tt)*] $Builder:ty, $($namespace:ident).+) => {
        impl<$($parameters)*> $Builder {
            /// Sets the schema (MySQL: the database) to work in. The default is the connection's
            /// own.
            pub fn schema(mut self, schema: impl Into<String>) -> Self {
                self.$($namespace).+.schema = Some(schema.into());
                self
            }

            /// Sets the PostgreSQL role to work as, like `SET ROLE`.
            pub fn role(mut self, role: impl Into<String>) -> Self {
                self.$($namespace).+.role = Some(role.into());
                self
            }

            /// Trusts a PostgreSQL role that owns jetbase's tables or their schema.
            ///
            /// Always trusted are the role that migrates, superusers, and the owner of the
            /// database. A table of any other owner is refused if a trigger, a rule, a policy, a
            /// default or anything else on it could run the owner's code with the rights of the
            /// role that migrates.
            pub fn trust_owner(mut self, role: impl Into<String>) -> Self {
                self.$($namespace).+.trusted.push(role.into());
                self
            }
        }
    };
}

/// Writes the methods of a builder with the fields `request.options`, which are [`LockOptions`],
/// `listener` and `shutdown`.
macro_rules! lock_methods {
    ($Builder:ident) => {
        $crate::options::namespace_methods!(['t] $Builder<'t>, request.options.namespace);

        impl<'t> $Builder<'t> {
            /// Sets how long to wait while another process holds the lock. The default is the value
            /// of the environment variable `JETBASE_WAIT` (`30s`, `never`), else
            /// [`Wait::WhileAlive`](crate::Wait::WhileAlive).
            pub fn wait(mut self, wait: $crate::Wait) -> Self {
                self.request.options.wait = Ok(wait);
                self
            }

            /// Sets after which wait for the lock the first [`Event::Waiting`](crate::Event::Waiting)
            /// comes. The default is 5 seconds. With zero, it comes at once.
            pub fn notice_after(mut self, wait: std::time::Duration) -> Self {
                self.request.options.first_notice = wait;
                self
            }

            /// Sets a URL that reaches the same database without a pooler. Over it, the lock of a
            /// dead holder is recovered at once. The default is the value of the environment
            /// variable `JETBASE_DIRECT_URL`.
            pub fn direct_url(mut self, url: impl Into<String>) -> Self {
                self.request.options.direct_url = Some($crate::options::SecretUrl(url.into()));
                self
            }

            /// Calls a function with each event, as it happens.
            ///
            /// A panic in the function stops a run before the next file. The panic resumes after
            /// the lock is released and the connection is returned.
            pub fn on_event(mut self, listen: impl FnMut(&$crate::Event) + Send + 'static) -> Self {
                self.listener = $crate::event::Listener::new(listen, &self.request.options.cancel);
                self
            }

            /// Stops the command when a future completes, for example the one of
            /// `tokio::signal::ctrl_c`.
            ///
            /// A run finishes the current file, releases the lock, and returns the report of what
            /// was applied. A repair that has the lock ends as usual. A command that does not have
            /// the lock yet returns [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
            pub fn graceful_shutdown(
                mut self,
                signal: impl Future<Output = ()> + Send + 't,
            ) -> Self {
                self.shutdown = $crate::cancel::Shutdown::on(signal);
                self
            }

            /// Returns a handle that stops the command from another task: after the current file, or
            /// at once.
            pub fn cancel_handle(&self) -> $crate::CancelHandle {
                self.request.options.cancel.handle()
            }

            /// Reports what the command would do. Nothing is changed, and no lock is taken.
            pub fn dry_run(mut self) -> Self {
                self.request.options.dry_run = $crate::options::DryRun::Yes;
                self
            }
        }
    };
}

/// Writes the methods that set the [`Policy`](jetbase_core::Policy) of a builder: its field
/// `request.policy`.
macro_rules! policy_methods {
    ([$($parameters:tt)*] $Builder:ty) => {
        impl<$($parameters)*> $Builder {
            /// Skips a validation. Call it again to skip another one.
            pub fn skip(mut self, validation: jetbase_core::Validation) -> Self {
                self.request.policy.skip.push(validation);
                self
            }

            /// Sets how to treat applied versions that are newer than the whole set, because a newer
            /// program has migrated the database.
            pub fn ahead(mut self, ahead: jetbase_core::Ahead) -> Self {
                self.request.policy.ahead = ahead;
                self
            }

            /// Sets when `RA__` files run, which also decides whether they count as pending.
            pub fn repeat(mut self, repeat: jetbase_core::Repeat) -> Self {
                self.request.policy.repeat = repeat;
                self
            }
        }
    };
}

pub(crate) use {lock_methods, namespace_methods, policy_methods};
