//! The folder of the old tool: its files, and the migrations that the tool finds in them.

use std::fs;
use std::path::Path;

use walkdir::WalkDir;

use crate::check::Finding;
use crate::file::OldTool;

/// A file of the old folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldFile {
    /// The path in the folder, with `/`.
    pub path: String,
    /// The text; `None` if it is not UTF-8.
    pub text: Option<String>,
}

impl OldFile {
    /// Reads the files of a folder and its sub-folders, sorted by their paths. Hidden files are left
    /// out.
    ///
    /// # Errors
    ///
    /// Returns a finding if the folder or a file of it cannot be read.
    pub fn read_folder(root: &Path) -> Result<Vec<OldFile>, Box<Finding>> {
        let unreadable = |path: &str, reason: String| -> Box<Finding> {
            Finding::error("unreadable", path, format!("this cannot be read: {reason}"))
                .help("make it readable, and convert the folder again")
                .into()
        };
        if !root.is_dir() {
            return Err(Finding::error("missing-folder", "", "there is no such folder")
                .help("name the folder of the old tool: `jetbase adopt <tool> <folder>`")
                .into());
        }
        let hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.');
        let entries = WalkDir::new(root).min_depth(1).sort_by_file_name().into_iter();
        let mut files = Vec::new();
        for entry in entries.filter_entry(|entry| !hidden(entry.file_name())) {
            let entry = entry.map_err(|error| unreadable("", error.to_string()))?;
            let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
            let path = path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
            // Reading a pipe would wait for a writer without end.
            let target = fs::metadata(entry.path());
            let target = target.map_err(|error| unreadable(&path, error.kind().to_string()))?;
            if target.is_file() {
                let bytes = fs::read(entry.path());
                let bytes = bytes.map_err(|error| unreadable(&path, error.kind().to_string()))?;
                files.push(OldFile { path, text: String::from_utf8(bytes).ok() });
            }
        }
        Ok(files)
    }

    pub(super) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// The name without the folders.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The folders before the name, with a `/` at the end.
    pub(super) fn parent(&self) -> &str {
        self.path.strip_suffix(self.name()).unwrap_or_default()
    }
}

/// One migration as the old tool sees it.
#[derive(Clone, Debug)]
pub(super) struct OldMigration<'f> {
    /// What names the migration in the table of the old tool.
    pub(super) key: String,
    /// The path of the new file.
    pub(super) file: String,
    pub(super) up: &'f OldFile,
    pub(super) down: Option<&'f OldFile>,
    /// Whether the old tool runs it outside a transaction.
    pub(super) autocommit: bool,
    /// The checksums that the old tool may have recorded. Empty: it records none.
    pub(super) checksums: Vec<String>,
}

/// What a tool finds in its folder.
#[derive(Debug, Default)]
pub(super) struct Listing<'f> {
    /// The migrations, in the order in which the tool runs them.
    pub(super) migrations: Vec<OldMigration<'f>>,
    /// What is left to do by hand (errors), and what a person should know (warnings).
    pub(super) findings: Vec<Finding>,
}

impl Listing<'_> {
    pub(super) fn todo(&mut self, file: &str, what: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Finding::error("adopt", file, what).help(help));
    }

    pub(super) fn note(&mut self, file: &str, what: impl Into<String>) {
        self.findings.push(Finding::error("adopt", file, what).warning());
    }

    /// Notes a file that the tool ignores.
    pub(super) fn ignored(&mut self, file: &str, tool: OldTool) {
        self.note(file, format!("{tool} ignores this file, so it is not converted"));
    }
}

/// The description in a new name; a name of ours cannot be without one.
pub(super) fn described(text: &str) -> &str {
    if text.trim_matches(['_', ' ']).is_empty() { "migration" } else { text }
}
