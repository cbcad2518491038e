//! Whether a program may start on a database.

use std::fmt;

use jetbase_core::{Migrations, SkipReason};

use super::Query;
use crate::journal::Unfinished;
use crate::target::Target;

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
        /// The files of which only a part is permanent.
        unfinished: Vec<Unfinished>,
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
            Readiness::Behind { pending, unfinished } => {
                write!(f, "not ready: {} pending ({})", pending.len(), pending.join(", "))?;
                unfinished.iter().try_for_each(|it| write!(f, "; {it}"))
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
    Query::of_state(set, target, |request, state| {
        let unfinished = Unfinished::of(&state.journal);
        let history = state.history.unwrap_or_default();
        let planned = request.plan(&history, &request.policy)?;
        if planned.skipped.iter().any(|it| it.reason == SkipReason::Ahead) {
            return Ok(Readiness::Ahead);
        }
        let pending: Vec<_> = request.migrations(&planned).map(|it| it.file().to_owned()).collect();
        if pending.is_empty() && unfinished.is_empty() {
            return Ok(Readiness::Ready);
        }
        Ok(Readiness::Behind { pending, unfinished })
    })
}
