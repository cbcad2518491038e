//! The servers of the integration tests, from their own files, and what the chaos needs besides them.

#[path = "cluster.rs"]
mod cluster;
#[path = "../../it/harness/database.rs"]
#[allow(dead_code)]
mod database;
#[path = "../../it/harness/mariadb.rs"]
mod mariadb;
#[path = "../../it/harness/postgres.rs"]
mod postgres;
#[path = "../../it/harness/private.rs"]
mod private;
#[path = "../../it/harness/process.rs"]
pub(crate) mod process;
#[path = "../../it/harness/python.rs"]
#[allow(dead_code)]
mod python;
#[path = "../../it/harness/scratch.rs"]
pub(crate) mod scratch;
#[path = "../../it/harness/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "twins.rs"]
mod twins;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

pub(crate) use cluster::Cluster;
pub(crate) use database::Database;
pub(crate) use python::Project;
pub(crate) use server::Server;
pub(crate) use twins::Twin;

/// What a case fails with.
pub(crate) type Error = Box<dyn StdError + Send + Sync>;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    Mysql,
}

impl Kind {
    pub(crate) const SERVERS: &'static [Kind] = &[Kind::Postgres, Kind::Mysql];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::Sqlite => "sqlite",
            Kind::Postgres => "postgres",
            Kind::Mysql => "mysql",
        }
    }
}

/// Why a case cannot run.
#[derive(Clone, Debug)]
pub(crate) enum Unavailable {
    /// Something is not installed.
    Missing { what: &'static str, reason: String },
    /// Something is installed but does not work.
    Broken(String),
}

impl Unavailable {
    pub(crate) fn broken(error: impl fmt::Display) -> Self {
        Unavailable::Broken(format!("{error:#}"))
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unavailable::Missing { reason, .. } => f.write_str(reason),
            Unavailable::Broken(message) => f.write_str(message),
        }
    }
}

impl StdError for Unavailable {}

/// The one runtime of this process, under the name that the harness knows.
mod suite {
    use std::sync::OnceLock;

    use tokio::runtime::{Builder, Runtime};

    use super::Unavailable;

    pub(super) fn runtime() -> Result<&'static Runtime, Unavailable> {
        static RUNTIME: OnceLock<Result<Runtime, Unavailable>> = OnceLock::new();
        let make = || {
            let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.map_err(|error| Unavailable::Broken(format!("no tokio runtime: {error:#}")))
        };
        RUNTIME.get_or_init(make).as_ref().map_err(Clone::clone)
    }
}

/// Runs a future to its end.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    suite::runtime().expect("a tokio runtime").block_on(future)
}

/// The server that cases share.
pub(crate) fn shared(kind: Kind) -> Result<Arc<Server>, Unavailable> {
    Server::shared(kind)
}

/// A fresh database: on the server, else an SQLite file.
pub(crate) async fn fresh(server: Option<&Arc<Server>>) -> Result<Database, Error> {
    match server {
        Some(server) => Database::on(server).await,
        None => Database::sqlite(),
    }
}

/// Drops a database.
pub(crate) async fn remove(db: Database) {
    db.remove().await;
}

/// A database that is there already, behind another address.
pub(crate) fn at(kind: Kind, url: &str) -> Result<Database, Error> {
    let mut db = Database::sqlite()?;
    db.kind = kind;
    db.url = url.to_owned();
    db.name = url.rsplit('/').next().unwrap_or_default().to_owned();
    Ok(db)
}

/// Looks for the Python tool.
pub(crate) fn look_for_python() -> Result<(), Unavailable> {
    python::look_for_tool()
}

/// Ends the shared servers and removes the temporary folder.
pub(crate) fn clean_up() {
    server::stop_shared();
    if let Err(error) = scratch::remove() {
        eprintln!("the temporary folder stays: {error:#}");
    }
}
