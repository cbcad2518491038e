//! The folder of a call: its path for the compiler, and its path in messages.

use std::env;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// What the result of a call depends on, besides its tokens and the folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// The folder of the crate's `Cargo.toml`.
    pub(crate) crate_dir: Option<PathBuf>,
    /// The name of the crate that is compiled.
    pub(crate) crate_name: Option<String>,
    /// The working directory of the compiler. Under cargo it is the root of the workspace.
    pub(crate) current_dir: PathBuf,
    pub(crate) warnings: Warnings,
    /// Whether an editor runs the macro, instead of a compiler.
    pub(crate) is_editor: bool,
}

/// How warnings are handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Warnings {
    #[default]
    Show,
    Deny,
}

impl Environment {
    /// Returns the environment of the compiler that runs the macro.
    pub(crate) fn of_process() -> Self {
        let deny = env::var_os("JETBASE_WARNINGS").is_some_and(|value| value == "deny");
        Environment {
            crate_dir: env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from),
            crate_name: env::var("CARGO_CRATE_NAME").ok(),
            current_dir: env::current_dir().unwrap_or_default(),
            warnings: if deny { Warnings::Deny } else { Warnings::Show },
            // Only the macro servers of editors have this variable.
            is_editor: env::var_os("RUST_ANALYZER_INTERNALS_DO_NOT_USE").is_some(),
        }
    }
}

/// The folder of a call.
#[derive(Debug)]
pub(crate) struct MigrationsDir {
    /// The path for the compiler, independent of its working directory.
    pub(crate) folder: PathBuf,
    /// The path in messages, relative to the working directory of the build.
    pub(crate) shown: String,
    /// Whether a published crate would lack the folder.
    pub(crate) left_behind: bool,
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
    pub(crate) fn find(name: &str, environment: &Environment) -> Result<Self, String> {
        if name.is_empty() {
            return Err(
                "the folder has no name: write its path from the crate's Cargo.toml, such as \
                        \"db/migrations\""
                    .to_owned(),
            );
        }
        if name.contains('\\') {
            return Err(format!(
                "write the folder as \"{}\": `/` works on every system",
                name.replace('\\', "/")
            ));
        }
        let (folder, manifest) = match (&environment.crate_dir, Path::new(name)) {
            (_, absolute) if absolute.is_absolute() => (absolute.to_path_buf(), None),
            (Some(crate_dir), relative) => {
                let folder = crate_dir.join(relative);
                let outside = !tidy(&folder).starts_with(tidy(crate_dir));
                (folder, outside.then(|| crate_dir.join("Cargo.toml")))
            }
            (None, _) => {
                return Err("CARGO_MANIFEST_DIR is not set, so a relative folder leads nowhere: build with cargo, \
                            set the variable, or name an absolute folder"
                    .to_owned());
            }
        };
        if folder.to_str().is_none() {
            return Err(format!("the path `{}` is not UTF-8: move the crate", folder.display()));
        }
        let shown = shown(&folder, &environment.current_dir);
        let left_behind = manifest.as_ref().is_some_and(|manifest| !is_private(manifest));
        Ok(MigrationsDir { folder, shown, left_behind, manifest })
    }

    /// Returns the path for the compiler of a file in the folder or next to it.
    pub(crate) fn file(&self, path: &str) -> String {
        self.folder.join(path).to_string_lossy().into_owned()
    }
}

/// Returns the path relative to the working directory of the build, with `/`.
fn shown(folder: &Path, current_dir: &Path) -> String {
    let folder = tidy(folder);
    let short = folder.strip_prefix(tidy(current_dir)).unwrap_or(&folder);
    let shown = short.to_string_lossy().replace('\\', "/");
    if shown.is_empty() { ".".to_owned() } else { shown }
}

/// Removes `.` and `..` from a path, by its text only. Links are not followed.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if tidy.file_name().is_some() => {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy
}

/// Whether the manifest says that the crate is never published.
fn is_private(manifest: &Path) -> bool {
    let manifest = fs::read_to_string(manifest).unwrap_or_default();
    manifest.lines().any(|line| line.split_whitespace().collect::<String>() == "publish=false")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str) -> Result<MigrationsDir, String> {
        let environment = Environment {
            crate_dir: Some(PathBuf::from("/ws/app")),
            current_dir: PathBuf::from("/ws"),
            ..Environment::default()
        };
        MigrationsDir::find(name, &environment)
    }

    #[test]
    fn folders_are_shown_from_where_the_build_runs() {
        for (name, shown) in [
            ("migrations", "app/migrations"),
            ("./db//x", "app/db/x"),
            ("../db", "db"),
            ("../../else", "/else"),
            ("/abs/x", "/abs/x"),
            ("..", "."),
        ] {
            assert_eq!(find(name).unwrap().shown, shown, "{name}");
        }
    }

    #[test]
    fn only_what_cargo_packages_stays_with_the_crate() {
        for (name, left_behind) in
            [("migrations", false), ("../db", true), ("a/../../app/b", false)]
        {
            assert_eq!(find(name).unwrap().left_behind, left_behind, "{name}");
        }
    }

    #[test]
    fn names_that_cannot_work_are_refused() {
        assert!(find("db\\migrations").unwrap_err().contains("\"db/migrations\""));
        assert!(find("").unwrap_err().contains("no name"));
        let nowhere = Environment::default();
        assert!(MigrationsDir::find("x", &nowhere).unwrap_err().contains("CARGO_MANIFEST_DIR"));
    }
}
