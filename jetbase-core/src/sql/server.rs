//! Which server reads a text, and which comments of MySQL and MariaDB it runs as code.
//!
//! `/*!NNNNN … */` is code for a server of version NNNNN or newer. For every other server it is a
//! comment, and a quote in it does not open a string.

use crate::sql::bytes::run;

/// The server that reads a text of MySQL and MariaDB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Server {
    /// Any server that is in use. Other dialects always have this value.
    #[default]
    Unknown,
    /// MySQL of this version, such as 80036 for 8.0.36.
    MySql(u32),
    /// MariaDB of this version, such as 101106 for 10.11.6.
    MariaDb(u32),
}

/// Who runs the code in a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    Everybody,
    Somebody,
    Nobody,
}

/// What opens a comment with code: `/*!`, `/*!50003` or `/*M!100100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommentMark {
    /// The length of the mark, with its version.
    pub(crate) length: usize,
    pub(crate) runs: Runs,
    /// How deep comments nest in a server that skips it.
    pub(crate) nesting: Nesting,
}

/// How deep comments nest in a comment that a server skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nesting {
    None,
    Once,
    /// MySQL takes `/*M!` for a plain comment, MariaDB does not.
    Both,
}

/// No MySQL before this version is in use, and MariaDB runs no `/*!` of this version or above.
const OLDEST: u32 = 50_700;

/// No server has reached this version in five digits, and none will soon.
const UNRELEASED: u32 = 99_000;

/// From this version on, MySQL reads a sixth digit if a blank follows it.
const SIX_DIGITS: u32 = 80_100;

impl Server {
    /// The oldest servers in use: they run the fewest comments.
    pub(crate) const OLDEST_MYSQL: Server = Server::MySql(OLDEST - 1);
    pub(crate) const OLDEST_MARIADB: Server = Server::MariaDb(100_000);

    /// Reads the result of `SELECT VERSION()`, such as `10.11.6-MariaDB-log` or `9.7.0`.
    #[must_use]
    pub fn of_version(version: &str) -> Self {
        // MariaDB puts this in front of its version for old clients.
        let own = version.strip_prefix("5.5.5-").unwrap_or(version);
        let number = |text: &str| text.get(..run!(text, b'0'..=b'9'))?.parse::<u32>().ok();
        let mut parts = own.splitn(3, '.').map(number);
        let (Some(Some(major)), Some(Some(minor)), Some(Some(patch))) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Server::Unknown;
        };
        if major > 999 || minor > 99 || patch > 99 {
            return Server::Unknown;
        }
        let number = major * 10_000 + minor * 100 + patch;
        if own.to_ascii_lowercase().contains("mariadb") {
            Server::MariaDb(number)
        } else {
            Server::MySql(number)
        }
    }

    /// The mark at the start of a text.
    pub(crate) fn mark(self, text: &str) -> Option<CommentMark> {
        let (opens, code) = match text.strip_prefix("/*M!") {
            Some(code) => ("/*M!", code),
            None => ("/*!", text.strip_prefix("/*!")?),
        };
        let digits = run!(code, b'0'..=b'9').min(6);
        let version = CommentVersion::of(code, digits);
        let (read, runs) = match (self, opens) {
            (Server::MySql(_), "/*M!") => return None,
            (Server::MySql(own), _) => version.in_mysql(own),
            (Server::MariaDb(own), _) => version.in_mariadb(own, opens),
            (Server::Unknown, _) => version.anywhere(opens),
        };
        let nesting = match (self, opens) {
            (Server::Unknown, "/*M!") => Nesting::Both,
            _ => Nesting::Once,
        };
        Some(CommentMark { length: opens.len() + read, runs, nesting })
    }
}

/// The version in a mark, as five and as six digits.
struct CommentVersion {
    five: Option<u32>,
    six: Option<u32>,
    /// Whether a blank follows the sixth digit.
    closed: bool,
}

impl CommentVersion {
    fn of(code: &str, digits: usize) -> Self {
        let number =
            |length: usize| (digits >= length).then(|| code.get(..length)?.parse().ok()).flatten();
        let after = code.as_bytes().get(6);
        let closed = after.is_some_and(u8::is_ascii_whitespace) || after == Some(&0x0b);
        CommentVersion { five: number(5), six: number(6), closed }
    }

    fn in_mysql(&self, own: u32) -> (usize, Runs) {
        match (self.five, self.six) {
            (_, Some(six)) if self.closed && own >= SIX_DIGITS => (6, from(six, own)),
            (Some(five), _) => (5, from(five, own)),
            (None, _) => (0, Runs::Everybody),
        }
    }

    fn in_mariadb(&self, own: u32, opens: &str) -> (usize, Runs) {
        let (read, version) = match (self.five, self.six) {
            (_, Some(six)) => (6, six),
            (Some(five), None) => (5, five),
            (None, _) => return (0, Runs::Everybody),
        };
        let of_mysql = opens == "/*!" && (OLDEST..=99_999).contains(&version);
        (read, if of_mysql { Runs::Nobody } else { from(version, own) })
    }

    fn anywhere(&self, opens: &str) -> (usize, Runs) {
        match (self.five, self.six) {
            (_, Some(six)) if six >= UNRELEASED * 10 => (6, Runs::Nobody),
            (_, Some(_)) => (6, Runs::Somebody),
            (Some(_), None) if opens == "/*M!" => (5, Runs::Somebody),
            (Some(five), None) if five >= UNRELEASED => (5, Runs::Nobody),
            (Some(five), None) if five >= OLDEST => (5, Runs::Somebody),
            (Some(_), None) => (5, Runs::Everybody),
            (None, _) if opens == "/*M!" => (0, Runs::Somebody),
            (None, _) => (0, Runs::Everybody),
        }
    }
}

fn from(version: u32, own: u32) -> Runs {
    if version <= own { Runs::Everybody } else { Runs::Nobody }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_print_them() {
        for (version, server) in [
            ("9.7.0", Server::MySql(90_700)),
            ("8.0.36-0ubuntu0.22.04.1", Server::MySql(80_036)),
            ("5.7.44-log", Server::MySql(50_744)),
            ("10.11.6-MariaDB-log", Server::MariaDb(101_106)),
            ("5.5.5-10.4.8-mariadb", Server::MariaDb(100_408)),
            ("11.8.2-MariaDB-ubu2404", Server::MariaDb(110_802)),
            ("", Server::Unknown),
            ("8.0", Server::Unknown),
            ("PostgreSQL 17.2", Server::Unknown),
            ("99999999999.1.1", Server::Unknown),
        ] {
            assert_eq!(Server::of_version(version), server, "{version}");
        }
    }

    #[test]
    fn each_server_runs_its_own_comments() {
        let servers = [
            Server::MySql(80_036),
            Server::MySql(90_700),
            Server::MariaDb(101_106),
            Server::Unknown,
        ];
        for (text, wanted) in [
            ("/*! a", [(3, 'y'), (3, 'y'), (3, 'y'), (3, 'y')]),
            ("/*!5069 a", [(3, 'y'), (3, 'y'), (3, 'y'), (3, 'y')]),
            ("/*!40101 a", [(8, 'y'), (8, 'y'), (8, 'y'), (8, 'y')]),
            ("/*!50699 a", [(8, 'y'), (8, 'y'), (8, 'y'), (8, 'y')]),
            ("/*!50700 a", [(8, 'y'), (8, 'y'), (8, 'n'), (8, '?')]),
            ("/*!90000 a", [(8, 'n'), (8, 'y'), (8, 'n'), (8, '?')]),
            ("/*!99999 a", [(8, 'n'), (8, 'n'), (8, 'n'), (8, 'n')]),
            ("/*!080036 a", [(8, 'y'), (9, 'y'), (9, 'n'), (9, '?')]),
            ("/*!100100 a", [(8, 'y'), (9, 'n'), (9, 'y'), (9, '?')]),
            ("/*!100100a", [(8, 'y'), (8, 'y'), (9, 'y'), (9, '?')]),
            ("/*!999999 a", [(8, 'n'), (9, 'n'), (9, 'n'), (9, 'n')]),
            ("/*M!100100 a", [(0, ' '), (0, ' '), (10, 'y'), (10, '?')]),
            ("/*M!60000 a", [(0, ' '), (0, ' '), (9, 'y'), (9, '?')]),
            ("/*M! a", [(0, ' '), (0, ' '), (4, 'y'), (4, '?')]),
            ("/*M!999999\\- a", [(0, ' '), (0, ' '), (10, 'n'), (10, 'n')]),
            ("/* a", [(0, ' '), (0, ' '), (0, ' '), (0, ' ')]),
        ] {
            let found = servers.map(|server| match server.mark(text) {
                None => (0, ' '),
                Some(CommentMark { length, runs: Runs::Everybody, .. }) => (length, 'y'),
                Some(CommentMark { length, runs: Runs::Somebody, .. }) => (length, '?'),
                Some(CommentMark { length, runs: Runs::Nobody, .. }) => (length, 'n'),
            });
            assert_eq!(found, wanted, "{text}");
        }
    }
}
