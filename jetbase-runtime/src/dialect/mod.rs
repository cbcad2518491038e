//! The differences between the databases, as data: SQL texts with `{placeholders}`.

mod bindings;
mod mysql;
mod objects;
mod old_tables;
mod postgres;
mod sqlite;

use jetbase_core::{Dialect, ObjectKind};

pub(crate) use self::bindings::Bindings;
pub(crate) use self::objects::object_exists;
pub(crate) use self::old_tables::{old_sql, old_table_sql};

/// The SQL texts of one dialect.
///
/// `{migrations}` and `{lock}` are the two tables, quoted and qualified. Every other placeholder is
/// a literal, an identifier, a number or an expression that [`Bindings`] adds.
#[derive(Debug)]
pub(crate) struct Sql {
    /// The first statements of the first message. One row has the facts: `used_schema`, `user_name`,
    /// `search_path`, `in_transaction` (PostgreSQL, MariaDB), `history_schema` (in which the history was
    /// found), `syntax_settings`, `server_version`, `database_name`, `autocommit`.
    /// Then come the history and the lock row.
    pub(crate) read_state: &'static [&'static str],
    /// The index of the statement in the first message that returns the facts.
    pub(crate) state_facts: usize,
    /// One row with the facts, what a plan needs of the history, and the lock (MySQL). It stands for the three
    /// statements. If it fails, they are sent one after the other.
    pub(crate) quick_state: &'static str,
    /// Goes before what a connection of somebody else reads: one try waits a second at most (SQLite).
    pub(crate) short_wait: &'static [&'static str],
    /// Goes after it, and restores the setting of that connection.
    pub(crate) restore_wait: &'static [&'static str],
    /// Reads a table, so that a setting of `read_state` ends that holds for one transaction (MySQL). It is sent
    /// if the history does not exist.
    pub(crate) end_setting: &'static str,
    /// Goes before the history in the first message. It fails if other roles own one of the tables, without a
    /// look at what these tables contain, or if one is missing. Then the message is sent again with
    /// `guard_history` and `guard_holder`.
    pub(crate) guard_state: &'static [&'static str],
    /// Goes before the history. It fails if the table could run code of others.
    pub(crate) guard_history: &'static [&'static str],
    /// The same for the lock row.
    pub(crate) guard_holder: &'static [&'static str],
    /// The history in the first message. Each row has `row_count`, the number of all rows.
    pub(crate) state_history: &'static str,
    /// Stands for `state_history` when only a plan is made: one row with `row_count`, and with one text
    /// `history`, or one text for each column that a plan needs. See `state::packed`.
    pub(crate) packed_history: &'static str,
    /// The history alone. Each row has `row_count`, the number of all rows.
    pub(crate) history: &'static str,
    /// Follows the history in the same message: `is_locked`, `process_id`.
    pub(crate) current_holder: &'static str,
    /// An expression: whether both tables exist.
    pub(crate) tables_exist: &'static str,
    /// The error codes with which the first statement of `read_state` or `probe` fails inside a
    /// transaction.
    pub(crate) in_transaction: &'static [&'static str],
    /// The error codes of "no such table".
    pub(crate) no_table: &'static [&'static str],
    /// One row with `has_tables`. PostgreSQL: also `user_name`, `has_nonce`, `lock_key` (of the
    /// session lock), `zone`, `has_role_settings`, `server_version`, `role_name`, `database_name`,
    /// `is_subscribed` (a subscription writes to the tables), `has_publications`, `owned`. MySQL:
    /// `user_name`, `largest_message`, `not_transactional` (the tables without transactions),
    /// `has_triggers`. SQLite: `file`. Then comes the server's identity.
    pub(crate) probe: &'static str,
    /// The index of the statement in `probe` that returns the facts.
    pub(crate) probe_facts: usize,
    /// Sent if the facts of `probe` leave something open (PostgreSQL). One row: `zone`, `owners_trusted`. Then the
    /// publications that contain the history or the lock: `pubname`.
    pub(crate) probe_details: &'static str,
    /// Creates both tables, the row and jetbase's index, even if others create them too.
    pub(crate) create: &'static [&'static str],
    /// Prevents a version from being recorded twice. It is created together with the table, or not
    /// at all.
    pub(crate) index: &'static str,
    /// The error codes of "another session created it at the same moment".
    pub(crate) create_races: &'static [&'static str],
    /// Creates the row.
    pub(crate) create_row: &'static str,
    /// One row: `has_row`, `has_session_lock`: whether this run has each of them now.
    pub(crate) acquire: &'static str,
    /// The same with a session lock; it also takes over a stale lock. Its first row also has
    /// `previous`, the previous holder.
    pub(crate) acquire_with_session_lock: &'static str,
    /// Sent over a second connection. PostgreSQL: cancels the statement of the session that holds the
    /// session lock. MySQL: one row, the id of that session.
    pub(crate) cancel_statement: &'static str,
    /// One row: `is_locked`, `process_id`, `locked_at`, `is_alive` (the owner's session),
    /// `fingerprint` (of the history).
    pub(crate) poll: &'static str,
    /// One row like that of `acquire`, for the lock of `{stale_owner}`. It never waits for the row.
    pub(crate) take_over: &'static str,
    /// The same with a session lock.
    pub(crate) take_over_with_session_lock: &'static str,
    /// Releases the row if this run has it. It must be the first statement.
    pub(crate) release: &'static str,
    /// Releases the session lock.
    pub(crate) release_session_lock: &'static str,
    /// One row: whether this run has the second session lock too. The first one is released afterwards.
    pub(crate) move_session_lock: &'static str,
    /// Releases the row of any holder.
    pub(crate) unlock: &'static str,
    /// Goes before each read, so that no default of the session affects it.
    pub(crate) read_settings: &'static [&'static str],
    /// Goes before each write.
    pub(crate) write_settings: &'static [&'static str],
    /// Goes before each change of the lock row.
    pub(crate) lock_settings: &'static [&'static str],
    /// Goes before each read if others own the tables or their schema. It fails if a table could
    /// run the owner's code, and prevents a change of the table until the end of the transaction.
    pub(crate) guard_reading: &'static [&'static str],
    /// Goes before each read of the table of another tool. It fails if the table could run code.
    pub(crate) guard_old: &'static [&'static str],
    /// Goes before each write in that case.
    pub(crate) guard_writing: &'static [&'static str],
    /// The same for the table of replaced texts.
    pub(crate) guard_superseded_reading: &'static [&'static str],
    pub(crate) guard_superseded_writing: &'static [&'static str],
    /// Fails if other roles own tables of `{guarded}`, without a look at what these tables contain. If it
    /// fails, `untrusted` decides.
    pub(crate) check_own: &'static str,
    /// Fails if `untrusted` finds a table.
    pub(crate) check: &'static str,
    /// The tables of `{guarded}` that could run code of others: `relname`, `owner`, `fault`.
    pub(crate) untrusted: &'static str,
    /// An expression: whether this user owns the tables of `{guarded}` and their schema, or somebody who is always
    /// trusted. If not, `owners_trusted` decides.
    pub(crate) owned: &'static str,
    /// An expression: whether only trusted roles own the tables of `{guarded}` and their schema.
    pub(crate) owners_trusted: &'static str,
    /// The settings of the session while the run waits for the lock, or releases it.
    pub(crate) waiting_settings: &'static [&'static str],
    /// The settings of the session between two files.
    pub(crate) session_settings: &'static [&'static str],
    /// The settings of the session for statements outside a transaction.
    pub(crate) autocommit_settings: &'static [&'static str],
    /// Goes before a fence outside a transaction.
    pub(crate) fence_settings: &'static [&'static str],
    /// Restores the client's character set after a file has changed it.
    pub(crate) encoding: &'static [&'static str],
    /// Starts the transaction of a file.
    pub(crate) begin: &'static [&'static str],
    /// The settings that a file has in its transaction.
    pub(crate) file_settings: &'static [&'static str],
    /// Fails unless this run has the row. `{and_session_lock}` also checks the session lock.
    pub(crate) fence: &'static str,
    /// The same, and locks the row until the end of the transaction.
    pub(crate) fence_locking: &'static str,
    /// Comes before the locking fence on a cluster: changes the row, so that the commit fails if another
    /// node has changed it too.
    pub(crate) fence_in_cluster: &'static [&'static str],
    /// An expression: whether this session has the session lock. It is empty if the server knows none.
    pub(crate) has_session_lock: &'static str,
    /// Fails unless this session has the session lock.
    pub(crate) fence_session_lock: &'static str,
    /// Fails if the file has ended the transaction itself.
    pub(crate) still_open: &'static [&'static str],
    /// Sent after a failure. The server refuses it if the file's transaction had already ended
    /// (PostgreSQL: only if it had not).
    pub(crate) transaction_probe: &'static str,
    /// Restores what a file has changed and jetbase's own statements depend on.
    pub(crate) restore_settings: &'static [&'static str],
    /// The tables that refer to others, except where neither table can have changed (SQLite).
    pub(crate) children: &'static str,
    /// Fails if new rows without parents exist.
    pub(crate) foreign_keys: &'static str,
    /// Goes before `insert` if the session may have a next number, which its next row would get.
    pub(crate) restore_number: &'static [&'static str],
    /// Records an upgrade. The time is later than `{latest_time}`, which is one of the next two expressions.
    pub(crate) insert: &'static str,
    /// The time of the last row of the history. It was also the latest one when the run began, nearly always.
    pub(crate) last_time: &'static str,
    /// The later one of the times of the last row, and of the row `{latest}`, which was the latest one when the run
    /// began. So it reads two rows, however long the history is.
    pub(crate) latest_time: &'static str,
    /// Executes everything that is deferred until the COMMIT.
    pub(crate) run_deferred: &'static [&'static str],
    /// Ends `run_deferred`, if the transaction goes on with another file.
    pub(crate) defer_again: &'static [&'static str],
    /// Fails unless the row exists as it was inserted.
    pub(crate) inserted: &'static str,
    /// Fails unless the row of a repeatable exists as it was changed.
    pub(crate) updated: &'static str,
    /// Fails unless the row of a version has the checksum.
    pub(crate) repaired: &'static str,
    /// Fails unless the row of a version is deleted.
    pub(crate) deleted: &'static str,
    /// Fails unless the row of a repeatable is deleted.
    pub(crate) repeatable_deleted: &'static str,
    /// Records that a repeatable ran again.
    pub(crate) update: &'static str,
    /// Marks the rows of the `ROC__` files `{stale}`, so that they run again.
    pub(crate) mark_stale: &'static str,
    /// Replaces the checksum of a version, and nothing else.
    pub(crate) repair: &'static str,
    /// The texts of `ROC__` files that newer ones have replaced.
    pub(crate) superseded: &'static str,
    /// Creates the table for them.
    pub(crate) create_superseded: &'static str,
    /// Records that the text of a `ROC__` file is replaced, before its history row is updated.
    pub(crate) supersede: &'static [&'static str],
    /// Deletes the row of a version.
    pub(crate) delete: &'static str,
    /// Deletes the row of a repeatable.
    pub(crate) delete_repeatable: &'static str,
    /// Resets the session's settings after a file.
    pub(crate) reset: &'static [&'static str],
    /// Ends what else a file can leave in a session that the run owns.
    pub(crate) discard: &'static [&'static str],
    /// Lets the server end the session if it is idle for `{lease}` seconds. PostgreSQL: it follows the probe, and
    /// its value is NULL if the server does not do that.
    pub(crate) lease: &'static str,
    /// Sets that again after a file.
    pub(crate) restore_lease: &'static [&'static str],
    /// One row: `session_id`, `user_name`, `client`, `program`, `activity` of who holds the lock.
    pub(crate) holder: &'static str,
    /// Lets the session read what every node of a MySQL group has committed before: `{consistency}`.
    pub(crate) read_across_nodes: &'static str,
    /// One row about a node of a MySQL group: `state`, and the `host` and `port` of a node that accepts
    /// writes.
    pub(crate) group_state: &'static str,
    /// What `doctor` asks. One row of facts: `server`, `is_read_only`, `login`, `user_name`,
    /// `is_superuser`, `zone`, `timeouts`, `connections`, `most_connections`, `filtered` (the tables
    /// that row-level security filters), `tables` (which exist), `has_index`. Then one row for each
    /// right that the user lacks: `missing`, `grant_statement`, `is_required` (else only some
    /// commands need it). Then one row for each role of the user that may have more rights.
    pub(crate) doctor: &'static [&'static str],
    /// The index of the statement in `doctor` that returns the facts.
    pub(crate) doctor_facts: usize,
    /// Creates the index of a history table that another tool has created.
    pub(crate) add_index: &'static str,
    /// The error codes of a fence that fails.
    pub(crate) fence_codes: &'static [&'static str],
    /// The error codes of a guard that fails. One of them: what it locks is no table.
    pub(crate) guard_codes: &'static [&'static str],
    /// Creates the journal.
    pub(crate) create_journal: &'static str,
    /// Ends the first message: a row if the journal has one (MySQL). Elsewhere, the facts have its size.
    pub(crate) journal_has_rows: &'static [&'static str],
    /// The journal: `filename`, `direction`, `statement`, `digest`, `state`, `place`, `found`,
    /// `leftover_schema`, `leftover_name`, `process_id`, `stale` (the history row of the file has
    /// changed since).
    pub(crate) journal: &'static str,
    /// The same as `guard_reading` and `guard_writing`, for the journal.
    pub(crate) guard_journal_reading: &'static [&'static str],
    pub(crate) guard_journal_writing: &'static [&'static str],
    /// Writes the row of a statement. `{state}` is a literal, `{found}` an expression.
    pub(crate) journal_write: &'static str,
    /// Expressions: 1 if an object of the catalog exists, 2 if it is an invalid index, else 0.
    pub(crate) catalog: &'static [(ObjectKind, &'static str)],
}

/// Reads the history on PostgreSQL and SQLite.
const HISTORY: &str = "SELECT counted.n AS row_count, order_executed, version, description, filename, migration_type, applied_at, checksum
  FROM (SELECT count(*) AS n FROM {migrations}) AS counted
  LEFT JOIN {migrations} ON true ORDER BY order_executed";

/// Marks rows, on all databases. See `Record::is_stale`.
const MARK_STALE: &str = "UPDATE {migrations} SET checksum = upper(checksum)
  WHERE migration_type = 'RUNS_ON_CHANGE' AND filename IN ({stale})";

/// Creates the table of replaced texts on PostgreSQL and SQLite.
const CREATE_SUPERSEDED: &str = "CREATE TABLE IF NOT EXISTS {superseded} (
    filename VARCHAR(512) NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    PRIMARY KEY (filename, checksum)
)";

/// Creates the journal on PostgreSQL and SQLite.
const CREATE_JOURNAL: &str = "CREATE TABLE IF NOT EXISTS {journal} (
    filename VARCHAR(512) NOT NULL,
    direction VARCHAR(8) NOT NULL,
    statement INT NOT NULL,
    digest VARCHAR(64) NOT NULL,
    state VARCHAR(8) NOT NULL,
    place VARCHAR(32) NOT NULL,
    found INT,
    leftover_schema VARCHAR(255),
    leftover_name VARCHAR(255),
    applied_at TIMESTAMP,
    recorded_at TIMESTAMP NOT NULL,
    process_id VARCHAR(36) NOT NULL,
    PRIMARY KEY (filename, direction, statement)
)";

/// Marks the statements as done that this run has executed.
pub(crate) const JOURNAL_DONE: &str =
    "UPDATE {journal} SET state = 'done' WHERE filename = {file} AND direction = {direction}
  AND statement <= {number} AND state = 'intent' AND process_id = {me}";

/// Removes the intents of statements that have failed.
pub(crate) const JOURNAL_FAILED: &str =
    "DELETE FROM {journal} WHERE filename = {file} AND direction = {direction}
  AND statement > {number} AND state = 'intent' AND process_id = {me}";

/// Notes the index that a failed statement has left.
pub(crate) const JOURNAL_LEFTOVER: &str = "UPDATE {journal} SET state = 'failed', leftover_schema = {leftover_schema}, leftover_name = {leftover_name}
  WHERE filename = {file} AND direction = {direction} AND statement = {number} AND process_id = {me}";

/// Removes all rows of a file.
pub(crate) const JOURNAL_FORGET: &str =
    "DELETE FROM {journal} WHERE filename = {file} AND direction = {direction}";

/// Returns the texts of a dialect.
pub(crate) const fn sql(dialect: Dialect) -> &'static Sql {
    match dialect {
        Dialect::Postgres => &postgres::SQL,
        Dialect::MySql => &mysql::SQL,
        Dialect::Sqlite => &sqlite::SQL,
    }
}
