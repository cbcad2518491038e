use super::*;
use crate::sql::dialect::Syntax;
use crate::sql::statements::statement;

#[track_caller]
fn check(dialect: Dialect, wanted: Effect, statements: &[&str]) {
    for sql in statements {
        let statement = statement(sql, Syntax::of(dialect)).unwrap();
        assert_eq!(effect(&statement), wanted, "{dialect}: {sql}");
    }
}

const CONTROL: [&str; 4] = ["BEGIN", "/* a */ commit", "ROLLBACK", "-- a\nROLLBACK WORK"];
const SAVEPOINTS: [&str; 4] =
    ["SAVEPOINT a", "RELEASE SAVEPOINT a", "ROLLBACK TO a", "rollback work to savepoint a"];

#[test]
fn transactions_are_controlled_alike() {
    for dialect in Dialect::ALL {
        check(dialect, Effect::TransactionControl, &CONTROL);
        check(dialect, Effect::Transactional, &SAVEPOINTS);
        check(dialect, Effect::Transactional, &["SELECT 'BEGIN'", "INSERT INTO commit VALUES (1)"]);
    }
}

#[test]
fn postgres_controls_transactions() {
    check(
        Dialect::Postgres,
        Effect::TransactionControl,
        &[
            "START TRANSACTION",
            "END",
            "ABORT",
            "PREPARE TRANSACTION 'a'",
            "COMMIT PREPARED 'a'",
            "ROLLBACK PREPARED 'a'",
            "BEGIN ISOLATION LEVEL SERIALIZABLE",
        ],
    );
}

#[test]
fn postgres_runs_some_statements_alone() {
    check(
        Dialect::Postgres,
        Effect::NeedsNoTransaction,
        &[
            "VACUUM",
            "VACUUM (FULL) t",
            "ALTER SYSTEM SET work_mem = '4MB'",
            "DISCARD ALL",
            "CREATE DATABASE d",
            "DROP DATABASE d",
            "CREATE TABLESPACE s LOCATION '/a'",
            "DROP TABLESPACE s",
            "ALTER DATABASE d SET TABLESPACE s",
            "CREATE INDEX CONCURRENTLY i ON t (a)",
            "create /* a */ unique index\n-- b\nconcurrently if not exists i on t (a)",
            "DROP INDEX CONCURRENTLY i",
            "REINDEX TABLE CONCURRENTLY t",
            "REINDEX (VERBOSE, CONCURRENTLY) INDEX i",
            "REINDEX DATABASE d",
            "REINDEX SCHEMA s",
            "REINDEX (VERBOSE) SYSTEM d",
            "CLUSTER",
            "CLUSTER VERBOSE",
            "CLUSTER (VERBOSE)",
            "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
            "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
            "DROP SUBSCRIPTION s",
            "ALTER SUBSCRIPTION s REFRESH PUBLICATION",
            "ALTER SUBSCRIPTION s SET PUBLICATION p",
        ],
    );
}

#[test]
fn postgres_rolls_back_the_rest() {
    check(
        Dialect::Postgres,
        Effect::Transactional,
        &[
            "CREATE TABLE t (a int)",
            "CREATE INDEX i ON t (a)",
            "CREATE UNIQUE INDEX i ON t (a)",
            "CREATE INDEX \"concurrently\" ON t (a)",
            "DROP TABLE vacuum",
            "REINDEX TABLE t",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
            "CLUSTER t USING i",
            "CLUSTER (VERBOSE) t USING i",
            "ALTER TABLE t DETACH PARTITION p",
            "DISCARD PLANS",
            "ALTER DATABASE d SET work_mem = '4MB'",
            "ALTER DATABASE d RENAME TO e",
            "ALTER SUBSCRIPTION s DISABLE",
            "ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)",
            "ALTER TYPE e ADD VALUE 'z'",
            "PREPARE a AS SELECT 1",
            "DO $$ BEGIN COMMIT; END $$",
            "COPY t FROM '/stdin'",
            "COPY t TO PROGRAM 'stdout'",
            "CALL p()",
            "SET TRANSACTION READ ONLY",
            "COPY (SELECT * FROM stdin) TO '/a'",
            "whatever",
        ],
    );
}

#[test]
fn postgres_copies_from_and_to_the_client() {
    check(
        Dialect::Postgres,
        Effect::CopyFromStdin,
        &[
            "COPY t FROM STDIN",
            "copy s.t (a, b) from stdin with (format csv)",
            "COPY t TO STDOUT",
            "COPY (SELECT a FROM t) TO STDOUT",
        ],
    );
}

#[test]
fn mysql_commits_what_is_not_known() {
    check(
        Dialect::MySql,
        Effect::CommitsImplicitly,
        &[
            "CREATE TABLE t (a INT)",
            "ALTER TABLE t ADD b INT",
            "DROP TABLE t",
            "TRUNCATE t",
            "CREATE INDEX i ON t (a)",
            "RENAME TABLE t TO u",
            "GRANT ALL ON *.* TO a",
            "CALL p()",
            "EXECUTE s",
            "ANALYZE TABLE t",
            "LOCK TABLES t WRITE",
            "UNLOCK TABLES",
            "FLUSH TABLES",
            "SET PASSWORD = 'a'",
            "SET DEFAULT ROLE NONE TO a",
            "START REPLICA",
            "LOAD INDEX INTO CACHE t",
            "SET STATEMENT max_statement_time = 1 FOR DROP TABLE t",
            "BEGIN NOT ATOMIC SELECT 1; END",
            "CREATE TEMPORARY SEQUENCE s",
            "/*!40000 ALTER TABLE t DISABLE KEYS */",
            "whatever",
        ],
    );
}

#[test]
fn mysql_rolls_back_rows() {
    check(
        Dialect::MySql,
        Effect::Transactional,
        &[
            "INSERT INTO t VALUES (1)",
            "REPLACE INTO t VALUES (1)",
            "(SELECT 1)",
            "DO SLEEP(1)",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "LOAD DATA INFILE 'a' INTO TABLE t",
            "CREATE TEMPORARY TABLE t (a INT)",
            "DROP TEMPORARY TABLE t",
            "SET NAMES utf8mb4",
            "CREATE OR REPLACE TEMPORARY TABLE t (a INT)",
            "SET @autocommit = 1",
            "# a\nSHOW TABLES",
            "/*!40101 SET foreign_key_checks = 0 */",
            "/*!50000 INSERT */ INTO t VALUES (1)",
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "PREPARE s FROM 'DROP TABLE t'",
        ],
    );
}

#[test]
fn mysql_controls_transactions() {
    check(
        Dialect::MySql,
        Effect::TransactionControl,
        &[
            "START TRANSACTION READ ONLY",
            "BEGIN WORK",
            "COMMIT AND CHAIN",
            "XA START 'a'",
            "SET autocommit = 0",
            "SET @@session.autocommit = 1",
            "set a = 1, SESSION autocommit = 0",
            "SET `autocommit` = 1",
        ],
    );
    check(Dialect::MySql, Effect::NeedsNoTransaction, &["SET TRANSACTION READ ONLY"]);
}

#[test]
fn sqlite_runs_some_statements_alone() {
    check(
        Dialect::Sqlite,
        Effect::NeedsNoTransaction,
        &[
            "VACUUM",
            "VACUUM INTO 'a'",
            "DETACH a",
            "PRAGMA journal_mode = WAL",
            "PRAGMA main.synchronous(OFF)",
            "PRAGMA wal_checkpoint",
        ],
    );
    check(
        Dialect::Sqlite,
        Effect::ForeignKeysPragma,
        &[
            "PRAGMA foreign_keys = OFF",
            "pragma foreign_keys(0)",
            "PRAGMA main.foreign_keys=ON",
            "PRAGMA \"foreign_keys\" = 1",
            "PRAGMA /* a */ main . [foreign_keys] = 1",
        ],
    );
    check(Dialect::Sqlite, Effect::TransactionControl, &["BEGIN IMMEDIATE", "END TRANSACTION"]);
    check(
        Dialect::Sqlite,
        Effect::Transactional,
        &[
            "PRAGMA foreign_keys",
            "PRAGMA foreign_key_check(t)",
            "PRAGMA user_version = 2",
            "PRAGMA journal_mode",
            "PRAGMA defer_foreign_keys = ON",
            "ATTACH 'a' AS b",
            "CREATE TABLE t (a)",
            "ROLLBACK TRANSACTION TO SAVEPOINT a",
            "PRAGMA",
        ],
    );
}

#[test]
fn of_several_statements_the_gravest_counts() {
    for dialect in Dialect::ALL {
        check(
            dialect,
            Effect::TransactionControl,
            &["INSERT INTO t VALUES (1); COMMIT", "SELECT 1; COMMIT; INSERT INTO t VALUES (';')"],
        );
        check(dialect, Effect::Transactional, &["SELECT 1; SELECT ';COMMIT'", "SELECT 1;"]);
    }
    check(Dialect::Sqlite, Effect::NeedsNoTransaction, &["SELECT 1; VACUUM; SELECT 2"]);
    check(
        Dialect::Sqlite,
        Effect::Transactional,
        &["CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; END;"],
    );
    check(Dialect::MySql, Effect::CommitsImplicitly, &["SELECT 1; DROP TABLE t"]);
}
