//! What can be wrong in one migration file. Imports `file` and `sql`.

mod check_file;
mod finding;
mod lint;
mod misread;
mod near_marker;
mod python;
mod readings;
mod rules;
mod section;

pub(crate) use self::check_file::FileCheck;
pub use self::check_file::{CheckedFile, check, check_markers};
pub use self::finding::{Finding, Severity};
pub(crate) use self::lint::can_repeat;
pub use self::lint::{EMPTY, LINTS, NEAR_MARKER};
