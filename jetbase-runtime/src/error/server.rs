//! The server is not one that jetbase can work with.

/// The server is not one that jetbase can work with, or something in front of it is not.
///
/// Nothing was executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The server is older than the oldest version that jetbase works with.
    #[error(
        "the server is {server}, and jetbase needs {oldest} or newer ({reason}); nothing was executed: \
         update the server"
    )]
    TooOld {
        /// The server, as it names itself.
        server: String,
        /// The oldest version that jetbase works with.
        oldest: String,
        /// What older versions lack.
        reason: String,
    },
    /// The version that the server gives is not readable, or contradicts what the server does.
    #[error(
        "the server says that its version is `{server}`, but {contradiction}, so jetbase cannot know how the \
         server reads a file; nothing was executed: correct what the server or a proxy reports as its version"
    )]
    OddVersion {
        /// The server, as it names itself.
        server: String,
        /// What contradicts it.
        contradiction: String,
    },
    /// The server refuses what each version that jetbase works with accepts.
    #[error(
        "the server is `{server}`, and it does not accept a statement that jetbase needs ({code}); nothing was executed: \
         jetbase works with {supported}"
    )]
    Unknown {
        /// The server, as it names itself.
        server: String,
        /// The code of its error.
        code: String,
        /// The servers that jetbase works with.
        supported: String,
    },
    /// The server, or a proxy in front of it, accepts only one statement in a message.
    #[error(
        "the server `{server}`, or a proxy in front of it, does not accept several statements in one \
         message ({code}), and jetbase needs that; nothing was executed: allow several statements there, or connect to \
         the server itself"
    )]
    OneStatement {
        /// The server, as it names itself.
        server: String,
        /// The code of its error.
        code: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(errors: &[ServerError]) -> String {
        errors.iter().map(|error| format!("{error}\n")).collect()
    }

    #[test]
    fn texts_about_the_server() {
        let (server, code) = ("10.3.39-MariaDB".to_owned(), "1064".to_owned());
        let (oldest, reason) =
            ("MariaDB 10.5".to_owned(), "older versions are not tested".to_owned());
        let contradiction = "it runs the executable comments of MySQL".to_owned();
        let supported = "PostgreSQL 13 and newer".to_owned();
        insta::assert_snapshot!(texts(&[
            ServerError::TooOld { server: server.clone(), oldest, reason },
            ServerError::OddVersion { server: server.clone(), contradiction },
            ServerError::Unknown { server: "CockroachDB".to_owned(), code: "0A000".to_owned(), supported },
            ServerError::OneStatement { server, code },
        ]), @r#"
the server is 10.3.39-MariaDB, and jetbase needs MariaDB 10.5 or newer (older versions are not tested); nothing was executed: update the server
the server says that its version is `10.3.39-MariaDB`, but it runs the executable comments of MySQL, so jetbase cannot know how the server reads a file; nothing was executed: correct what the server or a proxy reports as its version
the server is `CockroachDB`, and it does not accept a statement that jetbase needs (0A000); nothing was executed: jetbase works with PostgreSQL 13 and newer
the server `10.3.39-MariaDB`, or a proxy in front of it, does not accept several statements in one message (1064), and jetbase needs that; nothing was executed: allow several statements there, or connect to the server itself
"#);
    }
}
