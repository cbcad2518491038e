//! The schema that a run works in.

use jetbase::DatabaseUrl;
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};
use sqlx::Connection;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;

use super::{A, B, drop_roles, namespace_refusal, role, schemas};
use crate::apply::set;

// The macro accepts two folders for one schema, because they may be for two databases.
jetbase::embed! { mod orders = "tests/fixtures/recorded", schema = "app", dialect = postgres }
jetbase::embed! { mod billing = "tests/fixtures/accepted-late", schema = "app", dialect = postgres }

pub(super) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    let postgres = &[DatabaseKind::Postgres][..];
    suite.each(
        "a_run_refuses_an_open_transaction_and_keeps_it_usable",
        DatabaseKind::ALL,
        nothing,
        transactions,
    );
    suite.each(
        "a_refused_transaction_keeps_its_role_and_settings",
        postgres,
        nothing,
        kept_settings,
    );
    suite.each("a_run_works_in_a_named_schema", DatabaseKind::SERVERS, nothing, named_schema);
    suite.each("an_error_names_a_missing_schema", DatabaseKind::ALL, nothing, missing_schema);
    suite.each("a_run_refuses_a_second_set_in_a_schema", postgres, nothing, second_set);
    suite.each(
        "a_run_refuses_a_new_schema_at_the_start_of_the_search_path",
        postgres,
        nothing,
        schema_in_front,
    );
    suite.each("a_run_refuses_an_empty_search_path", postgres, nothing, empty_search_path);
}

const INSIDE: &str = "the connection is inside a transaction, and a migration needs its own; \
                      commit the transaction, or pass the pool";

/// Tries to run in a transaction of sqlx and in one that SQL began, with and without tables. Both
/// transactions stay usable.
macro_rules! transactions {
    ($set:expr, $kind:expr, $Connection:ty, $url:expr) => {{
        for round in 0..2 {
            let mut connection = <$Connection>::connect($url).await?;
            let mut tx = connection.begin().await?;
            assert_eq!(namespace_refusal(jetbase::run($set, &mut *tx).await)?, INSIDE, "{round}");
            sqlx::raw_sql("CREATE TEMPORARY TABLE mine (id INTEGER)").execute(&mut *tx).await?;
            tx.commit().await?;
            sqlx::raw_sql("INSERT INTO mine (id) VALUES (1)").execute(&mut connection).await?;

            sqlx::raw_sql("BEGIN").execute(&mut connection).await?;
            sqlx::raw_sql("INSERT INTO mine (id) VALUES (2)").execute(&mut connection).await?;
            assert_eq!(
                namespace_refusal(jetbase::run($set, &mut connection).await)?,
                INSIDE,
                "{round}"
            );
            // PostgreSQL aborts a transaction that queries a missing table.
            if round == 1 || $kind != DatabaseKind::Postgres {
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
            // The second round has tables and one more pending file.
            jetbase::run(&set(&[A]), DatabaseUrl($url)).await?;
        }
        let mut connection = <$Connection>::connect($url).await?;
        assert_eq!(jetbase::run($set, &mut connection).await?.applied.len(), 1);
    }};
}

async fn transactions(ctx: TestContext) -> TestResult {
    let set_of_two = set(&[A, B]);
    match ctx.kind {
        DatabaseKind::Postgres => transactions!(&set_of_two, ctx.kind, PgConnection, &ctx.db.url),
        DatabaseKind::Mysql => transactions!(&set_of_two, ctx.kind, MySqlConnection, &ctx.db.url),
        DatabaseKind::Sqlite => transactions!(&set_of_two, ctx.kind, SqliteConnection, &ctx.db.url),
    }
    Ok(())
}

async fn kept_settings(ctx: TestContext) -> TestResult {
    let own = set(&[A]);
    jetbase::run(&own, DatabaseUrl(&ctx.db.url)).await?;
    let mut connection = PgConnection::connect(&ctx.db.url).await?;
    let own_settings = "BEGIN; SET LOCAL lock_timeout = '7s'; SET LOCAL statement_timeout = '8s'; SET LOCAL search_path = public";
    sqlx::raw_sql(own_settings).execute(&mut connection).await?;
    let settings = "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) || ' ' || current_user || ' '
  || coalesce(current_setting('jetbase.schema', true), '') FROM pg_settings
  WHERE name IN ('lock_timeout', 'statement_timeout', 'transaction_timeout', 'search_path', 'row_security')";
    let before: String = sqlx::query_scalar(settings).fetch_one(&mut connection).await?;
    assert!(before.contains("lock_timeout=7000"), "{before}");
    let refusal = jetbase::run(&own, &mut connection).role("pg_monitor").await;
    assert_eq!(namespace_refusal(refusal)?, INSIDE);
    let after: String = sqlx::query_scalar(settings).fetch_one(&mut connection).await?;
    assert_eq!(after, before);
    Ok(())
}

async fn named_schema(ctx: TestContext) -> TestResult {
    let other = match ctx.kind {
        DatabaseKind::Mysql => ctx.another().await?.name,
        _ => "Other \"schema\"".to_owned(),
    };
    if ctx.kind == DatabaseKind::Postgres {
        ctx.db.execute("CREATE SCHEMA \"Other \"\"schema\"\"\"").await?;
    }
    let set = set(&[A, B]);
    let report = jetbase::run(&set, DatabaseUrl(&ctx.db.url)).schema(&other).await?;
    assert_eq!(report.applied.len(), 2);
    let places = "SELECT table_schema FROM information_schema.tables \
                  WHERE table_name IN ('a', 'b', 'jetbase_migrations', 'jetbase_lock') AND table_schema IN ";
    let places = match ctx.kind {
        DatabaseKind::Mysql => format!("{places} ('{}', '{other}')", ctx.db.name),
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

async fn second_set(ctx: TestContext) -> TestResult {
    let (db, other) = (&ctx.db, ctx.another().await?);
    for db in [db, &other] {
        db.execute("CREATE SCHEMA app").await?;
    }
    assert_eq!(orders::run(DatabaseUrl(&db.url)).await?.applied.len(), 5);
    let error = billing::run(DatabaseUrl(&db.url)).await.expect_err("the schema has another set");
    let text = error.to_string();
    assert!(
        text.starts_with("version 1 was recorded from another set (V1__users.sql, not V1__a.sql)")
            && text.contains(
                "give this set its own schema with `schema = \"…\"`, or its own database"
            ),
        "{text}"
    );
    assert_eq!(billing::run(DatabaseUrl(&other.url)).await?.applied.len(), 2);
    Ok(())
}

async fn missing_schema(ctx: TestContext) -> TestResult {
    let set = set(&[A]);
    let name = format!("no_such_{}", std::process::id());
    let error = jetbase::run(&set, DatabaseUrl(&ctx.db.url))
        .schema(&name)
        .await
        .expect_err("there is none");
    let text = format!("{error:#}");
    assert!(text.contains(&name), "{text}");
    let remedy = match ctx.kind {
        DatabaseKind::Postgres => "CREATE SCHEMA \"no_such_",
        DatabaseKind::Mysql => "CREATE DATABASE `no_such_",
        DatabaseKind::Sqlite => "SQLite",
    };
    assert!(text.contains(remedy), "{text}");
    assert!(ctx.db.rows("SELECT * FROM a").await.is_err(), "the migration ran");
    assert!(
        ctx.db.rows("SELECT * FROM jetbase_migrations").await.is_err(),
        "tables were created elsewhere"
    );
    Ok(())
}

async fn schema_in_front(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let user = role(db, "user", "LOGIN PASSWORD 'x'").await?;
    db.execute(&format!("GRANT ALL ON SCHEMA public TO {user}")).await?;
    let url = db.url_as(&user, "x");
    jetbase::run(&set(&[A]), DatabaseUrl(&url)).await?;
    assert_eq!(schemas(db).await?, ["public"]);

    db.execute(&format!("CREATE SCHEMA {user} AUTHORIZATION {user}")).await?;
    let two = set(&[A, B]);
    let text = namespace_refusal(jetbase::run(&two, DatabaseUrl(&url)).await)?;
    assert!(
        text.contains("the schema `public`") && text.contains(&format!("would go to `{user}`")),
        "{text}"
    );
    assert!(text.contains("schema"), "{text}");
    assert_eq!(schemas(db).await?, ["public"]);
    assert!(
        db.rows(&format!("SELECT * FROM {user}.b")).await.is_err(),
        "a table was created in the wrong schema"
    );
    // The queries refuse too, because an empty history would be incorrect.
    assert!(jetbase::history(&two, DatabaseUrl(&url)).await.is_err());
    assert!(jetbase::lock_status(&two, DatabaseUrl(&url)).await.is_err());

    // A named schema is used.
    assert_eq!(jetbase::run(&two, DatabaseUrl(&url)).schema("public").await?.applied.len(), 1);
    assert_eq!(db.value("SELECT count(*) FROM public.b").await?.as_deref(), Some("0"));
    drop_roles(db, &[&user]).await
}

async fn empty_search_path(ctx: TestContext) -> TestResult {
    ctx.db.execute(&format!("ALTER DATABASE {} SET search_path = nowhere", ctx.db.name)).await?;
    let text = namespace_refusal(jetbase::run(&set(&[A]), DatabaseUrl(&ctx.db.url)).await)?;
    assert!(text.starts_with("no schema of the search path (nowhere) exists"), "{text}");
    assert!(schemas(&ctx.db).await?.is_empty());
    assert_eq!(
        jetbase::run(&set(&[A]), DatabaseUrl(&ctx.db.url)).schema("public").await?.applied.len(),
        1
    );
    Ok(())
}
