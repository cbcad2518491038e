// The first definition of a link counts, so these replace the relative links at the end of the README.
#![doc = "[lock]: docs::lock\n[file-format]: docs::file_format\n[python]: docs::python\n[kubernetes]: docs::kubernetes\n[json]: docs::json"]
#![doc = "[from-sqlx]: docs::adopt_sqlx\n[from-refinery]: docs::adopt_refinery\n[from-diesel]: docs::adopt_diesel"]
#![doc = "[from-flyway]: docs::adopt_flyway\n[from-sea-orm]: docs::adopt_sea_orm\n[from-python]: docs::adopt_python"]
#![doc = "[baseline]: docs::baseline\n[testing]: docs::testing"]
#![doc = "[security]: docs::security\n[design]: docs::design"]
#![doc = "[mit]: https://spdx.org/licenses/MIT.html\n[apache]: https://spdx.org/licenses/Apache-2.0.html\n"]
#![doc = include_str!("docs/plots.md")]
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(clippy::needless_doctest_main, reason = "the build script of the README is a whole file")]

#[cfg(feature = "cli")]
#[doc(no_inline)]
pub use jetbase_cli::clap;
#[cfg(feature = "cli")]
#[doc(inline)]
pub use jetbase_cli::{Cli, cli};
#[doc(no_inline)]
pub use jetbase_core::{
    Action, AdoptError, AdoptMap, AdoptMapError, AdoptProblem, Ahead, Checksum, DetectedState,
    Dialect, Finding, Folder, MapEntry, Migration, MigrationKind, Migrations, OldTool, Options,
    PlanError, Position, Problem, Reading, Record, Repeat, Severity, SkipReason, Skipped,
    SourceFile, Validation, Version,
};
#[doc(no_inline)]
pub use jetbase_runtime::sqlx;
#[doc(inline)]
pub use jetbase_runtime::{
    Adopt, AdoptReport, AdoptionError, AnyTarget, Applied, Baseline, BaselineReport, CancelHandle,
    ClearJournal, DatabaseErrorKind, DatabaseUrl, DetectedBaseline, DetectedVersion, Diagnosis,
    Diagnostic, DiagnosticLevel, Direction, Doctor, Empty, Error, ErrorKind, Event, FileErrorKind,
    History, HistoryChange, IntoVersion, JournalError, Kept, LockFileError, LockFileErrorKind,
    LockStatus, NamespaceError, Outcome, Pending, Planned, Published, Query, Readiness, Reapply,
    Redo, Repair, RepairReport, RepairScope, Report, Resume, Rollback, Run, ServerError,
    SettingError, StatementError, Status, TableError, Target, Unfinished, UnfinishedFiles, Unlock,
    Unlocked, UrlError, Validated, Wait, adopt, baseline, check, clear_journal, current,
    detect_baseline, doctor, history, journal, lock_status, reapply, redo, repair, rollback, run,
    run_url, status, unlock, validate,
};

#[cfg(feature = "testing")]
#[doc = include_str!("docs/test_attribute.md")]
pub use jetbase_macros::test;

#[cfg(not(feature = "cli"))]
mod cli_is_off;

/// A migrated database for each test. See [`docs::testing`].
#[cfg(feature = "testing")]
pub mod testing {
    #[doc(inline)]
    pub use jetbase_testing::{Fixture, TestDatabase, TestDriver, TestParameter, TestingError};
}

/// Pages about the lock, the file format, the Python tool, Kubernetes, the move from other tools, the JSON
/// output, security and the design.
pub mod docs {
    #[doc = include_str!("docs/lock.md")]
    pub mod lock {}

    #[doc = include_str!("docs/file_format.md")]
    pub mod file_format {}

    #[doc = include_str!("docs/python.md")]
    pub mod python {}

    #[doc = include_str!("docs/kubernetes.md")]
    pub mod kubernetes {}

    #[doc = include_str!("docs/baseline.md")]
    pub mod baseline {}

    #[doc = include_str!("docs/adopt_sqlx.md")]
    pub mod adopt_sqlx {}

    #[doc = include_str!("docs/adopt_refinery.md")]
    pub mod adopt_refinery {}

    #[doc = include_str!("docs/adopt_diesel.md")]
    pub mod adopt_diesel {}

    #[doc = include_str!("docs/adopt_flyway.md")]
    pub mod adopt_flyway {}

    #[doc = include_str!("docs/adopt_sea_orm.md")]
    pub mod adopt_sea_orm {}

    #[doc = include_str!("docs/adopt_python.md")]
    pub mod adopt_python {}

    #[doc = include_str!("docs/testing.md")]
    pub mod testing {}

    #[doc = include_str!("docs/json.md")]
    ///
    /// # The schema
    ///
    /// ```json
    #[doc = include_str!("docs/output.schema.json")]
    /// ```
    pub mod json {}

    #[doc = include_str!("../SECURITY.md")]
    pub mod security {}

    #[doc = include_str!("../DESIGN.md")]
    pub mod design {}
}

/// Embeds a folder of SQL migrations as a module of the program.
///
/// The macro reads and checks the folder when the program is compiled. Each mistake in the folder is
/// a compile error, which names the file, the line and what to do.
///
/// Two sets need two schemas or two databases, because a schema has one history. The macro does not
/// check this. A run that finds versions of another set in its history refuses or warns.
///
/// Cargo notices a new file only with a `build.rs`:
/// `fn main() { println!("cargo::rerun-if-changed=migrations"); }`
///
/// # Forms
///
/// | call | module | folder |
/// |---|---|---|
/// | `embed!()` | `mod migrations` | `migrations` |
/// | `embed!("db/migrations")` | `mod migrations` | `db/migrations` |
/// | `embed! { pub mod billing = "db/billing" }` | `pub mod billing` | `db/billing` |
/// | `embed! { pub mod billing }` | `pub mod billing` | `migrations` |
///
/// A folder is relative to the crate's `Cargo.toml`. The form with `mod` takes attributes and doc
/// comments. The options follow the folder, in any order, with a comma between two of them.
///
/// # Options
///
/// | option | without it | effect | example |
/// |---|---|---|---|
/// | `dialect` | the dialect of the only driver that is on, else all three | The files are read as this database reads them. If several drivers are on and there is no `dialect`, only mistakes in every dialect are compile errors; the rest appear in `run`. The values are `postgres`, `mysql` and `sqlite`. | `dialect = postgres` |
/// | `schema` | the schema of the connection | The migrations are applied in this schema (MySQL: in this database). | `schema = "billing"` |
/// | `require_rollback` | a rollback section is optional | Every version must have a line `-- rollback`. | `require_rollback` |
/// | `manifest` | the list is optional | `required`: a list of recorded migrations must exist beside the folder. `strict`: the list must contain every version. | `manifest = required` |
/// | `python_compatible` | only our own reading counts | The Python tool must run every file in the same way. | `python_compatible` |
/// | `adopt` | other tools do not count | The first `run` on a database adopts the history of another tool. `jetbase adopt` has written the map `<folder>.adopt` for it. The values are `sqlx`, `refinery`, `diesel`, `flyway` and `sea_orm_sql`: [`docs::adopt_sqlx`](crate::docs::adopt_sqlx). | `adopt = sqlx` |
///
/// Write `dialect` if the program has several drivers but all its files are for one database. In a
/// workspace, another member can switch on a second driver: then write it too, so that the result of a
/// build does not depend on its members. Files that must work on several databases have no `dialect`.
///
/// # Examples
///
/// ```
/// jetbase::embed!(); // `mod migrations` from ./migrations
///
/// jetbase::embed! {
///     /// The same files, in a schema of their own.
///     pub mod billing = "migrations", dialect = postgres, schema = "billing", require_rollback
/// }
///
/// jetbase::embed! { mod shared = "migrations", dialect = sqlite, python_compatible }
/// # fn main() {}
/// ```
///
/// The module contains the migrations as `MIGRATIONS`, a name for each version in `versions`, and
/// these functions:
///
/// ```no_run
/// # fn main() {}
/// # async fn example(pool: sqlx::PgPool) -> Result<(), jetbase::Error> {
/// jetbase::embed!();
///
/// // Apply, and roll back.
/// let report = migrations::run(&pool).await?;
/// println!("{report}");
/// let report = migrations::run_url("postgres://localhost/app").await?;
/// let report = migrations::rollback(&pool).await?;
///
/// // Apply again: what was changed before it was recorded, and a repeatable file.
/// let report = migrations::redo(&pool).await?;
/// let report = migrations::reapply(&pool, "ROC__user_names.sql").await?;
///
/// // Mark what exists already as applied.
/// let detected = migrations::detect_baseline(&pool).await?;
/// println!("{detected}");
/// let report = migrations::baseline(&pool, migrations::versions::V2__ADD_EMAIL).await?;
/// println!("{report}");
///
/// let report = migrations::repair(&pool).await?;
/// println!("{report}");
///
/// // Read.
/// let status = migrations::status(&pool).await?;
/// println!("{status}");
/// let history = migrations::history(&pool).await?;
/// println!("{history}");
/// let version = migrations::current(&pool).await?;
/// migrations::validate(&pool).await?;
/// let is_ready = migrations::check(&pool).await?.is_ready();
///
/// // Examine what a run would see.
/// let diagnosis = migrations::doctor(&pool).await?;
/// println!("{diagnosis}");
///
/// // Look at the lock, and release it.
/// let lock = migrations::lock_status(&pool).await?;
/// println!("{lock}");
/// let journal = migrations::journal(&pool).await?;
/// println!("{journal}");
/// let unlocked = migrations::unlock(&pool).await?;
/// println!("{unlocked}");
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! embed {
    ($($tokens:tt)*) => { $crate::__private::__embed! { [$crate] $($tokens)* } };
}

/// Writes the generated function `cli()`, with the feature `cli`.
#[cfg(feature = "cli")]
#[doc(hidden)]
#[macro_export]
macro_rules! __cli {
    () => {
        /// Returns every command for the embedded migrations. They can be a part of the program's own
        /// command line, or all of it.
        pub fn cli() -> $crate::Cli {
            $crate::cli(&MIGRATIONS)
        }
    };
}

/// Writes a function `cli()` that says how to switch the feature `cli` on.
#[cfg(not(feature = "cli"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __cli {
    () => {
        #[doc(hidden)]
        pub fn cli() -> $crate::__private::CliIsOff {
            $crate::__private::CliIsOff::new()
        }
    };
}

/// The items that the expansion of `embed!` uses. They may change in every release.
#[doc(hidden)]
pub mod __private {
    pub use jetbase_core::{Options, Table};
    pub use jetbase_macros::__embed;
    pub use jetbase_runtime::compare_with_folder;
    #[cfg(feature = "testing")]
    pub use jetbase_testing::{TestCase, TestDatabases};

    #[cfg(not(feature = "cli"))]
    pub use crate::cli_is_off::CliIsOff;
}
