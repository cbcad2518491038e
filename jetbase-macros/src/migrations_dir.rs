//! The folder of a call: its path for the compiler, and its path in messages.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::environment::BuildEnvironment;

/// The folder of a call.
#[derive(Debug)]
pub(crate) struct MigrationsDir {
    /// The path for the compiler, independent of its working directory.
    pub(crate) folder: PathBuf,
    /// The path in messages, relative to the working directory of the build.
    pub(crate) display_path: String,
    /// Whether a published crate would lack the folder.
    pub(crate) is_left_out: bool,
    /// The `Cargo.toml` that decides whether the crate is published, if the folder is outside of
    /// the crate.
    pub(crate) manifest: Option<PathBuf>,
}

impl MigrationsDir {
    /// Finds the folder that a call names, relative to its crate.
    ///
    /// # Errors
    ///
    /// Returns a sentence if the name cannot be a folder. It does not check whether the folder
    /// exists.
    pub(crate) fn find(name: &str, environment: &BuildEnvironment) -> Result<Self, String> {
        if name.is_empty() {
            return Err("the name of the folder is empty\n  = help: write the path of the folder from the crate's \
                        Cargo.toml, such as \"db/migrations\""
                .to_owned());
        }
        if name.contains('\\') {
            return Err(format!(
                "the path of the folder contains `\\`\n  = help: write \"{}\": `/` works on every system",
                name.replace('\\', "/")
            ));
        }
        let (folder, manifest) = match (&environment.crate_dir, Path::new(name)) {
            (_, absolute) if absolute.is_absolute() => (absolute.to_path_buf(), None),
            (Some(crate_dir), relative) => {
                let folder = crate_dir.join(relative);
                let outside = !normalize_path(&folder).starts_with(normalize_path(crate_dir));
                (folder, outside.then(|| crate_dir.join("Cargo.toml")))
            }
            (None, _) => {
                return Err(format!(
                    "cannot find the folder `{name}`: its path is relative, and CARGO_MANIFEST_DIR is not set\n  \
                     = help: build with cargo, set CARGO_MANIFEST_DIR, or write an absolute path"
                ));
            }
        };
        if folder.to_str().is_none() {
            return Err(format!(
                "the path `{}` is not UTF-8\n  = help: move the crate to a path that is UTF-8",
                folder.display()
            ));
        }
        let display_path = display_path(&folder, &environment.current_dir);
        let is_left_out = manifest.as_ref().is_some_and(|manifest| !is_never_published(manifest));
        Ok(MigrationsDir { folder, display_path, is_left_out, manifest })
    }

    /// Returns the path for the compiler of a file in the folder or next to it.
    pub(crate) fn file(&self, path: &str) -> String {
        self.folder.join(path).to_string_lossy().into_owned()
    }
}

/// Returns the path relative to the working directory of the build, with `/`.
fn display_path(folder: &Path, current_dir: &Path) -> String {
    let folder = normalize_path(folder);
    let short = folder.strip_prefix(normalize_path(current_dir)).unwrap_or(&folder);
    let shown = short.to_string_lossy().replace('\\', "/");
    if shown.is_empty() { ".".to_owned() } else { shown }
}

/// Removes `.` and `..` from a path, by its text only. Links are not followed.
fn normalize_path(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some() => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

/// Whether the manifest says that the crate is never published.
fn is_never_published(manifest: &Path) -> bool {
    let manifest = fs::read_to_string(manifest).unwrap_or_default();
    manifest.lines().any(|line| line.split_whitespace().collect::<String>() == "publish=false")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str) -> Result<MigrationsDir, String> {
        let environment = BuildEnvironment {
            crate_dir: Some(PathBuf::from("/ws/app")),
            current_dir: PathBuf::from("/ws"),
            ..BuildEnvironment::default()
        };
        MigrationsDir::find(name, &environment)
    }

    #[test]
    fn the_path_in_messages_starts_where_the_build_runs() {
        for (name, displayed) in [
            ("migrations", "app/migrations"),
            ("./db//x", "app/db/x"),
            ("../db", "db"),
            ("../../else", "/else"),
            ("/abs/x", "/abs/x"),
            ("..", "."),
        ] {
            assert_eq!(find(name).unwrap().display_path, displayed, "{name}");
        }
    }

    #[test]
    fn a_folder_outside_the_crate_is_not_in_its_package() {
        for (name, is_left_out) in
            [("migrations", false), ("../db", true), ("a/../../app/b", false)]
        {
            assert_eq!(find(name).unwrap().is_left_out, is_left_out, "{name}");
        }
    }

    #[test]
    fn a_path_that_cannot_be_a_folder_is_refused() {
        assert!(find("db\\migrations").unwrap_err().contains("\"db/migrations\""));
        assert!(find("").unwrap_err().contains("is empty"));
        let nowhere = BuildEnvironment::default();
        assert!(MigrationsDir::find("x", &nowhere).unwrap_err().contains("CARGO_MANIFEST_DIR"));
    }
}
