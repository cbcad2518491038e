//! Database servers: one shared server of each kind, and more private ones.

use std::sync::{Arc, OnceLock};

use crate::mariadb::Mariadb;
use crate::postgres::Postgres;
use crate::private_server::{Engine, PrivateServer};
use crate::process::Account;
use crate::runtime::runtime;
use crate::server_url::ServerUrl;
use crate::{DatabaseKind, TestError, Unavailable};

/// A database server: a private one, or one that was already running.
#[derive(Debug)]
pub struct DatabaseServer {
    kind: DatabaseKind,
    url: ServerUrl,
    private: Option<PrivateServer>,
    /// Whether other tests use it too.
    shared: bool,
}

impl DatabaseServer {
    /// Starts a private server, which stops when the value is dropped.
    pub async fn start(kind: DatabaseKind) -> Result<DatabaseServer, Unavailable> {
        DatabaseServer::start_with(kind, &[]).await
    }

    /// Starts a private server with more options of its command line.
    pub async fn start_with(
        kind: DatabaseKind,
        options: &'static [&'static str],
    ) -> Result<DatabaseServer, Unavailable> {
        let engine: Box<dyn Engine> = match kind {
            DatabaseKind::Sqlite => return Err(Unavailable::broken("SQLite has no server")),
            DatabaseKind::Postgres => Box::new(Postgres::find()?.with_options(options)),
            DatabaseKind::Mysql => Box::new(Mariadb::find()?.with_options(options)),
        };
        let account = Account::choose(kind.name(), engine.user())?;
        match PrivateServer::start(engine, account).await {
            Ok(private) => {
                let url = ServerUrl::parse(&private.url());
                let url = url.map_err(Unavailable::broken)?;
                Ok(DatabaseServer { kind, url, private: Some(private), shared: false })
            }
            Err(error) => {
                Err(Unavailable::Broken(format!("no private {} server: {error:#}", kind.name())))
            }
        }
    }

    /// Returns the server that tests share: the one that a variable names, or else a private one.
    ///
    /// Do not call it from asynchronous code.
    pub fn shared(kind: DatabaseKind) -> Result<Arc<DatabaseServer>, Unavailable> {
        let Some((cell, variable)) = shared_of(kind) else {
            return Err(Unavailable::broken("SQLite has no server"));
        };
        let start = || {
            let mut server = match std::env::var(variable) {
                Ok(url) => {
                    let url = ServerUrl::of(kind, &url).map_err(|error| {
                        Unavailable::Broken(format!("{variable} is not a usable URL: {error:#}"))
                    })?;
                    DatabaseServer { kind, url, private: None, shared: true }
                }
                Err(_) => runtime()?.block_on(DatabaseServer::start(kind))?,
            };
            server.shared = true;
            Ok(Arc::new(server))
        };
        cell.get_or_init(start).clone()
    }

    /// The kind.
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// The URL.
    pub(crate) fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// Ends the server at once, as in a crash. PostgreSQL gets an immediate shutdown.
    pub fn crash(&self) -> Result<(), TestError> {
        self.unshared()?.crash()
    }

    /// Starts the server again on its port, after a `crash`, and waits until it is ready.
    pub async fn start_again(&self) -> Result<(), TestError> {
        self.unshared()?.start_again().await
    }

    /// Calls `crash` and then `start_again`.
    pub async fn restart(&self) -> Result<(), TestError> {
        self.crash()?;
        self.start_again().await
    }

    /// Stops the server and removes its folder.
    pub fn stop(&self) {
        if let Some(private) = &self.private {
            private.stop();
        }
    }

    /// Returns the private server if no other test uses it.
    fn unshared(&self) -> Result<&PrivateServer, TestError> {
        match &self.private {
            Some(private) if !self.shared => Ok(private),
            _ => Err("other tests use this server too; use Needs::OWN_SERVER".into()),
        }
    }
}

impl Drop for DatabaseServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Stops the shared servers.
pub(crate) fn stop_shared() {
    for kind in DatabaseKind::SERVERS {
        if let Some(Ok(server)) = shared_of(*kind).and_then(|(cell, _)| cell.get()) {
            server.stop();
        }
    }
}

/// The shared server of a kind after its start.
type SharedServer = OnceLock<Result<Arc<DatabaseServer>, Unavailable>>;

/// The shared server of a kind, and the variable that can name a running server.
fn shared_of(kind: DatabaseKind) -> Option<(&'static SharedServer, &'static str)> {
    static POSTGRES: SharedServer = OnceLock::new();
    static MYSQL: SharedServer = OnceLock::new();
    match kind {
        DatabaseKind::Sqlite => None,
        DatabaseKind::Postgres => Some((&POSTGRES, "JETBASE_TEST_POSTGRES_URL")),
        DatabaseKind::Mysql => Some((&MYSQL, "JETBASE_TEST_MYSQL_URL")),
    }
}
