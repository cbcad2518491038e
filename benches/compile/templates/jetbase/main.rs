jetbase::embed!();

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    migrations::run_url(&std::env::var("DATABASE_URL")?).await?;
    Ok(())
}
