#![doc = "[lock]: docs::lock\n[file-format]: docs::file_format\n[python]: docs::python\n[kubernetes]: docs::kubernetes\n"]
#![doc = include_str!("../README.md")]
#![allow(clippy::needless_doctest_main, reason = "the build script of the README is a whole file")]

#[cfg(feature = "cli")]
#[doc(inline)]
pub use jetbase_cli::{Cli, clap, cli};
#[doc(no_inline)]
pub use jetbase_core::{
    Action, Ahead, Checksum, Dialect, Finding, Folder, Kind, Migration, Migrations, Options,
    Position, Problem, Reading, Record, Refusal, Repeat, Severity, SkipReason, Skipped, SourceFile,
    Validation, Version,
};
#[doc(inline)]
pub use jetbase_runtime::{
    AnyTarget, Applied, DatabaseFault, DatabaseUrl, Error, ErrorKind, Event, FileFault, History,
    HistoryChange, Kept, LockStatus, NamespaceError, Outcome, Pending, Planned, Published, Query,
    Readiness, Repair, RepairReport, RepairScope, Report, Rollback, Run, SettingError,
    SideFileError, SideFileFault, StatementError, Status, TableError, Target, Unlock, Unlocked,
    UrlError, Validated, Wait, check, current, history, lock_status, repair, rollback, run,
    run_url, sqlx, status, unlock, validate,
};

/// Longer texts: the lock, the file format, the Python tool, Kubernetes.
pub mod docs {
    #[doc = include_str!("docs/lock.md")]
    pub mod lock {}

    #[doc = include_str!("docs/file_format.md")]
    pub mod file_format {}

    #[doc = include_str!("docs/python.md")]
    pub mod python {}

    #[doc = include_str!("docs/kubernetes.md")]
    pub mod kubernetes {}
}

/// Embeds a folder of SQL migrations as a module of the program.
///
/// The folder is read, checked and hashed when the program compiles; every
/// mistake in it is a compile error that names file, line and cure. A new file
/// is noticed with one line in `build.rs`:
/// `fn main() { println!("cargo::rerun-if-changed=migrations"); }`
///
/// ```
/// jetbase::embed!(); // `mod migrations`, made of ./migrations
///
/// jetbase::embed! {
///     /// The same files, in a schema of their own.
///     pub mod billing = "migrations", dialect = postgres, schema = "billing", require_rollback
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! embed {
    ($($tokens:tt)*) => { $crate::__private::__embed! { [$crate] $($tokens)* } };
}

/// The generated function `cli()`: there is one with the feature `cli` only.
#[cfg(feature = "cli")]
#[doc(hidden)]
#[macro_export]
macro_rules! __cli {
    () => {
        /// Every command, for the embedded set: a part of the program's own command line, or all of it.
        pub fn cli() -> $crate::Cli {
            $crate::cli(&MIGRATIONS)
        }
    };
}

/// The generated function `cli()`: there is none without the feature `cli`.
#[cfg(not(feature = "cli"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __cli {
    () => {};
}

/// What the macro's expansion uses; nothing here is promised.
#[doc(hidden)]
pub mod __private {
    pub use jetbase_core::{Options, Table};
    pub use jetbase_macros::__embed;
    pub use jetbase_runtime::compare_with_folder;
}
