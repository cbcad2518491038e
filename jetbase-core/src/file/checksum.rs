//! The checksum that the history table holds.

use std::fmt;

use sha2::{Digest, Sha256};

/// A SHA-256, which is printed as 64 lower-case hexadecimal digits.
///
/// The history table holds the checksum of [`Script::checksum`](crate::Script::checksum).
///
/// # Examples
///
/// ```
/// use jetbase_core::{Checksum, Script};
///
/// let script = Script::read("CREATE TABLE a (\n    id INT\n);\n");
/// assert_eq!(script.checksum(), Checksum::of_text("CREATE TABLE a ( id INT )"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// Returns the SHA-256 of a text.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        Checksum(Sha256::digest(text.as_bytes()).into())
    }

    /// Makes a checksum of its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Checksum(bytes)
    }

    /// Returns the 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the first 8 digits, which are enough for a person to compare two checksums.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
