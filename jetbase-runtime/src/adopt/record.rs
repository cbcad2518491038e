//! Writes the history from the table of an old tool, in one fenced transaction.

use std::time::{Duration, Instant};

use jetbase_core::{AdoptMap, Dialect, Migrations, OldTool, Record, Version, sqlx_lock_id};

use super::old_table::{NewRow, OldHistory, old_bindings, read_old_history};
use crate::dialect::{old_sql, old_table_sql};
use crate::error::{AdoptionError, Error, ErrorKind};
use crate::event::{Event, Listener};
use crate::options::LockOptions;
use crate::session::{OwnFailure, OwnStatements, Session};
use crate::wait::{Limit, NOTICE_INTERVAL, jittered};

/// The mark in the table of replaced texts: a history was adopted, up to this version.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    latest: Option<Version>,
}

/// What the checksum of the mark begins with.
const ADOPTED: &str = "adopted";

/// Reads the mark of an adoption, if there was one.
pub(super) async fn read_mark(
    session: &mut Session<'_>,
    tool: OldTool,
) -> Result<Option<Mark>, Error> {
    let rows = session.superseded().await?;
    let mark = rows.iter().find(|(file, _)| file == tool.table());
    let text = mark.and_then(|(_, checksum)| checksum.strip_prefix(ADOPTED));
    Ok(text.map(|version| Mark { latest: Version::parse(version.trim_start()).ok() }))
}

/// Keeps the rows of the old table that our history lacks.
///
/// Before the first adoption, these are all rows. After it, they are only those that the old tool has
/// added since: a program of the old release has started once more. What was adopted and rolled back
/// stays rolled back.
pub(super) fn keep_new(rows: &mut Vec<NewRow>, history: &[Record], mark: Option<&Mark>) {
    let version = |row: &NewRow| row.version.as_deref().and_then(|it| Version::parse(it).ok());
    match (history.is_empty(), mark) {
        (true, None) => {}
        (false, Some(Mark { latest: Some(latest) })) => rows.retain(|row| {
            let version = version(row);
            let is_recorded = history.iter().any(|record| record.version == version);
            !is_recorded && version.is_some_and(|version| version > *latest)
        }),
        _ => rows.clear(),
    }
}

/// Reads the old table under the lock, and writes the history. It waits while the old tool migrates.
pub(super) async fn record_history(
    session: &mut Session<'_>,
    set: &Migrations,
    map: &AdoptMap,
    options: &LockOptions,
    limit: Limit,
    listener: &mut Listener,
) -> Result<Vec<String>, Error> {
    session.create_superseded().await?;
    let has_mark = session.has_superseded;
    let mut last_notice: Option<Instant> = None;
    loop {
        let ours = session.history().await?;
        let mark = read_mark(session, map.tool).await?;
        let Some(mut history) = read_old_history(session, set, map).await? else {
            return Ok(Vec::new());
        };
        keep_new(&mut history.rows, &ours, mark.as_ref());
        if history.rows.is_empty() {
            return Ok(Vec::new());
        }
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
        let versions = history.rows.iter().filter_map(|row| row.version.as_deref());
        let latest = versions.filter_map(|it| Version::parse(it).ok()).max();
        let mark = latest.map_or_else(String::new, |latest| latest.to_string());
        // The column has 64 characters. Without a version, nothing more is adopted later.
        let mark = if mark.len() > 50 { ADOPTED.to_owned() } else { format!("{ADOPTED} {mark}") };
        let bindings = bindings.literal("old_mark", &mark);
        changes.extend(old.mark.iter().map(|part| bindings.render(part)));
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

#[cfg(test)]
mod tests {
    use jetbase_core::MigrationKind;

    use super::*;

    fn row(version: &str) -> NewRow {
        NewRow {
            key: version.to_owned(),
            file: format!("V{version}__a.sql"),
            version: Some(version.to_owned()),
            description: "a".to_owned(),
            kind: MigrationKind::Versioned,
            checksum: String::new(),
        }
    }

    fn record(version: &str) -> Record {
        Record {
            order: 1,
            version: Version::parse(version).ok(),
            description: "a".to_owned(),
            file: format!("V{version}__a.sql"),
            kind: MigrationKind::Versioned,
            applied_at: String::new(),
            checksum: String::new(),
        }
    }

    #[test]
    fn only_rows_after_the_adoption_are_adopted_later() {
        let mark = |version: &str| Mark { latest: Version::parse(version).ok() };
        for (history, mark, new) in [
            (&[][..], None, &["1", "2", "10"][..]),
            (&[], Some(mark("2")), &[]),
            (&["1"], None, &[]),
            (&["1", "2"], Some(mark("2")), &["10"]),
            (&["1", "2", "10"], Some(mark("2")), &[]),
            // Version 2 was adopted and rolled back.
            (&["1"], Some(mark("10")), &[]),
            (&["1", "2"], Some(mark("")), &[]),
        ] {
            let mut rows = ["1", "2", "10"].map(row).to_vec();
            let history: Vec<_> = history.iter().map(|it| record(it)).collect();
            keep_new(&mut rows, &history, mark.as_ref());
            let found: Vec<_> = rows.iter().map(|row| row.key.as_str()).collect();
            assert_eq!(found, new, "{history:?} {mark:?}");
        }
    }
}
