//! Servers: the shared one of each kind, and further private ones.

use std::sync::{Arc, OnceLock};

use crate::mariadb::Mariadb;
use crate::postgres::Postgres;
use crate::private_server::{Engine, PrivateServer};
use crate::process::Account;
use crate::runtime::runtime;
use crate::server_url::ServerUrl;
use crate::{DatabaseKind, TestError, Unavailable};

/// A server: a private one, or one that ran already.
#[derive(Debug)]
pub struct DatabaseServer {
    kind: DatabaseKind,
    url: ServerUrl,
    private: Option<PrivateServer>,
    /// Whether other tests use it too.
    shared: bool,
}

impl DatabaseServer {
    /// Starts a private server of a kind, which ends when the value is dropped.
    pub async fn start(kind: DatabaseKind) -> Result<DatabaseServer, Unavailable> {
        let engine: Box<dyn Engine> = match kind {
            DatabaseKind::Sqlite => return Err(Unavailable::broken("SQLite has no server")),
            DatabaseKind::Postgres => Box::new(Postgres::find()?),
            DatabaseKind::Mysql => Box::new(Mariadb::find()?),
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

    /// The server that tests share: the one of the environment, else a private one, started once.
    ///
    /// Do not call it from asynchronous code.
    pub fn shared(kind: DatabaseKind) -> Result<Arc<DatabaseServer>, Unavailable> {
        let Some((cell, variable)) = shared_of(kind) else {
            return Err(Unavailable::broken("SQLite has no server"));
        };
        let make = || {
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
        cell.get_or_init(make).clone()
    }

    /// The kind.
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// The URL.
    pub(crate) fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// Ends the server at once, as a crash would: PostgreSQL by an immediate shutdown.
    pub fn crash(&self) -> Result<(), TestError> {
        self.own()?.crash()
    }

    /// Starts the server again on its port, after a `crash`, and waits until it is ready.
    pub async fn start_again(&self) -> Result<(), TestError> {
        self.own()?.start_again().await
    }

    /// A `crash`, and at once a new start.
    pub async fn restart(&self) -> Result<(), TestError> {
        self.crash()?;
        self.start_again().await
    }

    /// Ends the server for good and removes its folder.
    pub fn stop(&self) {
        if let Some(private) = &self.private {
            private.stop();
        }
    }

    /// The private parts, if no other test uses them.
    fn own(&self) -> Result<&PrivateServer, TestError> {
        match &self.private {
            Some(private) if !self.shared => Ok(private),
            _ => Err("other tests use this server too: ask for Needs::OWN_SERVER".into()),
        }
    }
}

impl Drop for DatabaseServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Ends the servers that tests shared.
pub(crate) fn stop_shared() {
    for kind in DatabaseKind::SERVERS {
        if let Some(Ok(server)) = shared_of(*kind).and_then(|(cell, _)| cell.get()) {
            server.stop();
        }
    }
}

/// The server of a kind that tests share, once started.
type SharedServer = OnceLock<Result<Arc<DatabaseServer>, Unavailable>>;

/// Where the shared server of a kind is kept, and the variable that names one that runs already.
fn shared_of(kind: DatabaseKind) -> Option<(&'static SharedServer, &'static str)> {
    static POSTGRES: SharedServer = OnceLock::new();
    static MYSQL: SharedServer = OnceLock::new();
    match kind {
        DatabaseKind::Sqlite => None,
        DatabaseKind::Postgres => Some((&POSTGRES, "JETBASE_TEST_POSTGRES_URL")),
        DatabaseKind::Mysql => Some((&MYSQL, "JETBASE_TEST_MYSQL_URL")),
    }
}
