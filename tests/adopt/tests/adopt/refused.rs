use jetbase::{DatabaseUrl, OldTool};
use jetbase_adopt_tests::from_sqlx;
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};

use crate::tools::{COUNT, flyway_table, migrate, old_rows, run};

pub(crate) fn register(suite: &mut Suite) {
    let (all, nothing) = (DatabaseKind::ALL, Needs::NOTHING);
    suite.each("a_history_that_differs_is_refused", all, nothing, differs);
    suite.each("two_tables_of_two_tools_are_refused", all, nothing, two_tools);
    suite.each("a_table_with_another_name_is_refused", all, nothing, other_name);
    let postgres = &[DatabaseKind::Postgres];
    suite.each("a_table_in_another_schema_is_refused", postgres, nothing, other_schema);
    suite.each("a_table_that_could_run_code_is_refused", postgres, nothing, other_owner);
}

/// Runs, and returns the error. Nothing may be written.
async fn refusal(ctx: &TestContext) -> Result<String, jetbase_test_harness::TestError> {
    let before = old_rows(OldTool::Sqlx, &ctx.db).await.unwrap_or_default();
    let error = match run(OldTool::Sqlx, &ctx.db).await {
        Ok(report) => return Err(format!("it was not refused: {report}").into()),
        Err(error) => error,
    };
    assert!(ctx.db.rows("SELECT * FROM jetbase_migrations").await.is_err(), "{error}");
    assert_eq!(old_rows(OldTool::Sqlx, &ctx.db).await.unwrap_or_default(), before);
    assert!(matches!(error.kind(), jetbase::ErrorKind::Adoption(_)), "{error}");
    Ok(error.to_string())
}

async fn differs(ctx: TestContext) -> TestResult {
    migrate(OldTool::Sqlx, &ctx.db, 3).await?;
    let table = "_sqlx_migrations";
    // The old file was edited.
    let sum = format!(
        "UPDATE {table} SET checksum = {} WHERE version = 20240101120000",
        match ctx.kind {
            DatabaseKind::Postgres => "'\\x00'::bytea",
            _ => "x'00'",
        }
    );
    ctx.db.execute(&sum).await?;
    // A migration has failed, and another one is not in the folder.
    ctx.db
        .execute(&format!("UPDATE {table} SET success = false WHERE version = 20240301120000"))
        .await?;
    let ahead = format!(
        "INSERT INTO {table} SELECT 20250101120000, description, installed_on, true, checksum, execution_time FROM {table} \
         WHERE version = 20240101120000"
    );
    ctx.db.execute(&ahead).await?;
    let text = refusal(&ctx).await?;
    let expected = [
        "the history of sqlx cannot be adopted, and nothing was written:",
        "sqlx has not finished the migration 20240301120000: look which of its statements have taken effect",
        "then run UPDATE _sqlx_migrations SET success = true WHERE version = 20240301120000, or delete the row",
        "20240101120000: the old file of V20240101120000__create_users.sql was edited after it was applied",
        "20250101120000: _sqlx_migrations has this migration, and the map has no line for it: the database is ahead",
    ];
    for part in expected {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    // The cure that the error names, and the text that sqlx had applied.
    ctx.db
        .execute(&format!(
            "DELETE FROM {table} WHERE version IN (20240101120000, 20240301120000, 20250101120000)"
        ))
        .await?;
    let text = refusal(&ctx).await?;
    let hole = "V20240101120000__create_users.sql: _sqlx_migrations does not have it, although version 20240201120000 is \
                applied";
    assert!(text.contains(hole), "{text}");
    Ok(())
}

async fn two_tools(ctx: TestContext) -> TestResult {
    migrate(OldTool::Sqlx, &ctx.db, 2).await?;
    flyway_table(&ctx.db, &[]).await?;
    let text = refusal(&ctx).await?;
    assert!(
        text.contains(
            "the table _sqlx_migrations of sqlx and the table flyway_schema_history of Flyway"
        ),
        "{text}"
    );
    ctx.db.execute("ALTER TABLE flyway_schema_history RENAME TO flyway_before").await?;
    assert_eq!(run(OldTool::Sqlx, &ctx.db).await?.adopted.len(), 2);
    Ok(())
}

async fn other_name(ctx: TestContext) -> TestResult {
    migrate(OldTool::Sqlx, &ctx.db, COUNT).await?;
    ctx.db.execute("ALTER TABLE _sqlx_migrations RENAME TO app_migrations").await?;
    let text = refusal(&ctx).await?;
    let cure = "CREATE TABLE _sqlx_migrations AS SELECT * FROM app_migrations";
    assert!(text.contains(cure), "{text}");
    ctx.db.execute(cure).await?;
    assert_eq!(run(OldTool::Sqlx, &ctx.db).await?.adopted.len(), COUNT);
    Ok(())
}

async fn other_schema(ctx: TestContext) -> TestResult {
    migrate(OldTool::Sqlx, &ctx.db, COUNT).await?;
    ctx.db.execute("CREATE SCHEMA app; ALTER TABLE _sqlx_migrations SET SCHEMA app").await?;
    let text = refusal(&ctx).await?;
    assert!(text.contains("is in the schema `app`, but this run works in `public`"), "{text}");
    // An empty table does not change that. sqlx leaves one if a migration sets the search path.
    ctx.db.execute("CREATE TABLE _sqlx_migrations (LIKE app._sqlx_migrations)").await?;
    assert_eq!(refusal(&ctx).await?, text);
    // The schema of a new tenant has no tables yet, so the tables of the others do not concern it.
    ctx.db.execute("CREATE SCHEMA tenant").await?;
    let report = from_sqlx::run(DatabaseUrl(&ctx.db.url)).schema("tenant").await?;
    assert_eq!((report.adopted.len(), report.applied.len()), (0, COUNT), "{report}");
    Ok(())
}

/// A role that may create objects cannot run code as the administrator who adopts.
async fn other_owner(ctx: TestContext) -> TestResult {
    let role = format!("mallory_{}", ctx.db.name);
    ctx.db.admin(&format!("CREATE ROLE {role}")).await?;
    migrate(OldTool::Sqlx, &ctx.db, 2).await?;
    let plant = format!(
        "CREATE FUNCTION f() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN CREATE TABLE pwned (id int); RETURN true; END'; \
         ALTER TABLE _sqlx_migrations OWNER TO {role}; ALTER TABLE _sqlx_migrations ENABLE ROW LEVEL SECURITY; \
         ALTER TABLE _sqlx_migrations FORCE ROW LEVEL SECURITY; CREATE POLICY p ON _sqlx_migrations USING (f())"
    );
    ctx.db.execute(&plant).await?;
    let error = run(OldTool::Sqlx, &ctx.db).await.unwrap_err().to_string();
    assert!(
        error.contains("_sqlx_migrations belongs to") && error.contains("row-level security"),
        "{error}"
    );
    assert!(ctx.db.rows("SELECT * FROM pwned").await.is_err());
    assert!(ctx.db.rows("SELECT * FROM jetbase_migrations").await.is_err());
    ctx.db.execute("DROP TABLE _sqlx_migrations").await?;
    ctx.db.admin(&format!("DROP ROLE {role}")).await?;
    Ok(())
}
