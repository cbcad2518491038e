//! 50 tests with `#[jetbase::test]`.

jetbase::embed! { mod migrations = "../speed/sets/versions/hundred" }

macro_rules! with_jetbase {
    ($($name:ident)*) => {
        $(
            #[jetbase::test]
            async fn $name(pool: sqlx::PgPool) {
                testing_bench::body(pool).await;
            }
        )*
    };
}

testing_bench::fifty_tests!(with_jetbase);
