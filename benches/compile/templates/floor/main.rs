#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    driver::run(&std::env::var("DATABASE_URL")?).await
}
