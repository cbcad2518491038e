//! Who owns a connection, and what happens to it on every exit from a run.

use futures_core::future::BoxFuture;
use sqlx::Database;
use sqlx::pool::PoolConnection;

use crate::cancel::Cancel;

/// A connection, with its owner.
pub(crate) enum ConnectionHandle<'t, DB: Database> {
    Opened(OpenedConnection<DB>),
    /// It is kept in the slot for the next use.
    Kept(&'t mut Option<OpenedConnection<DB>>, OpenedConnection<DB>),
    /// The caller opened it.
    Borrowed(&'t mut DB::Connection),
}

/// A connection that the caller does not hold.
pub(crate) enum OpenedConnection<DB: Database> {
    /// The run opened it.
    Own(Box<DB::Connection>),
    /// A pool opened it.
    Pooled(PoolConnection<DB>),
}

impl<DB: Database> OpenedConnection<DB> {
    fn connection(&self) -> &DB::Connection {
        match self {
            OpenedConnection::Own(connection) => connection,
            OpenedConnection::Pooled(connection) => connection,
        }
    }

    fn connection_mut(&mut self) -> &mut DB::Connection {
        match self {
            OpenedConnection::Own(connection) => connection,
            OpenedConnection::Pooled(connection) => connection,
        }
    }
}

/// Ends a connection that a run leaves without finishing: its future was dropped, or it panicked.
///
/// A connection of the run, or of a pool, is closed, so that no other client gets it with jetbase's
/// settings. A borrowed connection cannot be closed, and an SQLite connection of a pool that has only read must
/// stay open, because a memory database exists only there. SQLite's driver works in its own thread, so the
/// statements of [`Guard::undo_with`] run before the drop returns. The other drivers would need the runtime that
/// is executing the drop, so the caller's connection stays as it is.
pub(crate) struct Guard<'t, DB: Abandon> {
    handle: Option<ConnectionHandle<'t, DB>>,
    use_of: ConnectionUse,
    undo: Vec<String>,
    is_lost: bool,
}

/// What a connection is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionUse {
    /// A few reads. The statements of [`Guard::undo_with`] restore everything.
    Read,
    /// A whole run.
    Run,
}

impl<'t, DB: Abandon> Guard<'t, DB> {
    pub(crate) fn new(handle: ConnectionHandle<'t, DB>, use_of: ConnectionUse) -> Self {
        Guard { handle: Some(handle), use_of, undo: Vec::new(), is_lost: false }
    }

    pub(super) fn undo_with(&mut self, statements: Vec<String>) {
        self.undo = statements;
    }

    /// Notes that the server has ended the connection, or is gone.
    pub(super) fn note_loss(&mut self) {
        self.is_lost = true;
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Returns the connection. The guard does nothing afterwards.
    pub(super) fn release(mut self) -> Option<ConnectionHandle<'t, DB>> {
        self.handle.take()
    }

    pub(super) fn connection(&mut self) -> Option<&mut DB::Connection> {
        match self.handle.as_mut()? {
            ConnectionHandle::Opened(opened) | ConnectionHandle::Kept(_, opened) => {
                Some(opened.connection_mut())
            }
            ConnectionHandle::Borrowed(connection) => Some(connection),
        }
    }

    pub(super) fn is_in_client_transaction(&self) -> bool {
        use sqlx::Connection;
        match &self.handle {
            Some(ConnectionHandle::Opened(opened) | ConnectionHandle::Kept(_, opened)) => {
                opened.connection().is_in_transaction()
            }
            Some(ConnectionHandle::Borrowed(connection)) => connection.is_in_transaction(),
            None => false,
        }
    }

    /// Closes the connection, or returns it as well as the database can.
    pub(super) fn end(&mut self) {
        match self.handle.take() {
            Some(ConnectionHandle::Opened(opened) | ConnectionHandle::Kept(_, opened)) => {
                let OpenedConnection::Pooled(mut connection) = opened else { return };
                let is_restored =
                    self.use_of == ConnectionUse::Read && DB::undo(&mut connection, &self.undo);
                if !is_restored {
                    connection.close_on_drop();
                }
            }
            Some(ConnectionHandle::Borrowed(connection)) => {
                DB::undo(connection, &self.undo);
            }
            None => {}
        }
    }
}

impl<DB: Abandon> Drop for Guard<'_, DB> {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a database can do with a connection in the middle of its work: restore a borrowed one when a
/// run is dropped, and end a statement.
pub(crate) trait Abandon: Database {
    /// Runs the statements now, each even if the one before failed. Returns whether that is possible.
    fn undo(connection: &mut Self::Connection, statements: &[String]) -> bool;

    /// Lets a request end what the connection executes; `None` takes that back.
    fn interrupt_with(_: &mut Self::Connection, _: Option<Cancel>) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

#[cfg(feature = "postgres")]
impl Abandon for sqlx::Postgres {
    fn undo(_: &mut sqlx::PgConnection, _: &[String]) -> bool {
        false
    }
}

#[cfg(feature = "mysql")]
impl Abandon for sqlx::MySql {
    fn undo(_: &mut sqlx::MySqlConnection, _: &[String]) -> bool {
        false
    }
}
