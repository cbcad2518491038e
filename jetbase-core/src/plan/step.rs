//! What a plan is made from and what it holds: rows of the history, steps and skipped migrations.

use std::fmt;

use crate::file::{MigrationKind, Version};

/// One row of the table `jetbase_migrations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The number of the row, in the order of execution.
    pub order: i64,
    /// The version; `None` for repeatables.
    pub version: Option<Version>,
    /// The description.
    pub description: String,
    /// The file's name, without its folders.
    pub file: String,
    /// The kind of migration.
    pub kind: MigrationKind,
    /// When it was applied, as the database prints it.
    pub applied_at: String,
    /// The checksum of its upgrade statements.
    pub checksum: String,
}

impl Record {
    /// Returns whether a version was applied or rolled back since the `ROC__` file of this row ran, so
    /// that the file must run again.
    ///
    /// The row then has the checksum in capital letters. So it differs from every checksum of a file,
    /// for jetbase and for the Python tool, and still shows which text ran.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.checksum.bytes().any(|byte| byte.is_ascii_uppercase())
    }
}

/// What a run would do, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The migrations to execute.
    pub steps: Vec<Step>,
    /// The migrations that the run would skip although they may be expected to run.
    pub skipped: Vec<Skipped>,
    /// The names of the `ROC__` files that must run again after a version of this plan is executed. The
    /// transaction of each version marks their rows; see [`Record::is_stale`].
    pub stale: Vec<String>,
}

/// One migration to execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The index of the migration in the set.
    pub index: usize,
    /// What to do with the migration.
    pub action: Action,
}

/// What to do with a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Execute its upgrade section and insert its row.
    Apply,
    /// Execute its upgrade section and update its row.
    Reapply,
    /// Execute its rollback section and delete its row.
    RollBack,
}

/// A migration that a run skips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file's name.
    pub file: String,
    /// Why the run skips it.
    pub reason: SkipReason,
}

/// Why a run skips a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// A newer program applied it: its version is above all versions of this set.
    Ahead,
    /// It is recorded, its file is missing, and the validation of files is skipped.
    Missing,
    /// Its version is below an applied one, and the validation of files is skipped.
    OutOfOrder,
    /// Its checksum differs, and the validation of checksums is skipped.
    Changed,
    /// A newer program has replaced the text of this `ROC__` file.
    Superseded,
    /// Versions run, but the statements of this `ROC__` file cannot be repeated.
    NotRepeated,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SkipReason::Ahead => "recorded by a newer program; this one executes nothing",
            SkipReason::Missing => "recorded, but its file is gone",
            SkipReason::OutOfOrder => {
                "sorts below the latest applied version; give it a higher one"
            }
            SkipReason::Superseded => {
                "a newer program has replaced this text; to put it back on purpose, use `Repeat::Always`"
            }
            SkipReason::NotRepeated => {
                "versions have changed and its text has not, but its statements cannot be repeated; if what it made \
                 is gone, reapply it"
            }
            SkipReason::Changed => "changed since it was applied",
        })
    }
}
