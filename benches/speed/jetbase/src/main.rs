//! The contender jetbase, with a pool, as a service uses it.

use jetbase::sqlx::{MySqlPool, PgPool, SqlitePool};
use speed_contender::{Backend, Contender, Failure, MigrationSet};
use tokio::runtime::Runtime;

/// The sets as a program with one driver embeds them: with the dialect of its database.
macro_rules! sets {
    ($dialect:ident) => {
        mod $dialect {
            jetbase::embed! { pub mod one = "../sets/versions/one", dialect = $dialect }
            jetbase::embed! { pub mod hundred = "../sets/versions/hundred", dialect = $dialect }
            jetbase::embed! { pub mod thousand = "../sets/versions/thousand", dialect = $dialect }
            jetbase::embed! { pub mod history = "../sets/versions/history", dialect = $dialect }
        }
    };
}

sets!(mysql);
sets!(postgres);
sets!(sqlite);

enum Pool {
    Mysql(MySqlPool),
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

struct Jetbase {
    runtime: Runtime,
    pool: Pool,
}

macro_rules! run {
    ($dialect:ident, $set:expr, $pool:expr) => {
        match $set {
            MigrationSet::One => $dialect::one::run($pool).await,
            MigrationSet::Hundred => $dialect::hundred::run($pool).await,
            MigrationSet::Thousand => $dialect::thousand::run($pool).await,
            MigrationSet::History => $dialect::history::run($pool).await,
        }
    };
}

impl Contender for Jetbase {
    fn connect(backend: Backend, url: &str) -> Result<Self, Failure> {
        let runtime = Runtime::new()?;
        let pool = runtime.block_on(async {
            Ok::<_, Failure>(match backend {
                Backend::Mysql => Pool::Mysql(MySqlPool::connect(url).await?),
                Backend::Postgres => Pool::Postgres(PgPool::connect(url).await?),
                Backend::Sqlite => Pool::Sqlite(SqlitePool::connect(url).await?),
            })
        })?;
        Ok(Jetbase { runtime, pool })
    }

    fn migrate(&mut self, set: MigrationSet) -> Result<(), Failure> {
        let pool = &self.pool;
        self.runtime.block_on(async {
            match pool {
                Pool::Mysql(pool) => run!(mysql, set, pool),
                Pool::Postgres(pool) => run!(postgres, set, pool),
                Pool::Sqlite(pool) => run!(sqlite, set, pool),
            }
        })?;
        Ok(())
    }
}

fn main() {
    speed_contender::serve::<Jetbase>();
}
