//! The cause of a refusal by a database, in one form for all drivers.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

/// Why a database refused a statement or a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cause {
    pub(crate) kind: CauseKind,
    /// SQLSTATE (PostgreSQL), error number (MySQL), extended result code (SQLite).
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
    /// Where in which function the database has failed (PostgreSQL).
    pub(crate) context: Option<Box<str>>,
    /// A query that the statement executes, and the character of it that the database points at, from
    /// 1 (PostgreSQL).
    pub(crate) inner_query: Option<Box<(String, usize)>>,
    /// The character of the message that the database points at, from 1.
    pub(crate) position: Option<usize>,
    /// The constraint that the statement violates.
    pub(crate) constraint: Option<String>,
    /// Whether row-level security is what refuses the statement.
    pub(crate) is_row_security: bool,
    /// The table of jetbase that could run code of its owner, if that is why a check failed.
    pub(crate) untrusted: Option<UntrustedTable>,
    /// The error of the driver.
    pub(crate) source: Option<Arc<sqlx::Error>>,
}

/// A table that could run code of an owner who is not trusted (PostgreSQL).
#[derive(Clone, Debug)]
pub(crate) struct UntrustedTable {
    pub(crate) table: String,
    pub(crate) owner: String,
    /// What could run code, such as `has a trigger or a foreign key`.
    pub(crate) fault: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CauseKind {
    /// The database answered with an error; the connection still works.
    #[default]
    Database,
    /// The connection is lost, or could not be opened.
    Lost,
    /// No server listens at the address; it may be starting.
    Unavailable,
    /// The client refused before it sent anything.
    Client,
}

impl Cause {
    pub(crate) fn client(message: impl Into<String>) -> Self {
        Cause { kind: CauseKind::Client, message: message.into(), ..Cause::default() }
    }

    pub(crate) fn of(error: sqlx::Error) -> Self {
        let cause = Cause::of_reference(&error);
        Cause { source: Some(Arc::new(error)), ..cause }
    }

    fn of_reference(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => Cause::of_database(error.as_ref()),
            sqlx::Error::Io(error) => match error.kind() {
                ErrorKind::ConnectionRefused => {
                    Cause { kind: CauseKind::Unavailable, ..Cause::lost(plain(&error.to_string())) }
                }
                // The driver's message about a connection that ends does not help a reader.
                ErrorKind::UnexpectedEof => {
                    Cause::lost("the server closed the connection".to_owned())
                }
                _ => Cause::lost(plain(&error.to_string())),
            },
            sqlx::Error::PoolTimedOut => {
                Cause::client("every connection of the pool is in use, and none came back in time")
            }
            sqlx::Error::PoolClosed => Cause::client("the pool is closed"),
            sqlx::Error::Configuration(error) => {
                let text = plain(&error.to_string());
                if text.contains("mysql-rsa") {
                    return Cause::client(PASSWORD_NEEDS_TLS);
                }
                // One error wraps another one of its kind.
                Cause::client(text.strip_prefix("error with configuration: ").unwrap_or(&text))
            }
            sqlx::Error::Tls(error) if error.to_string().contains("without TLS support") => {
                Cause::client(BUILT_WITHOUT_TLS)
            }
            sqlx::Error::Tls(error) => Cause::client(format!("TLS: {}", plain(&error.to_string()))),
            sqlx::Error::Protocol(message) => Cause::lost(plain(message)),
            other => Cause::lost(plain(&other.to_string())),
        }
    }

    /// The server did not answer within this limit.
    pub(crate) fn timed_out(limit: Duration) -> Self {
        Cause::lost(format!("the server did not answer within {limit:.1?}"))
    }

    /// No connection is available at the moment.
    pub(crate) fn unavailable(message: String) -> Self {
        Cause { kind: CauseKind::Unavailable, message, ..Cause::default() }
    }

    pub(crate) fn lost(message: String) -> Self {
        Cause { kind: CauseKind::Lost, message, ..Cause::default() }
    }

    /// Whether no connection is available at the moment: the server is starting, or full.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self.code.as_str(), "53300" | "57P03" | "1040" | "1203" | "1226")
    }

    /// Whether other clients refuse the statement for a moment: by their locks, by their transactions,
    /// or because cluster nodes are joining.
    pub(crate) fn is_contended(&self) -> bool {
        let code = self.code.as_str();
        let postgres = matches!(code, "55P03" | "40P01" | "40001");
        let mysql = matches!(code, "1020" | "1205" | "1213" | "1047" | "1180");
        postgres
            || mysql
            || self.is_refused_by_group()
            || matches!(code, "5" | "6" | "261" | "517" | "262")
    }

    /// Whether somebody has cancelled the statement. A timeout of a statement has the same code on
    /// PostgreSQL.
    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self.code.as_str(), "57014" | "1317" | "9")
    }

    /// Whether MySQL's group replication refuses the transaction for a moment: another node has changed
    /// the same rows (3101), the node is leaving or joining the group (3100, 3796), or the node has not
    /// caught up in time (3797).
    pub(crate) fn is_refused_by_group(&self) -> bool {
        matches!(self.code.as_str(), "3100" | "3101" | "3796" | "3797")
    }

    /// Whether the database itself has rolled back the whole transaction.
    pub(crate) fn ended_transaction(&self) -> bool {
        // SQLite: out of memory, I/O error, full disk, interrupted.
        self.is_refused_by_group()
            || matches!(self.code.as_str(), "1213" | "1205" | "1020" | "1180" | "7" | "13" | "9")
            || self.code.parse::<u32>().is_ok_and(|code| code & 0xff == 10)
    }

    fn of_database(error: &dyn sqlx::error::DatabaseError) -> Self {
        let cause = Cause {
            kind: CauseKind::Database,
            code: error.code().unwrap_or_default().into_owned(),
            message: error.message().to_owned(),
            constraint: error.constraint().map(str::to_owned),
            ..Cause::default()
        };
        #[cfg(feature = "postgres")]
        if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            let position = match error.position() {
                Some(sqlx::postgres::PgErrorPosition::Original(position)) => Some(position),
                _ => None,
            };
            let inner_query = match error.position() {
                Some(sqlx::postgres::PgErrorPosition::Internal { position, query }) => {
                    Some(Box::new((query.to_owned(), position)))
                }
                _ => None,
            };
            let text = |text: Option<&str>| text.map(str::to_owned);
            let kind = match error.code() {
                // The server ended the session: administrator, crash, idle timeouts.
                "57P01" | "57P02" | "57P05" | "25P03" => CauseKind::Lost,
                _ => CauseKind::Database,
            };
            return Cause {
                kind,
                position,
                detail: text(error.detail()),
                hint: text(error.hint()),
                context: error.r#where().map(Box::from),
                inner_query,
                // The server's function that refuses does not depend on the language of messages.
                is_row_security: error.routine() == Some("check_enable_rls"),
                ..cause
            };
        }
        #[cfg(feature = "mysql")]
        if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            // 1053 shutdown, 1927 and 3169 killed, 4031 idle for too long: the session ended with
            // them.
            let kind = match error.number() {
                1053 | 1927 | 3169 | 4031 => CauseKind::Lost,
                _ => CauseKind::Database,
            };
            return Cause { kind, code: error.number().to_string(), ..cause };
        }
        cause
    }
}

/// What the driver says about itself: the program of the reader uses the driver through jetbase.
const BUILT_WITHOUT_TLS: &str = "the URL asks for TLS, but this program is built without it: run `cargo add jetbase \
                                 --features tls-rustls` (or `tls-native`), and build it again";

/// What the driver calls "RSA auth backend disabled".
const PASSWORD_NEEDS_TLS: &str = "the server asks for the password without TLS, and it is sent only with TLS: use \
                                  `?ssl-mode=REQUIRED` in the URL, or the feature `mysql-rsa` of sqlx";

/// Returns a driver's message without the error number of the operating system.
fn plain(text: &str) -> String {
    text.split(" (os error").next().unwrap_or(text).trim_end_matches('.').to_owned()
}

#[cfg(all(test, feature = "postgres", not(any(feature = "tls-rustls", feature = "tls-native"))))]
mod tests {
    use sqlx::{ConnectOptions, postgres::PgConnectOptions};

    use super::*;

    #[test]
    fn a_program_without_tls_names_the_feature() {
        // The driver refuses as soon as the connection is open, whatever listens there.
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("postgres://app@127.0.0.1:{port}/app?sslmode=require");
        let options: PgConnectOptions = url.parse().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(options.connect()).unwrap_err();
        assert_eq!(
            Cause::of(error).message,
            "the URL asks for TLS, but this program is built without it: run `cargo add jetbase --features tls-rustls` \
             (or `tls-native`), and build it again"
        );
    }
}
