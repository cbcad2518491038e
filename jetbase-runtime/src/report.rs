//! The report of a run.

use std::fmt;
use std::time::Duration;

use jetbase_core::{Action, MigrationKind, Skipped, Version};

/// A shorter wait is no wait for a person, so no message names its length.
pub(crate) const SHORTEST_REPORTED: Duration = Duration::from_millis(100);

/// What a run has done. After a failure, what it had done before.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The names of the files whose rows were adopted from the table of another tool. They were not
    /// executed.
    pub adopted: Vec<String>,
    /// The migrations that were executed and committed, in order.
    pub applied: Vec<Applied>,
    /// The names of the files that were executed before the failed file in the same transaction
    /// ([`Run::one_transaction`](crate::Run::one_transaction)). What the error says about the failed file holds
    /// for them too: usually, they were rolled back with it.
    pub same_transaction: Vec<String>,
    /// The migrations that a dry run would execute.
    pub planned: Vec<Planned>,
    /// The migrations that were skipped although they may be expected to run.
    pub skipped: Vec<Skipped>,
    /// Warnings for an operator.
    pub warnings: Vec<String>,
    /// How long the run waited for the lock.
    pub waited: Duration,
    /// The process id of the dead holder whose lock was taken over.
    pub recovered: Option<String>,
    /// How long the whole run took.
    pub elapsed: Duration,
}

/// One executed migration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Applied {
    /// The name of the file.
    pub file: String,
    /// The version, if the migration is versioned.
    pub version: Option<Version>,
    /// The kind of migration.
    pub kind: MigrationKind,
    /// What was done with the file.
    pub action: Action,
    /// How long the migration took.
    pub elapsed: Duration,
}

/// One migration that a dry run would execute.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Planned {
    /// The name of the file.
    pub file: String,
    /// What would be done with the file.
    pub action: Action,
    /// The statements that would be sent, in order.
    pub statements: Vec<String>,
}

impl Report {
    /// Whether there was nothing to do.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        self.applied.is_empty() && self.planned.is_empty() && self.adopted.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.planned.is_empty() {
            write!(f, "dry run: nothing was executed")?;
        } else if self.applied.is_empty() && !self.adopted.is_empty() {
            write!(f, "up to date")?;
        } else if self.applied.is_empty() {
            write!(f, "up to date: nothing to do")?;
        } else {
            let back = self.applied.iter().filter(|it| it.action == Action::RollBack).count();
            let count = self.applied.len() - back;
            let noun = if self.applied.len() == 1 { "migration" } else { "migrations" };
            match (back, count) {
                (0, count) => write!(f, "applied {count} {noun}")?,
                (back, 0) => write!(f, "rolled back {back} {noun}")?,
                (back, count) => write!(f, "rolled back {back} and applied {count} {noun}")?,
            }
            write!(f, " in {:.1?}", self.elapsed)?;
        }
        if self.waited >= SHORTEST_REPORTED {
            write!(f, ", {:.1?} of them waiting for the lock", self.waited)?;
        }
        match self.adopted.len() {
            0 => {}
            1 => write!(f, ", 1 migration adopted from another tool")?,
            count => write!(f, ", {count} migrations adopted from another tool")?,
        }
        for planned in &self.planned {
            let verb =
                if planned.action == Action::RollBack { "would roll back" } else { "would apply" };
            write!(f, "\n  {verb} {} ({} statements)", planned.file, planned.statements.len())?;
        }
        for applied in &self.applied {
            write!(f, "\n  {} ({:.1?})", applied.file, applied.elapsed)?;
        }
        for skipped in &self.skipped {
            write!(f, "\n  skipped {}: {}", skipped.file, skipped.reason)?;
        }
        for warning in &self.warnings {
            write!(f, "\n  warning: {warning}")?;
        }
        Ok(())
    }
}
