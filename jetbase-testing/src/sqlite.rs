//! SQLite: a copy of a template file.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jetbase_core::{Dialect, Migrations};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Sqlite};

use crate::driver::sealed::{CreatedDatabase, TestBackend};
use crate::error::{BUILD_MINUTES, TestingError};
use crate::name::{KEPT_TEMPLATES, TEST_PREFIX, TemplateName, TestName};

/// The folder of the tests: one beside the test program, so that it is deleted together with it.
const FOLDER: &str = "jetbase-test";

/// The database file in the folder of a test.
const DATABASE: &str = "database.sqlite";

/// The file that the process of a test keeps locked.
const LOCK: &str = "lock";

/// The folder of a database, and the locked file in it.
pub struct SqliteKeeper {
    folder: PathBuf,
    lock: File,
}

impl TestBackend for Sqlite {
    const DIALECT: Dialect = Dialect::Sqlite;
    type Place = PathBuf;
    type Keeper = SqliteKeeper;

    fn place() -> Result<PathBuf, TestingError> {
        let program = std::env::current_exe().map_err(|error| {
            TestingError::file("find the folder of", Path::new("the test program"), &error)
        })?;
        Ok(program.parent().unwrap_or(Path::new(".")).join(FOLDER))
    }

    fn place_at(text: &str) -> Result<PathBuf, TestingError> {
        Ok(PathBuf::from(text))
    }

    async fn create(
        place: &PathBuf,
        name: &TestName,
        migrations: Option<&Migrations>,
    ) -> Result<CreatedDatabase<Self>, TestingError> {
        fs::create_dir_all(place).map_err(|error| TestingError::file("create", place, &error))?;
        delete_left(place, name);
        let template = match migrations {
            Some(migrations) => Some(template(place, migrations).await?),
            None => None,
        };
        let keeper = SqliteKeeper::new(place, name)?;
        let file = keeper.folder.join(DATABASE);
        if let Some(template) = template
            && let Err(error) = fs::copy(&template, &file)
        {
            drop(keeper.delete());
            return Err(TestingError::file("copy", &template, &error));
        }
        Ok(CreatedDatabase { keeper, options: options(&file) })
    }

    async fn delete(keeper: SqliteKeeper, _: &TestName) -> Result<(), TestingError> {
        keeper.delete()
    }
}

/// The options of a database that nobody needs after a crash of the machine.
fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .synchronous(SqliteSynchronous::Off)
        .disable_statement_logging()
}

impl SqliteKeeper {
    fn new(place: &Path, name: &TestName) -> Result<Self, TestingError> {
        let folder = place.join(name.as_str());
        fs::create_dir(&folder).map_err(|error| TestingError::file("create", &folder, &error))?;
        // The file gets its name when it is locked, so that nobody finds it without its lock.
        let (new, path) = (folder.join("new"), folder.join(LOCK));
        let lock = File::create(&new).and_then(|lock| {
            lock.lock()?;
            fs::rename(&new, &path).map(|()| lock)
        });
        let lock = lock.map_err(|error| TestingError::file("lock", &path, &error))?;
        Ok(SqliteKeeper { folder, lock })
    }

    fn delete(self) -> Result<(), TestingError> {
        let SqliteKeeper { folder, lock } = self;
        drop(lock);
        fs::remove_dir_all(&folder).map_err(|error| TestingError::file("delete", &folder, &error))
    }
}

/// Deletes the databases of ended tests.
fn delete_left(place: &Path, name: &TestName) {
    for left in entries(place) {
        let folder = place.join(&left);
        if left.starts_with(TEST_PREFIX)
            && name.replaces(&left)
            && let Ok(lock) = File::open(folder.join(LOCK))
            && lock.try_lock().is_ok()
        {
            drop(lock);
            drop(fs::remove_dir_all(&folder));
        }
    }
}

fn entries(place: &Path) -> Vec<String> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Returns the path of the template. It is built, unless it exists or another process has built it
/// meanwhile.
async fn template(place: &Path, migrations: &Migrations) -> Result<PathBuf, TestingError> {
    let template = TemplateName::of(migrations);
    let path = place.join(format!("{}.sqlite", template.as_str()));
    if !path.exists() {
        let _lock = lock(&place.join(format!("{}lock", template.of_folder))).await?;
        if !path.exists() {
            build(place, &template, &path, migrations).await?;
        }
    }
    Ok(path)
}

async fn build(
    place: &Path,
    template: &TemplateName,
    path: &Path,
    migrations: &Migrations,
) -> Result<(), TestingError> {
    let keeper = SqliteKeeper::new(place, &TestName::new(template.as_str()))?;
    let file = keeper.folder.join(DATABASE);
    let pool = SqlitePoolOptions::new().max_connections(2).connect_lazy_with(options(&file));
    let result = jetbase_runtime::run(migrations, &pool).await;
    // The last connection writes everything into the file, whatever the journal is.
    pool.close().await;
    let result = result.map_err(|error| TestingError::migrations(&error)).and_then(|_| {
        fs::rename(&file, path).map_err(|error| TestingError::file("rename", &file, &error))
    });
    drop(keeper.delete());
    result?;
    delete_old(place, template);
    Ok(())
}

/// Waits for a lock without keeping the thread: another task of it may have the lock.
async fn lock(path: &Path) -> Result<File, TestingError> {
    let failed = |error: &io::Error| TestingError::file("lock", path, error);
    let file = File::create(path).map_err(|error| failed(&error))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
            Err(TryLockError::WouldBlock) if started.elapsed().as_secs() >= BUILD_MINUTES * 60 => {
                return Err(TestingError::builder());
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Deletes the oldest templates of the same folder of migrations.
fn delete_old(place: &Path, template: &TemplateName) {
    let mut found: Vec<_> = entries(place)
        .into_iter()
        .filter(|name| name.starts_with(&template.of_folder) && name.ends_with(".sqlite"))
        .map(|name| {
            let path = place.join(name);
            (fs::metadata(&path).and_then(|it| it.modified()).ok(), path)
        })
        .collect();
    found.sort();
    for (_, path) in found.iter().rev().skip(KEPT_TEMPLATES) {
        drop(fs::remove_file(path));
    }
}
