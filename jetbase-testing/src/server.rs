//! On which server a test creates its database.

use std::str::FromStr;

use jetbase_core::Dialect;

use crate::error::{TestingError, cause};

/// What a test must know to find a server.
struct ServerKind {
    /// The variable that names the server.
    variable: &'static str,
    /// How its URLs begin.
    schemes: [&'static str; 2],
    example: &'static str,
}

impl ServerKind {
    /// SQLite has no server, so nobody asks for its kind.
    const fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Postgres => ServerKind {
                variable: "JETBASE_TEST_POSTGRES_URL",
                schemes: ["postgres://", "postgresql://"],
                example: "postgres://postgres@localhost/postgres",
            },
            Dialect::MySql | Dialect::Sqlite => ServerKind {
                variable: "JETBASE_TEST_MYSQL_URL",
                schemes: ["mysql://", "mariadb://"],
                example: "mysql://root@localhost/mysql",
            },
        }
    }

    fn has(&self, url: &str) -> bool {
        self.schemes.iter().any(|scheme| url.trim().starts_with(scheme))
    }
}

/// The URL of a server, and where it was found.
#[derive(Clone)]
pub(crate) struct ServerAddress {
    pub(crate) url: String,
    /// The variable, or `the URL` that the caller has passed.
    pub(crate) source: &'static str,
}

impl ServerAddress {
    /// Returns the server that the environment names: the variable of the database, else `DATABASE_URL`
    /// if it is a URL of this database.
    pub(crate) fn from_environment(dialect: Dialect) -> Result<Self, TestingError> {
        ServerAddress::find(dialect, |name| {
            std::env::var(name).ok().filter(|value| !value.trim().is_empty())
        })
    }

    fn find(
        dialect: Dialect,
        value: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, TestingError> {
        let kind = ServerKind::of(dialect);
        if let Some(url) = value(kind.variable) {
            return Ok(ServerAddress { url, source: kind.variable });
        }
        match value("DATABASE_URL") {
            Some(url) if kind.has(&url) => Ok(ServerAddress { url, source: "DATABASE_URL" }),
            other => Err(no_server(dialect, other.is_some())),
        }
    }

    /// The server at a URL of the caller.
    pub(crate) fn at(url: &str) -> Self {
        ServerAddress { url: url.to_owned(), source: "the URL of the call" }
    }

    /// Reads the URL of a database.
    pub(crate) fn parse<O>(&self, dialect: Dialect) -> Result<O, TestingError>
    where
        O: FromStr<Err = sqlx::Error>,
    {
        let (source, kind) = (self.source, ServerKind::of(dialect));
        if !kind.has(&self.url) {
            let begins = kind.schemes.join("` or `");
            let text =
                format!("{source} is no URL of {dialect}: such a URL begins with `{begins}`");
            return Err(TestingError::new(text));
        }
        self.url
            .trim()
            .parse()
            .map_err(|error| TestingError::new(format!("{source} is not valid: {}", cause(&error))))
    }
}

/// The error of a test for which no variable names a server, or only one of another database.
fn no_server(dialect: Dialect, names_another: bool) -> TestingError {
    let ServerKind { variable, example, .. } = ServerKind::of(dialect);
    let found = match names_another {
        true => "DATABASE_URL names another database",
        false => "no variable names one",
    };
    TestingError::new(format!(
        "a test with {dialect} needs a server, and {found}: set {variable}\n\
         For example: {variable}={example}\n\
         The test creates a database of its own on this server, and deletes it."
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn find(dialect: Dialect, set: &[(&str, &str)]) -> Result<String, String> {
        let value = |name: &str| {
            set.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned())
        };
        let found = ServerAddress::find(dialect, value);
        found.map(|it| it.url).map_err(|error| error.to_string())
    }

    #[test]
    fn the_variable_of_the_database_counts_first() {
        let own = ("JETBASE_TEST_POSTGRES_URL", "postgres://a/b");
        let other = ("DATABASE_URL", "postgresql://c/d");
        assert_eq!(find(Dialect::Postgres, &[own, other]), Ok("postgres://a/b".to_owned()));
        assert_eq!(find(Dialect::Postgres, &[other]), Ok("postgresql://c/d".to_owned()));
    }

    #[test]
    fn a_test_without_a_server_says_which_variable_it_needs() {
        insta::assert_snapshot!(find(Dialect::Postgres, &[]).unwrap_err(), @"
        a test with PostgreSQL needs a server, and no variable names one: set JETBASE_TEST_POSTGRES_URL
        For example: JETBASE_TEST_POSTGRES_URL=postgres://postgres@localhost/postgres
        The test creates a database of its own on this server, and deletes it.
        ");
        let other = [("DATABASE_URL", "postgresql://c/d")];
        insta::assert_snapshot!(find(Dialect::MySql, &other).unwrap_err(), @"
        a test with MySQL/MariaDB needs a server, and DATABASE_URL names another database: set JETBASE_TEST_MYSQL_URL
        For example: JETBASE_TEST_MYSQL_URL=mysql://root@localhost/mysql
        The test creates a database of its own on this server, and deletes it.
        ");
    }

    #[test]
    fn a_url_of_another_database_is_explained() {
        let address = ServerAddress::at("postgres://app:geheim@host/app");
        let error = address.parse::<NoOptions>(Dialect::MySql).unwrap_err();
        insta::assert_snapshot!(
            error.to_string(),
            @"the URL of the call is no URL of MySQL/MariaDB: such a URL begins with `mysql://` or `mariadb://`"
        );
    }

    #[derive(Debug)]
    struct NoOptions;

    impl FromStr for NoOptions {
        type Err = sqlx::Error;

        fn from_str(_: &str) -> Result<Self, sqlx::Error> {
            Ok(NoOptions)
        }
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn an_invalid_url_is_explained_without_its_password() {
        let url = "postgres://app:geheim@host:port/app".to_owned();
        let address = ServerAddress { url, source: "DATABASE_URL" };
        let error =
            address.parse::<sqlx::postgres::PgConnectOptions>(Dialect::Postgres).unwrap_err();
        insta::assert_snapshot!(
            error.to_string(),
            @"DATABASE_URL is not valid: error with configuration: invalid port number"
        );
    }
}
