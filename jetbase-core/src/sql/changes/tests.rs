use super::*;
use crate::sql::dialect::Syntax;
use crate::sql::statements::cut;

fn named(it: &CatalogObject) -> String {
    let parts = [it.schema.as_deref(), it.table.as_deref(), Some(it.name.as_str())];
    let path: Vec<_> = parts.into_iter().flatten().collect();
    format!("{:?} {}", it.kind, path.join("."))
}

fn changes(dialect: Dialect, sql: &str) -> String {
    let shown = |it: &CatalogChange| match it {
        CatalogChange::Create(object) => format!("+{}", named(object)),
        CatalogChange::Drop { object, if_exists: false } => format!("-{}", named(object)),
        CatalogChange::Drop { object, if_exists: true } => format!("?{}", named(object)),
        CatalogChange::Rename { from, to } => format!("{} -> {}", named(from), named(to)),
        CatalogChange::UseSchema(schema) => format!("use {schema}"),
    };
    let statements = cut(sql, ";", Syntax::of(dialect)).unwrap();
    let all = statements.iter().flat_map(catalog_changes);
    all.map(|it| shown(&it)).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_changes_of_the_catalog_are_read() {
    for (sql, expected) in [
        ("CREATE TABLE IF NOT EXISTS a (id INT, CONSTRAINT c CHECK (id > 0))", "+Table a"),
        ("CREATE TEMP TABLE a (id INT)", ""),
        ("CREATE OR REPLACE VIEW s.v AS SELECT 1", "+Table s.v"),
        ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY s.\"T\" (a)", "+Index s.T.i"),
        ("CREATE INDEX ON t (a)", ""),
        (
            "ALTER TABLE t ADD COLUMN a numeric(3, 2) DEFAULT f(1, 2), ADD b INT, DROP c",
            "+Column t.a, +Column t.b, -Column t.c",
        ),
        (
            "ALTER TABLE IF EXISTS ONLY t ADD COLUMN IF NOT EXISTS a INT, DROP COLUMN IF EXISTS b",
            "+Column t.a, ?Column t.b",
        ),
        (
            "ALTER TABLE t ADD CONSTRAINT c UNIQUE (a), DROP CONSTRAINT d, ADD UNIQUE (b), ADD PRIMARY KEY (a)",
            "+Constraint t.c, -Constraint t.d",
        ),
        ("ALTER TABLE s.t RENAME a TO b", "Column s.t.a -> Column s.t.b"),
        ("ALTER TABLE t RENAME TO u", "Table t -> Table u"),
        ("ALTER TABLE t SET SCHEMA s", "Table t -> Table s.t"),
        ("ALTER TABLE t ALTER COLUMN a TYPE INT, VALIDATE CONSTRAINT c", ""),
        ("ALTER INDEX i RENAME TO j", "Index i -> Index j"),
        ("ALTER TYPE e RENAME VALUE 'a' TO 'b'", ""),
        ("CREATE TYPE e AS ENUM ('a'); CREATE DOMAIN s.d AS INT", "+Type e, +Type s.d"),
        ("CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\"", "+Extension uuid-ossp"),
        ("CREATE SCHEMA AUTHORIZATION r; CREATE SCHEMA s", "+Schema s"),
        ("CREATE FUNCTION f(a INT) RETURNS INT AS $$ SELECT 1 $$ LANGUAGE sql", "+Routine f"),
        ("DROP FUNCTION IF EXISTS f(INT, TEXT), g(INT)", "?Routine f, ?Routine g"),
        (
            "CREATE TRIGGER x BEFORE UPDATE OF a ON s.t FOR EACH ROW EXECUTE FUNCTION f()",
            "+Trigger s.t.x",
        ),
        ("DROP TRIGGER x ON s.t", "-Trigger s.t.x"),
        ("DROP TABLE a, s.b CASCADE", "-Table a, -Table s.b"),
        ("DROP MATERIALIZED VIEW m; DROP INDEX CONCURRENTLY i", "-Table m, -Index i"),
        ("SET LOCAL search_path TO 's', public; SET search_path = \"S\"", "use s, use S"),
        ("INSERT INTO a VALUES (1); DO $$ BEGIN CREATE TABLE b (id INT); END $$", ""),
    ] {
        assert_eq!(changes(Dialect::Postgres, sql), expected, "{sql}");
    }
    for (sql, expected) in [
        (
            "ALTER TABLE t ADD (a INT, b DECIMAL(3, 2)), ADD KEY k (a), ADD INDEX (b), DROP KEY l",
            "+Column t.a, +Column t.b, +Index t.k, -Index t.l",
        ),
        (
            "ALTER TABLE t ADD CONSTRAINT FOREIGN KEY (a) REFERENCES b (a), DROP FOREIGN KEY f",
            "-Constraint t.f",
        ),
        (
            "ALTER TABLE t CHANGE COLUMN a b INT, CHANGE c c TEXT, RENAME INDEX i TO j",
            "Column t.a -> Column t.b, Index t.i -> Index t.j",
        ),
        ("ALTER TABLE t RENAME u", "Table t -> Table u"),
        ("RENAME TABLE a TO b, `c` TO d.e", "Table a -> Table b, Table c -> Table d.e"),
        (
            "CREATE ALGORITHM = MERGE DEFINER = `a`@`%` SQL SECURITY DEFINER VIEW v AS SELECT 1",
            "+Table v",
        ),
        ("CREATE DATABASE d; USE d", "+Schema d, use d"),
        ("DROP INDEX i ON t", "-Index t.i"),
    ] {
        assert_eq!(changes(Dialect::MySql, sql), expected, "{sql}");
    }
    for (sql, expected) in [
        ("CREATE VIRTUAL TABLE f USING fts5(a)", "+Table f"),
        ("CREATE INDEX main.i ON t (a)", "+Index main.t.i"),
        ("ALTER TABLE t ADD \"a b\" INT", "+Column t.a b"),
    ] {
        assert_eq!(changes(Dialect::Sqlite, sql), expected, "{sql}");
    }
}
