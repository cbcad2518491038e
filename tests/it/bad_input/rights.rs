//! Users without the rights that a run needs.

use jetbase::DatabaseUrl;
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};

use super::{A, SECOND, SECRET, database, is_empty, lock_is_free, one, refused};
use crate::apply::set;

pub(super) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    suite.each(
        "an_error_names_a_missing_right_to_create_tables",
        DatabaseKind::SERVERS,
        nothing,
        no_rights,
    );
    suite.each(
        "a_user_with_read_rights_can_query_but_not_migrate",
        DatabaseKind::SERVERS,
        nothing,
        read_only_user,
    );
}

/// Creates a user with these rights. Each `GRANT` is completed with the user.
pub(crate) async fn user(db: &Database, grants: &[&str]) -> Result<(String, String), TestError> {
    let name = format!("{}_u", db.name);
    let (create, user) = match db.kind {
        DatabaseKind::Mysql => {
            (format!("CREATE USER {name}@'%' IDENTIFIED BY '{SECRET}'"), format!("{name}@'%'"))
        }
        _ => (format!("CREATE ROLE {name} LOGIN PASSWORD '{SECRET}'"), name.clone()),
    };
    db.admin(&create).await?;
    for grant in grants {
        db.execute(&format!("{grant} {user}")).await?;
    }
    Ok((db.url_as(&name, SECRET), user))
}

pub(crate) async fn drop_user(db: &Database, user: &str) -> TestResult {
    if db.kind == DatabaseKind::Postgres {
        db.execute(&format!("DROP OWNED BY {user}")).await?;
    }
    db.admin(&format!("DROP USER {user}")).await?;
    Ok(())
}

async fn no_rights(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let grants = match ctx.kind {
        DatabaseKind::Mysql => vec!["GRANT SELECT ON * TO"],
        // Before PostgreSQL 15, every role may create tables in `public`.
        _ => vec!["REVOKE CREATE ON SCHEMA public FROM PUBLIC,"],
    };
    let (url, user) = user(db, &grants).await?;
    let error = refused(jetbase::run_url(&one(), &url), 10 * SECOND).await?;
    let (code, help) = database(&error)?;
    assert!(["42501", "1142"].contains(&code), "{error:#}");
    assert_eq!(help, "grant the right to this user, or run as the owner");
    assert!(format!("{error:#}").starts_with("creating the migration tables: "), "{error:#}");
    assert!(is_empty(db).await?);
    drop_user(db, &user).await
}

async fn read_only_user(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let set_of_one = one();
    jetbase::run_url(&set_of_one, &db.url).await?;
    let grant = if ctx.kind == DatabaseKind::Mysql {
        "GRANT SELECT ON * TO"
    } else {
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO"
    };
    let (url, user) = user(db, &[grant]).await?;
    assert!(jetbase::run_url(&set_of_one, &url).await?.is_up_to_date());
    assert!(jetbase::check(&set_of_one, DatabaseUrl(&url)).await?.is_ready());
    assert_eq!(jetbase::history(&set_of_one, DatabaseUrl(&url)).await?.records.len(), 1);
    assert_eq!(
        jetbase::lock_status(&set_of_one, DatabaseUrl(&url)).await?.to_string(),
        "Status: UNLOCKED"
    );
    let two = set(&[A, ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n")]);
    let error = refused(jetbase::run_url(&two, &url), 10 * SECOND).await?;
    assert!(["42501", "1142"].contains(&database(&error)?.0), "{error:#}");
    assert!(format!("{error:#}").contains("jetbase_lock"), "{error:#}");
    assert!(db.rows("SELECT * FROM b").await.is_err(), "a migration ran");
    lock_is_free(db).await?;

    // Without the right to read, the history must not look empty.
    let revoke = if ctx.kind == DatabaseKind::Mysql {
        "REVOKE SELECT ON * FROM"
    } else {
        "REVOKE SELECT ON jetbase_migrations FROM"
    };
    db.execute(&format!("{revoke} {user}")).await?;
    let error =
        jetbase::check(&set_of_one, DatabaseUrl(&url)).await.expect_err("the user cannot read");
    assert!(["42501", "1142", "1044"].contains(&database(&error)?.0), "{error:#}");
    drop_user(db, &user).await
}
