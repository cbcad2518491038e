//! One connection that does a whole run: the first look, the probe, and every message.

use std::collections::HashMap;
use std::time::Duration;

use jetbase_core::{Dialect, Kind, Record, Syntax};

use crate::connection::{
    Cause, CauseKind, Connection, End, Failure, QUESTIONS, ResultSet, Row, Rows, moment,
};
use crate::dialect::{Fill, Sql, sql};
use crate::error::{Error, ErrorKind};
use crate::lock::{Claim, Proof};
use crate::target::{Dedicated, Open, Owner};

/// Where a command works, and as whom; settled once, by the first look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// The schema (PostgreSQL), the database (MySQL), or `main` (SQLite).
    pub(crate) schema: String,
    pub(crate) user: String,
    pub(crate) search_path: String,
    /// The database, where a schema is not one.
    pub(crate) database: String,
    pub(crate) syntax: Option<Syntax>,
}

/// What the caller fixes about the place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) schema: Option<String>,
    pub(crate) role: Option<String>,
}

/// What the first look shows.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) place: Place,
    /// `None` where there is no history table yet.
    pub(crate) history: Option<Vec<Record>>,
}

/// Takes the first look: one message, no lock, no change.
pub(crate) async fn look(
    connection: &mut dyn Connection,
    dialect: Dialect,
    wish: &Wish,
) -> Result<Look, Error> {
    if connection.is_in_transaction() {
        return Err(in_transaction());
    }
    if let Some(fault) = wish.fault(dialect) {
        return Err(Error::place(fault));
    }
    let sql = sql(dialect);
    let fill = looking(Fill::new(dialect, wish.schema.as_deref()), dialect, wish.schema.as_deref());
    let (sets, history) = match ask(connection, &fill.fill(sql.look)).await {
        Ok(mut sets) => {
            let history = sets.pop().unwrap_or_default();
            (sets, Some(history.rows.iter().map(record).collect()))
        }
        Err(Failure { completed, cause }) if is_missing(sql, &cause) => (completed, None),
        Err(Failure { cause, .. }) if is_filtered(&cause) => {
            return Err(Error::place(
                "row-level security hides rows of jetbase_migrations from this user, so that nothing would look \
                 applied; run as the tables' owner, grant BYPASSRLS, or disable row-level security on them",
            ));
        }
        Err(Failure { cause, .. }) if cause.code == "1046" => {
            return Err(Error::place("the URL names no database; append `/name` to it"));
        }
        // SQLite begins the look with a transaction of its own, only to learn that it can.
        Err(Failure { cause, .. }) if cause.message.ends_with("within a transaction") => {
            return Err(in_transaction());
        }
        Err(Failure { cause, .. }) => {
            return Err(Error::database("reading the migration history", &cause));
        }
    };
    let facts = sets.iter().rev().find_map(|set| set.rows.first()).cloned().unwrap_or_default();
    if dialect == Dialect::Postgres && facts.is_true(3) {
        // What the look has set lasts as long as the caller's transaction: it gets its own back.
        let before = sets.first().and_then(|set| set.rows.first()).cloned().unwrap_or_default();
        let restore = fill
            .literal("row_security", before.text(0))
            .literal("statement_timeout", before.text(1))
            .literal("lock_timeout", before.text(2))
            .fill(RESTORE_LOOK);
        // A transaction that is aborted has nothing to lose.
        let _ = connection.send(&restore, Rows::Drop).await;
    }
    Ok(Look { place: settle(dialect, &facts, history.is_some(), wish)?, history })
}

/// Asks a question, and asks it again while the server is busy for the moment.
async fn ask(connection: &mut dyn Connection, sql: &str) -> Result<Vec<ResultSet>, Failure> {
    let mut again = 0;
    loop {
        match connection.send(sql, Rows::Keep).await {
            Err(failure) if failure.is_momentary() && again < QUESTIONS => again += 1,
            answer => return answer,
        }
        moment(again).await;
    }
}

/// Gives a caller's transaction back what the look has set in it.
const RESTORE_LOOK: &str = "SELECT set_config('row_security', {row_security}, true),
  set_config('statement_timeout', {statement_timeout}, true), set_config('lock_timeout', {lock_timeout}, true)";

impl Wish {
    /// What this dialect cannot fulfil.
    fn fault(&self, dialect: Dialect) -> Option<String> {
        match (dialect, &self.schema, &self.role) {
            (Dialect::Sqlite, Some(schema), _) if schema != "main" => Some(format!(
                "SQLite has no schema `{schema}`; leave `schema` out, or open another file"
            )),
            (Dialect::Sqlite | Dialect::MySql, _, Some(role)) => Some(format!(
                "`{role}` cannot be taken as a role: only PostgreSQL has `SET ROLE` for owners; \
                 put the right user into the URL"
            )),
            _ => None,
        }
    }
}

/// The words that the look's template has and no other.
fn looking(fill: Fill, dialect: Dialect, schema: Option<&str>) -> Fill {
    let table = fill.fill("{migrations}");
    let fill = fill.literal("look_table", &table);
    match (schema, dialect) {
        (Some(schema), _) => fill.literal("look_schema", schema),
        (None, Dialect::Postgres) => fill.expression("look_schema", "current_schema()"),
        (None, Dialect::MySql) => fill.expression("look_schema", "DATABASE()"),
        (None, Dialect::Sqlite) => fill.expression("look_schema", "'main'"),
    }
}

/// Whether the cause is that the history table is not there yet.
fn is_missing(sql: &Sql, cause: &Cause) -> bool {
    sql.no_table.contains(&cause.code.as_str())
        && (cause.code != "1" || cause.message.starts_with("no such table"))
}

fn is_filtered(cause: &Cause) -> bool {
    cause.code == "42501" && cause.message.contains("row-level security")
}

fn in_transaction() -> Error {
    Error::place(
        "the connection is inside a transaction, and migrations need their own; \
         commit it, or pass the pool instead of the transaction",
    )
}

/// Fixes the place from the facts of a look.
fn settle(dialect: Dialect, facts: &Row, has_history: bool, wish: &Wish) -> Result<Place, Error> {
    if facts.is_true(3) {
        return Err(in_transaction());
    }
    let Some(schema) = facts.opt(0) else {
        return Err(Error::place(match dialect {
            Dialect::MySql => "the URL names no database; append `/name` to it".to_owned(),
            _ => format!(
                "no schema of the search path ({}) exists; create one, or name one with `schema`",
                facts.text(2)
            ),
        }));
    };
    if let Some(found) = facts.opt(5).filter(|found| has_history && *found != schema) {
        return Err(Error::place(format!(
            "the migration history is in the schema `{found}`, but new tables would go to `{schema}`, the first \
             of the search path ({}); name the right one with `schema`, or change the search path",
            facts.text(2)
        )));
    }
    let settings = facts.text(6);
    let syntax = match dialect {
        Dialect::Postgres => Syntax { backslash_escapes: settings == "off", ..Syntax::of(dialect) },
        Dialect::MySql => Syntax {
            ansi_quotes: settings.contains("ANSI"),
            backslash_escapes: !settings.contains("NO_BACKSLASH_ESCAPES"),
            ..Syntax::of(dialect)
        },
        Dialect::Sqlite => Syntax::of(dialect),
    };
    Ok(Place {
        schema: schema.to_owned(),
        user: wish.role.clone().unwrap_or_else(|| facts.text(1).to_owned()),
        search_path: match (&wish.schema, dialect) {
            // As the Python tool does: the schema alone.
            (Some(schema), Dialect::Postgres) => format!("\"{}\"", schema.replace('"', "\"\"")),
            _ => facts.text(2).to_owned(),
        },
        database: facts.text(8).to_owned(),
        syntax: Some(syntax),
    })
}

/// Reads a row of `jetbase_migrations`.
fn record(row: &Row) -> Record {
    Record {
        order: row.text(0).parse().unwrap_or_default(),
        version: row.opt(1).map(str::to_owned),
        description: row.text(2).to_owned(),
        file: row.text(3).to_owned(),
        kind: Kind::from_column(row.text(4)).unwrap_or(Kind::Versioned),
        applied_at: row.text(5).to_owned(),
        checksum: row.text(6).to_owned(),
    }
}

/// A run's own connection, with all words of its templates.
pub(crate) struct Session<'c> {
    connection: Box<dyn Connection + 'c>,
    pub(crate) owner: Owner,
    pub(crate) dialect: Dialect,
    pub(crate) sql: &'static Sql,
    pub(crate) fill: Fill,
    pub(crate) place: Place,
    /// How the life of this session can be proved.
    pub(crate) proof: Proof,
    /// Whether other servers write to the same tables: then only ids of this one can be judged.
    pub(crate) writers: Writers,
    /// What tells this server from others.
    pub(crate) server: String,
    /// The history table was there at the first look.
    pub(crate) has_history: bool,
    /// Both tables are there.
    pub(crate) has_tables: bool,
    /// The file of an SQLite database.
    pub(crate) file: Option<String>,
    /// Whether SQLite checks foreign keys for the connection's owner.
    pub(crate) foreign_keys: bool,
    /// There is a table for replaced texts.
    pub(crate) keeps_superseded: bool,
    /// The publications that would carry our tables to subscribers.
    pub(crate) published: Vec<String>,
    /// What we hold, or may hold, the lock as.
    pub(crate) claim: Option<Claim>,
    /// What puts the caller's own settings back.
    restore: Vec<String>,
}

impl<'c> Session<'c> {
    /// Opens the run's own connection, and makes sure that it is in the look's place.
    pub(crate) async fn open(
        origin: &'c mut dyn Open,
        look: &Look,
        nonce: &str,
        patience: Duration,
    ) -> Result<Session<'c>, Error> {
        let dialect = origin.dialect();
        let opened = origin.dedicate(nonce.to_owned(), patience).await;
        let dedicated = opened.map_err(|cause| Error::database("connecting", &cause))?;
        Session::over(dedicated, dialect, look, nonce).await
    }

    /// Makes a session of a connection that is open already.
    pub(crate) async fn over(
        dedicated: Dedicated<'c>,
        dialect: Dialect,
        look: &Look,
        nonce: &str,
    ) -> Result<Session<'c>, Error> {
        let Dedicated { connection, owner } = dedicated;
        let place = look.place.clone();
        let sql = sql(dialect);
        let fill = names(Fill::new(dialect, Some(&place.schema)), &place)
            .literal("nonce", nonce)
            .literal("path", &place.search_path)
            .literal("role", "none")
            .literal("session_role", "none");
        let mut session = Session {
            connection,
            owner,
            dialect,
            sql,
            fill,
            place,
            proof: Proof::None,
            writers: Writers::One,
            server: String::new(),
            has_history: look.history.is_some(),
            has_tables: false,
            file: None,
            foreign_keys: false,
            keeps_superseded: false,
            published: Vec::new(),
            claim: None,
            restore: Vec::new(),
        };
        session.probe().await?;
        Ok(session)
    }

    /// Finds out where the session is, and what it can prove.
    async fn probe(&mut self) -> Result<(), Error> {
        let (sets, refused) = match self.send(self.sql.probe).await {
            Ok(sets) => (sets, None),
            // The server's identity comes last, and may be refused: then nothing can be proved.
            Err(Failure { completed, cause })
                if !completed.is_empty() && cause.kind == CauseKind::Database =>
            {
                (completed, Some(cause))
            }
            Err(Failure { cause, .. }) => {
                return Err(Error::database("looking at the session", &cause));
            }
        };
        let facts = sets.first().and_then(|set| set.rows.first()).cloned().unwrap_or_default();
        self.has_tables = facts.is_true(4);
        let first_of = |set: usize| {
            sets.get(set).and_then(|set| set.rows.first()).map(|row| row.text(0).to_owned())
        };
        let identity = first_of(if self.dialect == Dialect::Postgres { 2 } else { 1 });
        match self.dialect {
            Dialect::Postgres => {
                self.fill = self
                    .fill
                    .clone()
                    .literal("zone", facts.text(6))
                    .number("key", facts.text(3).parse().unwrap_or(0));
                if self.place.database != facts.text(10) {
                    return Err(Error::place(format!(
                        "the direct URL leads to the database `{}`, but the program works on `{}`",
                        facts.text(10),
                        self.place.database
                    )));
                }
                self.fill = self
                    .fill
                    .clone()
                    .literal("role", facts.text(8))
                    .literal("session_role", facts.text(8));
                let direct = self.owner == Owner::Run && facts.is_true(2) && refused.is_none();
                let real = facts.text(7).starts_with("PostgreSQL");
                if direct && real {
                    self.proof = Proof::Advisory;
                }
                // Before version 14 the server knows no limit for idle sessions.
                let version: u32 = facts.text(9).parse().unwrap_or_default();
                if self.proof == Proof::Advisory && version >= 140_000 {
                    self.take_lease().await;
                }
                self.server = identity.unwrap_or_default();
                if facts.is_true(11) {
                    self.writers = Writers::Several;
                }
                self.published = sets
                    .get(1)
                    .into_iter()
                    .flat_map(|set| &set.rows)
                    .map(|row| row.text(0).to_owned())
                    .collect();
                self.same_user(facts.text(0)).await?;
                self.remember_settings().await?;
            }
            Dialect::MySql => {
                self.fill = self.fill.clone().literal("key", facts.text(3));
                let variables: HashMap<_, _> = sets
                    .iter()
                    .skip(2)
                    .flat_map(|set| &set.rows)
                    .map(|row| (row.text(0).to_owned(), row.text(1).to_owned()))
                    .collect();
                let variable =
                    |name: &str| variables.get(name).map(String::as_str).unwrap_or_default();
                if matches!(variable("in_transaction"), "1" | "ON") {
                    return Err(in_transaction());
                }
                let galera = variable("wsrep_on") == "ON";
                if galera || !variable("group_replication_group_name").is_empty() {
                    self.writers = Writers::Several;
                }
                // Percona's cluster may forbid named locks; asking for one would end the run.
                let forbidden = matches!(variable("pxc_strict_mode"), "ENFORCING" | "MASTER");
                if self.owner == Owner::Run && !forbidden {
                    self.proof = Proof::GetLock;
                    self.take_lease().await;
                }
                if galera {
                    // What other nodes have committed must be seen before anything is decided.
                    let _ = self.raw("SET SESSION wsrep_sync_wait = 7").await;
                }
                self.server = format!(
                    "{} {} {}",
                    identity.unwrap_or_default(),
                    variable("server_uuid"),
                    variable("wsrep_gcomm_uuid")
                );
                if self.place.user != facts.text(0) {
                    return Err(self.other_user(facts.text(0)));
                }
                self.remember_variables().await?;
            }
            Dialect::Sqlite => {
                self.file = facts.opt(3).filter(|file| !file.is_empty()).map(str::to_owned);
                self.foreign_keys = identity.as_deref() == Some("1");
                self.restore.extend(
                    first_of(2).map(|patience| format!("PRAGMA busy_timeout = {patience}")),
                );
            }
        }
        Ok(())
    }

    /// Lets the server end a session that nobody uses any more: best effort.
    async fn take_lease(&mut self) {
        if self.send(self.sql.lease).await.is_ok() && self.dialect == Dialect::Postgres {
            // Files are followed by `RESET ALL`, which ends the lease too.
            self.restore.push(self.sql.lease.to_owned());
        }
    }

    /// Finds the key of the session lock again, once the tables are made.
    pub(crate) async fn find_key(&mut self) -> Result<(), Error> {
        if self.dialect == Dialect::Postgres {
            let sets = self
                .send("SELECT pg_catalog.to_regclass({lock_name})::oid::bigint & 2147483647")
                .await;
            let sets = sets
                .map_err(|failure| Error::database("looking at the new tables", &failure.cause))?;
            let key = sets
                .first()
                .and_then(|set| set.rows.first())
                .and_then(|row| row.text(0).parse().ok());
            self.fill = self.fill.clone().number("key", key.unwrap_or(0));
        }
        Ok(())
    }

    /// Becomes the user that the look saw, as the pool's own `after_connect` may have done.
    async fn same_user(&mut self, user: &str) -> Result<(), Error> {
        if self.place.user == user {
            return Ok(());
        }
        self.fill = self.fill.clone().literal("role", &self.place.user);
        if self.owner == Owner::Run && !self.proof.is_proof() {
            // Through a pooler, a session's role would reach other clients: each transaction sets its own.
            return Ok(());
        }
        self.fill = self.fill.clone().literal("session_role", &self.place.user);
        let command =
            self.fill.clone().identifier("name", &self.place.user).fill("SET ROLE {name}");
        match self.raw(&command).await {
            Ok(_) => Ok(()),
            Err(_) => Err(self.other_user(user)),
        }
    }

    fn other_user(&self, user: &str) -> Error {
        let wanted = &self.place.user;
        let cure = match self.dialect {
            Dialect::Postgres => format!("grant `{wanted}` to `{user}`, or"),
            Dialect::MySql | Dialect::Sqlite => "hooks of a pool do not run on it;".to_owned(),
        };
        Error::place(format!(
            "the run has to work as `{wanted}`, but its own connection is one of `{user}`, which may not become \
             `{wanted}`; {cure} give the URL the right user"
        ))
    }

    /// Notes the variables of the caller's connection that a run, or a file, is likely to change.
    async fn remember_variables(&mut self) -> Result<(), Error> {
        if self.owner != Owner::Caller {
            return Ok(());
        }
        let sets = self
            .raw(CALLERS_VARIABLES)
            .await
            .map_err(|failure| Error::database("reading the session's settings", &failure.cause))?;
        let rows = sets.first().map(|set| set.rows.as_slice()).unwrap_or_default();
        let settings = rows.iter().map(|row| {
            let fill = self.fill.clone();
            let value = match row.text(1) {
                "" if row.text(0).starts_with("character_set") => "NULL".to_owned(),
                number if number.parse::<f64>().is_ok() => number.to_owned(),
                text => fill.literal("value", text).fill("{value}"),
            };
            format!("SESSION {} = {value}", row.text(0))
        });
        let settings = settings.collect::<Vec<_>>().join(", ");
        self.restore = vec![format!("SET {settings}")];
        // A schema that the caller names is not its own.
        let database = sets.get(1).and_then(|set| set.rows.first()).and_then(|row| row.opt(0));
        self.restore.extend(
            database.map(|name| self.fill.clone().identifier("name", name).fill("USE {name}")),
        );
        Ok(())
    }

    /// Notes what the caller has set on its connection, because files are followed by resets.
    async fn remember_settings(&mut self) -> Result<(), Error> {
        if self.owner != Owner::Caller {
            return Ok(());
        }
        let sql = "SELECT name, setting FROM pg_catalog.pg_settings
  WHERE source = 'session' AND name NOT LIKE 'transaction%' AND name <> 'seed'
UNION ALL SELECT 'role', current_setting('role')";
        let sets = self
            .raw(sql)
            .await
            .map_err(|failure| Error::database("reading the session's settings", &failure.cause))?;
        let rows = sets.first().map(|set| set.rows.clone()).unwrap_or_default();
        self.restore = rows
            .iter()
            .map(|row| {
                self.fill
                    .clone()
                    .literal("name", row.text(0))
                    .literal("value", row.text(1))
                    .fill("SELECT set_config({name}, {value}, false)")
            })
            .collect();
        Ok(())
    }

    /// Sends a template of ours that reads, whatever the session's timeouts are.
    pub(crate) async fn send(&mut self, template: &str) -> Result<Vec<ResultSet>, Failure> {
        let mut again = 0;
        loop {
            match self.send_behind(self.sql.reading, template).await {
                Err(failure) if failure.is_momentary() && again < QUESTIONS => again += 1,
                answer => return answer,
            }
            moment(again).await;
        }
    }

    /// Sends a template of ours that writes, whatever the session's defaults are.
    pub(crate) async fn write(&mut self, template: &str) -> Result<Vec<ResultSet>, Failure> {
        self.send_behind(self.sql.writing, template).await
    }

    async fn send_behind(
        &mut self,
        settings: &[&str],
        template: &str,
    ) -> Result<Vec<ResultSet>, Failure> {
        let own = |mut sets: Vec<ResultSet>| sets.split_off(settings.len().min(sets.len()));
        let parts = settings.iter().chain([&template]);
        let sql = parts.map(|part| self.fill.fill(part)).collect::<Vec<_>>().join(";\n");
        self.raw(&sql)
            .await
            .map(own)
            .map_err(|failure| Failure { completed: own(failure.completed), cause: failure.cause })
    }

    /// Sends a text as it is, and keeps its rows.
    pub(crate) async fn raw(&mut self, sql: &str) -> Result<Vec<ResultSet>, Failure> {
        self.connection.send(sql, Rows::Keep).await
    }

    /// Sends a text as it is, and forgets its rows.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<Vec<ResultSet>, Failure> {
        self.connection.send(sql, Rows::Drop).await
    }

    /// Reads which texts of `ROC__` files were replaced by newer ones; none without the table.
    pub(crate) async fn superseded(&mut self) -> Vec<(String, String)> {
        let sets = self.send(self.sql.superseded).await.unwrap_or_default();
        let rows = sets.into_iter().flat_map(|set| set.rows);
        rows.map(|row| (row.text(0).to_owned(), row.text(1).to_owned())).collect()
    }

    /// Reads the history again.
    pub(crate) async fn history(&mut self) -> Result<Vec<Record>, Error> {
        let sql = "SELECT order_executed, version, description, filename, migration_type, applied_at, checksum
FROM {migrations} ORDER BY order_executed";
        let sets = self
            .send(sql)
            .await
            .map_err(|failure| Error::database("reading the migration history", &failure.cause))?;
        Ok(sets.first().map(|set| set.rows.iter().map(record).collect()).unwrap_or_default())
    }

    /// Takes back what a file may have left in the session: nothing may reach the next file, or the caller.
    pub(crate) async fn reset(&mut self) {
        let parts: Vec<String> = self.resetting().collect();
        if !parts.is_empty() {
            // Each setting is the session's own: there is nothing to undo when one is refused.
            let _ = self.raw(&parts.join(";\n")).await;
        }
    }

    /// What a message appends behind its COMMIT.
    pub(crate) fn resetting(&self) -> impl Iterator<Item = String> {
        // The caller's own settings, also those that no list shows, stay.
        let own = self.owner == Owner::Caller;
        let part = move |part: &&'static str| match *part {
            "RESET ALL" if own => RESET_BUT_THE_CALLERS,
            part => part,
        };
        // MySQL's are the caller's again when the session is closed: until then `settle` decides.
        let restore = if self.dialect == Dialect::MySql { &[] } else { self.restore.as_slice() };
        let reset = self.sql.reset.iter().map(part).map(|part| self.fill.fill(part));
        reset.chain(restore.iter().cloned())
    }

    /// Counts the rows without parents that were there before us: only new ones are refused.
    pub(crate) async fn count_orphans(&mut self) {
        if !self.foreign_keys {
            return;
        }
        match self.raw("SELECT count(*) FROM pragma_foreign_key_check").await {
            Ok(sets) => {
                let count = sets
                    .first()
                    .and_then(|set| set.rows.first())
                    .and_then(|row| row.text(0).parse().ok());
                self.fill = self.fill.clone().number("orphans", count.unwrap_or(0));
            }
            // A schema whose references cannot be checked now cannot be checked behind a file either.
            Err(_) => self.fill = self.fill.clone().number("orphans", i64::MAX),
        }
    }

    /// Ends the session.
    pub(crate) async fn close(mut self) {
        if self.dialect == Dialect::Sqlite && self.foreign_keys {
            let _ = self.raw("PRAGMA foreign_keys = ON").await;
        }
        if self.dialect == Dialect::MySql {
            for part in std::mem::take(&mut self.restore) {
                let _ = self.raw(&part).await;
            }
        }
        // A memory database lives in its connection; a file is better opened afresh.
        let end = if self.file.is_some() { End::Close } else { End::Reuse };
        self.connection.finish(end).await;
    }
}

/// Takes back what a file has set on the caller's connection; what the caller has set follows.
const RESET_BUT_THE_CALLERS: &str =
    "SELECT set_config(name, reset_val, false) FROM pg_catalog.pg_settings
  WHERE source = 'session' AND name NOT LIKE 'transaction%' AND name <> 'seed'";

/// What a run, or a file, is likely to change in a session of MySQL; then the session's database.
const CALLERS_VARIABLES: &str = "SHOW SESSION VARIABLES WHERE Variable_name IN ('sql_mode', 'time_zone', 'autocommit',
  'foreign_key_checks', 'unique_checks', 'sql_safe_updates', 'lock_wait_timeout', 'innodb_lock_wait_timeout',
  'max_statement_time', 'max_execution_time', 'tx_read_only', 'tx_isolation', 'transaction_read_only',
  'transaction_isolation', 'character_set_client', 'character_set_results', 'character_set_connection',
  'collation_connection', 'group_concat_max_len', 'wait_timeout');
SELECT DATABASE()";

/// Who writes to the tables of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writers {
    /// One server, whatever its name was before.
    One,
    /// The nodes of a cluster, or another server through a subscription.
    Several,
}

/// The tables' names as literals.
fn names(fill: Fill, place: &Place) -> Fill {
    let (lock, migrations) = (fill.fill("{lock}"), fill.fill("{migrations}"));
    fill.literal("lock_name", &lock)
        .literal("migrations_name", &migrations)
        .literal("schema_name", &place.schema)
}

impl Error {
    /// Whether the connection is gone.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.kind(), ErrorKind::Interrupted { .. })
    }
}
