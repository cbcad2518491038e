//! Writes the history from the table of an old tool, in one fenced transaction.

use std::time::{Duration, Instant};

use jetbase_core::{AdoptMap, Dialect, Migrations, OldTool, sqlx_lock_id};

use super::old_table::{NewRow, OldHistory, old_bindings, read_old_history};
use crate::dialect::{old_sql, old_table_sql};
use crate::error::{AdoptionError, Error, ErrorKind};
use crate::event::{Event, Listener};
use crate::options::LockOptions;
use crate::session::{OwnFailure, OwnStatements, Session};
use crate::wait::{Limit, NOTICE_INTERVAL, jittered};

/// What marks in the table of replaced texts that a history was adopted.
pub(super) const MARK: &str = "adopted";

/// Reads the old table under the lock, and writes the history. It waits while the old tool migrates.
pub(super) async fn record_history(
    session: &mut Session<'_>,
    set: &Migrations,
    map: &AdoptMap,
    options: &LockOptions,
    limit: Limit,
    listener: &mut Listener,
) -> Result<Vec<String>, Error> {
    if !session.history().await?.is_empty() {
        return Ok(Vec::new());
    }
    session.create_superseded().await?;
    let has_mark = session.has_superseded;
    let mut last_notice: Option<Instant> = None;
    loop {
        if is_adopted(session, map.tool).await? {
            return Ok(Vec::new());
        }
        let Some(history) = read_old_history(session, set, map).await? else {
            return Ok(Vec::new());
        };
        let sent = session.send_own(statements(session, map.tool, &history, has_mark)).await;
        release_old_lock(session, map.tool).await;
        match sent {
            Ok(()) => return Ok(history.rows.into_iter().map(|row| row.file).collect()),
            Err(OwnFailure::Other(error)) => return Err(error),
            Err(OwnFailure::Condition) => {}
        }
        if options.cancel.is_requested() {
            return Err(Error::new(ErrorKind::Cancelled));
        }
        if limit.time_left().is_zero() {
            return Err(AdoptionError::Busy { tool: map.tool }.into());
        }
        if last_notice.is_none_or(|last_notice| last_notice.elapsed() > NOTICE_INTERVAL) {
            last_notice = Some(Instant::now());
            let holder = format!("{}, which migrates this database", map.tool);
            listener.emit(&Event::Waiting { holder, since: None });
        }
        options.cancel.sleep(jittered(Duration::from_millis(250))).await;
    }
}

/// Whether the history was adopted before, and all of it has been rolled back since.
pub(super) async fn is_adopted(session: &mut Session<'_>, tool: OldTool) -> Result<bool, Error> {
    let rows = session.superseded().await?;
    Ok(rows.iter().any(|(file, checksum)| file == tool.table() && checksum == MARK))
}

fn statements(
    session: &Session<'_>,
    tool: OldTool,
    history: &OldHistory,
    has_mark: bool,
) -> OwnStatements {
    let (sql, old) = (session.sql, old_sql(session.dialect));
    let time = old_table_sql(tool, session.dialect).time;
    let count = i64::try_from(history.count).unwrap_or(i64::MAX);
    let bindings = old_bindings(session, tool).number("old_rows", count);
    let mut conditions = Vec::new();
    if let Some(lock) = lock_id(session, tool) {
        let bindings = match session.dialect {
            Dialect::MySql => bindings.clone().literal("old_lock", &format!("{lock:x}")),
            Dialect::Postgres | Dialect::Sqlite => bindings.clone().number("old_lock", lock),
        };
        conditions.extend(old.lock.iter().map(|part| bindings.render(part)));
    }
    conditions.extend(sql.guard_old.iter().map(|part| bindings.render(part)));
    conditions.push(bindings.render(old.unchanged));
    let mut changes = Vec::new();
    for NewRow { key, file, version, description, kind, checksum } in &history.rows {
        let same = if version.is_some() { "version = {version}" } else { "version IS NULL" };
        let bindings = bindings
            .clone()
            .literal("old_key", key)
            .nested("old_time", time)
            .literal_or_null("version", version.as_deref())
            .nested("same_version", same)
            .literal("description", description)
            .literal("file", file)
            .literal("kind", kind.as_str())
            .literal("checksum", checksum);
        changes.extend([old.insert, sql.inserted].map(|part| bindings.render(part)));
    }
    if has_mark {
        changes.push(bindings.render(old.mark));
    }
    let doing = "writing the adopted history";
    OwnStatements { doing, label: "jetbase adopt", conditions, changes }
}

/// Returns the number of the lock that the old tool takes, if it has one here.
fn lock_id(session: &Session<'_>, tool: OldTool) -> Option<i64> {
    let database = match session.dialect {
        Dialect::Postgres => session.namespace.database.as_str(),
        // Where sessions cannot have such locks, the old tool has none either.
        Dialect::MySql if session.liveness.has_session_lock() => session.namespace.schema.as_str(),
        Dialect::MySql | Dialect::Sqlite => return None,
    };
    (tool == OldTool::Sqlx).then(|| sqlx_lock_id(database))
}

/// Releases the lock of the old tool, where it does not end with the transaction.
async fn release_old_lock(session: &mut Session<'_>, tool: OldTool) {
    let unlock = old_sql(session.dialect).unlock;
    if let Some(lock) = lock_id(session, tool).filter(|_| !unlock.is_empty()) {
        let bindings = session.bindings.clone().literal("old_lock", &format!("{lock:x}"));
        // If the server cannot be reached, the session and its lock have ended.
        let _ = session.raw(&bindings.render(unlock)).await;
    }
}
