//! Runs that execute migrations again: `redo` and `reapply`.

use std::future::IntoFuture;

use futures_core::future::BoxFuture;
use jetbase_core::{Goal, Migrations, Policy, Until};

use super::perform::perform;
use super::{Published, RunRequest, builder};
use crate::cancel::Shutdown;
use crate::error::Error;
use crate::event::Listener;
use crate::execute::{Empty, TransactionUse};
use crate::into_version::IntoVersion;
use crate::options::{LockOptions, lock_methods};
use crate::report::Report;
use crate::target::{Source, Target};
use crate::task::in_task;

/// Rolls back the versions that are not recorded in the list beside the folder, and applies them again.
///
/// It is for a developer who has changed a file after his own database had applied it, for example a
/// file that was applied empty. A version that is recorded is refused, because other databases may have
/// applied it.
///
/// Without a list, it redoes the versions from the lowest one whose file has changed, or else the
/// highest one. [`Redo`] has options to redo others.
///
/// The returned builder is a future: await it.
///
/// # Errors
///
/// See [`Redo`].
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use jetbase_core::{Folder, Migrations, Options};
/// # use jetbase_runtime::{redo, run, sqlx::SqlitePool};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Folder::read("../migrations".as_ref()).files, Options::NONE);
/// run(&set, &pool).await?;
///
/// let report = redo(&set, &pool).await?;
/// assert_eq!(report.applied[0].file, "V3__first_user.sql"); // rolled back
/// assert_eq!(report.applied[1].file, "V3__first_user.sql"); // and applied
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn redo<'t>(set: &Migrations, target: impl Target<'t> + 't) -> Redo<'t> {
    Redo::new(set, target.source(), Goal::Redo(Until::End))
}

/// Runs one repeatable file again, although it has not changed. Use it if what the file makes is gone.
///
/// The file is named as in the folder, such as `ROC__views.sql`. The returned builder is a future: await
/// it.
///
/// # Errors
///
/// See [`Reapply`].
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use jetbase_core::{Folder, Migrations, Options};
/// # use jetbase_runtime::{reapply, run, sqlx::SqlitePool};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Folder::read("../migrations".as_ref()).files, Options::NONE);
/// run(&set, &pool).await?;
///
/// let report = reapply(&set, &pool, "ROC__user_names.sql").await?;
/// assert_eq!(report.applied.len(), 1);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn reapply<'t>(
    set: &Migrations,
    target: impl Target<'t> + 't,
    file: impl Into<String>,
) -> Reapply<'t> {
    Reapply::new(set, target.source(), Goal::Reapply(file.into()))
}

/// A run that rolls back versions and applies them again: set options, then `.await` it. See
/// [`Run`](crate::Run) for what happens when it is dropped.
///
/// # Errors
///
/// Returns an [`Error`] as [`Run`](crate::Run) and [`Rollback`](crate::Rollback) do. Before it executes
/// anything, it refuses if one of the versions is recorded
/// ([`ErrorKind::Refused`](crate::ErrorKind::Refused)).
#[derive(Debug)]
#[must_use = "a redo does nothing until it is awaited"]
pub struct Redo<'t> {
    source: Source<'t>,
    request: RunRequest,
    listener: Listener,
    shutdown: Shutdown<'t>,
}

/// A run that executes one repeatable file: set options, then `.await` it. See [`Run`](crate::Run) for
/// what happens when it is dropped.
///
/// # Errors
///
/// Returns an [`Error`] as [`Run`](crate::Run) does. It refuses if the set has no repeatable file with
/// the name ([`ErrorKind::Refused`](crate::ErrorKind::Refused)).
#[derive(Debug)]
#[must_use = "this does nothing until it is awaited"]
pub struct Reapply<'t> {
    source: Source<'t>,
    request: RunRequest,
    listener: Listener,
    shutdown: Shutdown<'t>,
}

builder!(Redo);
builder!(Reapply);

impl Redo<'_> {
    /// Redoes this many versions, the highest ones.
    pub fn count(mut self, count: usize) -> Self {
        self.request.goal = Goal::Redo(Until::Count(count));
        self
    }

    /// Redoes every version above this one, which must be applied. Version `0` means every version.
    ///
    /// The version is a variant of the generated `versions`, or a [`Version`](jetbase_core::Version).
    pub fn to_version(mut self, version: impl IntoVersion) -> Self {
        self.request.goal = Goal::Redo(Until::Version(version.into_version()));
        self
    }
}
