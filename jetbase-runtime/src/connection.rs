//! The one seam to sqlx: text goes out, rows of text and a failure come back.

use std::ops::{Deref, DerefMut};

use futures_core::future::BoxFuture;
use futures_util::StreamExt;
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Database, Either};

/// The result of one statement: its rows as text, or how many rows it changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResultSet {
    pub(crate) rows: Vec<Row>,
    pub(crate) affected: u64,
}

/// One row, each column as the database prints it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row(Vec<Option<String>>);

impl Row {
    /// A column's text; empty for NULL and for a column that is not there.
    pub(crate) fn text(&self, column: usize) -> &str {
        self.opt(column).unwrap_or_default()
    }

    /// A column's text; `None` for NULL.
    pub(crate) fn opt(&self, column: usize) -> Option<&str> {
        self.0.get(column).and_then(Option::as_deref)
    }

    /// Whether a column says yes, in any of the databases' words.
    pub(crate) fn is_true(&self, column: usize) -> bool {
        matches!(self.text(column), "t" | "true" | "1" | "ON" | "on")
    }
}

/// Whether the rows of a message are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    Keep,
    Drop,
}

/// A message that failed: what was done before, and why it ended.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The results of the statements that succeeded, in their order.
    pub(crate) completed: Vec<ResultSet>,
    pub(crate) cause: Cause,
}

impl Failure {
    /// Whether a server that replicates is busy for the moment: it may say so to readers too.
    pub(crate) fn is_momentary(&self) -> bool {
        matches!(self.cause.code.as_str(), "1213" | "1047" | "40001")
    }
}

/// How often a question is asked again that was refused for a moment.
pub(crate) const QUESTIONS: u32 = 10;

/// The pause before a question is asked again for the `n`th time.
pub(crate) async fn moment(n: u32) {
    tokio::time::sleep(std::time::Duration::from_millis(20) * n).await;
}

/// Why a database refused something.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cause {
    pub(crate) kind: CauseKind,
    /// SQLSTATE (PostgreSQL), error number (MySQL), extended result code (SQLite).
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
    /// The character of the message that the database points at, from 1.
    pub(crate) position: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CauseKind {
    /// The database answered with an error; the connection lives.
    #[default]
    Database,
    /// The connection is gone, or was never made.
    Lost,
    /// Nobody listens at the address: the server may be starting.
    Absent,
    /// The client refused before anything was sent.
    Client,
}

/// A connection that a run can use.
pub(crate) trait Connection: Send {
    /// Sends one message, which may hold several statements.
    fn send<'a>(
        &'a mut self,
        sql: &'a str,
        rows: Rows,
    ) -> BoxFuture<'a, Result<Vec<ResultSet>, Failure>>;

    /// Whether the client itself has opened a transaction on it.
    fn is_in_transaction(&self) -> bool;

    /// Ends the connection, or gives it back to whom it belongs.
    fn finish<'a>(self: Box<Self>, end: End) -> BoxFuture<'a, ()>
    where
        Self: 'a;
}

/// What becomes of a connection behind a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A pool may use it again.
    Reuse,
    /// Nobody shall use it again, if it is ours to close.
    Close,
}

/// Who owns a connection.
pub(crate) enum Guard<'t, DB: Database> {
    Owned(Box<DB::Connection>),
    Pooled(PoolConnection<DB>),
    Borrowed(&'t mut DB::Connection),
}

impl<DB: Database> Deref for Guard<'_, DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        match self {
            Guard::Owned(connection) => connection,
            Guard::Pooled(connection) => connection,
            Guard::Borrowed(connection) => connection,
        }
    }
}

impl<DB: Database> DerefMut for Guard<'_, DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self {
            Guard::Owned(connection) => connection,
            Guard::Pooled(connection) => connection,
            Guard::Borrowed(connection) => connection,
        }
    }
}

macro_rules! connection {
    ($feature:literal, $DB:ty) => {
        #[cfg(feature = $feature)]
        impl Connection for Guard<'_, $DB> {
            fn send<'a>(
                &'a mut self,
                sql: &'a str,
                wanted: Rows,
            ) -> BoxFuture<'a, Result<Vec<ResultSet>, Failure>> {
                Box::pin(async move {
                    let mut sets = Vec::new();
                    let mut open = ResultSet::default();
                    let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
                    let mut stream = query.fetch_many(&mut **self);
                    while let Some(item) = stream.next().await {
                        match item {
                            Ok(Either::Left(done)) => {
                                open.affected = done.rows_affected();
                                sets.push(std::mem::take(&mut open));
                            }
                            Ok(Either::Right(row)) if wanted == Rows::Keep => {
                                open.rows.push(Row(texts(&row)))
                            }
                            Ok(Either::Right(_)) => {}
                            Err(error) => {
                                return Err(Failure { completed: sets, cause: Cause::of(&error) });
                            }
                        }
                    }
                    Ok(sets)
                })
            }

            fn is_in_transaction(&self) -> bool {
                sqlx::Connection::is_in_transaction(&**self)
            }

            fn finish<'a>(self: Box<Self>, end: End) -> BoxFuture<'a, ()>
            where
                Self: 'a,
            {
                Box::pin(async move {
                    // A connection that cannot say goodbye is closed all the same.
                    let _ = match *self {
                        Guard::Owned(connection) => sqlx::Connection::close(*connection).await,
                        Guard::Pooled(connection) if end == End::Close => connection.close().await,
                        Guard::Pooled(_) | Guard::Borrowed(_) => Ok(()),
                    };
                })
            }
        }
    };
}

connection!("postgres", sqlx::Postgres);
connection!("mysql", sqlx::MySql);
connection!("sqlite", sqlx::Sqlite);

/// A row's columns as text: every database prints any value when it is asked for a string.
fn texts<R: sqlx::Row>(row: &R) -> Vec<Option<String>>
where
    usize: sqlx::ColumnIndex<R>,
    for<'r> Option<String>: sqlx::Decode<'r, R::Database>,
{
    (0..row.len())
        .map(|column| row.try_get_unchecked::<Option<String>, _>(column).unwrap_or_default())
        .collect()
}

impl Cause {
    pub(crate) fn client(message: impl Into<String>) -> Self {
        Cause { kind: CauseKind::Client, message: message.into(), ..Cause::default() }
    }

    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => Cause::of_database(error.as_ref()),
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                Cause { kind: CauseKind::Absent, ..Cause::lost(plain(&error.to_string())) }
            }
            sqlx::Error::Io(error) => Cause::lost(plain(&error.to_string())),
            sqlx::Error::PoolTimedOut => {
                Cause::client("every connection of the pool is in use, and none came back in time")
            }
            sqlx::Error::PoolClosed => Cause::client("the pool is closed"),
            sqlx::Error::Configuration(error) => {
                let text = plain(&error.to_string());
                // One error wraps another of its kind.
                Cause::client(text.strip_prefix("error with configuration: ").unwrap_or(&text))
            }
            sqlx::Error::Tls(error) => Cause::client(format!("TLS: {}", plain(&error.to_string()))),
            sqlx::Error::Protocol(message) => Cause::lost(plain(message)),
            other => Cause::lost(plain(&other.to_string())),
        }
    }

    fn lost(message: String) -> Self {
        // What a driver reads of a connection that ends is of no use to anybody.
        let message = match message.contains("EOF") {
            true => "the server closed the connection".to_owned(),
            false => message,
        };
        Cause { kind: CauseKind::Lost, message, ..Cause::default() }
    }

    /// Whether there is no connection to be had for the moment: the server is starting, or full.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self.code.as_str(), "53300" | "57P03" | "1040" | "1203" | "1226")
    }

    /// Whether others stand in the way for the moment: their locks, their transactions, or the
    /// nodes of a cluster that find together.
    pub(crate) fn is_contended(&self) -> bool {
        self.is_contended_server()
            || matches!(self.code.as_str(), "5" | "6" | "261" | "517" | "262")
    }

    /// The same, but for a file of SQLite, which the driver has waited for already.
    pub(crate) fn is_contended_server(&self) -> bool {
        let postgres = matches!(self.code.as_str(), "55P03" | "40P01" | "40001");
        postgres || matches!(self.code.as_str(), "1205" | "1213" | "1047" | "1180")
    }

    fn of_database(error: &dyn sqlx::error::DatabaseError) -> Self {
        let cause = Cause {
            kind: CauseKind::Database,
            code: error.code().unwrap_or_default().into_owned(),
            message: error.message().to_owned(),
            ..Cause::default()
        };
        #[cfg(feature = "postgres")]
        if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            let position = match error.position() {
                Some(sqlx::postgres::PgErrorPosition::Original(position)) => Some(position),
                _ => None,
            };
            let text = |text: Option<&str>| text.map(str::to_owned);
            let kind = match error.code() {
                // The server ended the session: administrator, crash, idle timeouts.
                "57P01" | "57P02" | "57P05" | "25P03" => CauseKind::Lost,
                _ => CauseKind::Database,
            };
            return Cause {
                kind,
                position,
                detail: text(error.detail()),
                hint: text(error.hint()),
                ..cause
            };
        }
        #[cfg(feature = "mysql")]
        if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            // 1053 shutdown, 1927 and 3169 killed: the session is gone with them.
            let kind = match error.number() {
                1053 | 1927 | 3169 => CauseKind::Lost,
                _ => CauseKind::Database,
            };
            return Cause { kind, code: error.number().to_string(), ..cause };
        }
        cause
    }
}

/// A driver's text without the operating system's numbers.
fn plain(text: &str) -> String {
    text.split(" (os error").next().unwrap_or(text).trim_end_matches('.').to_owned()
}
