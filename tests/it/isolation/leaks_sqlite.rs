use super::leaks::{ALONE, BOTH, LeakCase};

/// A query for the whole state of a connection.
pub(super) const QUERY: &str = "SELECT 'recursive_triggers ' || recursive_triggers AS line FROM pragma_recursive_triggers
  UNION ALL SELECT 'query_only ' || query_only FROM pragma_query_only
  UNION ALL SELECT 'ignore_check_constraints ' || ignore_check_constraints FROM pragma_ignore_check_constraints
  UNION ALL SELECT 'legacy_alter_table ' || legacy_alter_table FROM pragma_legacy_alter_table
  UNION ALL SELECT 'reverse_unordered_selects ' || reverse_unordered_selects FROM pragma_reverse_unordered_selects
  UNION ALL SELECT 'writable_schema ' || writable_schema FROM pragma_writable_schema
  UNION ALL SELECT 'trusted_schema ' || trusted_schema FROM pragma_trusted_schema
  UNION ALL SELECT 'cell_size_check ' || cell_size_check FROM pragma_cell_size_check
  UNION ALL SELECT 'defer_foreign_keys ' || defer_foreign_keys FROM pragma_defer_foreign_keys
  UNION ALL SELECT 'automatic_index ' || automatic_index FROM pragma_automatic_index
  UNION ALL SELECT 'temp_store ' || temp_store FROM pragma_temp_store
  UNION ALL SELECT 'busy_timeout ' || timeout FROM pragma_busy_timeout
  UNION ALL SELECT 'cache_size ' || cache_size FROM pragma_cache_size
  UNION ALL SELECT 'synchronous ' || synchronous FROM pragma_synchronous
  UNION ALL SELECT 'read_uncommitted ' || read_uncommitted FROM pragma_read_uncommitted
  UNION ALL SELECT 'secure_delete ' || secure_delete FROM pragma_secure_delete
  UNION ALL SELECT 'max_page_count ' || max_page_count FROM pragma_max_page_count
  UNION ALL SELECT 'locking_mode ' || locking_mode FROM pragma_locking_mode
  UNION ALL SELECT 'journal_mode ' || journal_mode FROM pragma_journal_mode
  UNION ALL SELECT 'like ' || ('a' LIKE 'A')
  UNION ALL SELECT 'database ' || name FROM pragma_database_list
  UNION ALL SELECT 'temporary ' || name FROM sqlite_temp_master";

const INSERT: &str = "INSERT INTO users (id) VALUES (7);\n";

pub(super) const CASES: &[LeakCase] = &[
    LeakCase::new("recursive_triggers", "PRAGMA recursive_triggers = ON;\n"),
    LeakCase::new("a_read_only_connection", "PRAGMA query_only = ON;\n").second(INSERT),
    LeakCase::new("disabled_checks", "PRAGMA ignore_check_constraints = ON;\n"),
    LeakCase::new("a_case_sensitive_like", "PRAGMA case_sensitive_like = ON;\n"),
    LeakCase::new("a_legacy_alter_table", "PRAGMA legacy_alter_table = ON;\n"),
    LeakCase::new("a_reversed_order", "PRAGMA reverse_unordered_selects = ON;\n"),
    LeakCase::new("a_writable_schema", "PRAGMA writable_schema = ON;\n"),
    LeakCase::new("an_untrusted_schema", "PRAGMA trusted_schema = OFF;\n"),
    LeakCase::new("checked_cells", "PRAGMA cell_size_check = ON;\n"),
    LeakCase::new("deferred_foreign_keys", "PRAGMA defer_foreign_keys = ON;\n"),
    LeakCase::new("no_automatic_index", "PRAGMA automatic_index = OFF;\n"),
    LeakCase::new("a_busy_timeout", "PRAGMA busy_timeout = 3;\n"),
    LeakCase::new("a_small_cache", "PRAGMA cache_size = 3;\n"),
    LeakCase::new("a_maximum_size", "PRAGMA max_page_count = 1;\n")
        .second("CREATE TABLE more (body TEXT);\nINSERT INTO more VALUES (zeroblob(100000));\n"),
    LeakCase::new("uncommitted_reads", "PRAGMA read_uncommitted = ON;\n"),
    LeakCase::new("secure_deletes", "PRAGMA secure_delete = ON;\n"),
    LeakCase::new("an_exclusive_locking_mode", "PRAGMA locking_mode = EXCLUSIVE;\n").may_be_refused(),
    LeakCase::new("writes_without_synchronization", "PRAGMA synchronous = OFF;\n").only(ALONE),
    LeakCase::new("a_journal_in_memory", "PRAGMA journal_mode = MEMORY;\n").only(ALONE),
    LeakCase::new("a_last_insert_rowid", "INSERT INTO users (id) VALUES (3);\n")
        .second("INSERT INTO users (id) SELECT last_insert_rowid();\n"),
    LeakCase::new("an_empty_temporary_table", "CREATE TEMP TABLE users (id INTEGER);\n").second(INSERT),
    LeakCase::new("a_table_in_the_temp_schema", "CREATE TABLE temp.users (id INTEGER);\n").second(INSERT),
    LeakCase::new("a_temporary_view", "CREATE TEMP VIEW extra AS SELECT 5 AS id;\n")
        .before("CREATE TABLE extra (id INTEGER)")
        .second("INSERT INTO users (id) SELECT count(*) FROM extra;\n"),
    LeakCase::new(
        "a_temporary_trigger",
        "CREATE TEMP TRIGGER twice AFTER INSERT ON users BEGIN INSERT INTO extra (id) VALUES (NEW.id); END;\n",
    )
    .before("CREATE TABLE extra (id INTEGER)")
    .second("INSERT INTO users (id) VALUES (7);\nINSERT INTO users (id) SELECT count(*) + 50 FROM extra;\n"),
    LeakCase::new("an_attached_database", "ATTACH ':memory:' AS more;\n").only(BOTH),
    LeakCase::new(
        "an_attached_table",
        "ATTACH ':memory:' AS more;\nCREATE TABLE more.late (id INTEGER);\n",
    )
    .only(ALONE)
    .second("CREATE TABLE late (id INTEGER);\nINSERT INTO late (id) VALUES (1);\n"),
    LeakCase::new("foreign_keys", "PRAGMA foreign_keys = ON;\n").only(ALONE).may_be_refused(),
];
