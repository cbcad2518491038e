//! Reads the row of `jetbase_lock` for a query.

use std::time::Duration;

use jetbase_core::Dialect;

use super::acquisition::Acquisition;
use super::identity::same_class;
use super::protocol::{LockRow, Observation};
use super::side_file::SideFile;
use crate::error::{Error, ErrorKind};
use crate::session::{Liveness, Session};

/// Reads the row, without a lock and without a transaction. `alive` is set only for owners whose
/// liveness can be checked.
pub(crate) async fn read_lock_row(session: &mut Session<'_>) -> Result<Option<LockRow>, Error> {
    let found = session.file.as_deref().map_or(Ok(None), SideFile::find);
    let side_file = found?;
    let liveness = match session.dialect {
        Dialect::Postgres => Liveness::Advisory,
        Dialect::MySql => Liveness::GetLock,
        Dialect::Sqlite => Liveness::File,
    };
    if let Some(file) = &side_file {
        session.server = file.identity();
    }
    let same_class = same_class(session, liveness);
    let mut lock = Acquisition::new(session, side_file);
    let row = match lock.read_row().await? {
        Observation::Row(row) => row,
        Observation::Unreadable => {
            let obstacle = lock.describe_obstacle().await;
            return Err(Error::new(ErrorKind::Blocked { obstacle, waited: Duration::ZERO }));
        }
        _ => return Ok(None),
    };
    let known = row.owner.as_ref().is_some_and(|owner| owner.starts_with(&same_class));
    Ok(Some(LockRow { alive: row.alive.filter(|_| known), ..row }))
}
