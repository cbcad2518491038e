//! MySQL and MariaDB.

use jetbase_core::ObjectKind;

use super::Sql;

pub(super) static SQL: Sql = Sql {
    // MariaDB has a variable for an open transaction. MySQL refuses the first statement inside one,
    // with error 1568, and changes nothing; else the setting holds for one transaction: that of the
    // next query that reads a table, which is the history. `LIMIT` overrides `sql_select_limit`, which
    // a server or a role can set. In a `SET STATEMENT`, both variables of MariaDB have other values.
    read_state: &[
        "/*!50720 SET TRANSACTION READ WRITE */
/*M!100000 SELECT @@in_transaction AS in_transaction, @@autocommit AS autocommit LIMIT 1 */",
        "SELECT {state_schema} AS used_schema, CURRENT_USER() AS user_name,
  {state_schema} AS history_schema, @@GLOBAL.sql_mode AS syntax_settings,
  CONCAT(VERSION(), ' ', @@version_comment) AS server_version,
  CONCAT('' /*!80000 , 'MySQL' */ /*M!100500 , 'MariaDB' */) AS runs_comments_of /*!80000 , @@autocommit AS autocommit */ LIMIT 1",
    ],
    state_facts: 1,
    quick_state: "/*M!100100 SET STATEMENT lock_wait_timeout = 1, sql_big_selects = 1, max_statement_time = 0, group_concat_max_len = 1073741824 FOR */
SELECT /*+ SET_VAR(lock_wait_timeout = 1) SET_VAR(sql_big_selects = 1) SET_VAR(max_execution_time = 0) SET_VAR(group_concat_max_len = 1073741824) */
  {state_schema} AS used_schema, CURRENT_USER() AS user_name,
  @@GLOBAL.sql_mode AS syntax_settings, CONCAT(VERSION(), ' ', @@version_comment) AS server_version,
  CONCAT('' /*!80000 , 'MySQL' */ /*M!100500 , 'MariaDB' */) AS runs_comments_of /*!80000 , @@autocommit AS autocommit */,
  COUNT(*) AS row_count, GROUP_CONCAT(order_executed, '\n', COALESCE(version, '\t'), '\n', filename, '\n', migration_type, '\n', checksum
    SEPARATOR '\n') AS history,
  1 AS is_locked, (SELECT process_id FROM {lock} WHERE id = 1 AND is_locked LIMIT 1) AS process_id
  FROM {migrations} LIMIT 1",
    short_wait: &[],
    restore_wait: &[],
    end_setting: "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = DATABASE() LIMIT 1",
    guard_state: &[],
    guard_history: &[],
    guard_holder: &[],
    state_history: "/*M!100100 SET STATEMENT lock_wait_timeout = 1, sql_big_selects = 1, max_statement_time = 0 FOR */
SELECT /*+ SET_VAR(lock_wait_timeout = 1) SET_VAR(sql_big_selects = 1) SET_VAR(max_execution_time = 0) */ counted.n AS row_count, order_executed, version, description, filename, migration_type, applied_at, checksum
  FROM (SELECT COUNT(*) AS n FROM {migrations}) AS counted
  LEFT JOIN {migrations} ON TRUE ORDER BY order_executed LIMIT 18446744073709551615",
    // A server without these settings, or whose messages are too short for the texts, cuts them.
    packed_history: "/*M!100100 SET STATEMENT lock_wait_timeout = 1, sql_big_selects = 1, max_statement_time = 0, group_concat_max_len = 1073741824 FOR */
SELECT /*+ SET_VAR(lock_wait_timeout = 1) SET_VAR(sql_big_selects = 1) SET_VAR(max_execution_time = 0) SET_VAR(group_concat_max_len = 1073741824) */
  COUNT(*) AS row_count, GROUP_CONCAT(order_executed, '\n', COALESCE(version, '\t'), '\n', filename, '\n', migration_type, '\n', checksum
    SEPARATOR '\n') AS history
  FROM {migrations} LIMIT 1",
    history: "SELECT counted.n AS row_count, order_executed, version, description, filename, migration_type, applied_at, checksum
  FROM (SELECT count(*) AS n FROM {migrations}) AS counted
  LEFT JOIN {migrations} ON true ORDER BY order_executed LIMIT 18446744073709551615",
    current_holder: "/*M!100100 SET STATEMENT lock_wait_timeout = 1, max_statement_time = 0 FOR */
SELECT /*+ SET_VAR(lock_wait_timeout = 1) SET_VAR(max_execution_time = 0) */ is_locked, process_id FROM {lock} WHERE id = 1 LIMIT 1",
    in_transaction: &["1568"],
    no_table: &["1146", "1049"],
    tables_exist: "(SELECT COUNT(*) = 2 FROM information_schema.tables
    WHERE table_schema = {schema_name} AND table_name IN ('jetbase_lock', 'jetbase_migrations'))",
    probe: "/*!50720 SET TRANSACTION READ WRITE */ /*M!100000 DO 0 */;
/*M!100100 SET STATEMENT sql_big_selects = 1, max_statement_time = 0 FOR */
SELECT /*+ SET_VAR(sql_big_selects = 1) SET_VAR(max_execution_time = 0) */ CURRENT_USER() AS user_name,
  @@max_allowed_packet AS largest_message, {tables_exist} AS has_tables,
  EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = {schema_name} AND table_name = 'jetbase_journal') AS has_journal,
  (SELECT GROUP_CONCAT(t.table_name SEPARATOR ', ') FROM information_schema.tables AS t
    LEFT JOIN information_schema.engines AS e ON e.engine = t.engine
    WHERE t.table_schema = {schema_name} AND t.table_name IN ('jetbase_lock', 'jetbase_migrations')
      AND COALESCE(e.transactions, 'NO') <> 'YES') AS not_transactional,
  EXISTS (SELECT 1 FROM information_schema.triggers WHERE event_object_schema = {schema_name}) AS has_triggers LIMIT 1;
SELECT CONCAT(@@hostname, ',', @@port, ',', @@server_id, ',', @@datadir) LIMIT 1;
SHOW VARIABLES WHERE Variable_name IN ('server_uuid', 'wsrep_on', 'in_transaction', 'pxc_strict_mode',
  'group_replication_group_name', 'group_replication_consistency');
SHOW STATUS LIKE 'wsrep_gcomm_uuid'",
    probe_facts: 1,
    probe_details: "",
    create: &[
        "CREATE TABLE IF NOT EXISTS {migrations} (
    order_executed INT AUTO_INCREMENT PRIMARY KEY,
    version VARCHAR(255),
    description VARCHAR(500) NOT NULL,
    filename VARCHAR(512) NOT NULL,
    migration_type VARCHAR(32) NOT NULL,
    applied_at TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6) NOT NULL,
    checksum VARCHAR(64) NOT NULL{index}
) ENGINE = InnoDB CHARACTER SET utf8mb4",
        "CREATE TABLE IF NOT EXISTS {lock} (
    id INT PRIMARY KEY CHECK (id = 1),
    is_locked BOOLEAN NOT NULL DEFAULT FALSE,
    locked_at TIMESTAMP(6) NULL,
    process_id VARCHAR(36)
) ENGINE = InnoDB CHARACTER SET utf8mb4",
        "INSERT IGNORE INTO {lock} (id, is_locked) VALUES (1, FALSE)",
    ],
    index: ",
    UNIQUE KEY jetbase_migrations_version (version)",
    create_races: &["1213", "1205", "1050", "1146", "1684", "1412", "1047", "3100", "3101", "3797"],
    create_row: "INSERT IGNORE INTO {lock} (id, is_locked) VALUES (1, FALSE)",
    acquire: "UPDATE {lock} SET is_locked = TRUE, locked_at = CURRENT_TIMESTAMP(6), process_id = {me}
  WHERE id = 1 AND is_locked = FALSE;
SELECT EXISTS (SELECT 1 FROM {lock} WHERE id = 1 AND is_locked AND process_id = {me}) AS has_row, 0 AS has_session_lock LIMIT 1",
    // A run holds one of two session locks. It holds both while it changes its connection.
    acquire_with_session_lock: "SELECT GET_LOCK({key}, 0), (SELECT process_id FROM {lock} WHERE id = 1 AND is_locked) AS previous LIMIT 1;
UPDATE {lock} SET is_locked = TRUE, locked_at = CURRENT_TIMESTAMP(6), process_id = {me}
  WHERE id = 1 AND (is_locked = FALSE OR process_id LIKE {recoverable_prefix}) AND IS_USED_LOCK({key}) = CONNECTION_ID()
    AND IS_USED_LOCK({other_key}) IS NULL;
SELECT EXISTS (SELECT 1 FROM {lock} WHERE id = 1 AND is_locked AND process_id = {me}) AS has_row, COALESCE(IS_USED_LOCK({key}) = CONNECTION_ID(), 0) AS has_session_lock LIMIT 1",
    cancel_statement: "SELECT IS_USED_LOCK({key}) LIMIT 1",
    poll: "SELECT CASE WHEN is_locked = FALSE THEN 0 ELSE 1 END AS is_locked, process_id, locked_at,
  COALESCE(IS_USED_LOCK({key}), IS_USED_LOCK({other_key})) IS NOT NULL AS is_alive FROM {lock} WHERE id = 1 LIMIT 1",
    take_over: "",
    take_over_with_session_lock: "",
    release: "UPDATE {lock} SET is_locked = FALSE, locked_at = NULL, process_id = NULL
  WHERE id = 1 AND process_id = {me}",
    release_session_lock: "SELECT RELEASE_LOCK({key}) LIMIT 1",
    move_session_lock: "SELECT GET_LOCK({other_key}, 10) LIMIT 1",
    unlock: "UPDATE {lock} SET is_locked = FALSE, locked_at = NULL, process_id = NULL WHERE id = 1",
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
    waiting_settings: &[
        "SET SESSION autocommit = 1, completion_type = 0, sql_safe_updates = 0, sql_big_selects = 1,
  lock_wait_timeout = 1, innodb_lock_wait_timeout = 1 /*M!100100 , max_statement_time = 0 , tx_read_only = 0 */
  /*!50720 , max_execution_time = 0, transaction_read_only = 0 */",
        "SET NAMES utf8mb4",
    ],
    session_settings: &[
        "USE {schema}",
        "SET NAMES utf8mb4, sql_mode = DEFAULT, time_zone = DEFAULT, autocommit = 1, completion_type = 0,
  foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = DEFAULT, lock_wait_timeout = {lock_timeout},
  innodb_lock_wait_timeout = {lock_timeout} /*M!100100 , max_statement_time = {statement_timeout} */
  /*M!100100 , tx_read_only = 0, tx_isolation = DEFAULT */
  /*!50720 , max_execution_time = {select_timeout}, transaction_read_only = 0, transaction_isolation = DEFAULT */",
    ],
    autocommit_settings: &[],
    fence_settings: &[],
    encoding: &[],
    begin: &["START TRANSACTION READ WRITE", "SAVEPOINT jetbase_file"],
    file_settings: &[],
    // `EXP(1000)` is out of range, which is an error in every `sql_mode`. It is twice as fast as a subquery
    // that fails because it has two rows.
    fence: "SELECT EXP(1000 * (COUNT(*) <> 1)) FROM {lock}
  WHERE id = 1 AND is_locked AND process_id = {me}{and_session_lock} LIMIT 1",
    fence_locking: "SELECT EXP(1000 * (COUNT(*) <> 1)) FROM {lock}
  WHERE id = 1 AND is_locked AND process_id = {me}{and_session_lock} LIMIT 1 FOR UPDATE",
    // A locking read is not part of what the nodes of a cluster compare. A changed row is: if another
    // node has changed it too, the COMMIT fails.
    fence_in_cluster: &["UPDATE {lock} SET locked_at = locked_at + INTERVAL 1 MICROSECOND
  WHERE id = 1 AND is_locked AND process_id = {me}"],
    has_session_lock: "IS_USED_LOCK({key}) <=> CONNECTION_ID()",
    fence_session_lock: "SELECT EXP(1000 * (1 - ({has_session_lock}))) LIMIT 1",
    // A transaction that has ended no longer has the savepoint.
    still_open: &["RELEASE SAVEPOINT jetbase_file"],
    transaction_probe: "RELEASE SAVEPOINT jetbase_file",
    restore_settings: &[
        "SET NAMES utf8mb4, time_zone = DEFAULT, timestamp = DEFAULT, auto_increment_increment = DEFAULT,
  auto_increment_offset = DEFAULT, completion_type = 0, sql_safe_updates = 0, sql_big_selects = 1
  /*M!100000 , insert_id = 0 */",
    ],
    children: "",
    foreign_keys: "",
    // MariaDB forgets the number when it is set to 0. MySQL would use 0 as the number, and forgets it
    // only when a row uses it: the history row.
    restore_number: &[
        "SET SESSION insert_id = 0 /*!50720 + (SELECT COALESCE(MAX(order_executed), 0) + 1 FROM {migrations}) */",
    ],
    insert: "INSERT INTO {migrations} (version, description, filename, migration_type, checksum, applied_at)
VALUES ({version}, {description}, {file}, {kind}, {checksum},
  GREATEST(CURRENT_TIMESTAMP(6), COALESCE({latest_time} + INTERVAL 1 MICROSECOND, CURRENT_TIMESTAMP(6))))",
    // The server refuses to read the table that it writes to, except as a derived table.
    last_time: "(SELECT t FROM (SELECT applied_at AS t FROM {migrations} ORDER BY order_executed DESC LIMIT 1) AS x LIMIT 1)",
    latest_time: "(SELECT m FROM (SELECT MAX(t) AS m FROM (
    SELECT applied_at AS t FROM {migrations} WHERE order_executed = {latest}
    UNION ALL (SELECT applied_at FROM {migrations} ORDER BY order_executed DESC LIMIT 1)) AS y) AS x LIMIT 1)",
    run_deferred: &[],
    defer_again: &[],
    inserted: "SELECT EXP(1000 * (COUNT(*) <> 1)) FROM {migrations}
  WHERE order_executed = LAST_INSERT_ID() AND version <=> {version} AND migration_type = {kind}
    AND filename = {file} AND checksum = {checksum} LIMIT 1",
    updated: "SELECT EXP(1000 * (COUNT(*) < 1)) FROM {migrations}
  WHERE filename = {file} AND migration_type = {kind} AND checksum = {checksum}
    AND applied_at = (SELECT MAX(applied_at) FROM {migrations}) LIMIT 1",
    repaired: "SELECT EXP(1000 * (COUNT(*) < 1)) FROM {migrations}
  WHERE version = {version} AND migration_type = {kind} AND checksum = {checksum} LIMIT 1",
    deleted: "SELECT EXP(1000 * (COUNT(*) <> 0)) FROM {migrations}
  WHERE version = {version} AND migration_type = {kind} LIMIT 1",
    repeatable_deleted: "SELECT EXP(1000 * (COUNT(*) <> 0)) FROM {migrations}
  WHERE filename = {file} AND migration_type = {kind} LIMIT 1",
    update: "UPDATE {migrations} SET checksum = {checksum}, applied_at = GREATEST(CURRENT_TIMESTAMP(6),
  COALESCE((SELECT m FROM (SELECT MAX(applied_at) + INTERVAL 1 MICROSECOND AS m FROM {migrations}) AS x),
  CURRENT_TIMESTAMP(6)))
WHERE filename = {file} AND migration_type = {kind}",
    mark_stale: super::MARK_STALE,
    repair: "UPDATE {migrations} SET checksum = {checksum} WHERE version = {version} AND migration_type = {kind}",
    superseded: "SELECT filename, checksum FROM {superseded} LIMIT 18446744073709551615",
    create_superseded: "CREATE TABLE IF NOT EXISTS {superseded} (
    filename VARCHAR(512) NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    PRIMARY KEY (filename, checksum)
) ENGINE = InnoDB CHARACTER SET utf8mb4",
    supersede: &[
        "DELETE FROM {superseded} WHERE filename = {file} AND checksum = {checksum}",
        "INSERT IGNORE INTO {superseded} (filename, checksum)
SELECT filename, lower(checksum) FROM {migrations} WHERE filename = {file} AND migration_type = {kind} AND lower(checksum) <> {checksum}",
    ],
    delete: "DELETE FROM {migrations} WHERE version = {version} AND migration_type = {kind}",
    delete_repeatable: "DELETE FROM {migrations} WHERE filename = {file} AND migration_type = {kind}",
    reset: &[],
    discard: &[],
    lease: "SET SESSION wait_timeout = {lease}",
    restore_lease: &[],
    holder: "SELECT ID AS session_id, USER AS user_name, HOST AS client, COMMAND AS activity FROM information_schema.PROCESSLIST
  WHERE ID = COALESCE(IS_USED_LOCK({key}), IS_USED_LOCK({other_key})) LIMIT 1",
    read_across_nodes: "SET SESSION group_replication_consistency = {consistency}",
    group_state: "SELECT own.member_state AS state, writer.member_host AS host, writer.member_port AS port
  FROM performance_schema.replication_group_members AS own
  LEFT JOIN performance_schema.replication_group_members AS writer
    ON writer.member_role = 'PRIMARY' AND writer.member_state = 'ONLINE'
  WHERE own.member_id = @@server_uuid LIMIT 1",
    doctor: DOCTOR,
    doctor_facts: 0,
    add_index: "ALTER TABLE {migrations} ADD UNIQUE KEY jetbase_migrations_version (version)",
    fence_codes: &["1690"],
    guard_codes: &[],
    create_journal: "CREATE TABLE IF NOT EXISTS {journal} (
    filename VARCHAR(512) NOT NULL,
    direction VARCHAR(8) NOT NULL,
    statement INT NOT NULL,
    digest VARCHAR(64) NOT NULL,
    state VARCHAR(8) NOT NULL,
    place VARCHAR(32) NOT NULL,
    found INT NULL,
    leftover_schema VARCHAR(255) NULL,
    leftover_name VARCHAR(255) NULL,
    applied_at TIMESTAMP(6) NULL,
    recorded_at TIMESTAMP(6) NULL,
    process_id VARCHAR(36) NOT NULL,
    PRIMARY KEY (filename, direction, statement)
) ENGINE = InnoDB CHARACTER SET utf8mb4",
    journal_has_rows: &["SELECT 1 FROM {journal} LIMIT 1"],
    journal: "SELECT j.filename, j.direction, j.statement, j.digest, j.state, j.place, j.found, j.leftover_schema, j.leftover_name, j.process_id,
  CASE WHEN NOT (j.applied_at <=> (SELECT max(m.applied_at) FROM {migrations} AS m WHERE m.filename = j.filename)) THEN 1 ELSE 0 END AS stale
  FROM {journal} AS j ORDER BY j.filename, j.direction, j.statement LIMIT 18446744073709551615",
    guard_journal_reading: &[],
    guard_journal_writing: &[],
    journal_write: "REPLACE INTO {journal} (filename, direction, statement, digest, state, place, found, applied_at, recorded_at, process_id)
VALUES ({file}, {direction}, {number}, {digest}, {state}, {place}, {found},
  {recorded}, CURRENT_TIMESTAMP(6), {me})",
    catalog: &[
        (ObjectKind::Table, "(SELECT COUNT(*) > 0 FROM information_schema.tables WHERE table_schema = {object_schema} AND table_name = {object_name} LIMIT 1)"),
        (ObjectKind::Index, "(SELECT COUNT(*) > 0 FROM information_schema.statistics WHERE table_schema = {object_schema} AND table_name = {object_table} AND index_name = {object_name} LIMIT 1)"),
        (ObjectKind::Column, "(SELECT COUNT(*) > 0 FROM information_schema.columns WHERE table_schema = {object_schema} AND table_name = {object_table} AND column_name = {object_name} LIMIT 1)"),
        (ObjectKind::Constraint, "(SELECT COUNT(*) > 0 FROM information_schema.table_constraints WHERE constraint_schema = {object_schema} AND table_name = {object_table} AND constraint_name = {object_name} LIMIT 1)"),
        (ObjectKind::Trigger, "(SELECT COUNT(*) > 0 FROM information_schema.triggers WHERE trigger_schema = {object_schema} AND trigger_name = {object_name} LIMIT 1)"),
        (ObjectKind::Routine, "(SELECT COUNT(*) > 0 FROM information_schema.routines WHERE routine_schema = {object_schema} AND routine_name = {object_name} LIMIT 1)"),
        (ObjectKind::Schema, "(SELECT COUNT(*) > 0 FROM information_schema.schemata WHERE schema_name = {object_name} LIMIT 1)"),
    ],
};

/// What `doctor` asks. `grantee` is the user's account in the notation of the tables of privileges.
const DOCTOR: &[&str] = &[
    "SELECT CONCAT(VERSION(), ' ', @@version_comment) AS server,
  (@@GLOBAL.read_only AND NOT EXISTS (SELECT 1 FROM information_schema.user_privileges AS p
    WHERE p.grantee = a.grantee AND p.privilege_type IN ('SUPER', 'READ_ONLY ADMIN', 'READ ONLY ADMIN', 'CONNECTION_ADMIN')))
    /*!50720 OR @@GLOBAL.super_read_only */ AS is_read_only,
  USER() AS login, CURRENT_USER() AS user_name, 0 AS is_superuser,
  IF(@@GLOBAL.time_zone = 'SYSTEM', @@system_time_zone, @@GLOBAL.time_zone) AS zone,
  CONCAT_WS(', ', NULL
    /*M!100100 , IF(@@GLOBAL.max_statement_time = 0, NULL, CONCAT('max_statement_time = ', @@GLOBAL.max_statement_time, 's')) */
    /*!50720 , IF(@@GLOBAL.max_execution_time = 0, NULL, CONCAT('max_execution_time = ', @@GLOBAL.max_execution_time, 'ms')) */
  ) AS timeouts,
  /*M!100100 (SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'THREADS_CONNECTED') */
  /*!50720 (SELECT variable_value FROM performance_schema.global_status WHERE variable_name = 'Threads_connected') */
    AS connections,
  IF(@@max_user_connections > 0, LEAST(@@max_connections, @@max_user_connections), @@max_connections) AS most_connections,
  NULL AS filtered,
  (SELECT GROUP_CONCAT(table_name ORDER BY table_name SEPARATOR ', ') FROM information_schema.tables
    WHERE table_schema = {schema_name} AND table_name IN ('jetbase_lock', 'jetbase_migrations', 'jetbase_superseded')) AS tables,
  EXISTS (SELECT 1 FROM information_schema.statistics WHERE table_schema = {schema_name}
    AND table_name = 'jetbase_migrations' AND column_name = 'version' AND non_unique = 0) AS has_index
  FROM (SELECT CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''') AS grantee) AS a
  LIMIT 1",
    "SELECT CONCAT(r.name, ' on the database ', {schema_name}) AS missing,
  CONCAT('GRANT ', r.name, ' ON `', REPLACE({schema_name}, '`', '``'), '`.* TO ', a.grantee) AS grant_statement,
  CASE r.name WHEN 'DELETE' THEN 0 WHEN 'CREATE' THEN NOT {tables_exist} ELSE 1 END AS is_required
  FROM (SELECT CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''') AS grantee) AS a,
    (SELECT 'SELECT' AS name UNION ALL SELECT 'INSERT' UNION ALL SELECT 'UPDATE' UNION ALL SELECT 'DELETE' UNION ALL SELECT 'CREATE') AS r
  WHERE NOT EXISTS (SELECT 1 FROM information_schema.user_privileges AS p
      WHERE p.grantee = a.grantee AND p.privilege_type = r.name)
    AND NOT EXISTS (SELECT 1 FROM information_schema.schema_privileges AS p
      WHERE p.grantee = a.grantee AND p.privilege_type = r.name AND {schema_name} LIKE p.table_schema) LIMIT 100",
    "SELECT role_name FROM information_schema.enabled_roles WHERE role_name IS NOT NULL LIMIT 100",
];
