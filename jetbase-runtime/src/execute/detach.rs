//! Partitions that are detached without blocking others (PostgreSQL).
//!
//! `DETACH PARTITION … CONCURRENTLY` has two transactions. Between them, the partition is pending: only
//! `FINALIZE` can complete it, and the same statement is refused.

use jetbase_core::{CatalogObject, Detection, ObjectKind};

use super::Job;
use super::explain::FailureContext;
use crate::error::{Error, Kept};
use crate::journal::JournalRow;
use crate::session::Session;

impl Job<'_> {
    /// Returns the partition that a statement detaches concurrently.
    pub(super) fn detached(&self, index: usize) -> Option<&CatalogObject> {
        match &self.statements.get(index)?.detection {
            Detection::Catalog(object)
                if object.concurrently && object.kind == ObjectKind::Partition =>
            {
                Some(object)
            }
            _ => None,
        }
    }

    /// Completes the DETACH that an earlier attempt of this statement has begun. The search path is
    /// that of the statement.
    pub(super) async fn complete_detach(
        &self,
        session: &mut Session<'_>,
        object: &CatalogObject,
    ) -> Result<(), Error> {
        let path = |name: &str| {
            let names = object.schema.iter().map(String::as_str).chain([name]);
            let quoted = names.map(|name| format!("\"{}\"", name.replace('"', "\"\"")));
            quoted.collect::<Vec<_>>().join(".")
        };
        let table = path(object.table.as_deref().unwrap_or_default());
        let sql = format!("ALTER TABLE {table} DETACH PARTITION {} FINALIZE", path(&object.name));
        let completed = session.execute_until_cancelled(&sql).await;
        completed
            .map(drop)
            .map_err(Error::during("completing the DETACH PARTITION of an earlier run"))
    }

    /// Finds out what a failed DETACH has left. `entry` is the row that was written before it.
    pub(super) async fn settle_detach(
        &self,
        session: &mut Session<'_>,
        index: usize,
        entry: Option<&JournalRow>,
        done: usize,
        found: &mut FailureContext,
    ) {
        let Some(object) = self.detached(index) else { return };
        let Some(before) = entry.and_then(|entry| entry.found) else { return };
        let expression = self.catalog_expression(session.sql, session.dialect, index);
        let Some(expression) = expression else { return };
        let _ = self.replay_path(session, index).await;
        let Ok(now) = session.read_catalog(&expression).await else { return };
        let is_pending = now == crate::journal::INVALID && before == 1;
        if is_pending {
            let names = object.schema.iter().map(String::as_str).chain([object.name.as_str()]);
            found.detaching = Some(names.collect::<Vec<_>>().join("."));
        }
        if is_pending || now == before {
            found.kept = if done > 0 { Kept::Statements(done) } else { Kept::Nothing };
        }
    }
}
