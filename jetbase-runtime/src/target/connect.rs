//! Opens connections, each within a time limit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_core::future::BoxFuture;
use sqlx::ConnectOptions;

use super::Reconnect;
use crate::connection::{
    Abandon, Cause, Connection, ConnectionHandle, ConnectionUse, Guard, OpenedConnection,
};
use crate::wait::jittered;

/// Acquires a connection from a pool within the limit.
pub(super) async fn acquire<DB: sqlx::Database>(
    pool: &sqlx::Pool<DB>,
    limit: Duration,
) -> Result<sqlx::pool::PoolConnection<DB>, Cause> {
    let acquired = {
        let pool = pool.clone();
        // If its future is dropped while it tests a connection, a pool closes that connection, and a memory
        // database ends with it. A task goes on, and returns the connection.
        tokio::spawn(tokio::time::timeout(limit.max(MIN_TIME), async move { pool.acquire().await }))
    };
    let cause = match acquired.await {
        Ok(Ok(Err(error @ sqlx::Error::PoolTimedOut))) => Cause::of(error),
        Ok(Ok(result)) => return result.map_err(Cause::of),
        Err(_) => Cause::unavailable("the runtime is shutting down".to_owned()),
        Ok(Err(_)) => Cause::unavailable(format!(
            "the pool had no free connection within {:.1?}: all are in use, or the server does not answer",
            limit.max(MIN_TIME)
        )),
    };
    // A pool that may open one more connection has failed to open it, and does not say why.
    let is_full = pool.size() >= pool.options().get_max_connections();
    Err(if is_full { cause } else { connection_fault(pool).await.unwrap_or(cause) })
}

/// Returns why the server refuses a connection of a pool; `None` if it does not.
async fn connection_fault<DB: sqlx::Database>(pool: &sqlx::Pool<DB>) -> Option<Cause> {
    let options = (*pool.connect_options()).clone();
    match tokio::time::timeout(MIN_TIME, options.connect()).await {
        Ok(Ok(connection)) => {
            drop(sqlx::Connection::close(connection).await);
            None
        }
        Ok(Err(error)) => Some(Cause::of(error)),
        Err(_) => Some(Cause::unavailable("the server does not answer".to_owned())),
    }
}

/// Returns a random value that marks a session as used by one run only, and not passed on by a
/// pooler.
pub(super) fn nonce() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// The minimum time for one attempt, even if the limit is already reached.
const MIN_TIME: Duration = Duration::from_secs(1);

/// Connects. While the server is starting or full, it retries until the limit is reached.
pub(super) async fn connect<DB: sqlx::Database>(
    options: &<DB::Connection as sqlx::Connection>::Options,
    nonce: &str,
    limit: Duration,
    close_idle: &(dyn Fn() -> BoxFuture<'static, ()> + Sync),
) -> Result<Box<DB::Connection>, Cause>
where
    <DB::Connection as sqlx::Connection>::Options: SessionOptions,
{
    let started = Instant::now();
    let mut nonce = Some(nonce);
    loop {
        let options = options.clone().for_jetbase(nonce).disable_statement_logging();
        let left = limit.saturating_sub(started.elapsed()).max(MIN_TIME);
        let cause = match tokio::time::timeout(left, options.connect()).await {
            Ok(Ok(connection)) => return Ok(Box::new(connection)),
            Ok(Err(error)) => Cause::of(error),
            Err(_) => {
                return Err(Cause::unavailable(format!(
                    "the server did not answer within {left:.1?}"
                )));
            }
        };
        match cause.code.as_str() {
            // A pooler refused the startup options. Connect without them; the session then has no
            // liveness check.
            "08P01" if nonce.take().is_some() => continue,
            _ if cause.is_full() && started.elapsed() < limit => {}
            _ => return Err(cause),
        }
        close_idle().await;
        tokio::time::sleep(jittered(Duration::from_millis(100))).await;
    }
}

/// Returns a function that opens one more connection.
pub(super) fn reconnect<DB: Abandon>(
    options: <DB::Connection as sqlx::Connection>::Options,
    nonce: &str,
) -> Reconnect
where
    <DB::Connection as sqlx::Connection>::Options: SessionOptions,
    Guard<'static, DB>: Connection,
{
    let nonce = nonce.to_owned();
    Arc::new(move |limit| {
        let (options, nonce) = (options.clone(), nonce.clone());
        Box::pin(async move {
            let connection = connect::<DB>(&options, &nonce, limit, &no_idle_connection).await?;
            Ok(Box::new(Guard::<DB>::new(
                ConnectionHandle::Opened(OpenedConnection::Own(connection)),
                ConnectionUse::Run,
            )) as Box<dyn Connection>)
        })
    })
}

/// Does nothing: there is no idle connection to close.
pub(super) fn no_idle_connection() -> BoxFuture<'static, ()> {
    Box::pin(async {})
}

/// The options of the connections that jetbase opens: no statement logging, and the server's
/// settings instead of sqlx's.
pub(super) trait SessionOptions: ConnectOptions {
    /// Marks the session with `nonce`. Without one, no option is sent that a pooler might refuse.
    fn for_jetbase(self, nonce: Option<&str>) -> Self;
}

#[cfg(feature = "postgres")]
impl SessionOptions for sqlx::postgres::PgConnectOptions {
    fn for_jetbase(self, nonce: Option<&str>) -> Self {
        let options = self.application_name("jetbase");
        match nonce {
            // A timeout of the role must not end the first message.
            Some(nonce) => {
                options.options([("jetbase.session", nonce), ("statement_timeout", "0")])
            }
            None => options.extra_float_digits(None),
        }
    }
}

#[cfg(feature = "mysql")]
impl SessionOptions for sqlx::mysql::MySqlConnectOptions {
    fn for_jetbase(self, _: Option<&str>) -> Self {
        self.pipes_as_concat(false).no_engine_substitution(false).timezone(None)
    }
}

#[cfg(feature = "sqlite")]
impl SessionOptions for sqlx::sqlite::SqliteConnectOptions {
    fn for_jetbase(self, _: Option<&str>) -> Self {
        self
    }
}
