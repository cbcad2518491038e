//! The URL of a server.

use crate::{DatabaseKind, TestError};

/// The URL of a server, in parts, so that the database can be replaced.
#[derive(Clone, Debug)]
pub(crate) struct ServerUrl {
    pub(crate) kind: DatabaseKind,
    /// User, password, host and port.
    authority: String,
    /// The maintenance database.
    pub(crate) database: String,
    /// The options, with their `?`.
    options: String,
}

impl ServerUrl {
    /// Parses a URL in the form of sqlx.
    pub(crate) fn parse(url: &str) -> Result<ServerUrl, TestError> {
        let (scheme, rest) = url.split_once("://").ok_or("the URL has no `://`")?;
        let kind = match scheme {
            "postgres" | "postgresql" => DatabaseKind::Postgres,
            "mysql" | "mariadb" => DatabaseKind::Mysql,
            other => return Err(format!("`{other}` is not the scheme of a server").into()),
        };
        let (rest, options) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let usual = if kind == DatabaseKind::Postgres { "postgres" } else { "" };
        let database = if database.is_empty() { usual } else { database };
        let own = str::to_owned;
        let (authority, database, options) = (own(authority), own(database), own(options));
        Ok(ServerUrl { kind, authority, database, options })
    }

    /// Parses a URL, which must name a server of this kind.
    pub(crate) fn of(kind: DatabaseKind, url: &str) -> Result<ServerUrl, TestError> {
        let server = ServerUrl::parse(url)?;
        if server.kind != kind {
            return Err(format!("it is the URL of a {} server", server.kind.name()).into());
        }
        Ok(server)
    }

    /// The URL of a database on the server, in the form of sqlx.
    pub(crate) fn url(&self, database: &str) -> String {
        let ServerUrl { kind, authority, options, .. } = self;
        format!("{}://{authority}/{database}{options}", kind.name())
    }

    /// The URL of a database on the server, in the form of SQLAlchemy.
    pub(crate) fn python_url(&self, database: &str) -> String {
        let ServerUrl { authority, options, .. } = self;
        match self.kind {
            DatabaseKind::Postgres => {
                format!("postgresql+psycopg2://{authority}/{database}{options}")
            }
            // The options of sqlx mean nothing to PyMySQL.
            _ => format!("mysql+pymysql://{authority}/{database}"),
        }
    }
}
