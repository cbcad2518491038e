//! The three families of SQL, and the settings of a server that change how text is cut.

use std::fmt;
use std::str::FromStr;

use crate::sql::server::Server;

/// A family of SQL that jetbase can migrate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
    /// SQLite.
    Sqlite,
}

impl Dialect {
    /// All dialects, in the order of the documentation.
    pub const ALL: [Dialect; 3] = [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite];

    /// Returns the name in macro options and messages: `postgres`, `mysql` or `sqlite`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Dialect::Postgres => "postgres",
            Dialect::MySql => "mysql",
            Dialect::Sqlite => "sqlite",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dialect::Postgres => "PostgreSQL",
            Dialect::MySql => "MySQL/MariaDB",
            Dialect::Sqlite => "SQLite",
        })
    }
}

impl FromStr for Dialect {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Dialect::ALL.into_iter().find(|dialect| dialect.name() == name).ok_or(())
    }
}

/// How a server reads quotes: its dialect and the settings that change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syntax {
    /// The family of SQL.
    pub dialect: Dialect,
    /// `"…"` is an identifier (always, except in MySQL without `ANSI_QUOTES`).
    pub ansi_quotes: bool,
    /// A backslash escapes inside plain `'…'` strings (MySQL without
    /// `NO_BACKSLASH_ESCAPES`; PostgreSQL with `standard_conforming_strings = off`).
    pub backslash_escapes: bool,
    /// Which comments are code (MySQL and MariaDB only).
    pub server: Server,
}

impl Syntax {
    /// Returns the syntax of a server with default settings.
    #[must_use]
    pub const fn of(dialect: Dialect) -> Self {
        let mysql = matches!(dialect, Dialect::MySql);
        Syntax { dialect, ansi_quotes: !mysql, backslash_escapes: mysql, server: Server::Unknown }
    }

    /// Returns the syntax of a MySQL or MariaDB server with default settings. The argument is the
    /// result of `SELECT VERSION()`, such as `10.11.6-MariaDB-log` or `9.7.0`.
    #[must_use]
    pub fn of_server(version: &str) -> Self {
        Syntax { server: Server::of_version(version), ..Syntax::of(Dialect::MySql) }
    }

    /// This syntax, and those of the servers whose reading of comments differs most from each other.
    pub(crate) fn of_each_server(self) -> Vec<Self> {
        let mut all = vec![self];
        if self.dialect == Dialect::MySql && self.server == Server::Unknown {
            all.push(Syntax { server: Server::OLDEST_MYSQL, ..self });
            all.push(Syntax { server: Server::OLDEST_MARIADB, ..self });
        }
        all
    }
}
