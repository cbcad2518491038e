use jetbase::Migrations;
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};

use sqlx::{Connection as _, MySqlConnection};

use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let mysql = &[DatabaseKind::Mysql];
    suite.each(
        "a_select_that_runs_too_long_is_stopped",
        DatabaseKind::SERVERS,
        Needs::NOTHING,
        stops_a_select,
    );
    suite.each(
        "a_run_works_where_each_table_needs_a_primary_key",
        mysql,
        Needs::OWN_SERVER.only_mysql(),
        needs_key,
    );
    suite.each("an_error_names_a_server_that_is_read_only", mysql, Needs::OWN_SERVER, read_only);
    suite.each("a_sha2_password_needs_tls", mysql, Needs::NOTHING.only_mysql(), sha2_password);
    suite.each("a_read_only_session_stays_read_only", mysql, Needs::NOTHING, read_only_session);
    suite.each("a_number_that_a_file_sets_is_not_recorded", mysql, Needs::NOTHING, next_number);
}

fn one() -> Migrations {
    set(&[("V1__a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);\n")])
}

async fn stops_a_select(ctx: TestContext) -> TestResult {
    let numbers = "CREATE TABLE n (i INTEGER); INSERT INTO n VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)";
    ctx.db.execute(numbers).await?;
    let text = "-- jetbase: statement_timeout=1s\n\
                SELECT sum(a.i + l.i) FROM n AS a, n AS b, n AS c, n AS d, n AS e, n AS f, n AS g, n AS h, n AS j, n AS k, n AS l;\n";
    let error = jetbase::run_url(&set(&[("V1__long.sql", text)]), &ctx.db.url).await;
    let error = error.expect_err("it takes hours");
    // PostgreSQL, MariaDB, MySQL.
    let codes = ["57014", "1969", "3024"];
    assert!(codes.iter().any(|code| format!("{error:#}").contains(code)), "{error:#}");
    Ok(())
}

async fn needs_key(ctx: TestContext) -> TestResult {
    for variable in ["sql_require_primary_key", "sql_generate_invisible_primary_key"] {
        let db = ctx.another().await?;
        db.admin(&format!("SET GLOBAL {variable} = 1")).await?;
        let again = ("ROC__view.sql", "CREATE OR REPLACE VIEW v AS SELECT 1 AS one;\n");
        let set = set(&[("V1__a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);\n"), again]);
        let report = jetbase::run_url(&set, &db.url).await;
        db.admin(&format!("SET GLOBAL {variable} = 0")).await?;
        assert_eq!(report?.applied.len(), 2, "{variable}");
    }
    Ok(())
}

async fn read_only(ctx: TestContext) -> TestResult {
    let (on, off) = if ctx.db.is_mariadb().await? {
        ("SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0")
    } else {
        ("SET GLOBAL super_read_only = 1", "SET GLOBAL super_read_only = 0, GLOBAL read_only = 0")
    };
    ctx.db.admin("CREATE USER plain@'%' IDENTIFIED BY 'x'").await?;
    ctx.db.admin(&format!("GRANT ALL ON {}.* TO plain@'%'", ctx.db.name)).await?;
    let url = ctx.db.url_as("plain", "x");
    ctx.db.admin(on).await?;
    let error = jetbase::run_url(&one(), &url).await.expect_err("the server is read-only");
    let says = "(1290); the server accepts no writes: connect to the primary, with write access";
    for text in [format!("{error:#}"), error.to_string()] {
        assert!(text.ends_with(says), "{text}");
    }
    ctx.db.admin(off).await?;
    assert_eq!(jetbase::run_url(&one(), &url).await?.applied.len(), 1);
    ctx.db.admin(on).await?;
    // A run with nothing to do writes nothing.
    assert!(jetbase::run_url(&one(), &url).await?.is_up_to_date());
    Ok(())
}

async fn sha2_password(ctx: TestContext) -> TestResult {
    let user = format!("{}_sha", ctx.db.name);
    let plugin = "caching_sha2_password";
    ctx.db.admin(&format!("CREATE USER {user} IDENTIFIED WITH {plugin} BY 'secret'")).await?;
    ctx.db.admin(&format!("GRANT ALL ON {}.* TO {user}", ctx.db.name)).await?;
    let url = ctx.db.url_as(&user, "secret");
    let plain = format!("{url}?ssl-mode=DISABLED");
    let error = jetbase::run_url(&one(), &plain).await.expect_err("the password would be readable");
    let expected = "connecting: the server asks for the password without TLS, and it is sent only with TLS: use \
                    `?ssl-mode=REQUIRED` in the URL, or the feature `mysql-rsa` of sqlx; \
                    check the URL and the pool's settings";
    assert_eq!(format!("{error:#}"), expected);
    assert_eq!(jetbase::run_url(&one(), &url).await?.applied.len(), 1);
    // Now the server knows the password's digest, and needs no TLS any more.
    assert!(jetbase::run_url(&one(), &plain).await?.is_up_to_date());
    Ok(())
}

/// The question whether a transaction is open does not change the caller's next transaction.
async fn read_only_session(ctx: TestContext) -> TestResult {
    ctx.db.execute("CREATE TABLE mine (id INTEGER)").await?;
    let mut connection = MySqlConnection::connect(&ctx.db.url).await?;
    for _ in 0..2 {
        let settings = "SET SESSION TRANSACTION READ ONLY";
        sqlx::raw_sql(settings).execute(&mut connection).await?;
        for plans_a_run in [false, true] {
            match plans_a_run {
                false => drop(jetbase::status(&one(), &mut connection).await?),
                true => drop(jetbase::run(&one(), &mut connection).dry_run().await?),
            }
            let insert = sqlx::raw_sql("INSERT INTO mine VALUES (1)");
            let error =
                insert.execute(&mut connection).await.expect_err("the session is read-only");
            assert!(error.to_string().contains("READ ONLY"), "{error}");
        }
        // The second round finds tables.
        jetbase::run_url(&one(), &ctx.db.url).await?;
    }
    connection.close().await?;
    Ok(())
}

async fn next_number(ctx: TestContext) -> TestResult {
    let files = [
        ("V1__sets.sql", "SET insert_id = 500;\n"),
        ("V2__plain.sql", "CREATE TABLE a (id INTEGER);\n"),
        ("V3__alone.sql", "-- jetbase: transaction=off\nSET insert_id = 900;\nSELECT 1;\n"),
        ("V4__rows.sql", "INSERT INTO a VALUES (1);\n"),
    ];
    jetbase::run_url(&set(&files), &ctx.db.url).await?;
    let numbers = ctx.db.value("SELECT MAX(order_executed) FROM jetbase_migrations").await?;
    assert_eq!(numbers.as_deref(), Some("4"));
    Ok(())
}
