//! Takes over the history of another migration tool.

mod old_table;
mod record;

use std::future::IntoFuture;
use std::time::{Duration, Instant};

use futures_core::future::BoxFuture;
use jetbase_core::{AdoptMap, Migrations};

use self::old_table::{OldHistory, read_old_history, tool_of_table};
use self::record::{keep_new, read_mark, record_history};
use crate::cancel::Shutdown;
use crate::error::{AdoptionError, Error, ErrorKind};
use crate::event::{Event, Listener};
use crate::lock::{Commits, LockRequest, with_lock};
use crate::options::{DryRun, LockOptions, direct_or, lock_methods};
use crate::session::Session;
use crate::state::{DatabaseState, read_state};
use crate::target::{Connect, Source, Target};
use crate::task::in_task;
use crate::wait::Limit;

/// Takes over the history of another migration tool: the rows of its table become rows of
/// `jetbase_migrations`.
///
/// The map is the file that `jetbase adopt` wrote beside the folder. A program with
/// `embed!(…, adopt = …)` does not need this function, because its first `run` does the same.
///
/// Nothing is written unless the old table, the map and the files agree. The old table is never
/// changed. If the database has a history already, nothing is done.
///
/// The returned builder is a future: await it. See [`Adopt`].
///
/// # Errors
///
/// See [`Adopt`].
///
/// # Examples
///
/// ```no_run
/// # use jetbase_core::{AdoptMap, Migrations};
/// # use jetbase_runtime::{DatabaseUrl, Error, adopt};
/// # async fn example(set: &Migrations, map: &AdoptMap) -> Result<(), Error> {
/// let target = DatabaseUrl("postgres://app@db.example.org/app");
/// let preview = adopt(set, map, target).dry_run().await?;
/// println!("{} migrations are applied", preview.planned.len());
///
/// let report = adopt(set, map, target).await?;
/// # Ok(())
/// # }
/// ```
pub fn adopt<'t>(set: &Migrations, map: &AdoptMap, target: impl Target<'t> + 't) -> Adopt<'t> {
    Adopt {
        source: target.source(),
        request: AdoptRequest { set: set.clone(), map: map.clone(), options: LockOptions::of(set) },
        listener: Listener::default(),
        shutdown: Shutdown::default(),
    }
}

/// The adoption of a history: set options, then `.await` it.
///
/// # Errors
///
/// Returns an [`Error`] when the database cannot be used, when another process or the old tool holds
/// its lock for longer than the wait, and when the old table, the map and the files differ
/// ([`ErrorKind::Adoption`](crate::ErrorKind::Adoption)). Then nothing was written.
#[derive(Debug)]
#[must_use = "an adoption does nothing until it is awaited"]
pub struct Adopt<'t> {
    source: Source<'t>,
    request: AdoptRequest,
    listener: Listener,
    shutdown: Shutdown<'t>,
}

/// The result of an adoption.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct AdoptReport {
    /// The names of the files whose rows were written, in order.
    pub adopted: Vec<String>,
    /// The names of the files whose rows a dry run would write.
    pub planned: Vec<String>,
    /// Whether the database had a history of jetbase before. Then nothing was done.
    pub has_history: bool,
    /// Warnings for an operator.
    pub warnings: Vec<String>,
    /// How long the adoption took.
    pub elapsed: Duration,
}

#[derive(Debug)]
struct AdoptRequest {
    set: Migrations,
    map: AdoptMap,
    options: LockOptions,
}

lock_methods!(Adopt);

impl<'t> IntoFuture for Adopt<'t> {
    type Output = Result<AdoptReport, Error>;
    type IntoFuture = BoxFuture<'t, Result<AdoptReport, Error>>;

    fn into_future(self) -> Self::IntoFuture {
        let (request, listener) = (self.request, self.listener);
        let cancel = request.options.cancel.clone();
        let span = tracing::info_span!(target: "jetbase", "jetbase.adopt");
        in_task(self.source, cancel, self.shutdown, span, move |source| {
            Box::pin(async move { request.perform(listener, source).await })
        })
    }
}

impl AdoptRequest {
    async fn perform(
        &self,
        mut listener: Listener,
        source: &mut dyn Connect,
    ) -> Result<AdoptReport, Error> {
        let started = Instant::now();
        let result = self.attempt(&mut listener, source).await;
        if let Some(panic) = listener.take_panic() {
            std::panic::resume_unwind(panic);
        }
        let mut report = result?;
        report.warnings = listener.take_warnings();
        report.elapsed = started.elapsed();
        Ok(report)
    }

    async fn attempt(
        &self,
        listener: &mut Listener,
        source: &mut dyn Connect,
    ) -> Result<AdoptReport, Error> {
        let limit = Limit::start(self.options.wait.clone()?);
        let state = read_state(source, &self.options.namespace).await?;
        if state.history.as_ref().is_some_and(|history| !history.is_empty()) {
            return Ok(AdoptReport { has_history: true, ..AdoptReport::default() });
        }
        let adoption = Adoption { set: &self.set, map: &self.map, options: &self.options };
        let files = adoption.perform(source, &state, limit, listener).await?;
        let Some(files) = files else {
            let schema = state.namespace.schema.clone();
            return Err(AdoptionError::NoTable { tool: self.map.tool, schema }.into());
        };
        Ok(match self.options.dry_run {
            DryRun::Yes => AdoptReport { planned: files, ..AdoptReport::default() },
            DryRun::No => AdoptReport { adopted: files, ..AdoptReport::default() },
        })
    }
}

/// What a run adopts, and how.
pub(crate) struct Adoption<'a> {
    pub(crate) set: &'a Migrations,
    pub(crate) map: &'a AdoptMap,
    pub(crate) options: &'a LockOptions,
}

impl Adoption<'_> {
    /// Writes the history, and returns the names of the files of its rows. A dry run writes nothing.
    /// `None`: there is no table of the old tool, or its history was adopted before.
    ///
    /// The first look needs no lock and creates no table, so a refusal leaves the database as it was.
    pub(crate) async fn perform(
        &self,
        source: &mut dyn Connect,
        state: &DatabaseState,
        limit: Limit,
        listener: &mut Listener,
    ) -> Result<Option<Vec<String>>, Error> {
        let Adoption { set, map, options } = *self;
        let mut session = Session::open_for_reading(source, state, limit).await?;
        let found = self.look(&mut session, state).await;
        session.close().await;
        let Some(history) = found? else { return Ok(None) };
        let files = history.rows.into_iter().map(|row| row.file).collect::<Vec<_>>();
        if files.is_empty() || options.dry_run == DryRun::Yes {
            return Ok(Some(files));
        }
        let mut direct = options.direct_source(source.dialect())?;
        let source = direct_or(&mut direct, source);
        let request = LockRequest { state, options, limit, commits: Commits::PerFile };
        let adopted = with_lock(
            source,
            &request,
            listener,
            |_| Ok(()),
            async |session, _, listener| {
                record_history(session, set, map, options, limit, listener).await
            },
        );
        let adopted = adopted.await?;
        if !adopted.is_empty() {
            listener.emit(&Event::Adopted { tool: map.tool, migrations: adopted.len() });
        }
        Ok(Some(adopted))
    }
}

impl Adoption<'_> {
    /// Reads what can be adopted.
    async fn look(
        &self,
        session: &mut Session<'_>,
        state: &DatabaseState,
    ) -> Result<Option<OldHistory>, Error> {
        let ours = state.history.as_deref().unwrap_or_default();
        let mark = read_mark(session, self.map.tool).await?;
        if ours.is_empty() == mark.is_some() {
            // Everything was rolled back, or nothing was adopted before our first migration.
            return Ok(None);
        }
        match read_old_history(session, self.set, self.map).await {
            Ok(Some(mut history)) => {
                keep_new(&mut history.rows, ours, mark.as_ref());
                Ok(Some(history))
            }
            Ok(None) => Ok(None),
            // After the adoption, our history counts, whatever the old table says.
            Err(error) if !ours.is_empty() && matches!(error.kind(), ErrorKind::Adoption(_)) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Returns the map of a set, if it was embedded with the option `adopt`.
pub(crate) fn map_of(set: &Migrations) -> Result<Option<AdoptMap>, AdoptionError> {
    let Some(text) = set.options().adopt else { return Ok(None) };
    AdoptMap::parse(text).map(Some).map_err(AdoptionError::Map)
}

/// Adds a hint to the error of a statement whose object exists already, if jetbase has not migrated this
/// database before.
pub(crate) async fn advise(
    error: Error,
    source: &mut dyn Connect,
    state: &DatabaseState,
    limit: Limit,
) -> Error {
    let has_history = state.history.as_ref().is_some_and(|history| !history.is_empty());
    let exists = match error.kind() {
        ErrorKind::Statement(failed) => {
            EXISTS.contains(&failed.code.as_str()) || failed.message.contains("already exists")
        }
        _ => false,
    };
    if has_history || !exists || !error.report().applied.is_empty() {
        return error;
    }
    let Ok(mut session) = Session::open_for_reading(source, state, limit).await else {
        return error;
    };
    let tool = tool_of_table(&mut session).await;
    session.close().await;
    error.hinting(match tool {
        Some(tool) => format!(
            "the table {} shows that {tool} has migrated this database before: convert its folder and adopt its history \
             with `jetbase adopt {}`",
            tool.table(),
            tool.word()
        ),
        None => "if this schema was made without jetbase: `jetbase baseline --detect` shows which versions \
                 are there already, and `jetbase baseline VERSION` marks them as applied"
            .to_owned(),
    })
}

/// The codes of "it exists already".
const EXISTS: [&str; 8] = ["42P07", "42710", "42701", "42723", "42P06", "1050", "1060", "1061"];
