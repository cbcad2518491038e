use std::time::Duration;

use jetbase::{DatabaseUrl, Event, OldTool, Options};
use jetbase_adopt_tests::{from_flyway, from_sea_orm, from_sqlx};
use jetbase_core::{Rules, check_folder};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};

use crate::tools::{COUNT, flyway_table, migrate, old_rows, project, run, schema};

pub(crate) fn register(suite: &mut Suite) {
    let (all, nothing) = (DatabaseKind::ALL, Needs::NOTHING);
    suite.each("jetbase_goes_on_where_sqlx_has_stopped", all, nothing, |ctx| {
        goes_on(ctx, OldTool::Sqlx)
    });
    suite.each("jetbase_goes_on_where_refinery_has_stopped", all, nothing, |ctx| {
        goes_on(ctx, OldTool::Refinery)
    });
    suite.each("jetbase_goes_on_where_diesel_has_stopped", all, nothing, |ctx| {
        goes_on(ctx, OldTool::Diesel)
    });
    suite.each("jetbase_adopts_a_table_as_flyway_writes_it", all, nothing, flyway);
    suite.each("jetbase_adopts_a_table_as_sea_orm_writes_it", all, nothing, sea_orm);
    suite.each("the_times_of_the_old_tool_are_kept_in_order", all, nothing, times);
    suite.each("a_database_without_a_table_of_sqlx_is_new", all, nothing, new_database);
    suite.each("a_dry_run_plans_as_if_the_history_were_adopted", all, nothing, dry_run);
    suite.each("a_rolled_back_history_is_not_adopted_again", all, nothing, rolled_back);
    suite.each("what_sqlx_applies_later_is_adopted_too", all, nothing, later);
    suite.each("an_object_that_exists_already_leads_to_adopt", all, nothing, hint);
}

/// Their tool applies a part, ours the rest. The schema is the same as theirs alone would make.
async fn goes_on(ctx: TestContext, tool: OldTool) -> TestResult {
    let theirs = ctx.another().await?;
    migrate(tool, &theirs, COUNT).await?;
    migrate(tool, &ctx.db, 2).await?;
    let before = old_rows(tool, &ctx.db).await?;

    let report = run(tool, &ctx.db).await?;
    assert_eq!((report.adopted.len(), report.applied.len()), (2, 2), "{report}");
    let text = report.to_string();
    assert!(text.contains("2 migrations adopted from another tool"), "{text}");
    assert_eq!(schema(&ctx.db).await?, schema(&theirs).await?);
    assert_eq!(old_rows(tool, &ctx.db).await?, before, "the old table is never touched");
    assert!(run(tool, &ctx.db).await?.is_up_to_date());
    // A program of the old release still starts.
    migrate(tool, &ctx.db, 2).await?;

    let all = run(tool, &theirs).await?;
    assert_eq!((all.adopted.len(), all.applied.len()), (COUNT, 0), "{all}");
    let rows = "SELECT version, description, filename, migration_type, checksum FROM jetbase_migrations ORDER BY \
                order_executed";
    assert_eq!(ctx.db.rows(rows).await?, theirs.rows(rows).await?);
    Ok(())
}

async fn flyway(ctx: TestContext) -> TestResult {
    let files = project(OldTool::Flyway).join("migrations");
    for file in ["V1__create_users.sql", "V2__create_posts.sql"] {
        ctx.db.execute(&std::fs::read_to_string(files.join(file))?).await?;
    }
    ctx.db.execute(&std::fs::read_to_string(files.join("V2.1__index_posts.sql"))?).await?;
    let map = std::fs::read_to_string(project(OldTool::Flyway).join("jetbase/migrations.adopt"))?;
    let checksum = |key: &str| -> String {
        let line = map.lines().find(|line| line.split('\t').next() == Some(key)).unwrap();
        line.split('\t').nth(1).unwrap().to_owned()
    };
    let (one, two, index) = (checksum("1"), checksum("2"), checksum("2.1"));
    flyway_table(
        &ctx.db,
        &[
            ("'1'", "V1__create_users.sql", &one),
            ("'2'", "V2__create_posts.sql", &two),
            ("'2.1'", "V2.1__index_posts.sql", &index),
            ("NULL", "R__titles.sql", &checksum("R__titles.sql")),
        ],
    )
    .await?;
    ctx.db.execute("CREATE VIEW titles AS SELECT title AS it FROM posts").await?;
    let report = from_flyway::run_url(&ctx.db.url).await?;
    assert_eq!(report.adopted.len(), 4, "{report}");
    // The view is put back after a version.
    let applied: Vec<_> = report.applied.iter().map(|it| it.file.as_str()).collect();
    assert_eq!(applied, ["V3__first_user.sql", "ROC__titles.sql"]);
    Ok(())
}

async fn sea_orm(ctx: TestContext) -> TestResult {
    let files = project(OldTool::SeaOrm).join("migrations");
    let first = std::fs::read_to_string(files.join("m20240101_120000_create_users.up.sql"))?;
    ctx.db.execute(&first).await?;
    let table = "CREATE TABLE seaql_migrations (version VARCHAR(255) NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)";
    ctx.db.execute(table).await?;
    let row = "INSERT INTO seaql_migrations VALUES ('m20240101_120000_create_users', 1704110400)";
    ctx.db.execute(row).await?;
    let report = from_sea_orm::run_url(&ctx.db.url).await?;
    assert_eq!((report.adopted.len(), report.applied.len()), (1, 3), "{report}");
    let version = ctx.db.value("SELECT min(version) FROM jetbase_migrations").await?;
    assert_eq!(version.as_deref(), Some("20240101.120000"));
    Ok(())
}

async fn times(ctx: TestContext) -> TestResult {
    migrate(OldTool::Sqlx, &ctx.db, COUNT).await?;
    // Two migrations in one second, and one that is older than the one before it.
    for (version, time) in [
        ("20240101120000", "2024-05-01 10:00:00"),
        ("20240201120000", "2024-05-01 10:00:00"),
        ("20240301120000", "2024-04-01 10:00:00"),
        ("20240401120000", "2024-06-01 10:00:00"),
    ] {
        let zone = if ctx.kind == DatabaseKind::Postgres { "+00" } else { "" };
        // A fresh connection of sqlx has the time zone UTC.
        let sql = format!(
            "UPDATE _sqlx_migrations SET installed_on = '{time}{zone}' WHERE version = {version}"
        );
        ctx.db.execute(&sql).await?;
    }
    run(OldTool::Sqlx, &ctx.db).await?;
    let text = match ctx.kind {
        DatabaseKind::Postgres => {
            "SELECT to_char(applied_at, 'YYYY-MM-DD HH24:MI:SS.US') FROM jetbase_migrations"
        }
        DatabaseKind::Mysql => {
            "SELECT DATE_FORMAT(applied_at, '%Y-%m-%d %H:%i:%s.%f') FROM jetbase_migrations"
        }
        DatabaseKind::Sqlite => "SELECT applied_at FROM jetbase_migrations",
    };
    let rows = ctx.db.rows(&format!("{text} ORDER BY order_executed")).await?;
    let times: Vec<_> = rows.iter().map(|row| row[0].clone().unwrap()).collect();
    assert!(times.is_sorted() && times[0] != times[1], "{times:?}");
    assert!(times[0].starts_with("2024-05-01 10:00:00"), "{times:?}");
    assert!(times[2].starts_with("2024-05-01 10:00:00.0"), "{times:?}");
    assert!(times[3].starts_with("2024-06-01 10:00:00"), "{times:?}");
    Ok(())
}

async fn new_database(ctx: TestContext) -> TestResult {
    let report = run(OldTool::Sqlx, &ctx.db).await?;
    assert_eq!((report.adopted.len(), report.applied.len()), (0, COUNT), "{report}");
    Ok(())
}

async fn dry_run(ctx: TestContext) -> TestResult {
    migrate(OldTool::Sqlx, &ctx.db, 3).await?;
    let report = run(OldTool::Sqlx, &ctx.db).dry_run().await?;
    let planned: Vec<_> = report.planned.iter().map(|it| it.file.as_str()).collect();
    assert_eq!(planned, ["V20240401120000__first_user.sql"]);
    assert!(ctx.db.rows("SELECT * FROM jetbase_migrations").await.is_err());
    Ok(())
}

async fn rolled_back(ctx: TestContext) -> TestResult {
    migrate(OldTool::Sqlx, &ctx.db, 2).await?;
    let (seen, events) = std::sync::mpsc::channel();
    let report = run(OldTool::Sqlx, &ctx.db)
        .to_version(from_sqlx::versions::V20240201120000__CREATE_POSTS)
        .on_event(move |event| {
            if let Event::Adopted { .. } = event {
                let _ = seen.send(event.to_string());
            }
        })
        .await?;
    assert_eq!((report.adopted.len(), report.applied.len()), (2, 0), "{report}");
    assert_eq!(events.recv()?, "adopted the history of sqlx: 2 migrations are applied");
    from_sqlx::rollback(DatabaseUrl(&ctx.db.url)).all().await?;
    assert!(ctx.db.rows("SELECT * FROM users").await.is_err());
    let report = run(OldTool::Sqlx, &ctx.db).wait(jetbase::Wait::UpTo(Duration::from_secs(30)));
    let report = report.await?;
    assert_eq!((report.adopted.len(), report.applied.len()), (0, COUNT), "{report}");
    Ok(())
}

async fn hint(ctx: TestContext) -> TestResult {
    migrate(OldTool::Sqlx, &ctx.db, 2).await?;
    let check = check_folder(&project(OldTool::Sqlx).join("jetbase/migrations"), &Rules::default());
    let set = jetbase::Migrations::load(check.files, Options::NONE);
    let error = jetbase::run(&set, DatabaseUrl(&ctx.db.url)).await.unwrap_err();
    let expected = "the table _sqlx_migrations shows that sqlx has migrated this database before: convert its folder and \
                    adopt its history with `jetbase adopt sqlx`";
    assert!(error.to_string().contains(expected), "{error}");
    // After this mistake, the history can still be adopted.
    let report = run(OldTool::Sqlx, &ctx.db).await?;
    assert_eq!((report.adopted.len(), report.applied.len()), (2, 2), "{report}");
    Ok(())
}

/// A program of the old release starts once more after the adoption, and applies one more migration.
async fn later(ctx: TestContext) -> TestResult {
    migrate(OldTool::Sqlx, &ctx.db, 2).await?;
    let run = || run(OldTool::Sqlx, &ctx.db);
    let two = from_sqlx::versions::V20240201120000__CREATE_POSTS;
    assert_eq!(run().to_version(two).await?.adopted.len(), 2);
    migrate(OldTool::Sqlx, &ctx.db, 3).await?;
    assert_eq!(run().dry_run().await?.planned.len(), 1);
    let report = run().await?;
    let (adopted, applied) = (&report.adopted, &report.applied);
    assert_eq!(adopted, &["V20240301120000__index_posts.sql"], "{report}");
    assert_eq!(applied[0].file, "V20240401120000__first_user.sql", "{report}");
    // What is rolled back now is not adopted again.
    from_sqlx::rollback(DatabaseUrl(&ctx.db.url)).await?;
    assert_eq!(run().await?.adopted.len(), 0);
    Ok(())
}
