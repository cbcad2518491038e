//! The foreign keys of SQLite while a file rebuilds a table.

use jetbase::{DatabaseUrl, ErrorKind, Kept, Migrations};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqlitePoolOptions};

use crate::apply::set;

pub(super) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    let sqlite = &[DatabaseKind::Sqlite][..];
    suite.each("a_rebuilt_table_keeps_the_rows_that_refer_to_it", sqlite, nothing, rebuild);
    suite.each(
        "a_run_rolls_back_a_file_that_leaves_rows_without_parents",
        sqlite,
        nothing,
        new_orphans,
    );
    suite.each("a_run_accepts_rows_that_had_no_parents_before", sqlite, nothing, old_orphans);
    suite.each("a_run_works_on_a_database_in_memory", sqlite, nothing, memory);
}

const FAMILY: (&str, &str) = (
    "V1__family.sql",
    "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);\n\
     CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parent (id) ON DELETE CASCADE);\n\
     INSERT INTO parent (id, name) VALUES (1, 'one'), (2, 'two');\n\
     INSERT INTO child (id, parent) VALUES (10, 1), (20, 2), (21, 2);\n",
);

const REBUILD: (&str, &str) = (
    "V2__rebuild.sql",
    "CREATE TABLE parent_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER);\n\
     INSERT INTO parent_new (id, name) SELECT id, name FROM parent;\n\
     DROP TABLE parent;\nALTER TABLE parent_new RENAME TO parent;\n",
);

async fn rebuild(ctx: TestContext) -> TestResult {
    let set = set(&[FAMILY, REBUILD]);
    let count = "SELECT count(*) FROM child JOIN parent ON parent.id = child.parent";
    // sqlx enables foreign keys. They are enabled again after the run.
    let pool = SqlitePool::connect(&ctx.db.url).await?;
    assert_eq!(jetbase::run(&set, &pool).await?.applied.len(), 2);
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&pool).await?, 3);
    assert!(
        sqlx::query("INSERT INTO child (id, parent) VALUES (30, 99)").execute(&pool).await.is_err()
    );
    sqlx::query("DELETE FROM parent WHERE id = 2").execute(&pool).await?;
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&pool).await?, 1);
    pool.close().await;

    let other = ctx.another().await?;
    let mut connection = SqliteConnection::connect(&other.url).await?;
    jetbase::run(&set, &mut connection).await?;
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut connection).await?, 3);
    assert!(
        sqlx::query("INSERT INTO child (id, parent) VALUES (30, 99)")
            .execute(&mut connection)
            .await
            .is_err()
    );

    let other = ctx.another().await?;
    jetbase::run(&set, DatabaseUrl(&other.url)).await?;
    assert_eq!(other.value(count).await?.as_deref(), Some("3"));
    Ok(())
}

async fn new_orphans(ctx: TestContext) -> TestResult {
    let bad =
        ("V2__bad.sql", "INSERT INTO parent (id) VALUES (3);\nDELETE FROM parent WHERE id = 2;\n");
    let pool = SqlitePool::connect(&ctx.db.url).await?;
    let error =
        jetbase::run(&set(&[FAMILY, bad]), &pool).await.expect_err("two rows lose their parent");
    let text = format!("{error:#}");
    assert!(text.starts_with("V2__bad.sql"), "{text}");
    assert!(
        text.contains(
            "it leaves 2 rows without their parents: child row 20 → parent, child row 21 → parent"
        ),
        "{text}"
    );
    assert!(!text.contains("commit failed"), "{text}");
    assert!(
        matches!(error.kind(), ErrorKind::Statement(failed) if failed.kept == Kept::Nothing),
        "{text}"
    );
    assert_eq!(error.report().applied.len(), 1);
    let parents: Vec<i64> =
        sqlx::query_scalar("SELECT id FROM parent ORDER BY id").fetch_all(&pool).await?;
    assert_eq!(parents, [1, 2]);
    assert_eq!(sqlx::query_scalar::<_, i64>("PRAGMA foreign_keys").fetch_one(&pool).await?, 1);
    let good =
        ("V2__bad.sql", "DELETE FROM child WHERE parent = 2;\nDELETE FROM parent WHERE id = 2;\n");
    assert_eq!(jetbase::run(&set(&[FAMILY, good]), &pool).await?.applied.len(), 1);
    Ok(())
}

async fn old_orphans(ctx: TestContext) -> TestResult {
    jetbase::run(&set(&[FAMILY]), DatabaseUrl(&ctx.db.url)).await?;
    ctx.db.execute("PRAGMA foreign_keys = OFF; DELETE FROM parent WHERE id = 1").await?;
    let harmless = ("V2__harmless.sql", "INSERT INTO parent (id) VALUES (7);\n");
    assert_eq!(
        jetbase::run(&set(&[FAMILY, harmless]), DatabaseUrl(&ctx.db.url)).await?.applied.len(),
        1
    );
    let bad = ("V3__bad.sql", "DELETE FROM parent WHERE id = 2;\n");
    let error = jetbase::run(&set(&[FAMILY, harmless, bad]), DatabaseUrl(&ctx.db.url))
        .await
        .expect_err("two more");
    assert!(format!("{error:#}").contains("without their parents"), "{error:#}");
    Ok(())
}

async fn memory(_ctx: TestContext) -> TestResult {
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    let first: Migrations = set(&[FAMILY]);
    assert_eq!(jetbase::run(&first, &pool).await?.applied.len(), 1);
    assert_eq!(jetbase::run(&set(&[FAMILY, REBUILD]), &pool).await?.applied.len(), 1);
    assert!(jetbase::run(&set(&[FAMILY, REBUILD]), &pool).await?.is_up_to_date());
    assert_eq!(
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM child").fetch_one(&pool).await?,
        3
    );
    assert_eq!(sqlx::query_scalar::<_, i64>("PRAGMA foreign_keys").fetch_one(&pool).await?, 1);
    assert_eq!(jetbase::status(&first, &pool).await?.applied.len(), 2);
    assert_eq!(jetbase::lock_status(&first, &pool).await?.to_string(), "Status: UNLOCKED");
    Ok(())
}
