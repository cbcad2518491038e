//! Reads a folder of migrations, checks the names and sorts the files.

use std::cmp::Ordering;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::check::Finding;
use crate::file::{Checksum, Name, OldTool, Script, old_tool_of};
use crate::set::text_change::RecordedChange;

/// One migration file of a folder.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The path in the folder, with `/`.
    pub path: String,
    /// What the file's name says.
    pub name: Name,
    /// The file's text, as it is on disk.
    pub text: String,
    /// The checksum of its upgrade statements.
    pub checksum: Checksum,
    /// Whether the list beside the folder has the file. [`check_folder`](crate::check_folder) and
    /// [`SumFile::mark`](crate::SumFile::mark) find it out.
    pub recorded: bool,
    /// What has changed since the file was recorded, if its checksum differs from the one in the list.
    /// [`SumFile::mark`](crate::SumFile::mark) finds it out.
    pub change: Option<RecordedChange>,
}

impl SourceFile {
    /// Returns the file's name, without folders.
    #[must_use]
    pub fn file(&self) -> &str {
        file_name(&self.path)
    }

    /// Reads a file. `plain` is false for a link and for a pipe, a socket or a device.
    fn read(relative: String, path: &Path, plain: bool) -> Result<Self, Box<Finding>> {
        let name = name(&relative)?;
        let bytes = contents(path, plain).map_err(|(message, help)| {
            Finding::error("unreadable", &relative, message).help(help)
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            Finding::error("encoding", &relative, "the file is not UTF-8 from here on")
                .at(&String::from_utf8_lossy(error.as_bytes()), valid, 1)
                .help("save it as UTF-8")
        })?;
        let checksum = Script::read(&text).checksum();
        Ok(SourceFile { path: relative, name, text, checksum, recorded: false, change: None })
    }
}

/// Reads a file, or says why it cannot be read, and what to do.
fn contents(path: &Path, plain: bool) -> Result<Vec<u8>, (String, &'static str)> {
    if !plain {
        target(path)?;
    }
    fs::read(path).map_err(|error| {
        (format!("this file cannot be read: {}", reason(&error)), "make the file readable")
    })
}

/// Checks the target of a link, because reading a pipe would wait for a writer without end.
fn target(path: &Path) -> Result<(), (String, &'static str)> {
    let (what, help) = match fs::metadata(path) {
        Ok(target) if target.is_file() => return Ok(()),
        Ok(target) if target.is_dir() => {
            ("this is a link to a folder, not a file", "link to a file, or delete it")
        }
        Ok(_) => (
            "this is a pipe, a socket or a device, not a file",
            "put a file in its place, or delete it",
        ),
        // The error of the read says more.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(()),
        Err(_) => ("the target of this link cannot be found", "correct the link, or delete it"),
    };
    Err((what.to_owned(), help))
}

/// Reads the name of a file that should be a migration.
fn name(relative: &str) -> Result<Name, Box<Finding>> {
    let file = file_name(relative);
    let name = Name::parse(file).map_err(|error| {
        let help = match (old_tool_of(relative), error.suggestion()) {
            (Some(OldTool::Flyway), Some(name)) => format!(
                "rename it, for example to `{name}`; if this is a folder of Flyway, convert it with `jetbase adopt \
                 flyway <folder>`"
            ),
            (Some(tool), _) => format!(
                "this is a name of {tool}: convert the folder with `jetbase adopt {} <folder>`, and name the folder \
                 that it writes",
                tool.word()
            ),
            (None, Some(name)) => format!("rename it, for example to `{name}`"),
            (None, None) => "name it `V<version>__<description>.sql`, `RA__<description>.sql` or \
                     `ROC__<description>.sql`, or move it out of the folder"
                .to_owned(),
        };
        let message = format!("{} is not the name of a migration: {error}", file.escape_debug());
        Finding::error("name", relative.escape_debug().to_string(), message).help(help)
    })?;
    if file.chars().any(char::is_control) {
        let message = format!("the name {} contains a control character", file.escape_debug());
        return Err(Finding::error("name", relative.escape_debug().to_string(), message)
            .help("rename it")
            .into());
    }
    Ok(name)
}

/// The contents of a folder: its migrations in running order, and what is wrong with them.
#[derive(Debug, Default)]
pub struct Folder {
    /// The readable migrations, in running order.
    pub files: Vec<SourceFile>,
    /// What is wrong with names, files and order.
    pub findings: Vec<Finding>,
    /// The files that are obviously not migrations.
    pub foreign: Vec<String>,
}

impl Folder {
    /// Reads a folder and its sub-folders. It follows links to files, but not links to folders.
    ///
    /// A mistake is one of [`Folder::findings`]. The other files are read anyway.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use jetbase_core::Folder;
    ///
    /// let folder = Folder::read(Path::new("../migrations"));
    /// assert!(folder.findings.is_empty());
    /// assert_eq!(folder.files[0].path, "V1__create_users.sql");
    ///
    /// let folder = Folder::read(Path::new("no/such/folder"));
    /// assert_eq!(folder.findings[0].rule, "missing-folder");
    /// ```
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let mut folder = Folder::default();
        if !root.is_dir() {
            folder.findings.push(missing(root));
            return folder;
        }
        for entry in WalkDir::new(root).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) => folder.add(root, entry.path(), entry.file_type().is_file()),
                Err(error) => folder.findings.push(unreadable(root, &error)),
            }
        }
        folder.sort();
        folder
    }

    fn add(&mut self, root: &Path, path: &Path, plain: bool) {
        let Some(relative) = relative(root, path) else {
            let shown = path.strip_prefix(root).unwrap_or(path).to_string_lossy();
            let message = "the name of this file is not UTF-8";
            self.findings.push(Finding::error("name-encoding", shown, message).help("rename it"));
            return;
        };
        if is_foreign(file_name(&relative)) {
            self.foreign.push(relative);
            return;
        }
        match SourceFile::read(relative, path, plain) {
            Ok(file) => self.files.push(file),
            Err(finding) => self.findings.push(*finding),
        }
    }

    fn sort(&mut self) {
        self.files.sort_by(running_order);
        let mut findings = Vec::new();
        for (a, b) in self.files.iter().zip(self.files.iter().skip(1)) {
            let (Some(version), Some(other)) = (&a.name.version, &b.name.version) else { continue };
            if version == other {
                let same = if version.as_str() == other.as_str() {
                    format!("version {other} is already used by {}", a.path)
                } else {
                    format!("version {other} is the same as version {version} of {}", a.path)
                };
                findings.push(
                    Finding::error("duplicate-version", &b.path, same)
                        .help("give one of the two files a new version, above all others"),
                );
            }
        }
        let repeatables: Vec<_> =
            self.files.iter().filter(|file| file.name.version.is_none()).collect();
        let mut names: Vec<_> =
            repeatables.iter().map(|file| (file_name(&file.path), &file.path)).collect();
        names.sort();
        for ((name, first), (other, second)) in names.iter().zip(names.iter().skip(1)) {
            if name == other {
                findings.push(
                    Finding::error(
                        "duplicate-repeatable",
                        *second,
                        format!("{first} has the same name, but the history table has one row for each name"),
                    )
                    .help("rename one of the two files"),
                );
            }
        }
        self.findings.append(&mut findings);
    }
}

/// Versions ascending, then `RA__`, then `ROC__` files by their paths.
fn running_order(a: &SourceFile, b: &SourceFile) -> Ordering {
    a.name
        .kind
        .cmp(&b.name.kind)
        .then_with(|| a.name.version.cmp(&b.name.version))
        .then_with(|| a.path.cmp(&b.path))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The path below the root with `/`; `None` when it is not UTF-8.
fn relative(root: &Path, path: &Path) -> Option<String> {
    let path = path.strip_prefix(root).unwrap_or(path).to_str()?;
    match std::path::MAIN_SEPARATOR {
        '/' => Some(path.to_owned()),
        separator => Some(path.replace(separator, "/")),
    }
}

/// Whether a file is obviously not a migration, such as `README.md` or an editor's backup.
fn is_foreign(file: &str) -> bool {
    let lower = file.to_ascii_lowercase();
    if lower.ends_with(".sql") {
        return false;
    }
    let backup = ["~", ".swp", ".swo", ".swx", ".tmp"].iter().any(|end| lower.ends_with(end));
    let versioned = file.starts_with(['V', 'v']) && file.contains("__");
    backup || !(versioned || file.starts_with("RA__") || file.starts_with("ROC__"))
}

fn missing(root: &Path) -> Finding {
    let what = if root.exists() {
        "this is a file, not a folder of migrations"
    } else {
        "there is no such folder"
    };
    Finding::error("missing-folder", "", what).help(
        "create the folder, or give the path of another one; git does not keep empty folders, and `cargo package` includes only the files that `package.include` names",
    )
}

fn unreadable(root: &Path, error: &walkdir::Error) -> Finding {
    let path: PathBuf = error.path().map_or_else(PathBuf::new, Path::to_path_buf);
    let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
    let why = error
        .io_error()
        .map_or_else(|| "it is a link to one of its parent folders".to_owned(), reason);
    Finding::error("unreadable", shown, format!("this cannot be read: {why}"))
        .help("make it readable, or move it out of the folder")
}

/// The text of an I/O error without its number.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
