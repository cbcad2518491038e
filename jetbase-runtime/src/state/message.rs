//! The first message to a database, and how its answer is read.

use jetbase_core::Dialect;

use super::bindings::state_bindings;
use super::{
    DatabaseState, HistoryColumns, NamespaceOptions, guarded, namespace_of, packed, records,
    untrusted, untrusted_tables,
};
use crate::connection::{
    Cause, CauseKind, Connection, MAX_READ_RETRIES, ResultRow, ResultSet, RowHandling, SendFailure,
    UntrustedTable, pause_before_retry, send_within,
};
use crate::dialect::{Bindings, Sql, sql};
use crate::error::{Error, NamespaceError};
use crate::journal::JournalRow;
use crate::wait::Limit;

/// How the first message asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// What is enough for nearly every database. If it fails, the complete form decides.
    ///
    /// PostgreSQL: it only asks whether all tables belong to this user or to the first superuser. The plan of
    /// the full check takes longer than everything else in the message. MySQL: one statement reads all tables.
    Quick,
    /// It looks at what each table contains before it reads the table, and reads one table after the other.
    Complete,
}

/// The settings of a connection of SQLite, as its owner has set them.
#[derive(Clone, Debug, Default)]
pub(super) struct SqliteSettings {
    pub(super) synchronous: String,
    pub(super) busy_timeout: String,
}

/// The first message to a database.
pub(super) struct StateMessage {
    pub(super) dialect: Dialect,
    pub(super) sql: &'static Sql,
    bindings: Bindings,
    trusted: Vec<String>,
    form: Form,
    settings: SqliteSettings,
    columns: HistoryColumns,
    parts: Vec<String>,
    /// The index of the statement that returns the facts, of the first one that guards the history, and of
    /// the one that returns it.
    pub(super) facts: usize,
    first_guard: usize,
    history: usize,
    /// The index of the statement that returns the lock row. On MySQL, a look into the journal follows it.
    lock: usize,
}

impl StateMessage {
    pub(super) fn new(
        dialect: Dialect,
        options: &NamespaceOptions,
        columns: HistoryColumns,
        settings: SqliteSettings,
    ) -> Self {
        StateMessage::with_form(dialect, options, columns, settings, Form::Quick)
    }

    fn with_form(
        dialect: Dialect,
        options: &NamespaceOptions,
        columns: HistoryColumns,
        settings: SqliteSettings,
        form: Form,
    ) -> Self {
        let sql = sql(dialect);
        let schema = options.schema.as_deref();
        let bindings = state_bindings(Bindings::new(dialect, schema), dialect, schema)
            .literals("trusted", &options.trusted)
            .expression("synchronous", &settings.synchronous)
            .expression("busy_timeout", &settings.busy_timeout);
        let guard = |statements: &[&str], tables: &[&str]| -> Vec<String> {
            let schema = "quote_ident(current_setting('jetbase.schema'))";
            let names =
                tables.iter().map(|table| format!("to_regclass(concat({schema}, '.{table}'))"));
            let names = names.collect::<Vec<_>>().join(", ");
            let bindings = bindings.clone().expression("guarded", &names);
            let bindings = bindings.nested("untrusted", sql.untrusted);
            statements.iter().map(|statement| bindings.render(statement)).collect()
        };
        let role = options.role.iter();
        let role = role.map(|role| bindings.clone().literal("name", role).render(SET_ROLE));
        let wait = sql.short_wait.iter().map(|part| bindings.render(part));
        let mut parts: Vec<_> = wait.chain(role).collect();
        let facts = parts.len() + sql.state_facts;
        parts.extend(sql.read_state.iter().map(|part| bindings.render(part)));
        let is_one = form == Form::Quick && columns == HistoryColumns::Plan;
        let is_one = is_one && !sql.quick_state.is_empty();
        let (first_guard, history, lock);
        if is_one {
            parts.truncate(facts);
            parts.push(bindings.render(sql.quick_state));
            (first_guard, history, lock) = (facts, facts, facts);
        } else {
            first_guard = parts.len();
            let guarded = ["jetbase_migrations", "jetbase_superseded", "jetbase_journal"];
            parts.extend(match form {
                Form::Quick => guard(sql.guard_state, &[]),
                Form::Complete => guard(sql.guard_history, &guarded),
            });
            history = parts.len();
            parts.push(bindings.render(match columns {
                HistoryColumns::All => sql.state_history,
                HistoryColumns::Plan => sql.packed_history,
            }));
            if form == Form::Complete {
                parts.extend(guard(sql.guard_holder, &["jetbase_lock"]));
            }
            lock = parts.len();
            parts.push(bindings.render(sql.current_holder));
        }
        // A message may end with a table that does not exist: MySQL writes no log entry about it.
        parts.extend(sql.journal_has_rows.iter().map(|part| bindings.render(part)));
        parts.extend(sql.restore_wait.iter().map(|part| bindings.render(part)));
        let trusted = options.trusted.clone();
        StateMessage {
            dialect,
            sql,
            bindings,
            trusted,
            form,
            settings,
            columns,
            parts,
            facts,
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
        let (sets, cause) = match self.send(connection, &self.parts, limit).await {
            Ok(sets) => (sets, None),
            Err(SendFailure { completed, cause }) => (completed, Some(cause)),
        };
        let row = |at: usize| sets.get(at).map(ResultSet::first_row);
        let facts = row(self.facts).unwrap_or_default();
        if sets.len() == self.history && facts.text("runs_comments_of") == "MySQL" {
            // The first message has read no table.
            let _ = send_query(connection, self.sql.end_setting, limit).await;
        }
        // The facts can be in two statements.
        let rows = || sets.iter().take(self.facts + 1).filter_map(|set| set.rows.first());
        if rows().any(|row| row.is_true("in_transaction")) {
            return Err(NamespaceError::InTransaction.into());
        }
        if cause.as_ref().is_some_and(|cause| self.is_undecided(cause, sets.len(), &facts)) {
            let columns = self.columns;
            let settings = self.settings.clone();
            let complete =
                StateMessage::with_form(self.dialect, options, columns, settings, Form::Complete);
            return Box::pin(complete.read(connection, options, limit)).await;
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
        if rows().any(|row| row.opt("autocommit") == Some("0")) {
            // Without `autocommit`, a query opens a transaction.
            let _ = connection.send("ROLLBACK", RowHandling::Drop).await;
        }
        let namespace = namespace_of(self.dialect, &facts, history.is_some(), options)?;
        if is_cut {
            return self.read_rows(connection, options, limit).await;
        }
        let has_journal_rows = match self.sql.journal_has_rows {
            [] => facts.text("journal_size").parse().is_ok_and(|size: u64| size > 0),
            _ => sets.get(self.lock + 1).is_some_and(|set| !set.rows.is_empty()),
        };
        let journal = match has_journal_rows {
            true => self.read_journal(connection, options, &namespace.schema, limit).await?,
            false => Vec::new(),
        };
        Ok(DatabaseState { namespace, history, lock_owner, journal })
    }

    /// Sends statements that end with `restore_wait`.
    async fn send(
        &self,
        connection: &mut dyn Connection,
        parts: &[String],
        limit: Limit,
    ) -> Result<Vec<ResultSet>, SendFailure> {
        let sent = send_query(connection, &parts.join(";\n"), limit).await;
        if sent.is_err() && !self.sql.restore_wait.is_empty() {
            let restore = self.bindings.render(&self.sql.restore_wait.join(";\n"));
            let _ = connection.send(&restore, RowHandling::Drop).await;
        }
        sent
    }

    /// Reads the state again with all rows, because the history cannot be packed.
    async fn read_rows(
        &self,
        connection: &mut dyn Connection,
        options: &NamespaceOptions,
        limit: Limit,
    ) -> Result<DatabaseState, Error> {
        let (all, settings) = (HistoryColumns::All, self.settings.clone());
        let rows = StateMessage::with_form(self.dialect, options, all, settings, self.form);
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
        let parts = role.chain(parts.map(|part| bindings.render(part)));
        let render = |part: &&str| self.bindings.render(part);
        let before = self.sql.short_wait.iter().map(render);
        let after = self.sql.restore_wait.iter().map(render);
        let parts: Vec<_> = before.chain(parts).chain(after).collect();
        match self.send(connection, &parts, limit).await {
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

    /// Whether the quick form failed, but the complete one may succeed. `failed` is the index of the statement
    /// that failed.
    fn is_undecided(&self, cause: &Cause, failed: usize, facts: &ResultRow) -> bool {
        let is_quick = self.form == Form::Quick;
        match self.dialect {
            // A table of another role, or no lock table, or no right to read it.
            Dialect::Postgres => {
                let is_guard = (self.first_guard..self.history).contains(&failed);
                is_quick && is_guard && facts.opt("history_schema").is_some()
            }
            // No table, or no right to read one of them.
            Dialect::MySql => {
                let is_one = self.facts == self.history && failed == self.history;
                is_quick && is_one && cause.kind == CauseKind::Database && !cause.is_contended()
            }
            Dialect::Sqlite => false,
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
}

/// Sets the role for a transaction, unless it is the caller's.
const SET_ROLE: &str =
    "SELECT CASE WHEN pg_catalog.now() OPERATOR(pg_catalog.=) pg_catalog.statement_timestamp()
  THEN pg_catalog.set_config('role', {name}, true) END";

/// Sends a query, and retries it after a transient failure.
pub(super) async fn send_query(
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
