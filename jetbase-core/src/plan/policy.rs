//! The goal of a plan, and how strict the plan is.

use crate::file::Version;
use crate::set::Migration;

/// What a run should reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Apply what is pending.
    Upgrade(Until),
    /// Undo the versions applied last.
    Rollback(Until),
}

/// How far to go; repeatables are not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// To the end.
    #[default]
    End,
    /// This many versioned migrations.
    Count(usize),
    /// To this version: it is applied at the end, and nothing above it is touched (upgrade) or left (rollback).
    Version(Version),
}

/// What to do about versions that were applied after all of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ahead {
    /// An older program starts on a newer database: warn, and execute nothing.
    #[default]
    Allow,
    /// Refuse, as the Python tool does.
    Refuse,
}

/// When `RA__` files run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// When something else runs too, or their text is new.
    #[default]
    WhenNeeded,
    /// In every run, as the Python tool does.
    Always,
}

/// A validation that can be skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// All of them.
    All,
    /// The comparison of checksums.
    Checksums,
    /// The search for missing files and for files that sort too low.
    Files,
}

/// How strict a plan is.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The validations to skip.
    pub skip: Vec<Validation>,
    /// What to do about newer versions.
    pub ahead: Ahead,
    /// When `RA__` files run.
    pub repeat: Repeat,
    /// Texts of `ROC__` files that newer ones have replaced: file name and checksum.
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
