//! One fresh database per test, and queries to check it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Row, TypeInfo, ValueRef};
use tempfile::TempDir;

use crate::server_url::ServerUrl;
use crate::{DatabaseKind, DatabaseServer, TestError, scratch};

/// The time limit for dropping a database.
const DROP_TIMEOUT: Duration = Duration::from_secs(10);

/// Rows as text; `None` is `NULL`. Booleans are `1` and `0` on every kind.
pub type TextRows = Vec<Vec<Option<String>>>;

/// A database of one test.
#[derive(Clone, Debug)]
pub struct Database {
    /// The kind.
    pub kind: DatabaseKind,
    /// The name; for SQLite the path of its file.
    pub name: String,
    /// The URL in the form of sqlx.
    pub url: String,
    /// The URL in the form of SQLAlchemy.
    pub python_url: String,
    home: DatabaseHome,
}

/// What a database belongs to.
#[derive(Clone, Debug)]
enum DatabaseHome {
    Folder(
        #[expect(dead_code, reason = "the folder is removed when the value is dropped")]
        Arc<TempDir>,
    ),
    Server(Arc<DatabaseServer>),
}

impl Database {
    /// Creates a fresh SQLite database: a file that does not exist yet, in a new folder.
    pub fn sqlite() -> Result<Database, TestError> {
        let folder = scratch::folder("sqlite")?;
        let name = folder.path().join("db.sqlite").to_string_lossy().into_owned();
        let url = format!("sqlite://{name}?mode=rwc");
        let python_url = format!("sqlite:///{name}");
        let home = DatabaseHome::Folder(Arc::new(folder));
        Ok(Database { kind: DatabaseKind::Sqlite, name, url, python_url, home })
    }

    /// Creates a fresh database on a server.
    pub async fn on(server: &Arc<DatabaseServer>) -> Result<Database, TestError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("jb_{}_{number}", std::process::id());
        let at = server.url();
        let create = match at.kind {
            DatabaseKind::Postgres => {
                format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
            }
            _ => format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"),
        };
        query(at.kind, &at.url(&at.database), &create).await?;
        let (url, python_url) = (at.url(&name), at.python_url(&name));
        let home = DatabaseHome::Server(Arc::clone(server));
        Ok(Database { kind: at.kind, name, url, python_url, home })
    }

    /// Returns an existing database at a URL. It is not removed.
    pub fn at(kind: DatabaseKind, url: &str) -> Result<Database, TestError> {
        let mut db = Database::sqlite()?;
        db.kind = kind;
        db.url = url.to_owned();
        db.name = url.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(db)
    }

    /// Creates a fresh database on a server, or a fresh SQLite file if there is no server.
    pub async fn fresh(server: Option<&Arc<DatabaseServer>>) -> Result<Database, TestError> {
        match server {
            Some(server) => Database::on(server).await,
            None => Database::sqlite(),
        }
    }

    /// Runs one or several statements on a new connection and returns all rows.
    pub async fn rows(&self, sql: &str) -> Result<TextRows, TestError> {
        query(self.kind, &self.url, sql).await
    }

    /// Runs one or several statements on a new connection.
    pub async fn execute(&self, sql: &str) -> Result<(), TestError> {
        self.rows(sql).await.map(drop)
    }

    /// The first value of the first row; `None` if it is `NULL` or there is no row.
    pub async fn value(&self, sql: &str) -> Result<Option<String>, TestError> {
        Ok(self
            .rows(sql)
            .await?
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next().flatten()))
    }

    /// Returns whether the server is MariaDB, and not MySQL.
    pub async fn is_mariadb(&self) -> Result<bool, TestError> {
        let version = self.value("SELECT VERSION()").await?;
        Ok(version.is_some_and(|version| version.contains("MariaDB")))
    }

    /// Returns the version of PostgreSQL as a number, for example 140023.
    pub async fn postgres_version(&self) -> Result<u32, TestError> {
        let version = self.value("SHOW server_version_num").await?;
        Ok(version.unwrap_or_default().parse()?)
    }

    /// Runs SQL in the maintenance database of the server, for example to create roles.
    pub async fn admin(&self, sql: &str) -> Result<TextRows, TestError> {
        match &self.home {
            DatabaseHome::Server(server) => {
                let at = server.url();
                query(self.kind, &at.url(&at.database), sql).await
            }
            DatabaseHome::Folder(_) => Err("SQLite has no maintenance database".into()),
        }
    }

    /// The URL for sqlx as another user of the server.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        let host = self.url.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        format!("{}://{user}:{password}@{host}", self.kind.name())
    }

    /// Drops the database if possible.
    pub async fn remove(&self) {
        let drop = match self.kind {
            DatabaseKind::Sqlite => return,
            DatabaseKind::Postgres => format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
            DatabaseKind::Mysql => {
                format!("SET lock_wait_timeout = 5; DROP DATABASE IF EXISTS {}", self.name)
            }
        };
        let _ = tokio::time::timeout(DROP_TIMEOUT, self.admin(&drop)).await;
    }
}

/// Connects to a server's maintenance database once.
pub(crate) async fn ping(at: &ServerUrl) -> Result<(), TestError> {
    query(at.kind, &at.url(&at.database), "SELECT 1").await.map(drop)
}

/// Runs SQL on a new connection and returns all rows.
async fn query(kind: DatabaseKind, url: &str, sql: &str) -> Result<TextRows, TestError> {
    let failed = |error: sqlx::Error| format!("{error:#}\nin the test's statement: {sql}");
    let statement = sqlx::raw_sql(AssertSqlSafe(sql));
    match kind {
        DatabaseKind::Sqlite => {
            let mut connection = SqliteConnection::connect(url).await?;
            let rows = statement.fetch_all(&mut connection).await.map_err(failed)?;
            connection.close().await?;
            rows.iter().map(|row| cells(row.len(), |at| Ok(row.try_get_unchecked(at)?))).collect()
        }
        DatabaseKind::Mysql => {
            let mut connection = MySqlConnection::connect(url).await?;
            let rows = statement.fetch_all(&mut connection).await.map_err(failed)?;
            connection.close().await?;
            rows.iter().map(|row| cells(row.len(), |at| Ok(row.try_get_unchecked(at)?))).collect()
        }
        DatabaseKind::Postgres => {
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
    value: impl Fn(usize) -> Result<Option<String>, TestError>,
) -> Result<Vec<Option<String>>, TestError> {
    (0..count).map(value).collect()
}
