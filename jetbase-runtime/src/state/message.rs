//! The first message to a database, and how its answer is read.

use jetbase_core::Dialect;

use super::bindings::state_bindings;
use super::{
    DatabaseState, HistoryColumns, NamespaceOptions, guarded, namespace_of, packed, records,
    server, untrusted, untrusted_tables,
};
use crate::connection::{
    Cause, CauseKind, Connection, MAX_READ_RETRIES, ResultRow, ResultSet, RowHandling, SendFailure,
    UntrustedTable, pause_before_retry, send_within,
};
use crate::dialect::{Bindings, Sql, sql};
use crate::error::{Error, NamespaceError, ServerError, TableError};
use crate::journal::JournalRow;
use crate::wait::Limit;

/// How the first message checks the owners of jetbase's tables (PostgreSQL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwnerCheck {
    /// It only asks whether all tables belong to this user or to the first superuser. The plan of the
    /// full check takes longer than everything else in the message.
    Own,
    /// It looks at what each table contains before it reads the table.
    Full,
}

/// The first message to a database.
pub(super) struct StateMessage {
    dialect: Dialect,
    sql: &'static Sql,
    bindings: Bindings,
    trusted: Vec<String>,
    check: OwnerCheck,
    columns: HistoryColumns,
    parts: Vec<String>,
    /// The index of the statement that returns the facts, of the first one that guards the history, and of
    /// the one that returns it.
    facts: usize,
    first_guard: usize,
    history: usize,
    /// The index of the statement that returns the lock row. On MySQL, a look into the journal follows it.
    lock: usize,
}

impl StateMessage {
    /// `synchronous` is the setting of that name that a connection of SQLite has.
    pub(super) fn new(
        dialect: Dialect,
        options: &NamespaceOptions,
        columns: HistoryColumns,
        synchronous: &str,
    ) -> Self {
        StateMessage::with_check(dialect, options, columns, synchronous, OwnerCheck::Own)
    }

    fn with_check(
        dialect: Dialect,
        options: &NamespaceOptions,
        columns: HistoryColumns,
        synchronous: &str,
        check: OwnerCheck,
    ) -> Self {
        let sql = sql(dialect);
        let schema = options.schema.as_deref();
        let bindings = state_bindings(Bindings::new(dialect, schema), dialect, schema);
        let bindings =
            bindings.literals("trusted", &options.trusted).expression("synchronous", synchronous);
        let guard = |statements: &[&str], tables: &[&str]| -> Vec<String> {
            let schema = "quote_ident(current_setting('jetbase.schema'))";
            let names =
                tables.iter().map(|table| format!("to_regclass(concat({schema}, '.{table}'))"));
            let names = names.collect::<Vec<_>>().join(", ");
            let bindings = bindings.clone().expression("guarded", &names);
            let bindings = bindings.nested("untrusted", sql.untrusted);
            statements.iter().map(|statement| bindings.render(statement)).collect()
        };
        let role = options
            .role
            .iter()
            .map(|role| bindings.clone().identifier("name", role).render("SET LOCAL ROLE {name}"));
        let mut parts: Vec<_> = role.collect();
        let before = parts.len();
        parts.extend(sql.read_state.iter().map(|part| bindings.render(part)));
        let first_guard = parts.len();
        let guarded = ["jetbase_migrations", "jetbase_superseded", "jetbase_journal"];
        parts.extend(match check {
            OwnerCheck::Own => guard(sql.guard_state, &[]),
            OwnerCheck::Full => guard(sql.guard_history, &guarded),
        });
        let history = parts.len();
        parts.push(bindings.render(match columns {
            HistoryColumns::All => sql.state_history,
            HistoryColumns::Plan => sql.packed_history,
        }));
        if check == OwnerCheck::Full {
            parts.extend(guard(sql.guard_holder, &["jetbase_lock"]));
        }
        let lock = parts.len();
        parts.push(bindings.render(sql.current_holder));
        // A message may end with a table that does not exist: MySQL writes no log entry about it.
        parts.extend(sql.journal_has_rows.iter().map(|part| bindings.render(part)));
        let trusted = options.trusted.clone();
        StateMessage {
            dialect,
            sql,
            bindings,
            trusted,
            check,
            columns,
            parts,
            facts: before + sql.state_facts,
            first_guard,
            history,
            lock,
        }
    }

    pub(super) async fn read(
        &self,
        connection: &mut dyn Connection,
        options: &NamespaceOptions,
        limit: Limit,
    ) -> Result<DatabaseState, Error> {
        let (sets, cause) = match send_query(connection, &self.parts.join(";\n"), limit).await {
            Ok(sets) => (sets, None),
            Err(SendFailure { completed, cause }) => (completed, Some(cause)),
        };
        let row = |at: usize| sets.get(at).map(ResultSet::first_row);
        let facts = row(self.facts).unwrap_or_default();
        if sets.len() == self.history && facts.text("runs_comments_of") == "MySQL" {
            // The first message has read no table.
            let _ = send_query(connection, self.sql.end_setting, limit).await;
        }
        // A table of another role, or no lock table, or no right to read it.
        let is_undecided = self.check == OwnerCheck::Own
            && cause.is_some()
            && (self.first_guard..self.history).contains(&sets.len())
            && facts.opt("history_schema").is_some();
        if is_undecided {
            if facts.is_true("in_transaction") {
                return Err(NamespaceError::InTransaction.into());
            }
            let full =
                StateMessage::with_check(self.dialect, options, self.columns, "", OwnerCheck::Full);
            return Box::pin(full.read(connection, options, limit)).await;
        }
        let mut is_cut = false;
        let history = match (&cause, sets.get(self.history)) {
            (Some(cause), None) if self.lacks_history(cause, &facts) => None,
            (Some(cause), _) if self.is_untrusted(cause, sets.len()) => {
                let schema = facts.text("history_schema");
                let untrusted = self.untrusted(connection, schema, limit).await;
                let cause = Cause { untrusted, ..cause.clone() };
                return Err(Error::database("checking the owners of jetbase's tables", &cause));
            }
            (Some(cause), None) => {
                let failed = sets.len();
                if let Some(error) = self.refuse_server(connection, &facts, cause, limit).await {
                    return Err(Error::from(error).caused_by(cause));
                }
                return Err(self.explain(connection, options, cause, failed, limit).await);
            }
            // This user may not read who holds the lock, or there is no lock table.
            (_, Some(set)) if self.columns == HistoryColumns::Plan => match packed::unpack(set) {
                Some(records) => Some(records?),
                None => {
                    is_cut = true;
                    None
                }
            },
            (_, Some(set)) => Some(records(set)?),
            (None, None) => Some(Vec::new()),
        };
        let lock = row(self.lock);
        let lock_owner = lock.filter(|row| row.is_true("is_locked"));
        let lock_owner = lock_owner.and_then(|row| row.opt("process_id").map(str::to_owned));
        let statement_timeout = sets.get(self.facts.saturating_sub(2)).and_then(ResultSet::value);
        self.restore_settings(connection, &facts, statement_timeout.unwrap_or_default()).await;
        let namespace = namespace_of(self.dialect, &facts, history.is_some(), options)?;
        if is_cut {
            return self.read_rows(connection, options, limit).await;
        }
        let has_journal_rows = match sets.get(self.lock + 1) {
            Some(set) => !set.rows.is_empty(),
            None => facts.text("journal_size").parse().is_ok_and(|size: u64| size > 0),
        };
        let journal = match has_journal_rows {
            true => self.read_journal(connection, options, &namespace.schema, limit).await?,
            false => Vec::new(),
        };
        Ok(DatabaseState { namespace, history, lock_owner, journal })
    }

    /// Reads the state again with all rows, because the history cannot be packed.
    async fn read_rows(
        &self,
        connection: &mut dyn Connection,
        options: &NamespaceOptions,
        limit: Limit,
    ) -> Result<DatabaseState, Error> {
        let synchronous = self.bindings.render("{synchronous}");
        let all = HistoryColumns::All;
        let rows = StateMessage::with_check(self.dialect, options, all, &synchronous, self.check);
        Box::pin(rows.read(connection, options, limit)).await
    }

    /// Reads the journal with a message of its own. Without the right to read it, it counts as
    /// empty.
    async fn read_journal(
        &self,
        connection: &mut dyn Connection,
        options: &NamespaceOptions,
        schema: &str,
        limit: Limit,
    ) -> Result<Vec<JournalRow>, Error> {
        let bindings = Bindings::new(self.dialect, Some(schema)).literals("trusted", &self.trusted);
        let bindings = guarded(self.sql, bindings);
        let role = options
            .role
            .iter()
            .map(|role| bindings.clone().identifier("name", role).render("SET LOCAL ROLE {name}"));
        let guard = self.sql.guard_journal_reading;
        let parts = self.sql.read_settings.iter().chain(guard).chain([&self.sql.journal]);
        let parts: Vec<_> = role.chain(parts.map(|part| bindings.render(part))).collect();
        match send_query(connection, &parts.join(";\n"), limit).await {
            Ok(sets) => {
                let rows = sets.iter().flat_map(|set| &set.rows);
                Ok(rows.filter_map(JournalRow::of).collect())
            }
            Err(failure) if self.sql.guard_codes.contains(&failure.cause.code.as_str()) => {
                let untrusted = self.untrusted(connection, schema, limit).await;
                let cause = Cause { untrusted, ..failure.cause };
                Err(Error::database("checking the owners of jetbase's tables", &cause))
            }
            Err(_) => Ok(Vec::new()),
        }
    }

    /// Whether the cause is a missing history table.
    fn lacks_history(&self, cause: &Cause, facts: &ResultRow) -> bool {
        // SQLite has one code for a missing table and for many other mistakes.
        let missing = match self.dialect {
            Dialect::Postgres | Dialect::MySql => true,
            Dialect::Sqlite => {
                facts.opt("used_schema").is_some() && facts.opt("history_schema").is_none()
            }
        };
        missing && self.sql.no_table.contains(&cause.code.as_str())
    }

    /// Whether a check of a table's owner failed.
    fn is_untrusted(&self, cause: &Cause, failed: usize) -> bool {
        let guards = |part: &String| part.starts_with("LOCK") || part.starts_with("SELECT 1 /");
        self.sql.guard_codes.contains(&cause.code.as_str())
            && self.parts.get(failed).is_some_and(guards)
    }

    /// Finds a table that could run code of others, and its owner.
    async fn untrusted(
        &self,
        connection: &mut dyn Connection,
        schema: &str,
        limit: Limit,
    ) -> Option<UntrustedTable> {
        let bindings = Bindings::new(self.dialect, Some(schema)).literals("trusted", &self.trusted);
        let query = untrusted_tables(self.sql, &guarded(self.sql, bindings));
        let sets = send_query(connection, &query, limit).await.ok()?;
        untrusted(sets.last()?)
    }

    /// Restores the settings that the message has changed in a caller's transaction.
    async fn restore_settings(
        &self,
        connection: &mut dyn Connection,
        facts: &ResultRow,
        statement_timeout: &str,
    ) {
        let sql = match self.dialect {
            Dialect::Postgres if facts.is_true("in_transaction") => {
                let known = ["row_security", "lock_timeout", "transaction_timeout", "search_path"];
                let known = known.into_iter().filter_map(|name| Some((name, facts.opt(name)?)));
                let set = known.chain([("statement_timeout", statement_timeout)]);
                let set = set.map(|(name, value)| {
                    let bindings =
                        self.bindings.clone().literal("name", name).literal("value", value);
                    bindings.render("SELECT pg_catalog.set_config({name}, {value}, true)")
                });
                set.collect::<Vec<_>>().join(";\n")
            }
            // Without `autocommit`, a query opens a transaction.
            Dialect::MySql
                if facts.text("autocommit") == "0" && !facts.is_true("in_transaction") =>
            {
                "ROLLBACK".to_owned()
            }
            _ => return,
        };
        // An aborted transaction has no settings to restore.
        let _ = connection.send(&sql, RowHandling::Drop).await;
    }

    /// Returns the reason if the message failed because of the server that it was sent to.
    async fn refuse_server(
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
    async fn explain(
        &self,
        connection: &mut dyn Connection,
        options: &NamespaceOptions,
        cause: &Cause,
        failed: usize,
        limit: Limit,
    ) -> Error {
        let is_first = failed == 0;
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

/// Sends a query, and retries it after a transient failure.
async fn send_query(
    connection: &mut dyn Connection,
    sql: &str,
    limit: Limit,
) -> Result<Vec<ResultSet>, SendFailure> {
    let mut again = 0;
    loop {
        match send_within(connection, sql, RowHandling::Keep, Some(limit.for_answer())).await {
            Err(failure) if failure.is_transient() && again < MAX_READ_RETRIES => again += 1,
            result => return result,
        }
        pause_before_retry(again).await;
    }
}
