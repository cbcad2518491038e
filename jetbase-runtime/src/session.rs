//! The session of a run: one connection, and every message that it sends.

mod fenced;
mod group;
mod isolation;
mod journal;
mod liveness;
mod probe;
mod references;
mod snapshot;
mod stop;
mod superseded;

use jetbase_core::{Dialect, Record};

pub(crate) use self::fenced::{OwnFailure, OwnStatements};
use self::group::GroupNode;
pub(crate) use self::group::Topology;
pub(crate) use self::isolation::NextStep;
pub(crate) use self::liveness::Liveness;
use self::snapshot::Snapshot;
use crate::cancel::Cancel;
use crate::connection::{
    Cause, Connection, End, MAX_READ_RETRIES, ResultSet, RowHandling, SendFailure,
    pause_before_retry, send_within,
};
use crate::dialect::{Bindings, Sql, sql};
use crate::error::Error;
use crate::state::{DatabaseState, Namespace, guarded, records, untrusted, untrusted_tables};
use crate::target::{Connect, ConnectionOwner, DedicatedConnection, Reconnect};
use crate::wait::Limit;

/// A run's own connection, with the bindings of its templates.
pub(crate) struct Session<'c> {
    connection: Box<dyn Connection + 'c>,
    pub(crate) owner: ConnectionOwner,
    pub(crate) dialect: Dialect,
    pub(crate) sql: &'static Sql,
    pub(crate) bindings: Bindings,
    pub(crate) namespace: Namespace,
    /// How the liveness of this session can be checked.
    pub(crate) liveness: Liveness,
    /// Whether other servers write to the same tables. If so, only ids of this server can be
    /// judged.
    pub(crate) topology: Topology,
    /// Whether the server is a node of a MySQL group.
    group_node: GroupNode,
    /// Whether a pooler stands in front of the server. If so, the run has no server session to
    /// itself.
    pub(crate) pooled: bool,
    /// The identity of the server, which distinguishes it from others.
    pub(crate) server: String,
    /// Whether the history table existed when the state was read.
    pub(crate) has_history: bool,
    /// Whether both tables exist.
    pub(crate) has_tables: bool,
    /// The file, if this is an SQLite database.
    pub(crate) file: Option<String>,
    /// Whether the connection's owner lets SQLite check foreign keys.
    pub(crate) foreign_keys: bool,
    /// Whether a table refers to another one, if that is known already (SQLite).
    has_references: Option<bool>,
    /// Whether there is a journal, and whether this user may empty it at once.
    pub(crate) has_journal: bool,
    pub(crate) empties_journal: bool,
    /// Whether there is a table for replaced texts.
    pub(crate) has_superseded: bool,
    /// The publications that contain jetbase's tables.
    pub(crate) published: Vec<String>,
    /// The id under which the run holds the lock, or may hold it because an answer was lost.
    pub(crate) process_id: Option<String>,
    /// Who can change jetbase's tables while the run works.
    pub(crate) ownership: Ownership,
    /// The size of the largest message that MySQL accepts.
    pub(crate) largest_message: usize,
    /// Whether rows that a file writes may fire triggers (MySQL).
    pub(crate) has_triggers: bool,
    /// Whether somebody listens to the start of each statement.
    pub(crate) reports_statements: bool,
    /// The request to stop the run.
    pub(crate) cancel: Cancel,
    /// The limit for each answer, until the run has the lock and while it releases it.
    limit: Option<Limit>,
    /// Opens another connection of the same kind.
    reconnect: Option<Reconnect>,
    /// The statements that every connection of the run executes first.
    setup: Vec<String>,
    /// What the session held before the first file.
    snapshot: Option<Snapshot>,
    /// The settings of other modules that the files name (PostgreSQL).
    custom_names: Vec<String>,
    used: bool,
    /// The statements that restore the caller's own settings.
    restore: Vec<String>,
}

/// Who can change jetbase's tables while a run works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// Only trusted roles.
    Trusted,
    /// Other roles too. Each transaction of jetbase checks the tables first.
    Shared,
}

impl<'c> Session<'c> {
    /// Opens the run's own connection, and checks that it is in the namespace of the state.
    pub(crate) async fn open(
        source: &'c mut dyn Connect,
        state: &DatabaseState,
        limit: Limit,
    ) -> Result<Session<'c>, Error> {
        let dialect = source.dialect();
        let opened = source.connect_for_run(limit.for_connecting()).await;
        let dedicated = opened.map_err(Error::during("connecting"))?;
        Session::with_connection(dedicated, dialect, state, limit).await
    }

    /// Opens a session that can read jetbase's tables, but cannot run migrations.
    pub(crate) async fn open_for_reading(
        source: &'c mut dyn Connect,
        state: &DatabaseState,
        limit: Limit,
    ) -> Result<Session<'c>, Error> {
        let dialect = source.dialect();
        let opened = source.connect_for_reading(limit.for_connecting()).await;
        let connection = opened.map_err(Error::during("connecting"))?;
        let (owner, nonce) = (ConnectionOwner::Pool, String::new());
        let dedicated = DedicatedConnection { connection, owner, nonce, reconnect: None };
        Session::with_connection(dedicated, dialect, state, limit).await
    }

    /// Creates a session from a connection that is already open.
    async fn with_connection(
        dedicated: DedicatedConnection<'c>,
        dialect: Dialect,
        state: &DatabaseState,
        limit: Limit,
    ) -> Result<Session<'c>, Error> {
        let DedicatedConnection { connection, owner, nonce, reconnect } = dedicated;
        let namespace = state.namespace.clone();
        let sql = sql(dialect);
        let bindings = Bindings::new(dialect, Some(&namespace.schema))
            .literal("schema_name", &namespace.schema)
            .literal("nonce", &nonce)
            .literal("path", &namespace.search_path)
            .literal("role", "none")
            .literal("session_role", "none")
            .expression("and_session_lock", "")
            .literals("trusted", &namespace.trusted);
        let bindings = guarded(sql, bindings)
            // The seed is random and secret: a file that sets the seed does not decide the next
            // file's random numbers.
            .expression("seed", &fastrand::f64().to_string())
            .literal("user", &namespace.user)
            .nested("latest_time", sql.last_time)
            .nested("owned", sql.owned)
            .nested("owners_trusted", sql.owners_trusted)
            .nested("tables_exist", sql.tables_exist);
        let mut session = Session {
            connection,
            owner,
            dialect,
            sql,
            bindings,
            namespace,
            liveness: Liveness::None,
            topology: Topology::SingleWriter,
            group_node: GroupNode::No,
            pooled: false,
            server: String::new(),
            has_history: state.history.is_some(),
            has_tables: false,
            file: None,
            foreign_keys: false,
            has_references: None,
            has_journal: false,
            empties_journal: false,
            has_superseded: false,
            published: Vec::new(),
            process_id: None,
            ownership: Ownership::Shared,
            largest_message: usize::MAX,
            has_triggers: false,
            reports_statements: false,
            cancel: Cancel::default(),
            limit: Some(limit),
            reconnect,
            setup: Vec::new(),
            snapshot: None,
            custom_names: Vec::new(),
            used: false,
            restore: Vec::new(),
        };
        session.probe().await?;
        Ok(session)
    }

    /// Adds values for the placeholders of templates.
    pub(crate) fn bind(&mut self, add: impl FnOnce(Bindings) -> Bindings) {
        self.bindings = add(self.bindings.clone());
    }

    /// Sets the settings for the time in which the run waits for the lock or releases it. Each
    /// statement waits at most a second for the locks of others, and no answer is awaited for
    /// longer than the limit.
    pub(crate) async fn wait_within(&mut self, limit: Limit) {
        self.limit = Some(limit);
        if !self.sql.waiting_settings.is_empty() {
            let settings = self.sql.waiting_settings.join(";\n");
            // Each setting concerns this session only. If one is refused, the answers are still
            // limited.
            let _ = self.raw(&settings).await;
        }
    }

    /// Sets the settings for the execution of files, which may take as long as they need.
    pub(crate) async fn work_without_limit(&mut self) {
        self.limit = None;
        if self.dialect == Dialect::Sqlite {
            let restore = self.restore.join(";\n");
            let _ = self.raw(&restore).await;
        }
    }

    /// Sends a template that reads jetbase's tables, independent of the session's timeouts.
    pub(crate) async fn read(&mut self, template: &str) -> Result<Vec<ResultSet>, SendFailure> {
        let guard = self.guard(self.sql.guard_reading);
        let mut again = 0;
        loop {
            match self.send_template(self.sql.read_settings, guard, template).await {
                Err(failure) if failure.is_transient() && again < MAX_READ_RETRIES => again += 1,
                result => return result,
            }
            pause_before_retry(again).await;
        }
    }

    /// Sends a template that reads none of jetbase's tables.
    pub(crate) async fn query(&mut self, template: &str) -> Result<Vec<ResultSet>, SendFailure> {
        self.send_template(self.sql.read_settings, &[], template).await
    }

    /// Sends a template that writes, independent of the session's defaults.
    pub(crate) async fn write(&mut self, template: &str) -> Result<Vec<ResultSet>, SendFailure> {
        let guard = self.guard(self.sql.guard_writing);
        self.send_template(self.sql.write_settings, guard, template).await
    }

    /// Sends a template that changes the lock row.
    pub(crate) async fn write_lock(
        &mut self,
        template: &str,
    ) -> Result<Vec<ResultSet>, SendFailure> {
        let guard = self.guard(self.sql.guard_writing);
        self.send_template(self.sql.lock_settings, guard, template).await
    }

    /// Returns the check of the tables, if others can change them.
    pub(crate) fn guard(&self, guard: &'static [&'static str]) -> &'static [&'static str] {
        match self.ownership {
            Ownership::Shared => guard,
            Ownership::Trusted => &[],
        }
    }

    async fn send_template(
        &mut self,
        settings: &[&str],
        guard: &[&str],
        template: &str,
    ) -> Result<Vec<ResultSet>, SendFailure> {
        let before = settings.len() + guard.len();
        let without_settings = |mut sets: Vec<ResultSet>| sets.split_off(before.min(sets.len()));
        let parts = settings.iter().chain(guard).chain([&template]);
        let sql = parts.map(|part| self.bindings.render(part)).collect::<Vec<_>>().join(";\n");
        let failure = match self.raw(&sql).await {
            Ok(sets) => return Ok(without_settings(sets)),
            Err(failure) => failure,
        };
        let checked = (settings.len()..before).contains(&failure.completed.len())
            && self.sql.guard_codes.contains(&failure.cause.code.as_str());
        let cause = if checked { self.untrusted_or(failure.cause).await } else { failure.cause };
        Err(SendFailure { completed: without_settings(failure.completed), cause })
    }

    /// Returns the failure of a table check with an explanation.
    pub(crate) async fn untrusted_or(&mut self, cause: Cause) -> Cause {
        let query = untrusted_tables(self.sql, &self.bindings);
        let sets = self.raw(&query).await.unwrap_or_default();
        Cause { untrusted: sets.last().and_then(untrusted), ..cause }
    }

    /// Sends a text unchanged, and keeps its rows.
    pub(crate) async fn raw(&mut self, sql: &str) -> Result<Vec<ResultSet>, SendFailure> {
        let limit = self.limit.map(|limit| limit.for_answer());
        send_within(self.connection.as_mut(), sql, RowHandling::Keep, limit).await
    }

    /// Sends a text unchanged, and drops its rows.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<Vec<ResultSet>, SendFailure> {
        let limit = self.limit.map(|limit| limit.for_answer());
        send_within(self.connection.as_mut(), sql, RowHandling::Drop, limit).await
    }

    /// Whether a statement failed because one of jetbase's tables does not exist. A trigger may fail
    /// with the same code because another table is missing.
    pub(crate) async fn lacks_tables(&mut self, cause: &Cause) -> bool {
        if !self.sql.no_table.contains(&cause.code.as_str()) {
            return false;
        }
        let sets = self.query("SELECT {tables_exist} AS has_tables").await.unwrap_or_default();
        sets.first().is_some_and(|set| !set.first_row().is_true("has_tables"))
    }

    /// Reads the history again.
    pub(crate) async fn history(&mut self) -> Result<Vec<Record>, Error> {
        let sets = self.read(self.sql.history).await;
        let sets = sets.map_err(Error::during("reading the migration history"))?;
        let records = sets.first().map_or(Ok(Vec::new()), records)?;
        let latest = records.iter().max_by(|a, b| a.applied_at.cmp(&b.applied_at));
        let last = records.iter().map(|record| record.order).max();
        let latest_time = match latest {
            Some(latest) if Some(latest.order) != last => self.sql.latest_time,
            _ => self.sql.last_time,
        };
        let latest = latest.map_or(0, |record| record.order);
        self.bind(|it| it.number("latest", latest).nested("latest_time", latest_time));
        Ok(records)
    }

    pub(crate) async fn close(mut self) {
        self.refuse_interrupts().await;
        if self.dialect == Dialect::Sqlite && self.foreign_keys {
            let _ = self.raw("PRAGMA foreign_keys = ON").await;
        }
        if self.owner == ConnectionOwner::Caller {
            // Restore the caller's settings that the run has changed.
            let _ = self.restore_snapshot().await;
        }
        if self.dialect != Dialect::Postgres {
            for part in std::mem::take(&mut self.restore) {
                let _ = self.raw(&part).await;
            }
        }
        // A memory database exists only in its connection. For a file, a new connection is safer.
        let end = if self.file.is_some() { End::Close } else { End::Reuse };
        self.connection.finish(end).await;
    }
}
