//! Compares the table of an old tool with the map: which of our files does it say are applied?

use std::fmt;

use super::map::{AdoptMap, MapEntry};
use crate::file::{Name, OldTool, Version};

/// One row of the table of an old tool, in the order of execution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OldRow {
    /// What names the migration: the version, or the script of a repeatable one.
    pub key: String,
    /// The checksum, as text. Empty if there is none.
    pub checksum: String,
    /// Whether the old tool says that the migration has succeeded.
    pub success: bool,
    /// The kind of the row. Only Flyway has kinds.
    pub kind: String,
}

/// A migration that the old tool has applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdoptedEntry<'m> {
    /// The line of the map.
    pub entry: &'m MapEntry,
    /// The row of the old tool that says so.
    pub row: &'m OldRow,
}

/// Why a history cannot be adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptError {
    /// The old tool.
    pub tool: OldTool,
    /// At least one difference.
    pub problems: Vec<AdoptProblem>,
}

/// One reason why a history cannot be adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdoptProblem {
    /// The old tool has not finished the migration.
    Dirty {
        /// What names the migration in the table of the old tool.
        key: String,
    },
    /// The old file was edited after it was applied.
    Edited {
        /// What names the migration in the table of the old tool.
        key: String,
        /// Our file.
        file: String,
    },
    /// The map has no line for the row.
    Unknown {
        /// What names the migration in the table of the old tool.
        key: String,
    },
    /// The old tool has not applied the migration, but it has applied a higher version.
    NotApplied {
        /// Our file.
        file: String,
        /// The highest version that is applied.
        latest: Version,
    },
    /// The set has no file with this name, although the map has one.
    NoFile {
        /// Our file.
        file: String,
    },
    /// Flyway has recorded a row of a kind that cannot be adopted.
    Kind {
        /// What names the migration in the table of the old tool.
        key: String,
        /// The kind of the row.
        kind: String,
    },
}

impl fmt::Display for AdoptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tool, table) = (self.tool, self.tool.table());
        write!(f, "the history of {tool} cannot be adopted, and nothing was written:")?;
        for problem in &self.problems {
            f.write_str("\n  ")?;
            match problem {
                AdoptProblem::Dirty { key } => write!(
                    f,
                    "{tool} has not finished the migration {key}: look which of its statements have taken effect, \
                     complete or undo them, and then {}",
                    cure(tool, key)
                ),
                AdoptProblem::Edited { key, file } => write!(
                    f,
                    "{key}: the old file of {file} was edited after it was applied, or the map belongs to another \
                     text: restore the old file from version control, and convert it again"
                ),
                AdoptProblem::Unknown { key } => write!(
                    f,
                    "{key}: {table} has this migration, and the map has no line for it: the database is ahead of this \
                     folder, or the migration is left to do by hand; convert the folder again with its file"
                ),
                AdoptProblem::NotApplied { file, latest } => write!(
                    f,
                    "{file}: {table} does not have it, although version {latest} is applied: let {tool} apply it \
                     first, because jetbase runs no version below an applied one"
                ),
                AdoptProblem::NoFile { file } => write!(
                    f,
                    "{file}: the map has this file, and the folder does not: the folder is only half converted; run \
                     `jetbase adopt {} --write` again",
                    tool.word()
                ),
                AdoptProblem::Kind { key, kind } => write!(
                    f,
                    "{key}: {table} has a row of the type {kind}, which jetbase cannot compare: write the SQL of that \
                     migration into a file of the new folder, and add the line `{key}<tab>-<tab><file>` to the map"
                ),
            }?;
        }
        Ok(())
    }
}

/// What to do with the row of a migration after its statements were completed or undone.
fn cure(tool: OldTool, key: &str) -> String {
    let table = tool.table();
    let key = key.replace('\'', "''");
    match tool {
        OldTool::Flyway => format!(
            "run UPDATE {table} SET success = true WHERE version = '{key}', or delete the row"
        ),
        _ => format!(
            "run UPDATE {table} SET success = true WHERE version = {key}, or delete the row"
        ),
    }
}

impl std::error::Error for AdoptError {}

/// Returns the migrations of the map that are applied, in the order of the map.
///
/// `files` are the names of the files of the set.
///
/// # Errors
///
/// Returns every difference between the rows, the map and the files.
///
/// # Examples
///
/// ```
/// use jetbase_core::{AdoptMap, OldRow, compare_history};
///
/// let map = AdoptMap::parse("jetbase.adopt v1 diesel\n1\t-\tV1__a.sql\n2\t-\tV2__b.sql\n")?;
/// let row = OldRow { key: "1".to_owned(), success: true, ..OldRow::default() };
/// let applied = compare_history(&map, std::slice::from_ref(&row), &["V1__a.sql", "V2__b.sql"]).unwrap();
/// assert_eq!(applied[0].entry.file, "V1__a.sql");
/// # Ok::<(), jetbase_core::AdoptMapError>(())
/// ```
pub fn compare_history<'m>(
    map: &'m AdoptMap,
    rows: &'m [OldRow],
    files: &[&str],
) -> Result<Vec<AdoptedEntry<'m>>, AdoptError> {
    let mut problems: Vec<_> = map
        .entries
        .iter()
        .filter(|entry| !files.contains(&entry.file.as_str()))
        .map(|entry| AdoptProblem::NoFile { file: entry.file.clone() })
        .collect();
    let mut applied: Vec<&OldRow> = Vec::new();
    let mut baseline: Option<(Version, &OldRow)> = None;
    for row in rows {
        let key = row.key.clone();
        match (row.kind.as_str(), row.success) {
            (_, false) => problems.push(AdoptProblem::Dirty { key }),
            ("SCHEMA", _) => {}
            ("BASELINE", _) => baseline = Version::parse(&key).ok().map(|version| (version, row)),
            ("UNDO_SQL", _) => applied.retain(|it| !is_same(map.tool, &it.key, &row.key)),
            ("" | "SQL", _) => {
                // A repeatable script has a row for each of its runs; the last one counts.
                applied.retain(|it| it.key != row.key);
                applied.push(row);
            }
            (kind, _) => {
                // A person has written its SQL file and the line of the map.
                let line = map.entries.iter().find(|it| is_same(map.tool, &row.key, &it.key));
                if line.is_some_and(|line| line.checksums.is_empty()) {
                    applied.push(row);
                } else {
                    problems.push(AdoptProblem::Kind { key, kind: kind.to_owned() });
                }
            }
        }
    }
    let mut found = vec![false; applied.len()];
    let mut entries = Vec::new();
    let mut missing = Vec::new();
    for entry in &map.entries {
        let version = version_of(entry);
        let at = applied.iter().position(|row| is_same(map.tool, &row.key, &entry.key));
        let Some((at, row)) = at.and_then(|at| Some((at, *applied.get(at)?))) else {
            match (&version, &baseline) {
                (Some(version), Some((baseline, row))) if version <= baseline => {
                    entries.push(AdoptedEntry { entry, row });
                }
                (Some(version), _) => missing.push((version.clone(), entry)),
                (None, _) => {}
            }
            continue;
        };
        if let Some(found) = found.get_mut(at) {
            *found = true;
        }
        let agrees = entry.checksums.is_empty() || entry.checksums.contains(&row.checksum);
        match (agrees, version) {
            // Without a checksum, a repeatable script counts as changed, so it runs again.
            (true, None) if entry.checksums.is_empty() => {}
            (true, _) => entries.push(AdoptedEntry { entry, row }),
            (false, Some(_)) => problems
                .push(AdoptProblem::Edited { key: row.key.clone(), file: entry.file.clone() }),
            // A repeatable script with another text runs again.
            (false, None) => {}
        }
    }
    let unknown = applied.iter().zip(&found).filter(|(_, found)| !**found);
    problems.extend(unknown.map(|(row, _)| AdoptProblem::Unknown { key: row.key.clone() }));
    let latest = entries.iter().filter_map(|it| version_of(it.entry)).max();
    for (version, entry) in missing {
        if let Some(latest) = latest.clone().filter(|latest| version < *latest) {
            problems.push(AdoptProblem::NotApplied { file: entry.file.clone(), latest });
        }
    }
    if problems.is_empty() { Ok(entries) } else { Err(AdoptError { tool: map.tool, problems }) }
}

fn version_of(entry: &MapEntry) -> Option<Version> {
    Name::parse(&entry.file).ok()?.version
}

/// Whether two words name the same migration. For Flyway, `1` and `1.0` are one version.
fn is_same(tool: OldTool, row: &str, entry: &str) -> bool {
    if row == entry || tool != OldTool::Flyway {
        return row == entry;
    }
    matches!((Version::parse(row), Version::parse(entry)), (Ok(row), Ok(entry)) if row == entry)
}

#[cfg(test)]
mod tests;
