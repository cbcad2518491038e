//! The list as a file: where it is, and how it is read and written.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::entry::Entry;
use crate::check::Finding;
use crate::file::{Checksum, Position};

/// The list of the recorded migrations of a folder.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use jetbase_core::{Folder, OutOfOrder, SumFile};
///
/// let path = Path::new("../migrations");
/// let folder = Folder::read(path);
/// let empty = SumFile::new(path);
/// let list = empty.record(&folder, &[], OutOfOrder::Refuse).unwrap();
/// assert_eq!(list.entries().len(), 3); // repeatable files are not recorded
/// assert!(list.verify(&folder).is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SumFile {
    pub(super) name: String,
    pub(super) entries: Vec<Entry>,
    pub(super) chain_hash: ChainHash,
}

/// Whether the hash in the last line matches the lines above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChainHash {
    Whole,
    Broken { line: usize },
}

const HEADER: &str = "jetbase.sum v1";
const CONFLICT: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];

impl SumFile {
    /// Makes an empty list for a folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        SumFile { name: file_name(folder), entries: Vec::new(), chain_hash: ChainHash::Whole }
    }

    /// Returns the path of a folder's list: beside the folder, with its name and `.sum`.
    #[must_use]
    pub fn path(folder: &Path) -> PathBuf {
        let beside = |folder: &Path, name: &OsStr| {
            let mut list = name.to_owned();
            list.push(".sum");
            folder.with_file_name(list)
        };
        match folder.file_name() {
            Some(name) => beside(folder, name),
            // A path such as `..` has no name: the file system knows it.
            None => {
                let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
                beside(&folder, folder.file_name().unwrap_or_default())
            }
        }
    }

    /// Reads the list of a folder. `None` means that there is no list.
    ///
    /// # Errors
    ///
    /// Returns a finding if the file cannot be read, or is no such list.
    pub fn read(folder: &Path) -> Result<Option<Self>, Box<Finding>> {
        let name = file_name(folder);
        let wrong = |what: String| -> Box<Finding> {
            Finding::error("list", format!("../{name}"), what)
                .help("restore it from version control")
                .into()
        };
        let path = SumFile::path(folder);
        // Reading a pipe would wait for a writer without end.
        if fs::metadata(&path).is_ok_and(|it| !it.is_file()) {
            return Err(wrong("the list of recorded migrations is not a file".to_owned()));
        }
        match fs::read(path) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => SumFile::parse(&name, &text).map(Some),
                Err(_) => Err(wrong("the list of recorded migrations is not UTF-8".to_owned())),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(wrong(format!(
                "the list of recorded migrations cannot be read: {}",
                error.kind()
            ))),
        }
    }

    /// Reads the text of a list.
    ///
    /// # Errors
    ///
    /// Returns a finding if a line is malformed, or if a merge conflict is not resolved.
    pub fn parse(name: &str, text: &str) -> Result<Self, Box<Finding>> {
        let mut list = SumFile {
            name: name.to_owned(),
            entries: Vec::new(),
            chain_hash: ChainHash::Broken { line: 1 },
        };
        if let Some(line) =
            text.lines().position(|line| CONFLICT.iter().any(|mark| line.starts_with(mark)))
        {
            let finding = list.at(line + 1, "conflict", "a merge conflict is not resolved");
            let help = "delete the three conflict markers and keep the lines of both sides, then run `jetbase sum`";
            return Err(finding.help(help).into());
        }
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        match lines.next() {
            Some((_, HEADER)) => {}
            Some((_, line)) if line.starts_with("jetbase.sum v") => {
                let finding = list.at(1, "list", "the list was written by a newer jetbase");
                return Err(finding.help("use that version of jetbase, or a newer one").into());
            }
            _ => {
                let finding = list.at(1, "list", "this is not a list of recorded migrations");
                let help = format!(
                    "such a list begins with the line `{HEADER}`: restore the file from version control"
                );
                return Err(finding.help(help).into());
            }
        }
        let mut chain = Chain::default();
        let mut versions = HashMap::new();
        for (number, line) in lines {
            list.chain_hash = match line.strip_prefix("# end ") {
                Some(end) if end == chain.to_string() => ChainHash::Whole,
                Some(_) => ChainHash::Broken { line: number },
                None => {
                    let entry = Entry::parse(line, number).ok_or_else(|| list.malformed(number))?;
                    if let Some(first) = versions.insert(entry.version.clone(), number) {
                        return Err(list.recorded_twice(first, &entry).into());
                    }
                    chain.add(line);
                    list.entries.push(entry);
                    ChainHash::Broken { line: number }
                }
            };
        }
        Ok(list)
    }

    /// Returns the recorded migrations, in the order in which they were recorded.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Writes the list beside its folder. If this fails, the old list stays.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let path = SumFile::path(folder);
        let draft = path.with_extension("sum.new");
        fs::write(&draft, self.to_string())?;
        fs::rename(&draft, &path)
    }

    /// A finding about one line of the list.
    pub(super) fn at(
        &self,
        line: usize,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Finding {
        let finding = Finding::error(rule, format!("../{}", self.name), message);
        Finding { position: Some(Position { line, column: 1 }), ..finding }
    }

    fn malformed(&self, line: usize) -> Finding {
        self.at(line, "list", "`jetbase sum` does not write a line like this")
            .help("restore the list from version control, then run `jetbase sum`")
    }

    fn recorded_twice(&self, first: usize, second: &Entry) -> Finding {
        let message = format!("version {} is already recorded in line {first}", second.version);
        self.at(second.line, "list", message).help(
            "two branches used the same version: delete the line of the migration that no database has, and run `jetbase renumber`",
        )
    }
}

impl fmt::Display for SumFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        let mut chain = Chain::default();
        for entry in &self.entries {
            let line = entry.to_string();
            writeln!(f, "{line}")?;
            chain.add(&line);
        }
        writeln!(f, "# end {chain}")
    }
}

/// The number and the chained hash of the lines so far.
#[derive(Default)]
struct Chain {
    count: usize,
    hash: String,
}

impl Chain {
    fn add(&mut self, line: &str) {
        self.count += 1;
        self.hash = Checksum::of_text(&format!("{}\n{line}", self.hash)).to_string();
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = if self.count == 0 { "-" } else { &self.hash };
        write!(f, "{} {hash}", self.count)
    }
}

fn file_name(folder: &Path) -> String {
    SumFile::path(folder)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
