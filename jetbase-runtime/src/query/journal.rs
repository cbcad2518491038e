//! The journal from outside: which files are unfinished, and how to forget one by hand.

use std::fmt;
use std::future::IntoFuture;

use futures_core::future::BoxFuture;
use jetbase_core::Migrations;

use super::Query;
use crate::cancel::Shutdown;
use crate::dialect::JOURNAL_FORGET;
use crate::error::{Error, JournalError};
use crate::event::Listener;
use crate::journal::Unfinished;
use crate::lock::{Commits, LockRequest, with_lock};
use crate::options::{LockOptions, direct_or, lock_methods};
use crate::session::Session;
use crate::state::read_state;
use crate::target::{Connect, Source, Target};
use crate::task::in_task;
use crate::wait::Limit;

/// The files of which only a part is permanent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnfinishedFiles {
    /// The files, sorted by their names. There is more than one only if somebody has changed the
    /// tables by hand.
    pub files: Vec<Unfinished>,
}

impl fmt::Display for UnfinishedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.files.is_empty() {
            return f.write_str("no file is unfinished");
        }
        for (n, file) in self.files.iter().enumerate() {
            let separator = if n == 0 { "" } else { "\n" };
            write!(f, "{separator}{file}")?;
        }
        Ok(())
    }
}

/// Returns the files of which only a part is permanent, because a statement failed or a run was
/// interrupted.
///
/// # Errors
///
/// Returns an error if the tables cannot be read.
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use {jetbase_core::{Migrations, Options}, jetbase_runtime::{journal, sqlx::SqlitePool}};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Vec::new(), Options::NONE);
/// assert!(journal(&set, &pool).await?.files.is_empty());
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn journal<'t>(set: &Migrations, target: impl Target<'t> + 't) -> Query<'t, UnfinishedFiles> {
    Query::of_state(set, target, |_, state| {
        Ok(UnfinishedFiles { files: Unfinished::of(&state.journal) })
    })
}

/// Removes the rows of an unfinished file from the journal, after its statements were undone by hand.
/// The next run begins the file again.
///
/// The returned builder is a future: await it.
///
/// # Errors
///
/// See [`ClearJournal`].
///
/// # Examples
///
/// ```no_run
/// # use jetbase_core::Migrations;
/// # use jetbase_runtime::{DatabaseUrl, Error, clear_journal};
/// # async fn example(set: &Migrations) -> Result<(), Error> {
/// let url = DatabaseUrl("postgres://app@db.example.org/app");
/// clear_journal(set, url, "V3__shop.sql").await?;
/// # Ok(())
/// # }
/// ```
pub fn clear_journal<'t>(
    set: &Migrations,
    target: impl Target<'t> + 't,
    file: impl Into<String>,
) -> ClearJournal<'t> {
    ClearJournal {
        source: target.source(),
        request: ClearRequest { file: file.into(), options: LockOptions::of(set) },
        listener: Listener::default(),
        shutdown: Shutdown::default(),
    }
}

/// Removes the rows of an unfinished file: set options, then `.await` it.
///
/// # Errors
///
/// Returns an error if the file is not unfinished ([`ErrorKind::Journal`](crate::ErrorKind::Journal)),
/// or if another process holds the lock for longer than the wait allows.
#[derive(Debug)]
#[must_use = "nothing is removed until it is awaited"]
pub struct ClearJournal<'t> {
    source: Source<'t>,
    request: ClearRequest,
    listener: Listener,
    shutdown: Shutdown<'t>,
}

#[derive(Debug)]
struct ClearRequest {
    file: String,
    options: LockOptions,
}

lock_methods!(ClearJournal);

impl<'t> IntoFuture for ClearJournal<'t> {
    type Output = Result<Unfinished, Error>;
    type IntoFuture = BoxFuture<'t, Result<Unfinished, Error>>;

    /// The result is what the journal has said about the file.
    fn into_future(self) -> Self::IntoFuture {
        let (request, mut listener) = (self.request, self.listener);
        let cancel = request.options.cancel.clone();
        let span = tracing::info_span!(target: "jetbase", "jetbase.clear_journal");
        in_task(self.source, cancel, self.shutdown, span, move |source| {
            Box::pin(async move { request.clear(&mut listener, source).await })
        })
    }
}

impl ClearRequest {
    async fn clear(
        &self,
        listener: &mut Listener,
        source: &mut dyn Connect,
    ) -> Result<Unfinished, Error> {
        let wait = self.options.wait.clone()?;
        let state = read_state(source, &self.options.namespace).await?;
        self.find(Unfinished::of(&state.journal))?;
        let mut direct = self.options.direct_source(source.dialect())?;
        let source = direct_or(&mut direct, source);
        let lock_request = LockRequest {
            state: &state,
            options: &self.options,
            limit: Limit::start(wait),
            commits: Commits::PerFile,
        };
        let cleared = with_lock(
            source,
            &lock_request,
            listener,
            |_| Ok(()),
            async |session, _, _| self.remove(session).await,
        );
        Ok(cleared.await?)
    }

    async fn remove(&self, session: &mut Session<'_>) -> Result<Unfinished, Error> {
        let found = self.find(Unfinished::of(&session.read_journal().await?))?;
        let bindings = session.bindings.clone().literal("file", &self.file);
        let bindings = bindings.literal("direction", found.direction.as_str());
        let result = session.write_journal(&[bindings.render(JOURNAL_FORGET)]).await;
        session.reset().await;
        result.map(|()| found)
    }

    fn find(&self, files: Vec<Unfinished>) -> Result<Unfinished, JournalError> {
        let mut files = files.into_iter();
        let found = files.find(|it| it.file == self.file);
        found.ok_or_else(|| JournalError::NotUnfinished { file: self.file.clone() })
    }
}
