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
        let unknown = self.unknown().into_iter().filter(|record| match &record.version {
            Some(_) => true,
            None => policy.ahead == Ahead::Refuse,
        });
        let replaced = self.set.iter().filter_map(|migration| {
            let record = *self.versions.get(migration.version_text()?)?;
            let other =
                record.file != migration.file() && !migration.checksum().matches(&record.checksum);
            other.then_some(record)
        });
        let rows: Vec<_> = unknown.chain(replaced).collect();
        if rows.is_empty() {
            return Vec::new();
        }
        let empty = Checksum::of_text("").to_string();
        let mut found: Vec<Renaming<'_>> = Vec::new();
        for before in rows.into_iter().filter(|record| record.checksum != empty) {
            let candidate = self.set.iter().find(|migration| {
                let applied = match migration.version_text() {
                    Some(version) => self.versions.contains_key(version),
                    None => self.repeatables.contains_key(&(migration.file(), migration.kind())),
                };
                // Another spelling of the version is another problem.
                let is_respelled = migration.version().is_some_and(|version| {
                    self.versions.values().any(|it| it.version.as_ref() == Some(&version))
                });
                !applied
                    && !is_respelled
                    && migration.kind() == before.kind
                    && migration.checksum().matches(&before.checksum.to_ascii_lowercase())
                    && !found.iter().any(|it| it.now == migration.file())
            });
            if let Some(migration) = candidate {
                found.push(Renaming { before, now: migration.file() });
            }
        }
        found
    }
}
