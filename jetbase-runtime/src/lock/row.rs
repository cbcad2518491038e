//! Reads the row of `jetbase_lock`.

use std::time::{Duration, Instant};

use jetbase_core::Dialect;

use super::holder::obstructor;
use super::identity::same_class;
use super::protocol::{LockRow, Observation};
use super::side_file::SideFile;
use crate::connection::{Cause, Failure};
use crate::error::{Error, ErrorKind};
use crate::session::{Liveness, Session};

/// For how long this run has seen the row and the history unchanged.
#[derive(Debug, Default)]
pub(super) struct UnchangedRow {
    seen: Option<([String; 3], Instant)>,
}

impl UnchangedRow {
    fn length(&mut self, signs: [String; 3]) -> Duration {
        match &self.seen {
            Some((before, since)) if *before == signs => since.elapsed(),
            _ => {
                self.seen = Some((signs, Instant::now()));
                Duration::ZERO
            }
        }
    }
}

/// Reads the row, without a lock and without a transaction. `alive` is set only for owners whose
/// liveness can be checked.
pub(crate) async fn read_lock_row(session: &mut Session<'_>) -> Result<Option<LockRow>, Error> {
    let found = session.file.as_deref().map_or(Ok(None), SideFile::find);
    let mut side_file = found.map_err(Error::place)?;
    let liveness = match session.dialect {
        Dialect::Postgres => Liveness::Advisory,
        Dialect::MySql => Liveness::GetLock,
        Dialect::Sqlite => Liveness::File,
    };
    if let Some(file) = &side_file {
        session.server = file.identity();
    }
    let same_class = same_class(session, liveness);
    let mut obstacle = None;
    let unchanged = &mut UnchangedRow::default();
    let row = match read_row(session, side_file.as_mut(), unchanged, &mut obstacle).await? {
        Observation::Row(row) => row,
        Observation::Unreadable => {
            return Err(Error::new(ErrorKind::Blocked {
                obstacle: obstructor(session, &LockRow::default(), obstacle.as_deref()).await,
                waited: Duration::ZERO,
            }));
        }
        _ => return Ok(None),
    };
    let known = row.owner.as_ref().is_some_and(|owner| owner.starts_with(&same_class));
    Ok(Some(LockRow { alive: row.alive.filter(|_| known), ..row }))
}

pub(super) async fn read_row(
    session: &mut Session<'_>,
    side_file: Option<&mut SideFile>,
    unchanged: &mut UnchangedRow,
    obstacle: &mut Option<String>,
) -> Result<Observation, Error> {
    let sets = match session.send(session.sql.poll).await {
        Ok(sets) => sets,
        Err(Failure { cause, .. }) if is_missing(session, &cause) => {
            return Ok(Observation::NoTables);
        }
        Err(failure) => {
            refused(&failure, "looking at the migration lock", obstacle)?;
            return Ok(Observation::Unreadable);
        }
    };
    let Some(row) = sets.first().and_then(|set| set.rows.first()) else {
        return Ok(Observation::NoRow);
    };
    let alive = match side_file {
        Some(file) => Some(file.is_held_by_others()),
        None => row.opt(3).map(|_| row.is_true(3)),
    };
    Ok(Observation::Row(LockRow {
        locked: row.is_true(0),
        owner: row.opt(1).map(str::to_owned),
        since: row.opt(2).map(str::to_owned),
        alive,
        unchanged_for: unchanged.length([1, 2, 4].map(|column| row.text(column).to_owned())),
    }))
}

/// Whether one of jetbase's tables is missing. A trigger may report that others are.
pub(super) fn is_missing(session: &Session<'_>, cause: &Cause) -> bool {
    let ours = ["jetbase_lock", "jetbase_migrations"].iter().any(|it| cause.message.contains(it));
    ours && session.sql.no_table.contains(&cause.code.as_str())
}

/// Treats a momentary refusal by the database as a failed attempt.
pub(super) fn refused(
    failure: &Failure,
    doing: &str,
    obstacle: &mut Option<String>,
) -> Result<Observation, Error> {
    if !failure.cause.is_contended() {
        return Err(Error::database(doing, &failure.cause));
    }
    *obstacle = Some(format!(
        "another connection that locks the table jetbase_lock or jetbase_migrations (while {doing}: {}, {})",
        failure.cause.message, failure.cause.code
    ));
    Ok(Observation::Refused)
}
