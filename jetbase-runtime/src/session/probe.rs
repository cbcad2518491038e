//! The probe: how the liveness of a session can be checked, and which of its settings belong to the
//! caller.

use std::collections::HashMap;

use jetbase_core::{Checksum, Dialect, SessionEffect};

use super::{Liveness, Ownership, Session, Topology};
use crate::connection::{CauseKind, ResultSet, SendFailure};
use crate::dialect::Bindings;
use crate::environment;
use crate::error::{Error, NamespaceError, TableError};
use crate::target::ConnectionOwner;

impl Ownership {
    fn of(trusted: bool) -> Self {
        if trusted { Ownership::Trusted } else { Ownership::Shared }
    }
}

impl Session<'_> {
    /// Reads where the session is, and how its liveness can be checked.
    pub(super) async fn probe(&mut self) -> Result<(), Error> {
        let probe = match (self.dialect, self.owner) {
            (Dialect::Postgres, ConnectionOwner::Run) => {
                self.bind_lease();
                format!("{};\n{}", self.sql.probe, self.sql.lease)
            }
            _ => self.sql.probe.to_owned(),
        };
        let sets = match self.query(&probe).await {
            Ok(sets) => sets,
            // What follows the facts may be refused: the server's identity, without which the liveness cannot
            // be checked, and the lease.
            Err(SendFailure { completed, cause })
                if completed.len() > self.sql.probe_facts && cause.kind == CauseKind::Database =>
            {
                completed
            }
            Err(SendFailure { cause, .. })
                if self.sql.in_transaction.contains(&cause.code.as_str()) =>
            {
                return Err(NamespaceError::InTransaction.into());
            }
            Err(SendFailure { cause, .. }) => {
                return Err(Error::database("reading the session's state", &cause));
            }
        };
        let sets = sets.get(self.sql.probe_facts..).unwrap_or_default();
        let facts = sets.first().map(ResultSet::first_row).unwrap_or_default();
        self.has_tables = facts.is_true("has_tables");
        self.has_journal = facts.is_true("has_journal");
        self.empties_journal = facts.is_true("empties_journal");
        let first_of = |set: usize| sets.get(set).and_then(ResultSet::value).map(str::to_owned);
        let identity = first_of(1);
        match self.dialect {
            Dialect::Postgres => {
                if self.namespace.database != facts.text("database_name") {
                    return Err(NamespaceError::OtherDatabase {
                        expected: self.namespace.database.clone(),
                        connected: facts.text("database_name").to_owned(),
                    }
                    .into());
                }
                let (key, role) = (facts.text("lock_key").parse(), facts.text("role_name"));
                self.bind(|it| {
                    it.literal("zone", facts.text("zone"))
                        .number("key", key.unwrap_or(0))
                        .literal("role", role)
                        .literal("session_role", role)
                });
                self.pooled = self.owner == ConnectionOwner::Run && !facts.is_true("has_nonce");
                let direct = self.owner == ConnectionOwner::Run
                    && facts.is_true("has_nonce")
                    && identity.is_some();
                let real = facts.text("server_version").starts_with("PostgreSQL");
                if direct && real {
                    self.liveness = Liveness::Advisory;
                }
                if self.liveness == Liveness::Advisory && first_of(2).is_some() {
                    // A `RESET ALL` follows each file, and ends the lease too.
                    let again = self.sql.restore_lease.iter();
                    self.restore.extend(again.map(|part| self.bindings.render(part)));
                }
                self.server = identity.unwrap_or_default();
                if facts.is_true("is_subscribed") {
                    self.topology = Topology::Cluster;
                }
                self.ownership = Ownership::of(facts.is_true("owned"));
                if self.ownership == Ownership::Shared
                    || facts.is_true("has_role_settings")
                    || facts.is_true("has_publications")
                {
                    self.probe_details().await?;
                }
                self.become_user(facts.text("user_name")).await?;
                self.save_settings().await?;
            }
            Dialect::MySql => {
                let schema = self.namespace.schema.clone();
                self.bind(|it| session_locks(it, &schema));
                self.ownership = Ownership::Trusted;
                self.largest_message = facts.text("largest_message").parse().unwrap_or(usize::MAX);
                self.has_triggers = facts.is_true("has_triggers");
                if let Some(tables) = facts.opt("not_transactional") {
                    let tables = tables.split(", ").map(str::to_owned).collect();
                    return Err(TableError::NotTransactional { tables }.into());
                }
                let variables: HashMap<_, _> = sets
                    .iter()
                    .skip(2)
                    .flat_map(|set| &set.rows)
                    .map(|row| (row.text("Variable_name").to_owned(), row.text("Value").to_owned()))
                    .collect();
                let variable =
                    |name: &str| variables.get(name).map(String::as_str).unwrap_or_default();
                if matches!(variable("in_transaction"), "1" | "ON") {
                    return Err(NamespaceError::InTransaction.into());
                }
                let galera = variable("wsrep_on") == "ON";
                let in_group = !variable("group_replication_group_name").is_empty();
                // Percona's cluster may forbid named locks. A statement that asks for one would end
                // the run.
                let forbidden = matches!(variable("pxc_strict_mode"), "ENFORCING" | "MASTER");
                if self.owner == ConnectionOwner::Run && !forbidden {
                    self.liveness = Liveness::GetLock;
                    self.set_lease().await;
                }
                if in_group {
                    self.join_group(variable("group_replication_consistency")).await;
                }
                if galera {
                    self.topology = Topology::Cluster;
                    // The run must see what other nodes have committed before it decides anything.
                    let wait = "SET SESSION wsrep_sync_wait = 7";
                    let _ = self.raw(wait).await;
                    self.setup.push(wait.to_owned());
                }
                self.setup.push(self.bindings.render("USE {schema}"));
                self.server = format!(
                    "{} {} {}",
                    identity.unwrap_or_default(),
                    variable("server_uuid"),
                    variable("wsrep_gcomm_uuid")
                );
                if self.namespace.user != facts.text("user_name") {
                    return Err(self.other_user(facts.text("user_name")));
                }
                self.save_database().await;
                // Take the snapshot before the run changes a setting.
                self.take_snapshot_for(SessionEffect::Object).await?;
            }
            Dialect::Sqlite => {
                self.ownership = Ownership::Trusted;
                self.file = facts.opt("file").filter(|file| !file.is_empty()).map(str::to_owned);
                self.foreign_keys = identity.as_deref() == Some("1");
                self.restore
                    .extend(first_of(2).map(|timeout| format!("PRAGMA busy_timeout = {timeout}")));
                self.restore_caller_on_drop();
            }
        }
        Ok(())
    }

    /// Reads what most databases do not need: the time zone that the database or the role has set, whether other
    /// owners of the tables are trusted, and which publications contain the tables.
    async fn probe_details(&mut self) -> Result<(), Error> {
        let sets = self.query(self.sql.probe_details).await;
        let sets = sets.map_err(Error::during("reading the session's state"))?;
        let facts = sets.first().map(ResultSet::first_row).unwrap_or_default();
        self.bind(|it| it.literal("zone", facts.text("zone")));
        self.ownership = Ownership::of(facts.is_true("owners_trusted"));
        let rows = sets.iter().skip(1).flat_map(|set| &set.rows);
        self.published = rows.map(|row| row.text("pubname").to_owned()).collect();
        Ok(())
    }

    /// Sets the lease: the server ends the session when it is idle for too long, as far as the
    /// server can.
    async fn set_lease(&mut self) {
        self.bind_lease();
        let lease = self.bindings.render(self.sql.lease);
        if self.raw(&lease).await.is_ok() {
            self.setup.push(lease);
        }
    }

    fn bind_lease(&mut self) {
        let lease = environment::lease().unwrap_or_default().as_secs().max(1);
        self.bind(|it| it.number("lease", i64::try_from(lease).unwrap_or(i64::MAX)));
    }

    /// Reads the tables again after they are created: the key of the session lock, and the owners.
    pub(crate) async fn read_new_tables(&mut self) -> Result<(), Error> {
        if self.dialect != Dialect::Postgres {
            return Ok(());
        }
        let query = "SELECT to_regclass({lock_name})::oid::bigint & 2147483647 AS lock_key, {owned} AS owned";
        let sets = self.query(query).await.map_err(Error::during("reading the new tables"))?;
        let row = sets.first().map(ResultSet::first_row).unwrap_or_default();
        self.bind(|it| it.number("key", row.text("lock_key").parse().unwrap_or(0)));
        self.ownership = Ownership::of(row.is_true("owned"));
        match self.ownership {
            Ownership::Trusted => Ok(()),
            Ownership::Shared => self.probe_details().await,
        }
    }

    /// Becomes the user that the state was read as: the pool's own `after_connect` may have set it.
    async fn become_user(&mut self, user: &str) -> Result<(), Error> {
        if self.namespace.user == user {
            return Ok(());
        }
        let expected = self.namespace.user.clone();
        self.bind(|it| it.literal("role", &expected));
        if self.owner == ConnectionOwner::Run && !self.liveness.has_session_lock() {
            // Through a pooler, a session's role would affect other clients. So each transaction
            // sets its own.
            return Ok(());
        }
        self.bind(|it| it.literal("session_role", &expected));
        let bindings = self.bindings.clone().identifier("name", &expected);
        let set_role = self.raw(&bindings.render("SET ROLE {name}")).await;
        set_role.map(drop).map_err(|_| self.other_user(user))
    }

    fn other_user(&self, user: &str) -> Error {
        NamespaceError::OtherUser {
            expected: self.namespace.user.clone(),
            connected: user.to_owned(),
            dialect: self.dialect,
        }
        .into()
    }

    /// Remembers the database of the caller's connection, because the caller may name another
    /// schema.
    async fn save_database(&mut self) {
        if self.owner != ConnectionOwner::Caller {
            return;
        }
        let sets = self.raw("SELECT DATABASE() LIMIT 1").await.unwrap_or_default();
        let name = sets.first().and_then(ResultSet::value);
        let back =
            name.map(|name| self.bindings.clone().identifier("name", name).render("USE {name}"));
        self.restore.extend(back);
    }

    /// Remembers what the caller has set on its connection, because resets follow the files.
    async fn save_settings(&mut self) -> Result<(), Error> {
        if self.owner != ConnectionOwner::Caller {
            return Ok(());
        }
        let sql = "SELECT name, setting FROM pg_catalog.pg_settings
  WHERE source OPERATOR(pg_catalog.=) 'session' AND name OPERATOR(pg_catalog.!~~) 'transaction%'
    AND name OPERATOR(pg_catalog.<>) 'seed'
UNION ALL SELECT 'role', pg_catalog.current_setting('role')";
        let sets = self.raw(sql).await.map_err(Error::during("reading the session's settings"))?;
        let rows = sets.first().into_iter().flat_map(|set| &set.rows);
        self.restore = rows
            .map(|row| {
                self.bindings
                    .clone()
                    .literal("name", row.text("name"))
                    .literal("value", row.text("setting"))
                    .render("SELECT pg_catalog.set_config({name}, {value}, false)")
            })
            .collect();
        Ok(())
    }
}

/// Binds the two session locks of MySQL, one of which a run holds. Their names are derived from the
/// schema.
fn session_locks(bindings: Bindings, schema: &str) -> Bindings {
    // The server accepts names of up to 64 characters.
    let digest: String = Checksum::of_text(schema).to_string().chars().take(40).collect();
    bindings
        .literal("key", &format!("jetbase:{digest}"))
        .literal("other_key", &format!("jetbase:{digest}:2"))
}
