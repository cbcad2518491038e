//! The name of a migration file, and what it says.

use std::fmt;

use crate::file::version::Version;

/// When a migration runs. The prefix of the file name decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MigrationKind {
    /// `V<version>__…`: once, in the order of the versions.
    Versioned,
    /// `RA__…`: after the versioned ones, in each run that does something.
    RunsAlways,
    /// `ROC__…`: after those, whenever its text has changed.
    RunsOnChange,
}

impl MigrationKind {
    /// Returns the word in the column `migration_type` of the history table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            MigrationKind::Versioned => "VERSIONED",
            MigrationKind::RunsAlways => "RUNS_ALWAYS",
            MigrationKind::RunsOnChange => "RUNS_ON_CHANGE",
        }
    }

    /// Returns whether the history table has one row for the file, which each run updates.
    #[must_use]
    pub const fn is_repeatable(self) -> bool {
        !matches!(self, MigrationKind::Versioned)
    }

    /// Returns the kind that has this word in the history table.
    #[must_use]
    pub fn from_column(word: &str) -> Option<Self> {
        [MigrationKind::Versioned, MigrationKind::RunsAlways, MigrationKind::RunsOnChange]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// What a file's name says: `V1.2__add_users.sql` is version `1.2`, described as `add users`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// When the migration runs.
    pub kind: MigrationKind,
    /// The version of a versioned migration.
    pub version: Option<Version>,
    /// The text after `__`, with spaces for underscores.
    pub description: String,
}

/// The most characters a name may have: the width of the history table's column.
const LONGEST: usize = 512;

impl Name {
    /// Reads the name of a file, without its folders.
    ///
    /// # Errors
    ///
    /// Returns an error if the Python tool refuses the name, or if it accepts the name only by
    /// accident (digits of other scripts, a line break in the version).
    pub fn parse(file: &str) -> Result<Self, NameError> {
        let error = |fault| Err(NameError { file: file.to_owned(), fault });
        let Some(stem) = file.strip_suffix(".sql") else { return error(NameFault::Ending) };
        let kind = match stem {
            _ if file.starts_with("RA__") => MigrationKind::RunsAlways,
            _ if file.starts_with("ROC__") => MigrationKind::RunsOnChange,
            _ if file.starts_with('V') => MigrationKind::Versioned,
            _ => return error(NameFault::Prefix),
        };
        let Some((prefix, rest)) = file.split_once("__") else {
            return error(NameFault::Separator);
        };
        // The Python tool ends the description at the first `.sql`, not at the last.
        let description = rest.split_once(".sql").map_or("", |(description, _)| description);
        let description = trim(description).replace('_', " ");
        if description.is_empty() {
            return error(NameFault::Description);
        }
        if file.len() > LONGEST && file.chars().count() > LONGEST {
            return error(NameFault::Length);
        }
        let version = match kind {
            MigrationKind::Versioned => match Version::parse(prefix.get(1..).unwrap_or_default()) {
                Ok(version) => Some(version),
                Err(_) => return error(NameFault::Version),
            },
            MigrationKind::RunsAlways | MigrationKind::RunsOnChange => None,
        };
        Ok(Name { kind, version, description })
    }
}

/// Trims what Python's `str.strip` trims: `char::is_whitespace` and four control characters.
pub(crate) fn trim(text: &str) -> &str {
    let text = text.trim_ascii();
    match text.as_bytes() {
        // Most lines begin and end with one of these characters, so the slow way is rare.
        [] | [b'!'..=b'~'] | [b'!'..=b'~', .., b'!'..=b'~'] => text,
        _ => text.trim_matches(is_space),
    }
}

/// Trims the start of a text only.
pub(crate) fn trim_start(text: &str) -> &str {
    let text = text.trim_ascii_start();
    match text.as_bytes() {
        [] | [b'!'..=b'~', ..] => text,
        _ => text.trim_start_matches(is_space),
    }
}

/// What Python takes for white space, measured over all code points.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// A file name that is not the name of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    file: String,
    fault: NameFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameFault {
    Ending,
    Prefix,
    Separator,
    Description,
    Length,
    Version,
}

impl NameError {
    /// Returns the valid name that the author probably meant, if there is one.
    #[must_use]
    pub fn suggestion(&self) -> Option<String> {
        let stem = match self.file.rsplit_once('.') {
            Some((stem, end)) if end.eq_ignore_ascii_case("sql") => stem,
            _ => return None,
        };
        // A down script must not become an upgrade.
        if stem.ends_with(".down") || stem.ends_with(".up") {
            return None;
        }
        let digits = stem.trim_start_matches(['V', 'v']);
        let upper = stem.to_ascii_uppercase();
        let guess = match stem {
            _ if upper.starts_with("RA_") => format!("RA__{}", words(stem.get(2..)?)),
            _ if upper.starts_with("ROC_") => format!("ROC__{}", words(stem.get(3..)?)),
            _ if upper.starts_with("RC_") => format!("ROC__{}", words(stem.get(2..)?)),
            _ if upper.starts_with("R_") => format!("ROC__{}", words(stem.get(1..)?)),
            _ => {
                let end =
                    digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
                let (version, rest) = digits.split_at_checked(end)?;
                format!("V{}__{}", version.trim_matches('.'), words(rest))
            }
        };
        let guess = format!("{guess}.sql");
        (guess != self.file && Name::parse(&guess).is_ok()).then_some(guess)
    }
}

fn words(text: &str) -> &str {
    let text = text.trim_matches(|c: char| matches!(c, '_' | '-' | ' ' | '.'));
    if text.is_empty() { "description" } else { text }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.fault {
            NameFault::Ending => "the name does not end with `.sql`",
            NameFault::Prefix => "the name does not begin with `V`, `RA__` or `ROC__`",
            NameFault::Separator => "the name has no `__` between the version and the description",
            NameFault::Description => "the name has no description after `__`",
            NameFault::Length => "the name is longer than 512 characters",
            NameFault::Version => {
                "the part between `V` and `__` is not a version (ASCII digits, joined by `.` or `_`)"
            }
        })
    }
}

impl std::error::Error for NameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_likely_name_is_suggested() {
        for (wrong, right) in [
            ("v1__x.sql", Some("V1__x.sql")),
            ("V1_x.sql", Some("V1__x.sql")),
            ("4-d.sql", Some("V4__d.sql")),
            ("R__view.sql", Some("ROC__view.sql")),
            ("RC__view.sql", Some("ROC__view.sql")),
            ("V2__.sql", Some("V2__description.sql")),
            ("V1__a.SQL", Some("V1__a.sql")),
            ("seed.sql", None),
            ("README.md", None),
            ("20240201120000_create_posts.down.sql", None),
            ("20240201120000_create_posts.up.sql", None),
        ] {
            let error = Name::parse(wrong).unwrap_err();
            assert_eq!(error.suggestion().as_deref(), right, "{wrong}");
        }
    }
}
