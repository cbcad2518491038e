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
    /// Returns new names for the files that cannot keep their versions. The new versions are above all
    /// others and keep the order of the files.
    ///
    /// Recorded files keep their versions. A new file gets another one if its version is below a
    /// recorded one, or if another file has the same version. Of two new files with the same
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
        let mut highest = versioned().map(|(_, version)| version).chain(last).max().cloned();
        moving
            .into_iter()
            .filter_map(|file| {
                let version = highest.as_ref()?.next();
                let to = renamed(file, &version)?;
                highest = Some(version);
                Some(Rename { from: file.path.clone(), to })
            })
            .collect()
    }
}

fn renamed(file: &SourceFile, version: &Version) -> Option<String> {
    let (_, description) = file.file().split_once("__")?;
    let folder = file.path.strip_suffix(file.file())?;
    Some(format!("{folder}V{version}__{description}"))
}
