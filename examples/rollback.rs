//! Applies migrations and rolls them back, in a database in memory.
//!
//! `cargo run --example rollback`

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

jetbase::embed!("migrations", require_rollback);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A database in memory exists as long as its connection, so the pool must have exactly one.
    let options = SqliteConnectOptions::new().in_memory(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;

    println!("{}", migrations::run(&pool).await?);
    println!("{}", migrations::rollback(&pool).await?);
    println!(
        "{}",
        migrations::rollback(&pool).to_version(migrations::versions::V1__CREATE_USERS).await?
    );
    println!("{}", migrations::status(&pool).await?);
    Ok(())
}
