//! One connection that does a whole run: the first look, the probe, and every message.

use std::collections::HashMap;
use std::time::Duration;

use jetbase_core::{Dialect, Kind, Record, Syntax};

use crate::connection::{Cause, CauseKind, Connection, End, Failure, ResultSet, Row, Rows};
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
    let sql = sql(dialect);
    let fill = looking(Fill::new(dialect, wish.schema.as_deref()), dialect, wish.schema.as_deref());
    let (sets, history) = match connection.send(&fill.fill(sql.look), Rows::Keep).await {
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
        Err(Failure { cause, .. }) => {
            return Err(Error::database("reading the migration history", &cause));
        }
    };
    let facts = sets.iter().rev().find_map(|set| set.rows.first()).cloned().unwrap_or_default();
    Ok(Look { place: settle(dialect, &facts, history.is_some(), wish)?, history })
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
                    .get(2)
                    .into_iter()
                    .flat_map(|set| &set.rows)
                    .map(|row| (row.text(0).to_owned(), row.text(1).to_owned()))
                    .collect();
                let variable =
                    |name: &str| variables.get(name).map(String::as_str).unwrap_or_default();
                if matches!(variable("in_transaction"), "1" | "ON") {
                    return Err(in_transaction());
                }
                let cluster = variable("wsrep_on") == "ON";
                if self.owner == Owner::Run && !cluster {
                    self.proof = Proof::GetLock;
                    self.take_lease().await;
                }
                self.server =
                    format!("{} {}", identity.unwrap_or_default(), variable("server_uuid"));
                if self.place.user != facts.text(0) {
                    return Err(self.other_user(facts.text(0)));
                }
            }
            Dialect::Sqlite => {
                self.file = facts.opt(3).filter(|file| !file.is_empty()).map(str::to_owned);
                self.foreign_keys = identity.as_deref() == Some("1");
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
        Error::place(format!(
            "the pool's connections work as `{}`, but a connection of our own works as `{user}`, and the pool's hooks \
             do not run on it; name a `role`, or give the pool's URL the right user",
            self.place.user
        ))
    }

    /// Notes what the caller has set on its connection, because files are followed by `RESET ALL`.
    async fn remember_settings(&mut self) -> Result<(), Error> {
        if self.owner != Owner::Caller {
            return Ok(());
        }
        let sql = "SELECT name, setting FROM pg_catalog.pg_settings WHERE source = 'session'
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

    /// Sends a template of ours.
    pub(crate) async fn send(&mut self, template: &str) -> Result<Vec<ResultSet>, Failure> {
        let sql = self.fill.fill(template);
        self.raw(&sql).await
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
        let sql = self.fill.fill(
            "SELECT order_executed, version, description, filename, migration_type, applied_at, checksum
FROM {migrations} ORDER BY order_executed",
        );
        let sets = self
            .raw(&sql)
            .await
            .map_err(|failure| Error::database("reading the migration history", &failure.cause))?;
        Ok(sets.first().map(|set| set.rows.iter().map(record).collect()).unwrap_or_default())
    }

    /// Takes back what a file may have left in the session: nothing may reach the next file, or the caller.
    pub(crate) async fn reset(&mut self) {
        let mut parts: Vec<String> =
            self.sql.reset.iter().map(|part| self.fill.fill(part)).collect();
        parts.extend(self.restore.iter().cloned());
        if !parts.is_empty() {
            // Each setting is the session's own: there is nothing to undo when one is refused.
            let _ = self.raw(&parts.join(";\n")).await;
        }
    }

    /// What a message appends behind its COMMIT.
    pub(crate) fn resetting(&self) -> impl Iterator<Item = String> {
        self.sql.reset.iter().map(|part| self.fill.fill(part)).chain(self.restore.iter().cloned())
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
        if self.dialect == Dialect::MySql && self.owner == Owner::Caller {
            let _ = self.raw("SET SESSION time_zone = '+00:00', lock_wait_timeout = DEFAULT, innodb_lock_wait_timeout = DEFAULT").await;
        }
        // A memory database lives in its connection; a file is better opened afresh.
        let end = if self.file.is_some() { End::Close } else { End::Reuse };
        self.connection.finish(end).await;
    }
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
