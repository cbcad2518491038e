use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut connection = PgConnection::establish(&std::env::var("DATABASE_URL")?)?;
    connection.batch_execute("SELECT 1")?;
    Ok(())
}
