//! The kinds of errors, and their texts.

use std::borrow::Cow;
use std::fmt::{self, Display as _};
use std::time::Duration;

use jetbase_core::{Finding, PlanError};

use super::journal::permanent;
use super::{
    AdoptionError, DatabaseErrorKind, FileErrorKind, JournalError, Kept, LockFileError,
    NamespaceError, ServerError, SettingError, StatementError, TableError,
};
use crate::report::SHORTEST_REPORTED;

/// What went wrong.
///
/// # Examples
///
/// ```
/// # use jetbase_runtime::{Error, ErrorKind};
/// /// Whether a job should try again later.
/// fn is_temporary(error: &Error) -> bool {
///     matches!(error.kind(), ErrorKind::Held { .. } | ErrorKind::Blocked { .. })
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The set and the history contradict each other, or the request cannot be met.
    Refused(PlanError),
    /// Files of the set cannot be executed on this database.
    Findings(Vec<Finding>),
    /// The server is not one that jetbase can work with.
    Server(ServerError),
    /// The database, the schema or the user is not the one that the run needs.
    Namespace(NamespaceError),
    /// A table of jetbase cannot be used, or its rows cannot be trusted.
    Table(TableError),
    /// An environment variable, or a URL, is not valid.
    Setting(SettingError),
    /// The lock file beside an SQLite database cannot be used.
    LockFile(LockFileError),
    /// An unfinished file cannot go on, or keeps the command from its work.
    Journal(JournalError),
    /// The history of another tool cannot be adopted.
    Adoption(AdoptionError),
    /// A file cannot be executed in this program, or over this connection.
    File {
        /// The path of the file in its folder.
        file: String,
        /// Why it cannot be executed.
        kind: FileErrorKind,
    },
    /// Another process has held the lock for longer than the run may wait.
    Held {
        /// A description of the holder.
        holder: String,
        /// Since when it holds the lock, as the database prints it.
        since: Option<String>,
        /// Whether the holder is alive; `None` if its liveness cannot be checked.
        alive: Option<bool>,
        /// How long the run waited.
        waited: Duration,
    },
    /// The lock is free, but it could not be acquired for as long as the run may wait.
    Blocked {
        /// A description of what prevents it.
        obstacle: String,
        /// How long the run waited.
        waited: Duration,
    },
    /// The lock cannot be unlocked while its holder executes a migration.
    HolderBusy {
        /// A description of the holder.
        holder: String,
    },
    /// Another process took the lock away during the run.
    LockLost {
        /// The file that was not recorded.
        file: Option<String>,
        /// What remains of that file.
        kept: Kept,
    },
    /// The session lock could not be moved to the new session that the next file needs (MySQL).
    SessionLockNotMoved,
    /// While the run waited for the lock, files became pending that this run cannot execute safely.
    /// The next run can.
    PlanChanged,
    /// A statement of a file failed.
    Statement(Box<StatementError>),
    /// The run was asked to stop at once while it executed a file. The fields say which statement was
    /// cancelled, or would have come next, and what remains of the file.
    Stopped(Box<StatementError>),
    /// The connection was lost while a file was executed.
    Interrupted {
        /// The name of the file.
        file: String,
        /// What the history says about the file.
        outcome: Outcome,
        /// The message of the driver.
        message: String,
    },
    /// The database refused a statement that jetbase itself sent.
    Database {
        /// What jetbase was doing.
        doing: String,
        /// The message of the database.
        message: String,
        /// The code of the database: SQLSTATE, error number or result code.
        code: String,
        /// The class of the error, with its remedy.
        kind: DatabaseErrorKind,
        /// The address of the server that accepts writes, if the server is a secondary of a MySQL
        /// group and the user may read it.
        primary: Option<String>,
        /// What remains of the file that was being executed.
        kept: Kept,
    },
    /// The run was asked to stop.
    Cancelled,
}

/// Whether an interrupted file was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The row of the file is in the history.
    Committed,
    /// The row is not in the history, and the file left nothing behind.
    RolledBack,
    /// The row is not in the history, but some statements of the file commit by themselves.
    InDoubt,
    /// The row is not in the history, and only a part of the file is permanent.
    Unfinished {
        /// The number of statements that are permanent, from the first one of the section.
        done: usize,
        /// The number of the statement of which it is not known whether it has taken effect.
        in_doubt: Option<usize>,
    },
    /// The history does not show it, or could not be read.
    Unknown,
}

/// Whether a text contains the message of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SourceMessage {
    Shown,
    Omitted,
}

impl ErrorKind {
    /// Writes the text without the message that the error's source has.
    pub(super) fn write_without_source(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, SourceMessage::Omitted)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, source: SourceMessage) -> fmt::Result {
        match self {
            ErrorKind::Refused(refusal) => refusal.fmt(f),
            ErrorKind::Findings(findings) => {
                for (n, finding) in findings.iter().enumerate() {
                    let separator = if n == 0 { "" } else { "\n" };
                    write!(f, "{separator}{}", finding.render(""))?;
                }
                Ok(())
            }
            ErrorKind::Server(error) => error.fmt(f),
            ErrorKind::Namespace(error) => error.fmt(f),
            ErrorKind::Table(error) => error.fmt(f),
            ErrorKind::Setting(error) => error.fmt(f),
            ErrorKind::LockFile(error) => error.fmt(f),
            ErrorKind::Journal(error) => error.fmt(f),
            ErrorKind::Adoption(error) => error.fmt(f),
            ErrorKind::File { file, kind } => write!(f, "{file} {kind}"),
            ErrorKind::Held { holder, since, alive, waited } => {
                write!(f, "the migration lock is held by {holder}")?;
                if let Some(since) = since {
                    write!(f, " since {since}")?;
                }
                if *waited >= SHORTEST_REPORTED {
                    write!(f, ", and was not released within {waited:.1?}")?;
                }
                f.write_str(match alive {
                    Some(true) => {
                        "; the holder is alive: wait until it is done, or end it; only `jetbase unlock --force` \
                         takes the lock away"
                    }
                    _ => "; if you are sure that the holder is dead, run `jetbase unlock`",
                })
            }
            ErrorKind::Blocked { obstacle, waited } => {
                f.write_str("the migration lock is free, but could not be acquired")?;
                if *waited >= SHORTEST_REPORTED {
                    write!(f, " within {waited:.1?}")?;
                }
                write!(
                    f,
                    "; the obstacle is {obstacle}; remove it, or wait until it ends, and run again"
                )
            }
            ErrorKind::HolderBusy { holder } => write!(
                f,
                "the lock cannot be released now: {holder} is executing a migration under it; wait until it is \
                 done, or end it, and run `jetbase unlock` again"
            ),
            ErrorKind::LockLost { file, kept } => {
                f.write_str("another process took the migration lock away during the run; ")?;
                match (file, kept) {
                    (Some(file), Kept::Nothing) => write!(
                        f,
                        "{file} is not recorded, and nothing of it was kept: run again when no other process migrates"
                    ),
                    (Some(file), kept) => write!(f, "{file} is not recorded, {kept}"),
                    (None, _) => f.write_str("run again when no other process migrates"),
                }
            }
            ErrorKind::SessionLockNotMoved => f.write_str(
                "the session lock could not be moved to the new session of the next file, because another session \
                 holds it; run again",
            ),
            ErrorKind::PlanChanged => f.write_str(
                "while this run waited for the lock, files became pending that commit by themselves; nothing was \
                 executed: run again",
            ),
            ErrorKind::Statement(error) => error.write(f, source == SourceMessage::Shown),
            ErrorKind::Stopped(error) => error.write_stopped(f),
            ErrorKind::Interrupted { file, outcome, message } => {
                write!(f, "the connection was lost during {file}")?;
                if source == SourceMessage::Shown {
                    write!(f, " ({message})")?;
                }
                write!(f, "; {}", outcome.help())
            }
            ErrorKind::Database { doing, message, code, kind, primary, kept } => {
                match source {
                    SourceMessage::Shown => write!(f, "{doing}: {message}")?,
                    SourceMessage::Omitted => write!(f, "{doing} failed")?,
                }
                if !code.is_empty() {
                    write!(f, " ({code})")?;
                }
                if *kind != DatabaseErrorKind::Other {
                    write!(f, "; {}", kind.help())?;
                }
                if let Some(primary) = primary {
                    write!(f, ", {primary}")?;
                }
                match kept {
                    Kept::Nothing => Ok(()),
                    kept => write!(f, "; {kept}"),
                }
            }
            ErrorKind::Cancelled => {
                f.write_str("the run was stopped before it executed anything; run again")
            }
        }
    }
}

impl Outcome {
    /// Returns what is known about the file, and what to do.
    fn help(self) -> Cow<'static, str> {
        let text = match self {
            Outcome::Unfinished { done, in_doubt } => return unfinished(done, in_doubt).into(),
            Outcome::Committed => {
                "the history shows that the file was committed: run again for the rest"
            }
            Outcome::RolledBack => {
                "the history shows that the file was not committed, and nothing of it was kept: run again"
            }
            Outcome::InDoubt => {
                "the file is not recorded, but one of its statements may have taken effect: check the \
                 database, then run again"
            }
            Outcome::Unknown => {
                "it is not known whether the file was committed: run `jetbase history` to see it, then run \
                 again"
            }
        };
        text.into()
    }
}

/// Returns what is known about a file of which only a part is permanent, and what to do.
fn unfinished(done: usize, in_doubt: Option<usize>) -> String {
    let done_text = match done {
        0 => "the file is not recorded, and no statement of it is known to be permanent".to_owned(),
        done => format!("the file is not recorded, and {} permanent", permanent(done)),
    };
    match in_doubt {
        Some(number) => format!(
            "{done_text}; statement {number} may have taken effect: run again, and the run finds it out or asks for it"
        ),
        None => format!("{done_text}: run again, and the run goes on at statement {}", done + 1),
    }
}

impl fmt::Display for ErrorKind {
    /// Writes the full text, with the message of the database.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, SourceMessage::Shown)
    }
}
