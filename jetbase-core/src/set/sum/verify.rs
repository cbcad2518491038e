//! Compares the list with the folder.

use std::collections::{HashMap, HashSet};

use super::entry::{Adopted, Entry};
use super::sum_file::{ChainHash, SumFile};
use crate::check::Finding;
use crate::file::{Checksum, Script, Version};
use crate::set::folder::{Folder, SourceFile};
use crate::set::text_change::{RecordedChange, TextChange};
use crate::sql::Dialect;

/// One way in which folder and list disagree.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change<'a> {
    /// The text of the file has changed.
    Edited { entry: &'a Entry, file: &'a SourceFile },
    /// A file with another name has the text.
    Renamed { entry: &'a Entry, file: &'a SourceFile },
    /// Another file with another text has the version.
    Replaced { entry: &'a Entry, file: &'a SourceFile },
    /// The file is gone.
    Deleted { entry: &'a Entry },
    /// A new file has a version below a recorded one.
    OutOfOrder { file: &'a SourceFile, above: &'a Entry },
    /// A line stands below a line with a higher version.
    Unordered { entry: &'a Entry, above: &'a Entry },
}

impl SumFile {
    /// Compares the files of the folder with the list and returns the differences.
    ///
    /// If the list was edited by hand, this is the only finding, because its lines cannot be trusted.
    #[must_use]
    pub fn verify(&self, folder: &Folder) -> Vec<Finding> {
        self.verify_in(folder, None)
    }

    /// Compares the files with the list. The statements are those of the dialect, if it is known.
    pub(crate) fn verify_in(&self, folder: &Folder, dialect: Option<Dialect>) -> Vec<Finding> {
        if let ChainHash::Broken { line } = self.chain_hash {
            let finding = self.at(
                line,
                "list",
                "the list was edited by hand, or merged and not recorded again",
            );
            return vec![finding.help(
                "run `jetbase sum` if every line of the list is correct; otherwise restore the list from version control",
            )];
        }
        // A file that exists but cannot be read has its own finding.
        let unread: HashSet<_> =
            folder.findings.iter().filter_map(|it| it.file.rsplit('/').next()).collect();
        let changes = self.changes(&folder.files).into_iter();
        let changes = changes.filter(|change| match change {
            Change::Deleted { entry } => !unread.contains(entry.file.as_str()),
            _ => true,
        });
        changes.map(|change| self.finding(change, dialect)).collect()
    }

    /// Sets [`SourceFile::recorded`] and [`SourceFile::change`] of each file.
    pub fn mark(&self, files: &mut [SourceFile]) {
        let recorded: HashMap<_, _> =
            self.entries.iter().map(|entry| (entry.file.as_str(), entry)).collect();
        for file in files {
            let entry = recorded.get(file.file());
            file.recorded = entry.is_some();
            let edited = entry.filter(|entry| entry.checksum != file.checksum);
            file.change = edited.and_then(|entry| {
                let change = entry.statements.as_ref()?.change_to(&file.text, None)?;
                Some(RecordedChange { recorded: entry.checksum, change })
            });
        }
    }

    /// Returns the versioned files that the list does not have, in running order.
    pub fn unrecorded<'a>(&self, files: &'a [SourceFile]) -> impl Iterator<Item = &'a SourceFile> {
        let recorded: HashSet<String> =
            self.entries.iter().map(|entry| entry.file.clone()).collect();
        files
            .iter()
            .filter(move |file| file.name.version.is_some() && !recorded.contains(file.file()))
    }

    pub(super) fn changes<'a>(&'a self, files: &'a [SourceFile]) -> Vec<Change<'a>> {
        let by_name: HashMap<_, _> = files.iter().map(|file| (file.file(), file)).collect();
        let mut new: Vec<_> = self.unrecorded(files).collect();
        let mut changes = Vec::new();
        let mut lost = Vec::new();
        for entry in &self.entries {
            match by_name.get(entry.file.as_str()) {
                Some(file) if file.checksum == entry.checksum && digest(file) == entry.digest => {}
                Some(file) => changes.push(Change::Edited { entry, file }),
                None => lost.push(entry),
            }
        }
        // Hashing takes time: it is needed only if a recorded file is missing.
        let mut digests: Vec<_> = if lost.is_empty() {
            Vec::new()
        } else {
            new.iter().map(|file| digest(file)).collect()
        };
        for entry in lost {
            let renamed = digests.iter().position(|digest| *digest == entry.digest);
            let replaced =
                || new.iter().position(|file| file.name.version.as_ref() == Some(&entry.version));
            let same_checksum = || {
                let is_empty = entry.checksum == Checksum::of_text("");
                new.iter().position(|file| !is_empty && file.checksum == entry.checksum)
            };
            let renamed = renamed.or_else(same_checksum);
            let Some(at) = renamed.or_else(replaced) else {
                changes.push(Change::Deleted { entry });
                continue;
            };
            let file = new.remove(at);
            digests.remove(at);
            changes.push(match renamed {
                Some(_) => Change::Renamed { entry, file },
                None => Change::Replaced { entry, file },
            });
        }
        let last = self.entries.iter().max_by(|a, b| a.version.cmp(&b.version));
        changes.extend(new.into_iter().zip(last.into_iter().cycle()).filter_map(
            |(file, above)| {
                let late =
                    file.name.version.as_ref().is_some_and(|version| *version < above.version);
                late.then_some(Change::OutOfOrder { file, above })
            },
        ));
        changes.extend(self.unordered());
        changes
    }

    pub(super) fn unordered(&self) -> Vec<Change<'_>> {
        let mut highest: Option<&Entry> = None;
        let mut changes = Vec::new();
        for entry in &self.entries {
            match highest {
                Some(above) if entry.version < above.version => {
                    if entry.adopted == Adopted::InOrder {
                        changes.push(Change::Unordered { entry, above });
                    }
                }
                _ => highest = Some(entry),
            }
        }
        changes
    }

    pub(super) fn finding(&self, change: Change<'_>, dialect: Option<Dialect>) -> Finding {
        let name = &self.name;
        match change {
            Change::Edited { entry, file } => {
                let digests = entry.statements.as_ref();
                let change = digests.and_then(|it| it.change_to(&file.text, dialect));
                let what = if let Some(change) = &change {
                    change.to_string()
                } else if entry.checksum == file.checksum {
                    "its upgrade statements are the same, but the text around them is different"
                        .to_owned()
                } else {
                    format!(
                        "its checksum was {} and is now {}",
                        entry.checksum.short(),
                        file.checksum.short()
                    )
                };
                let message = format!(
                    "{} was changed after it was recorded ({name}:{}): {what}",
                    entry.file, entry.line
                );
                let version = &entry.version;
                let help = match change {
                    Some(TextChange::Comments) if entry.checksum == file.checksum => format!(
                        "no database notices it: run `jetbase sum --accept V{version}`, or restore the file"
                    ),
                    Some(TextChange::Comments) => format!(
                        "restore the file from version control; or, because the schema stays the same, run \
                         `jetbase sum --accept V{version}`, and `jetbase fix-checksums` on each database that has it"
                    ),
                    Some(TextChange::Rollback) => format!(
                        "a rollback of V{version} will execute the new text: run `jetbase sum --accept V{version}` if \
                         it is right, or restore the file"
                    ),
                    _ => or_accept(
                        version,
                        "restore the file from version control, and write the change as a new migration",
                    ),
                };
                Finding::error("changed", &file.path, message).help(help)
            }
            Change::Renamed { entry, file } => {
                let message = format!(
                    "{} was renamed to {} after it was recorded ({name}:{})",
                    entry.file,
                    file.file(),
                    entry.line
                );
                Finding::error("renamed", &file.path, message)
                    .help(or_accept(&entry.version, &format!("rename it back to {}", entry.file)))
            }
            Change::Replaced { entry, file } => {
                let message = format!(
                    "{} has replaced {}, which is recorded ({name}:{})",
                    file.file(),
                    entry.file,
                    entry.line
                );
                Finding::error("replaced", &file.path, message).help(or_accept(
                    &entry.version,
                    &format!("restore {}, and give the new file a version of its own", entry.file),
                ))
            }
            Change::Deleted { entry } => self
                .at(
                    entry.line,
                    "deleted",
                    format!("{} is recorded, but the file does not exist", entry.file),
                )
                .help(or_accept(&entry.version, "restore the file from version control")),
            Change::OutOfOrder { file, above } => {
                let message = format!(
                    "{} is new, but its version is lower than that of {}, which is recorded ({name}:{})",
                    file.file(),
                    above.file,
                    above.line
                );
                Finding::error("out-of-order", &file.path, message).help(
                    "databases that have the higher version refuse it: run `jetbase renumber`; if every database can still apply it, run `jetbase sum --out-of-order`",
                )
            }
            Change::Unordered { entry, above } => {
                let message = format!(
                    "{} is recorded after {}, which has a higher version",
                    entry.file, above.file
                );
                self.at(entry.line, "out-of-order", message).help(
                    "two branches were merged: delete the line, and run `jetbase renumber`; if every database can still apply it, run `jetbase sum --out-of-order`",
                )
            }
        }
    }
}

/// The help text, and what to do if no database has the file.
fn or_accept(version: &Version, cure: &str) -> String {
    format!("{cure}; if no database has it, run `jetbase sum --accept V{version}`")
}

/// The SHA-256 of a file's text with `\n` line ends.
pub(super) fn digest(file: &SourceFile) -> Checksum {
    if file.text.contains('\r') {
        Checksum::of_text(Script::read(&file.text).text())
    } else {
        Checksum::of_text(&file.text)
    }
}
