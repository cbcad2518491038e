//! The embedded files of a set, as the macro packs them and the program reads them.

use crate::file::{Checksum, Version};
use crate::set::folder::SourceFile;

/// The embedded files of a set, in running order.
///
/// The text of each file is a reference, made by `include_str!`. All other data is
/// packed into two constants, because a set can have thousands of files and each
/// reference costs 40 bytes of the program and compile time.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Table {
    texts: &'static [&'static str],
    records: &'static [[u8; RECORD]],
    names: &'static str,
}

/// A record: the checksum, where path and version end in the names, little-endian, and whether the
/// file is recorded.
const RECORD: usize = 41;

/// One row of a table.
pub(crate) struct TableRow {
    pub(crate) path: &'static str,
    /// Empty for repeatables.
    pub(crate) version: &'static str,
    pub(crate) text: &'static str,
    pub(crate) checksum: Checksum,
    pub(crate) recorded: bool,
}

/// What the macro writes beside the texts.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// One record for each file.
    pub records: Vec<u8>,
    /// The path and the version of each file, one after the other.
    pub names: String,
    /// One number for the lengths of all texts.
    pub lengths: u64,
}

/// The largest prime below 2^32, so that a step of the sums of lengths fits into 64 bits.
const PRIME: u64 = 4_294_967_291;

impl Packed {
    /// Packs the files of a folder.
    #[must_use]
    pub fn of(files: &[SourceFile]) -> Self {
        let mut packed = Packed::default();
        for file in files {
            packed.records.extend(file.checksum.as_bytes());
            packed.name(&file.path);
            packed.name(file.name.version.as_ref().map_or("", Version::as_str));
            packed.records.push(file.recorded.into());
            packed.lengths = (packed.lengths * 31 + file.text.len() as u64) % PRIME;
        }
        packed
    }

    fn name(&mut self, name: &str) {
        self.names.push_str(name);
        // Four gigabytes of names do not compile anyway.
        let end = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.records.extend(end.to_le_bytes());
    }
}

impl Table {
    /// The table of these texts and of what was packed beside them.
    #[must_use]
    pub const fn new(
        texts: &'static [&'static str],
        records: &'static [u8],
        names: &'static str,
    ) -> Self {
        let (records, _) = records.as_chunks();
        Table { texts, records, names }
    }

    /// How many files there are.
    #[must_use]
    pub(crate) const fn len(&self) -> usize {
        self.texts.len()
    }

    /// The file at an index of the running order.
    pub(crate) fn get(&self, index: usize) -> Option<TableRow> {
        let [record @ .., p0, p1, p2, p3, v0, v1, v2, v3, recorded] = self.records.get(index)?;
        let before = index.checked_sub(1).and_then(|before| self.records.get(before));
        let start = match before {
            Some([.., a, b, c, d, _]) => place([*a, *b, *c, *d]),
            None => 0,
        };
        let (path, version) = (place([*p0, *p1, *p2, *p3]), place([*v0, *v1, *v2, *v3]));
        Some(TableRow {
            path: self.names.get(start..path)?,
            version: self.names.get(path..version)?,
            text: self.texts.get(index)?,
            checksum: Checksum::from_bytes(*record.first_chunk()?),
            recorded: *recorded != 0,
        })
    }

    /// Whether the compiler embedded the texts that the macro read.
    ///
    /// The compiler runs it in the module that the macro writes. It uses plain
    /// arithmetic, because function calls would make a large table slow.
    #[must_use]
    pub const fn agrees(&self, lengths: u64) -> bool {
        let mut texts = self.texts;
        let mut sum = 0;
        while let [text, others @ ..] = texts {
            sum = (sum * 31 + text.len() as u64) % PRIME;
            texts = others;
        }
        sum == lengths && self.texts.len() == self.records.len()
    }
}

fn place(bytes: [u8; 4]) -> usize {
    u32::from_le_bytes(bytes) as usize
}
