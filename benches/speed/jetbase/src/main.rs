//! The contender jetbase, with a pool, as a service uses it. With the argument `one-transaction`, a run applies
//! consecutive files in one transaction.

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
    one_transaction: bool,
}

macro_rules! run {
    ($dialect:ident, $set:expr, $pool:expr, $one_transaction:expr) => {{
        let run = match $set {
            MigrationSet::One => $dialect::one::run($pool),
            MigrationSet::Hundred => $dialect::hundred::run($pool),
            MigrationSet::Thousand => $dialect::thousand::run($pool),
            MigrationSet::History => $dialect::history::run($pool),
        };
        if $one_transaction { run.one_transaction().await } else { run.await }
    }};
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
        let one_transaction = std::env::args().nth(1).is_some_and(|it| it == "one-transaction");
        Ok(Jetbase { runtime, pool, one_transaction })
    }

    fn migrate(&mut self, set: MigrationSet) -> Result<(), Failure> {
        let (pool, together) = (&self.pool, self.one_transaction);
        self.runtime.block_on(async {
            match pool {
                Pool::Mysql(pool) => run!(mysql, set, pool, together),
                Pool::Postgres(pool) => run!(postgres, set, pool, together),
                Pool::Sqlite(pool) => run!(sqlite, set, pool, together),
            }
        })?;
        Ok(())
    }
}

fn main() {
    speed_contender::serve::<Jetbase>();
}
