//! What a baseline has done.

use std::fmt;
use std::time::Duration;

/// What a baseline has done.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BaselineReport {
    /// The names of the files that were marked as applied, in order.
    pub marked: Vec<String>,
    /// The names of the files that a dry run would mark.
    pub planned: Vec<String>,
    /// Warnings for an operator.
    pub warnings: Vec<String>,
    /// How long the baseline waited for the lock.
    pub waited: Duration,
    /// The process id of the dead holder whose lock was taken over.
    pub recovered: Option<String>,
    /// How long the whole baseline took.
    pub elapsed: Duration,
}

impl fmt::Display for BaselineReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.marked.len();
        let noun = if count == 1 { "migration" } else { "migrations" };
        if !self.planned.is_empty() {
            f.write_str("dry run: nothing was changed; a baseline would mark as applied")?;
        } else if self.marked.is_empty() {
            f.write_str("nothing to mark: the history has these versions already")?;
        } else {
            write!(f, "{count} {noun} marked as applied in {:.1?}", self.elapsed)?;
        }
        for file in self.planned.iter().chain(&self.marked) {
            write!(f, "\n  {file}")?;
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
    fn a_report_names_what_was_marked() {
        let planned = vec!["V1__a.sql".to_owned(), "V2__b.sql".to_owned()];
        let report = BaselineReport { planned, ..BaselineReport::default() };
        insta::assert_snapshot!(report, @r"
        dry run: nothing was changed; a baseline would mark as applied
          V1__a.sql
          V2__b.sql
        ");
        let marked = vec!["V1__a.sql".to_owned()];
        let report = BaselineReport { marked, ..BaselineReport::default() };
        insta::assert_snapshot!(report, @r"
        1 migration marked as applied in 0.0ns
          V1__a.sql
        ");
        let report = BaselineReport::default();
        insta::assert_snapshot!(report, @"nothing to mark: the history has these versions already");
    }
}
