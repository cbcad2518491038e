use jetbase::DatabaseUrl;
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestError, TestResult};
use sqlx::{Connection, MySqlConnection};

use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let (mysql, own) = (&[DatabaseKind::Mysql], Needs::OWN_SERVER);
    suite.each("a_file_without_session_state_needs_no_new_connection", mysql, own, keeps_session);
    suite.each("a_run_works_for_a_user_with_one_connection", mysql, own, one_connection);
}

/// Returns how many connections the server has accepted, including the one of this query.
async fn connections(ctx: &TestContext) -> Result<u64, TestError> {
    let mut connection = MySqlConnection::connect(&ctx.db.url).await?;
    let query = "SHOW GLOBAL STATUS LIKE 'Connections'";
    let (_, count): (String, String) = sqlx::query_as(query).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(count.parse()?)
}

/// Returns how many connections a run of these files opens.
async fn opened(ctx: &TestContext, files: &[(&str, &str)]) -> Result<u64, TestError> {
    let before = connections(ctx).await?;
    jetbase::run(&set(files), DatabaseUrl(&ctx.db.url)).await?;
    Ok(connections(ctx).await? - before - 1)
}

async fn keeps_session(ctx: TestContext) -> TestResult {
    let a = ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n");
    let plain = [
        a,
        ("V2__b.sql", "CREATE TABLE b (id INTEGER);\nINSERT INTO b VALUES (1);\n"),
        ("V3__c.sql", "ALTER TABLE b ADD COLUMN c INTEGER;\nUPDATE b SET c = 2 WHERE id = 1;\n"),
    ];
    let one = opened(&ctx, &plain[..1]).await?;
    assert_eq!(opened(&ctx, &plain).await?, one, "a plain file opens a connection");
    let with_state = [
        ("V4__d.sql", "SET @x = 1;\nCREATE TABLE d (id INTEGER);\n"),
        ("V5__e.sql", "CREATE TEMPORARY TABLE t (id INTEGER);\n"),
        ("V6__f.sql", "CREATE TABLE f (id INTEGER);\n"),
    ];
    let all: Vec<_> = plain.into_iter().chain(with_state).collect();
    assert_eq!(
        opened(&ctx, &all).await?,
        one + 2,
        "a file that leaves session state opens one connection"
    );
    Ok(())
}

/// The user may have one connection, so the run closes its connection before it opens another.
async fn one_connection(ctx: TestContext) -> TestResult {
    let user = format!("{}_one", ctx.db.name);
    ctx.db.admin(&format!("CREATE USER {user}@'%' WITH MAX_USER_CONNECTIONS 1")).await?;
    ctx.db.admin(&format!("GRANT ALL ON {}.* TO {user}@'%'", ctx.db.name)).await?;
    let url = ctx.db.url_as(&user, "");
    let all = set(&[
        (
            "V1__users.sql",
            "CREATE TABLE users (id INTEGER);\nCREATE TEMPORARY TABLE t (id INTEGER);\n",
        ),
        ("V2__shadow.sql", "CREATE TEMPORARY TABLE users AS SELECT 1 AS id;\n"),
        ("V3__row.sql", "INSERT INTO users (id) VALUES (7);\n"),
    ]);
    let report = jetbase::run_url(&all, &url).await?;
    assert_eq!(report.applied.len(), 3, "{report}");
    let ids = ctx.db.rows("SELECT id FROM users").await?;
    assert_eq!(ids, [[Some("7".to_owned())]], "the row is in the temporary table");
    assert!(!jetbase::lock_status(&all, DatabaseUrl(&ctx.db.url)).await?.locked);
    Ok(())
}
