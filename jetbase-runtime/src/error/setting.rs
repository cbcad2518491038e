//! A setting of the run is not valid.

use jetbase_core::Dialect;

/// An environment variable, or a URL, is not valid. Nothing was executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// The environment variable `JETBASE_WAIT`.
    #[error(
        "JETBASE_WAIT is `{value}`; write a length of time such as `30s` or `5min`, or `never`"
    )]
    Wait {
        /// The value of the variable.
        value: String,
    },
    /// The environment variable `JETBASE_LEASE`.
    #[error(
        "JETBASE_LEASE is `{value}`; write a length of time of at least one second, such as `30s` or \
         `5min`"
    )]
    Lease {
        /// The value of the variable.
        value: String,
    },
    /// The URL of the database.
    #[error("the database URL {0}")]
    DatabaseUrl(UrlError),
    /// The URL that bypasses a pooler: `direct_url`, or the environment variable
    /// `JETBASE_DIRECT_URL`.
    #[error("the direct URL {0}")]
    DirectUrl(UrlError),
}

/// What is wrong with a URL. The text has no subject: it follows the name of the URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The scheme is unknown.
    #[error(
        "does not begin with `postgres://`, `mysql://`, `mariadb://` or `sqlite://`; correct it"
    )]
    UnknownScheme,
    /// The program is built without the database's feature.
    #[error(
        "begins with `{scheme}:`, but this program is built without the feature `{feature}` of jetbase; \
         run `cargo add jetbase --features {feature}` and build it again"
    )]
    MissingFeature {
        /// The scheme of the URL.
        scheme: String,
        /// The feature of jetbase that the scheme needs.
        feature: &'static str,
    },
    /// The driver cannot read the URL.
    #[error("cannot be read: {reason}; correct it")]
    Unreadable {
        /// The reason. It contains no password.
        reason: String,
    },
    /// The URL leads to another kind of database than the program's connection.
    #[error("leads to another kind of database than {expected}; correct it")]
    OtherDialect {
        /// The dialect of the program's connection.
        expected: Dialect,
    },
}
