//! The probe: what a session can prove, and what of it belongs to the caller.

use std::collections::HashMap;

use jetbase_core::Dialect;

use super::{Session, Writers};
use crate::connection::{CauseKind, Failure};
use crate::error::Error;
use crate::lock::Proof;
use crate::look::in_transaction;
use crate::target::Owner;

/// What a run, or a file, is likely to change in a session of MySQL; then the session's database.
const CALLERS_VARIABLES: &str = "SHOW SESSION VARIABLES WHERE Variable_name IN ('sql_mode', 'time_zone', 'autocommit',
  'foreign_key_checks', 'unique_checks', 'sql_safe_updates', 'lock_wait_timeout', 'innodb_lock_wait_timeout',
  'max_statement_time', 'max_execution_time', 'tx_read_only', 'tx_isolation', 'transaction_read_only',
  'transaction_isolation', 'character_set_client', 'character_set_results', 'character_set_connection',
  'collation_connection', 'group_concat_max_len', 'wait_timeout');
SELECT DATABASE()";
impl Session<'_> {
    /// Finds out where the session is, and what it can prove.
    pub(super) async fn probe(&mut self) -> Result<(), Error> {
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
                self.pooled = self.owner == Owner::Run && !facts.is_true(2);
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
            self.restore.push(self.fill.fill(self.sql.lease));
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
}
