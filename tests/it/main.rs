//! The integration tests: every body runs on SQLite, PostgreSQL and MariaDB/MySQL.

/// Applying, rolling back, reporting.
mod apply;
/// The examples run, and say what they should.
mod examples;
/// Private servers, databases, the Python tool, and the glue to the test runner.
mod harness;
/// Who holds the lock, and what happens to those who do not.
mod lock;
/// Pools, connections, URLs, tasks.
mod targets;
/// How many messages travel.
mod trips;

use std::process::ExitCode;

use harness::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    apply::register(&mut suite);
    targets::register(&mut suite);
    lock::register(&mut suite);
    trips::register(&mut suite);
    examples::register(&mut suite);
    suite.run()
}
