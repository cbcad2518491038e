//! The role that a run works as.

use jetbase::DatabaseUrl;
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgPool, PgPoolOptions};

use super::{A, B, drop_roles, namespace_refusal, role, schemas};
use crate::apply::set;

pub(super) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    let postgres = &[DatabaseKind::Postgres][..];
    suite.each(
        "a_run_refuses_a_role_on_a_database_without_roles",
        &[DatabaseKind::Sqlite, DatabaseKind::Mysql],
        nothing,
        no_roles,
    );
    suite.each(
        "a_run_takes_the_role_of_the_pools_connections",
        postgres,
        nothing,
        role_of_the_pool,
    );
    suite.each("a_run_works_as_a_named_role", postgres, nothing, named_role);
    suite.each("a_run_refuses_a_role_that_it_may_not_take", postgres, nothing, role_refused);
    suite.each("a_run_refuses_a_history_with_hidden_rows", postgres, nothing, hidden_rows);
    suite.each("settings_of_a_role_do_not_change_a_run", postgres, nothing, settings_of_a_role);
}

async fn no_roles(ctx: TestContext) -> TestResult {
    let text =
        namespace_refusal(jetbase::run(&set(&[A]), DatabaseUrl(&ctx.db.url)).role("other").await)?;
    assert!(text.starts_with("the role `other` cannot be set"), "{text}");
    assert!(ctx.db.rows("SELECT * FROM a").await.is_err(), "the migration ran");
    Ok(())
}

async fn role_of_the_pool(ctx: TestContext) -> TestResult {
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
    let expected = ["a", "b", "c", "jetbase_journal", "jetbase_lock", "jetbase_migrations"];
    let own = |name: &str| [name, "app", &owner].map(|text| Some(text.to_owned())).to_vec();
    assert_eq!(tables, expected.map(own).to_vec());
    pool.close().await;
    drop_roles(db, &[&owner]).await
}

async fn named_role(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let owner = role(db, "owner", "NOLOGIN").await?;
    db.execute(&format!("GRANT ALL ON SCHEMA public TO {owner}")).await?;
    let set = set(&[A, B]);
    assert_eq!(jetbase::run(&set, DatabaseUrl(&db.url)).role(&owner).await?.applied.len(), 2);
    let owners =
        db.rows("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'").await?;
    assert_eq!(owners, [[Some(owner.clone())]]);
    drop_roles(db, &[&owner]).await
}

async fn role_refused(ctx: TestContext) -> TestResult {
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
    // A new connection may no longer take the role of the pool's connections.
    db.execute(&format!("REVOKE {owner} FROM {user}")).await?;
    let text = namespace_refusal(jetbase::run(&set(&[A]), &pool).await)?;
    assert!(text.contains(&format!("`{owner}`")) && text.contains(&format!("`{user}`")), "{text}");
    assert!(schemas(db).await?.is_empty());
    pool.close().await;
    // The same is true for a named role.
    let text = namespace_refusal(
        jetbase::run(&set(&[A]), DatabaseUrl(&db.url_as(&user, "x"))).role(&owner).await,
    )?;
    assert!(text.contains(&format!("GRANT \"{owner}\" TO \"{user}\"")), "{text}");
    assert!(schemas(db).await?.is_empty());
    drop_roles(db, &[&user, &owner]).await
}

async fn hidden_rows(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let owner = role(db, "owner", "LOGIN PASSWORD 'x'").await?;
    let reader = role(db, "reader", "LOGIN PASSWORD 'x'").await?;
    db.execute(&format!("GRANT ALL ON SCHEMA public TO {owner}")).await?;
    let owners = db.url_as(&owner, "x");
    jetbase::run(&set(&[A]), DatabaseUrl(&owners)).await?;
    db.execute(&format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {reader}")).await?;
    let readers = db.url_as(&reader, "x");
    let two = set(&[A, B]);
    let expected = "row-level security hides rows of jetbase_migrations from this user";
    for (rules, url) in [("ENABLE", &readers), ("FORCE", &owners)] {
        db.execute(&format!("ALTER TABLE jetbase_migrations {rules} ROW LEVEL SECURITY")).await?;
        let run = jetbase::run(&two, DatabaseUrl(url)).trust_owner(&owner);
        let text = namespace_refusal(run.await)?;
        assert!(text.starts_with(expected), "{text}");
        let pool = PgPool::connect(url).await?;
        let text = namespace_refusal(jetbase::run(&two, &pool).trust_owner(&owner).await)?;
        assert!(text.starts_with(expected), "{text}");
        let check = jetbase::check(&two, &pool).trust_owner(&owner);
        let error = check.await.expect_err("rows are hidden");
        assert!(format!("{error:#}").starts_with(expected), "{error:#}");
        pool.close().await;
    }
    assert!(db.rows("SELECT * FROM b").await.is_err(), "a migration ran");
    assert_eq!(db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(), Some("1"));
    drop_roles(db, &[&reader, &owner]).await
}

async fn settings_of_a_role(ctx: TestContext) -> TestResult {
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
    drop_roles(db, &[&user]).await
}
