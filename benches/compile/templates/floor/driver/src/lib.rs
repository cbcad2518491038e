use std::error::Error;
use std::pin::Pin;

use sqlx::{Connection, Executor, PgConnection};

pub fn run(url: &str) -> Pin<Box<dyn Future<Output = Result<(), Box<dyn Error>>> + '_>> {
    Box::pin(async move {
        let mut connection = PgConnection::connect(url).await?;
        connection.execute("SELECT 1").await?;
        Ok(())
    })
}
