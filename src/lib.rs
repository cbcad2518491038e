//! SQL migrations proved at compile time and applied exactly once, under the jetbase lock.

#[doc(no_inline)]
pub use jetbase_core::{
    Action, Ahead, Checksum, Dialect, Finding, Folder, Kind, Migration, Migrations, Options,
    Position, Problem, Record, Refusal, Repeat, Severity, SkipReason, Skipped, SourceFile,
    Validation, Version,
};
#[doc(inline)]
pub use jetbase_runtime::{
    Applied, DatabaseUrl, Error, ErrorKind, Event, History, LockStatus, Outcome, Pending, Planned,
    Published, Query, Readiness, Report, Rollback, Run, StatementError, Status, Target, Unlock,
    Unlocked, Validated, Wait, check, current, history, lock_status, rollback, run, run_url, sqlx,
    status, unlock, validate,
};

/// Embeds a folder of SQL migrations as a module of the program.
#[macro_export]
macro_rules! embed {
    ($($tokens:tt)*) => { $crate::__private::__embed! { [$crate] $($tokens)* } };
}

/// What the macro's expansion uses; nothing here is promised.
#[doc(hidden)]
pub mod __private {
    pub use jetbase_core::{Options, Row, lengths_agree};
    pub use jetbase_macros::__embed;
    pub use jetbase_runtime::compare_with_folder;
}
