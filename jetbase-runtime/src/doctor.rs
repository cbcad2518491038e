//! `doctor`: what a run would see on a database, without a change.

mod about_session;
mod diagnose;
mod diagnosis;
mod facts;
mod line;
#[cfg(test)]
mod tests;

use std::future::IntoFuture;

use futures_core::future::BoxFuture;
use jetbase_core::{Migrations, Policy};

pub use self::diagnosis::{Diagnosis, Diagnostic, DiagnosticLevel};
use self::facts::Facts;
use crate::error::Error;
use crate::options::{LockOptions, SecretUrl, namespace_methods, policy_methods};
use crate::run::Published;
use crate::target::{Source, Target};
use crate::wait::Wait;

/// Examines a database: `.await` it. [`doctor`] creates it.
///
/// # Errors
///
/// Returns an [`Error`] if a URL is not valid. Everything else that would stop a run is a line of
/// the [`Diagnosis`].
#[derive(Debug)]
#[must_use = "nothing is examined until it is awaited"]
pub struct Doctor<'t> {
    source: Source<'t>,
    request: DoctorRequest,
}

/// The input of an examination.
#[derive(Debug)]
struct DoctorRequest {
    set: Migrations,
    options: LockOptions,
    policy: Policy,
    published: Published,
}

/// Examines what a run would see: the server, the user and its rights, the schema, how its liveness
/// can be checked, the tables of jetbase, the history and the lock.
///
/// Nothing is written, and no lock is taken. The result has one line for each subject. A line is
/// good, a warning, or a blocker: something that would stop a run. A warning and a blocker say what
/// to do.
///
/// # Errors
///
/// See [`Doctor`].
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use jetbase_core::{Folder, Migrations, Options};
/// # use jetbase_runtime::{doctor, sqlx::SqlitePool};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Folder::read("../migrations".as_ref()).files, Options::NONE);
/// let diagnosis = doctor(&set, &pool).await?;
/// println!("{diagnosis}");
/// assert!(!diagnosis.has_blocker());
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn doctor<'t>(set: &Migrations, target: impl Target<'t> + 't) -> Doctor<'t> {
    let request = DoctorRequest {
        set: set.clone(),
        options: LockOptions::of(set),
        policy: Policy::default(),
        published: Published::default(),
    };
    Doctor { source: target.source(), request }
}

namespace_methods!(['t] Doctor<'t>, request.options.namespace);
policy_methods!(['t] Doctor<'t>);

impl Doctor<'_> {
    /// Sets how long the run would wait for the lock. The default is that of a run.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.request.options.wait = Ok(wait);
        self
    }

    /// Sets a URL that reaches the same database without a pooler, as for a run. The default is the
    /// value of the environment variable `JETBASE_DIRECT_URL`.
    pub fn direct_url(mut self, url: impl Into<String>) -> Self {
        self.request.options.direct_url = Some(SecretUrl(url.into()));
        self
    }

    /// Sets whether the run may work although a PostgreSQL publication contains jetbase's tables.
    pub fn published(mut self, published: Published) -> Self {
        self.request.published = published;
        self
    }
}

impl<'t> IntoFuture for Doctor<'t> {
    type Output = Result<Diagnosis, Error>;
    type IntoFuture = BoxFuture<'t, Result<Diagnosis, Error>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut source = self.source.into_connect()?;
            let direct = self.request.options.direct_source(source.dialect())?;
            let facts = Facts::read(&self.request, source.as_mut(), direct).await;
            Ok(Diagnosis { diagnostics: diagnose::diagnose(&facts) })
        })
    }
}
