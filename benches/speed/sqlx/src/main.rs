//! The contender sqlx, with one connection.

use speed_contender::{Backend, Contender, Failure, MigrationSet};
use sqlx::migrate::Migrator;
use sqlx::{Connection as _, MySqlConnection, PgConnection, SqliteConnection};
use tokio::runtime::Runtime;

static ONE: Migrator = sqlx::migrate!("../sets/sqlx/one");
static HUNDRED: Migrator = sqlx::migrate!("../sets/sqlx/hundred");
static THOUSAND: Migrator = sqlx::migrate!("../sets/sqlx/thousand");
static HISTORY: Migrator = sqlx::migrate!("../sets/sqlx/history");

enum SqlxConnection {
    Mysql(MySqlConnection),
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

struct Sqlx {
    runtime: Runtime,
    connection: SqlxConnection,
}

impl Contender for Sqlx {
    fn connect(backend: Backend, url: &str) -> Result<Self, Failure> {
        let runtime = Runtime::new()?;
        let connection = runtime.block_on(async {
            Ok::<_, Failure>(match backend {
                Backend::Mysql => SqlxConnection::Mysql(MySqlConnection::connect(url).await?),
                Backend::Postgres => SqlxConnection::Postgres(PgConnection::connect(url).await?),
                Backend::Sqlite => SqlxConnection::Sqlite(SqliteConnection::connect(url).await?),
            })
        })?;
        Ok(Sqlx { runtime, connection })
    }

    fn migrate(&mut self, set: MigrationSet) -> Result<(), Failure> {
        let migrator = match set {
            MigrationSet::One => &ONE,
            MigrationSet::Hundred => &HUNDRED,
            MigrationSet::Thousand => &THOUSAND,
            MigrationSet::History => &HISTORY,
        };
        let connection = &mut self.connection;
        self.runtime.block_on(async {
            match connection {
                SqlxConnection::Mysql(connection) => migrator.run(connection).await,
                SqlxConnection::Postgres(connection) => migrator.run(connection).await,
                SqlxConnection::Sqlite(connection) => migrator.run(connection).await,
            }
        })?;
        Ok(())
    }
}

fn main() {
    speed_contender::serve::<Sqlx>();
}
