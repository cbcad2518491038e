//! Lints on everyday SQL: which statements of a file get a warning in each dialect.

#![allow(clippy::unwrap_used, reason = "tests")]

use jetbase_core::{Dialect, Rules, check_folder};

const P: &[Dialect] = &[Dialect::Postgres];
const M: &[Dialect] = &[Dialect::MySql];
const S: &[Dialect] = &[Dialect::Sqlite];
const ALL: &[Dialect] = &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite];

/// A file's text, its dialects, and the expected warnings with their lines.
type Case = (&'static str, &'static [Dialect], &'static [(usize, &'static str)]);

const VERSIONED: &[Case] = &[
    // drop-table
    ("DROP TABLE users;", ALL, &[(1, "drop-table")]),
    ("DROP TABLE IF EXISTS users;", ALL, &[(1, "drop-table")]),
    ("DROP TABLE IF EXISTS users;\nCREATE TABLE users (id INT);", ALL, &[(1, "drop-table")]),
    ("CREATE TABLE a (id INT);\nDROP TABLE a, users;", P, &[(2, "drop-table")]),
    ("CREATE TABLE a (id INT);\nCREATE TABLE b (id INT);\nDROP TABLE IF EXISTS a, b;", P, &[]),
    ("CREATE TEMPORARY TABLE a (id INT);\nDROP TABLE a;", ALL, &[]),
    ("CREATE TABLE \"a\" (id INT);\nDROP TABLE A;", S, &[]),
    ("DROP SCHEMA app CASCADE;", P, &[(1, "drop-table")]),
    ("DROP VIEW v;\nDROP INDEX i;", ALL, &[]),
    ("ALTER TABLE t DROP PARTITION p0;", M, &[(1, "drop-table")]),
    (
        "CREATE TABLE new_t (id INT);\nINSERT INTO new_t SELECT id FROM t;\nDROP TABLE t;\n\
         ALTER TABLE new_t RENAME TO t;\nCREATE INDEX i ON t (id);",
        ALL,
        &[],
    ),
    ("DROP TABLE t;\nALTER TABLE old RENAME TO t;", S, &[(1, "drop-table"), (2, "rename")]),
    ("SELECT 1;\n-- rollback\nDROP TABLE IF EXISTS users;\nDELETE FROM t;\nTRUNCATE t;", ALL, &[]),
    // drop-column
    ("ALTER TABLE t DROP COLUMN IF EXISTS a;", P, &[(1, "drop-column")]),
    ("ALTER TABLE IF EXISTS ONLY t DROP a CASCADE;", P, &[(1, "drop-column")]),
    ("ALTER TABLE t DROP CONSTRAINT c;\nALTER TABLE t ALTER COLUMN a DROP NOT NULL;", P, &[]),
    ("ALTER TABLE t DROP PRIMARY KEY, DROP FOREIGN KEY f, DROP INDEX i, DROP CHECK c;", M, &[]),
    // rename
    ("ALTER TABLE t RENAME TO u;", ALL, &[(1, "rename")]),
    ("ALTER TABLE t RENAME a TO b;", ALL, &[(1, "rename")]),
    ("RENAME TABLE t TO u;", M, &[(1, "rename")]),
    ("ALTER TABLE t RENAME INDEX a TO b;", M, &[]),
    ("ALTER TABLE t RENAME CONSTRAINT a TO b;\nALTER TYPE e RENAME VALUE 'a' TO 'b';", P, &[]),
    // type-change
    ("ALTER TABLE t ALTER COLUMN a TYPE BIGINT USING a::bigint;", P, &[(1, "type-change")]),
    (
        "ALTER TABLE t MODIFY a BIGINT;\nALTER TABLE t CHANGE a a INT;",
        M,
        &[(1, "type-change"), (2, "type-change")],
    ),
    ("ALTER TABLE t ALTER COLUMN a SET DEFAULT 1;\nALTER TABLE t ALTER a DROP DEFAULT;", P, &[]),
    // not-null
    ("ALTER TABLE t ADD COLUMN a INT NOT NULL;", ALL, &[(1, "not-null")]),
    ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT NOT NULL;", P, &[(1, "not-null")]),
    ("ALTER TABLE t ADD COLUMN a INT NOT NULL DEFAULT 0;", ALL, &[]),
    ("ALTER TABLE t ADD COLUMN a INT DEFAULT 0 NOT NULL, ADD b INT;", P, &[]),
    ("ALTER TABLE t ADD COLUMN a TIMESTAMPTZ NOT NULL DEFAULT now();", P, &[]),
    ("ALTER TABLE t ADD COLUMN a BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL;", P, &[]),
    ("ALTER TABLE t ADD COLUMN a BIGINT NOT NULL AUTO_INCREMENT UNIQUE;", M, &[]),
    ("ALTER TABLE t ADD COLUMN a INT CHECK (a IS NOT NULL);", ALL, &[]),
    ("CREATE TABLE t (id INT);\nALTER TABLE t ADD COLUMN a INT NOT NULL;", ALL, &[]),
    ("ALTER TABLE t ALTER COLUMN a SET NOT NULL;", P, &[(1, "not-null")]),
    // index-concurrently
    ("CREATE INDEX i ON t (a);", P, &[(1, "index-concurrently")]),
    ("CREATE INDEX IF NOT EXISTS i ON ONLY app.t USING gin (a);", P, &[(1, "index-concurrently")]),
    (
        "CREATE INDEX i ON t (a);\nCREATE UNIQUE INDEX j ON t (a);",
        &[Dialect::MySql, Dialect::Sqlite],
        &[],
    ),
    ("CREATE TABLE t (id INT);\nCREATE UNIQUE INDEX i ON t (id);", ALL, &[]),
    ("CREATE TABLE IF NOT EXISTS app.t (id INT);\nCREATE INDEX ON app.t (id);", P, &[]),
    ("CREATE MATERIALIZED VIEW v AS SELECT 1 AS id;\nCREATE UNIQUE INDEX i ON v (id);", P, &[]),
    ("-- jetbase: transaction=off\nCREATE UNIQUE INDEX CONCURRENTLY i ON t (a);", P, &[]),
    ("ALTER TABLE t ADD CONSTRAINT u UNIQUE (a);", P, &[(1, "index-concurrently")]),
    ("ALTER TABLE t ADD PRIMARY KEY (id);", P, &[(1, "index-concurrently")]),
    ("ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i;", P, &[]),
    ("CREATE TABLE t (id INT);\nALTER TABLE t ADD CONSTRAINT u UNIQUE (id);", ALL, &[]),
    ("ALTER TABLE t ADD UNIQUE (a);\nALTER TABLE t ADD INDEX i (a);", M, &[]),
    // constraint-not-valid
    (
        "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id);",
        P,
        &[(1, "constraint-not-valid")],
    ),
    ("ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id) NOT VALID;", P, &[]),
    ("ALTER TABLE t VALIDATE CONSTRAINT f;", P, &[]),
    ("ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id);", M, &[]),
    ("CREATE TABLE t (a INT);\nALTER TABLE ONLY t ADD CONSTRAINT c CHECK (a > 0);", P, &[]),
    ("ALTER TABLE t ADD COLUMN a INT REFERENCES u (id);", P, &[]),
    // truncate
    ("TRUNCATE t RESTART IDENTITY CASCADE;", P, &[(1, "truncate")]),
    ("CREATE TABLE t (id INT);\nTRUNCATE TABLE t;", &[Dialect::Postgres, Dialect::MySql], &[]),
    ("CREATE TABLE t (id INT);\nTRUNCATE t, u;", P, &[(2, "truncate")]),
    ("ALTER TABLE t TRUNCATE PARTITION p0;", M, &[(1, "truncate")]),
    // no-where
    ("UPDATE t SET a = 1;\nDELETE FROM t;", ALL, &[(1, "no-where"), (2, "no-where")]),
    ("UPDATE t SET a = (SELECT b FROM u WHERE u.id = t.id);", ALL, &[(1, "no-where")]),
    ("DELETE FROM t WHERE a = 1;\nDELETE FROM ONLY t WHERE a;", P, &[]),
    ("WITH x AS (SELECT 1 AS id) UPDATE t SET a = 1 FROM x WHERE t.id = x.id;", P, &[]),
    (
        "WITH x AS (UPDATE t SET a = 1 WHERE b RETURNING id) INSERT INTO log SELECT id FROM x;",
        P,
        &[],
    ),
    ("WITH x AS (SELECT 1) DELETE FROM t;", P, &[(1, "no-where")]),
    (
        "WITH x AS (DELETE FROM t RETURNING id) INSERT INTO log SELECT id FROM x;",
        P,
        &[(1, "no-where")],
    ),
    ("WITH x AS (DELETE FROM t WHERE (a)) SELECT (1);", P, &[]),
    ("UPDATE OR IGNORE t SET a = 1;", S, &[(1, "no-where")]),
    ("UPDATE t JOIN u ON u.id = t.id SET t.a = u.a;", M, &[]),
    ("UPDATE t LEFT JOIN u ON u.id = t.id SET t.a = u.a;", M, &[(1, "no-where")]),
    ("DELETE FROM t ORDER BY id LIMIT 1000;", M, &[]),
    ("CREATE TABLE t (a INT);\nINSERT INTO t VALUES (1);\nUPDATE t SET a = 2;", ALL, &[]),
    ("INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1;", P, &[]),
    ("INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 1;", M, &[]),
    ("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM t; $$;", P, &[]),
    // session-set
    ("SET search_path TO app;", P, &[(1, "session-set")]),
    ("SET search_path TO a;\nSET search_path TO b;", P, &[(1, "session-set"), (2, "session-set")]),
    ("SET search_path TO app;\nSELECT 1;\nRESET search_path;", P, &[]),
    ("SET ROLE owner;\nSELECT 1;\nRESET ALL;", P, &[]),
    ("SET TIME ZONE 'UTC';\nSET timezone TO DEFAULT;", P, &[]),
    ("SET LOCAL lock_timeout = '3s';\nSET CONSTRAINTS ALL DEFERRED;", P, &[]),
    ("SET foreign_key_checks = 0;\nSELECT 1;\nSET foreign_key_checks = 1;", M, &[]),
    ("SET SESSION sql_mode = '';\nSET @@session.sql_mode = @old;", M, &[]),
    ("SET foreign_key_checks = 0;\nSELECT 1;", M, &[(1, "session-set")]),
    ("SET GLOBAL a = 1;\nSET GLOBAL b = 1;", M, &[(1, "session-set"), (2, "session-set")]),
    ("SET @rows = 1;", M, &[]),
    // No warning.
    (
        "CREATE OR REPLACE VIEW v AS SELECT 1;\nCREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
        P,
        &[],
    ),
    (
        "CREATE TABLE users (id INT PRIMARY KEY, \"drop table\" TEXT DEFAULT 'DELETE FROM t');",
        ALL,
        &[],
    ),
];

const REPEATABLE: &[Case] = &[
    ("CREATE OR REPLACE VIEW v AS SELECT 1;", ALL, &[]),
    ("CREATE VIEW v AS SELECT 1;", ALL, &[(1, "not-idempotent")]),
    ("DROP VIEW IF EXISTS v;\nCREATE VIEW v AS SELECT 1;", ALL, &[]),
    ("DROP TRIGGER v ON t;", P, &[(1, "not-idempotent")]),
    ("CREATE TABLE IF NOT EXISTS t (id INT);", ALL, &[]),
    ("INSERT INTO t VALUES (1);", ALL, &[(1, "not-idempotent")]),
    ("INSERT INTO t SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM t);", ALL, &[]),
    ("INSERT OR IGNORE INTO t VALUES (1);", S, &[]),
    ("REPLACE INTO t VALUES (1);", M, &[]),
    ("DELETE FROM t;\nINSERT INTO t VALUES (1);", ALL, &[]),
    ("TRUNCATE t;\nINSERT INTO t VALUES (1);", P, &[]),
    ("UPDATE t SET a = 1;\nGRANT SELECT ON t TO app;\nREFRESH MATERIALIZED VIEW v;", P, &[]),
    ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;", P, &[(1, "not-idempotent")]),
    (
        "ALTER TABLE t DROP CONSTRAINT IF EXISTS c;\nALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;",
        P,
        &[],
    ),
    ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT;", P, &[]),
];

/// The warnings about one file, with their lines.
fn doubts(name: &str, text: &str, dialect: Option<Dialect>) -> Vec<(usize, &'static str)> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(name), format!("{text}\n")).unwrap();
    let findings = check_folder(dir.path(), &Rules { dialect, ..Rules::default() }).findings;
    findings.iter().map(|it| (it.position.unwrap().line, it.rule)).collect()
}

#[test]
fn everyday_statements_are_doubted_as_the_tables_say() {
    let mut wrong = Vec::new();
    for (name, cases) in [("V1__x.sql", VERSIONED), ("ROC__x.sql", REPEATABLE)] {
        for (text, dialects, expected) in cases {
            for dialect in *dialects {
                let found = doubts(name, text, Some(*dialect));
                if found != *expected {
                    wrong.push(format!("{dialect}, {name}: {text}\n  {found:?}, not {expected:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
