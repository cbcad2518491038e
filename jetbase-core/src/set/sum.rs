//! `<folder>.sum`: the list of recorded migrations, committed beside their folder.
//!
//! ```text
//! jetbase.sum v1
//! V1__init.sql <checksum> <digest> statements=<digests>
//! V1.5__late.sql <checksum> <digest> statements=<digests> out-of-order
//! # end 2 <chain>
//! ```
//!
//! Each versioned file has one line, in the order of adoption: its name without
//! folders, the checksum of the history table, and the SHA-256 of its text with
//! `\n` line ends. The SHA-256 also covers the rollback section, comments and
//! strings. The short digests of the statements say which one has changed; a list
//! without them is valid. The last line holds the number of the other lines and their chained
//! hash. It is the last line so that a merge conflict holds only the new lines.

mod entry;
mod record;
mod statement_digests;
mod sum_file;
mod verify;

pub use self::entry::{Adopted, Entry};
pub use self::record::OutOfOrder;
pub use self::sum_file::SumFile;

/// What a set requires of its list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manifest {
    /// Without a list, nothing is verified. With a list, new files need not be recorded yet.
    #[default]
    Optional,
    /// There must be a list.
    Required,
    /// There must be a list, and every versioned file must be in it.
    Strict,
}
