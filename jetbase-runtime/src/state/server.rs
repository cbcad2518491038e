//! Which servers jetbase works with, and what they say about themselves.

use jetbase_core::{Dialect, Server};

use crate::connection::ResultRow;
use crate::error::ServerError;

/// The servers that jetbase works with, as a text.
pub(super) fn supported(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "PostgreSQL 13 and newer",
        Dialect::MySql => "MySQL 8.0 and newer, and MariaDB 10.5 and newer",
        Dialect::Sqlite => "SQLite",
    }
}

/// The query that returns only the version.
pub(super) fn version_query(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "SELECT pg_catalog.version()",
        Dialect::MySql => "SELECT VERSION()",
        Dialect::Sqlite => "SELECT sqlite_version()",
    }
}

/// Fails if the server is too old, or if its version contradicts what it does.
pub(super) fn check_server(dialect: Dialect, facts: &ResultRow) -> Result<(), ServerError> {
    let server = facts.text("server_version");
    check_version(dialect, server)?;
    match dialect {
        Dialect::Postgres => {
            let number = facts.text("version_number").parse::<u32>().unwrap_or_default() / 10_000;
            match postgres_major(server) {
                Some(major) if major != number => {
                    Err(odd(server, &format!("`server_version_num` is that of version {number}")))
                }
                _ => Ok(()),
            }
        }
        Dialect::MySql => {
            match (Server::of_version(version_of(server)), facts.text("runs_comments_of")) {
                (Server::MySql(_), "MySQL") | (Server::MariaDb(_), "MariaDB") => Ok(()),
                (_, "") => Err(odd(
                    server,
                    "it runs neither the executable comments of MySQL 8.0 nor those of MariaDB 10.5",
                )),
                (_, family) => {
                    Err(odd(server, &format!("it runs the executable comments of {family}")))
                }
            }
        }
        Dialect::Sqlite => Ok(()),
    }
}

/// Fails if the version is that of a server that is too old.
pub(super) fn check_version(dialect: Dialect, server: &str) -> Result<(), ServerError> {
    let (oldest, reason) = match dialect {
        Dialect::Postgres if postgres_major(server).is_some_and(|major| major < 13) => {
            ("PostgreSQL 13", "older versions have no function `pg_current_xact_id`")
        }
        Dialect::MySql => match Server::of_version(version_of(server)) {
            Server::MySql(version) if version < 80_000 => {
                ("MySQL 8.0", "in older versions, a DDL statement is not atomic")
            }
            Server::MariaDb(version) if version < 100_500 => {
                ("MariaDB 10.5", "older versions are not tested")
            }
            _ => return Ok(()),
        },
        Dialect::Postgres | Dialect::Sqlite => return Ok(()),
    };
    Err(ServerError::TooOld {
        server: name(dialect, server),
        oldest: oldest.to_owned(),
        reason: reason.to_owned(),
    })
}

/// Whether the text names a server that jetbase works with.
pub(super) fn is_known(dialect: Dialect, server: &str) -> bool {
    match dialect {
        Dialect::Postgres => postgres_major(server).is_some(),
        Dialect::MySql => Server::of_version(version_of(server)) != Server::Unknown,
        Dialect::Sqlite => true,
    }
}

/// The server's name and version, without its platform.
pub(super) fn name(dialect: Dialect, server: &str) -> String {
    let server = server.split(" on ").next().unwrap_or_default().trim();
    match (dialect, Server::of_version(version_of(server))) {
        (Dialect::MySql, Server::MySql(_)) => format!("MySQL {server}"),
        _ => server.to_owned(),
    }
}

/// The version in a text of MySQL or MariaDB, without the comment behind it, which can name anything.
pub(super) fn version_of(server: &str) -> &str {
    server.split_whitespace().next().unwrap_or_default()
}

/// The major version in a text such as `PostgreSQL 15.20 on x86_64`.
fn postgres_major(server: &str) -> Option<u32> {
    let number = server.strip_prefix("PostgreSQL ")?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn odd(server: &str, contradiction: &str) -> ServerError {
    let server = server.split(" on ").next().unwrap_or_default().trim().to_owned();
    ServerError::OddVersion { server, contradiction: contradiction.to_owned() }
}
