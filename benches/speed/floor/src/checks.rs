//! What a library must send in addition to the floor, to give the guarantees of jetbase: the lock, a fence before
//! and after each file, a look at the row that was written, and on MySQL a journal of the statements that commit
//! by themselves. It changes no setting, and leaves the session as the files leave it.

use speed_contender::Backend;

/// Goes before the query of the history. On PostgreSQL, the owner of a table can let its reader run code.
pub fn before_history(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => {
            "LOCK TABLE floor_history IN ACCESS SHARE MODE;
SELECT 1 FROM pg_class WHERE oid = 'floor_history'::regclass
  AND 1 / CASE WHEN relowner = 10 OR pg_get_userbyid(relowner) = current_user THEN 1 ELSE 0 END = 0;
"
        }
        Backend::Mysql | Backend::Sqlite => "",
    }
}

/// Creates the tables of the lock and of the journal, and acquires the lock.
pub fn acquire(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => {
            "CREATE TABLE IF NOT EXISTS floor_lock (id INT PRIMARY KEY, is_locked BOOLEAN, process_id VARCHAR(36));
INSERT INTO floor_lock VALUES (1, TRUE, 'floor') ON CONFLICT (id) DO UPDATE SET is_locked = TRUE, process_id = 'floor';
SELECT pg_advisory_lock(1), pg_advisory_lock(1)"
        }
        Backend::Mysql => {
            "CREATE TABLE IF NOT EXISTS floor_lock (id INT PRIMARY KEY, is_locked BOOLEAN, process_id VARCHAR(36));
CREATE TABLE IF NOT EXISTS floor_journal (file VARCHAR(500), statement INT, state VARCHAR(8), PRIMARY KEY (file, statement));
SELECT GET_LOCK('floor', 0);
REPLACE INTO floor_lock VALUES (1, TRUE, 'floor')"
        }
        Backend::Sqlite => {
            "CREATE TABLE IF NOT EXISTS floor_lock (id INTEGER PRIMARY KEY, is_locked BOOLEAN, process_id TEXT);
REPLACE INTO floor_lock VALUES (1, TRUE, 'floor')"
        }
    }
}

/// Releases the lock.
pub fn release(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => {
            "UPDATE floor_lock SET is_locked = FALSE, process_id = NULL;
SELECT pg_advisory_unlock(1), pg_advisory_unlock(1)"
        }
        Backend::Mysql => {
            "UPDATE floor_lock SET is_locked = FALSE, process_id = NULL; SELECT RELEASE_LOCK('floor')"
        }
        Backend::Sqlite => "UPDATE floor_lock SET is_locked = FALSE, process_id = NULL",
    }
}

/// One file, its row of the history, and the checks.
pub fn message(backend: Backend, name: &str, version: &str, sql: &str, row: &str) -> String {
    let is_row = format!("FROM floor_history WHERE version = '{version}' AND name = '{name}'");
    match backend {
        Backend::Postgres => format!(
            "BEGIN;
SELECT 1 / count(*) FROM (SELECT 1 FROM floor_lock WHERE id = 1 AND is_locked AND process_id = 'floor'
  AND {POSTGRES_LOCK} FOR UPDATE) AS fence;
{sql}
SELECT 1 / count(*) FROM floor_lock WHERE id = 1 AND xmax = pg_current_xact_id()::xid;
SELECT 1 / ({POSTGRES_LOCK})::int;
{row};
SELECT 1 / count(*) {is_row};
COMMIT"
        ),
        Backend::Mysql => mysql(name, sql, row, &is_row),
        Backend::Sqlite => format!(
            "BEGIN IMMEDIATE;
SAVEPOINT file;
{SQLITE_FENCE};
{sql}
RELEASE file;
{SQLITE_FENCE};
{row};
SELECT 1 WHERE CASE WHEN EXISTS (SELECT 1 {is_row}) THEN 0 ELSE json('not recorded') END;
COMMIT"
        ),
    }
}

/// The statements of the benchmark contain no semicolon.
fn mysql(name: &str, sql: &str, row: &str, is_row: &str) -> String {
    let mut text = String::new();
    let (mut in_transaction, mut number) = (false, 0);
    for statement in sql.split(';').map(str::trim).filter(|it| !it.is_empty()) {
        number += 1;
        if statement.starts_with("CREATE") {
            text += &format!(
                "START TRANSACTION;
{MYSQL_FENCE};
UPDATE floor_journal SET state = 'done' WHERE file = '{name}' AND statement < {number};
REPLACE INTO floor_journal VALUES ('{name}', {number}, 'intent');
COMMIT;
"
            );
        } else if !std::mem::replace(&mut in_transaction, true) {
            text += &format!("{MYSQL_FENCE};\nSTART TRANSACTION;\n");
        }
        text += &format!("{statement};\n");
    }
    if !in_transaction {
        text += "START TRANSACTION;\n";
    }
    text + &format!(
        "{MYSQL_FENCE} FOR UPDATE;
DELETE FROM floor_journal WHERE file = '{name}';
{row};
SELECT EXP(1000 * (COUNT(*) <> 1)) {is_row};
COMMIT"
    )
}

const POSTGRES_LOCK: &str =
    "CASE WHEN pg_advisory_unlock(1) THEN pg_try_advisory_lock(1) ELSE FALSE END";
const MYSQL_FENCE: &str = "SELECT EXP(1000 * (COUNT(*) <> 1)) FROM floor_lock
  WHERE id = 1 AND is_locked AND process_id = 'floor' AND IS_USED_LOCK('floor') = CONNECTION_ID()";
const SQLITE_FENCE: &str = "SELECT 1 WHERE CASE WHEN EXISTS (SELECT 1 FROM floor_lock
  WHERE id = 1 AND is_locked AND process_id = 'floor') THEN 0 ELSE json('lock lost') END";
