//! The error of a command: what failed, and what to do about it.

mod adopt;
mod database;
mod file;
mod journal;
mod kind;
mod lock_file;
mod namespace;
mod server;
mod setting;
mod statement;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use jetbase_core::PlanError;

pub use self::adopt::AdoptionError;
pub use self::database::DatabaseErrorKind;
pub use self::file::FileErrorKind;
pub use self::journal::JournalError;
pub use self::kind::{ErrorKind, Outcome};
pub use self::lock_file::{LockFileError, LockFileErrorKind};
pub use self::namespace::NamespaceError;
pub use self::server::ServerError;
pub use self::setting::{SettingError, UrlError};
pub use self::statement::{Kept, StatementError};
pub use self::table::TableError;
use crate::Report;
use crate::connection::{Cause, CauseKind};

/// Why a command failed, and what it had done before.
///
/// The text says what happened, where, why, and what to do next. The text may change between
/// versions. A program should match on [`Error::kind`].
///
/// [`source`](std::error::Error::source) returns the error of the driver, if a database or a
/// connection caused this one. It can be downcast to [`sqlx::Error`](crate::sqlx::Error). `{}` does
/// not print the message of the source: a program that prints a chain of errors prints the source
/// next. `{:#}` and `{:?}` print everything in one text, so `fn main() -> Result<(), Error>` shows
/// everything.
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// use std::error::Error as _;
///
/// # use jetbase_core::{Migrations, Options};
/// # use jetbase_runtime::{ErrorKind, run_url, sqlx};
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// # let set = Migrations::load(Vec::new(), Options::NONE);
/// let error = run_url(&set, "sqlite:no/such/folder.db").await.unwrap_err();
/// assert!(matches!(error.kind(), ErrorKind::Database { code, .. } if code == "14"));
///
/// let driver = error.source().and_then(|source| source.downcast_ref::<sqlx::Error>()).unwrap();
/// assert!(matches!(driver, sqlx::Error::Database(_)));
///
/// let message = "unable to open database file";
/// assert!(!format!("{error}").contains(message));
/// assert!(format!("{error:#}").contains(message));
/// assert!(format!("{error:?}").contains(message));
/// # });
/// ```
pub struct Error {
    kind: Box<ErrorKind>,
    report: Box<Report>,
    source: Option<Arc<sqlx::Error>>,
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

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Error {
            kind: Box::new(kind),
            report: Box::default(),
            source: None,
            retry: Retry::No,
            restart: false,
        }
    }

    pub(crate) fn file(file: impl Into<String>, kind: FileErrorKind) -> Self {
        Error::new(ErrorKind::File { file: file.into(), kind })
    }

    pub(crate) fn database(doing: impl Into<String>, cause: &Cause) -> Self {
        if let Some(table) = &cause.untrusted {
            return TableError::from(table.clone()).into();
        }
        let retry = match cause.kind {
            _ if cause.is_full() || cause.is_contended() => Retry::Yes,
            CauseKind::Unavailable => Retry::Yes,
            CauseKind::Lost => Retry::IfServerWasThere,
            CauseKind::Database | CauseKind::Client => Retry::No,
        };
        let kind = ErrorKind::Database {
            doing: doing.into(),
            message: cause.message.clone(),
            code: cause.code.clone(),
            kind: DatabaseErrorKind::of(cause),
            primary: None,
            kept: Kept::Nothing,
        };
        Error { retry, ..Error::new(kind).caused_by(cause) }
    }

    /// Turns the cause of a failure into an error that says what jetbase was doing.
    pub(crate) fn during<C: Into<Cause>>(doing: &str) -> impl FnOnce(C) -> Error {
        move |cause| Error::database(doing, &cause.into())
    }

    /// Sets the driver's error as the source.
    pub(crate) fn caused_by(self, cause: &Cause) -> Self {
        Error { source: cause.source.clone(), ..self }
    }

    /// Replaces the kind, and keeps the source.
    pub(crate) fn with_kind(self, kind: ErrorKind) -> Self {
        Error { kind: Box::new(kind), ..self }
    }

    /// Lets the run release the lock and start again, as a new process would.
    pub(crate) fn restarting(self) -> Self {
        Error { restart: self.retry == Retry::Yes, ..self }
    }

    /// Whether the run may start again although it has applied files.
    pub(crate) fn restarts(&self) -> bool {
        self.restart
    }

    /// Whether other clients prevented the command for a moment.
    pub(crate) fn is_contended(&self) -> bool {
        match self.kind() {
            ErrorKind::Database { code, .. } => {
                Cause { code: code.clone(), ..Cause::default() }.is_contended()
            }
            _ => false,
        }
    }

    /// Whether the server accepts no writes.
    pub(crate) fn is_read_only(&self) -> bool {
        matches!(self.kind(), ErrorKind::Database { kind: DatabaseErrorKind::ReadOnly, .. })
    }

    /// Says what a node of a MySQL group is that accepts no writes, and which node accepts them.
    pub(crate) fn on_group_node(
        mut self,
        class: DatabaseErrorKind,
        address: Option<String>,
    ) -> Self {
        if let ErrorKind::Database { kind, primary, .. } = self.kind.as_mut() {
            (*kind, *primary) = (class, address);
        }
        self
    }

    /// Adds a hint to the error of a statement.
    pub(crate) fn hinting(mut self, hint: String) -> Self {
        if let ErrorKind::Statement(failed) = self.kind.as_mut() {
            failed.hint = Some(match failed.hint.take() {
                Some(first) => format!("{first}; {hint}"),
                None => hint,
            });
        }
        self
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

macro_rules! from_kind {
    ($($Part:ident => $Variant:ident),*) => {
        $(
            impl From<$Part> for Error {
                fn from(part: $Part) -> Self {
                    Error::new(ErrorKind::$Variant(part))
                }
            }
        )*
    };
}

from_kind!(
    PlanError => Refused,
    ServerError => Server,
    NamespaceError => Namespace,
    TableError => Table,
    SettingError => Setting,
    JournalError => Journal,
    LockFileError => LockFile,
    AdoptionError => Adoption
);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() || self.source.is_none() {
            fmt::Display::fmt(&self.kind, f)?;
        } else {
            self.kind.write_without_source(f)?;
        }
        let together = &self.report.same_transaction;
        if !together.is_empty() {
            let names = together.join(", ");
            write!(f, "\nthe same holds for the files before it in its transaction: {names}")?;
        }
        if !self.report.applied.is_empty() {
            let names: Vec<_> = self.report.applied.iter().map(|it| it.file.as_str()).collect();
            write!(f, "\ndone before this error, and kept: {}", names.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `fn main() -> Result<(), Box<dyn Error>>` prints `Debug`, so it must be readable too.
        write!(f, "{self:#}")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}
