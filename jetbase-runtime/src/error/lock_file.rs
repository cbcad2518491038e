//! The file beside an SQLite database cannot be used.

use std::path::PathBuf;

/// The lock file beside an SQLite database cannot be used or trusted. Nothing was executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lock file {} {kind}", path.display())]
#[non_exhaustive]
pub struct LockFileError {
    /// The path of the file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: LockFileErrorKind,
}

/// What is wrong with a lock file. The text has no subject: it follows the path of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockFileErrorKind {
    /// The file is empty, and another process holds a lock on it.
    #[error(
        "is empty and another process holds a lock on it; end that process or remove the file, and run \
         again"
    )]
    Empty,
    /// The path leads to something else than a plain file.
    #[error("is {found}; remove it while no run is active, and run again")]
    NotPlain {
        /// What it is, such as `a symbolic link`.
        found: &'static str,
    },
    /// The file has several names.
    #[error("has {count} names (hard links); remove it while no run is active, and run again")]
    HardLinks {
        /// The number of names.
        count: u64,
    },
    /// The file belongs to a user who may not write to the database.
    #[error(
        "belongs to user {user}, who may not write to the database; remove it while no run is active, \
         and run again"
    )]
    Owner {
        /// The number of the user.
        user: u32,
    },
    /// The operating system refused an operation.
    #[error(
        "cannot be {operation}: {reason}; correct that, or remove the file while no run is active, and \
         run again"
    )]
    Refused {
        /// The operation, as a participle: `opened`, `read`.
        operation: &'static str,
        /// The reason that the operating system gives.
        reason: String,
    },
}
