//! The only module that sends statements through sqlx: it takes SQL text, and returns rows of text
//! or a failure.

#[cfg(feature = "sqlite")]
mod blocking;
mod cause;
mod guard;

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::StreamExt;
use sqlx::{AssertSqlSafe, Column, Either};

pub(crate) use self::cause::{Cause, CauseKind, UntrustedTable};
pub(crate) use self::guard::{Abandon, ConnectionHandle, ConnectionUse, Guard, OpenedConnection};
use crate::cancel::Cancel;

/// The result of one statement: its rows as text, or the number of rows it changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResultSet {
    pub(crate) rows: Vec<ResultRow>,
    pub(crate) affected: u64,
}

impl ResultSet {
    /// Returns the first row. It has no column if there is no row.
    pub(crate) fn first_row(&self) -> ResultRow {
        self.rows.first().cloned().unwrap_or_default()
    }

    /// Returns the places of columns in each row, for sets with many rows. A column that does not exist has
    /// the place after the last one.
    pub(crate) fn places<const N: usize>(&self, columns: [&str; N]) -> [usize; N] {
        let names = self.rows.first().map(|row| &*row.columns).unwrap_or_default();
        columns.map(|column| {
            let place = names.iter().position(|name| name.eq_ignore_ascii_case(column));
            place.unwrap_or(names.len())
        })
    }

    /// Returns the first column of the first row; `None` for NULL. It is for statements whose only
    /// column has no fixed name, such as SHOW and PRAGMA.
    pub(crate) fn value(&self) -> Option<&str> {
        self.rows.first()?.values.first()?.as_deref()
    }
}

/// One row. Each column is text, as the database prints it, and has a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResultRow {
    columns: Arc<[String]>,
    values: Vec<Option<String>>,
}

impl ResultRow {
    /// Creates a row for a test.
    #[cfg(test)]
    pub(crate) fn of(values: &[(&str, &str)]) -> Self {
        ResultRow {
            columns: values.iter().map(|(name, _)| (*name).to_owned()).collect(),
            values: values.iter().map(|(_, value)| Some((*value).to_owned())).collect(),
        }
    }

    /// Returns a column's text. It is empty for NULL, and for a column that does not exist.
    pub(crate) fn text(&self, column: &str) -> &str {
        self.opt(column).unwrap_or_default()
    }

    /// Returns a column's text; `None` for NULL, and for a column that does not exist.
    pub(crate) fn opt(&self, column: &str) -> Option<&str> {
        let index = self.columns.iter().position(|name| name.eq_ignore_ascii_case(column))?;
        self.values.get(index)?.as_deref()
    }

    /// Returns the text at a place; `None` for NULL, and if there is no such column.
    pub(crate) fn at(&self, place: usize) -> Option<&str> {
        self.values.get(place)?.as_deref()
    }

    /// Whether a column is true, in the notation of any of the databases.
    pub(crate) fn is_true(&self, column: &str) -> bool {
        matches!(self.text(column), "t" | "true" | "1" | "ON" | "on")
    }
}

/// Whether to keep or drop the rows of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowHandling {
    Keep,
    Drop,
}

/// A message that failed: the results before the failure, and its cause.
#[derive(Clone, Debug)]
pub(crate) struct SendFailure {
    /// The results of the statements that succeeded, in order.
    pub(crate) completed: Vec<ResultSet>,
    pub(crate) cause: Cause,
}

impl From<SendFailure> for Cause {
    fn from(failure: SendFailure) -> Self {
        failure.cause
    }
}

impl SendFailure {
    /// The connection is already closed.
    pub(crate) fn closed() -> Self {
        SendFailure {
            completed: Vec::new(),
            cause: Cause::lost("the connection is closed".to_owned()),
        }
    }

    /// Whether a query may be sent again at once: a server that replicates is busy, or a
    /// timeout of the role ended the message before the message could turn the timeout off.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.cause.code.as_str(), "1213" | "1047" | "40001" | "57014")
    }
}

/// How often a query is retried after a transient failure.
pub(crate) const MAX_READ_RETRIES: u32 = 10;

/// Waits before the `n`th retry of a query.
pub(crate) async fn pause_before_retry(n: u32) {
    tokio::time::sleep(std::time::Duration::from_millis(20) * n).await;
}

/// A connection that a run can use.
pub(crate) trait Connection: Send {
    /// Sends one message, which may contain several statements.
    fn send<'a>(
        &'a mut self,
        sql: &'a str,
        rows: RowHandling,
    ) -> BoxFuture<'a, Result<Vec<ResultSet>, SendFailure>>;

    /// Whether the client has opened a transaction on the connection.
    fn is_in_transaction(&self) -> bool;

    /// Closes the connection without notice to the server, which no longer answers.
    fn abandon(&mut self);

    /// Sets the statements that restore a borrowed connection for its owner if the run is dropped
    /// or panics before its end. Only SQLite can do that: see [`Guard`].
    fn on_abandon(&mut self, statements: Vec<String>);

    /// Lets a request end what the connection executes; `None` takes that back. Only SQLite needs it:
    /// a server is asked over a second connection.
    fn interrupt_with(&mut self, cancel: Option<Cancel>) -> BoxFuture<'_, ()>;

    /// Ends the connection, or returns it to its owner.
    fn finish<'a>(self: Box<Self>, end: End) -> BoxFuture<'a, ()>
    where
        Self: 'a;
}

/// How long a server may take to answer when a connection is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends a message, and waits for its answer within the limit. After the limit, the connection is
/// closed.
pub(crate) async fn send_within(
    connection: &mut dyn Connection,
    sql: &str,
    rows: RowHandling,
    limit: Option<Duration>,
) -> Result<Vec<ResultSet>, SendFailure> {
    let Some(limit) = limit else { return connection.send(sql, rows).await };
    match tokio::time::timeout(limit, connection.send(sql, rows)).await {
        Ok(result) => result,
        Err(_) => {
            connection.abandon();
            Err(SendFailure { completed: Vec::new(), cause: Cause::timed_out(limit) })
        }
    }
}

/// What happens to a connection after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A pool may use it again.
    Reuse,
    /// It must not be used again. It is closed, unless the caller owns it.
    Close,
}

macro_rules! connection {
    ($feature:literal, $DB:ty) => {
        #[cfg(feature = $feature)]
        impl Connection for Guard<'_, $DB> {
            fn send<'a>(
                &'a mut self,
                sql: &'a str,
                rows: RowHandling,
            ) -> BoxFuture<'a, Result<Vec<ResultSet>, SendFailure>> {
                Box::pin(async move {
                    let sent = async {
                        let mut sets = Vec::new();
                        let mut open = ResultSet::default();
                        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
                        let Some(connection) = self.connection() else {
                            return Err(SendFailure::closed());
                        };
                        let mut stream = query.fetch_many(connection);
                        while let Some(item) = stream.next().await {
                            match item {
                                Ok(Either::Left(done)) => {
                                    open.affected = done.rows_affected();
                                    sets.push(std::mem::take(&mut open));
                                }
                                Ok(Either::Right(row)) if rows == RowHandling::Keep => {
                                    let columns = open.rows.last().map(|row| row.columns.clone());
                                    open.rows.push(read_row(&row, columns));
                                }
                                Ok(Either::Right(_)) => {}
                                Err(error) => {
                                    return Err(SendFailure {
                                        completed: sets,
                                        cause: Cause::of(error),
                                    });
                                }
                            }
                        }
                        Ok(sets)
                    };
                    let sent = sent.await;
                    if sent.as_ref().is_err_and(|failure| failure.cause.kind == CauseKind::Lost) {
                        self.note_loss();
                    }
                    sent
                })
            }

            fn is_in_transaction(&self) -> bool {
                self.is_in_client_transaction()
            }

            fn abandon(&mut self) {
                self.end();
            }

            fn on_abandon(&mut self, statements: Vec<String>) {
                self.undo_with(statements);
            }

            fn interrupt_with(&mut self, cancel: Option<Cancel>) -> BoxFuture<'_, ()> {
                match self.connection() {
                    Some(connection) => <$DB as Abandon>::interrupt_with(connection, cancel),
                    None => Box::pin(async {}),
                }
            }

            fn finish<'a>(self: Box<Self>, end: End) -> BoxFuture<'a, ()>
            where
                Self: 'a,
            {
                Box::pin(async move {
                    let is_lost = self.is_lost();
                    let opened = match self.release() {
                        Some(ConnectionHandle::Kept(slot, opened)) if !is_lost => {
                            *slot = Some(opened);
                            return;
                        }
                        Some(ConnectionHandle::Opened(opened)) => opened,
                        Some(ConnectionHandle::Kept(..) | ConnectionHandle::Borrowed(_)) | None => {
                            return;
                        }
                    };
                    let closed = match opened {
                        OpenedConnection::Own(connection) => {
                            let close = sqlx::Connection::close(*connection);
                            tokio::time::timeout(CLOSE_TIMEOUT, close).await
                        }
                        OpenedConnection::Pooled(connection) if end == End::Close => {
                            tokio::time::timeout(CLOSE_TIMEOUT, connection.close()).await
                        }
                        OpenedConnection::Pooled(_) => return,
                    };
                    // A connection that cannot be closed in time is dropped.
                    drop(closed);
                })
            }
        }
    };
}

connection!("postgres", sqlx::Postgres);
connection!("mysql", sqlx::MySql);
connection!("sqlite", sqlx::Sqlite);

/// Reads a row. `columns` are the names of its columns, if they are known from a row before. Every
/// database prints any value when it is asked for a string.
fn read_row<R: sqlx::Row>(row: &R, columns: Option<Arc<[String]>>) -> ResultRow
where
    usize: sqlx::ColumnIndex<R>,
    for<'r> Option<String>: sqlx::Decode<'r, R::Database>,
{
    let names = || row.columns().iter().map(|column| column.name().to_owned()).collect();
    let values = (0..row.len())
        .map(|column| row.try_get_unchecked::<Option<String>, _>(column).unwrap_or_default());
    ResultRow { columns: columns.unwrap_or_else(names), values: values.collect() }
}
