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

    /// Returns whether a text, such as a value of the history table, is this checksum.
    ///
    /// # Examples
    ///
    /// ```
    /// use jetbase_core::Checksum;
    ///
    /// let checksum = Checksum::of_text("SELECT 1");
    /// assert!(checksum.matches(&checksum.to_string()));
    /// assert!(!checksum.matches(&checksum.to_string().to_uppercase()));
    /// ```
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        text.as_bytes() == self.digits()
    }

    /// The hexadecimal digits.
    fn digits(&self) -> [u8; 64] {
        let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        digits
    }

    /// Returns the first 8 digits, which are enough for a person to compare two checksums.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
