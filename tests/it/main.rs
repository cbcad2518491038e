//! The integration tests: every body runs on SQLite, PostgreSQL and MariaDB/MySQL.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

/// How migrations are applied, rolled back and reported.
mod apply;
/// Invalid arguments, invalid URLs, missing rights, broken files.
mod bad_input;
/// Versions that are marked as applied without being executed.
mod baseline;
/// A run that is asked to stop at once.
mod cancel;
/// Files that were changed or renamed after they had been applied.
mod changed_files;
/// The command line inside another program.
mod cli;
/// What a person sees who works with the tool every day.
mod daily;
/// A run compared with the client of the database.
mod differential;
/// What a run would see, according to `doctor`.
mod doctor;
/// What a program can read from an error.
mod errors;
/// The examples run and print the right text.
mod examples;
/// The exit codes of the program `jetbase`.
mod exit_codes;
/// Attacks by roles that are not trusted, and tables that lose what is written to them.
mod hostile;
/// What a run, a file, a session or a caller must not notice of another one.
mod isolation;
/// Files that fail in their middle, and where the next run goes on.
mod journal;
/// The output with `--json`, compared with its documented schema.
mod json_schema;
/// Who holds the lock, and what the other processes do.
mod lock;
/// What a run does when the server ends its connection.
mod lost_connection;
/// What a server of MySQL or MariaDB may require or refuse.
mod mysql;
mod mysql_server;
/// The schema, the role and the settings of a run.
mod namespace;
/// Several files in one transaction.
mod one_transaction;
/// The history as the first plan reads it.
mod packed_history;
/// The real Python tool on the same database.
mod postgres_server;
mod python;
/// What the README shows.
mod readme;
/// `ROC__` files after versions, and what is executed again on purpose.
mod redo;
/// Which references between tables of SQLite a run checks.
mod references;
/// Repairs of the history, and the graceful shutdown of a run.
mod repair;
/// How many round trips a run needs.
mod round_trips;
mod routines;
/// Queries and runs while another run is in progress.
mod run_in_progress;
/// Servers that start, or that accept no more connections.
mod server;
/// The file beside an SQLite database.
mod side_file;
mod sqlite;
/// Pools, connections, URLs, tasks.
mod targets;
/// What the program `jetbase` shows on a terminal.
#[cfg(unix)]
mod terminal;
/// Databases for the tests of a program.
mod testing;
/// The program `jetbase`.
mod tool;
/// Passwords, full devices and invalid variables.
mod tool_hostile;

use std::process::ExitCode;

use jetbase_test_harness::Suite;

fn main() -> ExitCode {
    if std::env::var_os(cli::AS_PROGRAM).is_some() {
        return cli::main();
    }
    let mut suite = Suite::new();
    apply::register(&mut suite);
    journal::register(&mut suite);
    cancel::register(&mut suite);
    targets::register(&mut suite);
    lock::register(&mut suite);
    lost_connection::register(&mut suite);
    server::register(&mut suite);
    routines::register(&mut suite);
    round_trips::register(&mut suite);
    changed_files::register(&mut suite);
    differential::register(&mut suite);
    doctor::register(&mut suite);
    daily::register(&mut suite);
    errors::register(&mut suite);
    examples::register(&mut suite);
    postgres_server::register(&mut suite);
    sqlite::register(&mut suite);
    side_file::register(&mut suite);
    tool::register(&mut suite);
    tool_hostile::register(&mut suite);
    #[cfg(unix)]
    terminal::register(&mut suite);
    exit_codes::register(&mut suite);
    json_schema::register(&mut suite);
    redo::register(&mut suite);
    readme::register(&mut suite);
    references::register(&mut suite);
    repair::register(&mut suite);
    baseline::register(&mut suite);
    one_transaction::register(&mut suite);
    packed_history::register(&mut suite);
    testing::register(&mut suite);
    cli::register(&mut suite);
    python::register(&mut suite);
    mysql::register(&mut suite);
    mysql_server::register(&mut suite);
    namespace::register(&mut suite);
    bad_input::register(&mut suite);
    isolation::register(&mut suite);
    hostile::register(&mut suite);
    suite.run()
}
