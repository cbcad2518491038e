//! The lock from outside: who holds it, and how to unlock it by hand.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use futures_core::future::BoxFuture;
use jetbase_core::Migrations;

use super::{Query, QueryRequest};
use crate::error::{Error, ErrorKind, TableError};
use crate::journal::Unfinished;
use crate::lock;
use crate::options::namespace_methods;
use crate::session::Session;
use crate::state::{DatabaseState, NamespaceOptions, read_state};
use crate::target::{Connect, Source, Target};
use crate::wait::Limit;

/// Whether the migration lock is held, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockStatus {
    /// Whether the lock is held.
    pub locked: bool,
    /// Since when the lock is held, as the database prints it.
    pub locked_at: Option<String>,
    /// The process id of the holder.
    pub process_id: Option<String>,
    /// A description of the holder.
    pub holder: Option<String>,
    /// Whether the holder is alive; `None` if its liveness cannot be checked.
    pub alive: Option<bool>,
    /// The files of which only a part is permanent. One of them may be the file that the holder is
    /// executing.
    pub unfinished: Vec<Unfinished>,
}

impl fmt::Display for LockStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.locked {
            f.write_str("Status: UNLOCKED")?;
            return self.unfinished.iter().try_for_each(|it| write!(f, "\nUnfinished: {it}"));
        }
        write!(f, "Status: LOCKED\nLocked At: {}", self.locked_at.as_deref().unwrap_or("None"))?;
        if let Some(holder) = &self.holder {
            write!(f, "\nHeld By: {holder}")?;
        }
        f.write_str(match self.alive {
            Some(true) => "\nAlive: yes",
            Some(false) => "\nAlive: no: the next run takes the lock over",
            None => "\nAlive: unknown, because its liveness cannot be checked from here; if you are sure that it is dead, run `jetbase unlock`",
        })?;
        self.unfinished.iter().try_for_each(|it| write!(f, "\nUnfinished: {it}"))
    }
}

/// Returns who holds the migration lock, since when, and whether that holder is alive.
///
/// # Errors
///
/// See [`Query`].
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use {jetbase_core::{Migrations, Options}, jetbase_runtime::{lock_status, sqlx::SqlitePool}};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Vec::new(), Options::NONE);
/// let status = lock_status(&set, &pool).await?;
/// assert_eq!(status.to_string(), "Status: UNLOCKED");
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn lock_status<'t>(set: &Migrations, target: impl Target<'t> + 't) -> Query<'t, LockStatus> {
    Query::new(set, target.source(), |request, source| Box::pin(read_status(request, source)))
}

async fn read_status(request: QueryRequest, source: &mut dyn Connect) -> Result<LockStatus, Error> {
    let state = read_state(source, &request.namespace).await?;
    let mut session = Session::open_for_reading(source, &state, Limit::for_query()).await?;
    let status = read_lock(&mut session).await;
    session.close().await;
    Ok(LockStatus { unfinished: Unfinished::of(&state.journal), ..status? })
}

/// Nobody holds the lock.
const FREE: LockStatus = LockStatus {
    locked: false,
    locked_at: None,
    process_id: None,
    holder: None,
    alive: None,
    unfinished: Vec::new(),
};

/// Returns who holds the lock, after the state was read. It sends nothing if the lock is free.
pub(super) async fn status_of(
    source: &mut dyn Connect,
    state: &DatabaseState,
) -> Result<LockStatus, Error> {
    let unfinished = Unfinished::of(&state.journal);
    if state.lock_owner.is_none() {
        return Ok(LockStatus { unfinished, ..FREE });
    }
    let mut session = Session::open_for_reading(source, state, Limit::for_query()).await?;
    let status = read_lock(&mut session).await;
    session.close().await;
    Ok(LockStatus { unfinished, ..status? })
}

/// Reads who holds the lock, over a session that is already open.
pub(crate) async fn read_lock(session: &mut Session<'_>) -> Result<LockStatus, Error> {
    let Some(row) = lock::read_lock_row(session).await?.filter(|row| row.locked) else {
        return Ok(FREE);
    };
    let holder = lock::describe_holder(session, &row).await;
    Ok(LockStatus {
        locked: true,
        locked_at: row.since.as_deref().map(|since| stamp(since, session)),
        process_id: row.owner,
        holder: Some(holder),
        alive: row.alive,
        unfinished: Vec::new(),
    })
}

/// Formats a time stamp like the Python tool: no fraction, or six digits. SQLite's text is
/// unchanged.
fn stamp(since: &str, session: &Session<'_>) -> String {
    match since.split_once('.') {
        Some((seconds, fraction))
            if session.file.is_none() && fraction.trim_matches('0').is_empty() =>
        {
            seconds.to_owned()
        }
        Some((seconds, fraction)) if session.dialect != jetbase_core::Dialect::Sqlite => {
            format!("{seconds}.{fraction:0<6}")
        }
        _ => since.to_owned(),
    }
}

/// Unlocks the migration lock by hand: `.await` it.
///
/// # Errors
///
/// Returns an [`Error`] if the holder is alive ([`ErrorKind::Held`]), unless [`Unlock::force`] is set.
/// Also if the holder executes a migration ([`ErrorKind::HolderBusy`]), and if the database cannot be
/// used.
#[derive(Debug)]
#[must_use = "nothing is unlocked until it is awaited"]
pub struct Unlock<'t> {
    source: Source<'t>,
    namespace: NamespaceOptions,
    force: Force,
}

/// Whether to unlock although the holder is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Force {
    No,
    Yes,
}

/// The result of an unlock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unlocked {
    /// The previous holder; `None` if the lock was free.
    pub holder: Option<String>,
}

impl fmt::Display for Unlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.holder {
            Some(holder) => write!(f, "unlocked; it was held by {holder}"),
            None => f.write_str("the lock was free"),
        }
    }
}

/// Unlocks the migration lock by hand.
///
/// The returned builder is a future: await it.
///
/// # Errors
///
/// See [`Unlock`].
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use {jetbase_core::{Migrations, Options}, jetbase_runtime::{unlock, sqlx::SqlitePool}};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Vec::new(), Options::NONE);
/// let unlocked = unlock(&set, &pool).await?;
/// assert_eq!(unlocked.to_string(), "the lock was free");
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn unlock<'t>(set: &Migrations, target: impl Target<'t> + 't) -> Unlock<'t> {
    Unlock { source: target.source(), namespace: NamespaceOptions::of(set), force: Force::No }
}

namespace_methods!(['t] Unlock<'t>, namespace);

impl Unlock<'_> {
    /// Unlocks even if the holder is alive. Its run then stops with the error "lock lost".
    pub fn force(mut self) -> Self {
        self.force = Force::Yes;
        self
    }
}

impl<'t> IntoFuture for Unlock<'t> {
    type Output = Result<Unlocked, Error>;
    type IntoFuture = BoxFuture<'t, Result<Unlocked, Error>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut source = self.source.into_connect()?;
            force_unlock(source.as_mut(), &self.namespace, self.force).await
        })
    }
}

async fn force_unlock(
    source: &mut dyn Connect,
    namespace: &NamespaceOptions,
    force: Force,
) -> Result<Unlocked, Error> {
    let found = read_state(source, namespace).await?;
    let limit = Limit::for_query();
    let mut session = Session::open(source, &found, limit).await?;
    session.wait_within(limit).await;
    let result = match release_row_by_force(&mut session, force).await {
        Ok(unlocked) => Ok(unlocked),
        Err(error) => Err(session.name_primary(error).await),
    };
    session.close().await;
    result
}

async fn release_row_by_force(session: &mut Session<'_>, force: Force) -> Result<Unlocked, Error> {
    let status = read_lock(session).await?;
    if !status.locked {
        return Ok(Unlocked { holder: None });
    }
    let holder = status.holder.unwrap_or_default();
    if status.alive == Some(true) && force == Force::No {
        let (since, waited) = (status.locked_at, Duration::ZERO);
        return Err(Error::new(ErrorKind::Held { holder, since, alive: status.alive, waited }));
    }
    match session.write(session.sql.unlock).await {
        Ok(_) if is_released(session, status.process_id.as_deref()).await? => {
            Ok(Unlocked { holder: Some(holder) })
        }
        Ok(_) => Err(TableError::ChangeIgnored {
            operation: "unlocking".to_owned(),
            table: "jetbase_lock".to_owned(),
        }
        .into()),
        Err(failure) if failure.cause.is_contended() => {
            Err(Error::new(ErrorKind::HolderBusy { holder }))
        }
        Err(failure) => Err(Error::database("unlocking", &failure.cause)),
    }
}

/// Whether the row is free now, or already has another holder.
async fn is_released(session: &mut Session<'_>, before: Option<&str>) -> Result<bool, Error> {
    let row = lock::read_lock_row(session).await?.filter(|row| row.locked);
    Ok(row.is_none_or(|row| row.owner.as_deref().is_some_and(|owner| Some(owner) != before)))
}
