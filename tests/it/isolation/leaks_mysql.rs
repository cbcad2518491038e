use jetbase_test_harness::{Database, TestError};

use super::leaks::{ALONE, LeakCase};

/// Returns a query for the whole session state.
pub(super) async fn query(db: &Database) -> Result<String, TestError> {
    let (variables, own) = if db.is_mariadb().await? {
        let own = "SELECT CONCAT('@', variable_name, ' ', variable_value) FROM information_schema.user_variables";
        ("information_schema.session_variables", own)
    } else {
        let own = "SELECT CONCAT('@', variable_name, ' ', variable_value)
  FROM performance_schema.user_variables_by_thread t JOIN performance_schema.threads h USING (thread_id)
  WHERE h.processlist_id = CONNECTION_ID()";
        ("performance_schema.session_variables", own)
    };
    Ok(format!(
        "SELECT CONCAT(LOWER(variable_name), ' ', variable_value) AS line FROM {variables}
  WHERE LOWER(variable_name) NOT REGEXP
    '^(timestamp|rand_seed.|pseudo_.*|error_count|warning_count|.*gtid.*|innodb_.*|statement_id|identity|last_insert_id)$'
  UNION ALL {own}
  UNION ALL SELECT CONCAT_WS(' ', 'database', DATABASE())
  UNION ALL SELECT CONCAT_WS(' ', 'role', CURRENT_ROLE())
  UNION ALL SELECT CONCAT_WS(' ', 'lock', COALESCE(IS_USED_LOCK('theirs') = CONNECTION_ID(), 0))"
    ))
}

const INSERT: &str = "INSERT INTO users (id) VALUES (7);\n";

/// A procedure and a trigger that change the session state.
const LEAVES: &str = "CREATE TABLE guarded (id INTEGER);
CREATE PROCEDURE leaves() BEGIN SET @x = 5; SET SESSION sql_mode = ''; SET SESSION group_concat_max_len = 10;
  CREATE TEMPORARY TABLE users (id INTEGER); END;
CREATE TRIGGER fires BEFORE INSERT ON guarded FOR EACH ROW SET @x = 6, SESSION foreign_key_checks = 0";

/// A file that `mysqldump` could have written.
const DUMP: &str = "/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET NAMES utf8mb4 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
DROP TABLE IF EXISTS `dumped`;
CREATE TABLE `dumped` (`id` int(11) DEFAULT NULL) ENGINE=InnoDB;
LOCK TABLES `dumped` WRITE;
/*!40000 ALTER TABLE `dumped` DISABLE KEYS */;
INSERT INTO `dumped` VALUES (1),(2);
/*!40000 ALTER TABLE `dumped` ENABLE KEYS */;
UNLOCK TABLES;
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
";

pub(super) const CASES: &[LeakCase] = &[
    LeakCase::new("a_variable", "SET @x = 5;\n"),
    LeakCase::new("a_variable_of_a_select", "SELECT id FROM users INTO @x;\n"),
    LeakCase::new("a_variable_of_an_expression", "SELECT @x := 1;\n"),
    LeakCase::new("a_variable_of_an_update", "UPDATE users SET id = (@x := id + 1);\n"),
    LeakCase::new("an_empty_temporary_table", "CREATE TEMPORARY TABLE users (id INTEGER);\n")
        .second(INSERT),
    LeakCase::new("a_prepared_statement", "PREPARE q FROM 'SELECT 1';\n").second(
        "CREATE PROCEDURE asks() BEGIN DECLARE EXIT HANDLER FOR 1243 INSERT INTO users (id) VALUES (-1); \
         EXECUTE q; INSERT INTO users (id) VALUES (99); END;\nCALL asks();\n",
    ),
    LeakCase::new(
        "locked_tables",
        "LOCK TABLES users WRITE;\nINSERT INTO users (id) VALUES (2);\n",
    )
    .second(INSERT),
    LeakCase::new(
        "unlocked_tables",
        "LOCK TABLES users WRITE;\nINSERT INTO users (id) VALUES (2);\nUNLOCK TABLES;\n",
    )
    .second(INSERT),
    LeakCase::new("tables_locked_for_reading", "LOCK TABLES users READ;\n").second(INSERT),
    LeakCase::new("a_flushed_table", "FLUSH TABLES users WITH READ LOCK;\n").second(INSERT),
    LeakCase::new("a_setting_of_the_next_transaction", "SET TRANSACTION READ ONLY;\n").only(ALONE).second(INSERT),
    LeakCase::new("a_dump", DUMP),
    LeakCase::new("names_in_latin1", "SET NAMES latin1;\n"),
    LeakCase::new("a_character_set", "SET CHARACTER SET latin1;\n"),
    LeakCase::new("a_client_character_set", "SET character_set_client = latin1;\n"),
    LeakCase::new("results_in_latin1", "SET character_set_results = latin1;\n"),
    LeakCase::new("a_disabled_binary_log", "SET sql_log_bin = 0;\n").only(ALONE),
    LeakCase::new("a_default_engine", "SET default_storage_engine = MyISAM;\n"),
    LeakCase::new("an_sql_mode", "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES';\n"),
    LeakCase::new("disabled_foreign_keys", "SET foreign_key_checks = 0;\nSET unique_checks = 0;\n"),
    LeakCase::new("chained_transactions", "SET completion_type = 1;\n").second(INSERT),
    LeakCase::new("a_disconnect_after_each_transaction", "SET completion_type = 2;\n").second(INSERT),
    LeakCase::new("read_only_transactions", "SET SESSION TRANSACTION READ ONLY;\n").second(INSERT),
    LeakCase::new("an_isolation_level", "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE;\n"),
    LeakCase::new("disabled_autocommit", "SET autocommit = 0;\n").second(INSERT).may_be_refused(),
    LeakCase::new("safe_updates", "SET sql_safe_updates = 1;\n"),
    LeakCase::new("a_row_limit", "SET sql_select_limit = 1;\n")
        .before("INSERT INTO users (id) VALUES (2), (3)")
        .second("CREATE TABLE copied AS SELECT * FROM users;\n"),
    LeakCase::new("a_join_limit", "SET max_join_size = 1, sql_big_selects = 0;\n"),
    LeakCase::new("a_fixed_timestamp", "SET timestamp = 86400;\n")
        .second("INSERT INTO users (id) SELECT YEAR(NOW()) < 2000;\n"),
    LeakCase::new("an_insert_id", "SET insert_id = 500;\n")
        .before("CREATE TABLE numbered (id INTEGER AUTO_INCREMENT PRIMARY KEY)")
        .second("INSERT INTO numbered VALUES ();\nINSERT INTO users (id) SELECT max(id) FROM numbered;\n"),
    LeakCase::new("an_auto_increment_step", "SET auto_increment_increment = 10, auto_increment_offset = 7;\n"),
    LeakCase::new("disabled_warnings", "SET sql_notes = 0, max_error_count = 0;\n"),
    LeakCase::new("a_short_wait_timeout", "SET SESSION wait_timeout = 1;\nSET SESSION net_read_timeout = 1;\n"),
    LeakCase::new("a_named_lock", "DO GET_LOCK('theirs', 0);\n").may_be_refused(),
    LeakCase::new("an_open_handler", "HANDLER users OPEN;\n")
        .second("HANDLER users OPEN;\nHANDLER users CLOSE;\n")
        .may_be_refused(),
    LeakCase::new("another_database", "USE {other};\n").second(INSERT),
    LeakCase::new("a_role", "SET ROLE {other};\n"),
    LeakCase::new("the_session_state_of_a_procedure", "CALL leaves();\n").before(LEAVES).second(INSERT),
    LeakCase::new("the_session_state_of_a_trigger", "INSERT INTO guarded (id) VALUES (1);\n").before(LEAVES),
    LeakCase::new("a_last_insert_id", "INSERT INTO numbered VALUES ();\n")
        .before("CREATE TABLE numbered (id INTEGER AUTO_INCREMENT PRIMARY KEY); INSERT INTO numbered VALUES (900)")
        .second("INSERT INTO users (id) SELECT LAST_INSERT_ID();\n"),
    LeakCase::new("a_last_insert_id_that_the_file_sets", "DO LAST_INSERT_ID(77);\n")
        .second("INSERT INTO users (id) SELECT LAST_INSERT_ID();\n"),
    LeakCase::new("user_variables_of_a_comment", "/*!40101 SET @x = 5, @@sql_mode = '' */;\n"),
    LeakCase::new("a_statement_in_a_string", "EXECUTE IMMEDIATE 'SET @x = 5';\n").only_on_mariadb(),
    LeakCase::new("an_executed_statement", "PREPARE q FROM 'SET @x = 5';\nEXECUTE q;\n"),
];
