//! SQLite.

use super::{CREATE_JOURNAL, CREATE_SUPERSEDED, HISTORY, Sql};

pub(super) static SQL: Sql = Sql {
    read_state: &[
        // Inside a transaction this fails; elsewhere it changes nothing.
        "PRAGMA main.synchronous = {synchronous}",
        "SELECT 'main' AS used_schema, '' AS user_name,
  (SELECT 'main' FROM main.sqlite_master WHERE name = 'jetbase_migrations') AS history_schema,
  (SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = 'jetbase_journal') AS journal_size",
    ],
    state_facts: 1,
    quick_state: "",
    short_wait: &["PRAGMA busy_timeout = 1000"],
    restore_wait: &["PRAGMA busy_timeout = {busy_timeout}"],
    end_setting: "",
    guard_state: &[],
    guard_history: &[],
    guard_holder: &[],
    state_history: HISTORY,
    packed_history: "SELECT count(*) AS row_count, group_concat(order_executed, char(10)) AS order_executed,
  group_concat(COALESCE(version, char(9)), char(10)) AS version, group_concat(filename, char(10)) AS filename,
  group_concat(migration_type, char(10)) AS migration_type, group_concat(COALESCE(checksum, ''), char(10)) AS checksum
  FROM {migrations}",
    history: HISTORY,
    current_holder: "SELECT is_locked, process_id FROM {lock} WHERE id = 1",
    // It refuses to set `synchronous`.
    in_transaction: &["1"],
    no_table: &["1"],
    tables_exist: "(SELECT count(*) = 2 FROM main.sqlite_master
    WHERE type = 'table' AND name IN ('jetbase_lock', 'jetbase_migrations'))",
    probe: "SELECT (SELECT file FROM pragma_database_list WHERE name = 'main') AS file, {tables_exist} AS has_tables,
  EXISTS (SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = 'jetbase_journal') AS has_journal;
PRAGMA foreign_keys;
PRAGMA busy_timeout",
    probe_facts: 0,
    probe_details: "",
    create: &[
        "BEGIN IMMEDIATE",
        "CREATE TABLE IF NOT EXISTS {migrations} (
    order_executed INTEGER PRIMARY KEY AUTOINCREMENT,
    version TEXT,
    description TEXT,
    filename TEXT NOT NULL,
    migration_type TEXT NOT NULL,
    applied_at TEXT DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')),
    checksum TEXT
)",
        "CREATE TABLE IF NOT EXISTS {lock} (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    is_locked BOOLEAN NOT NULL DEFAULT 0,
    locked_at TEXT DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')),
    process_id TEXT
)",
        "{index}",
        "INSERT OR IGNORE INTO {lock} (id, is_locked) VALUES (1, 0)",
        "COMMIT",
    ],
    index: INDEX,
    create_races: &["5"],
    create_row: "INSERT OR IGNORE INTO {lock} (id, is_locked) VALUES (1, 0)",
    acquire: "UPDATE {lock} SET is_locked = 1, locked_at = STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW'), process_id = {me}
  WHERE id = 1 AND is_locked = 0;
SELECT EXISTS (SELECT 1 FROM {lock} WHERE id = 1 AND is_locked AND process_id = {me}) AS has_row, 0 AS has_session_lock",
    acquire_with_session_lock: "SELECT (SELECT process_id FROM {lock} WHERE id = 1 AND is_locked) AS previous;
UPDATE {lock} SET is_locked = 1, locked_at = STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW'), process_id = {me}
  WHERE id = 1 AND (is_locked = 0 OR process_id LIKE {recoverable_prefix});
SELECT EXISTS (SELECT 1 FROM {lock} WHERE id = 1 AND is_locked AND process_id = {me}) AS has_row, 1 AS has_session_lock",
    cancel_statement: "",
    poll: "SELECT is_locked <> 0 AS is_locked, process_id, locked_at FROM {lock} WHERE id = 1",
    take_over: "",
    take_over_with_session_lock: "",
    release: "UPDATE {lock} SET is_locked = 0, locked_at = NULL, process_id = NULL WHERE id = 1 AND process_id = {me}",
    release_session_lock: "SELECT 1",
    move_session_lock: "",
    unlock: "UPDATE {lock} SET is_locked = 0, locked_at = NULL, process_id = NULL WHERE id = 1",
    read_settings: &[],
    write_settings: &[],
    lock_settings: &[],
    guard_reading: &[],
    guard_old: &[],
    guard_writing: &[],
    guard_superseded_reading: &[],
    guard_superseded_writing: &[],
    check_own: "",
    check: "",
    untrusted: "",
    owned: "",
    owners_trusted: "",
    waiting_settings: &["PRAGMA busy_timeout = 1000"],
    session_settings: &["PRAGMA foreign_keys = OFF"],
    autocommit_settings: &[],
    fence_settings: &[],
    encoding: &[],
    begin: &["BEGIN IMMEDIATE", "SAVEPOINT jetbase_file"],
    file_settings: &[],
    // `json` of an invalid text is the way to raise an error from plain SQL. A query without a row is faster:
    // each row wakes the task that waits for the results.
    fence: "SELECT 1 WHERE CASE WHEN EXISTS (SELECT 1 FROM {lock} WHERE id = 1 AND is_locked AND process_id = {me})
  THEN 0 ELSE json('lock lost') END",
    fence_locking: "SELECT 1 WHERE CASE WHEN EXISTS (SELECT 1 FROM {lock} WHERE id = 1 AND is_locked AND process_id = {me})
  THEN 0 ELSE json('lock lost') END",
    fence_in_cluster: &[],
    has_session_lock: "",
    fence_session_lock: "SELECT 1",
    // A transaction that has ended no longer has the savepoint.
    still_open: &["RELEASE jetbase_file"],
    transaction_probe: "RELEASE jetbase_file",
    restore_settings: &["PRAGMA query_only = OFF", "PRAGMA ignore_check_constraints = OFF"],
    children: "(SELECT DISTINCT m.name FROM main.sqlite_master AS m, pragma_foreign_key_list(m.name) AS f
  WHERE m.type = 'table' AND (lower(m.name) NOT IN ({unchanged}) OR lower(f.\"table\") NOT IN ({unchanged})))",
    foreign_keys: "SELECT 1 WHERE CASE WHEN (SELECT count(*) FROM {children} AS c, pragma_foreign_key_check(c.name)) > {orphans}
  THEN json('foreign keys') ELSE 0 END",
    restore_number: &[],
    insert: "INSERT INTO {migrations} (version, description, filename, migration_type, checksum, applied_at)
VALUES ({version}, {description}, {file}, {kind}, {checksum}, max(STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW'),
  COALESCE(STRFTIME('%Y-%m-%d %H:%M:%f', {latest_time}, '+0.001 seconds'), '')))",
    last_time: "(SELECT applied_at FROM {migrations} ORDER BY order_executed DESC LIMIT 1)",
    latest_time: "(SELECT MAX(applied_at) FROM {migrations}
    WHERE order_executed IN ({latest}, (SELECT MAX(order_executed) FROM {migrations})))",
    run_deferred: &[],
    defer_again: &[],
    inserted: "SELECT 1 WHERE CASE WHEN EXISTS (SELECT 1 FROM {migrations} WHERE order_executed = last_insert_rowid()
    AND version IS {version} AND migration_type = {kind} AND filename = {file} AND checksum = {checksum})
  THEN 0 ELSE json('not recorded') END",
    updated: "SELECT 1 WHERE CASE WHEN EXISTS (SELECT 1 FROM {migrations} WHERE filename = {file} AND migration_type = {kind}
    AND checksum = {checksum} AND applied_at = (SELECT max(applied_at) FROM {migrations}))
  THEN 0 ELSE json('not recorded') END",
    repaired: "SELECT 1 WHERE CASE WHEN EXISTS (SELECT 1 FROM {migrations} WHERE version = {version} AND migration_type = {kind}
    AND checksum = {checksum}) THEN 0 ELSE json('not recorded') END",
    deleted: "SELECT 1 WHERE CASE WHEN EXISTS (SELECT 1 FROM {migrations} WHERE version = {version} AND migration_type = {kind})
  THEN json('not recorded') ELSE 0 END",
    repeatable_deleted: "SELECT 1 WHERE CASE WHEN EXISTS (SELECT 1 FROM {migrations} WHERE filename = {file} AND migration_type = {kind})
  THEN json('not recorded') ELSE 0 END",
    update: "UPDATE {migrations} SET checksum = {checksum}, applied_at = max(STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW'),
  COALESCE((SELECT STRFTIME('%Y-%m-%d %H:%M:%f', MAX(applied_at), '+0.001 seconds') FROM {migrations}), ''))
WHERE filename = {file} AND migration_type = {kind}",
    mark_stale: super::MARK_STALE,
    repair: "UPDATE {migrations} SET checksum = {checksum} WHERE version = {version} AND migration_type = {kind}",
    superseded: "SELECT filename, checksum FROM {superseded}",
    create_superseded: CREATE_SUPERSEDED,
    supersede: &[
        "DELETE FROM {superseded} WHERE filename = {file} AND checksum = {checksum}",
        "INSERT OR IGNORE INTO {superseded} (filename, checksum)
SELECT filename, lower(checksum) FROM {migrations} WHERE filename = {file} AND migration_type = {kind} AND lower(checksum) <> {checksum}",
    ],
    delete: "DELETE FROM {migrations} WHERE version = {version} AND migration_type = {kind}",
    delete_repeatable: "DELETE FROM {migrations} WHERE filename = {file} AND migration_type = {kind}",
    reset: &[],
    discard: &[],
    lease: "",
    restore_lease: &[],
    holder: "SELECT NULL AS session_id",
    read_across_nodes: "",
    group_state: "",
    doctor: &["SELECT 'SQLite ' || sqlite_version() AS server, (SELECT query_only FROM pragma_query_only) AS is_read_only,
  '' AS login, '' AS user_name, 0 AS is_superuser, 'UTC' AS zone, '' AS timeouts,
  NULL AS connections, NULL AS most_connections, NULL AS filtered,
  (SELECT group_concat(name, ', ') FROM (SELECT name FROM main.sqlite_master WHERE type = 'table'
    AND name IN ('jetbase_lock', 'jetbase_migrations', 'jetbase_superseded') ORDER BY name)) AS tables,
  EXISTS (SELECT 1 FROM pragma_index_list('jetbase_migrations') AS l, pragma_index_info(l.name) AS i
    WHERE l.\"unique\" AND i.name = 'version') AS has_index"],
    doctor_facts: 0,
    add_index: INDEX,
    fence_codes: &["1"],
    guard_codes: &[],
    create_journal: CREATE_JOURNAL,
    journal_has_rows: &[],
    journal: "SELECT j.filename, j.direction, j.statement, j.digest, j.state, j.place, j.found, j.leftover_schema, j.leftover_name, j.process_id,
  CASE WHEN j.applied_at IS NOT (SELECT max(m.applied_at) FROM {migrations} AS m WHERE m.filename = j.filename) THEN 1 ELSE 0 END AS stale
  FROM {journal} AS j ORDER BY j.filename, j.direction, j.statement",
    guard_journal_reading: &[],
    guard_journal_writing: &[],
    journal_write: "INSERT OR REPLACE INTO {journal} (filename, direction, statement, digest, state, place, found, applied_at, recorded_at, process_id)
VALUES ({file}, {direction}, {number}, {digest}, {state}, {place}, {found},
  {recorded}, STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW'), {me})",
    catalog: &[],
};

const INDEX: &str = "CREATE UNIQUE INDEX IF NOT EXISTS main.jetbase_migrations_version ON jetbase_migrations (version)
  WHERE migration_type = 'VERSIONED'";
