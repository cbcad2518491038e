//! `<folder>.sum`: the list of recorded migrations, committed beside their folder.
//!
//! ```text
//! jetbase.sum v1
//! V1__init.sql <checksum> <digest>
//! V1.5__late.sql <checksum> <digest> out-of-order
//! # end 2 <chain>
//! ```
//!
//! One line a versioned file, in the order of adoption: its name without
//! folders, the checksum of the history table, and the SHA-256 of its text with
//! `\n` line ends, which freezes rollback part, comments and strings too. The
//! last line counts the others and chains their hashes; as it stands last, a
//! merge conflict holds nothing but the new lines.

mod record;
mod verify;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use self::record::OutOfOrder;
use crate::check::Finding;
use crate::file::{Checksum, Name, Position, Version};

/// What a set demands of its list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manifest {
    /// Without a list nothing is verified; with one, new files may wait to be recorded.
    #[default]
    Optional,
    /// There must be a list.
    Required,
    /// There must be a list, and every versioned file must be in it.
    Strict,
}

/// The recorded migrations of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SumFile {
    name: String,
    entries: Vec<Entry>,
    seal: ChainHash,
}

/// One recorded migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The file's name, without folders.
    pub file: String,
    /// The version in its name.
    pub version: Version,
    /// The checksum that the history table holds.
    pub checksum: Checksum,
    /// The SHA-256 of the whole text, with `\n` line ends.
    pub digest: Checksum,
    /// How the version was adopted.
    pub adopted: Adopted,
    /// The line of the list, from 1.
    pub line: usize,
}

/// How a version came into the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// Above all versions recorded before it.
    InOrder,
    /// Below one of them, on purpose.
    OutOfOrder,
}

/// Whether the last line fits the lines above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChainHash {
    Whole,
    Broken { line: usize },
}

const HEADER: &str = "jetbase.sum v1";
const OUT_OF_ORDER: &str = " out-of-order";
const CONFLICT: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];

impl SumFile {
    /// An empty list for a folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        SumFile { name: file_name(folder), entries: Vec::new(), seal: ChainHash::Whole }
    }

    /// Where the list of a folder is: beside it, under its name with `.sum`.
    #[must_use]
    pub fn path(folder: &Path) -> PathBuf {
        let beside = |folder: &Path, name: &OsStr| {
            let mut list = name.to_owned();
            list.push(".sum");
            folder.with_file_name(list)
        };
        match folder.file_name() {
            Some(name) => beside(folder, name),
            // Such as `..`: only the file system knows its name.
            None => {
                let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
                beside(&folder, folder.file_name().unwrap_or_default())
            }
        }
    }

    /// Reads the list of a folder; `None` when there is no list.
    ///
    /// # Errors
    ///
    /// A finding, when the list cannot be read or is none.
    pub fn read(folder: &Path) -> Result<Option<Self>, Box<Finding>> {
        let name = file_name(folder);
        let wrong = |what: String| -> Box<Finding> {
            Finding::error("list", format!("../{name}"), what)
                .help("bring it back from version control")
                .into()
        };
        let path = SumFile::path(folder);
        // Reading a pipe would wait for a writer, for ever.
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
    /// A finding, when a line is none of a list, or a merge was left open.
    pub fn parse(name: &str, text: &str) -> Result<Self, Box<Finding>> {
        let mut list = SumFile {
            name: name.to_owned(),
            entries: Vec::new(),
            seal: ChainHash::Broken { line: 1 },
        };
        if let Some(line) =
            text.lines().position(|line| CONFLICT.iter().any(|mark| line.starts_with(mark)))
        {
            let finding = list.at(line + 1, "conflict", "a merge conflict is not resolved");
            let help =
                "delete the three marks and keep the lines of both sides, then run `jetbase sum`";
            return Err(finding.help(help).into());
        }
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        match lines.next() {
            Some((_, HEADER)) => {}
            Some((_, line)) if line.starts_with("jetbase.sum v") => {
                let finding = list.at(1, "list", "the list was written by a newer jetbase");
                return Err(finding.help("use that version, or a newer one").into());
            }
            _ => {
                let finding = list.at(1, "list", "this is no list of recorded migrations");
                let help = format!(
                    "it begins with the line `{HEADER}`: bring it back from version control"
                );
                return Err(finding.help(help).into());
            }
        }
        let mut chain = Chain::default();
        let mut versions = HashMap::new();
        for (number, line) in lines {
            list.seal = match line.strip_prefix("# end ") {
                Some(end) if end == chain.to_string() => ChainHash::Whole,
                Some(_) => ChainHash::Broken { line: number },
                None => {
                    let entry = Entry::parse(line, number).ok_or_else(|| list.malformed(number))?;
                    if let Some(first) = versions.insert(entry.version.clone(), number) {
                        return Err(list.twice(first, &entry).into());
                    }
                    chain.add(line);
                    list.entries.push(entry);
                    ChainHash::Broken { line: number }
                }
            };
        }
        Ok(list)
    }

    /// The recorded migrations, in the order of adoption.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Writes the list beside its folder, whole or not at all.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let path = SumFile::path(folder);
        let draft = path.with_extension("sum.new");
        fs::write(&draft, self.to_string())?;
        fs::rename(&draft, &path)
    }

    /// A finding about one line of the list.
    fn at(&self, line: usize, rule: &'static str, message: impl Into<String>) -> Finding {
        let finding = Finding::error(rule, format!("../{}", self.name), message);
        Finding { position: Some(Position { line, column: 1 }), ..finding }
    }

    fn malformed(&self, line: usize) -> Finding {
        self.at(line, "list", "this line is not one that `jetbase sum` writes")
            .help("bring the list back from version control, then run `jetbase sum`")
    }

    fn twice(&self, first: usize, second: &Entry) -> Finding {
        let message = format!("version {} is recorded already, in line {first}", second.version);
        self.at(second.line, "list", message).help(
            "two branches took one version: delete the line of the one that is applied nowhere, and run \
             `jetbase renumber`",
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

impl Entry {
    fn parse(line: &str, number: usize) -> Option<Self> {
        let (line, adopted) = match line.strip_suffix(OUT_OF_ORDER) {
            Some(line) => (line, Adopted::OutOfOrder),
            None => (line, Adopted::InOrder),
        };
        let (line, digest) = line.rsplit_once(' ')?;
        let (file, checksum) = line.rsplit_once(' ')?;
        let version = Name::parse(file).ok()?.version?;
        let (checksum, digest) = (hash(checksum)?, hash(digest)?);
        Some(Entry { file: file.to_owned(), version, checksum, digest, adopted, line: number })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.file, self.checksum, self.digest)?;
        f.write_str(if self.adopted == Adopted::OutOfOrder { OUT_OF_ORDER } else { "" })
    }
}

/// Count and chained hash of the lines so far.
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

/// Reads 64 lower-case hexadecimal digits.
fn hash(text: &str) -> Option<Checksum> {
    let mut bytes = [0; 32];
    let digit = |byte: u8| (!byte.is_ascii_uppercase()).then(|| char::from(byte).to_digit(16))?;
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
    }
    Some(Checksum::from_bytes(bytes))
}

fn file_name(folder: &Path) -> String {
    SumFile::path(folder)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
