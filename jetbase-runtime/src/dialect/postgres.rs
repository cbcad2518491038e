//! PostgreSQL.

mod owners;

use jetbase_core::ObjectKind;

use self::owners::{CHECK, CHECK_OWN, CHECK_OWN_STATE, OWNED, OWNERS_TRUSTED, UNTRUSTED};
use super::{CREATE_JOURNAL, CREATE_SUPERSEDED, HISTORY, Sql};

pub(super) static SQL: Sql = Sql {
    // Until the schema of the tables is known, the search path is the caller's, so these statements
    // use no operator and no unqualified function. Afterwards the path is that schema alone while a
    // table is named, and `pg_catalog` otherwise.
    read_state: &[
        // The columns are evaluated in their order. `OFFSET 0` lets the schema be looked up once, before the
        // settings change. They do not change in a transaction of the caller.
        "SELECT {state_schema} AS used_schema, current_user AS user_name, found.search_path, found.in_transaction,
  found.history_schema, COALESCE(pg_catalog.pg_relation_size(pg_catalog.to_regclass({state_journal})), 0) AS journal_size,
  pg_catalog.current_setting('standard_conforming_strings') AS syntax_settings,
  pg_catalog.version() AS server_version, pg_catalog.current_setting('server_version_num') AS version_number,
  pg_catalog.current_database() AS database_name,
  CASE WHEN NOT found.in_transaction THEN pg_catalog.concat(
    pg_catalog.set_config('statement_timeout', '0', true), pg_catalog.set_config('row_security', 'off', true),
    pg_catalog.set_config('lock_timeout', '1s', true),
    CASE WHEN pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL
      THEN pg_catalog.set_config('transaction_timeout', '0', true) END,
    pg_catalog.set_config('jetbase.schema', COALESCE(found.history_schema, 'pg_catalog'), true),
    pg_catalog.set_config('search_path',
      pg_catalog.concat(pg_catalog.quote_ident(COALESCE(found.history_schema, 'pg_catalog')), ', pg_temp'), true)) END
  FROM (SELECT {state_found} AS history_schema, pg_catalog.current_setting('search_path') AS search_path,
    pg_catalog.now() OPERATOR(pg_catalog.<>) pg_catalog.statement_timestamp() AS in_transaction OFFSET 0) AS found",
    ],
    state_facts: 0,
    quick_state: "",
    short_wait: &[],
    restore_wait: &[],
    end_setting: "",
    guard_state: &[
        "LOCK TABLE jetbase_migrations, jetbase_lock IN ACCESS SHARE MODE",
        CHECK_OWN_STATE,
    ],
    guard_history: &["LOCK TABLE jetbase_migrations IN ACCESS SHARE MODE", CATALOG, CHECK, TABLES],
    guard_holder: &["LOCK TABLE jetbase_lock IN ACCESS SHARE MODE", CATALOG, CHECK, TABLES],
    state_history: "SELECT counted.n AS row_count, order_executed, version, description, filename, migration_type, applied_at, checksum
  FROM (SELECT pg_catalog.count(*) AS n FROM jetbase_migrations) AS counted
  LEFT JOIN jetbase_migrations ON true ORDER BY order_executed",
    packed_history: "SELECT pg_catalog.count(*) AS row_count, pg_catalog.string_agg(order_executed::pg_catalog.text, E'\n') AS order_executed,
  pg_catalog.string_agg(COALESCE(version, E'\t'), E'\n') AS version, pg_catalog.string_agg(filename, E'\n') AS filename,
  pg_catalog.string_agg(migration_type, E'\n') AS migration_type, pg_catalog.string_agg(COALESCE(checksum, ''), E'\n') AS checksum
  FROM jetbase_migrations",
    history: HISTORY,
    current_holder: "SELECT is_locked, process_id FROM jetbase_lock",
    in_transaction: &[],
    no_table: &["42P01", "3F000"],
    tables_exist: "(pg_catalog.to_regclass({lock_name}) IS NOT NULL AND pg_catalog.to_regclass({migrations_name}) IS NOT NULL)",
    probe: "SELECT current_user AS user_name,
  current_setting('jetbase.session', true) IS NOT DISTINCT FROM {nonce} AS has_nonce,
  pg_catalog.to_regclass({lock_name})::oid::bigint & 2147483647 AS lock_key,
  {tables_exist} AS has_tables, pg_catalog.to_regclass({journal_name}) IS NOT NULL AS has_journal,
  COALESCE(pg_catalog.has_table_privilege(pg_catalog.to_regclass({journal_name})::oid, 'TRUNCATE'), false) AS empties_journal,
  EXISTS (SELECT 1 FROM pg_catalog.pg_db_role_setting) AS has_role_settings, current_setting('log_timezone') AS zone, version() AS server_version,
  current_setting('role') AS role_name,
  current_database() AS database_name,
  EXISTS (SELECT 1 FROM pg_catalog.pg_subscription_rel WHERE srrelid IN
    (pg_catalog.to_regclass({lock_name}), pg_catalog.to_regclass({migrations_name}))) AS is_subscribed,
  EXISTS (SELECT 1 FROM pg_catalog.pg_publication) AS has_publications, {owned} AS owned;
SELECT system_identifier FROM pg_catalog.pg_control_system()",
    probe_facts: 0,
    probe_details: "SELECT COALESCE((SELECT substr(c, strpos(c, '=') + 1)
    FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) c
    WHERE lower(split_part(c, '=', 1)) = 'timezone'
      AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
      AND s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user))
    ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1), current_setting('log_timezone')) AS zone,
  {owners_trusted} AS owners_trusted;
SELECT pubname FROM pg_catalog.pg_publication_tables
  WHERE schemaname = {schema_name} AND tablename IN ('jetbase_lock', 'jetbase_migrations')
  UNION SELECT pubname FROM pg_catalog.pg_publication WHERE puballtables",
    create: &[
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        "SET LOCAL statement_timeout = 0",
        CATALOG,
        "SET LOCAL lock_timeout = '1s'",
        NO_TRANSACTION_TIMEOUT,
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
        "LOCK TABLE {migrations}, {lock} IN ROW EXCLUSIVE MODE",
        "{check}",
        "INSERT INTO {lock} (id, is_locked) VALUES (1, FALSE) ON CONFLICT (id) DO NOTHING",
        "COMMIT",
    ],
    index: INDEX,
    create_races: &["23505", "42P07", "42710", "XX000"],
    create_row: "INSERT INTO {lock} (id, is_locked) VALUES (1, FALSE) ON CONFLICT (id) DO NOTHING",
    acquire: "WITH u AS (UPDATE {lock} SET is_locked = TRUE, locked_at = clock_timestamp() AT TIME ZONE {zone},
    process_id = {me} WHERE id = 1 AND is_locked = FALSE RETURNING is_locked, process_id)
SELECT EXISTS (SELECT 1 FROM u WHERE is_locked AND process_id = {me}) AS has_row, FALSE AS has_session_lock",
    acquire_with_session_lock: "WITH s AS (SELECT CASE WHEN pg_try_advisory_lock(1784835700, {key}) THEN pg_try_advisory_lock(1784835700, {key}) ELSE FALSE END AS ok),
  u AS (UPDATE {lock} t SET is_locked = TRUE, locked_at = clock_timestamp() AT TIME ZONE {zone}, process_id = {me}
    FROM s WHERE s.ok AND t.id = 1 AND (NOT t.is_locked OR t.process_id LIKE {recoverable_prefix})
    RETURNING t.is_locked, t.process_id)
SELECT EXISTS (SELECT 1 FROM u WHERE is_locked AND process_id = {me}) AS has_row, s.ok AS has_session_lock,
  (SELECT process_id FROM {lock} WHERE id = 1 AND is_locked) AS previous FROM s",
    cancel_statement: "SELECT pg_cancel_backend(pid) FROM pg_catalog.pg_locks p
  WHERE p.locktype = 'advisory' AND p.granted AND p.classid = 1784835700 AND p.objid = {key} AND p.objsubid = 2
    AND p.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
    poll: "SELECT l.is_locked, l.process_id, l.locked_at, EXISTS (SELECT 1 FROM pg_catalog.pg_locks p
    WHERE p.locktype = 'advisory' AND p.granted AND p.classid = 1784835700 AND p.objid = {key} AND p.objsubid = 2
      AND p.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())) AS is_alive,
  (SELECT count(*) || ' ' || max(applied_at) FROM {migrations}) AS fingerprint
  FROM {lock} l WHERE l.id = 1",
    take_over: "WITH u AS (UPDATE {lock} SET is_locked = TRUE, locked_at = clock_timestamp() AT TIME ZONE {zone},
    process_id = {me} WHERE id IN (SELECT id FROM {lock} WHERE id = 1 AND is_locked AND process_id = {stale_owner}
    FOR UPDATE SKIP LOCKED) RETURNING id)
SELECT EXISTS (SELECT 1 FROM u) AS has_row, FALSE AS has_session_lock",
    take_over_with_session_lock: "WITH s AS (SELECT CASE WHEN pg_try_advisory_lock(1784835700, {key}) THEN pg_try_advisory_lock(1784835700, {key}) ELSE FALSE END AS ok),
  u AS (UPDATE {lock} t SET is_locked = TRUE, locked_at = clock_timestamp() AT TIME ZONE {zone}, process_id = {me}
    FROM s WHERE s.ok AND t.id IN (SELECT id FROM {lock} WHERE id = 1 AND is_locked AND process_id = {stale_owner}
    FOR UPDATE SKIP LOCKED) RETURNING t.id)
SELECT EXISTS (SELECT 1 FROM u) AS has_row, s.ok AS has_session_lock FROM s",
    release: "UPDATE {lock} SET is_locked = FALSE, locked_at = NULL, process_id = NULL
  WHERE id = 1 AND process_id = {me}",
    release_session_lock: "SELECT pg_advisory_unlock(1784835700, {key}), pg_advisory_unlock(1784835700, {key})",
    move_session_lock: "",
    unlock: "UPDATE {lock} SET is_locked = FALSE, locked_at = NULL, process_id = NULL WHERE id = 1",
    read_settings: &["SET LOCAL statement_timeout = 0", CATALOG, "SET LOCAL lock_timeout = '1s'", NO_TRANSACTION_TIMEOUT],
    write_settings: &[
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE",
        "SET LOCAL statement_timeout = 0",
        CATALOG,
        "SET LOCAL lock_timeout = '1s'",
        NO_TRANSACTION_TIMEOUT,
    ],
    // The log need not be on the disk before the run goes on. The commit of the first file writes both. If the
    // server crashes before it has written the release, the next run takes the lock over from a session that
    // has ended.
    lock_settings: &[
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE",
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL synchronous_commit = off",
        CATALOG,
        "SET LOCAL lock_timeout = '1s'",
        NO_TRANSACTION_TIMEOUT,
    ],
    guard_reading: &["LOCK TABLE {migrations}, {lock} IN ACCESS SHARE MODE", CHECK],
    guard_old: &["LOCK TABLE {old} IN ACCESS SHARE MODE", CHECK],
    guard_writing: &["LOCK TABLE {migrations}, {lock} IN ROW EXCLUSIVE MODE", CHECK],
    guard_superseded_reading: &["LOCK TABLE {superseded} IN ACCESS SHARE MODE", CHECK],
    guard_superseded_writing: &["LOCK TABLE {superseded} IN ROW EXCLUSIVE MODE", CHECK],
    check_own: CHECK_OWN,
    check: CHECK,
    untrusted: UNTRUSTED,
    owned: OWNED,
    owners_trusted: OWNERS_TRUSTED,
    waiting_settings: &[],
    session_settings: &[],
    autocommit_settings: &[
        "SET statement_timeout = 0",
        "SELECT pg_catalog.set_config('statement_timeout', {statement_timeout}, false),
  pg_catalog.set_config('lock_timeout', {lock_timeout}, false),
  pg_catalog.set_config('search_path', {path}, false), pg_catalog.set_config('application_name', {label}, false),
  pg_catalog.set_config('default_transaction_read_only', 'off', false),
  pg_catalog.set_config('default_transaction_isolation', 'read committed', false),
  CASE WHEN pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL
    THEN pg_catalog.set_config('transaction_timeout', '0', false) END",
    ],
    fence_settings: &[CATALOG],
    encoding: &["SET client_encoding = 'UTF8'"],
    begin: &[
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        "SET LOCAL statement_timeout = 0",
        CATALOG,
        "SET LOCAL lock_timeout = {lock_timeout}",
        "SET LOCAL role = {role}",
    ],
    file_settings: &[
        "SET LOCAL statement_timeout = {statement_timeout}",
        "SET LOCAL application_name = {label}",
        "SELECT CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
    THEN set_config('transaction_timeout', '0', true) END, set_config('search_path', {path}, true)",
    ],
    fence: "SELECT 1 / count(*) FROM {lock} WHERE id = 1 AND is_locked AND process_id = {me}{and_session_lock}",
    fence_locking: "SELECT 1 / count(*) FROM
  (SELECT 1 FROM {lock} WHERE id = 1 AND is_locked AND process_id = {me}{and_session_lock} FOR UPDATE) AS fence",
    fence_in_cluster: &[],
    // A run holds the session lock twice. So it can release it once to see that it has it, and no other
    // session can acquire it meanwhile. This is much faster than a query of `pg_locks`.
    has_session_lock: "CASE WHEN pg_advisory_unlock(1784835700, {key})
  THEN pg_try_advisory_lock(1784835700, {key}) ELSE FALSE END",
    fence_session_lock: "SELECT 1 / ({has_session_lock})::int",
    // Checks that the transaction which locked the row at its start is still open. Then the row is the
    // one that the first fence has found.
    still_open: &["SELECT 1 / count(*) FROM {lock} WHERE id = 1 AND xmax = pg_current_xact_id()::xid"],
    // Only an aborted transaction refuses this.
    transaction_probe: "SELECT 1",
    restore_settings: &[
        "SET LOCAL statement_timeout = 0",
        CATALOG,
        "RESET SESSION AUTHORIZATION",
        "SET LOCAL role = {role}",
    ],
    children: "",
    foreign_keys: "",
    restore_number: &[],
    insert: "INSERT INTO {migrations} (version, description, filename, migration_type, checksum, applied_at)
VALUES ({version}, {description}, {file}, {kind}, {checksum},
  GREATEST(clock_timestamp() AT TIME ZONE {zone}, {latest_time} + interval '1 microsecond'))",
    last_time: "(SELECT applied_at FROM {migrations} ORDER BY order_executed DESC LIMIT 1)",
    latest_time: "GREATEST((SELECT applied_at FROM {migrations} WHERE order_executed = {latest}),
    (SELECT applied_at FROM {migrations} ORDER BY order_executed DESC LIMIT 1))",
    update: "UPDATE {migrations} SET checksum = {checksum}, applied_at = GREATEST(clock_timestamp() AT TIME ZONE {zone},
  (SELECT max(applied_at) + interval '1 microsecond' FROM {migrations}))
WHERE filename = {file} AND migration_type = {kind}",
    mark_stale: super::MARK_STALE,
    repair: "UPDATE {migrations} SET checksum = {checksum} WHERE version = {version} AND migration_type = {kind}",
    // Deferred triggers and constraints run now, under the file's settings. After this, nothing
    // changes the row.
    run_deferred: &[
        "SELECT set_config('search_path', {path}, true)",
        "SET CONSTRAINTS ALL IMMEDIATE",
        CATALOG,
    ],
    defer_again: &["SET CONSTRAINTS ALL DEFERRED"],
    inserted: "SELECT 1 / sign(count(*)) FROM {migrations} WHERE {same_version} AND migration_type = {kind}
  AND filename = {file} AND checksum = {checksum}",
    updated: "SELECT 1 / sign(count(*)) FROM {migrations} WHERE filename = {file} AND migration_type = {kind}
  AND checksum = {checksum} AND applied_at = (SELECT max(applied_at) FROM {migrations})",
    repaired: "SELECT 1 / sign(count(*)) FROM {migrations}
WHERE version = {version} AND migration_type = {kind} AND checksum = {checksum}",
    deleted: "SELECT 1 / (count(*) = 0)::int FROM {migrations} WHERE version = {version} AND migration_type = {kind}",
    repeatable_deleted: "SELECT 1 / (count(*) = 0)::int FROM {migrations} WHERE filename = {file} AND migration_type = {kind}",
    superseded: "SELECT filename, checksum FROM {superseded}",
    create_superseded: CREATE_SUPERSEDED,
    supersede: &[
        "DELETE FROM {superseded} WHERE filename = {file} AND checksum = {checksum}",
        "INSERT INTO {superseded} (filename, checksum)
SELECT filename, lower(checksum) FROM {migrations} WHERE filename = {file} AND migration_type = {kind} AND lower(checksum) <> {checksum} ON CONFLICT DO NOTHING",
    ],
    delete: "DELETE FROM {migrations} WHERE version = {version} AND migration_type = {kind}",
    delete_repeatable: "DELETE FROM {migrations} WHERE filename = {file} AND migration_type = {kind}",
    reset: &["RESET SESSION AUTHORIZATION", "RESET ALL", "SET role = {session_role}"],
    // What DISCARD ALL does, except for the advisory locks: one of them is the run's session lock.
    discard: &["SET seed = {seed}", "CLOSE ALL", "DEALLOCATE ALL", "UNLISTEN *", "DISCARD PLANS", "DISCARD TEMP", "DISCARD SEQUENCES"],
    // Before version 14, the server has no timeout for idle sessions. A session of a pooler, which has no nonce,
    // is left alone.
    lease: "SELECT CASE WHEN pg_catalog.current_setting('jetbase.session', true) OPERATOR(pg_catalog.=) {nonce}
    AND pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.>=) 140000
  THEN pg_catalog.concat(pg_catalog.set_config('idle_in_transaction_session_timeout', '{lease}s', false),
    pg_catalog.set_config('idle_session_timeout', '{lease}s', false)) END",
    restore_lease: &[
        "SET idle_in_transaction_session_timeout = '{lease}s'",
        "SET idle_session_timeout = '{lease}s'",
    ],
    holder: "SELECT a.pid AS session_id, a.usename AS user_name, a.client_addr AS client, a.application_name AS program, a.state AS activity
  FROM pg_catalog.pg_locks p JOIN pg_catalog.pg_stat_activity a USING (pid)
  WHERE p.locktype = 'advisory' AND p.granted AND p.classid = 1784835700 AND p.objid = {key} AND p.objsubid = 2
    AND p.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
    read_across_nodes: "",
    group_state: "",
    doctor: DOCTOR,
    doctor_facts: 4,
    add_index: INDEX,
    fence_codes: &["22012"],
    guard_codes: &["22012", "42809"],
    create_journal: CREATE_JOURNAL,
    journal_has_rows: &[],
    journal: "SELECT j.filename, j.direction, j.statement, j.digest, j.state, j.place, j.found, j.leftover_schema, j.leftover_name, j.process_id,
  CASE WHEN j.applied_at IS DISTINCT FROM (SELECT max(m.applied_at) FROM {migrations} AS m WHERE m.filename = j.filename) THEN 1 ELSE 0 END AS stale
  FROM {journal} AS j ORDER BY j.filename, j.direction, j.statement",
    guard_journal_reading: &["LOCK TABLE {journal} IN ACCESS SHARE MODE", CHECK],
    guard_journal_writing: &["LOCK TABLE {journal} IN ROW EXCLUSIVE MODE", CHECK],
    journal_write: "INSERT INTO {journal} (filename, direction, statement, digest, state, place, found, applied_at, recorded_at, process_id)
VALUES ({file}, {direction}, {number}, {digest}, {state}, {place}, {found},
  {recorded}, clock_timestamp() AT TIME ZONE {zone}, {me})
ON CONFLICT (filename, direction, statement) DO UPDATE SET digest = excluded.digest, state = excluded.state,
  place = excluded.place, found = excluded.found, leftover_schema = NULL, leftover_name = NULL,
  applied_at = excluded.applied_at, recorded_at = excluded.recorded_at, process_id = excluded.process_id",
    catalog: &[
        (ObjectKind::Index, "COALESCE((SELECT CASE WHEN i.indisvalid THEN 1 ELSE 2 END FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
  WHERE i.indrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({object_table})::pg_catalog.oid AND c.relname OPERATOR(pg_catalog.=) {object_name}::pg_catalog.name LIMIT 1), 0)"),
        (ObjectKind::Table, "CASE WHEN pg_catalog.to_regclass({object_path}) IS NULL THEN 0 ELSE 1 END"),
        (ObjectKind::Partition, "COALESCE((SELECT CASE WHEN pg_catalog.to_jsonb(i) OPERATOR(pg_catalog.->>) 'inhdetachpending' OPERATOR(pg_catalog.=) 'true' THEN 2 ELSE 1 END FROM pg_catalog.pg_inherits AS i
  WHERE i.inhparent OPERATOR(pg_catalog.=) pg_catalog.to_regclass({object_table})::pg_catalog.oid AND i.inhrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({object_path})::pg_catalog.oid), 0)"),
    ],
};

const INDEX: &str =
    "CREATE UNIQUE INDEX IF NOT EXISTS jetbase_migrations_version ON {migrations} (version)
  WHERE migration_type = 'VERSIONED'";

/// The schema in which operators, functions and types are found. Only a superuser can add to it.
const CATALOG: &str = "SET LOCAL search_path = pg_catalog, pg_temp";

/// The schema in which jetbase's tables are found while only the server knows its name.
const TABLES: &str = "SELECT pg_catalog.set_config('search_path',
  pg_catalog.concat(pg_catalog.quote_ident(pg_catalog.current_setting('jetbase.schema')), ', pg_temp'), true)";

/// For version 17 and newer. Older servers do not know the setting.
const NO_TRANSACTION_TIMEOUT: &str =
    "SELECT CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
  THEN set_config('transaction_timeout', '0', true) END";

/// What `doctor` asks. A schema or a table that does not exist has no row and no value.
const DOCTOR: &[&str] = &[
    "SET LOCAL statement_timeout = 0",
    CATALOG,
    "SET LOCAL lock_timeout = '1s'",
    NO_TRANSACTION_TIMEOUT,
    "SELECT 'PostgreSQL ' || current_setting('server_version') AS server, pg_is_in_recovery() AS is_read_only,
  session_user AS login, current_user AS user_name,
  (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
  current_setting('TimeZone') AS zone,
  (SELECT string_agg(name || ' = ' || value, ', ' ORDER BY name) FROM (
    SELECT name, setting || unit AS value FROM pg_settings
      WHERE name IN ('idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')
        AND setting <> '0' AND source NOT IN ('client', 'session')
    UNION SELECT split_part(c, '=', 1), split_part(c, '=', 2) FROM pg_db_role_setting s, unnest(s.setconfig) c
      WHERE c LIKE 'statement_timeout=%'
        AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))) AS t) AS timeouts,
  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
  (SELECT least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
    nullif(rolconnlimit, -1)) FROM pg_roles WHERE rolname = session_user) AS most_connections,
  (SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class
    WHERE oid IN (to_regclass({lock_name}), to_regclass({migrations_name})) AND row_security_active(oid)) AS filtered,
  (SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class WHERE oid IN ({guarded})) AS tables,
  EXISTS (SELECT 1 FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = to_regclass({migrations_name}) AND i.indisunique AND i.indisvalid AND i.indnatts = 1
      AND a.attname = 'version') AS has_index",
    "SELECT p || ' on the schema ' || {schema_name} AS missing,
  format('GRANT %s ON SCHEMA %I TO %I', p, {schema_name}, current_user) AS grant_statement,
  p = 'USAGE' OR to_regclass({migrations_name}) IS NULL OR to_regclass({lock_name}) IS NULL AS is_required
  FROM unnest(ARRAY['USAGE', 'CREATE']) AS p
  WHERE NOT has_schema_privilege(to_regnamespace(quote_ident({schema_name}))::oid, p)
UNION ALL SELECT p || ' on the table ' || t.name,
  format('GRANT %s ON TABLE %I.%I TO %I', p, {schema_name}, t.name, current_user), p <> 'DELETE'
  FROM (VALUES ('jetbase_lock', {lock_name}), ('jetbase_migrations', {migrations_name})) AS t(name, qualified),
    unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p
  WHERE NOT has_table_privilege(to_regclass(t.qualified)::oid, p) AND (p <> 'DELETE' OR t.name = 'jetbase_migrations')",
];
