//! Tests of a program, as `tests/adopt/attribute.rs` runs them: with `#[jetbase::test]`, and with
//! `#[sqlx::test]` beside it. Tests that fail or never end on purpose are ignored.

#![allow(clippy::unwrap_used, reason = "tests")]

use jetbase::sqlx::mysql::MySqlConnectOptions;
use jetbase::sqlx::pool::PoolConnection;
use jetbase::sqlx::{
    ConnectOptions, Connection, MySqlConnection, MySqlPool, PgPool, Pool, Postgres, SqlitePool,
    query, query_scalar,
};

jetbase::embed! { pub mod migrations = "tests/attribute/migrations" }

async fn names(pool: &PgPool) -> Vec<String> {
    query_scalar("SELECT name FROM users ORDER BY id").fetch_all(pool).await.unwrap()
}

#[jetbase::test]
async fn a_pool_has_the_migrations(pool: PgPool) {
    assert_eq!(names(&pool).await, ["Ada"]);
    let report = migrations::run(&pool).await.unwrap();
    assert!(report.applied.is_empty());
}

#[jetbase::test(fixtures("users"), fixtures("./fixtures/rename.sql"))]
async fn fixtures_are_loaded_in_order(pool: PgPool) -> Result<(), jetbase::sqlx::Error> {
    assert_eq!(names(&pool).await, ["Augusta", "Grace", "Barbara"]);
    query("DELETE FROM users").execute(&pool).await?;
    Ok(())
}

#[jetbase::test(fixtures(path = "fixtures", scripts("rename", "users.sql")))]
async fn fixtures_of_a_folder_are_loaded(mut connection: PoolConnection<Postgres>) {
    let names: Vec<String> = query_scalar("SELECT name FROM users ORDER BY id")
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    assert_eq!(names, ["Augusta", "Grace", "Barbara"]);
}

#[jetbase::test(migrations = crate::migrations, databases(postgres, mysql, sqlite), fixtures("users"))]
async fn every_database_has_the_rows<DB>(pool: Pool<DB>) {
    let count: i64 = query_scalar("SELECT count(*) FROM users").fetch_one(&pool).await.unwrap();
    assert_eq!(count, 3);
    query("DELETE FROM users").execute(&pool).await.unwrap();
}

#[jetbase::test]
async fn each_parameter_has_its_database(
    one: PgPool,
    two: PgPool,
    three: SqlitePool,
    four: MySqlPool,
) {
    query("DELETE FROM users").execute(&one).await.unwrap();
    assert!(names(&one).await.is_empty());
    assert_eq!(names(&two).await, ["Ada"]);
    for count in [
        query_scalar::<_, i64>("SELECT count(*) FROM users").fetch_one(&three).await.unwrap(),
        query_scalar::<_, i64>("SELECT count(*) FROM users").fetch_one(&four).await.unwrap(),
    ] {
        assert_eq!(count, 1);
    }
}

#[jetbase::test(migrations = false)]
async fn an_empty_database_is_empty(options: MySqlConnectOptions) {
    let mut connection = MySqlConnection::connect_with(&options).await.unwrap();
    let tables: Vec<String> = query_scalar(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(tables.is_empty());
}

#[jetbase::test]
#[should_panic(expected = "as expected")]
async fn other_attributes_count(_pool: SqlitePool) {
    panic!("as expected");
}

/// The way of the documentation to use `#[sqlx::test]`.
#[sqlx::test(migrations = false)]
async fn the_test_of_sqlx_runs_beside_it(pool: PgPool) -> Result<(), Box<dyn std::error::Error>> {
    migrations::run(&pool).await?;
    assert_eq!(names(&pool).await, ["Ada"]);
    Ok(())
}

#[jetbase::test(databases(postgres, mysql, sqlite))]
#[ignore = "it fails on purpose"]
async fn a_test_that_panics<DB>(pool: Pool<DB>) {
    query("DELETE FROM users").execute(&pool).await.unwrap();
    panic!("it fails on purpose");
}

#[jetbase::test]
#[ignore = "it fails on purpose"]
async fn a_test_with_an_error(pool: SqlitePool) -> Result<(), jetbase::sqlx::Error> {
    query("SELECT * FROM nowhere").execute(&pool).await.map(drop)
}

#[jetbase::test(databases(postgres, mysql, sqlite))]
#[ignore = "it never ends"]
async fn a_test_that_never_ends<DB>(pool: Pool<DB>) {
    let url = pool.connect_options().to_url_lossy().to_string();
    let start = url.find("jetbase_test_").unwrap();
    println!("`{}`", &url[start..start + 47]);
    std::future::pending::<()>().await;
}
