//! The contender diesel_migrations.

use diesel::{Connection as _, MysqlConnection, PgConnection, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use speed_contender::{Backend, Contender, Failure, MigrationSet, sqlite_path};

const ONE: EmbeddedMigrations = embed_migrations!("../sets/diesel/one");
const HUNDRED: EmbeddedMigrations = embed_migrations!("../sets/diesel/hundred");
const THOUSAND: EmbeddedMigrations = embed_migrations!("../sets/diesel/thousand");
const HISTORY: EmbeddedMigrations = embed_migrations!("../sets/diesel/history");

enum Diesel {
    Mysql(MysqlConnection),
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Contender for Diesel {
    fn connect(backend: Backend, url: &str) -> Result<Self, Failure> {
        Ok(match backend {
            Backend::Mysql => Diesel::Mysql(MysqlConnection::establish(url)?),
            Backend::Postgres => Diesel::Postgres(PgConnection::establish(url)?),
            Backend::Sqlite => Diesel::Sqlite(SqliteConnection::establish(sqlite_path(url))?),
        })
    }

    fn migrate(&mut self, set: MigrationSet) -> Result<(), Failure> {
        let migrations = match set {
            MigrationSet::One => ONE,
            MigrationSet::Hundred => HUNDRED,
            MigrationSet::Thousand => THOUSAND,
            MigrationSet::History => HISTORY,
        };
        match self {
            Diesel::Mysql(connection) => connection.run_pending_migrations(migrations).map(drop),
            Diesel::Postgres(connection) => connection.run_pending_migrations(migrations).map(drop),
            Diesel::Sqlite(connection) => connection.run_pending_migrations(migrations).map(drop),
        }
    }
}

fn main() {
    speed_contender::serve::<Diesel>();
}
