//! Describes who holds the lock, or what keeps a free lock from being acquired.

use jetbase_core::Dialect;

use super::identity::{is_rust_process_id, same_class};
use super::protocol::LockRow;
use crate::session::{Session, Topology};

/// Describes the holder, or what keeps a free lock from being acquired.
pub(super) async fn describe_obstacle(
    session: &mut Session<'_>,
    row: &LockRow,
    obstacle: Option<&str>,
) -> String {
    if row.locked {
        return describe_holder(session, row).await;
    }
    if row.alive == Some(true) {
        return match session_of_lock(session).await {
            Some(session) => {
                format!("{session}, which has the session lock of jetbase and no migration lock")
            }
            None => {
                "a session that has the session lock of jetbase and no migration lock".to_owned()
            }
        };
    }
    match obstacle {
        Some(obstacle) => obstacle.to_owned(),
        None => "something that undoes the change of jetbase_lock: a trigger, a rule, a policy, or a value of \
                 `is_locked` that is neither true nor false"
            .to_owned(),
    }
}

/// Describes the holder of the lock.
pub(crate) async fn describe_holder(session: &mut Session<'_>, row: &LockRow) -> String {
    let Some(owner) = &row.owner else { return "an unknown process".to_owned() };
    if !is_rust_process_id(owner) {
        return format!("the Python tool (process {owner})");
    }
    let here = same_class(session, session.liveness);
    let elsewhere = session.liveness.has_session_lock() && !owner.starts_with(&here);
    if session.topology == Topology::Cluster && elsewhere {
        return format!("process {owner} on another node of the cluster");
    }
    if session.dialect == Dialect::Sqlite && elsewhere {
        return format!(
            "process {owner}, which uses another name or another copy of this database file"
        );
    }
    let living = match row.alive {
        Some(true) => session_of_lock(session).await,
        _ => None,
    };
    match living {
        Some(living) => format!("process {owner}, alive as {living}"),
        None => format!("process {owner}"),
    }
}

/// Describes the session that holds the session lock.
async fn session_of_lock(session: &mut Session<'_>) -> Option<String> {
    let sets = session.query(session.sql.holder).await.ok()?;
    let rows = sets.iter().find_map(|set| set.rows.first());
    let found = rows.filter(|row| row.opt("session_id").is_some())?;
    let mut description = format!("session {}", found.text("session_id"));
    for (before, column) in
        [(" of ", "user_name"), (" from ", "client"), (", ", "program"), (", ", "activity")]
    {
        if let Some(text) = found.opt(column).filter(|text| !text.is_empty()) {
            description.push_str(before);
            description.push_str(text);
        }
    }
    Some(description)
}
