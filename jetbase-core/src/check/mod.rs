//! What can be wrong in one migration file. Imports `file` and `sql`.

mod check_file;
mod finding;
mod lint;
mod plain;
mod python;
mod reading;
mod rules;

pub use self::check_file::check;
pub(crate) use self::check_file::{agreed, examine};
pub use self::finding::{Finding, Severity};
pub use self::lint::LINTS;
pub(crate) use self::python::differences as python_differences;
