//! Versions: kept as written, compared as releases.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// The version of a migration: numbers joined by dots, such as `1`, `2.10` or `20260101.120000`.
///
/// The text stays as it was written, because the history table holds it in this form. Versions are
/// compared as PEP 440 compares releases: number by number, and numbers can have any length. Zeros
/// at the end do not count, and zeros before a number do not count. So `1`, `1.0` and `01` are equal.
///
/// # Examples
///
/// ```
/// use jetbase_core::Version;
///
/// let version = Version::parse("2_10")?;
/// assert_eq!(version.as_str(), "2.10");
/// assert!(version > "2.9".parse()?);
/// assert_eq!(version, "2.10.0".parse()?);
/// assert_eq!(version.next().as_str(), "2.11");
/// # Ok::<(), jetbase_core::VersionError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Version(Cow<'static, str>);

impl Version {
    /// Reads a version. `_` is another way to write `.`.
    ///
    /// # Errors
    ///
    /// Returns an error unless the text is ASCII digits, joined by single dots or underscores.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let mut follows_digit = false;
        for byte in text.bytes() {
            let is_separator = follows_digit && matches!(byte, b'.' | b'_');
            follows_digit = byte.is_ascii_digit();
            if !follows_digit && !is_separator {
                break;
            }
        }
        // A version ends with a digit.
        if follows_digit {
            Ok(Version(Cow::Owned(text.replace('_', "."))))
        } else {
            Err(VersionError { text: text.to_owned() })
        }
    }

    /// A version that the macro has checked already.
    #[doc(hidden)]
    #[must_use]
    pub const fn embedded(text: &'static str) -> Self {
        Version(Cow::Borrowed(text))
    }

    /// A version whose text is known to be valid.
    pub(crate) fn of_valid(text: &str) -> Self {
        Version(Cow::Owned(text.to_owned()))
    }

    /// Returns the version as it was written, with dots.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Version {
    /// Returns the version with its last number raised by one: `2.10` after `2.9`.
    ///
    /// It is higher than this version. Numbers can have any length.
    #[must_use]
    pub fn next(&self) -> Version {
        let text = self.as_str();
        let last = text.rsplit('.').next().unwrap_or(text);
        let (before, _) = text.split_at_checked(text.len() - last.len()).unwrap_or(("", text));
        let nines = last.len() - last.trim_end_matches('9').len();
        let (stay, _) = last.split_at_checked(last.len() - nines).unwrap_or((last, ""));
        let raised = match stay.char_indices().next_back() {
            Some((at, digit)) => {
                let digit = digit.to_digit(10).unwrap_or(0) + 1;
                format!("{}{digit}", stay.get(..at).unwrap_or_default())
            }
            None => "1".to_owned(),
        };
        Version(Cow::Owned(format!("{before}{raised}{}", "0".repeat(nines))))
    }
}

impl Version {
    /// Whether all its numbers are zero: no version is lower.
    pub(crate) fn is_zero(&self) -> bool {
        numbers(self.as_str()).all(str::is_empty)
    }
}

/// Compares two versions as releases; see [`Version`].
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    if is_one_number(left) && is_one_number(right) {
        return left.len().cmp(&right.len()).then_with(|| left.cmp(right));
    }
    let mut left = numbers(left);
    let mut right = numbers(right);
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) => {
                let (a, b) = (a.unwrap_or(""), b.unwrap_or(""));
                a.len().cmp(&b.len()).then_with(|| a.cmp(b))
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Whether a version is a number without leading zeros. Most are, and they are compared faster.
fn is_one_number(version: &str) -> bool {
    !version.starts_with('0') && !version.contains('.')
}

/// The components without leading zeros: zero is the empty string.
fn numbers(version: &str) -> impl Iterator<Item = &str> {
    version.split('.').map(|number| number.trim_start_matches('0'))
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut zeros = 0;
        for number in numbers(&self.0) {
            if number.is_empty() {
                zeros += 1;
            } else {
                (zeros, number).hash(state);
                zeros = 0;
            }
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        Version::parse(text)
    }
}

/// A text that is not a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionError {
    text: String,
}

impl fmt::Display for VersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a version: write numbers joined by `.` or `_`, such as `2`, `1.10` or `20260101.120000`",
            self.text.escape_debug()
        )
    }
}

impl std::error::Error for VersionError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn equal_releases_are_equal_and_hash_alike() {
        let hash = |text: &str| {
            let mut hasher = std::hash::DefaultHasher::new();
            version(text).hash(&mut hasher);
            hasher.finish()
        };
        for (a, b) in [("1", "1.0"), ("01", "1"), ("1_2", "1.2"), ("0", "0.0"), ("1.0.2", "1.00.2")]
        {
            assert_eq!(version(a), version(b));
            assert_eq!(hash(a), hash(b), "{a} {b}");
        }
        assert_ne!(version("1.0.2"), version("1.2"));
    }

    #[test]
    fn the_next_version_is_higher_by_one() {
        for (text, higher) in [
            ("7", "8"),
            ("9", "10"),
            ("199", "200"),
            ("2.9", "2.10"),
            ("1.0", "1.1"),
            ("009", "010"),
            ("20260101.235959", "20260101.235960"),
            ("99999999999999999999999999999999999999", "100000000000000000000000000000000000000"),
        ] {
            let next = version(text).next();
            assert_eq!(next.as_str(), higher);
            assert!(next > version(text));
        }
    }

    #[test]
    fn numbers_of_any_length_are_ordered() {
        assert!(
            version("9999999999999999999999999999999999999998")
                < version("9999999999999999999999999999999999999999")
        );
        assert!(version("1.10") > version("1.9"));
        assert!(version("2") > version("1.99.99"));
        assert!(version("10") > version("9") && version("10") < version("010.1"));
        assert!(version("09") < version("10") && version("0") < version("1"));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", ".", "1.", ".1", "1..2", "a", "1a", "-1", "1 ", "٣", "1\n", "1-2"] {
            assert!(Version::parse(text).is_err(), "{text:?}");
        }
    }
}
