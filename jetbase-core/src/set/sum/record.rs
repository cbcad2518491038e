//! New lines for the list.

use super::entry::{Adopted, Entry};
use super::statement_digests::StatementDigests;
use super::sum_file::{ChainHash, SumFile};
use super::verify::{Change, digest};
use crate::check::Finding;
use crate::file::Version;
use crate::set::folder::{Folder, SourceFile};

/// What to do with a version below a recorded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfOrder {
    /// Refuse it.
    Refuse,
    /// Record it, and mark its line.
    Record,
}

impl SumFile {
    /// Returns the list with all versioned files of the folder in it.
    ///
    /// Recorded entries stay unchanged, except for the versions in `accept`. For those,
    /// the entry is replaced by the file in the folder, or removed if there is no file.
    ///
    /// # Errors
    ///
    /// Returns a finding for each change of a recorded migration that was not accepted, and for each
    /// version out of order.
    pub fn record(
        &self,
        folder: &Folder,
        accept: &[Version],
        late: OutOfOrder,
    ) -> Result<SumFile, Vec<Finding>> {
        let files = &folder.files;
        let mut list = SumFile { chain_hash: ChainHash::Whole, ..self.clone() };
        let mut findings = Vec::new();
        let mut accepted = Vec::new();
        for change in self.changes(files) {
            match change {
                Change::Edited { entry, file }
                | Change::Renamed { entry, file }
                | Change::Replaced { entry, file }
                    if accept.contains(&entry.version) =>
                {
                    accepted.push(&entry.version);
                    list.replace(entry, Some(file));
                }
                Change::Deleted { entry } if accept.contains(&entry.version) => {
                    accepted.push(&entry.version);
                    list.replace(entry, None);
                }
                Change::OutOfOrder { .. } if late == OutOfOrder::Record => {}
                // Reported below, for the new list.
                Change::Unordered { .. } => {}
                change => findings.push(self.finding(change, None)),
            }
        }
        findings.extend(accept.iter().filter(|version| !accepted.contains(version)).map(
            |version| {
                Finding::error(
                    "accept",
                    format!("../{}", self.name),
                    format!("V{version} has no change to accept"),
                )
                .help("name a version that has changed since it was recorded")
            },
        ));
        if late == OutOfOrder::Refuse {
            findings.extend(list.unordered().into_iter().map(|change| list.finding(change, None)));
        }
        if !findings.is_empty() {
            return Err(findings);
        }
        let new: Vec<_> = list.unrecorded(files).filter_map(Entry::of).collect();
        list.entries.extend(new);
        list.renumber_lines();
        list.mark_unordered();
        Ok(list)
    }

    fn renumber_lines(&mut self) {
        // The first line is the header.
        for (entry, line) in self.entries.iter_mut().zip(2..) {
            entry.line = line;
        }
    }

    fn mark_unordered(&mut self) {
        let mut highest: Option<Version> = None;
        for entry in &mut self.entries {
            match &highest {
                Some(version) if entry.version < *version => entry.adopted = Adopted::OutOfOrder,
                _ => highest = Some(entry.version.clone()),
            }
        }
    }

    fn replace(&mut self, old: &Entry, file: Option<&SourceFile>) {
        let Some(at) = self.entries.iter().position(|entry| entry.version == old.version) else {
            return;
        };
        let entry = file.and_then(Entry::of).map(|entry| Entry { adopted: old.adopted, ..entry });
        self.entries.splice(at..=at, entry).for_each(drop);
    }
}

impl Entry {
    fn of(file: &SourceFile) -> Option<Self> {
        let version = file.name.version.clone()?;
        let (checksum, digest) = (file.checksum, digest(file));
        let (file, text) = (file.file().to_owned(), &file.text);
        let statements = StatementDigests::of(text);
        Some(Entry {
            file,
            version,
            checksum,
            digest,
            statements,
            adopted: Adopted::InOrder,
            line: 0,
        })
    }
}
