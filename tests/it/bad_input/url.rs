//! URLs that do not select a database.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use jetbase::{DatabaseUrl, ErrorKind, Wait};
use jetbase_test_harness::{Database, DatabaseKind, Needs, Suite, TestContext, TestResult};
use sqlx::Connection;

use super::{SECOND, SECRET, database, hides_password, one, refused};
use crate::apply::set;

pub(super) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    suite.once("the_error_of_an_invalid_url_shows_no_password", nothing, broken_urls);
    suite.each(
        "the_error_of_a_wrong_password_shows_no_password",
        DatabaseKind::SERVERS,
        Needs::OWN_SERVER,
        wrong_password,
    );
    suite.each("an_error_names_an_unknown_user", DatabaseKind::SERVERS, nothing, unknown_user);
    suite.each(
        "an_error_names_a_missing_database",
        DatabaseKind::SERVERS,
        nothing,
        missing_database,
    );
    suite.each(
        "a_url_without_a_database_is_an_error",
        &[DatabaseKind::Mysql],
        nothing,
        no_database,
    );
    suite.each(
        "a_run_fails_at_once_when_no_server_listens",
        DatabaseKind::SERVERS,
        nothing,
        server_down,
    );
}

fn shows_no_password(value: &impl Debug) {
    let text = format!("{value:?} {value:#?}");
    assert!(!text.contains(SECRET), "{text}");
}

async fn broken_urls() -> TestResult {
    for url in [
        "oracle://u:hunter2@h/d",
        "hunter2",
        "",
        "postgresql+psycopg2://u:hunter2@h/d",
        "://hunter2",
    ] {
        let error = refused(jetbase::run_url(&one(), url), SECOND).await?;
        assert!(matches!(error.kind(), ErrorKind::Setting(_)), "{url}: {error:#}");
        assert!(
            format!("{error:#}").starts_with("the database URL does not begin with `postgres://`"),
            "{url}: {error:#}"
        );
    }
    for url in [
        "postgres://u:hunter2@127.0.0.1:port/d",
        "postgres://u:hunter2@127.0.0.1:99999/d",
        "mysql://u:hunter2@127.0.0.1:port/d",
        "postgres://u:hunter2@[::1/d",
        "postgres://u:hunter2@h/d?sslmode=nonsense",
        "postgres://u@h/d?password=hunter2&sslmode=nonsense",
        "mysql://u:hunter2@h/d?ssl-mode=nonsense",
        "sqlite://x.db?mode=nonsense",
    ] {
        let error = refused(jetbase::run_url(&one(), url), SECOND).await;
        let error = error.map_err(|error| format!("{url}: {error:#}"))?;
        assert!(
            format!("{error:#}").starts_with("the database URL cannot be read: "),
            "{url}: {error:#}"
        );
        assert!(!format!("{error:#}").contains("error with configuration"), "{url}: {error:#}");
    }
    let url = "postgres://u:hunter2@h/d";
    shows_no_password(&DatabaseUrl(url));
    shows_no_password(&jetbase::run(&one(), DatabaseUrl(url)));
    shows_no_password(&jetbase::rollback(&one(), DatabaseUrl(url)));
    shows_no_password(&jetbase::status(&one(), DatabaseUrl(url)));
    shows_no_password(&jetbase::unlock(&one(), DatabaseUrl(url)));
    Ok(())
}

/// Makes PostgreSQL require a password of this role. The private server trusts every other role.
async fn ask_for_password(db: &Database, role: &str) -> TestResult {
    let file = db.value("SHOW hba_file").await?.ok_or("no hba_file")?;
    let lines = format!("host all {role} 127.0.0.1/32 password\nhost all all 127.0.0.1/32 trust");
    db.execute(&format!(
        "COPY (SELECT unnest(string_to_array('{lines}', E'\\n'))) TO '{file}'; SELECT pg_reload_conf()"
    ))
    .await?;
    for _ in 0..100 {
        if sqlx::PgConnection::connect(&db.url_as(role, "wrong")).await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("the server did not reload its configuration".into())
}

async fn wrong_password(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let code = match ctx.kind {
        DatabaseKind::Postgres => {
            db.execute(
                "CREATE ROLE someone LOGIN PASSWORD 'right'; GRANT ALL ON SCHEMA public TO someone",
            )
            .await?;
            ask_for_password(db, "someone").await?;
            "28P01"
        }
        _ => {
            db.execute(
                "CREATE USER someone@'%' IDENTIFIED BY 'right'; GRANT ALL ON *.* TO someone@'%'",
            )
            .await?;
            "1045"
        }
    };
    let url = db.url_as("someone", SECRET);
    for error in [
        refused(jetbase::run_url(&one(), &url), 10 * SECOND).await?,
        refused(jetbase::rollback(&one(), DatabaseUrl(&url)), 10 * SECOND).await?,
        refused(jetbase::run_url(&one(), &url).dry_run(), 10 * SECOND).await?,
    ] {
        assert_eq!(database(&error)?, (code, "check user and password"), "{error:#}");
        assert!(
            format!("{error:#}").starts_with("connecting: ")
                && format!("{error:#}").contains("someone"),
            "{error:#}"
        );
    }
    for error in [
        jetbase::status(&one(), DatabaseUrl(&url)).await.expect_err("refused"),
        jetbase::lock_status(&one(), DatabaseUrl(&url)).await.expect_err("refused"),
        jetbase::unlock(&one(), DatabaseUrl(&url)).await.expect_err("refused"),
    ] {
        hides_password(&error)?;
        assert_eq!(database(&error)?.0, code, "{error:#}");
    }
    // A correct password is not shown either when something else fails.
    let right = match ctx.kind {
        DatabaseKind::Postgres => "ALTER ROLE someone PASSWORD 'hunter2'",
        _ => "SET PASSWORD FOR someone@'%' = PASSWORD('hunter2')",
    };
    if db.execute(right).await.is_err() {
        db.execute("ALTER USER someone@'%' IDENTIFIED BY 'hunter2'").await?;
    }
    let broken = set(&[("V1__a.sql", "INSERT INTO nowhere (id) VALUES (1);\n")]);
    let error = refused(jetbase::run_url(&broken, &url), 10 * SECOND).await?;
    assert!(matches!(error.kind(), ErrorKind::Statement(_)), "{error:#}");
    Ok(())
}

async fn unknown_user(ctx: TestContext) -> TestResult {
    let error =
        refused(jetbase::run_url(&one(), &ctx.db.url_as("no_such_user", SECRET)), 10 * SECOND)
            .await?;
    let (code, help) = database(&error)?;
    assert!(["28000", "28P01", "1045", "1698"].contains(&code), "{error:#}");
    assert_eq!(help, "check user and password");
    assert!(format!("{error:#}").contains("no_such_user"), "{error:#}");
    Ok(())
}

async fn missing_database(ctx: TestContext) -> TestResult {
    let url = ctx.db.url.replace(&ctx.db.name, "no_such_database");
    for error in [
        refused(jetbase::run_url(&one(), &url), 10 * SECOND).await?,
        jetbase::check(&one(), DatabaseUrl(&url)).await.expect_err("refused"),
    ] {
        let (code, help) = database(&error)?;
        assert!(["3D000", "1049"].contains(&code), "{error:#}");
        assert_eq!(help, "create the database first: jetbase creates tables, not databases");
        assert!(format!("{error:#}").contains("no_such_database"), "{error:#}");
    }
    Ok(())
}

async fn no_database(ctx: TestContext) -> TestResult {
    let (url, _) =
        ctx.db.url.split_once(&format!("/{}", ctx.db.name)).ok_or("a URL with a database")?;
    for url in [url.to_owned(), format!("{url}/")] {
        let error = refused(jetbase::run_url(&one(), &url), 10 * SECOND).await?;
        assert_eq!(format!("{error:#}"), "the URL names no database; append `/name` to the URL");
    }
    Ok(())
}

async fn server_down(ctx: TestContext) -> TestResult {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let url = format!("{}://someone:hunter2@127.0.0.1:{port}/x", ctx.kind.name());
    let run = jetbase::run_url(&one(), &url).wait(Wait::Never);
    let error = refused(run, 5 * SECOND).await?;
    assert_eq!(
        database(&error)?,
        ("", "check that the server runs, and that host and port are right"),
        "{error:#}"
    );
    assert!(format!("{error:#}").starts_with("connecting: "), "{error:#}");
    assert!(!format!("{error:#}").contains("os error"), "{error:#}");
    let began = Instant::now();
    assert!(jetbase::check(&one(), DatabaseUrl(&url)).await.is_err());
    assert!(jetbase::lock_status(&one(), DatabaseUrl(&url)).await.is_err());
    assert!(jetbase::unlock(&one(), DatabaseUrl(&url)).await.is_err());
    assert!(began.elapsed() < 10 * SECOND, "{:?}", began.elapsed());
    Ok(())
}
