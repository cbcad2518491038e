//! The error of a command: what failed, and what to do about it.

mod statement;

use std::fmt;
use std::time::Duration;

use jetbase_core::{Finding, Refusal};

pub use self::statement::{Kept, StatementError};
use crate::Report;
use crate::connection::{Cause, CauseKind};

/// Why a command failed, and what it had done before.
///
/// The text says what happened, where, why, and what to do next. The text may change between
/// versions. A program should match on [`Error::kind`].
pub struct Error {
    kind: Box<ErrorKind>,
    report: Box<Report>,
    retry: Retry,
    /// Whether a run that has already applied files may start again, as a new process would.
    restart: bool,
}

/// Whether a run that has done nothing yet may succeed if it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    No,
    /// Retry if the server was there before: the connection was lost, or could not be opened.
    IfServerWasThere,
    /// Retry: the server is starting, is full, or is busy with other clients.
    Yes,
}

/// What went wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The set and the history contradict each other, or the request cannot be met.
    Refused(Refusal),
    /// Files of the set cannot be executed on this database.
    Findings(Vec<Finding>),
    /// The run would work in another schema, or as another user, than the caller.
    Place(String),
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
    /// A statement of a file failed.
    Statement(Box<StatementError>),
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
        /// What to do about it.
        help: String,
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
    /// The history could not be read.
    Unknown,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Error { kind: Box::new(kind), report: Box::default(), retry: Retry::No, restart: false }
    }

    pub(crate) fn place(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Place(message.into()))
    }

    pub(crate) fn database(doing: impl Into<String>, cause: &Cause) -> Self {
        let retry = match cause.kind {
            _ if cause.is_full() || cause.is_contended() => Retry::Yes,
            CauseKind::Absent => Retry::Yes,
            CauseKind::Lost => Retry::IfServerWasThere,
            _ => Retry::No,
        };
        if cause.kind == CauseKind::Untrusted {
            return Error::place(cause.message.clone());
        }
        let kind = ErrorKind::Database {
            doing: doing.into(),
            message: cause.message.clone(),
            code: cause.code.clone(),
            help: cure(cause),
            kept: Kept::Nothing,
        };
        Error { retry, ..Error::new(kind) }
    }

    /// Lets the run release the lock and start again, as a new process would.
    pub(crate) fn restarting(self) -> Self {
        Error { restart: self.retry == Retry::Yes, ..self }
    }

    /// Whether the run may start again although it has applied files.
    pub(crate) fn restarts(&self) -> bool {
        self.restart
    }

    /// Whether other clients were in the way for a moment.
    pub(crate) fn is_contended(&self) -> bool {
        match self.kind() {
            ErrorKind::Database { code, .. } => {
                Cause { code: code.clone(), ..Cause::default() }.is_contended()
            }
            _ => false,
        }
    }

    /// Records what remains of the file that was being executed.
    pub(crate) fn keeping(mut self, file_kept: Kept) -> Self {
        if let ErrorKind::Database { kept, .. } | ErrorKind::LockLost { kept, .. } =
            self.kind.as_mut()
        {
            *kept = file_kept;
        }
        self
    }

    /// Whether a retry may succeed. Only errors outside the execution of a file have it.
    pub(crate) fn retry(&self) -> Retry {
        self.retry
    }

    pub(crate) fn reporting(self, report: Report) -> Self {
        Error { report: Box::new(report), ..self }
    }

    /// Returns what went wrong, for programs.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Returns what had been done before the failure.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::new(ErrorKind::Refused(refusal))
    }
}

/// Returns what to do about an error of the database.
fn cure(cause: &Cause) -> String {
    let cure = match (cause.kind, cause.code.as_str()) {
        (CauseKind::Lost | CauseKind::Absent, _) => {
            "check that the server runs, and that host and port are right"
        }
        (_, "28P01" | "28000" | "1045" | "1698") => "check user and password",
        (_, "3D000" | "1049") => "create the database first; jetbase makes tables, not databases",
        (_, "1046") => "name a database in the URL",
        (_, "3F000") => "create the schema first; jetbase makes tables, not schemas",
        (_, "42501" | "1142" | "1044" | "1227") => {
            "grant the right to this user, or run as the owner"
        }
        (_, "25006" | "1290" | "1792") => "connect to the primary, with write access",
        (_, "8") => "open the file with write access",
        (_, "53300" | "1040" | "1226" | "1203") => "wait, or raise the limit of connections",
        (_, "57P03") => "wait until the server has started",
        (_, "55P03" | "1205") => {
            "another connection locks the table jetbase_lock or jetbase_migrations; end it, or wait for it"
        }
        (_, "5" | "6" | "261" | "517") => {
            "another program writes to the file; wait until it is done"
        }
        (_, "14") => {
            "check that the file exists (`?mode=rwc` makes a new one), is no folder, and may be written"
        }
        (_, "26") => "check the path: the file is no SQLite database",
        (_, "13" | "53100" | "1021" | "1114") => "free space on the disk",
        (CauseKind::Client, _) => "check the URL and the pool's settings",
        (CauseKind::Database | CauseKind::Untrusted, _) => "",
    };
    cure.to_owned()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.kind, f)?;
        let done = self.report.applied.len();
        if done > 0 {
            let names: Vec<_> = self.report.applied.iter().map(|it| it.file.as_str()).collect();
            write!(f, "\ndone before that, and kept: {}", names.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `fn main() -> Result<(), Box<dyn Error>>` prints `Debug`, so it must be readable too.
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Refused(refusal) => refusal.fmt(f),
            ErrorKind::Findings(findings) => {
                for (n, finding) in findings.iter().enumerate() {
                    let separator = if n == 0 { "" } else { "\n" };
                    write!(f, "{separator}{}", finding.render(""))?;
                }
                Ok(())
            }
            ErrorKind::Place(message) => f.write_str(message),
            ErrorKind::Held { holder, since, alive, waited } => {
                write!(f, "the migration lock is held by {holder}")?;
                if let Some(since) = since {
                    write!(f, " since {since}")?;
                }
                if !waited.is_zero() {
                    write!(f, ", and did not come free within {waited:.1?}")?;
                }
                match alive {
                    Some(true) => f.write_str("; it is alive: wait for it, or end it; only `jetbase unlock --force` takes the lock away"),
                    _ => f.write_str("; if you are sure that it is dead, run `jetbase unlock`"),
                }
            }
            ErrorKind::Blocked { obstacle, waited } => write!(
                f,
                "the migration lock is free, and could not be taken within {waited:.1?}; what is in the way: \
                 {obstacle}; end that, or wait for it, and run again"
            ),
            ErrorKind::HolderBusy { holder } => write!(
                f,
                "the lock cannot be released now: {holder} is executing a migration under it; wait until it is \
                 done, or end it, and run `jetbase unlock` again"
            ),
            ErrorKind::LockLost { file, kept } => {
                f.write_str("the migration lock was taken away during the run; ")?;
                match (file, kept) {
                    (Some(file), Kept::Nothing) => {
                        write!(
                            f,
                            "{file} is not recorded, and nothing of it was kept: run again when nobody else migrates"
                        )
                    }
                    (Some(file), kept) => write!(f, "{file} is not recorded, {kept}"),
                    (None, _) => f.write_str("run again when nobody else migrates"),
                }
            }
            ErrorKind::Statement(error) => error.fmt(f),
            ErrorKind::Interrupted { file, outcome, message } => {
                write!(f, "the connection was lost during {file} ({message}); ")?;
                f.write_str(match outcome {
                    Outcome::Committed => "the history says that it was applied: run again for the rest",
                    Outcome::RolledBack => "the history says that it was not applied, and nothing of it is left: run again",
                    Outcome::InDoubt => {
                        "it is not recorded, but one of its statements may have taken effect: look, then run again"
                    }
                    Outcome::Unknown => "whether it was applied, the history will tell: run again",
                })
            }
            ErrorKind::Database { doing, message, code, help, kept } => {
                write!(f, "{doing}: {message}")?;
                if !code.is_empty() {
                    write!(f, " ({code})")?;
                }
                if !help.is_empty() {
                    write!(f, "; {help}")?;
                }
                match kept {
                    Kept::Nothing => Ok(()),
                    kept => write!(f, "; {kept}"),
                }
            }
            ErrorKind::Cancelled => f.write_str("the run was stopped before it began"),
        }
    }
}
