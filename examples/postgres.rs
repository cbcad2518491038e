//! Migrations on PostgreSQL, with a listener that prints each event.
//!
//! `DATABASE_URL=postgres://user@localhost/name cargo run --example postgres`

use sqlx::PgPool;

jetbase::embed!("migrations", dialect = postgres);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL")
        .map_err(|_| "set DATABASE_URL, such as postgres://user@localhost/name")?;
    let pool = PgPool::connect(&url).await?;

    let report = migrations::run(&pool).on_event(|event| eprintln!("{event}")).await?;
    println!("{report}");
    println!("{}", migrations::lock_status(&pool).await?);
    Ok(())
}
