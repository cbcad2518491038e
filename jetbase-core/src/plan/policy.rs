//! The goal of a plan, and how strict the plan is.

use crate::file::Version;
use crate::set::Migration;

/// The goal of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Apply pending migrations.
    Upgrade(Until),
    /// Roll back the highest applied versions.
    Rollback(Until),
    /// Roll back versions that are not recorded in the list, and apply them again, together with what
    /// is pending.
    ///
    /// [`Until::End`] means all applied versions that are not recorded. Without a list, it means the
    /// versions from the lowest one whose file has changed, or the highest one.
    Redo(Until),
    /// Run one repeatable file, whether it has changed or not.
    Reapply(String),
}

/// Where a run stops. Repeatable migrations do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// At the end.
    #[default]
    End,
    /// After this many versioned migrations.
    Count(usize),
    /// At this version. An upgrade applies it and nothing above it. A rollback keeps it and rolls back
    /// everything above it.
    Version(Version),
}

/// What to do if versions above all versions of the set are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ahead {
    /// Warn, and execute nothing. A newer program has migrated the database.
    #[default]
    Allow,
    /// Refuse, as the Python tool does.
    Refuse,
}

/// When `RA__` files run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// When another file runs, or when their text is new.
    #[default]
    WhenNeeded,
    /// In every run, as the Python tool does.
    Always,
}

/// A validation that can be skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// All validations.
    All,
    /// The comparison of checksums.
    Checksums,
    /// The search for missing files, and for new files with a version below an applied one.
    Files,
}

/// How strict a plan is.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The validations to skip.
    pub skip: Vec<Validation>,
    /// What to do if newer versions are applied.
    pub ahead: Ahead,
    /// When `RA__` files run.
    pub repeat: Repeat,
    /// The `ROC__` texts that newer ones have replaced: file name and checksum.
    pub superseded: Vec<(String, String)>,
}

impl Policy {
    pub(crate) fn is_superseded(&self, migration: &Migration<'_>) -> bool {
        let checksum = migration.checksum().to_string();
        self.superseded.iter().any(|(file, old)| file == migration.file() && *old == checksum)
    }

    pub(crate) fn validates(&self, what: Validation) -> bool {
        !self.skip.iter().any(|skipped| *skipped == what || *skipped == Validation::All)
    }
}
