//! The reader of jetbase migration files.
//!
//! Everything here is pure: it knows files, names, statements and plans, but no
//! database, no network and no async. The macro uses it when a program compiles,
//! and the runtime when the program runs, so both read a file in the same way.
//!
//! The code is in six rooms. Data goes from `file` and `sql` to `check`, then
//! to `set`, then to `plan` and `adopt`. No module imports from a later room; the test
//! `tests/rooms.rs` checks it.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod adopt;
mod check;
mod file;
mod plan;
mod set;
mod sql;

#[doc(hidden)]
pub use adopt::sqlx_lock_id;
pub use adopt::{
    AdoptError, AdoptMap, AdoptMapError, AdoptProblem, AdoptedEntry, Conversion, ConvertedFile,
    MapEntry, OldFile, OldRow, compare_history, convert,
};
pub use check::{CheckedFile, EMPTY, Finding, LINTS, NEAR_MARKER, Severity, check, check_markers};
pub use file::{
    Checksum, Directive, DirectiveError, Directives, MigrationKind, Name, NameError, OldTool,
    Position, Script, Section, Transaction, Version, VersionError, duration, similar, snippet,
};
pub use plan::{
    Action, Ahead, CatalogTimeline, DetectedFile, DetectedState, Goal, Plan, PlanError, Policy,
    Problem, Record, Repeat, SkipReason, Skipped, Step, Until, Validation, detected_prefix, plan,
    plan_baseline, validate,
};
pub use set::{
    Adopted, Differences, Entry, Folder, FolderCheck, Manifest, Migration, Migrations, Options,
    OutOfOrder, Reading, RecordedChange, Rename, Rules, SourceFile, SumFile, TextChange,
    check_folder,
};
#[doc(hidden)]
pub use set::{Packed, Table};
#[doc(hidden)]
pub use sql::lexed_bytes;
pub use sql::{
    CatalogChange, CatalogObject, CutError, Detection, Dialect, Effect, ObjectKind, Open,
    OwnSession, Piece, Server, SessionEffect, SessionUse, Statement, Syntax, TableLocks, Token,
    TokenKind, catalog_changes, cut, detection, effect, empties_session, is_setting,
    may_fail_in_part, mentions_trigger, needs_own_session, pieces, session_use, table_locks,
    tokens,
};
