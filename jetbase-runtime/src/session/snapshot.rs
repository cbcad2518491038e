//! Compares a session with what it held before the first file, and restores it.

use jetbase_core::Dialect;

use super::Session;
use crate::connection::ResultSet;
use crate::error::Error;
use crate::target::ConnectionOwner;

/// The settings and objects of a session at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    /// Each setting, with the statement that sets it to its value.
    settings: Vec<(String, String)>,
    /// The statement that ends each object.
    objects: Vec<String>,
}

impl Snapshot {
    /// Returns the statements that turn a later state of the session into this one.
    fn differences(&self, now: &Snapshot) -> Vec<String> {
        let changed = self.settings.iter().filter(|(name, statement)| {
            now.settings.iter().any(|(known, other)| known == name && other != statement)
        });
        let added = now.objects.iter().filter(|it| !self.objects.contains(it));
        changed.map(|(_, statement)| statement).chain(added).cloned().collect()
    }
}

/// How often the session is compared with its snapshot.
const MAX_ROUNDS: u32 = 100;

impl Session<'_> {
    /// Ends what did not exist before the first file, and restores changed settings.
    pub(super) async fn restore_snapshot(&mut self) -> Result<(), Error> {
        let Some(before) = self.snapshot.clone() else { return Ok(()) };
        // A lock may have been acquired several times, but is listed once.
        for _ in 0..MAX_ROUNDS {
            let now = self.take_snapshot().await?;
            let differences = before.differences(&now);
            if differences.is_empty() {
                break;
            }
            self.undo(&differences).await?;
            if self.dialect == Dialect::MySql {
                break;
            }
        }
        Ok(())
    }

    async fn undo(&mut self, statements: &[String]) -> Result<(), Error> {
        for statement in statements {
            let done = self.raw(statement).await;
            // MySQL also lists settings that cannot be set in a session.
            if self.dialect != Dialect::MySql {
                let doing = format!("undoing what a file has left in the session (`{statement}`)");
                done.map_err(Error::during(&doing))?;
            }
        }
        Ok(())
    }

    pub(super) async fn take_snapshot(&mut self) -> Result<Snapshot, Error> {
        let query = match self.dialect {
            Dialect::Postgres => POSTGRES_OBJECTS.to_owned(),
            // SHOW obeys the limit of rows, too.
            Dialect::MySql => format!(
                "SELECT @@sql_select_limit LIMIT 1;\nSET SESSION sql_select_limit = 18446744073709551615;\n{MYSQL_SETTINGS}"
            ),
            Dialect::Sqlite => {
                let pragmas = SQLITE_PRAGMAS.iter().map(|name| format!("PRAGMA {name}"));
                let pragmas: Vec<_> = pragmas.collect();
                format!("{SQLITE_OBJECTS};\nSELECT 'a' LIKE 'A';\n{}", pragmas.join(";\n"))
            }
        };
        let sets = self.query(&query).await;
        let sets = sets.map_err(Error::during("reading what the session holds"))?;
        let (first, rest) = sets.split_first().unzip();
        let rows = first.map(|set| set.rows.as_slice()).unwrap_or_default();
        let objects = || rows.iter().map(|row| row.text("undo").to_owned()).collect();
        Ok(match self.dialect {
            Dialect::Postgres => {
                Snapshot { settings: self.custom_settings().await?, objects: objects() }
            }
            Dialect::MySql => {
                let limit = first.and_then(ResultSet::value).unwrap_or_default();
                let listed = sets.last().map(|set| set.rows.as_slice()).unwrap_or_default();
                let settings = listed.iter().map(|row| match row.text("Variable_name") {
                    "sql_select_limit" => ("sql_select_limit", limit),
                    name => (name, row.text("Value")),
                });
                let settings = settings
                    .map(|(name, value)| (name.to_owned(), self.mysql_setting(name, value)));
                Snapshot { settings: settings.collect(), objects: Vec::new() }
            }
            Dialect::Sqlite => {
                let names = std::iter::once(&"case_sensitive_like").chain(SQLITE_PRAGMAS);
                let values = rest.unwrap_or_default().iter().map(ResultSet::value);
                let settings = names.zip(values).filter_map(|(name, value)| {
                    let value = match *name {
                        // The value is the result of a comparison that ignores case.
                        "case_sensitive_like" if value? == "1" => "OFF",
                        "case_sensitive_like" => "ON",
                        // WAL mode belongs to the database file.
                        "journal_mode" if value? == "wal" => return None,
                        _ => value?,
                    };
                    Some(((*name).to_owned(), format!("PRAGMA {name} = {value}")))
                });
                Snapshot { settings: settings.collect(), objects: objects() }
            }
        })
    }

    /// Reads the settings of other modules that the files name. PostgreSQL does not list them.
    async fn custom_settings(&mut self) -> Result<Vec<(String, String)>, Error> {
        let mut settings = Vec::new();
        for name in self.custom_names.clone() {
            let bindings = self.bindings.clone().literal("name", &name);
            let query = bindings.render("SELECT pg_catalog.current_setting({name}, true)");
            let sets = self.raw(&query).await;
            let sets = sets.map_err(Error::during("reading what the session holds"))?;
            let value = sets.first().and_then(ResultSet::value).unwrap_or_default();
            let restore = "SELECT pg_catalog.set_config({name}, {value}, false)";
            settings.push((name, bindings.literal("value", value).render(restore)));
        }
        Ok(settings)
    }

    /// Learns which settings of other modules the functions of the database name.
    pub(crate) async fn collect_setting_names_of_functions(&mut self) {
        let sources = self.query(POSTGRES_FUNCTIONS).await.unwrap_or_default();
        let rows = sources.iter().flat_map(|set| &set.rows);
        rows.for_each(|row| self.collect_setting_names(row.text("prosrc")));
    }

    /// Learns the settings of other modules that a text names: those with a dot, after `SET` or in
    /// `set_config`.
    pub(crate) fn collect_setting_names(&mut self, text: &str) {
        let words = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.')));
        let mut before = String::new();
        for word in words.filter(|word| !word.is_empty()) {
            let word = word.to_ascii_lowercase();
            if matches!(before.as_str(), "set" | "set_config") {
                match word.as_str() {
                    "local" | "session" => continue,
                    name if name.contains('.') && !self.custom_names.contains(&word) => {
                        self.custom_names.push(name.to_owned());
                    }
                    _ => {}
                }
            }
            before = word;
        }
    }

    fn mysql_setting(&self, name: &str, value: &str) -> String {
        let value = match value {
            "" if name.starts_with("character_set") => "NULL".to_owned(),
            number if number.parse::<f64>().is_ok() => number.to_owned(),
            text => self.bindings.clone().literal("value", text).render("{value}"),
        };
        format!("SET SESSION {name} = {value}")
    }

    /// Restores a borrowed connection of SQLite for its owner, even after a panic.
    pub(super) fn restore_caller_on_drop(&mut self) {
        if self.dialect != Dialect::Sqlite || self.owner != ConnectionOwner::Caller {
            return;
        }
        let mut undo = vec!["ROLLBACK".to_owned()];
        if self.foreign_keys {
            undo.push("PRAGMA foreign_keys = ON".to_owned());
        }
        undo.extend(self.restore.iter().cloned());
        undo.extend(
            self.snapshot
                .iter()
                .flat_map(|snapshot| snapshot.settings.iter().map(|(_, it)| it.clone())),
        );
        self.connection.on_abandon(undo);
    }
}

/// Lists the objects of a PostgreSQL session, as the statements that end them.
const POSTGRES_OBJECTS: &str = "SELECT undo FROM (
  SELECT 1, format('DROP %s IF EXISTS pg_temp.%I CASCADE', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE'
      WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, c.relname)
    FROM pg_class AS c WHERE c.relnamespace = pg_my_temp_schema() AND c.relkind IN ('r', 'p', 'v', 'S', 'c')
  UNION ALL SELECT 2, format('DROP ROUTINE IF EXISTS pg_temp.%I(%s) CASCADE', p.proname, pg_get_function_identity_arguments(p.oid))
    FROM pg_proc AS p WHERE p.pronamespace = pg_my_temp_schema()
  UNION ALL SELECT 3, format('DROP TYPE IF EXISTS pg_temp.%I CASCADE', t.typname)
    FROM pg_type AS t WHERE t.typnamespace = pg_my_temp_schema() AND t.typtype IN ('d', 'e')
  UNION ALL SELECT 4, format('DEALLOCATE %I', name) FROM pg_prepared_statements
  UNION ALL SELECT 5, format('CLOSE %I', name) FROM pg_cursors WHERE is_holdable
  UNION ALL SELECT 6, format('UNLISTEN %I', channel) FROM pg_listening_channels() AS channel
  UNION ALL SELECT 7, CASE objsubid
      WHEN 1 THEN format('SELECT pg_catalog.pg_advisory_unlock%s(%s)', kind, (classid::bigint << 32) | objid::bigint)
      ELSE format('SELECT pg_catalog.pg_advisory_unlock%s(%s, %s)', kind, classid::bigint::bit(32)::int, objid::bigint::bit(32)::int) END
    FROM (SELECT *, CASE mode WHEN 'ShareLock' THEN '_shared' ELSE '' END AS kind FROM pg_locks
      WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()) AS locks
) AS objects(kind, undo) ORDER BY kind, undo";

/// Lists the functions of PostgreSQL that may set something in their session.
const POSTGRES_FUNCTIONS: &str = "SELECT prosrc FROM pg_proc
  WHERE pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) AND prosrc ~* '[[:<:]]set'";

/// Lists what a file can set in a MySQL session. The excluded variables are counters, or cannot be
/// set.
const MYSQL_SETTINGS: &str = "SHOW SESSION VARIABLES WHERE Variable_name NOT IN ('timestamp', 'rand_seed1', 'rand_seed2',
  'last_insert_id', 'identity', 'insert_id', 'warning_count', 'error_count', 'in_transaction', 'last_gtid',
  'pseudo_thread_id', 'pseudo_slave_mode', 'pseudo_replica_mode', 'gtid_executed', 'gtid_next')";

/// Lists the objects of an SQLite connection, as the statements that end them.
const SQLITE_OBJECTS: &str = "SELECT undo FROM (
  SELECT CASE type WHEN 'trigger' THEN 1 WHEN 'view' THEN 2 ELSE 3 END AS kind,
    'DROP ' || type || ' IF EXISTS temp.\"' || replace(name, '\"', '\"\"') || '\"' AS undo FROM sqlite_temp_master
    WHERE type IN ('table', 'view', 'trigger') AND name NOT LIKE 'sqlite~_%' ESCAPE '~'
  UNION ALL SELECT 4, 'DETACH \"' || replace(name, '\"', '\"\"') || '\"' FROM pragma_database_list
    WHERE name NOT IN ('main', 'temp')) ORDER BY kind, undo";

/// The settings of an SQLite connection. Settings of the database file are not restored, and are
/// not listed here.
const SQLITE_PRAGMAS: &[&str] = &[
    "analysis_limit",
    "automatic_index",
    "busy_timeout",
    "cache_size",
    "cache_spill",
    "cell_size_check",
    "checkpoint_fullfsync",
    "defer_foreign_keys",
    "full_column_names",
    "fullfsync",
    "ignore_check_constraints",
    "journal_mode",
    "journal_size_limit",
    "legacy_alter_table",
    "locking_mode",
    "max_page_count",
    "mmap_size",
    "query_only",
    "read_uncommitted",
    "recursive_triggers",
    "reverse_unordered_selects",
    "secure_delete",
    "short_column_names",
    "synchronous",
    "temp_store",
    "threads",
    "trusted_schema",
    "wal_autocheckpoint",
    "writable_schema",
];
