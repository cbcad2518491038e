//! The tables of other tools, as data: how they are found and read on each database.

use jetbase_core::{Dialect, OldTool};

/// The SQL texts of one dialect that do not depend on the old tool.
#[derive(Debug)]
pub(crate) struct OldSql {
    /// Tables that have a name of `{old_names}`, or exactly the columns `{old_columns}`, of which
    /// there are `{old_count}`: `found_schema`, `found_name`, and `own_tables`, the number of tables in
    /// the schema of jetbase.
    pub(crate) find: &'static str,
    /// A condition: the old tool does not hold its lock `{old_lock}`. Until the end of the transaction
    /// (MySQL: until `unlock`), it cannot take its lock.
    pub(crate) lock: &'static [&'static str],
    /// Releases that lock.
    pub(crate) unlock: &'static str,
    /// A condition: the old table has `{old_rows}` rows.
    pub(crate) unchanged: &'static str,
    /// Records a migration as applied at `{old_time}`, or one tick after the row before it.
    pub(crate) insert: &'static str,
    /// Records that the history was adopted, and up to which version, in the table of replaced texts.
    pub(crate) mark: &'static [&'static str],
}

/// The SQL texts of one old tool on one dialect.
#[derive(Debug)]
pub(crate) struct OldTableSql {
    /// The columns of the table.
    pub(crate) columns: &'static [&'static str],
    /// The rows: `old_key`, `checksum`, `success`, `kind`.
    pub(crate) rows: &'static str,
    /// An expression: when the row `{old_key}` was applied.
    pub(crate) time: &'static str,
}

/// Returns the texts of a dialect.
pub(crate) const fn old_sql(dialect: Dialect) -> &'static OldSql {
    match dialect {
        Dialect::Postgres => &POSTGRES,
        Dialect::MySql => &MYSQL,
        Dialect::Sqlite => &SQLITE,
    }
}

static POSTGRES: OldSql = OldSql {
    find: "SELECT n.nspname AS found_schema, c.relname AS found_name,
  (SELECT count(*) FROM pg_class AS o JOIN pg_namespace AS s ON s.oid = o.relnamespace
    WHERE s.nspname = {schema_name} AND o.relkind IN ('r', 'p') AND NOT starts_with(o.relname::text, 'jetbase_')) AS own_tables
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND NOT starts_with(n.nspname::text, 'pg_') AND n.nspname <> 'information_schema'
    AND NOT starts_with(c.relname::text, 'jetbase_') AND (
      (n.nspname = {schema_name} AND c.relname IN ({old_names}))
      OR (SELECT count(*) = {old_count} AND count(*) FILTER (WHERE a.attname IN ({old_columns})) = {old_count}
        FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
  ORDER BY n.nspname, c.relname",
    lock: &["SELECT 1 / pg_try_advisory_xact_lock({old_lock})::int"],
    unlock: "",
    unchanged: "SELECT 1 / (count(*) = {old_rows})::int FROM {old}",
    insert: "INSERT INTO {migrations} (version, description, filename, migration_type, checksum, applied_at)
VALUES ({version}, {description}, {file}, {kind}, {checksum},
  GREATEST(COALESCE({old_time}, clock_timestamp() AT TIME ZONE {zone}),
    (SELECT max(applied_at) + interval '1 microsecond' FROM {migrations})))",
    mark: MARK,
};

static MYSQL: OldSql = OldSql {
    find: "SELECT {schema_name} AS found_schema, c.table_name AS found_name,
  (SELECT COUNT(*) FROM information_schema.tables AS o WHERE o.table_schema = {schema_name}
    AND o.table_type = 'BASE TABLE' AND LEFT(o.table_name, 8) <> 'jetbase_') AS own_tables
  FROM information_schema.columns AS c
  JOIN information_schema.tables AS t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
  WHERE c.table_schema = {schema_name} AND t.table_type = 'BASE TABLE' AND LEFT(c.table_name, 8) <> 'jetbase_'
  GROUP BY c.table_name
  HAVING c.table_name IN ({old_names})
    OR (COUNT(*) = {old_count} AND SUM(LOWER(c.column_name) IN ({old_columns})) = {old_count})
  ORDER BY c.table_name LIMIT 1000",
    lock: &[
        "DO GET_LOCK({old_lock}, 0)",
        "SELECT EXP(1000 * (1 - (IS_USED_LOCK({old_lock}) <=> CONNECTION_ID()))) LIMIT 1",
    ],
    unlock: "DO RELEASE_LOCK({old_lock})",
    unchanged: "SELECT EXP(1000 * (COUNT(*) <> {old_rows})) FROM {old} LIMIT 1",
    insert: "INSERT INTO {migrations} (version, description, filename, migration_type, checksum, applied_at)
SELECT {version}, {description}, {file}, {kind}, {checksum}, GREATEST(COALESCE(t.applied, CURRENT_TIMESTAMP(6)),
    COALESCE(m.last + INTERVAL 1 MICROSECOND, t.applied, CURRENT_TIMESTAMP(6)))
  FROM (SELECT {old_time} AS applied) AS t, (SELECT MAX(applied_at) AS last FROM {migrations}) AS m",
    mark: MARK,
};

static SQLITE: OldSql = OldSql {
    find: "SELECT 'main' AS found_schema, m.name AS found_name,
  (SELECT count(*) FROM main.sqlite_master AS o WHERE o.type = 'table' AND substr(o.name, 1, 8) <> 'jetbase_'
    AND substr(o.name, 1, 7) <> 'sqlite_') AS own_tables
  FROM main.sqlite_master AS m WHERE m.type = 'table' AND substr(m.name, 1, 8) <> 'jetbase_' AND (m.name IN ({old_names})
    OR ((SELECT count(*) FROM pragma_table_info(m.name)) = {old_count}
      AND (SELECT count(*) FROM pragma_table_info(m.name) AS c WHERE c.name IN ({old_columns})) = {old_count}))
  ORDER BY m.name",
    // No tool has a lock here. The transaction excludes other writers.
    lock: &[],
    unlock: "",
    unchanged: "SELECT CASE (SELECT count(*) FROM {old}) WHEN {old_rows} THEN 1 ELSE json('changed') END",
    insert: "INSERT INTO {migrations} (version, description, filename, migration_type, checksum, applied_at)
VALUES ({version}, {description}, {file}, {kind}, {checksum},
  max(COALESCE({old_time}, STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')),
    COALESCE((SELECT STRFTIME('%Y-%m-%d %H:%M:%f', MAX(applied_at), '+0.001 seconds') FROM {migrations}), '')))",
    mark: MARK,
};

/// Writes the mark, on all databases.
const MARK: &[&str] = &[
    "DELETE FROM {superseded} WHERE filename = {old_table}",
    "INSERT INTO {superseded} (filename, checksum) VALUES ({old_table}, {old_mark})",
];

const SQLX: &[&str] =
    &["version", "description", "installed_on", "success", "checksum", "execution_time"];
const REFINERY: &[&str] = &["version", "name", "applied_on", "checksum"];
const DIESEL: &[&str] = &["version", "run_on"];
const FLYWAY: &[&str] = &[
    "installed_rank",
    "version",
    "description",
    "type",
    "script",
    "checksum",
    "installed_by",
    "installed_on",
    "execution_time",
    "success",
];
const SEA_ORM: &[&str] = &["version", "applied_at"];

/// Returns the texts of an old tool on a dialect.
pub(crate) const fn old_table_sql(tool: OldTool, dialect: Dialect) -> OldTableSql {
    let (columns, rows, time) = match (tool, dialect) {
        (OldTool::Sqlx, Dialect::Postgres) => (
            SQLX,
            "SELECT version::text AS old_key, encode(checksum, 'hex') AS checksum, success, '' AS kind FROM {old}
  ORDER BY version",
            "(SELECT max(installed_on) AT TIME ZONE {zone} FROM {old} WHERE version::text = {old_key})",
        ),
        (OldTool::Sqlx, Dialect::MySql) => (
            SQLX,
            "SELECT CAST(version AS CHAR) AS old_key, LOWER(HEX(checksum)) AS checksum, success, '' AS kind FROM {old}
  ORDER BY version LIMIT 18446744073709551615",
            "(SELECT MAX(installed_on) FROM {old} WHERE CAST(version AS CHAR) = {old_key})",
        ),
        (OldTool::Sqlx, Dialect::Sqlite) => (
            SQLX,
            "SELECT CAST(version AS TEXT) AS old_key, lower(hex(checksum)) AS checksum, success, '' AS kind FROM {old}
  ORDER BY version",
            "(SELECT max(STRFTIME('%Y-%m-%d %H:%M:%f', installed_on)) FROM {old} WHERE CAST(version AS TEXT) = {old_key})",
        ),
        (OldTool::Refinery, Dialect::Postgres) => (
            REFINERY,
            "SELECT version::text AS old_key, checksum, true AS success, '' AS kind FROM {old} ORDER BY version",
            "(SELECT max(applied_on::timestamptz) AT TIME ZONE {zone} FROM {old} WHERE version::text = {old_key})",
        ),
        // The text is in UTC: `2024-01-31T10:20:30.123456789Z`.
        (OldTool::Refinery, Dialect::MySql) => (
            REFINERY,
            "SELECT CAST(version AS CHAR) AS old_key, checksum, 1 AS success, '' AS kind FROM {old}
  ORDER BY version LIMIT 18446744073709551615",
            "(SELECT MAX(CAST(TRIM(TRAILING 'Z' FROM REPLACE(LEFT(applied_on, 26), 'T', ' ')) AS DATETIME(6)))
  FROM {old} WHERE CAST(version AS CHAR) = {old_key})",
        ),
        (OldTool::Refinery, Dialect::Sqlite) => (
            REFINERY,
            "SELECT CAST(version AS TEXT) AS old_key, checksum, 1 AS success, '' AS kind FROM {old} ORDER BY version",
            "(SELECT max(STRFTIME('%Y-%m-%d %H:%M:%f', applied_on)) FROM {old} WHERE CAST(version AS TEXT) = {old_key})",
        ),
        (OldTool::Diesel, Dialect::Postgres) => (
            DIESEL,
            "SELECT version AS old_key, '' AS checksum, true AS success, '' AS kind FROM {old} ORDER BY version",
            "(SELECT max(run_on) FROM {old} WHERE version = {old_key})",
        ),
        (OldTool::Diesel, Dialect::MySql) => (
            DIESEL,
            "SELECT version AS old_key, '' AS checksum, 1 AS success, '' AS kind FROM {old}
  ORDER BY version LIMIT 18446744073709551615",
            "(SELECT MAX(run_on) FROM {old} WHERE version = {old_key})",
        ),
        (OldTool::Diesel, Dialect::Sqlite) => (
            DIESEL,
            "SELECT version AS old_key, '' AS checksum, 1 AS success, '' AS kind FROM {old} ORDER BY version",
            "(SELECT max(STRFTIME('%Y-%m-%d %H:%M:%f', run_on)) FROM {old} WHERE version = {old_key})",
        ),
        (OldTool::Flyway, Dialect::Postgres) => (
            FLYWAY,
            "SELECT COALESCE(version, script) AS old_key, checksum::text AS checksum, success, type AS kind FROM {old}
  ORDER BY installed_rank",
            "(SELECT max(installed_on) FROM {old} WHERE COALESCE(version, script) = {old_key})",
        ),
        (OldTool::Flyway, Dialect::MySql) => (
            FLYWAY,
            "SELECT COALESCE(version, script) AS old_key, CAST(checksum AS CHAR) AS checksum, success, type AS kind FROM {old}
  ORDER BY installed_rank LIMIT 18446744073709551615",
            "(SELECT MAX(installed_on) FROM {old} WHERE COALESCE(version, script) = {old_key})",
        ),
        (OldTool::Flyway, Dialect::Sqlite) => (
            FLYWAY,
            "SELECT COALESCE(version, script) AS old_key, CAST(checksum AS TEXT) AS checksum, success, type AS kind FROM {old}
  ORDER BY installed_rank",
            "(SELECT max(STRFTIME('%Y-%m-%d %H:%M:%f', installed_on)) FROM {old} WHERE COALESCE(version, script) = {old_key})",
        ),
        (OldTool::SeaOrm, Dialect::Postgres) => (
            SEA_ORM,
            "SELECT version AS old_key, '' AS checksum, true AS success, '' AS kind FROM {old} ORDER BY version",
            "(SELECT to_timestamp(max(applied_at)) AT TIME ZONE {zone} FROM {old} WHERE version = {old_key})",
        ),
        (OldTool::SeaOrm, Dialect::MySql) => (
            SEA_ORM,
            "SELECT version AS old_key, '' AS checksum, 1 AS success, '' AS kind FROM {old}
  ORDER BY version LIMIT 18446744073709551615",
            "(SELECT FROM_UNIXTIME(MAX(applied_at)) FROM {old} WHERE version = {old_key})",
        ),
        (OldTool::SeaOrm, Dialect::Sqlite) => (
            SEA_ORM,
            "SELECT version AS old_key, '' AS checksum, 1 AS success, '' AS kind FROM {old} ORDER BY version",
            "(SELECT STRFTIME('%Y-%m-%d %H:%M:%f', max(applied_at), 'unixepoch') FROM {old} WHERE version = {old_key})",
        ),
    };
    OldTableSql { columns, rows, time }
}
