//! Which references between tables of SQLite a run checks: those of the tables that a file can change.

use jetbase::{Error, ErrorKind, Kept, Report};
use jetbase_test_harness::{Database, DatabaseKind, Needs, Suite, TestContext, TestResult};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor};

use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let (sqlite, nothing) = (&[DatabaseKind::Sqlite], Needs::NOTHING);
    suite.each(
        "a_file_that_names_no_table_of_a_reference_does_not_read_it",
        sqlite,
        nothing,
        skips,
    );
    suite.each("a_file_that_names_a_table_of_a_reference_reads_it", sqlite, nothing, reads);
    suite.each("a_file_cannot_leave_rows_without_parents_by_other_ways", sqlite, nothing, refuses);
    suite.each("a_file_with_unusual_names_is_checked", sqlite, nothing, unusual_names);
    suite.each("rows_without_parents_in_other_tables_do_not_count", sqlite, nothing, old_rows);
    suite.each(
        "a_refused_file_outside_a_transaction_stays_refused",
        sqlite,
        nothing,
        stays_refused,
    );
    suite.each("objects_of_a_caller_are_checked", sqlite, nothing, of_caller);
}

/// The column that the child refers to has no unique index. So each check of the child fails, and
/// shows that the child was read.
const MISMATCH: &str = "PRAGMA foreign_keys = OFF;
CREATE TABLE parent (id INTEGER, code TEXT);
CREATE TABLE child (code TEXT REFERENCES parent (code));
INSERT INTO child VALUES ('x');
CREATE TABLE other (id INTEGER);
CREATE TABLE log (id INTEGER);
CREATE TRIGGER logs AFTER INSERT ON log BEGIN INSERT INTO Child VALUES ('y'); END;
CREATE TABLE chained (id INTEGER);
CREATE TRIGGER chains AFTER UPDATE ON chained BEGIN INSERT INTO log VALUES (1); END;
CREATE VIEW shown AS SELECT 1 AS code;
CREATE TRIGGER shows INSTEAD OF INSERT ON shown BEGIN DELETE FROM \"child\"; END;
CREATE VIEW of_view AS SELECT code FROM shown;
CREATE TRIGGER of_views INSTEAD OF DELETE ON of_view BEGIN INSERT INTO shown VALUES ('a'); END";

async fn upgrade(db: &Database, files: &[(&str, &str)]) -> Result<Report, Error> {
    jetbase::run_url(&set(files), &db.url).await
}

async fn skips(ctx: TestContext) -> TestResult {
    for text in [
        "INSERT INTO other VALUES (1);",
        "CREATE TABLE made (id INTEGER); INSERT INTO made VALUES (1);",
        "ALTER TABLE other RENAME TO renamed; INSERT INTO renamed VALUES (1);",
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER REFERENCES p (id));
         INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);",
        "CREATE TRIGGER t AFTER INSERT ON other BEGIN UPDATE other SET id = 2; END; INSERT INTO other VALUES (1);",
        // Neither is one of the words.
        "CREATE TABLE children (id INTEGER); CREATE TABLE child_2 (parents INTEGER);",
        "-- jetbase: transaction=off\nINSERT INTO other VALUES (1); INSERT INTO other VALUES (2);",
    ] {
        let db = &ctx.another().await?;
        db.execute(MISMATCH).await?;
        let report = upgrade(db, &[("V1__a.sql", text)]).await;
        assert_eq!(report.map_err(|error| format!("{text}: {error:#}"))?.applied.len(), 1);
    }
    Ok(())
}

async fn reads(ctx: TestContext) -> TestResult {
    for text in [
        "INSERT INTO child VALUES ('z');",
        "INSERT INTO parent VALUES (1, 'x');",
        "DELETE FROM \"CHILD\";",
        "DELETE FROM [child];",
        "DELETE FROM `Child`;",
        "DELETE FROM main.child;",
        "UPDATE 'child' SET code = 'z';",
        "INSERT INTO log VALUES (1);",
        "INSERT INTO log SELECT 1 WHERE 0;",
        "UPDATE chained SET id = 1;",
        "INSERT INTO shown VALUES ('a');",
        "DELETE FROM of_view;",
        "ALTER TABLE child RENAME TO kid;",
        "ALTER TABLE parent RENAME TO father;",
        "ALTER TABLE log RENAME TO diary; INSERT INTO diary VALUES (1);",
        "CREATE TRIGGER t AFTER INSERT ON other BEGIN DELETE FROM child; END; INSERT INTO other VALUES (1);",
        "CREATE TEMP TRIGGER t AFTER INSERT ON other BEGIN DELETE FROM child; END; INSERT INTO other VALUES (1);",
        "CREATE TABLE late (code TEXT REFERENCES parent (code)); INSERT INTO late VALUES ('x');",
        "-- jetbase: transaction=off\nINSERT INTO other VALUES (1); INSERT INTO child VALUES ('z');",
    ] {
        let db = &ctx.another().await?;
        db.execute(MISMATCH).await?;
        let error = upgrade(db, &[("V1__a.sql", text)]).await;
        let error =
            error.err().ok_or_else(|| format!("{text}: the references were not checked"))?;
        let shown = format!("{error:#}");
        assert!(shown.contains("foreign key mismatch"), "{text}: {shown}");
        assert!(shown.starts_with("V1__a.sql"), "{text}: {shown}");
        assert_eq!(
            db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(),
            Some("0")
        );
        // The index that the reference needs makes it valid.
        if text.starts_with("INSERT INTO parent") {
            let corrected = format!("{text} CREATE UNIQUE INDEX u ON parent (code);");
            upgrade(db, &[("V1__a.sql", &corrected)]).await?;
        }
    }
    Ok(())
}

const FAMILY: &str = "CREATE TABLE parent (id INTEGER PRIMARY KEY);
CREATE TABLE child (id INTEGER REFERENCES parent (id) ON DELETE CASCADE);
INSERT INTO parent VALUES (1), (2);
INSERT INTO child VALUES (1), (2);
CREATE TABLE other (id INTEGER);
CREATE TABLE log (id INTEGER);
CREATE TRIGGER logs AFTER INSERT ON log BEGIN DELETE FROM parent WHERE id = new.id; END;
CREATE VIEW shown AS SELECT id FROM other;
CREATE TRIGGER shows INSTEAD OF INSERT ON shown BEGIN INSERT INTO log VALUES (new.id); END";

fn says_orphans(error: &Error, expected: &str) {
    let shown = format!("{error:#}");
    assert!(shown.contains(expected), "{shown}");
    assert!(
        matches!(error.kind(), ErrorKind::Statement(failed) if failed.kept == Kept::Nothing),
        "{shown}"
    );
}

async fn refuses(ctx: TestContext) -> TestResult {
    for (text, table) in [
        ("INSERT INTO log VALUES (2);", "child"),
        ("INSERT INTO shown VALUES (2);", "child"),
        ("ALTER TABLE child RENAME TO kid; INSERT INTO kid VALUES (7);", "kid"),
        ("ALTER TABLE parent RENAME TO father; DELETE FROM father WHERE id = 2;", "child"),
        ("ALTER TABLE log RENAME TO diary; INSERT INTO diary VALUES (2);", "child"),
        ("CREATE TABLE late (id INTEGER REFERENCES parent); INSERT INTO late VALUES (7);", "late"),
        ("CREATE TABLE late (id INTEGER REFERENCES nowhere); INSERT INTO late VALUES (7);", "late"),
        (
            "CREATE TABLE c2 AS SELECT * FROM child; DROP TABLE parent;
          CREATE TABLE parent (id INTEGER PRIMARY KEY); INSERT INTO parent VALUES (1);",
            "child",
        ),
        (
            "CREATE TRIGGER t AFTER INSERT ON other BEGIN INSERT INTO shown VALUES (new.id); END;
          INSERT INTO other VALUES (2);",
            "child",
        ),
        (
            "CREATE VIEW v AS SELECT 1 AS id; CREATE TRIGGER t INSTEAD OF UPDATE ON v BEGIN
          INSERT INTO log VALUES (2); END; UPDATE v SET id = 2;",
            "child",
        ),
    ] {
        let db = &ctx.another().await?;
        db.execute(FAMILY).await?;
        let error = upgrade(db, &[("V1__a.sql", text)]).await;
        let error = error.err().ok_or_else(|| format!("{text}: it was applied"))?;
        says_orphans(&error, &format!("a row without its parent: {table} row "));
        assert_eq!(db.value("SELECT count(*) FROM parent").await?.as_deref(), Some("2"));
    }
    Ok(())
}

async fn unusual_names(ctx: TestContext) -> TestResult {
    for (name, written) in [
        ("my child", vec!["\"my child\"", "[my child]", "`My Child`"]),
        ("größe", vec!["größe", "\"größe\"", "GRößE"]),
        ("日本", vec!["日本", "[日本]"]),
        ("it's", vec!["\"it's\"", "'it''s'"]),
        ("a\"b", vec!["\"a\"\"b\"", "[a\"b]"]),
        ("a`b", vec!["`a``b`", "\"A`b\""]),
        ("a$b", vec!["a$b", "A$B"]),
        ("a.b", vec!["\"a.b\"", "main.[a.b]"]),
        ("select", vec!["\"select\"", "[SELECT]"]),
    ] {
        for written in written {
            let db = &ctx.another().await?;
            let quoted = format!("\"{}\"", name.replace('"', "\"\""));
            db.execute(&format!(
                "CREATE TABLE parent (id INTEGER PRIMARY KEY); INSERT INTO parent VALUES (1);
                 CREATE TABLE {quoted} (id INTEGER REFERENCES parent (id))"
            ))
            .await?;
            let insert = |id: u8| format!("INSERT INTO {written} VALUES ({id});\n");
            let error = upgrade(db, &[("V1__a.sql", &insert(7))]).await;
            let error = error.err().ok_or_else(|| format!("{written}: it was applied"))?;
            says_orphans(&error, "it leaves a row without its parent");
            upgrade(db, &[("V1__a.sql", &insert(1))]).await?;
        }
    }
    Ok(())
}

async fn old_rows(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    db.execute(FAMILY).await?;
    db.execute(
        "PRAGMA foreign_keys = OFF; DELETE FROM parent WHERE id = 1;
         CREATE TABLE second (id INTEGER REFERENCES parent (id)); INSERT INTO second VALUES (8), (9)",
    )
    .await?;
    // Of the rows of `child` and `second`, three have no parents.
    let first = ("V1__a.sql", "INSERT INTO other VALUES (1);\n");
    upgrade(db, &[first]).await?;
    let removes = ("V2__a.sql", "DELETE FROM second WHERE id = 8;\n");
    upgrade(db, &[first, removes]).await?;
    let renames =
        ("V3__a.sql", "ALTER TABLE second RENAME TO third;\nINSERT INTO third VALUES (2);\n");
    upgrade(db, &[first, removes, renames]).await?;
    let wrong = ("V4__a.sql", "INSERT INTO third VALUES (10);\n");
    let error = upgrade(db, &[first, removes, renames, wrong]).await.expect_err("one more");
    says_orphans(&error, "without their parents");
    let parent = ("V4__a.sql", "INSERT INTO parent VALUES (1), (9);\n");
    upgrade(db, &[first, removes, renames, parent]).await?;
    assert!(db.rows("PRAGMA foreign_key_check").await?.is_empty());
    Ok(())
}

/// All statements are permanent, and only the check is missing.
async fn stays_refused(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    db.execute(FAMILY).await?;
    let text = "-- jetbase: transaction=off\nINSERT INTO other VALUES (1);\nINSERT INTO child VALUES (7);\n";
    for _ in 0..3 {
        let error = upgrade(db, &[("V1__a.sql", text)]).await.expect_err("7 has no parent");
        let shown = format!("{error:#}");
        assert!(
            shown.contains("it leaves a row without its parent: child row 3 → parent"),
            "{shown}"
        );
        assert!(shown.contains("its first 2 statements are permanent"), "{shown}");
        assert_eq!(db.value("SELECT count(*) FROM other").await?.as_deref(), Some("1"));
    }
    let corrected = format!("{text}DELETE FROM child WHERE id = 7;\n");
    upgrade(db, &[("V1__a.sql", &corrected)]).await?;
    assert!(db.rows("PRAGMA foreign_key_check").await?.is_empty());
    Ok(())
}

/// The connection of a caller has temporary objects whose triggers change the tables.
async fn of_caller(ctx: TestContext) -> TestResult {
    for objects in [
        "CREATE TEMP TRIGGER t AFTER INSERT ON other BEGIN DELETE FROM parent WHERE id = 2; END",
        "CREATE TEMP TABLE own (id INTEGER);
         CREATE TEMP TRIGGER t AFTER INSERT ON own BEGIN DELETE FROM parent WHERE id = 2; END",
        "CREATE TEMP VIEW own AS SELECT 1 AS id;
         CREATE TEMP TRIGGER t INSTEAD OF INSERT ON own BEGIN DELETE FROM parent WHERE id = 2; END",
    ] {
        let db = &ctx.another().await?;
        db.execute(FAMILY).await?;
        let mut connection = SqliteConnection::connect(&db.url).await?;
        connection.execute(objects).await?;
        let table = if objects.contains("own") { "own" } else { "other" };
        let text = format!("INSERT INTO {table} VALUES (1);\n");
        let result = jetbase::run(&set(&[("V1__a.sql", &text)]), &mut connection).await;
        let error = result.err().ok_or_else(|| format!("{objects}: it was applied"))?;
        says_orphans(&error, "a row without its parent: child row 2 → parent");
        connection.close().await?;
    }
    Ok(())
}
