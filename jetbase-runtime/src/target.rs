//! The targets of a command: pools, connections and URLs of three databases.

mod connect;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use jetbase_core::Dialect;

use self::connect::{SessionOptions, acquire, connect, no_idle_connection, nonce, reconnect};
use crate::connection::{
    Abandon, Cause, Connection, ConnectionHandle, ConnectionUse, Guard, OpenedConnection,
};
use crate::error::{SettingError, UrlError};

/// A database that jetbase can migrate: a reference to a pool, or a mutable reference to a
/// connection.
///
/// It is implemented for `&PgPool`, `&MySqlPool`, `&SqlitePool`, and for `&mut` their connections.
/// Each implementation needs the feature of its database: `postgres`, `mysql` or `sqlite`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a database that jetbase can migrate",
    label = "expected `&PgPool`, `&MySqlPool`, `&SqlitePool`, or `&mut` one of their connections",
    note = "pass a reference: `migrations::run(&pool)` or `migrations::run(&mut connection)`",
    note = "for a URL, use `migrations::run_url(url)`, or `jetbase::DatabaseUrl(url)` as the target",
    note = "is the matching feature of jetbase on? `postgres`, `mysql`, `sqlite`",
    note = "jetbase works with sqlx 0.9; a pool of another version of sqlx is a different type: \
            use `migrations::run_url(…)` there"
)]
pub trait Target<'t>: sealed::Sealed<'t> {}

impl<'t, T: sealed::Sealed<'t>> Target<'t> for T {}

pub(crate) mod sealed {
    /// Prevents other crates from implementing [`Target`](super::Target).
    pub trait Sealed<'t> {
        /// Returns the source of connections.
        fn source(self) -> super::Source<'t>;
    }
}

/// The source of connections of a target.
pub struct Source<'t>(pub(crate) ConnectionSource<'t>);

/// How a target provides connections.
pub(crate) enum ConnectionSource<'t> {
    /// The source can be moved into a task of its own.
    Shared(Box<dyn Connect>),
    /// The source borrows the caller's connection.
    Borrowed(Box<dyn Connect + 't>),
    /// The URL is not valid.
    Broken(UrlError),
}

impl<'t> Source<'t> {
    /// Returns the source for a command that does its work in the caller's task.
    pub(crate) fn into_connect(self) -> Result<Box<dyn Connect + 't>, SettingError> {
        match self.0 {
            ConnectionSource::Shared(source) => Ok(source),
            ConnectionSource::Borrowed(source) => Ok(source),
            ConnectionSource::Broken(fault) => Err(SettingError::DatabaseUrl(fault)),
        }
    }
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

/// A target of any kind, for a program that chooses it at run time.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # fn example(url: Option<&str>, pool: &jetbase_runtime::sqlx::SqlitePool) {
/// # use jetbase_runtime::{AnyTarget, DatabaseUrl};
/// let target = match url {
///     Some(url) => AnyTarget::new(DatabaseUrl(url)),
///     None => AnyTarget::new(pool),
/// };
/// # drop(target);
/// # }
/// ```
#[derive(Debug)]
pub struct AnyTarget<'t>(Source<'t>);

impl<'t> AnyTarget<'t> {
    /// Creates a target of any kind from a target of a certain kind.
    pub fn new(target: impl Target<'t>) -> Self {
        AnyTarget(target.source())
    }
}

impl<'t> sealed::Sealed<'t> for AnyTarget<'t> {
    fn source(self) -> Source<'t> {
        self.0
    }
}

/// A connection for a whole run, with its owner.
pub(crate) struct DedicatedConnection<'c> {
    pub(crate) connection: Box<dyn Connection + 'c>,
    pub(crate) owner: ConnectionOwner,
    /// The value that marks the session as used by this run only. It is empty if the run did not open the
    /// connection.
    pub(crate) nonce: String,
    /// Opens one more connection of the same kind. `None` if the run did not open this one.
    pub(crate) reconnect: Option<Reconnect>,
}

/// Opens one more connection for the run, within a time limit.
pub(crate) type Reconnect =
    Arc<dyn Fn(Duration) -> BoxFuture<'static, Result<Box<dyn Connection>, Cause>> + Send + Sync>;

/// Who owns the connection that a run works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionOwner {
    /// The run opened it.
    Run,
    /// A pool opened it.
    Pool,
    /// The caller opened it.
    Caller,
}

/// Opens connections to one database.
pub(crate) trait Connect: Send {
    fn dialect(&self) -> Dialect;

    /// Returns a connection for a short read. Without a pool, it waits while the server is starting
    /// or full.
    fn connect_for_reading(
        &mut self,
        limit: Duration,
    ) -> BoxFuture<'_, Result<Box<dyn Connection + '_>, Cause>>;

    /// Returns a connection for a whole run. It waits while the server is starting or full.
    fn connect_for_run(
        &mut self,
        limit: Duration,
    ) -> BoxFuture<'_, Result<DedicatedConnection<'_>, Cause>>;
}

/// How a target provides connections to a database.
enum Provider<'t, DB: Driver> {
    Pool(PoolProvider<DB>),
    /// The caller's connection.
    Borrowed(&'t mut DB::Connection),
    Url(UrlProvider<DB>),
}

/// A pool, and the connection that has read the database state, if the run uses connections of the pool.
struct PoolProvider<DB: Driver> {
    pool: sqlx::Pool<DB>,
    kept: Option<OpenedConnection<DB>>,
}

/// A URL, and the connection that reading the database state has already opened.
struct UrlProvider<DB: Driver> {
    options: ConnectOptionsOf<DB>,
    kept: Option<OpenedConnection<DB>>,
    /// The nonce of the last connection.
    nonce: String,
}

impl<DB: Driver> UrlProvider<DB>
where
    ConnectOptionsOf<DB>: SessionOptions,
{
    /// Returns the kept connection, or opens one.
    async fn connection(&mut self, limit: Duration) -> Result<OpenedConnection<DB>, Cause> {
        if let Some(kept) = self.kept.take() {
            return Ok(kept);
        }
        self.nonce = nonce();
        let opened = connect::<DB>(&self.options, &self.nonce, limit, &no_idle_connection).await;
        opened.map(OpenedConnection::Own)
    }
}

impl<DB: Driver> PoolProvider<DB> {
    /// Returns the kept connection, or one of the pool.
    async fn connection(&mut self, limit: Duration) -> Result<OpenedConnection<DB>, Cause> {
        if let Some(kept) = self.kept.take() {
            return Ok(kept);
        }
        // An idle connection needs no ping: the first message shows whether it works.
        let pooled = match self.pool.try_acquire() {
            Some(connection) => connection,
            None => acquire(&self.pool, limit).await?,
        };
        Ok(OpenedConnection::Pooled(pooled))
    }
}

type ConnectOptionsOf<DB> = <<DB as sqlx::Database>::Connection as sqlx::Connection>::Options;

/// A database with a driver of sqlx.
trait Driver: Abandon {
    const DIALECT: Dialect;
    /// Who opens the connection of a run on a pool.
    const POOL_OWNER: ConnectionOwner;
}

impl<DB: Driver> Connect for Provider<'_, DB>
where
    ConnectOptionsOf<DB>: SessionOptions,
    for<'c> Guard<'c, DB>: Connection,
{
    fn dialect(&self) -> Dialect {
        DB::DIALECT
    }

    fn connect_for_reading(
        &mut self,
        limit: Duration,
    ) -> BoxFuture<'_, Result<Box<dyn Connection + '_>, Cause>> {
        Box::pin(async move {
            let handle = match self {
                Provider::Pool(pool) => {
                    let connection = pool.connection(limit).await?;
                    match DB::POOL_OWNER {
                        ConnectionOwner::Pool => ConnectionHandle::Kept(&mut pool.kept, connection),
                        _ => ConnectionHandle::Opened(connection),
                    }
                }
                Provider::Borrowed(connection) => ConnectionHandle::Borrowed(&mut **connection),
                Provider::Url(url) => {
                    let connection = url.connection(limit).await?;
                    ConnectionHandle::Kept(&mut url.kept, connection)
                }
            };
            Ok(Box::new(Guard::<DB>::new(handle, ConnectionUse::Read)) as Box<dyn Connection + '_>)
        })
    }

    fn connect_for_run(
        &mut self,
        limit: Duration,
    ) -> BoxFuture<'_, Result<DedicatedConnection<'_>, Cause>> {
        Box::pin(async move {
            let unmarked = String::new();
            let (handle, owner, options, nonce) = match self {
                Provider::Pool(pool) if DB::POOL_OWNER == ConnectionOwner::Pool => {
                    let handle = ConnectionHandle::Opened(pool.connection(limit).await?);
                    (handle, ConnectionOwner::Pool, None, unmarked)
                }
                Provider::Pool(PoolProvider { pool, .. }) => {
                    let (options, nonce) = ((*pool.connect_options()).clone(), nonce());
                    // If the server has no free connection, the idle one of this pool is closed to
                    // make room.
                    let close_idle = || -> BoxFuture<'static, ()> {
                        let idle = pool.try_acquire();
                        Box::pin(async move {
                            if let Some(idle) = idle {
                                drop(idle.close().await);
                            }
                        })
                    };
                    let connection = connect::<DB>(&options, &nonce, limit, &close_idle).await?;
                    let handle = ConnectionHandle::Opened(OpenedConnection::Own(connection));
                    (handle, ConnectionOwner::Run, Some(options), nonce)
                }
                Provider::Borrowed(connection) => {
                    let handle = ConnectionHandle::Borrowed(&mut **connection);
                    (handle, ConnectionOwner::Caller, None, unmarked)
                }
                Provider::Url(url) => {
                    let handle = ConnectionHandle::Opened(url.connection(limit).await?);
                    let (options, nonce) = (url.options.clone(), url.nonce.clone());
                    (handle, ConnectionOwner::Run, Some(options), nonce)
                }
            };
            let reconnect = options.map(|options| reconnect::<DB>(options, &nonce));
            let connection = Box::new(Guard::<DB>::new(handle, ConnectionUse::Run));
            Ok(DedicatedConnection { connection, owner, nonce, reconnect })
        })
    }
}

macro_rules! target {
    ($feature:literal, $dialect:expr, $DB:ty, $Connection:ty, $owner:expr) => {
        #[cfg(feature = $feature)]
        const _: () = {
            impl Driver for $DB {
                const DIALECT: Dialect = $dialect;
                const POOL_OWNER: ConnectionOwner = $owner;
            }

            impl<'t> sealed::Sealed<'t> for &'t sqlx::Pool<$DB> {
                fn source(self) -> Source<'t> {
                    let provider = PoolProvider { pool: self.clone(), kept: None };
                    Source(ConnectionSource::Shared(Box::new(Provider::Pool(provider))))
                }
            }

            impl<'t> sealed::Sealed<'t> for &'t mut $Connection {
                fn source(self) -> Source<'t> {
                    Source(ConnectionSource::Borrowed(Box::new(Provider::<$DB>::Borrowed(self))))
                }
            }

            impl<'t> sealed::Sealed<'t> for &'t mut sqlx::pool::PoolConnection<$DB> {
                fn source(self) -> Source<'t> {
                    sealed::Sealed::source(&mut **self)
                }
            }
        };
    };
}

target!("postgres", Dialect::Postgres, sqlx::Postgres, sqlx::PgConnection, ConnectionOwner::Run);
target!("mysql", Dialect::MySql, sqlx::MySql, sqlx::MySqlConnection, ConnectionOwner::Run);
target!("sqlite", Dialect::Sqlite, sqlx::Sqlite, sqlx::SqliteConnection, ConnectionOwner::Pool);

/// The database behind a URL: `postgres://…`, `mysql://…`, `mariadb://…` or `sqlite://…`.
///
/// It is a [`Target`] for programs that use another version of sqlx, or no sqlx at all. The feature
/// of its database must be on: `postgres`, `mysql` or `sqlite`.
///
/// # Examples
///
/// ```no_run
/// # use jetbase_core::Migrations;
/// # use jetbase_runtime::{DatabaseUrl, Error, status};
/// # async fn example(set: &Migrations) -> Result<(), Error> {
/// let status = status(set, DatabaseUrl("mysql://app@db.example.org/app")).await?;
/// println!("{status}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct DatabaseUrl<'u>(pub &'u str);

impl fmt::Debug for DatabaseUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        f.write_str("DatabaseUrl")
    }
}

impl<'t> sealed::Sealed<'t> for DatabaseUrl<'_> {
    fn source(self) -> Source<'t> {
        source_of_url(self.0)
    }
}

pub(crate) fn source_of_url(url: &str) -> Source<'static> {
    Source(provider_of_url(url).map_or_else(ConnectionSource::Broken, ConnectionSource::Shared))
}

fn provider_of_url(url: &str) -> Result<Box<dyn Connect>, UrlError> {
    let scheme = url.split(':').next().unwrap_or_default();
    let dialect = match scheme {
        "postgres" | "postgresql" => Dialect::Postgres,
        "mysql" | "mariadb" => Dialect::MySql,
        "sqlite" => Dialect::Sqlite,
        _ => return Err(UrlError::UnknownScheme),
    };
    match dialect {
        #[cfg(feature = "postgres")]
        Dialect::Postgres => parse_url::<sqlx::Postgres>(url),
        #[cfg(feature = "mysql")]
        Dialect::MySql => parse_url::<sqlx::MySql>(url),
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => parse_url::<sqlx::Sqlite>(url),
        #[cfg(not(all(feature = "postgres", feature = "mysql", feature = "sqlite")))]
        _ => Err(UrlError::MissingFeature { scheme: scheme.to_owned(), feature: dialect.name() }),
    }
}

#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
fn parse_url<DB: Driver>(url: &str) -> Result<Box<dyn Connect>, UrlError>
where
    Provider<'static, DB>: Connect,
{
    match url.parse::<ConnectOptionsOf<DB>>() {
        Ok(options) => Ok(Box::new(Provider::Url(UrlProvider::<DB> {
            options,
            kept: None,
            nonce: String::new(),
        }))),
        Err(error) => Err(UrlError::Unreadable { reason: Cause::of(error).message }),
    }
}
