//! Why a plan cannot be made.

use std::fmt;

use crate::file::Version;
use crate::set::TextChange;

/// All problems that forbid a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError {
    /// At least one problem, those of the files first.
    pub problems: Vec<Problem>,
}

/// One reason that forbids a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A migration was edited after it had been applied.
    Changed {
        /// Its version.
        version: Version,
        /// Its file.
        file: String,
        /// The checksum in the history.
        recorded: String,
        /// The checksum of the file now.
        found: String,
        /// What has changed, as far as it can be known.
        change: Option<TextChange>,
    },
    /// An applied migration has the text of a file with another name, which is not applied.
    Renamed {
        /// The recorded version; `None` for a repeatable migration.
        version: Option<Version>,
        /// The recorded file.
        recorded: String,
        /// The file now.
        file: String,
    },
    /// The version was recorded from a file of another set.
    OtherSet {
        /// The version that both sets use.
        version: Version,
        /// The file of this set.
        file: String,
        /// The file in the history.
        recorded: String,
    },
    /// The history writes the version in another way, such as `1.0` for `1`.
    Respelled {
        /// The file of this set.
        file: String,
        /// The version in the history.
        recorded: Version,
    },
    /// A version is recorded, but its file is missing. The set has a higher version.
    Missing {
        /// The recorded version.
        version: Version,
        /// The recorded file.
        file: String,
    },
    /// A repeatable migration is recorded, but its file is missing.
    MissingRepeatable {
        /// The recorded file.
        file: String,
    },
    /// A version above all versions of the set is recorded, and the run may not tolerate it.
    Ahead {
        /// The recorded version.
        version: Version,
        /// The recorded file.
        file: String,
    },
    /// A new file has a version below an applied one.
    OutOfOrder {
        /// The new file.
        file: String,
        /// Its version.
        version: Version,
        /// The latest applied version.
        latest: Version,
    },
    /// No migration has the version at which the run should stop.
    UnknownVersion {
        /// The requested version.
        version: Version,
    },
    /// The version to roll back to is not applied.
    NotApplied {
        /// The requested version.
        version: Version,
    },
    /// A version cannot be rolled back, because its file is missing.
    NoFile {
        /// The version.
        version: Version,
        /// The recorded file.
        file: String,
    },
    /// A version cannot be rolled back, because its file has no rollback section.
    NoRollback {
        /// The file.
        file: String,
    },
    /// A version cannot be redone, because it is recorded: other databases may have applied it.
    Recorded {
        /// The file.
        file: String,
    },
    /// No repeatable file has the name.
    NotRepeatable {
        /// The requested name.
        file: String,
    },
    /// A baseline is for a database without a history.
    HasHistory {
        /// The number of rows of the history.
        rows: usize,
    },
}

impl Problem {
    /// Returns whether the history and the files contradict each other. Otherwise the request is wrong.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        !matches!(
            self,
            Problem::UnknownVersion { .. }
                | Problem::NotApplied { .. }
                | Problem::NoRollback { .. }
                | Problem::Recorded { .. }
                | Problem::NotRepeatable { .. }
                | Problem::HasHistory { .. }
        )
    }

    /// Returns what to do.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Problem::Changed { change: Some(TextChange::Comments), .. } => {
                "the schema stays the same: restore the file from version control, or run `jetbase fix-checksums`"
                    .to_owned()
            }
            Problem::Changed { change: Some(TextChange::NotInFile), .. } => {
                "find the text that this database has applied, and correct the schema with a new migration; if the schema \
                 is the same, run `jetbase fix-checksums`"
                    .to_owned()
            }
            Problem::Renamed { recorded, .. } => {
                format!("rename it back to {recorded}: it would be applied twice under the new name")
            }
            Problem::Changed { .. } => {
                "restore the file from version control, and write the change as a new migration".to_owned()
            }
            Problem::OtherSet { .. } => {
                "two sets of migrations share one history: give this set its own schema with `schema = \"…\"`, \
                 or its own database"
                    .to_owned()
            }
            Problem::Respelled { recorded, .. } => format!("write the version as `{recorded}` in the file's name"),
            Problem::Missing { file, .. } | Problem::NoFile { file, .. } => format!("restore {file} from version control"),
            Problem::MissingRepeatable { file } => {
                format!("restore {file} from version control, or run `jetbase fix-files` to delete the rows of missing files")
            }
            Problem::Ahead { .. } => "use a program or a folder that contains it".to_owned(),
            Problem::OutOfOrder { latest, .. } => format!("rename the file to a version above {latest}"),
            Problem::UnknownVersion { .. } => "name a version of the set".to_owned(),
            Problem::NotApplied { .. } => "name a version that the history shows as applied".to_owned(),
            Problem::Recorded { .. } => {
                "write the change as a new migration; to undo versions on purpose, use `rollback`".to_owned()
            }
            Problem::NotRepeatable { .. } => {
                "name a file of the set that begins with `ROC__` or `RA__`".to_owned()
            }
            Problem::HasHistory { .. } => {
                "run `jetbase status` to see it; to mark the versions above the applied ones as well, add `--force`"
                    .to_owned()
            }
            Problem::NoRollback { .. } => {
                "write a line `-- rollback`, and below it the statements that undo the file; \
                 if there is nothing to undo, write the line alone"
                    .to_owned()
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Changed { version, file, recorded, found, change } => {
                write!(
                    f,
                    "{file} was changed after version {version} had been applied (checksum {} was recorded, {} found)",
                    short(recorded),
                    short(found)
                )?;
                change.as_ref().map_or(Ok(()), |change| write!(f, ": {change}"))
            }
            Problem::Renamed { recorded, file, .. } => {
                write!(f, "{recorded} was renamed to {file} after it had been applied")
            }
            Problem::OtherSet { version, file, recorded } => {
                write!(
                    f,
                    "version {version} was recorded from another set ({recorded}, not {file})"
                )
            }
            Problem::Respelled { file, recorded } => {
                write!(
                    f,
                    "{file} is recorded as version {recorded}, which is another spelling of the same version"
                )
            }
            Problem::Missing { version, file } => {
                write!(f, "version {version} ({file}) has been applied, but its file is missing")
            }
            Problem::MissingRepeatable { file } => {
                write!(f, "{file} has been applied, but its file is missing")
            }
            Problem::Ahead { version, file } => {
                write!(
                    f,
                    "version {version} ({file}) has been applied, and is newer than every file here"
                )
            }
            Problem::OutOfOrder { file, version, latest } => {
                write!(
                    f,
                    "{file} is new, but its version {version} is below {latest}, which is applied"
                )
            }
            Problem::UnknownVersion { version } => {
                write!(f, "no migration has the version {version}")
            }
            Problem::NotApplied { version } => write!(f, "version {version} is not applied"),
            Problem::NoFile { version, file } => {
                write!(f, "version {version} cannot be rolled back: its file {file} is missing")
            }
            Problem::NoRollback { file } => {
                write!(f, "{file} cannot be rolled back: it has no rollback section")
            }
            Problem::Recorded { file } => {
                write!(
                    f,
                    "{file} cannot be redone: it is recorded, so other databases may have applied it"
                )
            }
            Problem::HasHistory { rows } => {
                let noun = if *rows == 1 { "row" } else { "rows" };
                write!(f, "the history has {rows} {noun} already, so this database is no new one")
            }
            Problem::NotRepeatable { file } => {
                write!(f, "no repeatable migration has the name {}", file.escape_debug())
            }
        }
    }
}

fn short(checksum: &str) -> &str {
    checksum.get(..8).unwrap_or(checksum)
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            let separator = if n == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}; {}", problem.help())?;
        }
        Ok(())
    }
}

impl std::error::Error for PlanError {}
