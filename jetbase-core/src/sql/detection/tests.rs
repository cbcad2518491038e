use super::*;
use crate::sql::dialect::Syntax;
use crate::sql::statements::cut;

fn shown(dialect: Dialect, sql: &str) -> String {
    let statements = cut(sql, ";", Syntax::of(dialect)).unwrap();
    match detection(&statements[0]) {
        Detection::Catalog(CatalogObject { kind, schema, table, name, concurrently }) => {
            let schema = schema.map(|it| format!("{it}.")).unwrap_or_default();
            let table = table.map(|it| format!("{it}/")).unwrap_or_default();
            let mark = if concurrently { " concurrently" } else { "" };
            format!("{kind:?} {schema}{table}{name}{mark}")
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn a_statement_says_how_its_effect_can_be_found() {
    let mysql = [
        ("CREATE TABLE shop (id INT)", "Table shop"),
        ("CREATE TABLE `my``db`.`Shop` (id INT)", "Table my`db.Shop"),
        ("CREATE TABLE IF NOT EXISTS shop (id INT)", "Repeat"),
        ("CREATE OR REPLACE TABLE shop (id INT)", "Ask"),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", "Repeat"),
        ("CREATE UNIQUE INDEX i USING BTREE ON shop (id)", "Index shop/i"),
        ("DROP INDEX i ON shop", "Index shop/i"),
        ("DROP TABLE shop", "Table shop"),
        ("DROP TABLE a, b", "Ask"),
        ("DROP TABLE IF EXISTS a, b", "Repeat"),
        ("ALTER TABLE shop ADD COLUMN name TEXT, ADD INDEX (name)", "Column shop/name"),
        ("ALTER TABLE shop ADD name TEXT", "Column shop/name"),
        ("ALTER TABLE shop ADD UNIQUE KEY k (name)", "Index shop/k"),
        ("ALTER TABLE shop ADD INDEX (name)", "Ask"),
        (
            "ALTER TABLE shop ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES b (a)",
            "Constraint shop/fk",
        ),
        ("ALTER TABLE shop ADD FOREIGN KEY (a) REFERENCES b (a)", "Ask"),
        ("ALTER TABLE shop MODIFY name INT", "Repeat"),
        ("ALTER TABLE shop CHANGE a b INT", "Column shop/b"),
        ("ALTER TABLE shop RENAME TO store", "Table store"),
        ("ALTER TABLE shop DROP COLUMN name", "Column shop/name"),
        ("CALL p()", "Ask"),
        ("INSERT INTO shop VALUES (1)", "Ask"),
        ("CREATE DATABASE d", "Schema d"),
        ("SET NAMES utf8mb4", "Repeat"),
    ];
    for (sql, expected) in mysql {
        assert_eq!(shown(Dialect::MySql, sql), expected, "{sql}");
    }
    let postgres = [
        ("CREATE INDEX CONCURRENTLY I ON s.Shop (id)", "Index s.shop/i concurrently"),
        ("CREATE INDEX CONCURRENTLY IF NOT EXISTS \"I\" ON shop (id)", "Index shop/I concurrently"),
        ("CREATE INDEX CONCURRENTLY ON shop (id)", "Ask"),
        ("DROP INDEX CONCURRENTLY s.i", "Index s.i concurrently"),
        ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", "Partition t/p concurrently"),
        ("ALTER TABLE s.t DETACH PARTITION s.p CONCURRENTLY", "Partition s.t/p concurrently"),
        ("ALTER TABLE t DETACH PARTITION s.p CONCURRENTLY", "Ask"),
        ("REINDEX INDEX CONCURRENTLY i", "Repeat"),
        ("VACUUM t", "Repeat"),
        ("SELECT f()", "Ask"),
    ];
    for (sql, expected) in postgres {
        assert_eq!(shown(Dialect::Postgres, sql), expected, "{sql}");
    }
    assert_eq!(shown(Dialect::Sqlite, "WITH n AS (SELECT 1) INSERT INTO a SELECT * FROM n"), "Ask");
    assert_eq!(shown(Dialect::Sqlite, "WITH n AS (SELECT 1) SELECT * FROM n"), "Repeat");
    assert_eq!(shown(Dialect::Sqlite, "VACUUM"), "Repeat");
    assert_eq!(shown(Dialect::Sqlite, "PRAGMA journal_mode = WAL"), "Repeat");
}

#[test]
fn only_some_statements_can_fail_in_part() {
    let found = |dialect, sql| may_fail_in_part(&cut(sql, ";", Syntax::of(dialect)).unwrap()[0]);
    for sql in ["CALL p()", "DROP TABLE a, b", "BEGIN NOT ATOMIC SELECT 1; END"] {
        assert!(found(Dialect::MySql, sql), "{sql}");
    }
    for sql in ["CREATE TABLE a (x INT, y INT)", "DROP TABLE a", "INSERT INTO a VALUES (1, 2)"] {
        assert!(!found(Dialect::MySql, sql), "{sql}");
    }
    for sql in ["REINDEX TABLE CONCURRENTLY a", "CREATE INDEX CONCURRENTLY ON a (x)", "CALL p()"] {
        assert!(found(Dialect::Postgres, sql), "{sql}");
    }
    assert!(!found(Dialect::Postgres, "REFRESH MATERIALIZED VIEW CONCURRENTLY m"));
    assert!(found(Dialect::Postgres, "DO $$ BEGIN COMMIT; END $$"));
    assert!(!found(Dialect::Postgres, "DO $$ BEGIN PERFORM 1; END $$"));
}
