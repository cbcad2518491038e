use std::time::Duration;

use jetbase::{AdoptionError, ErrorKind, OldTool, Wait};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestError, TestResult};
use sqlx::Connection as _;
use sqlx::migrate::Migrate;

use crate::tools::{COUNT, SQLX, VERSIONS, migrate, run, schema};

pub(crate) fn register(suite: &mut Suite) {
    let (all, nothing) = (DatabaseKind::ALL, Needs::NOTHING);
    let postgres = &[DatabaseKind::Postgres];
    suite.each("an_adoption_waits_for_the_lock_of_sqlx", postgres, nothing, waits);
    let mysql = &[DatabaseKind::Mysql];
    suite.each("an_adoption_waits_for_the_named_lock_of_sqlx", mysql, nothing, waits_for_name);
    suite.each("old_and_new_programs_start_at_the_same_time", all, nothing, storm);
    suite.each("many_new_programs_adopt_once", all, nothing, many);
    suite.each("a_migration_that_both_releases_have_is_executed_once", all, nothing, pending);
}

/// sqlx itself holds its lock, on a session of its own.
async fn waits(ctx: TestContext) -> TestResult {
    migrate(OldTool::Sqlx, &ctx.db, 2).await?;
    let mut connection = sqlx::PgConnection::connect(&ctx.db.url).await?;
    connection.lock().await?;
    let error = run(OldTool::Sqlx, &ctx.db).wait(Wait::UpTo(Duration::from_secs(2))).await;
    let error = error.unwrap_err();
    let busy = ErrorKind::Adoption(AdoptionError::Busy { tool: OldTool::Sqlx });
    assert_eq!(format!("{:?}", error.kind()), format!("{busy:?}"));
    assert_eq!(
        error.to_string(),
        "sqlx is migrating this database and has not finished within the wait; nothing was written; run again when it has \
         finished"
    );
    assert_eq!(
        ctx.db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(),
        Some("0")
    );
    let waiting = tokio::spawn(run(OldTool::Sqlx, &ctx.db).into_future());
    tokio::time::sleep(Duration::from_millis(300)).await;
    // While sqlx holds its lock, it applies one more migration. Its lock can be taken again.
    SQLX.run_to(VERSIONS[2], &mut connection).await?;
    connection.unlock().await?;
    let report = waiting.await??;
    assert_eq!((report.adopted.len(), report.applied.len()), (3, 1), "{report}");
    // Nothing of the lock of sqlx is left behind.
    connection.lock().await?;
    connection.close().await?;
    Ok(())
}

/// The lock of sqlx on MySQL. On MariaDB, sqlx believes that it has the lock, and does not (it asks for a
/// negative wait), so the test asks for the same name with a valid wait.
async fn waits_for_name(ctx: TestContext) -> TestResult {
    migrate(OldTool::Sqlx, &ctx.db, 2).await?;
    let mut connection = sqlx::MySqlConnection::connect(&ctx.db.url).await?;
    connection.lock().await?;
    if ctx.db.is_mariadb().await? {
        let sql = "SELECT GET_LOCK(lower(hex(CRC32(DATABASE()) * 1026731422)), 0)";
        sqlx::raw_sql(sql).execute(&mut connection).await?;
    }
    let error = run(OldTool::Sqlx, &ctx.db).wait(Wait::UpTo(Duration::from_secs(2))).await;
    let error = error.unwrap_err();
    assert!(error.to_string().starts_with("sqlx is migrating this database"), "{error}");
    connection.close().await?;
    assert_eq!(run(OldTool::Sqlx, &ctx.db).await?.adopted.len(), 2);
    let free =
        ctx.db.value("SELECT IS_FREE_LOCK(lower(hex(CRC32(DATABASE()) * 1026731422)))").await?;
    assert_eq!(free.as_deref(), Some("1"));
    Ok(())
}

/// Programs of the old and the new release start together. Each migration is executed once.
async fn storm(ctx: TestContext) -> TestResult {
    migrate(OldTool::Sqlx, &ctx.db, COUNT).await?;
    let before = schema(&ctx.db).await?;
    let mut tasks = tokio::task::JoinSet::<Result<(), TestError>>::new();
    for number in 0..16 {
        let db = ctx.db.clone();
        tasks.spawn(async move {
            if number % 2 == 0 {
                return migrate(OldTool::Sqlx, &db, COUNT).await;
            }
            Ok(run(OldTool::Sqlx, &db).await.map(drop)?)
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    assert_eq!(schema(&ctx.db).await?, before);
    let count = ctx.db.value("SELECT count(*) FROM jetbase_migrations").await?;
    assert_eq!(count.as_deref(), Some("4"));
    Ok(())
}

async fn many(ctx: TestContext) -> TestResult {
    migrate(OldTool::Sqlx, &ctx.db, 3).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..12 {
        tasks.spawn(run(OldTool::Sqlx, &ctx.db).into_future());
    }
    let (mut adopted, mut applied) = (0, 0);
    while let Some(done) = tasks.join_next().await {
        let report = done??;
        adopted += report.adopted.len();
        applied += report.applied.len();
    }
    assert_eq!((adopted, applied), (3, 1));
    Ok(())
}

/// One migration is pending for the old release and for the new one. Whoever comes first executes it. The
/// other one may fail at its start, but it executes nothing twice.
async fn pending(ctx: TestContext) -> TestResult {
    migrate(OldTool::Sqlx, &ctx.db, 3).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let db = ctx.db.clone();
        tasks.spawn(async move {
            let result: Result<(), TestError> = match number % 2 {
                0 => migrate(OldTool::Sqlx, &db, COUNT).await,
                _ => run(OldTool::Sqlx, &db).await.map(drop).map_err(Into::into),
            };
            (number % 2, result.map_err(|error| error.to_string()))
        });
    }
    let mut failures = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (release, result) = done?;
        failures.extend(result.err().map(|error| (release, error)));
    }
    // The last migration inserts rows with fixed keys.
    for table in ["users", "posts"] {
        let count = ctx.db.value(&format!("SELECT count(*) FROM {table}")).await?;
        assert_eq!(count.as_deref(), Some("1"), "{failures:?}");
    }
    // A program of the new release that lost the race succeeds at its next start: it adopts that row too.
    run(OldTool::Sqlx, &ctx.db).await.map_err(|error| format!("{error}\n{failures:?}"))?;
    let both = ctx.db.value("SELECT count(*) FROM jetbase_migrations").await?;
    assert_eq!(both.as_deref(), Some("4"), "{failures:?}");
    assert!(run(OldTool::Sqlx, &ctx.db).await?.is_up_to_date());
    Ok(())
}
