use std::error::Error as _;

use jetbase::{DatabaseUrl, ErrorKind, TableError, Version, sqlx};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};

use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let (all, nothing) = (DatabaseKind::ALL, Needs::NOTHING);
    suite.each("the_source_of_an_error_is_the_error_of_the_driver", all, nothing, source);
    suite.each("an_error_names_the_row_with_an_invalid_version", all, nothing, invalid_version);
    suite.each(
        "a_missing_table_of_a_file_is_not_a_missing_table_of_jetbase",
        all,
        nothing,
        trigger,
    );
}

const A: (&str, &str) = ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n");

async fn source(ctx: TestContext) -> TestResult {
    let broken = ("V2__b.sql", "INSERT INTO nowhere (id) VALUES (1);\n");
    let error = jetbase::run_url(&set(&[A, broken]), &ctx.db.url).await.expect_err("no such table");
    let source = error.source().and_then(|source| source.downcast_ref::<sqlx::Error>());
    let Some(sqlx::Error::Database(driver)) = source else { return Err(error.into()) };
    let ErrorKind::Statement(failed) = error.kind() else { return Err(error.into()) };
    assert_eq!(failed.message, driver.message());
    assert!(format!("{error:#}").contains(driver.message()), "{error:#}");
    assert!(format!("{error:?}").contains(driver.message()), "{error:?}");
    let plain = error.to_string();
    assert!(!plain.contains(driver.message()), "{plain}");
    assert!(plain.starts_with("V2__b.sql:1:") && plain.ends_with("and kept: V1__a.sql"), "{plain}");
    Ok(())
}

async fn invalid_version(ctx: TestContext) -> TestResult {
    let (db, set) = (&ctx.db, set(&[A]));
    jetbase::run_url(&set, &db.url).await?;
    db.execute("UPDATE jetbase_migrations SET version = '1-beta'").await?;
    let error = jetbase::status(&set, DatabaseUrl(&db.url)).await.expect_err("not a version");
    let text = format!("{error:#}");
    assert!(
        matches!(error.kind(), ErrorKind::Table(TableError::InvalidVersion { version, .. }) if version == "1-beta"),
        "{text}"
    );
    let run = jetbase::run_url(&set, &db.url).await.expect_err("not a version");
    assert_eq!(format!("{run:#}"), text);
    let (_, remedy) = text.split_once("; run ").ok_or("no remedy")?;
    db.execute(remedy).await?;
    let current = jetbase::current(&set, DatabaseUrl(&db.url)).await?;
    assert_eq!(current.as_ref().map(Version::as_str), Some("1"));
    Ok(())
}

/// A trigger on the lock fails because its own table is missing. The tables of jetbase exist.
async fn trigger(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    jetbase::run_url(&set(&[A]), &db.url).await?;
    let insert = "INSERT INTO nowhere (id) VALUES (1);";
    db.execute(&match ctx.kind {
        DatabaseKind::Postgres => format!(
            "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {insert} RETURN NEW; END $$; \
             CREATE TRIGGER audit BEFORE UPDATE ON jetbase_lock FOR EACH ROW EXECUTE FUNCTION audit()"
        ),
        DatabaseKind::Mysql => format!(
            "CREATE TRIGGER audit BEFORE UPDATE ON jetbase_lock FOR EACH ROW {insert}"
        ),
        DatabaseKind::Sqlite => format!(
            "CREATE TRIGGER audit BEFORE UPDATE ON jetbase_lock BEGIN {insert} END"
        ),
    })
    .await?;
    let more = set(&[A, ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n")]);
    let error = jetbase::run_url(&more, &db.url).await.expect_err("the trigger fails");
    assert!(
        matches!(error.kind(), ErrorKind::Database { doing, .. } if doing == "acquiring the migration lock"),
        "{error:#}"
    );
    assert!(format!("{error:#}").contains("nowhere"), "{error:#}");
    Ok(())
}
