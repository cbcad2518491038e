//! Who owns a connection, and what becomes of it on every way out of a run.

use sqlx::Database;
use sqlx::pool::PoolConnection;

/// A connection, and whose it is.
pub(crate) enum Held<'t, DB: Database> {
    /// The run opened it.
    Owned(Box<DB::Connection>),
    /// A pool opened it.
    Pooled(PoolConnection<DB>),
    /// The caller opened it.
    Borrowed(&'t mut DB::Connection),
    /// The run opened it, and keeps it here for the next time.
    Kept(&'t mut Option<Box<DB::Connection>>, Box<DB::Connection>),
}

/// Ends a connection that a run leaves without finishing: a dropped future, or a panic.
///
/// A connection of the run, or of a pool, is closed: nobody else gets it with our settings. A
/// borrowed one cannot be closed. On SQLite, whose driver works in a thread of its own, the
/// statements of [`Guard::undo_with`] run before the drop returns. Elsewhere that would need the
/// runtime that is just running the drop: the caller's connection stays as it is.
pub(crate) struct Guard<'t, DB: Abandon> {
    held: Option<Held<'t, DB>>,
    undo: Vec<String>,
}

impl<'t, DB: Abandon> Guard<'t, DB> {
    pub(crate) fn new(held: Held<'t, DB>) -> Self {
        Guard { held: Some(held), undo: Vec::new() }
    }

    pub(super) fn undo_with(&mut self, statements: Vec<String>) {
        self.undo = statements;
    }

    /// Hands out the connection; the guard does nothing any more.
    pub(super) fn release(mut self) -> Option<Held<'t, DB>> {
        self.held.take()
    }

    pub(super) fn connection(&mut self) -> Option<&mut DB::Connection> {
        match self.held.as_mut()? {
            Held::Owned(connection) => Some(connection),
            Held::Pooled(connection) => Some(connection),
            Held::Borrowed(connection) => Some(connection),
            Held::Kept(_, connection) => Some(connection),
        }
    }

    pub(super) fn is_in_client_transaction(&self) -> bool {
        use sqlx::Connection;
        match &self.held {
            Some(Held::Owned(connection)) => connection.is_in_transaction(),
            Some(Held::Pooled(connection)) => connection.is_in_transaction(),
            Some(Held::Borrowed(connection)) => connection.is_in_transaction(),
            Some(Held::Kept(_, connection)) => connection.is_in_transaction(),
            None => false,
        }
    }

    /// Closes the connection, or gives it back as well as the database can.
    pub(super) fn end(&mut self) {
        match self.held.take() {
            Some(Held::Pooled(mut connection)) => connection.close_on_drop(),
            Some(Held::Borrowed(connection)) => DB::undo(connection, &self.undo),
            Some(Held::Owned(_) | Held::Kept(..)) | None => {}
        }
    }
}

impl<DB: Abandon> Drop for Guard<'_, DB> {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a database can do for a borrowed connection when a run is dropped.
pub(crate) trait Abandon: Database {
    /// Runs the statements now, each whatever became of the one before.
    fn undo(connection: &mut Self::Connection, statements: &[String]);
}

#[cfg(feature = "postgres")]
impl Abandon for sqlx::Postgres {
    fn undo(_: &mut sqlx::PgConnection, _: &[String]) {}
}

#[cfg(feature = "mysql")]
impl Abandon for sqlx::MySql {
    fn undo(_: &mut sqlx::MySqlConnection, _: &[String]) {}
}
