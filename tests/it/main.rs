//! The integration tests: every body runs on SQLite, PostgreSQL and MariaDB/MySQL.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

/// Applying, rolling back, reporting.
mod apply;
/// Wrong URLs, missing rights, broken files.
mod bad_input;
/// The command line inside a program of somebody's own.
mod cli;
/// What a program can learn from an error.
mod errors;
/// The examples run, and say what they should.
mod examples;
/// The exit codes of the program `jetbase`.
mod exit_codes;
/// Roles that mean harm, and tables that do not keep what is written to them.
mod hostile;
/// What runs, files, sessions and callers must not notice of each other.
mod isolation;
/// Who holds the lock, and what happens to those who do not.
mod lock;
/// What a run does when the server ends its connection.
mod lost_connection;
/// Roles, schemas, settings: where a run works, and what it leaves behind.
mod namespace;
/// The real Python tool on the same database.
mod python;
/// Repairs of the history, and runs that are asked to stop.
mod repair;
/// Servers that are starting, or full.
mod server;
/// The file beside an SQLite database.
mod side_file;
/// Pools, connections, URLs, tasks.
mod targets;
/// The program `jetbase`.
mod tool;
/// Passwords, full devices and wrong variables.
mod tool_hostile;
/// How many messages travel.
mod trips;

use std::process::ExitCode;

use jetbase_test_harness::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    apply::register(&mut suite);
    targets::register(&mut suite);
    lock::register(&mut suite);
    lost_connection::register(&mut suite);
    server::register(&mut suite);
    trips::register(&mut suite);
    errors::register(&mut suite);
    examples::register(&mut suite);
    side_file::register(&mut suite);
    tool::register(&mut suite);
    tool_hostile::register(&mut suite);
    exit_codes::register(&mut suite);
    repair::register(&mut suite);
    cli::register(&mut suite);
    python::register(&mut suite);
    namespace::register(&mut suite);
    bad_input::register(&mut suite);
    isolation::register(&mut suite);
    hostile::register(&mut suite);
    suite.run()
}
