//! Whether an embedded set is still what its folder holds.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

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
    /// The name of the folder.
    folder: String,
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
        if self.added.is_empty() {
            return f.write_str(": build it again");
        }
        // Cargo builds again for an edited or deleted file, but it does not notice a new one.
        write!(
            f,
            ": cargo has not noticed the new file; save or `touch` the source file that calls `embed!`, and build it \
             again; cargo notices new files if build.rs is \
             `fn main() {{ println!(\"cargo::rerun-if-changed={}\"); }}`",
            self.folder
        )
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
            folder: folder_name(self.options().folder),
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

fn folder_name(path: Option<&str>) -> String {
    let name = path.map(Path::new).and_then(Path::file_name).and_then(|name| name.to_str());
    name.unwrap_or("migrations").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::migration::Options;

    #[test]
    fn a_new_file_needs_more_than_another_build() {
        let dir = tempfile::tempdir().unwrap();
        let differences = |names: &[&str]| {
            for name in names {
                std::fs::write(dir.path().join(name), "SELECT 1;\n").unwrap();
            }
            let options = Options { folder: Some("/app/db"), ..Options::NONE };
            let set = Migrations::load(Folder::read(dir.path()).files, options);
            (set, Folder::read(dir.path()))
        };
        let (set, _) = differences(&["V1__a.sql"]);
        let (_, folder) = differences(&["V2__b.sql"]);
        assert_eq!(
            set.differences(&folder).to_string(),
            "this program embeds up to V1, the folder has V2__b.sql: cargo has not noticed the new file; save or \
             `touch` the source file that calls `embed!`, and build it again; cargo notices new files if build.rs is \
             `fn main() { println!(\"cargo::rerun-if-changed=db\"); }`"
        );
        std::fs::write(dir.path().join("V1__a.sql"), "SELECT 2;\n").unwrap();
        std::fs::remove_file(dir.path().join("V2__b.sql")).unwrap();
        assert_eq!(
            set.differences(&Folder::read(dir.path())).to_string(),
            "this program embeds up to V1, the folder has changed V1__a.sql: build it again"
        );
    }
}
