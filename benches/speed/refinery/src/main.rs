//! The contender refinery, with asynchronous drivers, or with the synchronous one of MySQL (argument
//! `sync`).
//!
//! The migrations come from a table, not from the macro `embed_migrations!`: its code takes minutes to
//! compile for 1000 files with optimisation. `runner` does what the function of the macro does.

use refinery_core::{Migration, Runner};
use speed_contender::files::files;
use speed_contender::{Backend, Contender, Failure, MigrationSet, sqlite_path};
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

enum RefineryConnection {
    Mysql(mysql_async::Pool),
    MysqlSync(Box<mysql::Conn>),
    Postgres(tokio_postgres::Client),
    Sqlite(rusqlite::Connection),
}

struct Refinery {
    runtime: Runtime,
    connection: RefineryConnection,
}

fn runner(set: MigrationSet) -> Result<Runner, Failure> {
    let texts: Vec<(&str, String)> =
        files(set).iter().map(|(name, sql)| (*name, (*sql).to_owned())).collect();
    let mut migrations = Vec::new();
    for (name, sql) in texts {
        migrations.push(Migration::unapplied(name, &sql)?);
    }
    Ok(Runner::new(&migrations))
}

impl Contender for Refinery {
    fn connect(backend: Backend, url: &str) -> Result<Self, Failure> {
        let runtime = Runtime::new()?;
        let is_sync = std::env::args().nth(1).is_some_and(|argument| argument == "sync");
        let connection = match backend {
            // Both drivers of MySQL would change to the socket of the server.
            Backend::Mysql if is_sync => {
                let options = mysql::OptsBuilder::from_opts(mysql::Opts::from_url(url)?);
                RefineryConnection::MysqlSync(Box::new(mysql::Conn::new(
                    options.prefer_socket(false),
                )?))
            }
            Backend::Mysql => {
                let options =
                    mysql_async::OptsBuilder::from_opts(mysql_async::Opts::from_url(url)?);
                let pool = mysql_async::Pool::new(options.prefer_socket(false));
                drop(runtime.block_on(pool.get_conn())?);
                RefineryConnection::Mysql(pool)
            }
            Backend::Postgres => runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
                tokio::spawn(connection);
                Ok::<_, Failure>(RefineryConnection::Postgres(client))
            })?,
            Backend::Sqlite => {
                RefineryConnection::Sqlite(rusqlite::Connection::open(sqlite_path(url))?)
            }
        };
        Ok(Refinery { runtime, connection })
    }

    fn migrate(&mut self, set: MigrationSet) -> Result<(), Failure> {
        let runner = runner(set)?;
        match &mut self.connection {
            RefineryConnection::Mysql(pool) => self.runtime.block_on(runner.run_async(pool))?,
            RefineryConnection::MysqlSync(connection) => runner.run(connection.as_mut())?,
            RefineryConnection::Postgres(client) => {
                self.runtime.block_on(runner.run_async(client))?
            }
            RefineryConnection::Sqlite(connection) => runner.run(connection)?,
        };
        Ok(())
    }
}

fn main() {
    speed_contender::serve::<Refinery>();
}
