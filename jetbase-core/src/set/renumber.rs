//! New versions for files whose version another branch has taken.

use std::collections::HashSet;

use crate::file::Version;
use crate::set::folder::{Folder, SourceFile};
use crate::set::sum::SumFile;

/// A file that should have another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The path in the folder, with `/`.
    pub from: String,
    /// The new path, in the same sub-folder.
    pub to: String,
}

impl Folder {
    /// New names for the files that cannot keep their version. The new versions are above all others
    /// and keep the order of the files.
    ///
    /// Recorded files keep their versions. A new file gets another one if it sorts below the last
    /// recorded file, or if another file has the same version. Of two new files with the same
    /// version, the later one in the running order gets another one.
    #[must_use]
    pub fn renumber(&self, list: Option<&SumFile>) -> Vec<Rename> {
        let recorded = list.map_or(&[][..], SumFile::entries);
        let kept: HashSet<_> = recorded.iter().map(|entry| entry.file.as_str()).collect();
        let mut taken: HashSet<_> = recorded.iter().map(|entry| entry.version.clone()).collect();
        let last = recorded.iter().map(|entry| &entry.version).max();
        let versioned =
            || self.files.iter().filter_map(|file| Some((file, file.name.version.as_ref()?)));
        let moving: Vec<_> = versioned()
            .filter(|(file, version)| {
                let late = last.is_some_and(|last| *version < last);
                !kept.contains(file.file()) && (late || !taken.insert((*version).clone()))
            })
            .map(|(file, _)| file)
            .collect();
        let mut highest = versioned()
            .map(|(_, version)| version)
            .chain(last)
            .max()
            .map(Version::as_str)
            .map(str::to_owned);
        moving
            .into_iter()
            .filter_map(|file| {
                let version = next(highest.as_deref()?);
                highest = Some(version.clone());
                Some(Rename { from: file.path.clone(), to: renamed(file, &version)? })
            })
            .collect()
    }
}

fn renamed(file: &SourceFile, version: &str) -> Option<String> {
    let (_, description) = file.file().split_once("__")?;
    let folder = file.path.strip_suffix(file.file())?;
    Some(format!("{folder}V{version}__{description}"))
}

/// The version with its last number raised by one. Numbers can have any length.
fn next(version: &str) -> String {
    let (before, last) =
        version.rsplit_once('.').map_or(("", version), |(before, last)| (before, last));
    let nines = last.len() - last.trim_end_matches('9').len();
    let (stay, _) = last.split_at_checked(last.len() - nines).unwrap_or((last, ""));
    let raised = match stay.char_indices().next_back() {
        Some((at, digit)) => {
            let digit = digit.to_digit(10).unwrap_or(0) + 1;
            format!("{}{digit}", stay.get(..at).unwrap_or_default())
        }
        None => "1".to_owned(),
    };
    let last = format!("{raised}{}", "0".repeat(nines));
    if before.is_empty() { last } else { format!("{before}.{last}") }
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn the_last_number_is_raised() {
        for (version, higher) in [
            ("7", "8"),
            ("9", "10"),
            ("199", "200"),
            ("2.9", "2.10"),
            ("009", "010"),
            ("20260101.120000", "20260101.120001"),
            ("99999999999999999999999999999999999999", "100000000000000000000000000000000000000"),
        ] {
            assert_eq!(next(version), higher);
        }
    }
}
