//! Files that were renamed after they had been applied.

use crate::file::Checksum;
use crate::plan::plan_error::Problem;
use crate::plan::planner::View;
use crate::plan::policy::{Ahead, Policy};
use crate::plan::step::Record;

/// A row of the history, and the file that has its text under another name.
#[derive(Debug)]
pub(super) struct Renaming<'a> {
    pub(super) before: &'a Record,
    pub(super) now: &'a str,
}

impl Renaming<'_> {
    pub(super) fn problem(&self) -> Problem {
        Problem::Renamed {
            version: self.before.version.clone(),
            recorded: self.before.file.clone(),
            file: self.now.to_owned(),
        }
    }
}

impl View<'_> {
    /// Finds the applied migrations whose files have other names now.
    ///
    /// Their rows belong to no file, or to another file with another text. The checksum of a file with the new
    /// name is that of the row, and the history does not have it. A file without statements has no text to compare.
    pub(super) fn renamed(&self, policy: &Policy) -> Vec<Renaming<'_>> {
        let unknown = self.unknown.iter().copied().filter(|record| match &record.version {
            Some(_) => true,
            None => policy.ahead == Ahead::Refuse,
        });
        let replaced = self.different().filter_map(|(_, migration, row)| {
            row.filter(|row| migration.version_text().is_some() && row.file != migration.file())
        });
        let rows: Vec<_> = unknown.chain(replaced).collect();
        if rows.is_empty() {
            return Vec::new();
        }
        let empty = Checksum::of_text("").to_string();
        let mut found: Vec<Renaming<'_>> = Vec::new();
        for before in rows.into_iter().filter(|record| record.checksum != empty) {
            let mut new = self.different().filter(|(_, _, row)| row.is_none());
            let candidate = new.find(|(_, migration, _)| {
                // Another spelling of the version is another problem.
                let is_respelled = migration.version().is_some_and(|it| {
                    self.unknown.iter().any(|row| row.version == Some(it.clone()))
                });
                !is_respelled
                    && migration.kind() == before.kind
                    && migration.checksum().matches(&before.checksum.to_ascii_lowercase())
                    && !found.iter().any(|it| it.now == migration.file())
            });
            if let Some((_, migration, _)) = candidate {
                found.push(Renaming { before, now: migration.file() });
            }
        }
        found
    }
}
