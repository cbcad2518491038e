//! Creates the lines of a diagnosis.

use super::{Diagnostic, DiagnosticLevel};
use crate::error::{Error, ErrorKind, NamespaceError, TableError};

pub(super) fn good(subject: &'static str, message: impl Into<String>) -> Diagnostic {
    Diagnostic {
        subject,
        level: DiagnosticLevel::Good,
        message: message.into(),
        help: String::new(),
    }
}

pub(super) fn warning(
    subject: &'static str,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Diagnostic {
    Diagnostic { help: help.into(), level: DiagnosticLevel::Warning, ..good(subject, message) }
}

pub(super) fn blocker(
    subject: &'static str,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Diagnostic {
    Diagnostic { level: DiagnosticLevel::Blocker, ..warning(subject, message, help) }
}

/// Returns the line of an error that would stop a run. The text of an error ends with its remedy.
pub(super) fn blocked(error: &Error) -> Diagnostic {
    let text = format!("{error:#}");
    let (message, help) = text.split_once("; ").unwrap_or((&text, "correct this, and run again"));
    blocker(subject_of(error.kind()), message, help)
}

fn subject_of(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Namespace(NamespaceError::InTransaction) => "connection",
        ErrorKind::Namespace(
            NamespaceError::RoleDenied { .. }
            | NamespaceError::RoleUnsupported { .. }
            | NamespaceError::OtherUser { .. },
        ) => "user",
        ErrorKind::Server(_) => "server",
        ErrorKind::Journal(_) => "journal",
        ErrorKind::Namespace(_) => "schema",
        ErrorKind::Table(TableError::RowsFiltered) => "row_security",
        ErrorKind::Table(_) => "tables",
        ErrorKind::Setting(_) => "settings",
        ErrorKind::LockFile(_) | ErrorKind::Blocked { .. } => "lock",
        ErrorKind::Findings(_) => "files",
        ErrorKind::Refused(_) => "history",
        _ => "connection",
    }
}
