//! Migrations on an SQLite file in the working directory. No server is needed.
//!
//! `cargo run --example quickstart`

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

jetbase::embed!();

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = SqliteConnectOptions::new().filename("quickstart.db").create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await?;

    let report = migrations::run(&pool).await?;
    println!("{report}");

    println!("{}", migrations::lock_status(&pool).await?);
    if let Some(version) = migrations::current(&pool).await? {
        println!("Version: {version}");
    }
    pool.close().await;
    Ok(())
}
