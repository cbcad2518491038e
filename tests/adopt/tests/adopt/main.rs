//! jetbase beside the real tools: `jetbase adopt` with sqlx, refinery and Diesel, and `#[jetbase::test]`
//! with `#[sqlx::test]`.
//!
//! Flyway and SeaORM are not run here. Their tables are written as their documentation and their source
//! describe them.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

/// The attribute of tests, beside that of sqlx.
mod attribute;
/// The command line, and the pages of the documentation, which are followed step by step.
mod guides;
/// What the lock of sqlx means for an adoption, and old and new programs at the same time.
mod locks;
/// Histories that are refused.
mod refused;
/// The old tool migrates, jetbase takes over.
mod taken_over;
/// The old tools: how they migrate a database.
mod tools;

use std::process::ExitCode;

use jetbase_test_harness::Suite;

fn main() -> ExitCode {
    // Some tests compile programs with every tool.
    let mut suite = Suite::new().with_limit(std::time::Duration::from_secs(600));
    attribute::register(&mut suite);
    taken_over::register(&mut suite);
    refused::register(&mut suite);
    locks::register(&mut suite);
    guides::register(&mut suite);
    suite.run()
}
