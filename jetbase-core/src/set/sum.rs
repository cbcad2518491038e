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

mod entry;
mod record;
mod sum_file;
mod verify;

pub use self::entry::{Adopted, Entry};
pub use self::record::OutOfOrder;
pub use self::sum_file::SumFile;

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
