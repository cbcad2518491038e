//! MySQL and MariaDB.

use super::Sql;

pub(super) static SQL: Sql = Sql {
    look: "SELECT {look_schema}, CURRENT_USER(), '', 0, @@read_only, {look_schema}, @@GLOBAL.sql_mode,
  CONCAT(VERSION(), ' ', @@version_comment);
SELECT order_executed, version, description, filename, migration_type, applied_at, checksum
  FROM {migrations} ORDER BY order_executed",
    left: "SELECT process_id FROM {lock} WHERE id = 1 AND is_locked",
    no_table: &["1146", "1049"],
    probe: "SELECT CURRENT_USER(), '', {nonce} IS NOT NULL, CONCAT('jetbase:', SHA1({schema_name})),
  (SELECT COUNT(*) = 2 FROM information_schema.tables
    WHERE table_schema = {schema_name} AND table_name IN ('jetbase_lock', 'jetbase_migrations')),
  CONNECTION_ID(), '', VERSION();
SELECT CONCAT(@@hostname, ',', @@port, ',', @@server_id, ',', @@datadir);
SHOW VARIABLES WHERE Variable_name IN ('server_uuid', 'wsrep_on', 'in_transaction', 'pxc_strict_mode',
  'group_replication_group_name');
SHOW STATUS LIKE 'wsrep_gcomm_uuid'",
    create: &[
        "CREATE TABLE IF NOT EXISTS {migrations} (
    order_executed INT AUTO_INCREMENT PRIMARY KEY,
    version VARCHAR(255),
    description VARCHAR(500) NOT NULL,
    filename VARCHAR(512) NOT NULL,
    migration_type VARCHAR(32) NOT NULL,
    applied_at TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6) NOT NULL,
    checksum VARCHAR(64) NOT NULL{index}
) CHARACTER SET utf8mb4",
        "CREATE TABLE IF NOT EXISTS {lock} (
    id INT PRIMARY KEY CHECK (id = 1),
    is_locked BOOLEAN NOT NULL DEFAULT FALSE,
    locked_at TIMESTAMP(6) NULL,
    process_id VARCHAR(36)
)",
        "INSERT IGNORE INTO {lock} (id, is_locked) VALUES (1, FALSE)",
    ],
    index: ",
    UNIQUE KEY jetbase_migrations_version (version)",
    create_races: &["1213", "1205", "1050", "1146", "1684", "1412", "1047"],
    create_row: "INSERT IGNORE INTO {lock} (id, is_locked) VALUES (1, FALSE)",
    acquire: "UPDATE {lock} SET is_locked = TRUE, locked_at = CURRENT_TIMESTAMP(6), process_id = {me}
  WHERE id = 1 AND is_locked = FALSE;
SELECT ROW_COUNT() = 1, 0",
    acquire_proven: "SELECT GET_LOCK({key}, 0), NULL, (SELECT process_id FROM {lock} WHERE id = 1 AND is_locked);
UPDATE {lock} SET is_locked = TRUE, locked_at = CURRENT_TIMESTAMP(6), process_id = {me}
  WHERE id = 1 AND (is_locked = FALSE OR process_id LIKE {heirloom}) AND IS_USED_LOCK({key}) = CONNECTION_ID();
SELECT ROW_COUNT() = 1, COALESCE(IS_USED_LOCK({key}) = CONNECTION_ID(), 0)",
    poll: "SELECT is_locked, process_id, locked_at, IS_USED_LOCK({key}) IS NOT NULL FROM {lock} WHERE id = 1",
    take_over: "",
    take_over_proven: "",
    release: "UPDATE {lock} SET is_locked = FALSE, locked_at = NULL, process_id = NULL
  WHERE id = 1 AND process_id = {me}",
    release_proof: "SELECT RELEASE_LOCK({key})",
    unlock: "UPDATE {lock} SET is_locked = FALSE, locked_at = NULL, process_id = NULL WHERE id = 1",
    reading: &[],
    writing: &[],
    briefly: &["SET SESSION innodb_lock_wait_timeout = 2"],
    settle: &[
        "USE {schema}",
        "SET SESSION sql_mode = DEFAULT, time_zone = DEFAULT, autocommit = 1, foreign_key_checks = 1,
  unique_checks = 1, sql_safe_updates = DEFAULT, lock_wait_timeout = {lock_timeout},
  innodb_lock_wait_timeout = {lock_timeout} /*M!100100 , max_statement_time = {statement_timeout} */
  /*M!100100 , tx_read_only = 0, tx_isolation = DEFAULT */
  /*!50720 , transaction_read_only = 0, transaction_isolation = DEFAULT */",
        "SET NAMES utf8mb4",
    ],
    alone: &[],
    open: &["START TRANSACTION READ WRITE"],
    fence: "SELECT (SELECT 1 UNION ALL SELECT 2 FROM (SELECT COUNT(*) AS c FROM {lock}
  WHERE id = 1 AND is_locked AND process_id = {me}) AS q WHERE q.c <> 1)",
    fence_locking: "SELECT (SELECT 1 UNION ALL SELECT 2 FROM (SELECT COUNT(*) AS c FROM {lock}
  WHERE id = 1 AND is_locked AND process_id = {me} FOR UPDATE) AS q WHERE q.c <> 1)",
    fence_proof: "SELECT (SELECT 1 UNION ALL SELECT 2 FROM (SELECT IS_USED_LOCK({key}) <=> CONNECTION_ID() AS c) AS q
  WHERE q.c <> 1)",
    still_open: &[],
    resume: &["SET SESSION time_zone = DEFAULT"],
    foreign_keys: "",
    insert: "INSERT INTO {migrations} (version, description, filename, migration_type, checksum, applied_at)
VALUES ({version}, {description}, {file}, {kind}, {checksum}, GREATEST(CURRENT_TIMESTAMP(6),
  COALESCE((SELECT m FROM (SELECT MAX(applied_at) + INTERVAL 1 MICROSECOND AS m FROM {migrations}) AS x),
  CURRENT_TIMESTAMP(6))))",
    update: "UPDATE {migrations} SET checksum = {checksum}, applied_at = GREATEST(CURRENT_TIMESTAMP(6),
  COALESCE((SELECT m FROM (SELECT MAX(applied_at) + INTERVAL 1 MICROSECOND AS m FROM {migrations}) AS x),
  CURRENT_TIMESTAMP(6)))
WHERE filename = {file} AND migration_type = {kind}",
    superseded: "SELECT filename, checksum FROM {superseded}",
    create_superseded: "CREATE TABLE IF NOT EXISTS {superseded} (
    filename VARCHAR(512) NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    PRIMARY KEY (filename, checksum)
) CHARACTER SET utf8mb4",
    supersede: &[
        "DELETE FROM {superseded} WHERE filename = {file} AND checksum = {checksum}",
        "INSERT IGNORE INTO {superseded} (filename, checksum)
SELECT filename, checksum FROM {migrations} WHERE filename = {file} AND migration_type = {kind} AND checksum <> {checksum}",
    ],
    delete: "DELETE FROM {migrations} WHERE version = {version} AND migration_type = {kind}",
    reset: &[],
    lease: "SET SESSION wait_timeout = {lease}",
    holder: "SELECT ID, USER, HOST, '', COMMAND, TIME FROM information_schema.PROCESSLIST
  WHERE ID = IS_USED_LOCK({key})",
    fence_codes: &["1242"],
};
