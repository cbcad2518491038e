use jetbase::{DatabaseUrl, ErrorKind, Kept, Migrations};
use sqlx::mysql::{MySqlConnection, MySqlPool, MySqlPoolOptions};
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::apply::set;
use crate::harness::{Context, Database, Error, Kind, Needs, Suite, TestResult};

pub(crate) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    let postgres = &[Kind::Postgres][..];
    let mysql = &[Kind::Mysql][..];
    let sqlite = &[Kind::Sqlite][..];
    suite.each("refuses_a_transaction_and_leaves_it_usable", Kind::ALL, nothing, transactions);
    suite.each("works_in_a_named_schema", Kind::SERVERS, nothing, named_schema);
    suite.each("names_a_missing_schema", Kind::ALL, nothing, missing_schema);
    suite.each(
        "refuses_a_role_where_there_are_none",
        &[Kind::Sqlite, Kind::Mysql],
        nothing,
        no_roles,
    );
    suite.each("what_a_file_sets_reaches_nobody_else", Kind::SERVERS, nothing, settings_of_a_file);
    suite.each("the_settings_of_a_caller_survive", Kind::ALL, nothing, settings_of_a_caller);

    suite.each("refuses_a_schema_that_appeared_in_front", postgres, nothing, schema_in_front);
    suite.each("refuses_an_empty_search_path", postgres, nothing, empty_search_path);
    suite.each("becomes_the_role_of_the_pools_connections", postgres, nothing, role_of_the_pool);
    suite.each("works_as_a_named_role", postgres, nothing, named_role);
    suite.each("refuses_a_role_that_it_may_not_take", postgres, nothing, role_refused);
    suite.each("does_not_take_hidden_rows_for_missing_ones", postgres, nothing, hidden_rows);
    suite.each("settings_of_a_role_do_not_decide", postgres, nothing, settings_of_a_role);
    suite.each("a_dump_harms_neither_the_next_file_nor_the_caller", postgres, nothing, dump);
    suite.each("follows_standard_conforming_strings", postgres, nothing, conforming);

    suite.each("migrations_see_the_sql_mode_of_the_server", mysql, Needs::OWN_SERVER, sql_mode);
    suite.each(
        "a_session_of_the_caller_is_cut_as_it_is_executed",
        mysql,
        nothing,
        sql_mode_of_the_caller,
    );

    suite.each("a_rebuilt_table_keeps_its_children", sqlite, nothing, rebuild);
    suite.each("refuses_to_leave_rows_without_parents", sqlite, nothing, orphans);
    suite.each("tolerates_rows_that_had_no_parents_before", sqlite, nothing, old_orphans);
    suite.each("works_in_memory", sqlite, nothing, memory);
}

const A: (&str, &str) = ("V1__a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);\n");
const B: (&str, &str) = ("V2__b.sql", "CREATE TABLE b (id INTEGER PRIMARY KEY);\n");

/// Returns the text of an error about the namespace or about the tables.
fn refusal(result: Result<jetbase::Report, jetbase::Error>) -> Result<String, Error> {
    match result {
        Ok(report) => Err(format!("it was not refused: {report}").into()),
        Err(error) if matches!(error.kind(), ErrorKind::Namespace(_) | ErrorKind::Table(_)) => {
            Ok(format!("{error:#}"))
        }
        Err(error) => Err(format!("another error: {error:#}").into()),
    }
}

/// The schemas that have a table of ours.
async fn schemas(db: &Database) -> Result<Vec<String>, Error> {
    let rows = db
        .rows(
            "SELECT DISTINCT table_schema FROM information_schema.tables \
             WHERE table_name IN ('jetbase_migrations', 'jetbase_lock') ORDER BY 1",
        )
        .await?;
    Ok(rows.into_iter().flatten().flatten().collect())
}

/// Makes a PostgreSQL role whose name no other test uses.
async fn role(db: &Database, what: &str, options: &str) -> Result<String, Error> {
    let name = format!("{}_{what}", db.name);
    db.admin(&format!("CREATE ROLE {name} {options}")).await?;
    Ok(name)
}

/// Drops roles, with what they own in the test's database.
async fn forget(db: &Database, roles: &[&str]) -> TestResult {
    for role in roles {
        db.execute(&format!("DROP OWNED BY {role} CASCADE")).await?;
        db.admin(&format!("DROP ROLE {role}")).await?;
    }
    Ok(())
}

const INSIDE: &str = "the connection is inside a transaction, and a migration needs its own; \
                      commit the transaction, or pass the pool";

/// Runs on a transaction of sqlx and on one begun by hand, with tables and without, and uses both afterwards.
macro_rules! transactions {
    ($set:expr, $kind:expr, $Connection:ty, $url:expr) => {{
        for round in 0..2 {
            let mut connection = <$Connection>::connect($url).await?;
            let mut tx = connection.begin().await?;
            assert_eq!(refusal(jetbase::run($set, &mut *tx).await)?, INSIDE, "{round}");
            sqlx::raw_sql("CREATE TEMPORARY TABLE mine (id INTEGER)").execute(&mut *tx).await?;
            tx.commit().await?;
            sqlx::raw_sql("INSERT INTO mine (id) VALUES (1)").execute(&mut connection).await?;

            sqlx::raw_sql("BEGIN").execute(&mut connection).await?;
            sqlx::raw_sql("INSERT INTO mine (id) VALUES (2)").execute(&mut connection).await?;
            assert_eq!(refusal(jetbase::run($set, &mut connection).await)?, INSIDE, "{round}");
            // Where there is no table yet, PostgreSQL aborts the transaction that asked for it.
            if round == 1 || $kind != Kind::Postgres {
                let rows = sqlx::raw_sql("SELECT id FROM mine").fetch_all(&mut connection).await?;
                assert_eq!(rows.len(), 2, "{round}");
            }
            sqlx::raw_sql("ROLLBACK").execute(&mut connection).await?;
            let rows = sqlx::raw_sql("SELECT id FROM mine").fetch_all(&mut connection).await?;
            assert_eq!(
                rows.len(),
                1,
                "{round}: the transaction did not end with the caller's ROLLBACK"
            );
            connection.close().await?;
            // The second round finds tables, and one more file pending.
            jetbase::run(&set(&[A]), DatabaseUrl($url)).await?;
        }
        let mut connection = <$Connection>::connect($url).await?;
        assert_eq!(jetbase::run($set, &mut connection).await?.applied.len(), 1);
    }};
}

async fn transactions(ctx: Context) -> TestResult {
    let set_of_two = set(&[A, B]);
    match ctx.kind {
        Kind::Postgres => transactions!(&set_of_two, ctx.kind, PgConnection, &ctx.db.url),
        Kind::Mysql => transactions!(&set_of_two, ctx.kind, MySqlConnection, &ctx.db.url),
        Kind::Sqlite => transactions!(&set_of_two, ctx.kind, SqliteConnection, &ctx.db.url),
    }
    Ok(())
}

async fn named_schema(ctx: Context) -> TestResult {
    let other = match ctx.kind {
        Kind::Mysql => ctx.another().await?.name,
        _ => "Other \"schema\"".to_owned(),
    };
    if ctx.kind == Kind::Postgres {
        ctx.db.execute("CREATE SCHEMA \"Other \"\"schema\"\"\"").await?;
    }
    let set = set(&[A, B]);
    let report = jetbase::run(&set, DatabaseUrl(&ctx.db.url)).schema(&other).await?;
    assert_eq!(report.applied.len(), 2);
    let places = "SELECT table_schema FROM information_schema.tables \
                  WHERE table_name IN ('a', 'b', 'jetbase_migrations', 'jetbase_lock') AND table_schema IN ";
    let places = match ctx.kind {
        Kind::Mysql => format!("{places} ('{}', '{other}')", ctx.db.name),
        _ => format!("{places} ('public', '{other}')"),
    };
    let found = ctx.db.rows(&places).await?;
    assert_eq!(found, vec![vec![Some(other.clone())]; 4]);
    assert!(jetbase::run(&set, DatabaseUrl(&ctx.db.url)).schema(&other).await?.is_up_to_date());
    assert_eq!(
        jetbase::history(&set, DatabaseUrl(&ctx.db.url)).schema(&other).await?.records.len(),
        2
    );
    assert!(jetbase::history(&set, DatabaseUrl(&ctx.db.url)).await?.records.is_empty());
    let status = jetbase::lock_status(&set, DatabaseUrl(&ctx.db.url)).schema(&other).await?;
    assert_eq!(status.to_string(), "Status: UNLOCKED");
    Ok(())
}

async fn no_roles(ctx: Context) -> TestResult {
    let text = refusal(jetbase::run(&set(&[A]), DatabaseUrl(&ctx.db.url)).role("somebody").await)?;
    assert!(text.starts_with("the role `somebody` cannot be set"), "{text}");
    assert!(ctx.db.rows("SELECT * FROM a").await.is_err(), "the migration ran all the same");
    Ok(())
}

async fn missing_schema(ctx: Context) -> TestResult {
    let set = set(&[A]);
    let name = format!("no_such_{}", std::process::id());
    let error = jetbase::run(&set, DatabaseUrl(&ctx.db.url))
        .schema(&name)
        .await
        .expect_err("there is none");
    let text = format!("{error:#}");
    assert!(text.contains(&name), "{text}");
    let cure = match ctx.kind {
        Kind::Postgres => "CREATE SCHEMA \"no_such_",
        Kind::Mysql => "CREATE DATABASE `no_such_",
        Kind::Sqlite => "SQLite",
    };
    assert!(text.contains(cure), "{text}");
    assert!(ctx.db.rows("SELECT * FROM a").await.is_err(), "the migration ran all the same");
    assert!(
        ctx.db.rows("SELECT * FROM jetbase_migrations").await.is_err(),
        "tables were made elsewhere"
    );
    Ok(())
}

async fn schema_in_front(ctx: Context) -> TestResult {
    let db = &ctx.db;
    let user = role(db, "user", "LOGIN PASSWORD 'x'").await?;
    db.execute(&format!("GRANT ALL ON SCHEMA public TO {user}")).await?;
    let url = db.url_as(&user, "x");
    jetbase::run(&set(&[A]), DatabaseUrl(&url)).await?;
    assert_eq!(schemas(db).await?, ["public"]);

    db.execute(&format!("CREATE SCHEMA {user} AUTHORIZATION {user}")).await?;
    let two = set(&[A, B]);
    let text = refusal(jetbase::run(&two, DatabaseUrl(&url)).await)?;
    assert!(
        text.contains("the schema `public`") && text.contains(&format!("would go to `{user}`")),
        "{text}"
    );
    assert!(text.contains("schema"), "{text}");
    assert_eq!(schemas(db).await?, ["public"]);
    assert!(
        db.rows(&format!("SELECT * FROM {user}.b")).await.is_err(),
        "a table was made in the wrong schema"
    );
    // The readers refuse as well: an empty history would be a lie.
    assert!(jetbase::history(&two, DatabaseUrl(&url)).await.is_err());
    assert!(jetbase::lock_status(&two, DatabaseUrl(&url)).await.is_err());

    // Whoever names a schema is obeyed.
    assert_eq!(jetbase::run(&two, DatabaseUrl(&url)).schema("public").await?.applied.len(), 1);
    assert_eq!(db.value("SELECT count(*) FROM public.b").await?.as_deref(), Some("0"));
    forget(db, &[&user]).await
}

async fn empty_search_path(ctx: Context) -> TestResult {
    ctx.db.execute(&format!("ALTER DATABASE {} SET search_path = nowhere", ctx.db.name)).await?;
    let text = refusal(jetbase::run(&set(&[A]), DatabaseUrl(&ctx.db.url)).await)?;
    assert!(text.starts_with("no schema of the search path (nowhere) exists"), "{text}");
    assert!(schemas(&ctx.db).await?.is_empty());
    assert_eq!(
        jetbase::run(&set(&[A]), DatabaseUrl(&ctx.db.url)).schema("public").await?.applied.len(),
        1
    );
    Ok(())
}

async fn role_of_the_pool(ctx: Context) -> TestResult {
    let db = &ctx.db;
    let owner = role(db, "owner", "NOLOGIN").await?;
    db.execute(&format!("CREATE SCHEMA app AUTHORIZATION {owner}")).await?;
    let hook = format!("SET ROLE {owner}; SET search_path TO app");
    let pool = PgPoolOptions::new().max_connections(3).after_connect(move |connection, _| {
        let hook = hook.clone();
        Box::pin(
            async move { sqlx::raw_sql(AssertSqlSafe(hook)).execute(connection).await.map(drop) },
        )
    });
    let pool = pool.connect(&db.url).await?;
    let off =
        ("V3__c.sql", "-- jetbase: transaction=off\nCREATE TABLE c (id INTEGER);\nVACUUM c;\n");
    for (set, applied) in [(set(&[A]), 1), (set(&[A, B, off]), 2), (set(&[A, B, off]), 0)] {
        assert_eq!(jetbase::run(&set, &pool).await?.applied.len(), applied);
    }
    let tables = db
        .rows(
            "SELECT tablename, schemaname, tableowner FROM pg_tables \
             WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
        )
        .await?;
    let expected = ["a", "b", "c", "jetbase_lock", "jetbase_migrations"];
    let own = |name: &str| [name, "app", &owner].map(|text| Some(text.to_owned())).to_vec();
    assert_eq!(tables, expected.map(own).to_vec());
    pool.close().await;
    forget(db, &[&owner]).await
}

async fn named_role(ctx: Context) -> TestResult {
    let db = &ctx.db;
    let owner = role(db, "owner", "NOLOGIN").await?;
    db.execute(&format!("GRANT ALL ON SCHEMA public TO {owner}")).await?;
    let set = set(&[A, B]);
    assert_eq!(jetbase::run(&set, DatabaseUrl(&db.url)).role(&owner).await?.applied.len(), 2);
    let owners =
        db.rows("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'").await?;
    assert_eq!(owners, [[Some(owner.clone())]]);
    forget(db, &[&owner]).await
}

async fn role_refused(ctx: Context) -> TestResult {
    let db = &ctx.db;
    let owner = role(db, "owner", "NOLOGIN").await?;
    let user = role(db, "user", "LOGIN PASSWORD 'x'").await?;
    db.execute(&format!("GRANT ALL ON SCHEMA public TO {owner}; GRANT {owner} TO {user}")).await?;
    let hook = format!("SET ROLE {owner}");
    let pool = PgPoolOptions::new().min_connections(1).max_connections(2).after_connect(
        move |connection, _| {
            let hook = hook.clone();
            Box::pin(async move {
                sqlx::raw_sql(AssertSqlSafe(hook)).execute(connection).await.map(drop)
            })
        },
    );
    let pool = pool.connect(&db.url_as(&user, "x")).await?;
    // What the pool's connection has become, a new one may not become any more.
    db.execute(&format!("REVOKE {owner} FROM {user}")).await?;
    let text = refusal(jetbase::run(&set(&[A]), &pool).await)?;
    assert!(text.contains(&format!("`{owner}`")) && text.contains(&format!("`{user}`")), "{text}");
    assert!(schemas(db).await?.is_empty());
    pool.close().await;
    // The same holds for a role that is named.
    let text =
        refusal(jetbase::run(&set(&[A]), DatabaseUrl(&db.url_as(&user, "x"))).role(&owner).await)?;
    assert!(text.contains(&format!("GRANT \"{owner}\" TO \"{user}\"")), "{text}");
    assert!(schemas(db).await?.is_empty());
    forget(db, &[&user, &owner]).await
}

async fn hidden_rows(ctx: Context) -> TestResult {
    let db = &ctx.db;
    let owner = role(db, "owner", "LOGIN PASSWORD 'x'").await?;
    let reader = role(db, "reader", "LOGIN PASSWORD 'x'").await?;
    db.execute(&format!("GRANT ALL ON SCHEMA public TO {owner}")).await?;
    let owners = db.url_as(&owner, "x");
    jetbase::run(&set(&[A]), DatabaseUrl(&owners)).await?;
    db.execute(&format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {reader}")).await?;
    let readers = db.url_as(&reader, "x");
    let two = set(&[A, B]);
    let sentence = "row-level security hides rows of jetbase_migrations from this user";
    for (rules, url) in [("ENABLE", &readers), ("FORCE", &owners)] {
        db.execute(&format!("ALTER TABLE jetbase_migrations {rules} ROW LEVEL SECURITY")).await?;
        let run = jetbase::run(&two, DatabaseUrl(url)).trust_owner(&owner);
        let text = refusal(run.await)?;
        assert!(text.starts_with(sentence), "{text}");
        let pool = PgPool::connect(url).await?;
        let text = refusal(jetbase::run(&two, &pool).trust_owner(&owner).await)?;
        assert!(text.starts_with(sentence), "{text}");
        let check = jetbase::check(&two, &pool).trust_owner(&owner);
        let error = check.await.expect_err("rows are hidden");
        assert!(format!("{error:#}").starts_with(sentence), "{error:#}");
        pool.close().await;
    }
    assert!(db.rows("SELECT * FROM b").await.is_err(), "a migration ran");
    assert_eq!(db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(), Some("1"));
    forget(db, &[&reader, &owner]).await
}

async fn settings_of_a_role(ctx: Context) -> TestResult {
    let db = &ctx.db;
    let user = role(db, "user", "LOGIN PASSWORD 'x'").await?;
    db.execute(&format!("GRANT ALL ON SCHEMA public TO {user}")).await?;
    for setting in [
        "default_transaction_read_only = on",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_deferrable = on",
        "statement_timeout = '20ms'",
        "lock_timeout = '1ms'",
        "idle_in_transaction_session_timeout = '1ms'",
        "row_security = off",
        "client_min_messages = 'debug1'",
        "quote_all_identifiers = on",
        "bytea_output = 'escape'",
        "datestyle = 'German, DMY'",
        "intervalstyle = 'sql_standard'",
    ] {
        db.admin(&format!("ALTER ROLE {user} SET {setting}")).await?;
    }
    let url = db.url_as(&user, "x");
    let slow = (
        "V2__slow.sql",
        "CREATE TABLE seen AS SELECT current_setting('transaction_isolation') AS level,\n  current_setting('transaction_read_only') AS ro;\nSELECT pg_sleep(0.1);\n",
    );
    let off = (
        "V3__off.sql",
        "-- jetbase: transaction=off\nSELECT pg_sleep(0.1);\nINSERT INTO a (id) VALUES (1);\n",
    );
    jetbase::run(&set(&[A]), DatabaseUrl(&url)).await?;
    let three = set(&[A, slow, off]);
    assert_eq!(jetbase::run(&three, DatabaseUrl(&url)).await?.applied.len(), 2);
    assert_eq!(
        db.rows("SELECT level, ro FROM seen").await?,
        [[Some("read committed".to_owned()), Some("off".to_owned())]]
    );
    assert_eq!(jetbase::history(&three, DatabaseUrl(&url)).await?.records.len(), 3);
    let pool = PgPool::connect(&url).await?;
    assert_eq!(
        jetbase::rollback(
            &set(&[A, slow, ("V3__off.sql", &format!("{}-- rollback\n", off.1))]),
            &pool
        )
        .await?
        .applied
        .len(),
        1
    );
    assert_eq!(jetbase::lock_status(&three, &pool).await?.to_string(), "Status: UNLOCKED");
    db.execute("UPDATE jetbase_lock SET is_locked = TRUE, process_id = '0b8f4a62-5d3e-4c1b-9a77-2f60d1c3e84a'").await?;
    assert!(jetbase::unlock(&three, &pool).await?.holder.is_some());
    assert_eq!(db.value("SELECT is_locked FROM jetbase_lock").await?.as_deref(), Some("0"));
    pool.close().await;
    forget(db, &[&user]).await
}

/// What a session shows of itself.
const SHOWN: &str = "current_user::text || ' ' || session_user || ' ' || current_setting('search_path') || ' ' || \
                     current_setting('statement_timeout') || ' ' || current_setting('TimeZone') || ' ' || \
                     current_setting('role') || ' ' || current_setting('row_security') || ' ' || \
                     current_setting('check_function_bodies') || ' ' || current_setting('xmloption') || ' ' || \
                     current_setting('default_tablespace') || ' ' || current_setting('client_min_messages')";

async fn dump(ctx: Context) -> TestResult {
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
    let shown = |number: u32| format!("CREATE TABLE shown_{number} AS SELECT {SHOWN} AS line;\n");
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

    // On a connection of the caller, who has settings of its own.
    let mut connection = PgConnection::connect(&db.url).await?;
    let own = format!(
        "SET search_path TO app, public; SET statement_timeout = '77s'; SET TIME ZONE 'Europe/Berlin'; SET ROLE {mine}; \
         SET check_function_bodies = off; SET my.setting = 'mine'"
    );
    sqlx::raw_sql(AssertSqlSafe(own)).execute(&mut connection).await?;
    let look = format!(
        "SELECT {SHOWN} || ' ' || current_setting('my.setting') || ' ' || current_setting('DateStyle') || ' ' || current_setting('default_transaction_read_only')"
    );
    let before: String =
        sqlx::query_scalar(AssertSqlSafe(look.clone())).fetch_one(&mut connection).await?;
    let error = jetbase::run(&set, &mut connection).await.expect_err("V5 divides by zero");
    assert_eq!(error.report().applied.len(), 4, "{error:#}");
    let after: String =
        sqlx::query_scalar(AssertSqlSafe(look.clone())).fetch_one(&mut connection).await?;
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

    // On a pool: the run's own connection is like a fresh one for each file.
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
    forget(&ctx.db, &[&other, &mine]).await
}

async fn conforming(ctx: Context) -> TestResult {
    ctx.db
        .execute(&format!("ALTER DATABASE {} SET standard_conforming_strings = off", ctx.db.name))
        .await?;
    let text = "CREATE TABLE t (body TEXT);\nINSERT INTO t VALUES ('it\\'s; one');\nINSERT INTO t VALUES ('two');\n";
    jetbase::run(&set(&[("V1__t.sql", text)]), DatabaseUrl(&ctx.db.url)).await?;
    let rows = ctx.db.rows("SELECT body FROM t ORDER BY body").await?;
    assert_eq!(rows, [[Some("it's; one".to_owned())], [Some("two".to_owned())]]);
    Ok(())
}

async fn settings_of_a_file(ctx: Context) -> TestResult {
    let other = ctx.another().await?.name;
    let (sets, shown) = match ctx.kind {
        Kind::Mysql => (
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

async fn settings_of_a_caller(ctx: Context) -> TestResult {
    match ctx.kind {
        Kind::Mysql => {
            let other = ctx.another().await?.name;
            let text = format!(
                "CREATE TABLE t (id INTEGER);\nUSE {other};\nSET sql_mode = '', time_zone = '+07:00', foreign_key_checks = 0;\nSET NAMES latin1;\n"
            );
            let mut connection = MySqlConnection::connect(&ctx.db.url).await?;
            let own = "SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES', time_zone = '+03:00', unique_checks = 0, \
                       sql_safe_updates = 1, lock_wait_timeout = 77, innodb_lock_wait_timeout = 33, max_statement_time = 44";
            sqlx::raw_sql(own).execute(&mut connection).await?;
            let look = "SELECT CONCAT_WS(' ', DATABASE(), @@sql_mode, @@time_zone, @@foreign_key_checks, @@unique_checks, \
                        @@sql_safe_updates, @@lock_wait_timeout, @@innodb_lock_wait_timeout, @@max_statement_time, \
                        @@character_set_client, @@collation_connection, @@autocommit)";
            let before: String = sqlx::query_scalar(look).fetch_one(&mut connection).await?;
            jetbase::run(&set(&[("V1__t.sql", &text)]), &mut connection).await?;
            let after: String = sqlx::query_scalar(look).fetch_one(&mut connection).await?;
            assert_eq!(after, before);
            assert_eq!(
                jetbase::lock_status(&set(&[A]), &mut connection).await?.to_string(),
                "Status: UNLOCKED"
            );
            jetbase::unlock(&set(&[A]), &mut connection).await?;
            let after: String = sqlx::query_scalar(look).fetch_one(&mut connection).await?;
            assert_eq!(after, before);
        }
        Kind::Postgres => {
            let mut connection = PgConnection::connect(&ctx.db.url).await?;
            sqlx::raw_sql("SET statement_timeout = '77s'; SET lock_timeout = '33s'; SET idle_session_timeout = '44min'; SET application_name = 'mine'")
                .execute(&mut connection)
                .await?;
            let look = "SELECT concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'), \
                        current_setting('idle_session_timeout'), current_setting('idle_in_transaction_session_timeout'), \
                        current_setting('application_name'), current_setting('TimeZone'), current_setting('search_path'), \
                        current_setting('row_security'))";
            let before: String = sqlx::query_scalar(look).fetch_one(&mut connection).await?;
            let off = ("V2__off.sql", "-- jetbase: transaction=off\nVACUUM a;\n");
            jetbase::run(&set(&[A, off]), &mut connection).await?;
            assert_eq!(
                before,
                sqlx::query_scalar::<_, String>(look).fetch_one(&mut connection).await?
            );
            ctx.db.execute("UPDATE jetbase_lock SET is_locked = TRUE, process_id = '0b8f4a62-5d3e-4c1b-9a77-2f60d1c3e84a'").await?;
            jetbase::unlock(&set(&[A]), &mut connection).await?;
            assert_eq!(
                before,
                sqlx::query_scalar::<_, String>(look).fetch_one(&mut connection).await?
            );
        }
        Kind::Sqlite => {
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

async fn sql_mode(ctx: Context) -> TestResult {
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

async fn sql_mode_of_the_caller(ctx: Context) -> TestResult {
    // The caller reads `"` as quotes of names, the server's default does not: files run under the latter.
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

const FAMILY: (&str, &str) = (
    "V1__family.sql",
    "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);\n\
     CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parent (id) ON DELETE CASCADE);\n\
     INSERT INTO parent (id, name) VALUES (1, 'one'), (2, 'two');\n\
     INSERT INTO child (id, parent) VALUES (10, 1), (20, 2), (21, 2);\n",
);
const REBUILD: (&str, &str) = (
    "V2__rebuild.sql",
    "CREATE TABLE parent_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER);\n\
     INSERT INTO parent_new (id, name) SELECT id, name FROM parent;\n\
     DROP TABLE parent;\nALTER TABLE parent_new RENAME TO parent;\n",
);

async fn rebuild(ctx: Context) -> TestResult {
    let set = set(&[FAMILY, REBUILD]);
    let count = "SELECT count(*) FROM child JOIN parent ON parent.id = child.parent";
    // sqlx turns foreign keys on; they are on again behind the run.
    let pool = SqlitePool::connect(&ctx.db.url).await?;
    assert_eq!(jetbase::run(&set, &pool).await?.applied.len(), 2);
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&pool).await?, 3);
    assert!(
        sqlx::query("INSERT INTO child (id, parent) VALUES (30, 99)").execute(&pool).await.is_err()
    );
    sqlx::query("DELETE FROM parent WHERE id = 2").execute(&pool).await?;
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&pool).await?, 1);
    pool.close().await;

    let other = ctx.another().await?;
    let mut connection = SqliteConnection::connect(&other.url).await?;
    jetbase::run(&set, &mut connection).await?;
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut connection).await?, 3);
    assert!(
        sqlx::query("INSERT INTO child (id, parent) VALUES (30, 99)")
            .execute(&mut connection)
            .await
            .is_err()
    );

    let other = ctx.another().await?;
    jetbase::run(&set, DatabaseUrl(&other.url)).await?;
    assert_eq!(other.value(count).await?.as_deref(), Some("3"));
    Ok(())
}

async fn orphans(ctx: Context) -> TestResult {
    let bad =
        ("V2__bad.sql", "INSERT INTO parent (id) VALUES (3);\nDELETE FROM parent WHERE id = 2;\n");
    let pool = SqlitePool::connect(&ctx.db.url).await?;
    let error =
        jetbase::run(&set(&[FAMILY, bad]), &pool).await.expect_err("two rows lose their parent");
    let text = format!("{error:#}");
    assert!(text.starts_with("V2__bad.sql"), "{text}");
    assert!(
        text.contains(
            "it leaves 2 rows without their parents: child row 20 → parent, child row 21 → parent"
        ),
        "{text}"
    );
    assert!(!text.contains("commit failed"), "{text}");
    assert!(
        matches!(error.kind(), ErrorKind::Statement(failed) if failed.kept == Kept::Nothing),
        "{text}"
    );
    assert_eq!(error.report().applied.len(), 1);
    let parents: Vec<i64> =
        sqlx::query_scalar("SELECT id FROM parent ORDER BY id").fetch_all(&pool).await?;
    assert_eq!(parents, [1, 2]);
    assert_eq!(sqlx::query_scalar::<_, i64>("PRAGMA foreign_keys").fetch_one(&pool).await?, 1);
    let good =
        ("V2__bad.sql", "DELETE FROM child WHERE parent = 2;\nDELETE FROM parent WHERE id = 2;\n");
    assert_eq!(jetbase::run(&set(&[FAMILY, good]), &pool).await?.applied.len(), 1);
    Ok(())
}

async fn old_orphans(ctx: Context) -> TestResult {
    jetbase::run(&set(&[FAMILY]), DatabaseUrl(&ctx.db.url)).await?;
    ctx.db.execute("PRAGMA foreign_keys = OFF; DELETE FROM parent WHERE id = 1").await?;
    let harmless = ("V2__harmless.sql", "INSERT INTO parent (id) VALUES (7);\n");
    assert_eq!(
        jetbase::run(&set(&[FAMILY, harmless]), DatabaseUrl(&ctx.db.url)).await?.applied.len(),
        1
    );
    let bad = ("V3__bad.sql", "DELETE FROM parent WHERE id = 2;\n");
    let error = jetbase::run(&set(&[FAMILY, harmless, bad]), DatabaseUrl(&ctx.db.url))
        .await
        .expect_err("two more");
    assert!(format!("{error:#}").contains("without their parents"), "{error:#}");
    Ok(())
}

async fn memory(_ctx: Context) -> TestResult {
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    let first: Migrations = set(&[FAMILY]);
    assert_eq!(jetbase::run(&first, &pool).await?.applied.len(), 1);
    assert_eq!(jetbase::run(&set(&[FAMILY, REBUILD]), &pool).await?.applied.len(), 1);
    assert!(jetbase::run(&set(&[FAMILY, REBUILD]), &pool).await?.is_up_to_date());
    assert_eq!(
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM child").fetch_one(&pool).await?,
        3
    );
    assert_eq!(sqlx::query_scalar::<_, i64>("PRAGMA foreign_keys").fetch_one(&pool).await?, 1);
    assert_eq!(jetbase::status(&first, &pool).await?.applied.len(), 2);
    assert_eq!(jetbase::lock_status(&first, &pool).await?.to_string(), "Status: UNLOCKED");
    Ok(())
}
