//! The harness of the integration tests: private servers, one database per
//! test, the Python tool, and the glue to libtest-mimic.
#![allow(
    dead_code,
    unused_imports,
    reason = "what the harness offers is not all used by every set of tests"
)]

mod database;
mod mariadb;
mod postgres;
mod private;
mod process;
mod python;
mod scratch;
mod server;
mod suite;

use std::error::Error as StdError;
use std::fmt;

pub(crate) use database::{Database, Rows};
pub(crate) use python::{Output, Project};
pub(crate) use server::Server;
pub(crate) use suite::{Context, Needs, Suite};

/// What a test body fails with: `?` turns any error and any text into it.
pub(crate) type Error = Box<dyn StdError + Send + Sync>;

/// What a test body returns.
pub(crate) type TestResult = Result<(), Error>;

/// A kind of database that tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// SQLite, a file in a temporary folder.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MariaDB or MySQL.
    Mysql,
}

impl Kind {
    /// All kinds.
    pub(crate) const ALL: &'static [Kind] = &[Kind::Sqlite, Kind::Postgres, Kind::Mysql];

    /// The kinds that have a server.
    pub(crate) const SERVERS: &'static [Kind] = &[Kind::Postgres, Kind::Mysql];

    /// The name in trial names, in `JETBASE_TEST_REQUIRE` and in macro options.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::Sqlite => "sqlite",
            Kind::Postgres => "postgres",
            Kind::Mysql => "mysql",
        }
    }
}

/// Why a test cannot run.
#[derive(Clone, Debug)]
pub(crate) enum Unavailable {
    /// Something is not installed: the test is ignored, unless it is required.
    Missing {
        /// Its name in `JETBASE_TEST_REQUIRE`.
        what: &'static str,
        /// What is missing, and how to get it.
        reason: String,
    },
    /// Something is installed but does not work: the test fails.
    Broken(String),
}

impl Unavailable {
    /// Wraps an error of something that should have worked.
    fn broken(error: impl fmt::Display) -> Self {
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
