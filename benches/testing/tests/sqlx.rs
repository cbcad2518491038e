//! 50 tests with `#[sqlx::test]`.

macro_rules! with_sqlx {
    ($($name:ident)*) => {
        $(
            #[sqlx::test(migrations = "../speed/sets/sqlx/hundred")]
            async fn $name(pool: sqlx::PgPool) {
                testing_bench::body(pool).await;
            }
        )*
    };
}

testing_bench::fifty_tests!(with_sqlx);
