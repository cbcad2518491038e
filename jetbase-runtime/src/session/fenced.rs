//! One fenced transaction of jetbase's own statements.

use super::Session;
use crate::error::{Error, ErrorKind, Kept, TableError};

/// The statements of a transaction.
pub(crate) struct OwnStatements {
    /// What jetbase does, for an error.
    pub(crate) doing: &'static str,
    /// The name of the program in the list of sessions.
    pub(crate) label: &'static str,
    /// Conditions: each statement fails with a code of a fence if it is not met.
    pub(crate) conditions: Vec<String>,
    /// The changes of the history, each followed by the statement that checks it.
    pub(crate) changes: Vec<String>,
}

/// Why a transaction failed. Nothing of it was kept.
pub(crate) enum OwnFailure {
    /// A condition was not met.
    Condition,
    /// Another reason.
    Other(Error),
}

impl Session<'_> {
    /// Changes the history in one transaction without conditions. Each change is followed by the statement
    /// that checks it.
    pub(crate) async fn change_history(
        &mut self,
        doing: &'static str,
        label: &'static str,
        changes: Vec<String>,
    ) -> Result<(), Error> {
        let statements = OwnStatements { doing, label, conditions: Vec::new(), changes };
        match self.send_own(statements).await {
            Ok(()) => Ok(()),
            Err(OwnFailure::Other(error)) => Err(error),
            // There is no condition.
            Err(OwnFailure::Condition) => Err(Error::new(ErrorKind::PlanChanged)),
        }
    }

    /// Sends statements as one transaction, which commits only if this run still has the lock.
    pub(crate) async fn send_own(&mut self, statements: OwnStatements) -> Result<(), OwnFailure> {
        let OwnStatements { doing, label, conditions, changes } = statements;
        let bindings =
            self.fence_bindings().literal("statement_timeout", "0").literal("lock_timeout", "5000");
        let bindings = bindings.literal("label", label).literal("tx", "fix");
        let sql = self.sql;
        let mut templates: Vec<&str> = self.guard(sql.guard_writing).to_vec();
        let guarded = templates.len();
        templates.extend(self.committing_fences());
        let opened = sql.begin.len();
        let mut parts: Vec<String> =
            sql.begin.iter().chain(&templates).map(|part| bindings.render(part)).collect();
        let checked = opened..opened + guarded;
        let fenced = checked.end..parts.len();
        parts.extend(conditions);
        let met = fenced.end..parts.len();
        parts.extend(changes);
        let written = met.end..parts.len();
        parts.extend(sql.still_open.iter().map(|part| bindings.render(part)));
        parts.push("COMMIT".to_owned());
        let result = match self.execute(&parts.join(";\n")).await {
            Ok(_) => Ok(()),
            Err(failure) => {
                let _ = self.raw("ROLLBACK").await;
                let (at, code) = (failure.completed.len(), failure.cause.code.as_str());
                let fails_check = sql.fence_codes.contains(&code);
                Err(if fails_check && fenced.contains(&at) {
                    OwnFailure::Other(Error::new(ErrorKind::LockLost {
                        file: None,
                        kept: Kept::Nothing,
                    }))
                } else if fails_check && met.contains(&at) {
                    OwnFailure::Condition
                } else if fails_check && written.contains(&at) {
                    let (operation, table) = (doing.to_owned(), "jetbase_migrations".to_owned());
                    OwnFailure::Other(TableError::ChangeIgnored { operation, table }.into())
                } else if checked.contains(&at) && sql.guard_codes.contains(&code) {
                    let cause = self.untrusted_or(failure.cause).await;
                    OwnFailure::Other(Error::database("checking jetbase's tables", &cause))
                } else {
                    OwnFailure::Other(Error::database(doing, &failure.cause))
                })
            }
        };
        self.reset().await;
        result
    }
}
