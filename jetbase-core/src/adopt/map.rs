//! `<folder>.adopt`: the map from the migrations of the old tool to our files.
//!
//! ```text
//! jetbase.adopt v1 sqlx
//! 20240101120000 <checksum of the old file> V20240101120000__create_users.sql
//! ```
//!
//! Each line has the word that names the migration in the table of the old tool, the checksums that
//! the tool may have recorded (`-` for none, else joined by commas), and the name of our file. A tab
//! stands between two of them.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::check::Finding;
use crate::file::{Name, OldTool, Position};
use crate::set::{SourceFile, SumFile};

/// The map from the migrations of an old tool to our files.
///
/// # Examples
///
/// ```
/// use jetbase_core::{AdoptMap, OldTool};
///
/// let map = AdoptMap::parse("jetbase.adopt v1 diesel\n20240101000000\t-\tV20240101000000__users.sql\n")?;
/// assert_eq!(map.tool, OldTool::Diesel);
/// assert_eq!(map.entries[0].file, "V20240101000000__users.sql");
/// # Ok::<(), jetbase_core::AdoptMapError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptMap {
    /// The old tool.
    pub tool: OldTool,
    /// The migrations, in their order.
    pub entries: Vec<MapEntry>,
}

/// One line of the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapEntry {
    /// What names the migration in the table of the old tool.
    pub key: String,
    /// The checksums that the old tool may have recorded. Empty: nothing is compared.
    pub checksums: Vec<String>,
    /// The name of our file, without folders.
    pub file: String,
}

const HEADER: &str = "jetbase.adopt v1 ";

impl AdoptMap {
    /// Returns the path of a folder's map: beside the folder, with its name and `.adopt`.
    #[must_use]
    pub fn path(folder: &Path) -> PathBuf {
        SumFile::path(folder).with_extension("adopt")
    }

    /// Keeps the lines of an older map whose migrations this map does not have, such as those that a person
    /// has written.
    pub fn keep(&mut self, older: &AdoptMap) {
        let is_new = |it: &&MapEntry| !self.entries.iter().any(|entry| entry.key == it.key);
        let kept: Vec<_> = older.entries.iter().filter(is_new).cloned().collect();
        self.entries.extend(kept);
        let version = |entry: &MapEntry| Name::parse(&entry.file).ok().and_then(|it| it.version);
        // Repeatable files have no version, and come last. The sort keeps the order of equal lines.
        self.entries.sort_by_key(|entry| (version(entry).is_none(), version(entry)));
    }

    /// Reads the map of a folder, and checks that the folder has its files.
    ///
    /// # Errors
    ///
    /// Returns a finding for each thing that is wrong: there is no map, it cannot be read, it is the map of
    /// another tool, or the folder lacks a file.
    pub fn read(
        folder: &Path,
        files: &[SourceFile],
        tool: OldTool,
    ) -> Result<AdoptMap, Vec<Finding>> {
        let path = AdoptMap::path(folder);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let finding = |message: String| Finding::error("adopt", format!("../{name}"), message);
        let again = format!(
            "run `jetbase adopt {} <old folder> --write`, with `--dir` and the path of this folder",
            tool.word()
        );
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let missing = format!("there is no map of the migrations of {tool}");
                return Err(vec![finding(missing).help(again)]);
            }
            Err(error) => {
                let message = format!("the map cannot be read: {}", error.kind());
                return Err(vec![finding(message).help("make it readable")]);
            }
        };
        let map = AdoptMap::parse(&text).map_err(|error| {
            let position = Some(Position { line: error.line, column: 1 });
            let message = "`jetbase adopt` does not write a line like this".to_owned();
            let help = "restore the map from version control, or convert the old folder again";
            vec![Finding { position, ..finding(message).help(help) }]
        })?;
        if map.tool != tool {
            let message = format!("this is the map of a folder of {}, not of {tool}", map.tool);
            let help = format!(
                "write `adopt = {}`, or convert the folder of {tool}",
                map.tool.word().replace('-', "_")
            );
            return Err(vec![finding(message).help(help)]);
        }
        let names: HashSet<_> = files.iter().map(SourceFile::file).collect();
        let lines = map.entries.iter().zip(2..);
        let missing = lines.filter(|(entry, _)| !names.contains(entry.file.as_str()));
        let findings: Vec<_> = missing
            .map(|(entry, line)| {
                let message =
                    format!("the folder lacks {}, so it is only half converted", entry.file);
                let position = Some(Position { line, column: 1 });
                Finding { position, ..finding(message).help(&again) }
            })
            .collect();
        if findings.is_empty() { Ok(map) } else { Err(findings) }
    }

    /// Reads the text of a map.
    ///
    /// # Errors
    ///
    /// Returns the first line that `jetbase adopt` does not write.
    pub fn parse(text: &str) -> Result<Self, AdoptMapError> {
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        let first = lines.next().and_then(|(_, line)| line.strip_prefix(HEADER));
        let tool = first.and_then(|word| word.trim_end().parse().ok());
        let tool = tool.ok_or(AdoptMapError { line: 1 })?;
        let mut entries = Vec::new();
        let (mut keys, mut files) = (HashSet::new(), HashSet::new());
        for (line, text) in lines.filter(|(_, text)| !text.trim().is_empty()) {
            let entry = MapEntry::parse(text).ok_or(AdoptMapError { line })?;
            if !keys.insert(entry.key.clone()) || !files.insert(entry.file.clone()) {
                return Err(AdoptMapError { line });
            }
            entries.push(entry);
        }
        Ok(AdoptMap { tool, entries })
    }
}

impl MapEntry {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.trim_end().split('\t');
        let (key, checksums, file) = (fields.next()?, fields.next()?, fields.next()?);
        let checksums: Vec<_> = match checksums {
            "-" => Vec::new(),
            joined => joined.split(',').map(str::to_owned).collect(),
        };
        let is_whole = fields.next().is_none()
            && !key.is_empty()
            && !checksums.iter().any(String::is_empty)
            && Name::parse(file).is_ok();
        is_whole.then(|| MapEntry { key: key.to_owned(), checksums, file: file.to_owned() })
    }
}

impl fmt::Display for AdoptMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}{}", self.tool.word())?;
        for MapEntry { key, checksums, file } in &self.entries {
            let joined = checksums.join(",");
            let checksums = if checksums.is_empty() { "-" } else { &joined };
            writeln!(f, "{key}\t{checksums}\t{file}")?;
        }
        Ok(())
    }
}

/// A line of a map that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptMapError {
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for AdoptMapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {} is not a line that `jetbase adopt` writes; restore the map from version control, or convert the \
             old folder again",
            self.line
        )
    }
}

impl std::error::Error for AdoptMapError {}
