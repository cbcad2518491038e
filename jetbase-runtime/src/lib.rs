//! The runtime of jetbase: sessions, the lock, execution and reports.
//!
//! Programs use it through the crate `jetbase`.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::print_stderr, clippy::print_stdout)]
#![cfg_attr(
    not(any(feature = "postgres", feature = "mysql", feature = "sqlite")),
    allow(dead_code, unused_imports, reason = "without a driver, most of the code is unused")
)]

mod adopt;
mod baseline;
mod cancel;
mod connection;
mod dialect;
mod doctor;
mod environment;
mod error;
mod event;
mod execute;
mod into_version;
mod journal;
mod lock;
mod options;
mod query;
mod repair;
mod report;
mod run;
mod session;
mod stale;
mod state;
mod target;
mod task;
mod wait;

pub use adopt::{Adopt, AdoptReport, adopt};
pub use baseline::{Baseline, BaselineReport, baseline};
pub use cancel::CancelHandle;
pub use doctor::{Diagnosis, Diagnostic, DiagnosticLevel, Doctor, doctor};
pub use error::{
    AdoptionError, DatabaseErrorKind, Error, ErrorKind, FileErrorKind, JournalError, Kept,
    LockFileError, LockFileErrorKind, NamespaceError, Outcome, ServerError, SettingError,
    StatementError, TableError, UrlError,
};
pub use event::Event;
pub use execute::Empty;
pub use into_version::IntoVersion;
pub use journal::{Direction, Resume, Unfinished};
pub use query::{
    ClearJournal, DetectedBaseline, DetectedVersion, History, LockStatus, Pending, Query,
    Readiness, Status, UnfinishedFiles, Unlock, Unlocked, Validated, check, clear_journal, current,
    detect_baseline, history, journal, lock_status, status, unlock, validate,
};
pub use repair::{HistoryChange, Repair, RepairReport, RepairScope, repair};
pub use report::{Applied, Planned, Report};
pub use run::{Published, Reapply, Redo, Rollback, Run, reapply, redo, rollback, run, run_url};
pub use sqlx;
#[doc(hidden)]
pub use stale::compare_with_folder;
pub use target::{AnyTarget, DatabaseUrl, Target};
pub use wait::Wait;
