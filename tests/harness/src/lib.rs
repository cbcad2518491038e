//! The harness of the tests: private servers, a fresh database for each test, the Python tool, and
//! the connection to the test runner.
//!
//! The integration tests in `tests/it` and the storms in `tests/chaos` use it. It does not depend on
//! jetbase itself.

mod database;
mod database_kind;
mod mariadb;
mod postgres;
mod private_server;
/// Finds programs, runs them as a user, and stops them.
pub mod process;
mod python;
mod readme;
mod runtime;
/// The temporary folder of a test process.
pub mod scratch;
mod server;
mod server_url;
mod suite;
mod test_context;
mod unavailable;

use std::error::Error;
use std::io::{self, Write as _};

pub use database::{Database, TextRows};
pub use database_kind::DatabaseKind;
pub use mariadb::Mariadb;
pub use postgres::Postgres;
pub use private_server::{Engine, PrivateServer};
pub use python::{PythonProject, ToolOutput, find_python_tool};
pub use readme::Readme;
pub use runtime::{block_on, block_on_new_thread};
pub use server::DatabaseServer;
pub use suite::Suite;
pub use test_context::{Needs, TestContext};
pub use unavailable::{Unavailable, is_required};

/// The error of a test body. `?` converts any error and any text to it.
pub type TestError = Box<dyn Error + Send + Sync>;

/// The result of a test body.
pub type TestResult = Result<(), TestError>;

/// Stops the shared servers and removes the temporary folder.
pub fn clean_up() {
    server::stop_shared();
    if let Err(error) = scratch::remove() {
        let _ = writeln!(io::stderr(), "cannot remove the temporary folder: {error:#}");
    }
}
