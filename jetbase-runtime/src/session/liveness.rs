//! How the liveness of a session can be checked.

use jetbase_core::Dialect;

use super::Session;
use crate::connection::CauseKind;
use crate::dialect::Bindings;

/// How the liveness of an owner can be checked. The number is part of its process id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Liveness {
    /// It cannot be checked: a pooler, a caller's connection, a cluster, the Python tool.
    None = 0,
    /// By a PostgreSQL session advisory lock.
    Advisory = 1,
    /// By MySQL's `GET_LOCK`.
    GetLock = 2,
    /// By a lock on the file beside an SQLite database.
    File = 3,
    /// It cannot be checked, but the fence guards every transaction of the owner: a run that takes
    /// over the lock stops the owner. This is PostgreSQL behind a pooler, with
    /// transactional files only.
    Fenced = 4,
}

impl Liveness {
    /// Whether the owner also holds a session lock.
    pub(crate) const fn has_session_lock(self) -> bool {
        matches!(self, Liveness::Advisory | Liveness::GetLock | Liveness::File)
    }
}

impl Session<'_> {
    /// Whether the session holds, or may hold, a session lock that the server knows.
    pub(crate) fn has_server_lock(&self) -> bool {
        self.liveness.has_session_lock() && self.dialect != Dialect::Sqlite
    }

    /// Returns the bindings for templates whose fence also checks the session lock.
    pub(crate) fn fence_bindings(&self) -> Bindings {
        let bindings = self.bindings.clone().nested("has_session_lock", self.sql.has_session_lock);
        let and = if self.has_server_lock() { " AND {has_session_lock}" } else { "" };
        bindings.nested("and_session_lock", and)
    }

    /// Releases the session lock, if the server knows one.
    pub(crate) async fn release_session_lock(&mut self) {
        if self.has_server_lock() {
            let _ = self.query(self.sql.release_session_lock).await;
        }
    }

    /// Whether the connection is lost.
    pub(crate) async fn is_connection_lost(&mut self) -> bool {
        self.raw("SELECT 1").await.is_err_and(|failure| failure.cause.kind == CauseKind::Lost)
    }
}
