//! Why the first message failed.

use jetbase_core::Dialect;

use super::message::{StateMessage, send_query};
use super::{NamespaceOptions, server};
use crate::connection::{Cause, CauseKind, Connection, ResultRow, ResultSet};
use crate::error::{Error, NamespaceError, ServerError, TableError};
use crate::wait::Limit;

impl StateMessage {
    /// Returns the reason if the message failed because of the server that it was sent to.
    pub(super) async fn refuse_server(
        &self,
        connection: &mut dyn Connection,
        facts: &ResultRow,
        cause: &Cause,
        limit: Limit,
    ) -> Option<ServerError> {
        if cause.kind != CauseKind::Database {
            return None;
        }
        let (dialect, code) = (self.dialect, cause.code.clone());
        let version = match facts.opt("server_version") {
            Some(version) => version.to_owned(),
            None => {
                let sets = send_query(connection, server::version_query(dialect), limit).await;
                sets.ok()?.first()?.value()?.to_owned()
            }
        };
        if let Err(error) = server::check_version(dialect, &version) {
            return Some(error);
        }
        let name = server::name(dialect, &version);
        let is_syntax_error = matches!(code.as_str(), "1064" | "42601");
        if facts.opt("server_version").is_none() && is_syntax_error {
            let two = send_query(connection, "SELECT 1;\nSELECT 2", limit).await;
            let refused = two.is_err_and(|failure| failure.cause.kind == CauseKind::Database);
            if refused {
                return Some(ServerError::OneStatement { server: name, code });
            }
        }
        let supported = server::supported(dialect).to_owned();
        let unknown = ServerError::Unknown { server: name, code, supported };
        (!server::is_known(dialect, &version)).then_some(unknown)
    }

    /// Explains a failure that is not one of the expected ones. `failed` is the index of the
    /// statement that failed.
    pub(super) async fn explain(
        &self,
        connection: &mut dyn Connection,
        options: &NamespaceOptions,
        cause: &Cause,
        failed: usize,
        limit: Limit,
    ) -> Error {
        let is_first = failed < self.facts;
        match (self.dialect, cause.code.as_str()) {
            _ if cause.is_row_security => TableError::RowsFiltered.into(),
            // With a role, the first statement sets it.
            (Dialect::Postgres, "42501") if is_first && options.role.is_some() => {
                let sets =
                    send_query(connection, "SELECT current_user", limit).await.unwrap_or_default();
                let user = sets.iter().find_map(ResultSet::value).unwrap_or_default().to_owned();
                let role = options.role.clone().unwrap_or_default();
                let error = NamespaceError::RoleDenied { user, role, code: cause.code.clone() };
                Error::from(error).caused_by(cause)
            }
            (Dialect::MySql, "1046") => NamespaceError::NoDatabase.into(),
            (_, code) if is_first && self.sql.in_transaction.contains(&code) => {
                NamespaceError::InTransaction.into()
            }
            _ => Error::database("reading the migration history", cause),
        }
    }
}
