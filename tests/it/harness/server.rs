//! Servers: the shared one of each kind, and further private ones.

use std::sync::{Arc, OnceLock};

use super::database::Address;
use super::mariadb::Mariadb;
use super::postgres::Postgres;
use super::private::{Engine, Private};
use super::process::Account;
use super::{Error, Kind, Unavailable, suite};

/// A server: a private one, or one that ran already.
#[derive(Debug)]
pub(crate) struct Server {
    kind: Kind,
    address: Address,
    private: Option<Private>,
    /// Whether other tests use it too.
    shared: bool,
}

impl Server {
    /// Starts a private server of a kind, which ends when the value is dropped.
    pub(crate) async fn start(kind: Kind) -> Result<Server, Unavailable> {
        let engine: Box<dyn Engine> = match kind {
            Kind::Sqlite => return Err(Unavailable::broken("SQLite has no server")),
            Kind::Postgres => Box::new(Postgres::find()?),
            Kind::Mysql => Box::new(Mariadb::find()?),
        };
        let account = Account::choose(kind.name(), engine.user())?;
        match Private::start(engine, account).await {
            Ok(private) => {
                let address = Address::parse(&private.url());
                let address = address.map_err(Unavailable::broken)?;
                Ok(Server { kind, address, private: Some(private), shared: false })
            }
            Err(error) => {
                Err(Unavailable::Broken(format!("no private {} server: {error:#}", kind.name())))
            }
        }
    }

    /// The server that tests share: the one of the environment, else a private one, started once.
    ///
    /// Not to be called from asynchronous code.
    pub(super) fn shared(kind: Kind) -> Result<Arc<Server>, Unavailable> {
        let Some((cell, variable)) = shared_of(kind) else {
            return Err(Unavailable::broken("SQLite has no server"));
        };
        let make = || {
            let mut server = match std::env::var(variable) {
                Ok(url) => {
                    let address = Address::of(kind, &url).map_err(|error| {
                        Unavailable::Broken(format!("{variable} is no usable address: {error:#}"))
                    })?;
                    Server { kind, address, private: None, shared: true }
                }
                Err(_) => suite::runtime()?.block_on(Server::start(kind))?,
            };
            server.shared = true;
            Ok(Arc::new(server))
        };
        cell.get_or_init(make).clone()
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it is.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Ends the server at once, as a crash would: PostgreSQL by an immediate shutdown.
    pub(crate) fn crash(&self) -> Result<(), Error> {
        self.own()?.crash()
    }

    /// Starts the server again on its port, after a `crash`, and waits until it is ready.
    pub(crate) async fn start_again(&self) -> Result<(), Error> {
        self.own()?.start_again().await
    }

    /// A `crash`, and at once a new start.
    pub(crate) async fn restart(&self) -> Result<(), Error> {
        self.crash()?;
        self.start_again().await
    }

    /// Ends the server for good and removes its folder.
    pub(crate) fn stop(&self) {
        if let Some(private) = &self.private {
            private.stop();
        }
    }

    /// The private parts, if no other test uses them.
    fn own(&self) -> Result<&Private, Error> {
        match &self.private {
            Some(private) if !self.shared => Ok(private),
            _ => Err("other tests use this server too: ask for Needs::OWN_SERVER".into()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Ends the servers that tests shared.
pub(super) fn stop_shared() {
    for kind in Kind::SERVERS {
        if let Some(Ok(server)) = shared_of(*kind).and_then(|(cell, _)| cell.get()) {
            server.stop();
        }
    }
}

/// The server of a kind that tests share, once started.
type Shared = OnceLock<Result<Arc<Server>, Unavailable>>;

/// Where the shared server of a kind is kept, and the variable that names one that runs already.
fn shared_of(kind: Kind) -> Option<(&'static Shared, &'static str)> {
    static POSTGRES: Shared = OnceLock::new();
    static MYSQL: Shared = OnceLock::new();
    match kind {
        Kind::Sqlite => None,
        Kind::Postgres => Some((&POSTGRES, "JETBASE_TEST_POSTGRES_URL")),
        Kind::Mysql => Some((&MYSQL, "JETBASE_TEST_MYSQL_URL")),
    }
}
