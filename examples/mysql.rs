//! Migrations on MySQL or MariaDB, with a listener that prints each event.
//!
//! `DATABASE_URL=mysql://user@localhost/name cargo run --example mysql`

use sqlx::MySqlPool;

jetbase::embed!("migrations", dialect = mysql);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL")
        .map_err(|_| "set DATABASE_URL, such as mysql://user@localhost/name")?;
    let pool = MySqlPool::connect(&url).await?;

    let report = migrations::run(&pool).on_event(|event| eprintln!("{event}")).await?;
    println!("{report}");
    println!("{}", migrations::lock_status(&pool).await?);
    Ok(())
}
