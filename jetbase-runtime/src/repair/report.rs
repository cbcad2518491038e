//! What a repair has changed.

use std::fmt;
use std::time::Duration;

use jetbase_core::{MigrationKind, TextChange, Version};

/// What a repair has done.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RepairReport {
    /// The changes that were committed, in order.
    pub repaired: Vec<HistoryChange>,
    /// The changes that a dry run would make.
    pub planned: Vec<HistoryChange>,
    /// Warnings for an operator.
    pub warnings: Vec<String>,
    /// How long the repair waited for the lock.
    pub waited: Duration,
    /// The process id of the dead holder whose lock was taken over.
    pub recovered: Option<String>,
    /// How long the whole repair took.
    pub elapsed: Duration,
}

/// One change of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryChange {
    /// The checksum of a version becomes the checksum of its file.
    ChecksumUpdated {
        /// The version.
        version: Version,
        /// The name of the file.
        file: String,
        /// The checksum in the history before the repair.
        from: String,
        /// The checksum of the file.
        to: String,
        /// What has changed in the file, as far as it can be known.
        change: Option<TextChange>,
    },
    /// The row of a migration is deleted, because its file is missing. What the migration did to
    /// the database stays.
    RowDeleted {
        /// The version, if the migration is versioned.
        version: Option<Version>,
        /// The name of the file.
        file: String,
        /// The kind of migration.
        kind: MigrationKind,
    },
}

impl fmt::Display for HistoryChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HistoryChange::ChecksumUpdated { file, from, to, change, .. } => {
                write!(f, "checksum of {file}: {from} becomes {to}")?;
                change.as_ref().map_or(Ok(()), |change| write!(f, " ({change})"))
            }
            HistoryChange::RowDeleted { file, .. } => {
                write!(f, "row of {file}: deleted, because the file is missing")
            }
        }
    }
}

impl fmt::Display for RepairReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.planned.is_empty() {
            write!(f, "dry run: nothing was changed; a repair would change")?;
        } else if self.repaired.is_empty() {
            write!(f, "nothing to repair: the history and the files agree")?;
        } else {
            let count = self.repaired.len();
            let noun = if count == 1 { "row" } else { "rows" };
            write!(f, "repaired {count} {noun} of the history in {:.1?}", self.elapsed)?;
        }
        for change in self.planned.iter().chain(&self.repaired) {
            write!(f, "\n  {change}")?;
        }
        for warning in &self.warnings {
            write!(f, "\n  warning: {warning}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_each_changed_row() {
        let changes = vec![
            HistoryChange::ChecksumUpdated {
                version: Version::parse("1").unwrap(),
                file: "V1__a.sql".to_owned(),
                from: "aa".to_owned(),
                to: "bb".to_owned(),
                change: Some(TextChange::Comments),
            },
            HistoryChange::RowDeleted {
                version: None,
                file: "RA__b.sql".to_owned(),
                kind: MigrationKind::RunsAlways,
            },
        ];
        let report = RepairReport { planned: changes.clone(), ..RepairReport::default() };
        insta::assert_snapshot!(report, @r"
        dry run: nothing was changed; a repair would change
          checksum of V1__a.sql: aa becomes bb (only comments and white space were changed, and the statements are the same)
          row of RA__b.sql: deleted, because the file is missing
        ");
        let report = RepairReport { repaired: changes, ..RepairReport::default() };
        insta::assert_snapshot!(report, @r"
        repaired 2 rows of the history in 0.0ns
          checksum of V1__a.sql: aa becomes bb (only comments and white space were changed, and the statements are the same)
          row of RA__b.sql: deleted, because the file is missing
        ");
        let report = RepairReport::default();
        insta::assert_snapshot!(report, @"nothing to repair: the history and the files agree");
    }
}
