//! What a command can work on: pools, connections and URLs of three databases.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_core::future::BoxFuture;
use jetbase_core::Dialect;
use sqlx::ConnectOptions;

use crate::connection::{Abandon, Cause, Connection, Guard, Held};

/// A database that jetbase can migrate: a reference to a pool, or a mutable
/// reference to one connection.
///
/// It is implemented for `&PgPool`, `&MySqlPool`, `&SqlitePool`, and for
/// `&mut` their connections, each with the feature of the same name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a database that jetbase can migrate",
    label = "expected `&PgPool`, `&MySqlPool`, `&SqlitePool`, or `&mut` one of their connections",
    note = "pass a reference: `migrations::run(&pool)` or `migrations::run(&mut connection)`",
    note = "is the matching feature of jetbase on? `postgres`, `mysql`, `sqlite`",
    note = "jetbase works with sqlx 0.9; a pool of another version of sqlx is a different type: \
            use `migrations::run_url(…)` there"
)]
pub trait Target<'t>: sealed::Sealed<'t> {}

impl<'t, T: sealed::Sealed<'t>> Target<'t> for T {}

pub(crate) mod sealed {
    /// Keeps [`Target`](super::Target) ours.
    pub trait Sealed<'t> {
        /// The way to connections.
        fn source(self) -> super::Source<'t>;
    }
}

/// The way from a target to its connections.
pub struct Source<'t>(pub(crate) Way<'t>);

/// What is known about a target's connections.
pub(crate) enum Way<'t> {
    /// It can be moved into a task of its own.
    Shared(Box<dyn Open>),
    /// It lives as long as the caller's connection.
    Borrowed(Box<dyn Open + 't>),
    /// There is none.
    Broken(String),
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

/// A connection for the whole of a run, and whose it is.
pub(crate) struct Dedicated<'c> {
    pub(crate) connection: Box<dyn Connection + 'c>,
    pub(crate) owner: Owner,
    /// Opens one more connection of the same kind; none where the run did not open this one.
    pub(crate) reconnect: Option<Reconnect>,
}

/// Opens one more connection of a run's own, and waits no longer than the limit.
pub(crate) type Reconnect =
    Arc<dyn Fn(Duration) -> BoxFuture<'static, Result<Box<dyn Connection>, Cause>> + Send + Sync>;

/// Whose connection a run works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// We made it for this run.
    Run,
    /// A pool made it.
    Pool,
    /// The caller made it.
    Caller,
}

/// Opens connections to one database.
pub(crate) trait Open: Send {
    /// The database's dialect.
    fn dialect(&self) -> Dialect;

    /// A connection for one short look. Where no pool does it, a server that is starting, or full,
    /// is waited for.
    fn look(
        &mut self,
        patience: Duration,
    ) -> BoxFuture<'_, Result<Box<dyn Connection + '_>, Cause>>;

    /// A connection for a whole run; `nonce` becomes a setting of its session, where that is
    /// possible. A server that is starting, or full, is waited for.
    fn dedicate(
        &mut self,
        nonce: String,
        patience: Duration,
    ) -> BoxFuture<'_, Result<Dedicated<'_>, Cause>>;
}

/// A URL, and the connection that a look has opened already.
struct Url<DB: sqlx::Database> {
    options: <DB::Connection as sqlx::Connection>::Options,
    connection: Option<Box<DB::Connection>>,
}

macro_rules! target {
    ($feature:literal, $dialect:expr, $DB:ty, $Connection:ty, $owner:expr) => {
        #[cfg(feature = $feature)]
        const _: () = {
            type Options = <$Connection as sqlx::Connection>::Options;

            impl Open for sqlx::Pool<$DB> {
                fn dialect(&self) -> Dialect {
                    $dialect
                }

                fn look(
                    &mut self,
                    patience: Duration,
                ) -> BoxFuture<'_, Result<Box<dyn Connection + '_>, Cause>> {
                    Box::pin(async move {
                        // An idle connection needs no ping: the look itself is one.
                        let connection = match self.try_acquire() {
                            Some(connection) => connection,
                            None => acquire(self, patience).await?,
                        };
                        let guard = Guard::<$DB>::new(Held::Pooled(connection));
                        Ok(Box::new(guard) as Box<dyn Connection>)
                    })
                }

                fn dedicate(
                    &mut self,
                    nonce: String,
                    patience: Duration,
                ) -> BoxFuture<'_, Result<Dedicated<'_>, Cause>> {
                    Box::pin(async move {
                        let owner: Owner = $owner;
                        let (held, reconnect) = match owner {
                            Owner::Run => {
                                let options = Options::clone(&self.connect_options());
                                // Where connections are scarce, our own idle one makes room.
                                let make_room = || -> BoxFuture<'static, ()> {
                                    let idle = self.try_acquire();
                                    Box::pin(async move {
                                        if let Some(idle) = idle {
                                            drop(idle.close().await);
                                        }
                                    })
                                };
                                let reconnect = reconnect::<$DB>(options.clone(), &nonce);
                                let opened = connect::<$DB>(options, &nonce, patience, &make_room);
                                (Held::<$DB>::Owned(opened.await?), Some(reconnect))
                            }
                            _ => (Held::Pooled(acquire(self, patience).await?), None),
                        };
                        let connection = Box::new(Guard::new(held));
                        Ok(Dedicated { connection, owner, reconnect })
                    })
                }
            }

            impl Open for &mut $Connection {
                fn dialect(&self) -> Dialect {
                    $dialect
                }

                fn look(
                    &mut self,
                    _: Duration,
                ) -> BoxFuture<'_, Result<Box<dyn Connection + '_>, Cause>> {
                    Box::pin(async move {
                        let guard = Guard::<$DB>::new(Held::Borrowed(&mut **self));
                        Ok(Box::new(guard) as Box<dyn Connection + '_>)
                    })
                }

                fn dedicate(
                    &mut self,
                    _: String,
                    _: Duration,
                ) -> BoxFuture<'_, Result<Dedicated<'_>, Cause>> {
                    Box::pin(async move {
                        let connection = Box::new(Guard::<$DB>::new(Held::Borrowed(&mut **self)));
                        Ok(Dedicated { connection, owner: Owner::Caller, reconnect: None })
                    })
                }
            }

            impl Open for Url<$DB> {
                fn dialect(&self) -> Dialect {
                    $dialect
                }

                fn look(
                    &mut self,
                    patience: Duration,
                ) -> BoxFuture<'_, Result<Box<dyn Connection + '_>, Cause>> {
                    Box::pin(async move {
                        let connection = match self.connection.take() {
                            Some(connection) => connection,
                            None => {
                                connect::<$DB>(self.options.clone(), "", patience, &nothing).await?
                            }
                        };
                        let guard = Guard::<$DB>::new(Held::Kept(&mut self.connection, connection));
                        Ok(Box::new(guard) as Box<dyn Connection + '_>)
                    })
                }

                fn dedicate(
                    &mut self,
                    nonce: String,
                    patience: Duration,
                ) -> BoxFuture<'_, Result<Dedicated<'_>, Cause>> {
                    Box::pin(async move {
                        // Only a connection that carries this run's nonce can prove anything.
                        let kept = self.connection.take().filter(|_| $owner == Owner::Pool);
                        let connection = match kept {
                            Some(connection) => connection,
                            None => {
                                connect::<$DB>(self.options.clone(), &nonce, patience, &nothing)
                                    .await?
                            }
                        };
                        let guard = Guard::<$DB>::new(Held::Owned(connection));
                        Ok(Dedicated {
                            connection: Box::new(guard),
                            owner: Owner::Run,
                            reconnect: Some(reconnect::<$DB>(self.options.clone(), &nonce)),
                        })
                    })
                }
            }

            impl<'t> sealed::Sealed<'t> for &'t sqlx::Pool<$DB> {
                fn source(self) -> Source<'t> {
                    Source(Way::Shared(Box::new(self.clone())))
                }
            }

            impl<'t> sealed::Sealed<'t> for &'t mut $Connection {
                fn source(self) -> Source<'t> {
                    Source(Way::Borrowed(Box::new(self)))
                }
            }

            impl<'t> sealed::Sealed<'t> for &'t mut sqlx::pool::PoolConnection<$DB> {
                fn source(self) -> Source<'t> {
                    Source(Way::Borrowed(Box::new(&mut **self)))
                }
            }
        };
    };
}

target!("postgres", Dialect::Postgres, sqlx::Postgres, sqlx::PgConnection, Owner::Run);
target!("mysql", Dialect::MySql, sqlx::MySql, sqlx::MySqlConnection, Owner::Run);
target!("sqlite", Dialect::Sqlite, sqlx::Sqlite, sqlx::SqliteConnection, Owner::Pool);

/// Takes a connection of a pool, and waits no longer than the limit.
async fn acquire<DB: sqlx::Database>(
    pool: &sqlx::Pool<DB>,
    limit: Duration,
) -> Result<sqlx::pool::PoolConnection<DB>, Cause> {
    match tokio::time::timeout(limit.max(SHORTEST), pool.acquire()).await {
        Ok(answer) => answer.map_err(|error| Cause::of(&error)),
        Err(_) => Err(Cause::absent(format!(
            "the pool had no connection to give within {:.1?}: all are in use, or the server does not answer",
            limit.max(SHORTEST)
        ))),
    }
}

/// How long one try may take even where nothing is left of the limit.
pub(crate) const SHORTEST: Duration = Duration::from_secs(1);

/// Connects; tries again while the server is starting or full, as long as the limit lasts.
async fn connect<DB: sqlx::Database>(
    options: <DB::Connection as sqlx::Connection>::Options,
    nonce: &str,
    limit: Duration,
    make_room: &(dyn Fn() -> BoxFuture<'static, ()> + Sync),
) -> Result<Box<DB::Connection>, Cause>
where
    <DB::Connection as sqlx::Connection>::Options: Own,
{
    let started = Instant::now();
    let mut nonce = Some(nonce);
    loop {
        let options = options.clone().own(nonce).disable_statement_logging();
        let left = limit.saturating_sub(started.elapsed()).max(SHORTEST);
        let cause = match tokio::time::timeout(left, options.connect()).await {
            Ok(Ok(connection)) => return Ok(Box::new(connection)),
            Ok(Err(error)) => Cause::of(&error),
            Err(_) => {
                return Err(Cause::absent(format!("the server did not answer within {left:.1?}")));
            }
        };
        match cause.code.as_str() {
            // A pooler that refuses startup options: connect without them, and prove nothing.
            "08P01" if nonce.take().is_some() => continue,
            _ if cause.is_full() && started.elapsed() < limit => {}
            _ => return Err(cause),
        }
        make_room().await;
        tokio::time::sleep(Duration::from_millis(100).mul_f64(0.5 + fastrand::f64())).await;
    }
}

/// Remembers how to open one more connection.
fn reconnect<DB: Abandon>(
    options: <DB::Connection as sqlx::Connection>::Options,
    nonce: &str,
) -> Reconnect
where
    <DB::Connection as sqlx::Connection>::Options: Own,
    Guard<'static, DB>: Connection,
{
    let nonce = nonce.to_owned();
    Arc::new(move |limit| {
        let (options, nonce) = (options.clone(), nonce.clone());
        Box::pin(async move {
            let connection = connect::<DB>(options, &nonce, limit, &nothing).await?;
            Ok(Box::new(Guard::<DB>::new(Held::Owned(connection))) as Box<dyn Connection>)
        })
    })
}

/// There is no other connection of ours to close.
fn nothing() -> BoxFuture<'static, ()> {
    Box::pin(async {})
}

/// The options of our own connections: quiet, with the server's settings instead of sqlx's.
trait Own: ConnectOptions {
    /// `nonce` marks the session; without it, nothing is asked that a pooler might refuse.
    fn own(self, nonce: Option<&str>) -> Self;
}

#[cfg(feature = "postgres")]
impl Own for sqlx::postgres::PgConnectOptions {
    fn own(self, nonce: Option<&str>) -> Self {
        let own = self.application_name("jetbase");
        match nonce {
            Some(nonce) => own.options([("jetbase.session", nonce)]),
            None => own.extra_float_digits(None),
        }
    }
}

#[cfg(feature = "mysql")]
impl Own for sqlx::mysql::MySqlConnectOptions {
    fn own(self, _: Option<&str>) -> Self {
        self.pipes_as_concat(false).no_engine_substitution(false).timezone(None)
    }
}

#[cfg(feature = "sqlite")]
impl Own for sqlx::sqlite::SqliteConnectOptions {
    fn own(self, _: Option<&str>) -> Self {
        self
    }
}

/// The database behind a URL: `postgres://…`, `mysql://…`, `mariadb://…` or `sqlite://…`.
///
/// It is a [`Target`] for programs on another version of sqlx, or on none.
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
    let scheme = url.split(':').next().unwrap_or_default();
    let dialect = match scheme {
        "postgres" | "postgresql" => Dialect::Postgres,
        "mysql" | "mariadb" => Dialect::MySql,
        "sqlite" => Dialect::Sqlite,
        _ => {
            return Source(Way::Broken(
                "the database URL begins with none of `postgres://`, `mysql://`, `mariadb://`, `sqlite://`".to_owned(),
            ));
        }
    };
    match dialect {
        #[cfg(feature = "postgres")]
        Dialect::Postgres => url_source::<sqlx::Postgres>(url),
        #[cfg(feature = "mysql")]
        Dialect::MySql => url_source::<sqlx::MySql>(url),
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => url_source::<sqlx::Sqlite>(url),
        #[cfg(not(all(feature = "postgres", feature = "mysql", feature = "sqlite")))]
        _ => Source(Way::Broken(format!(
            "this program is built without the feature `{}` of jetbase, which `{scheme}:` URLs need",
            dialect.name()
        ))),
    }
}

#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
fn url_source<DB: sqlx::Database>(url: &str) -> Source<'static>
where
    Url<DB>: Open + 'static,
{
    match url.parse::<<DB::Connection as sqlx::Connection>::Options>() {
        Ok(options) => Source(Way::Shared(Box::new(Url::<DB> { options, connection: None }))),
        Err(error) => Source(Way::Broken(format!(
            "the database URL cannot be read: {}",
            Cause::of(&error).message
        ))),
    }
}
