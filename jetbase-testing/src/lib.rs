//! A migrated database for each test, cloned from a template.
//!
//! Programs use it through the crate `jetbase`, with the feature `testing`.
//!
//! A test calls `case` (through the attribute) or `database`. `driver` has what the databases do in
//! the same way, and `postgres`, `mysql` and `sqlite` what each of them does in its own way: create a
//! database from a template, delete it, and delete what tests have left behind. `name` names the
//! databases and the templates, `server` finds the server, and `fixture` loads the rows of a test.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::print_stderr, clippy::print_stdout)]
#![cfg_attr(
    not(any(feature = "postgres", feature = "mysql")),
    allow(dead_code, unused_imports, reason = "SQLite has no server")
)]

mod case;
mod database;
mod driver;
mod error;
mod fixture;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "mysql")]
mod mysql_copy;
#[cfg(feature = "mysql")]
mod mysql_session;
mod name;
#[cfg(feature = "postgres")]
mod postgres;
mod server;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use case::TestParameter;
#[doc(hidden)]
pub use case::{TestCase, TestDatabases};
pub use database::TestDatabase;
pub use driver::TestDriver;
pub use error::TestingError;
pub use fixture::Fixture;
