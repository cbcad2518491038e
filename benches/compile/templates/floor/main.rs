use sqlx::{Connection, Executor, PgConnection};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut connection = PgConnection::connect(&std::env::var("DATABASE_URL")?).await?;
    connection.execute("SELECT 1").await?;
    Ok(())
}
