//! One line of the list.

use std::fmt;

use super::statement_digests::{COLUMN, StatementDigests};
use crate::file::{Checksum, Name, Version};

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
    /// The digests of its statements.
    pub(super) statements: Option<StatementDigests>,
    /// How the version was recorded.
    pub adopted: Adopted,
    /// The line of the list, from 1.
    pub line: usize,
}

/// How a version was recorded in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// Above all versions recorded before it.
    InOrder,
    /// Below a version recorded before it, on purpose.
    OutOfOrder,
}

const OUT_OF_ORDER: &str = " out-of-order";

impl Entry {
    pub(super) fn parse(line: &str, number: usize) -> Option<Self> {
        let (line, adopted) = match line.strip_suffix(OUT_OF_ORDER) {
            Some(line) => (line, Adopted::OutOfOrder),
            None => (line, Adopted::InOrder),
        };
        let (line, last) = line.rsplit_once(' ')?;
        let (line, digest, statements) = match last.strip_prefix(COLUMN) {
            Some(column) => {
                let (line, digest) = line.rsplit_once(' ')?;
                (line, digest, Some(StatementDigests::parse(column)?))
            }
            None => (line, last, None),
        };
        let (file, checksum) = line.rsplit_once(' ')?;
        let version = Name::parse(file).ok()?.version?;
        let (checksum, digest) = (hash(checksum)?, hash(digest)?);
        Some(Entry {
            file: file.to_owned(),
            version,
            checksum,
            digest,
            statements,
            adopted,
            line: number,
        })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.file, self.checksum, self.digest)?;
        if let Some(statements) = &self.statements {
            write!(f, " {COLUMN}{}", statements.as_str())?;
        }
        f.write_str(if self.adopted == Adopted::OutOfOrder { OUT_OF_ORDER } else { "" })
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
