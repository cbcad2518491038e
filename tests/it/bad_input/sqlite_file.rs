//! SQLite files that are locked, broken or read-only.

use jetbase::{DatabaseUrl, Wait};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};
use sqlx::{Connection, SqliteConnection};

use super::{A, SECOND, database, one, refused};
use crate::apply::set;

pub(super) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    let sqlite = &[DatabaseKind::Sqlite][..];
    suite.each("a_run_waits_for_a_locked_file_up_to_its_limit", sqlite, nothing, locked_file);
    suite.each("an_error_names_the_problem_of_a_database_file", sqlite, nothing, broken_files);
    suite.each("a_read_only_file_can_be_read_but_not_migrated", sqlite, nothing, read_only_file);
}

async fn locked_file(ctx: TestContext) -> TestResult {
    let mut other = SqliteConnection::connect(&ctx.db.url).await?;
    sqlx::raw_sql("CREATE TABLE mine (id INTEGER); BEGIN EXCLUSIVE").execute(&mut other).await?;
    let (set, url) = (one(), ctx.db.url.clone());
    let run = jetbase::run_url(&set, &url).wait(Wait::UpTo(2 * SECOND));
    let error = refused(run, 6 * SECOND).await?;
    let (code, help) = database(&error)?;
    assert_eq!(
        (code, help),
        ("5", "another program writes to the file: wait until it is done"),
        "{error:#}"
    );
    assert!(format!("{error:#}").contains("database is locked"), "{error:#}");
    // A run succeeds when the lock is released in time.
    let url = ctx.db.url.clone();
    let run = tokio::spawn(async move { jetbase::run_url(&one(), &url).await });
    tokio::time::sleep(SECOND).await;
    assert!(!run.is_finished());
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await?;
    assert_eq!(run.await??.applied.len(), 1);
    Ok(())
}

const CANNOT_OPEN: &str =
    "check that the file exists (`?mode=rwc` creates it), is not a folder, and may be written";

async fn broken_files(ctx: TestContext) -> TestResult {
    let folder = std::path::Path::new(&ctx.db.name).parent().ok_or("a folder")?;
    let garbage = folder.join("garbage.db");
    std::fs::write(
        &garbage,
        "this is no database, but a text of more than a few bytes\n".repeat(100),
    )?;
    for (path, code, remedy) in [
        (garbage.clone(), "26", "check the path: the file is not an SQLite database"),
        (folder.to_owned(), "14", CANNOT_OPEN),
        (folder.join("missing.db"), "14", CANNOT_OPEN),
        (folder.join("no/such/folder.db"), "14", CANNOT_OPEN),
    ] {
        let url = format!("sqlite://{}", path.display());
        let error = refused(jetbase::run_url(&one(), &url), 10 * SECOND).await?;
        assert_eq!(database(&error)?, (code, remedy), "{url}: {error:#}");
        assert!(jetbase::check(&one(), DatabaseUrl(&url)).await.is_err(), "{url}");
    }
    assert!(!folder.join("missing.db").exists(), "a query created a file");
    assert!(std::fs::read_to_string(garbage)?.starts_with("this is no database"));
    Ok(())
}

async fn read_only_file(ctx: TestContext) -> TestResult {
    jetbase::run_url(&one(), &ctx.db.url).await?;
    let url = format!("sqlite://{}?mode=ro", ctx.db.name);
    let two = set(&[A, ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n")]);
    assert!(jetbase::run_url(&one(), &url).await?.is_up_to_date());
    assert_eq!(jetbase::status(&two, DatabaseUrl(&url)).await?.pending.len(), 1);
    assert_eq!(
        jetbase::lock_status(&two, DatabaseUrl(&url)).await?.to_string(),
        "Status: UNLOCKED"
    );
    let error = refused(jetbase::run_url(&two, &url), 10 * SECOND).await?;
    assert_eq!(database(&error)?, ("8", "open the file with write access"), "{error:#}");
    assert!(ctx.db.rows("SELECT * FROM b").await.is_err(), "a migration ran");
    assert_eq!(jetbase::run_url(&two, &ctx.db.url).await?.applied.len(), 1);
    Ok(())
}
