//! The settings of a session: those of a file end with the file, and those of a caller are kept.

use jetbase::DatabaseUrl;
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};
use sqlx::mysql::{MySqlConnection, MySqlPool, MySqlPoolOptions};
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::{A, B, drop_roles, role};
use crate::apply::set;

pub(super) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    let postgres = &[DatabaseKind::Postgres][..];
    let mysql = &[DatabaseKind::Mysql][..];
    suite.each(
        "the_settings_of_a_file_end_with_the_file",
        DatabaseKind::SERVERS,
        nothing,
        settings_of_a_file,
    );
    suite.each(
        "a_run_keeps_the_settings_of_the_caller",
        DatabaseKind::ALL,
        nothing,
        settings_of_a_caller,
    );
    suite.each("a_dump_changes_neither_the_next_file_nor_the_caller", postgres, nothing, dump);
    suite.each("a_run_follows_standard_conforming_strings", postgres, nothing, conforming);
    suite.each("migrations_see_the_sql_mode_of_the_server", mysql, Needs::OWN_SERVER, sql_mode);
    suite.each(
        "a_file_is_split_by_the_sql_mode_that_it_runs_under",
        mysql,
        nothing,
        sql_mode_of_the_caller,
    );
}

/// An expression with the settings of a session.
const SETTINGS: &str = "current_user::text || ' ' || session_user || ' ' || current_setting('search_path') || ' ' || \
                     current_setting('statement_timeout') || ' ' || current_setting('TimeZone') || ' ' || \
                     current_setting('role') || ' ' || current_setting('row_security') || ' ' || \
                     current_setting('check_function_bodies') || ' ' || current_setting('xmloption') || ' ' || \
                     current_setting('default_tablespace') || ' ' || current_setting('client_min_messages')";

async fn dump(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let other = role(db, "other", "NOLOGIN").await?;
    let mine = role(db, "mine", "NOLOGIN").await?;
    db.execute(&format!(
        "GRANT ALL ON SCHEMA public TO {other}, {mine}; CREATE SCHEMA app AUTHORIZATION {mine}; GRANT ALL ON SCHEMA app TO {other}"
    ))
    .await?;
    let dump = |number: u32| {
        format!(
            "SET statement_timeout = 30000;\nSET lock_timeout = 0;\nSET idle_in_transaction_session_timeout = 0;\n\
             SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\
             SELECT pg_catalog.set_config('search_path', '', false);\nSET check_function_bodies = false;\n\
             SET xmloption = content;\nSET client_min_messages = warning;\nSET row_security = off;\n\
             SET default_tablespace = '';\nSET TIME ZONE 'Asia/Tokyo';\nSET datestyle = 'German, DMY';\n\
             SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;\n\
             SET ROLE {other};\nCREATE TABLE app.dump_{number} (id INTEGER);\n\
             SET SESSION AUTHORIZATION {other};\nALTER TABLE app.dump_{number} ADD COLUMN body TEXT;\n"
        )
    };
    let shown =
        |number: u32| format!("CREATE TABLE shown_{number} AS SELECT {SETTINGS} AS line;\n");
    let (first, second) = (dump(1), shown(2));
    let off = format!(
        "-- jetbase: transaction=off\n{}VACUUM;\n",
        dump(3)
            .replace(&format!("SET SESSION AUTHORIZATION {other};\n"), "")
            .replace(&format!("SET ROLE {other};\n"), "")
            .replace("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;\n", "")
    );
    let (fourth, broken) = (shown(4), format!("{}SELECT 1 / 0;\n", dump(5)));
    let files = [
        ("V1__dump.sql", first.as_str()),
        ("V2__shown.sql", &second),
        ("V3__off.sql", &off),
        ("V4__shown.sql", &fourth),
        ("V5__broken.sql", &broken),
    ];
    let set = set(&files);

    // The caller's connection has other settings than a fresh one.
    let mut connection = PgConnection::connect(&db.url).await?;
    let own = format!(
        "SET search_path TO app, public; SET statement_timeout = '77s'; SET TIME ZONE 'Europe/Berlin'; SET ROLE {mine}; \
         SET check_function_bodies = off; SET my.setting = 'mine'"
    );
    sqlx::raw_sql(AssertSqlSafe(own)).execute(&mut connection).await?;
    let query = format!(
        "SELECT {SETTINGS} || ' ' || current_setting('my.setting') || ' ' || current_setting('DateStyle') || ' ' || current_setting('default_transaction_read_only')"
    );
    let before: String =
        sqlx::query_scalar(AssertSqlSafe(query.clone())).fetch_one(&mut connection).await?;
    let error = jetbase::run(&set, &mut connection).await.expect_err("V5 divides by zero");
    assert_eq!(error.report().applied.len(), 4, "{error:#}");
    let after: String =
        sqlx::query_scalar(AssertSqlSafe(query.clone())).fetch_one(&mut connection).await?;
    assert_eq!(after, before);
    let lines =
        db.rows("SELECT line FROM app.shown_2 UNION ALL SELECT line FROM app.shown_4").await?;
    for line in lines.iter().flatten().flatten() {
        assert!(
            line.starts_with(&format!("{mine} postgres app, public "))
                && line.contains(" Europe/Berlin "),
            "{line}"
        );
    }
    assert_eq!(
        db.value("SELECT tableowner FROM pg_tables WHERE tablename = 'dump_1'").await?,
        Some(other.clone())
    );
    assert_eq!(
        db.value("SELECT tableowner FROM pg_tables WHERE tablename = 'jetbase_lock'").await?,
        Some(mine.clone())
    );

    // With a pool, each file has the settings of a fresh connection.
    let db = ctx.another().await?;
    db.execute(&format!("CREATE SCHEMA app; GRANT ALL ON SCHEMA app TO {other}")).await?;
    let pool = PgPool::connect(&db.url).await?;
    let error = jetbase::run(&set, &pool).await.expect_err("V5 divides by zero");
    assert_eq!(error.report().applied.len(), 4, "{error:#}");
    let shown: Vec<_> = db
        .rows("SELECT line FROM shown_2 UNION ALL SELECT line FROM shown_4")
        .await?
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    for line in &shown {
        assert!(
            line.starts_with("postgres postgres \"$user\", public 0 ") && !line.contains("Tokyo"),
            "{line}"
        );
    }
    assert_eq!(shown.len(), 2);
    pool.close().await;
    db.execute(&format!("DROP OWNED BY {other}, {mine} CASCADE")).await?;
    drop_roles(&ctx.db, &[&other, &mine]).await
}

async fn conforming(ctx: TestContext) -> TestResult {
    ctx.db
        .execute(&format!("ALTER DATABASE {} SET standard_conforming_strings = off", ctx.db.name))
        .await?;
    let text = "CREATE TABLE t (body TEXT);\nINSERT INTO t VALUES ('it\\'s; one');\nINSERT INTO t VALUES ('two');\n";
    jetbase::run(&set(&[("V1__t.sql", text)]), DatabaseUrl(&ctx.db.url)).await?;
    let rows = ctx.db.rows("SELECT body FROM t ORDER BY body").await?;
    assert_eq!(rows, [[Some("it's; one".to_owned())], [Some("two".to_owned())]]);
    Ok(())
}

async fn settings_of_a_file(ctx: TestContext) -> TestResult {
    let other = ctx.another().await?.name;
    let (sets, shown) = match ctx.kind {
        DatabaseKind::Mysql => (
            format!(
                "USE {other};\nSET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES';\nSET time_zone = '+05:00';\n\
                 SET foreign_key_checks = 0;\nSET unique_checks = 0;\nSET SESSION sql_safe_updates = 1;\n\
                 SET NAMES latin1;\nSET SESSION TRANSACTION READ ONLY;\nSET @mine = 1;\n\
                 SET lock_wait_timeout = 1;\nSET SESSION group_concat_max_len = 10;\n"
            ),
            "SELECT CONCAT_WS(' ', DATABASE(), @@sql_mode, @@time_zone, @@foreign_key_checks, @@unique_checks, \
             @@sql_safe_updates, @@character_set_client, @@collation_connection) AS line",
        ),
        _ => (
            "SET TIME ZONE 'Asia/Tokyo';\nSET search_path TO pg_catalog;\nSET statement_timeout = '99s';\n\
             SET escape_string_warning = off;\n"
                .to_owned(),
            "SELECT concat_ws(' ', current_schema(), current_setting('TimeZone'), current_setting('statement_timeout'), \
             current_setting('standard_conforming_strings')) AS line",
        ),
    };
    let shown = format!("CREATE TABLE shown AS {shown};\n");
    let again = shown.replace("TABLE shown", "TABLE shown_again");
    let bare = ctx.another().await?;
    let alone = set(&[("V1__shown.sql", &shown)]);
    jetbase::run(&alone, DatabaseUrl(&bare.url)).await?;
    let expected = bare
        .value("SELECT line FROM shown")
        .await?
        .ok_or("no line")?
        .replace(&bare.name, &ctx.db.name);

    let all = set(&[
        ("V1__sets.sql", &sets),
        ("V2__shown.sql", &shown),
        ("V3__off.sql", &format!("-- jetbase: transaction=off\n{sets}")),
        ("V4__shown.sql", &again),
    ]);
    assert_eq!(jetbase::run(&all, DatabaseUrl(&ctx.db.url)).await?.applied.len(), 4);
    for table in ["shown", "shown_again"] {
        let line = ctx.db.value(&format!("SELECT line FROM {table}")).await?;
        assert_eq!(line.as_deref(), Some(expected.as_str()), "{table}");
    }
    Ok(())
}

async fn settings_of_a_caller(ctx: TestContext) -> TestResult {
    match ctx.kind {
        DatabaseKind::Mysql => {
            let other = ctx.another().await?.name;
            let text = format!(
                "CREATE TABLE t (id INTEGER);\nUSE {other};\nSET sql_mode = '', time_zone = '+07:00', foreign_key_checks = 0;\nSET NAMES latin1;\n"
            );
            let mut connection = MySqlConnection::connect(&ctx.db.url).await?;
            let own = "SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES', time_zone = '+03:00', unique_checks = 0, \
                       sql_safe_updates = 1, lock_wait_timeout = 77, innodb_lock_wait_timeout = 33 \
                       /*M!100100 , max_statement_time = 44 */ /*!50720 , max_execution_time = 44 */";
            sqlx::raw_sql(own).execute(&mut connection).await?;
            let query = "SELECT CONCAT_WS(' ', DATABASE(), @@sql_mode, @@time_zone, @@foreign_key_checks, @@unique_checks, \
                        @@sql_safe_updates, @@lock_wait_timeout, @@innodb_lock_wait_timeout, \
                        /*M!100100 @@max_statement_time, */ /*!50720 @@max_execution_time, */ \
                        @@character_set_client, @@collation_connection, @@autocommit)";
            let before: String = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
            jetbase::run(&set(&[("V1__t.sql", &text)]), &mut connection).await?;
            let after: String = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
            assert_eq!(after, before);
            assert_eq!(
                jetbase::lock_status(&set(&[A]), &mut connection).await?.to_string(),
                "Status: UNLOCKED"
            );
            jetbase::unlock(&set(&[A]), &mut connection).await?;
            let after: String = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
            assert_eq!(after, before);
        }
        DatabaseKind::Postgres => {
            let mut connection = PgConnection::connect(&ctx.db.url).await?;
            sqlx::raw_sql("SET statement_timeout = '77s'; SET lock_timeout = '33s'; SET application_name = 'mine'; \
                            SELECT set_config(name, '44min', false) FROM pg_settings WHERE name = 'idle_session_timeout'")
                .execute(&mut connection)
                .await?;
            let query = "SELECT concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'), \
                        current_setting('idle_session_timeout', true), current_setting('idle_in_transaction_session_timeout'), \
                        current_setting('application_name'), current_setting('TimeZone'), current_setting('search_path'), \
                        current_setting('row_security'))";
            let before: String = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
            let off = ("V2__off.sql", "-- jetbase: transaction=off\nVACUUM a;\n");
            jetbase::run(&set(&[A, off]), &mut connection).await?;
            assert_eq!(
                before,
                sqlx::query_scalar::<_, String>(query).fetch_one(&mut connection).await?
            );
            ctx.db.execute("UPDATE jetbase_lock SET is_locked = TRUE, process_id = '0b8f4a62-5d3e-4c1b-9a77-2f60d1c3e84a'").await?;
            jetbase::unlock(&set(&[A]), &mut connection).await?;
            assert_eq!(
                before,
                sqlx::query_scalar::<_, String>(query).fetch_one(&mut connection).await?
            );
        }
        DatabaseKind::Sqlite => {
            for on in [true, false] {
                let options: SqliteConnectOptions = ctx.db.url.parse()?;
                let options =
                    options.foreign_keys(on).busy_timeout(std::time::Duration::from_millis(1234));
                let mut connection = SqliteConnection::connect_with(&options).await?;
                let keys = if on { A } else { B };
                jetbase::run(&set(&if on { vec![A] } else { vec![A, keys] }), &mut connection)
                    .await?;
                jetbase::unlock(&set(&[A]), &mut connection).await?;
                let after: (i64,) =
                    sqlx::query_as("PRAGMA foreign_keys").fetch_one(&mut connection).await?;
                assert_eq!(after.0 == 1, on);
                let after: (i64,) =
                    sqlx::query_as("PRAGMA busy_timeout").fetch_one(&mut connection).await?;
                assert_eq!(after.0, 1234);
                ctx.db.execute("UPDATE jetbase_lock SET is_locked = 1, process_id = '0b8f4a62-5d3e-4c1b-9a77-2f60d1c3e84a'").await?;
                jetbase::unlock(&set(&[A]), &mut connection).await?;
                let after: (i64,) =
                    sqlx::query_as("PRAGMA busy_timeout").fetch_one(&mut connection).await?;
                assert_eq!(after.0, 1234);
                connection.close().await?;
            }
        }
    }
    Ok(())
}

async fn sql_mode(ctx: TestContext) -> TestResult {
    let mode = "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES";
    ctx.db.admin(&format!("SET GLOBAL sql_mode = '{mode}'")).await?;
    let server = ctx.db.value("SELECT @@GLOBAL.sql_mode").await?.ok_or("no mode")?;
    let files = [
        (
            "V1__it's.sql",
            "CREATE TABLE \"t;1\" (body VARCHAR(100), mode VARCHAR(500));\nINSERT INTO \"t;1\" VALUES ('one\\', @@sql_mode);\nINSERT INTO \"t;1\" VALUES ('C:\\new', @@sql_mode);\n",
        ),
        ("V2__back\\slash.sql", "INSERT INTO \"t;1\" VALUES ('three', @@sql_mode);\n"),
    ];
    let pool = MySqlPool::connect(&ctx.db.url).await?;
    assert_eq!(jetbase::run(&set(&files), &pool).await?.applied.len(), 2);
    pool.close().await;
    let rows = ctx.db.rows("SELECT body, mode FROM `t;1`").await?;
    let row = |body: &str| vec![Some(body.to_owned()), Some(server.clone())];
    assert_eq!(rows, [row("one\\"), row("C:\\new"), row("three")]);
    let names =
        ctx.db.rows("SELECT filename, description FROM jetbase_migrations ORDER BY 1").await?;
    let name = |file: &str, text: &str| vec![Some(file.to_owned()), Some(text.to_owned())];
    assert_eq!(names, [name("V1__it's.sql", "it's"), name("V2__back\\slash.sql", "back\\slash")]);
    Ok(())
}

async fn sql_mode_of_the_caller(ctx: TestContext) -> TestResult {
    // In the caller's mode, `"` quotes names. Files run in the default mode of the server.
    let text = "CREATE TABLE t (body VARCHAR(100));\nINSERT INTO t VALUES (\"it\\\"s; one\");\nINSERT INTO t VALUES ('C:\\\\');\n";
    let mut connection = MySqlConnection::connect(&ctx.db.url).await?;
    sqlx::raw_sql("SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'")
        .execute(&mut connection)
        .await?;
    jetbase::run(&set(&[("V1__t.sql", text)]), &mut connection).await?;
    let rows = ctx.db.rows("SELECT body FROM t").await?;
    assert_eq!(rows, [[Some("it\"s; one".to_owned())], [Some("C:\\".to_owned())]]);
    let hook = MySqlPoolOptions::new().after_connect(|connection, _| {
        Box::pin(async move {
            connection.execute("SET SESSION sql_mode = 'ANSI_QUOTES'").await.map(drop)
        })
    });
    let pool = hook.connect(&ctx.db.url).await?;
    let more = ("V2__t.sql", "INSERT INTO t VALUES (\"x; y\");\n");
    assert_eq!(jetbase::run(&set(&[("V1__t.sql", text), more]), &pool).await?.applied.len(), 1);
    Ok(())
}
