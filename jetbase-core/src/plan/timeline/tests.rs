use super::*;
use crate::sql::{ObjectKind, Syntax, catalog_changes, cut};

/// Compares files with a catalog, which contains what the names say: `t`, `t.column`.
fn compared(dialect: Dialect, files: &[&str], catalog: &[&str]) -> Vec<DetectedFile> {
    let mut timeline = CatalogTimeline::new(dialect, "public");
    for file in files {
        let statements = cut(file, ";", Syntax::of(dialect)).unwrap();
        timeline.add(statements.iter().flat_map(catalog_changes));
    }
    let name = |object: &CatalogObject| {
        let table = match object.kind {
            ObjectKind::Column | ObjectKind::Constraint | ObjectKind::Trigger => &object.table,
            _ => &None,
        };
        let schema = object.schema.as_ref().filter(|it| *it != "public");
        let parts: Vec<_> =
            schema.into_iter().chain(table).chain([&object.name]).cloned().collect();
        parts.join(".")
    };
    let found: Vec<_> =
        timeline.objects().map(|object| catalog.contains(&name(object).as_str())).collect();
    timeline.compare(&found)
}

fn states(files: &[&str], catalog: &[&str]) -> String {
    let found = compared(Dialect::Postgres, files, catalog);
    let letters = found.iter().map(|it| match it.state {
        DetectedState::AlreadyThere => 't',
        DetectedState::ToApply => 'a',
        DetectedState::Conflict => 'c',
        DetectedState::Unknown => 'u',
    });
    letters.collect()
}

#[test]
fn each_file_is_compared_with_the_catalog() {
    let files = [
        "CREATE TABLE t (id INT); CREATE INDEX i ON t (id);",
        "INSERT INTO t VALUES (1);",
        "ALTER TABLE public.t ADD COLUMN a INT, ADD CONSTRAINT c CHECK (a > 0);",
        "CREATE VIEW v AS SELECT 1; CREATE TABLE s.t (id INT);",
    ];
    assert_eq!(states(&files, &[]), "auaa");
    assert_eq!(states(&files, &["t", "i"]), "tuaa");
    assert_eq!(states(&files, &["t"]), "cuaa");
    assert_eq!(states(&files, &["t", "i", "t.a", "t.c"]), "tuta");
    assert_eq!(states(&files, &["t", "i", "t.a", "t.c", "v", "s.t"]), "tutt");
    assert_eq!(states(&files, &["t", "i", "t.a"]), "tuca");
    let found = compared(Dialect::Postgres, &files, &["t", "i", "t.a", "v"]);
    assert_eq!(found[2].done, ["column t.a exists"]);
    assert_eq!(found[2].missing, ["constraint t.c is missing"]);
    assert_eq!(found[3].missing, ["table or view s.t is missing"]);
}

#[test]
fn what_a_later_file_drops_is_no_proof() {
    let files = [
        "CREATE TABLE t (id INT);",
        "CREATE TABLE u (id INT);",
        "DROP TABLE t;",
        "CREATE TABLE w (id INT);",
    ];
    assert_eq!(states(&files, &[]), "aaaa");
    assert_eq!(states(&files, &["t"]), "taaa");
    assert_eq!(states(&files, &["t", "u"]), "ttaa");
    assert_eq!(states(&files, &["u"]), "ttta");
    assert_eq!(states(&files, &["u", "w"]), "tttt");
    // With nothing else, an empty database looks the same before and after.
    let files = ["CREATE TABLE t (id INT);", "DROP TABLE t;"];
    assert_eq!(states(&files, &[]), "uu");
    assert_eq!(states(&files, &["t"]), "ta");
    // The file between them is in conflict, so it decides nothing.
    let files = [
        "CREATE TABLE t (id INT);",
        "CREATE TABLE a (x INT); CREATE TABLE b (x INT);",
        "DROP TABLE t;",
    ];
    assert_eq!(states(&files, &["a"]), "ucu");
}

#[test]
fn a_dropped_object_counts_as_there_when_it_is_gone() {
    assert_eq!(states(&["DROP TABLE old;"], &[]), "t");
    assert_eq!(states(&["DROP TABLE old;"], &["old"]), "a");
    assert_eq!(states(&["DROP TABLE IF EXISTS old;"], &[]), "u");
    assert_eq!(states(&["DROP TABLE IF EXISTS old;"], &["old"]), "a");
    // A column of the table's own definition has come with the table.
    let files = ["CREATE TABLE t (id INT, a INT);", "ALTER TABLE t DROP COLUMN a;"];
    assert_eq!(states(&files, &[]), "aa");
    assert_eq!(states(&files, &["t", "t.a"]), "ta");
    assert_eq!(states(&files, &["t"]), "tt");
    let files =
        ["CREATE FUNCTION f(a INT) RETURNS INT AS 'x' LANGUAGE sql;", "DROP FUNCTION f(INT);"];
    assert_eq!(states(&files, &["f"]), "tu");
}

#[test]
fn names_move_with_their_table() {
    let files = [
        "CREATE TABLE a (id INT);",
        "ALTER TABLE a ADD COLUMN x INT;",
        "ALTER TABLE a RENAME TO b;",
        "ALTER TABLE b RENAME COLUMN x TO y;",
    ];
    assert_eq!(states(&files, &[]), "aaaa");
    assert_eq!(states(&files, &["a"]), "taaa");
    assert_eq!(states(&files, &["a", "a.x"]), "ttaa");
    assert_eq!(states(&files, &["b", "b.x"]), "ttta");
    assert_eq!(states(&files, &["b", "b.y"]), "tttt");
    // A table that is built anew under its name: nothing shows that.
    let rebuilt = "CREATE TABLE new (id INT, x INT); DROP TABLE a; ALTER TABLE new RENAME TO a;";
    let files = ["CREATE TABLE a (id INT);", "ALTER TABLE a ADD COLUMN x INT;", rebuilt];
    assert_eq!(states(&files, &["a", "a.x"]), "ttu");
}

#[test]
fn a_name_without_a_schema_is_in_the_schema_of_the_file() {
    let files = [
        "CREATE SCHEMA s; SET search_path TO s; CREATE TABLE t (id INT);",
        "CREATE TABLE u (id INT);",
    ];
    assert_eq!(states(&files, &["s", "s.t"]), "ta");
    let found =
        compared(Dialect::Sqlite, &["CREATE TABLE \"T\" (id INT);", "DROP TABLE t;"], &["T"]);
    assert_eq!(found[1].state, DetectedState::ToApply);
    assert_eq!(found[1].missing, ["table or view T still exists"]);
}

#[test]
fn a_baseline_ends_before_the_first_file_that_is_not_there() {
    use DetectedState::{AlreadyThere, Conflict, ToApply, Unknown};
    for (states, last) in [
        (&[][..], None),
        (&[Unknown][..], None),
        (&[AlreadyThere, Unknown, AlreadyThere, Unknown, ToApply], Some(2)),
        (&[AlreadyThere, Conflict, AlreadyThere], Some(0)),
        (&[ToApply, AlreadyThere], None),
    ] {
        assert_eq!(detected_prefix(states.iter().copied()), last, "{states:?}");
    }
}
