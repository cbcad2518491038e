//! Why a test gets no database, in the words that it prints.

use jetbase::sqlx::{MySql, Postgres, Sqlite};
use jetbase::testing::{Fixture, TestDatabase, TestDriver};
use jetbase::{Dialect, Options};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};

use super::{OwnFolder, V1, for_database, names, place};

pub(super) fn register(suite: &mut Suite) {
    let (all, nothing) = (DatabaseKind::ALL, Needs::NOTHING);
    let (postgres, mysql) = (&[DatabaseKind::Postgres], &[DatabaseKind::Mysql]);
    suite.each("a_fixture_is_loaded_or_explained", all, nothing, fixtures);
    suite.each("a_template_whose_migration_fails_is_explained", all, nothing, migration);
    suite.each("a_role_that_may_not_create_databases_is_explained", postgres, nothing, right);
    suite.each("a_user_who_may_not_create_databases_is_explained", mysql, nothing, right_of_user);
    suite.each("a_set_with_a_schema_is_refused_for_tests", mysql, nothing, schema);
    suite.once("a_test_server_that_does_not_answer_is_explained", nothing, server);
}

async fn fixtures(ctx: TestContext) -> TestResult {
    for_database!(ctx, fixtures_on)
}

async fn fixtures_on<DB: TestDriver>(ctx: &TestContext) -> TestResult
where
    for<'c> &'c mut DB::Connection: jetbase::sqlx::Executor<'c, Database = DB>,
{
    let set = OwnFolder::new().set(&[V1]);
    let test = TestDatabase::<DB>::create_at(&place(&ctx.db), &set).await?;
    let good = Fixture::new(
        "fixtures/a.sql",
        "-- two rows\nINSERT INTO a (id) VALUES (1);\n\nINSERT INTO a (id)\n  VALUES (2);\n",
    );
    test.load(&good).await?;
    let db = super::seen(ctx, &test)?;
    assert_eq!(db.value("SELECT sum(id) FROM a").await?.as_deref(), Some("3"));

    let twice = Fixture::new(
        "fixtures/b.sql",
        "INSERT INTO a (id) VALUES (3);\nINSERT INTO a (id) VALUES (1);",
    );
    let text = test.load(&twice).await.expect_err("1 is there").to_string();
    assert!(text.starts_with("the fixture fixtures/b.sql:2:1 failed: "), "{text}");
    assert!(text.to_lowercase().contains("unique") || text.contains("Duplicate entry"), "{text}");
    let shown = "  |\n2 | INSERT INTO a (id) VALUES (1);\n  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^";
    assert!(text.ends_with(shown), "{text}");

    let open = Fixture::new("fixtures/c.sql", "INSERT INTO a (id) VALUES (9);\nSELECT 'x;\n");
    let text = test.load(&open).await.expect_err("the string does not end").to_string();
    assert!(text.starts_with("the fixture fixtures/c.sql:2:8 failed: "), "{text}");
    test.delete().await?;
    Ok(())
}

async fn migration(ctx: TestContext) -> TestResult {
    for_database!(ctx, migration_on)
}

async fn migration_on<DB: TestDriver>(ctx: &TestContext) -> TestResult {
    let wrong = ("V2__b.sql", "INSERT INTO nowhere (id) VALUES (1);\n");
    let set = OwnFolder::new().set(&[V1, wrong]);
    for _ in 0..2 {
        let error = TestDatabase::<DB>::create_at(&place(&ctx.db), &set).await;
        let text = error.expect_err("the table does not exist").to_string();
        assert!(
            text.starts_with("the migrations cannot be applied to the template of the tests\n")
        );
        assert!(text.contains("V2__b.sql:1:1"), "{text}");
    }
    // Other trials create databases on the same server, but the folder of SQLite is that of this one.
    if ctx.kind == DatabaseKind::Sqlite {
        let left = names(ctx).await?;
        assert!(left.iter().all(|name| name.ends_with("lock")), "{left:?}");
    }
    Ok(())
}

async fn right(ctx: TestContext) -> TestResult {
    let role = format!("jb_poor_{}", std::process::id());
    ctx.db.execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'geheim'")).await?;
    let url = ctx.db.url_as(&role, "geheim");
    let set = OwnFolder::new().set(&[V1]);
    let error = TestDatabase::<Postgres>::create_at(&url, &set).await.expect_err("no right");
    ctx.db.execute(&format!("DROP ROLE {role}")).await?;
    let text = error.to_string();
    let (first, help) = text.split_once('\n').unwrap_or_default();
    assert!(first.starts_with("`CREATE DATABASE \"jetbase_test_"), "{text}");
    assert!(first.ends_with("` failed: permission denied to create database"), "{text}");
    assert_eq!(help, "A test needs a role that may create databases: ALTER ROLE <role> CREATEDB");
    Ok(())
}

async fn right_of_user(ctx: TestContext) -> TestResult {
    let user = format!("jb_poor_{}", std::process::id());
    ctx.db.execute(&format!("CREATE USER {user} IDENTIFIED BY 'geheim'")).await?;
    ctx.db.execute(&format!("GRANT SELECT ON {}.* TO {user}", ctx.db.name)).await?;
    let set = OwnFolder::new().set(&[V1]);
    let url = ctx.db.url_as(&user, "geheim");
    let error = TestDatabase::<MySql>::create_at(&url, &set).await.expect_err("no right");
    // What the error advises is enough.
    ctx.db.execute(&format!("GRANT ALL ON `jetbase\\_t%`.* TO {user}")).await?;
    let test = TestDatabase::<MySql>::create_at(&url, &set).await?;
    super::seen(&ctx, &test)?.rows("SELECT * FROM a").await?;
    test.delete().await?;
    ctx.db.execute(&format!("DROP USER {user}")).await?;
    let text = error.to_string();
    assert!(text.contains("` failed: Access denied for user "), "{text}");
    assert!(text.ends_with("GRANT ALL ON `jetbase\\_t%`.* TO <user>"), "{text}");
    Ok(())
}

async fn schema(ctx: TestContext) -> TestResult {
    let options =
        Options { dialect: Some(Dialect::MySql), schema: Some("billing"), ..Options::default() };
    let set = OwnFolder::new().set_with(&[V1], options);
    let error = TestDatabase::<MySql>::create_at(&place(&ctx.db), &set).await.expect_err("shared");
    assert_eq!(
        error.to_string(),
        "the set has the option `schema = \"billing\"`, which is a database of this server: all tests \
         would share it. Test this set on a server of its own, with `migrations::run`"
    );
    Ok(())
}

async fn server() -> TestResult {
    let set = OwnFolder::new().set(&[V1]);
    let url = "postgres://app:geheim@127.0.0.1:1/app";
    let error = TestDatabase::<Postgres>::create_at(url, &set).await.expect_err("no server");
    let text = format!("{error:?}");
    assert!(text.starts_with("cannot connect to the server of the URL of the call: "), "{text}");
    assert!(text.ends_with("\nIs the server running, and is the URL right?"), "{text}");
    let error = TestDatabase::<MySql>::create_at("postgres://app:geheim@h/x", &set).await;
    let wrong = format!("{:?}", error.expect_err("another database"));
    assert!(wrong.starts_with("the URL of the call is no URL of MySQL/MariaDB: "), "{wrong}");
    assert!(!text.contains("geheim") && !wrong.contains("geheim"), "{text}\n{wrong}");
    let error = TestDatabase::<Sqlite>::create_at("/proc/no/folder", &set).await;
    let text = error.expect_err("no folder").to_string();
    assert!(text.starts_with("cannot create /proc/no/folder: "), "{text}");
    Ok(())
}
