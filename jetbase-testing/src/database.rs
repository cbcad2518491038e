//! A database of its own for one test.

use std::fmt;
use std::time::Duration;

use jetbase_core::Migrations;
use sqlx::pool::PoolOptions;
use sqlx::{ConnectOptions, Connection, Pool};

use crate::driver::TestDriver;
use crate::driver::sealed::{CreatedDatabase, TestBackend};
use crate::error::TestingError;
use crate::fixture::Fixture;
use crate::name::TestName;

/// The largest number of connections of the pool of a test.
const MAX_CONNECTIONS: u32 = 5;

/// How long the end of a test waits for its connections to be closed in order.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// A database of its own for one test. `#[jetbase::test]` creates and deletes it; a program with
/// another test runner uses this type itself.
///
/// The database is a clone of a template, to which the migrations were applied once. See
/// `jetbase::docs::testing`.
///
/// [`delete`](TestDatabase::delete) deletes the database. A database that is not deleted, because the
/// test failed or its process was killed, stays until the same test runs again, or until another test
/// runs an hour later.
///
/// # Examples
///
/// ```no_run
/// use jetbase_testing::TestDatabase;
/// use sqlx::Postgres;
///
/// # async fn example(set: &jetbase_core::Migrations) -> Result<(), jetbase_testing::TestingError> {
/// let database = TestDatabase::<Postgres>::create(set).await?;
/// let pool = database.pool();
/// // The test works with the pool, or with `database.url()`.
/// # let _ = pool;
/// database.delete().await
/// # }
/// ```
pub struct TestDatabase<DB: TestDriver> {
    name: TestName,
    keeper: DB::Keeper,
    pool: Pool<DB>,
}

impl<DB: TestDriver> TestDatabase<DB> {
    /// Creates a database on the server that the environment names, with the migrations applied. With
    /// `None` it is empty.
    ///
    /// The server is that of `JETBASE_TEST_POSTGRES_URL` or `JETBASE_TEST_MYSQL_URL`, else that of
    /// `DATABASE_URL`. SQLite needs no server: the file is in the folder of the test program.
    ///
    /// # Errors
    ///
    /// No variable is set, the server cannot be reached, the role may not create databases, or a
    /// migration fails.
    pub async fn create<'m>(
        migrations: impl Into<Option<&'m Migrations>>,
    ) -> Result<Self, TestingError> {
        Self::create_for(&this_test(), &DB::place()?, migrations.into()).await
    }

    /// Creates a database on the server at this URL. For SQLite it is the path of a folder.
    ///
    /// # Errors
    ///
    /// Those of [`create`](TestDatabase::create), and an invalid URL.
    pub async fn create_at<'m>(
        place: &str,
        migrations: impl Into<Option<&'m Migrations>>,
    ) -> Result<Self, TestingError> {
        Self::create_for(&this_test(), &DB::place_at(place)?, migrations.into()).await
    }

    /// Creates a database for a test with this name.
    pub(crate) async fn create_for(
        test: &str,
        place: &DB::Place,
        migrations: Option<&Migrations>,
    ) -> Result<Self, TestingError> {
        let name = TestName::new(test);
        let CreatedDatabase { keeper, options } = DB::create(place, &name, migrations).await?;
        let pool = PoolOptions::new().max_connections(MAX_CONNECTIONS).connect_lazy_with(options);
        Ok(TestDatabase { name, keeper, pool })
    }

    /// Returns the name of the database.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Returns a pool of at most 5 connections to the database.
    #[must_use]
    pub fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    /// Returns the options of a connection to the database, for a pool with other settings.
    #[must_use]
    pub fn connect_options(&self) -> <DB::Connection as Connection>::Options {
        (*self.pool.connect_options()).clone()
    }

    /// Returns the URL of the database, for a program that wants one. It contains the password.
    #[must_use]
    pub fn url(&self) -> String {
        self.pool.connect_options().to_url_lossy().to_string()
    }

    /// Executes the statements of a fixture.
    ///
    /// # Errors
    ///
    /// A statement fails. The error names the file, the line and the column.
    pub async fn load(&self, fixture: &Fixture) -> Result<(), TestingError>
    where
        for<'c> &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
    {
        fixture.execute(&self.pool, <DB as TestBackend>::DIALECT).await
    }

    /// Deletes the database, even if the test has left connections open.
    ///
    /// # Errors
    ///
    /// The server cannot be reached or refuses it.
    pub async fn delete(self) -> Result<(), TestingError> {
        let TestDatabase { name, keeper, pool } = self;
        // A test may have left a connection in use. It ends with the database.
        drop(tokio::time::timeout(CLOSE_LIMIT, pool.close()).await);
        DB::delete(keeper, &name).await
    }
}

impl<DB: TestDriver> fmt::Debug for TestDatabase<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestDatabase").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// The name of the test that runs: that of its thread.
fn this_test() -> String {
    std::thread::current().name().unwrap_or("main").to_owned()
}
