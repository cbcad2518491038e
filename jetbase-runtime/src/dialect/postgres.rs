//! PostgreSQL.

use super::Sql;

pub(super) static SQL: Sql = Sql {
    look: "SELECT current_setting('row_security'), current_setting('statement_timeout'), current_setting('lock_timeout'),
  set_config('row_security', 'off', true), set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true);
SELECT {look_schema}, current_user, current_setting('search_path'), now() <> statement_timestamp(),
  pg_is_in_recovery(), (SELECT n.nspname FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = pg_catalog.to_regclass({look_table})), current_setting('standard_conforming_strings'), version(),
  current_database();
SELECT order_executed, version, description, filename, migration_type, applied_at, checksum
  FROM {migrations} ORDER BY order_executed",
    left: "SELECT process_id FROM {lock} WHERE id = 1 AND is_locked",
    no_table: &["42P01", "3F000"],
    probe: "SELECT current_user, current_setting('search_path'),
  current_setting('jetbase.session', true) IS NOT DISTINCT FROM {nonce},
  pg_catalog.to_regclass({lock_name})::oid::bigint & 2147483647,
  pg_catalog.to_regclass({lock_name}) IS NOT NULL AND pg_catalog.to_regclass({migrations_name}) IS NOT NULL,
  pg_backend_pid(), COALESCE((SELECT substr(c, strpos(c, '=') + 1)
    FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) c
    WHERE lower(split_part(c, '=', 1)) = 'timezone'
      AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
      AND s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user))
    ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1), current_setting('log_timezone')), version(),
  current_setting('role'), current_setting('server_version_num'), current_database(),
  EXISTS (SELECT 1 FROM pg_catalog.pg_subscription_rel WHERE srrelid IN
    (pg_catalog.to_regclass({lock_name}), pg_catalog.to_regclass({migrations_name})));
SELECT pubname FROM pg_catalog.pg_publication_tables
  WHERE schemaname = {schema_name} AND tablename IN ('jetbase_lock', 'jetbase_migrations')
  UNION SELECT pubname FROM pg_catalog.pg_publication WHERE puballtables;
SELECT system_identifier FROM pg_catalog.pg_control_system()",
    create: &[
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL lock_timeout = 0",
        "SELECT pg_advisory_xact_lock(1784835700, 1)",
        "CREATE TABLE IF NOT EXISTS {migrations} (
    order_executed INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version VARCHAR(255),
    description VARCHAR(500) NOT NULL,
    filename VARCHAR(512) NOT NULL,
    migration_type VARCHAR(32) NOT NULL,
    applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL,
    checksum VARCHAR(64) NOT NULL
)",
        "CREATE TABLE IF NOT EXISTS {lock} (
    id INT PRIMARY KEY CHECK (id = 1),
    is_locked BOOLEAN NOT NULL DEFAULT FALSE,
    locked_at TIMESTAMP,
    process_id VARCHAR(36)
)",
        "{index}",
        "INSERT INTO {lock} (id, is_locked) VALUES (1, FALSE) ON CONFLICT (id) DO NOTHING",
        "COMMIT",
    ],
    index: "CREATE UNIQUE INDEX IF NOT EXISTS jetbase_migrations_version ON {migrations} (version)
  WHERE migration_type = 'VERSIONED'",
    create_races: &["23505", "42P07", "42710", "XX000"],
    create_row: "INSERT INTO {lock} (id, is_locked) VALUES (1, FALSE) ON CONFLICT (id) DO NOTHING",
    acquire: "WITH u AS (UPDATE {lock} SET is_locked = TRUE, locked_at = clock_timestamp() AT TIME ZONE {zone},
    process_id = {me} WHERE id = 1 AND is_locked = FALSE RETURNING id)
SELECT EXISTS (SELECT 1 FROM u), FALSE",
    acquire_proven: "WITH s AS (SELECT pg_try_advisory_lock(1784835700, {key}) AS ok),
  u AS (UPDATE {lock} t SET is_locked = TRUE, locked_at = clock_timestamp() AT TIME ZONE {zone}, process_id = {me}
    FROM s WHERE s.ok AND t.id = 1 AND (NOT t.is_locked OR t.process_id LIKE {heirloom}) RETURNING t.id)
SELECT EXISTS (SELECT 1 FROM u), s.ok, (SELECT process_id FROM {lock} WHERE id = 1 AND is_locked) FROM s",
    poll: "SELECT l.is_locked, l.process_id, l.locked_at, EXISTS (SELECT 1 FROM pg_catalog.pg_locks p
    WHERE p.locktype = 'advisory' AND p.granted AND p.classid = 1784835700 AND p.objid = {key} AND p.objsubid = 2
      AND p.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())),
  (SELECT count(*) || ' ' || max(applied_at) FROM {migrations})
  FROM {lock} l WHERE l.id = 1",
    take_over: "WITH u AS (UPDATE {lock} SET is_locked = TRUE, locked_at = clock_timestamp() AT TIME ZONE {zone},
    process_id = {me} WHERE id IN (SELECT id FROM {lock} WHERE id = 1 AND is_locked AND process_id = {dead}
    FOR UPDATE SKIP LOCKED) RETURNING id)
SELECT EXISTS (SELECT 1 FROM u), FALSE",
    take_over_proven: "WITH s AS (SELECT pg_try_advisory_lock(1784835700, {key}) AS ok),
  u AS (UPDATE {lock} t SET is_locked = TRUE, locked_at = clock_timestamp() AT TIME ZONE {zone}, process_id = {me}
    FROM s WHERE s.ok AND t.id IN (SELECT id FROM {lock} WHERE id = 1 AND is_locked AND process_id = {dead}
    FOR UPDATE SKIP LOCKED) RETURNING t.id)
SELECT EXISTS (SELECT 1 FROM u), s.ok FROM s",
    release: "UPDATE {lock} SET is_locked = FALSE, locked_at = NULL, process_id = NULL
  WHERE id = 1 AND process_id = {me}",
    release_proof: "SELECT pg_advisory_unlock(1784835700, {key})",
    unlock: "UPDATE {lock} SET is_locked = FALSE, locked_at = NULL, process_id = NULL WHERE id = 1",
    reading: &["SET LOCAL statement_timeout = 0", "SET LOCAL lock_timeout = 0"],
    writing: &[
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE",
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL lock_timeout = 0",
    ],
    briefly: &[
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE",
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL lock_timeout = '2s'",
    ],
    settle: &[],
    alone: &[
        "SET statement_timeout = 0",
        "SELECT set_config('statement_timeout', {statement_timeout}, false), set_config('lock_timeout', {lock_timeout}, false),
  set_config('search_path', {path}, false), set_config('application_name', {label}, false),
  set_config('default_transaction_read_only', 'off', false),
  set_config('default_transaction_isolation', 'read committed', false)",
    ],
    open: &[
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        "SET LOCAL statement_timeout = 0",
        "SELECT set_config('statement_timeout', {statement_timeout}, true), set_config('lock_timeout', {lock_timeout}, true),
  set_config('search_path', {path}, true), set_config('application_name', {label}, true),
  set_config('role', {role}, true), set_config('jetbase.tx', {tx}, true)",
    ],
    fence: "SELECT 1 / count(*) FROM {lock} WHERE id = 1 AND is_locked AND process_id = {me}",
    fence_locking: "SELECT 1 / count(*) FROM
  (SELECT 1 FROM {lock} WHERE id = 1 AND is_locked AND process_id = {me} FOR UPDATE) AS fence",
    fence_proof: "SELECT 1 / count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted
  AND pid = pg_backend_pid() AND classid = 1784835700 AND objid = {key} AND objsubid = 2",
    still_open: &["SELECT 1 / (CASE WHEN current_setting('jetbase.tx', true) = {tx} THEN 1 ELSE 0 END)"],
    resume: &["RESET SESSION AUTHORIZATION", "SELECT set_config('role', {role}, true)"],
    foreign_keys: "",
    insert: "INSERT INTO {migrations} (version, description, filename, migration_type, checksum, applied_at)
VALUES ({version}, {description}, {file}, {kind}, {checksum}, GREATEST(clock_timestamp() AT TIME ZONE {zone},
  (SELECT max(applied_at) + interval '1 microsecond' FROM {migrations})))",
    update: "UPDATE {migrations} SET checksum = {checksum}, applied_at = GREATEST(clock_timestamp() AT TIME ZONE {zone},
  (SELECT max(applied_at) + interval '1 microsecond' FROM {migrations}))
WHERE filename = {file} AND migration_type = {kind}",
    superseded: "SELECT filename, checksum FROM {superseded}",
    create_superseded: "CREATE TABLE IF NOT EXISTS {superseded} (
    filename VARCHAR(512) NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    PRIMARY KEY (filename, checksum)
)",
    supersede: &[
        "DELETE FROM {superseded} WHERE filename = {file} AND checksum = {checksum}",
        "INSERT INTO {superseded} (filename, checksum)
SELECT filename, checksum FROM {migrations} WHERE filename = {file} AND migration_type = {kind} AND checksum <> {checksum} ON CONFLICT DO NOTHING",
    ],
    delete: "DELETE FROM {migrations} WHERE version = {version} AND migration_type = {kind}",
    reset: &["RESET SESSION AUTHORIZATION", "RESET ALL", "SELECT set_config('role', {session_role}, false)"],
    lease: "SELECT set_config('idle_in_transaction_session_timeout', '{lease}s', false),
  set_config('idle_session_timeout', '{lease}s', false)",
    holder: "SELECT a.pid, a.usename, a.client_addr, a.application_name, a.state, now() - a.xact_start
  FROM pg_catalog.pg_locks p JOIN pg_catalog.pg_stat_activity a USING (pid)
  WHERE p.locktype = 'advisory' AND p.granted AND p.classid = 1784835700 AND p.objid = {key} AND p.objsubid = 2
    AND p.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
    fence_codes: &["22012"],
};
