//! Database URLs in the form of SQLAlchemy or of sqlx.

use std::fmt;
use std::path::Path;

use jetbase_core::Dialect;

/// The variables with the database's URL. The first one that is set counts.
pub(crate) const URLS: [&str; 3] =
    ["JETBASE_DATABASE_URL", "JETBASE_SQLALCHEMY_URL", "DATABASE_URL"];

/// The variable with the URL that bypasses a pooler.
pub(crate) const DIRECT_URL: &str = "JETBASE_DIRECT_URL";

/// The address of a database.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DatabaseAddress {
    dialect: Dialect,
    /// The URL without its parameters, in the form of sqlx.
    url: String,
    parameters: Vec<(String, String)>,
}

impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        f.debug_struct("DatabaseAddress").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

/// Parameters with different names in SQLAlchemy's MySQL drivers and in sqlx.
const MYSQL: [(&str, &str); 5] = [
    ("unix_socket", "socket"),
    ("ssl_ca", "ssl-ca"),
    ("ssl_cert", "ssl-cert"),
    ("ssl_key", "ssl-key"),
    ("ssl_mode", "ssl-mode"),
];

/// The parameters of SQLite URLs that sqlx knows. The others are for Python only.
const SQLITE: [&str; 4] = ["mode", "cache", "immutable", "vfs"];

impl DatabaseAddress {
    /// Parses a URL. A relative file of SQLite is relative to `base`.
    ///
    /// The error quotes only the scheme, because the rest may contain a password.
    pub(crate) fn parse(text: &str, base: &Path) -> Result<Self, String> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(format!("it has no scheme; {EXPECTED}"));
        };
        let (name, _driver) = scheme.split_once('+').unwrap_or((scheme, ""));
        let (rest, parameters) = match rest.split_once('?') {
            Some((rest, parameters)) => (rest, pairs(parameters)),
            None => (rest, Vec::new()),
        };
        match name.to_ascii_lowercase().as_str() {
            "postgresql" | "postgres" => Ok(DatabaseAddress {
                dialect: Dialect::Postgres,
                url: format!("postgres:{rest}"),
                parameters,
            }),
            "mysql" | "mariadb" => {
                let parameters = parameters.into_iter().map(|(key, value)| {
                    let known = MYSQL.iter().find(|(python, _)| *python == key);
                    (known.map_or(key, |(_, sqlx)| (*sqlx).to_owned()), value)
                });
                let parameters = parameters.collect();
                Ok(DatabaseAddress {
                    dialect: Dialect::MySql,
                    url: format!("mysql:{rest}"),
                    parameters,
                })
            }
            "sqlite" => Ok(sqlite(rest, parameters, base)),
            known @ ("snowflake" | "databricks" | "clickhouse" | "clickhousedb" | "oracle"
            | "mssql") => Err(format!("this program has no driver for {known}; {EXPECTED}")),
            other if other.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                Err(format!("`{other}:` is no database that this program knows; {EXPECTED}"))
            }
            _ => Err(format!("it has no scheme; {EXPECTED}")),
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Returns the URL for a command that writes. A missing SQLite file is created.
    pub(crate) fn to_write(&self) -> String {
        match self.file() {
            Some(_) if !self.parameters.iter().any(|(key, _)| key == "mode") => {
                self.url_and(&[("mode".to_owned(), "rwc".to_owned())])
            }
            _ => self.url_and(&[]),
        }
    }

    /// Returns the URL for a query. A missing SQLite file counts as an empty database, and is not
    /// created.
    pub(crate) fn to_read(&self) -> String {
        match self.missing_file() {
            Some(_) => MEMORY.to_owned(),
            None => self.url_and(&[]),
        }
    }

    /// Returns the SQLite file that a command that writes would create.
    pub(crate) fn missing_file(&self) -> Option<String> {
        let file = self.file().filter(|file| !file.exists() && has_parent(file))?;
        Some(file.display().to_string())
    }

    fn file(&self) -> Option<&Path> {
        self.url.strip_prefix("sqlite://").map(Path::new)
    }

    fn url_and(&self, more: &[(String, String)]) -> String {
        let parameters: Vec<_> = self
            .parameters
            .iter()
            .chain(more)
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let separator = if parameters.is_empty() { "" } else { "?" };
        format!("{}{separator}{}", self.url, parameters.join("&"))
    }
}

const EXPECTED: &str = "write `postgresql://…`, `mysql://…`, `mariadb://…` or `sqlite:///file.db`";
const MEMORY: &str = "sqlite::memory:";

fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key.to_owned(), value.to_owned())
        })
        .collect()
}

fn sqlite(rest: &str, parameters: Vec<(String, String)>, base: &Path) -> DatabaseAddress {
    let parameters = parameters.into_iter().filter(|(key, _)| SQLITE.contains(&key.as_str()));
    let parameters = parameters.collect();
    let path = match rest.strip_prefix("///") {
        Some(path) => three_slashes(path.strip_prefix("file:").unwrap_or(path), base),
        None => rest.strip_prefix("//").unwrap_or(rest).to_owned(),
    };
    let url = match path.as_str() {
        "" | ":memory:" => MEMORY.to_owned(),
        path => format!("sqlite://{}", base.join(path).display()),
    };
    DatabaseAddress { dialect: Dialect::Sqlite, url, parameters }
}

/// `sqlite:///a/b.db` is `a/b.db` for SQLAlchemy and `/a/b.db` for sqlx. Returns the one that
/// exists, else the one whose folder exists, else SQLAlchemy's.
fn three_slashes(path: &str, base: &Path) -> String {
    let absolute = format!("/{path}");
    if path.is_empty() || path == ":memory:" || path.starts_with('/') {
        return path.to_owned();
    }
    let (here, there) = (base.join(path), Path::new(&absolute));
    let there_only = match (here.exists(), there.exists()) {
        (false, true) => true,
        (true, _) => false,
        // A database directly in the root folder is unlikely.
        (false, false) => path.contains('/') && !has_parent(&here) && has_parent(there),
    };
    if there_only { absolute } else { path.to_owned() }
}

fn has_parent(path: &Path) -> bool {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => true,
        Some(parent) => parent.is_dir(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> String {
        DatabaseAddress::parse(text, Path::new("")).unwrap().url_and(&[])
    }

    #[test]
    fn both_dialects_of_urls_are_understood() {
        for (text, translated) in [
            (
                "postgresql+psycopg2://u:p%40@h:5432/db?sslmode=require",
                "postgres://u:p%40@h:5432/db?sslmode=require",
            ),
            ("postgres://h/db", "postgres://h/db"),
            ("postgresql:///db?host=/run/pg", "postgres:///db?host=/run/pg"),
            (
                "mysql+pymysql://u@h/db?unix_socket=/s&charset=utf8mb4",
                "mysql://u@h/db?socket=/s&charset=utf8mb4",
            ),
            ("mariadb+mariadbconnector://u@h/db", "mysql://u@h/db"),
            ("sqlite:///x.db", "sqlite://x.db"),
            ("sqlite+pysqlite:///x.db?timeout=3&mode=ro", "sqlite://x.db?mode=ro"),
            ("sqlite:////abs/x.db", "sqlite:///abs/x.db"),
            ("sqlite://x.db", "sqlite://x.db"),
            ("sqlite:x.db", "sqlite://x.db"),
            ("sqlite://", "sqlite::memory:"),
            ("sqlite:///:memory:", "sqlite::memory:"),
            ("sqlite::memory:", "sqlite::memory:"),
        ] {
            assert_eq!(url(text), translated, "{text}");
        }
    }

    #[test]
    fn a_relative_file_lies_below_its_configuration() {
        let address = DatabaseAddress::parse("sqlite:///x.db", Path::new("jetbase")).unwrap();
        assert_eq!(address.to_write(), "sqlite://jetbase/x.db?mode=rwc");
    }

    #[test]
    fn three_slashes_may_mean_an_absolute_file() {
        let folder = std::env::temp_dir();
        let path = folder.join("no-such-file-of-jetbase.db");
        let text = format!("sqlite://{}", path.display());
        assert_eq!(url(&text), format!("sqlite://{}", path.display()));
    }

    #[test]
    fn a_missing_file_is_made_only_by_commands_that_write() {
        let address = DatabaseAddress::parse("sqlite:///no-such-file.db", Path::new("")).unwrap();
        assert_eq!(address.to_read(), MEMORY);
        assert_eq!(address.to_write(), "sqlite://no-such-file.db?mode=rwc");
        let nowhere =
            DatabaseAddress::parse("sqlite:////no/such/folder/x.db", Path::new("")).unwrap();
        assert_eq!(nowhere.to_read(), "sqlite:///no/such/folder/x.db");
    }

    #[test]
    fn other_databases_are_named_and_secrets_are_not() {
        for text in ["u:secret@h/db", "oracle://u:secret@h/db", "secret", "postgrs://u:secret@h"] {
            let error = DatabaseAddress::parse(text, Path::new("")).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
            assert!(error.contains("postgresql://"), "{error}");
        }
    }
}
