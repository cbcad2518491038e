//! The body of every test of the benchmark.

/// Declares 50 tests in a module of each macro.
#[macro_export]
macro_rules! fifty_tests {
    ($with:ident) => {
        $with! {
            t00 t01 t02 t03 t04 t05 t06 t07 t08 t09 t10 t11 t12 t13 t14 t15 t16 t17 t18 t19
            t20 t21 t22 t23 t24 t25 t26 t27 t28 t29 t30 t31 t32 t33 t34 t35 t36 t37 t38 t39
            t40 t41 t42 t43 t44 t45 t46 t47 t48 t49
        }
    };
}

/// Writes a row and reads it, as a small test does.
pub async fn body(pool: sqlx::PgPool) {
    let insert = "INSERT INTO table_100 (id, name, amount) VALUES (7, 'seven', 7)";
    sqlx::query(insert).execute(&pool).await.expect("the table exists");
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM table_100")
        .fetch_one(&pool)
        .await
        .expect("the table exists");
    assert_eq!(count, 2);
}
