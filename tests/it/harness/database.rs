//! One fresh database per test, and statements to look into it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Row, TypeInfo, ValueRef};
use tempfile::TempDir;

use super::{Error, Kind, Server, scratch};

/// How long dropping a database may take.
const DROP_WITHIN: Duration = Duration::from_secs(10);

/// Rows as text; `None` is `NULL`. Booleans are `1` and `0` on every kind.
pub(crate) type Rows = Vec<Vec<Option<String>>>;

/// A server's address, cut so that the database can be replaced.
#[derive(Clone, Debug)]
pub(super) struct Address {
    kind: Kind,
    /// User, password, host and port.
    authority: String,
    /// The maintenance database.
    database: String,
    /// The options, with their `?`.
    options: String,
}

impl Address {
    /// Cuts an address in the form of sqlx.
    pub(super) fn parse(url: &str) -> Result<Address, Error> {
        let (scheme, rest) = url.split_once("://").ok_or("it has no `://`")?;
        let kind = match scheme {
            "postgres" | "postgresql" => Kind::Postgres,
            "mysql" | "mariadb" => Kind::Mysql,
            other => return Err(format!("`{other}` is no scheme of a server").into()),
        };
        let (rest, options) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let usual = if kind == Kind::Postgres { "postgres" } else { "" };
        let database = if database.is_empty() { usual } else { database };
        let own = str::to_owned;
        let (authority, database, options) = (own(authority), own(database), own(options));
        Ok(Address { kind, authority, database, options })
    }

    /// Cuts an address that has to be of this kind.
    pub(super) fn of(kind: Kind, url: &str) -> Result<Address, Error> {
        let address = Address::parse(url)?;
        if address.kind != kind {
            return Err(format!("it is one of a {} server", address.kind.name()).into());
        }
        Ok(address)
    }

    /// The address of a database on the server, in the form of sqlx.
    fn url(&self, database: &str) -> String {
        let Address { kind, authority, options, .. } = self;
        format!("{}://{authority}/{database}{options}", kind.name())
    }

    /// The address of a database on the server, in the form of SQLAlchemy.
    fn python_url(&self, database: &str) -> String {
        let Address { authority, options, .. } = self;
        match self.kind {
            Kind::Postgres => format!("postgresql+psycopg2://{authority}/{database}{options}"),
            // The options of sqlx mean nothing to PyMySQL.
            _ => format!("mysql+pymysql://{authority}/{database}"),
        }
    }
}

/// A database of one test.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    /// Its kind.
    pub(crate) kind: Kind,
    /// Its name; for SQLite the path of its file.
    pub(crate) name: String,
    /// Its address in the form of sqlx.
    pub(crate) url: String,
    /// Its address in the form of SQLAlchemy.
    pub(crate) python_url: String,
    place: Place,
}

/// Where a database is.
#[derive(Clone, Debug)]
enum Place {
    Folder(Arc<TempDir>),
    Server(Arc<Server>),
}

impl Database {
    /// A fresh SQLite database: a file that does not exist yet, in a folder of its own.
    pub(crate) fn sqlite() -> Result<Database, Error> {
        let folder = scratch::folder("sqlite")?;
        let name = folder.path().join("db.sqlite").to_string_lossy().into_owned();
        let url = format!("sqlite://{name}?mode=rwc");
        let python_url = format!("sqlite:///{name}");
        let place = Place::Folder(Arc::new(folder));
        Ok(Database { kind: Kind::Sqlite, name, url, python_url, place })
    }

    /// A fresh database on a server.
    pub(crate) async fn on(server: &Arc<Server>) -> Result<Database, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("jb_{}_{number}", std::process::id());
        let address = server.address();
        let create = match address.kind {
            Kind::Postgres => format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"),
            _ => format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"),
        };
        query(address.kind, &address.url(&address.database), &create).await?;
        let (url, python_url) = (address.url(&name), address.python_url(&name));
        let place = Place::Server(Arc::clone(server));
        Ok(Database { kind: address.kind, name, url, python_url, place })
    }

    /// Runs SQL, also several statements, on a connection of its own and returns all rows.
    pub(crate) async fn rows(&self, sql: &str) -> Result<Rows, Error> {
        query(self.kind, &self.url, sql).await
    }

    /// Runs SQL, also several statements, on a connection of its own.
    pub(crate) async fn execute(&self, sql: &str) -> Result<(), Error> {
        self.rows(sql).await.map(drop)
    }

    /// The first value of the first row; `None` if it is `NULL` or there is no row.
    pub(crate) async fn value(&self, sql: &str) -> Result<Option<String>, Error> {
        Ok(self
            .rows(sql)
            .await?
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next().flatten()))
    }

    /// Runs SQL in the server's maintenance database, for roles and the like.
    pub(crate) async fn admin(&self, sql: &str) -> Result<Rows, Error> {
        match &self.place {
            Place::Server(server) => {
                let address = server.address();
                query(self.kind, &address.url(&address.database), sql).await
            }
            Place::Folder(_) => Err("SQLite has no maintenance database".into()),
        }
    }

    /// The address for sqlx as another user of the server.
    pub(crate) fn url_as(&self, user: &str, password: &str) -> String {
        let host = self.url.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        format!("{}://{user}:{password}@{host}", self.kind.name())
    }

    /// Drops the database, as far as possible.
    pub(super) async fn remove(&self) {
        let drop = match self.kind {
            Kind::Sqlite => return,
            Kind::Postgres => format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
            Kind::Mysql => {
                format!("SET lock_wait_timeout = 5; DROP DATABASE IF EXISTS {}", self.name)
            }
        };
        let _ = tokio::time::timeout(DROP_WITHIN, self.admin(&drop)).await;
    }
}

/// Connects to a server's maintenance database once.
pub(super) async fn ping(address: &Address) -> Result<(), Error> {
    query(address.kind, &address.url(&address.database), "SELECT 1").await.map(drop)
}

/// Runs SQL on a connection of its own and returns all rows.
async fn query(kind: Kind, url: &str, sql: &str) -> Result<Rows, Error> {
    let failed = |error: sqlx::Error| format!("{error:#}\nin the test's statement: {sql}");
    let statement = sqlx::raw_sql(AssertSqlSafe(sql));
    match kind {
        Kind::Sqlite => {
            let mut connection = SqliteConnection::connect(url).await?;
            let rows = statement.fetch_all(&mut connection).await.map_err(failed)?;
            connection.close().await?;
            rows.iter().map(|row| cells(row.len(), |at| Ok(row.try_get_unchecked(at)?))).collect()
        }
        Kind::Mysql => {
            let mut connection = MySqlConnection::connect(url).await?;
            let rows = statement.fetch_all(&mut connection).await.map_err(failed)?;
            connection.close().await?;
            rows.iter().map(|row| cells(row.len(), |at| Ok(row.try_get_unchecked(at)?))).collect()
        }
        Kind::Postgres => {
            let mut connection = PgConnection::connect(url).await?;
            let rows = statement.fetch_all(&mut connection).await.map_err(failed)?;
            connection.close().await?;
            let text = |row: &sqlx::postgres::PgRow, at| {
                let value = row.try_get_raw(at)?;
                if value.is_null() {
                    return Ok(None);
                }
                let is_bool = value.type_info().name() == "BOOL";
                Ok(Some(match value.as_str()? {
                    "t" if is_bool => "1".to_owned(),
                    "f" if is_bool => "0".to_owned(),
                    text => text.to_owned(),
                }))
            };
            rows.iter().map(|row| cells(row.len(), |at| text(row, at))).collect()
        }
    }
}

/// The values of one row.
fn cells(
    count: usize,
    value: impl Fn(usize) -> Result<Option<String>, Error>,
) -> Result<Vec<Option<String>>, Error> {
    (0..count).map(value).collect()
}
