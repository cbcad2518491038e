//! The runtime of jetbase: sessions, the lock, execution and reports.
//!
//! Programs use it through the crate `jetbase`.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::print_stderr, clippy::print_stdout)]
#![cfg_attr(
    not(any(feature = "postgres", feature = "mysql", feature = "sqlite")),
    allow(dead_code, unused_imports, reason = "without a driver there is nobody to talk to")
)]

mod cancel;
#[cfg(feature = "cli")]
pub mod cli;
mod connection;
mod dialect;
mod environment;
mod error;
mod event;
mod execute;
mod lock;
mod query;
mod report;
mod run;
mod session;
mod stale;
mod state;
mod target;

pub use error::{Error, ErrorKind, Kept, Outcome, StatementError};
pub use event::Event;
pub use lock::Wait;
pub use query::{
    History, LockStatus, Pending, Query, Readiness, Status, Unlock, Unlocked, Validated, check,
    current, history, lock_status, status, unlock, validate,
};
pub use report::{Applied, Planned, Report};
pub use run::{Published, Rollback, Run, rollback, run, run_url};
pub use sqlx;
#[doc(hidden)]
pub use stale::compare_with_folder;
pub use target::{DatabaseUrl, Target};
