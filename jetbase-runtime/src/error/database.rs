//! The classes of database errors, each with its remedy.

use crate::connection::{Cause, CauseKind};

/// The class of a database error.
///
/// The code of the error is more exact. It is different in each database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatabaseErrorKind {
    /// The server cannot be reached, or the connection was lost.
    Unreachable,
    /// The client refused before it sent anything.
    Client,
    /// The server refused the user or the password.
    LoginRefused,
    /// The database does not exist.
    NoDatabase,
    /// The URL names no database.
    NoDatabaseNamed,
    /// The schema does not exist.
    NoSchema,
    /// The user does not have the right.
    MissingRight,
    /// The server accepts no writes.
    ReadOnly,
    /// The server is a node of a MySQL group, and another node accepts the writes.
    Secondary,
    /// The server has left its MySQL group, and accepts no writes.
    OutsideGroup,
    /// The MySQL group refuses the transactions of this node at the moment.
    RefusedByGroup,
    /// The SQLite file accepts no writes.
    ReadOnlyFile,
    /// The server, or the user, has too many connections.
    TooManyConnections,
    /// The server is starting.
    Starting,
    /// Another connection locks a table of jetbase.
    Locked,
    /// Another program writes to the SQLite file.
    FileBusy,
    /// The SQLite file cannot be opened.
    FileNotOpened,
    /// The file is not an SQLite database.
    NotADatabase,
    /// The disk is full.
    DiskFull,
    /// Any other error.
    Other,
}

impl DatabaseErrorKind {
    pub(crate) fn of(cause: &Cause) -> Self {
        match (cause.kind, cause.code.as_str()) {
            (CauseKind::Lost | CauseKind::Unavailable, _) => DatabaseErrorKind::Unreachable,
            (_, "28P01" | "28000" | "1045" | "1698") => DatabaseErrorKind::LoginRefused,
            (_, "3D000" | "1049") => DatabaseErrorKind::NoDatabase,
            (_, "1046") => DatabaseErrorKind::NoDatabaseNamed,
            (_, "3F000") => DatabaseErrorKind::NoSchema,
            (_, "42501" | "1142" | "1044" | "1227") => DatabaseErrorKind::MissingRight,
            (_, "25006" | "1290" | "1792") => DatabaseErrorKind::ReadOnly,
            _ if cause.is_refused_by_group() => DatabaseErrorKind::RefusedByGroup,
            (_, "8") => DatabaseErrorKind::ReadOnlyFile,
            (_, "53300" | "1040" | "1226" | "1203") => DatabaseErrorKind::TooManyConnections,
            (_, "57P03") => DatabaseErrorKind::Starting,
            (_, "55P03" | "1205") => DatabaseErrorKind::Locked,
            (_, "5" | "6" | "261" | "517") => DatabaseErrorKind::FileBusy,
            (_, "14") => DatabaseErrorKind::FileNotOpened,
            (_, "26") => DatabaseErrorKind::NotADatabase,
            (_, "13" | "53100" | "1021" | "1114") => DatabaseErrorKind::DiskFull,
            (CauseKind::Client, _) => DatabaseErrorKind::Client,
            (CauseKind::Database, _) => DatabaseErrorKind::Other,
        }
    }

    /// Returns what to do about the error. It is empty for [`DatabaseErrorKind::Other`].
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            DatabaseErrorKind::Unreachable => {
                "check that the server runs, and that host and port are right"
            }
            DatabaseErrorKind::Client => "check the URL and the pool's settings",
            DatabaseErrorKind::LoginRefused => "check user and password",
            DatabaseErrorKind::NoDatabase => {
                "create the database first: jetbase creates tables, not databases"
            }
            DatabaseErrorKind::NoDatabaseNamed => "name a database in the URL",
            DatabaseErrorKind::NoSchema => {
                "create the schema first: jetbase creates tables, not schemas"
            }
            DatabaseErrorKind::MissingRight => "grant the right to this user, or run as the owner",
            DatabaseErrorKind::ReadOnly => {
                "the server accepts no writes: connect to the primary, with write access"
            }
            DatabaseErrorKind::Secondary => {
                "the server is a secondary of its group and accepts no writes: connect to its primary"
            }
            DatabaseErrorKind::OutsideGroup => {
                "the server has left its group and accepts no writes: connect to another node of the \
                 group, or let the server join again"
            }
            DatabaseErrorKind::RefusedByGroup => {
                "the group of this MySQL server refuses transactions of this node at the moment: run \
                 again when the node has caught up with the group"
            }
            DatabaseErrorKind::ReadOnlyFile => "open the file with write access",
            DatabaseErrorKind::TooManyConnections => "wait, or raise the limit of connections",
            DatabaseErrorKind::Starting => "wait until the server has started",
            DatabaseErrorKind::Locked => {
                "another connection locks the table jetbase_lock or jetbase_migrations: end it, or wait \
                 until it ends"
            }
            DatabaseErrorKind::FileBusy => {
                "another program writes to the file: wait until it is done"
            }
            DatabaseErrorKind::FileNotOpened => {
                "check that the file exists (`?mode=rwc` creates it), is not a folder, and may be \
                 written"
            }
            DatabaseErrorKind::NotADatabase => "check the path: the file is not an SQLite database",
            DatabaseErrorKind::DiskFull => "free space on the disk",
            DatabaseErrorKind::Other => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn an_error_on_a_node_of_a_group_says_which_node_accepts_writes() {
        let read_only = || {
            let (code, message) = ("1290".to_owned(), "the message".to_owned());
            Error::database("unlocking", &Cause { code, message, ..Cause::default() })
        };
        assert!(read_only().is_read_only());
        let secondary = DatabaseErrorKind::Secondary;
        let errors = [
            read_only(),
            read_only().on_group_node(secondary, Some("db2:3306".to_owned())),
            read_only().on_group_node(secondary, None),
            read_only().on_group_node(DatabaseErrorKind::OutsideGroup, None),
        ];
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(texts.join("\n"), @"
        unlocking: the message (1290); the server accepts no writes: connect to the primary, with write access
        unlocking: the message (1290); the server is a secondary of its group and accepts no writes: connect to its primary, db2:3306
        unlocking: the message (1290); the server is a secondary of its group and accepts no writes: connect to its primary
        unlocking: the message (1290); the server has left its group and accepts no writes: connect to another node of the group, or let the server join again
        ");
    }
}
