//! Whether an embedded set is still what its folder holds.

use std::collections::HashMap;
use std::fmt;

use crate::set::folder::{Folder, SourceFile};
use crate::set::migration::{Migration, Migrations};

/// How a folder has changed since it was embedded. The paths have `/`, and are in running order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Files that the program does not have.
    pub added: Vec<String>,
    /// Files that only the program has.
    pub gone: Vec<String>,
    /// Files whose text has changed.
    pub changed: Vec<String>,
    latest: Option<String>,
}

impl Differences {
    /// Returns whether the program and the folder agree.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.gone.is_empty() && self.changed.is_empty()
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.latest {
            Some(version) => write!(f, "this program embeds up to V{version}")?,
            None => f.write_str("this program embeds no version")?,
        }
        for (word, files) in
            [("has", &self.added), ("has lost", &self.gone), ("has changed", &self.changed)]
        {
            if let Some((first, others)) = files.split_first() {
                write!(f, ", the folder {word} {first}")?;
                if !others.is_empty() {
                    write!(f, " and {} more", others.len())?;
                }
            }
        }
        f.write_str(": build it again")
    }
}

impl Migrations {
    /// Compares the set with the contents of its folder. Files that are no migrations do not count.
    #[must_use]
    pub fn differences(&self, folder: &Folder) -> Differences {
        let ours: HashMap<&str, Migration<'_>> = self.iter().map(|it| (it.path(), it)).collect();
        let theirs: HashMap<&str, &SourceFile> =
            folder.files.iter().map(|it| (it.path.as_str(), it)).collect();
        let mut differences = Differences {
            latest: self.latest().map(|latest| latest.to_string()),
            ..Differences::default()
        };
        for file in &folder.files {
            match ours.get(file.path.as_str()) {
                None => differences.added.push(file.path.clone()),
                Some(migration) if migration.sql() != file.text => {
                    differences.changed.push(file.path.clone())
                }
                Some(_) => {}
            }
        }
        let gone = self.iter().map(|it| it.path()).filter(|path| !theirs.contains_key(path));
        differences.gone.extend(gone.map(str::to_owned));
        differences
    }
}
