use std::path::PathBuf;

use diesel::Connection as _;
use diesel_async::{AsyncConnection as _, AsyncMigrationHarness};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};
use jetbase::{OldTool, Run};
use jetbase_adopt_tests::{from_diesel, from_flyway, from_refinery, from_sea_orm, from_sqlx};
use jetbase_test_harness::{Database, DatabaseKind, TestError, TestResult};
use sqlx::migrate::Migrator;

/// The folder of a tool, embedded by the tool itself.
pub(crate) static SQLX: Migrator = sqlx::migrate!("projects/sqlx/migrations");
const DIESEL: EmbeddedMigrations =
    diesel_migrations::embed_migrations!("projects/diesel/migrations");
mod embedded {
    refinery::embed_migrations!("projects/refinery/migrations");
}

/// How many migrations each folder has.
pub(crate) const COUNT: usize = 4;

/// The versions of sqlx.
pub(crate) const VERSIONS: [i64; COUNT] =
    [20240101120000, 20240201120000, 20240301120000, 20240401120000];

/// The folder of a project, which has the old migrations and the converted ones.
pub(crate) fn project(tool: OldTool) -> PathBuf {
    let name = if tool == OldTool::SeaOrm { "sea-orm" } else { tool.word() };
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("projects").join(name)
}

/// Lets the real tool apply its first migrations.
pub(crate) async fn migrate(tool: OldTool, db: &Database, count: usize) -> TestResult {
    match tool {
        OldTool::Sqlx => sqlx(db, count).await,
        OldTool::Refinery => refinery(db, count).await,
        OldTool::Diesel => diesel(db.clone(), count).await,
        OldTool::Flyway | OldTool::SeaOrm => Err("this tool is not run".into()),
    }
}

/// The run of the program that embeds the converted folder.
pub(crate) fn run(tool: OldTool, db: &Database) -> Run<'static> {
    match tool {
        OldTool::Sqlx => from_sqlx::run_url(&db.url),
        OldTool::Refinery => from_refinery::run_url(&db.url),
        OldTool::Diesel => from_diesel::run_url(&db.url),
        OldTool::Flyway => from_flyway::run_url(&db.url),
        OldTool::SeaOrm => from_sea_orm::run_url(&db.url),
    }
}

async fn sqlx(db: &Database, count: usize) -> TestResult {
    let target = VERSIONS[count - 1];
    match db.kind {
        DatabaseKind::Postgres => {
            let pool = ::sqlx::PgPool::connect(&db.url).await?;
            SQLX.run_to(target, &pool).await?;
            pool.close().await;
        }
        DatabaseKind::Mysql => {
            let pool = ::sqlx::MySqlPool::connect(&db.url).await?;
            SQLX.run_to(target, &pool).await?;
            pool.close().await;
        }
        DatabaseKind::Sqlite => {
            let pool = ::sqlx::SqlitePool::connect(&db.url).await?;
            SQLX.run_to(target, &pool).await?;
            pool.close().await;
        }
    }
    Ok(())
}

async fn refinery(db: &Database, count: usize) -> TestResult {
    let version = [1, 2, 3, 10][count - 1];
    let runner = embedded::migrations::runner().set_target(::refinery::Target::Version(version));
    match db.kind {
        DatabaseKind::Postgres => {
            let (mut client, connection) =
                tokio_postgres::connect(&db.url, tokio_postgres::NoTls).await?;
            let driver = tokio::spawn(connection);
            runner.run_async(&mut client).await?;
            drop(client);
            driver.await??;
        }
        DatabaseKind::Mysql => {
            let mut pool = mysql_async::Pool::from_url(&db.url)?;
            runner.run_async(&mut pool).await?;
            pool.disconnect().await?;
        }
        DatabaseKind::Sqlite => {
            let mut connection = rusqlite::Connection::open(&db.name)?;
            runner.run(&mut connection)?;
        }
    }
    Ok(())
}

async fn diesel(db: Database, count: usize) -> TestResult {
    let url = db.url.clone();
    match db.kind {
        DatabaseKind::Postgres => {
            let connection = diesel_async::AsyncPgConnection::establish(&url).await?;
            let mut harness = AsyncMigrationHarness::new(connection);
            run_diesel(&mut harness, count)
        }
        DatabaseKind::Mysql => {
            let connection = diesel_async::AsyncMysqlConnection::establish(&url).await?;
            let mut harness = AsyncMigrationHarness::new(connection);
            run_diesel(&mut harness, count)
        }
        DatabaseKind::Sqlite => {
            let mut connection = ::diesel::SqliteConnection::establish(&db.name)?;
            run_diesel(&mut connection, count)
        }
    }
}

fn run_diesel<DB: ::diesel::backend::Backend>(
    harness: &mut impl MigrationHarness<DB>,
    count: usize,
) -> TestResult {
    let applied = harness.applied_migrations()?.len();
    for _ in applied..count {
        harness.run_next_migration(DIESEL)?;
    }
    Ok(())
}

/// Writes the table of Flyway as it is after its first migrations.
pub(crate) async fn flyway_table(db: &Database, checksums: &[(&str, &str, &str)]) -> TestResult {
    let (stamp, boolean) = match db.kind {
        DatabaseKind::Postgres => ("TIMESTAMP NOT NULL DEFAULT now()", "BOOLEAN"),
        DatabaseKind::Mysql => ("TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP", "BOOL"),
        DatabaseKind::Sqlite => {
            ("TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f','now'))", "BOOLEAN")
        }
    };
    db.execute(&format!(
        "CREATE TABLE flyway_schema_history (installed_rank INT NOT NULL PRIMARY KEY, version VARCHAR(50), description \
         VARCHAR(200) NOT NULL, type VARCHAR(20) NOT NULL, script VARCHAR(1000) NOT NULL, checksum INTEGER, installed_by \
         VARCHAR(100) NOT NULL, installed_on {stamp}, execution_time INTEGER NOT NULL, success {boolean} NOT NULL)"
    ))
    .await?;
    for (rank, (version, script, checksum)) in checksums.iter().enumerate() {
        db.execute(&format!(
            "INSERT INTO flyway_schema_history (installed_rank, version, description, type, script, checksum, \
             installed_by, execution_time, success) VALUES ({rank}, {version}, 'x', 'SQL', '{script}', {checksum}, 'me', \
             1, true)"
        ))
        .await?;
    }
    Ok(())
}

/// Everything that the migrations have made, as text.
pub(crate) async fn schema(db: &Database) -> Result<Vec<String>, TestError> {
    let theirs = "'users', 'posts'";
    let sql = match db.kind {
        DatabaseKind::Sqlite => {
            format!(
                "SELECT type, name, sql FROM sqlite_master WHERE tbl_name IN ({theirs}) ORDER BY name"
            )
        }
        DatabaseKind::Mysql => format!(
            "SELECT table_name, column_name, column_type, is_nullable FROM information_schema.columns WHERE table_schema = \
             DATABASE() AND table_name IN ({theirs}) UNION ALL SELECT table_name, index_name, column_name, '' FROM \
             information_schema.statistics WHERE table_schema = DATABASE() AND table_name IN ({theirs}) ORDER BY 1, 2, 3"
        ),
        DatabaseKind::Postgres => format!(
            "SELECT table_name::text, column_name::text, data_type::text || coalesce(character_maximum_length::text, ''), \
             is_nullable::text FROM information_schema.columns WHERE table_name IN ({theirs}) UNION ALL SELECT \
             tablename::text, indexname::text, indexdef, '' FROM pg_indexes WHERE tablename IN ({theirs}) ORDER BY 1, 2, 3"
        ),
    };
    let mut rows = db.rows(&sql).await?;
    rows.extend(db.rows("SELECT name FROM users").await?);
    rows.extend(db.rows("SELECT title FROM posts").await?);
    Ok(rows.iter().map(|row| format!("{row:?}")).collect())
}

/// The rows of the table of the old tool.
pub(crate) async fn old_rows(tool: OldTool, db: &Database) -> Result<String, TestError> {
    let columns = match tool {
        OldTool::Sqlx => "version, description, installed_on, success, checksum, execution_time",
        OldTool::Refinery => "version, name, applied_on, checksum",
        OldTool::Diesel => "version, run_on",
        OldTool::Flyway => "installed_rank, version, type, script, checksum, installed_on, success",
        OldTool::SeaOrm => "version, applied_at",
    };
    let cast = |column: &str| match db.kind {
        DatabaseKind::Postgres => format!("{column}::text"),
        _ => format!("hex({column})"),
    };
    let list = columns.split(", ").map(cast).collect::<Vec<_>>().join(", ");
    Ok(format!("{:?}", db.rows(&format!("SELECT {list} FROM {} ORDER BY 1", tool.table())).await?))
}
