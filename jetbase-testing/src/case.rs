//! What `#[jetbase::test]` makes of a test.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{ExitCode, Termination};

use futures_core::future::BoxFuture;
use jetbase_core::Migrations;
use sqlx::pool::PoolConnection;
use sqlx::{Executor, Pool};

use crate::database::TestDatabase;
use crate::driver::TestDriver;
use crate::driver::sealed::TestBackend;
use crate::error::TestingError;
use crate::fixture::Fixture;

/// A test as the attribute describes it.
#[derive(Debug)]
pub struct TestCase {
    /// The path of the function.
    pub name: &'static str,
    /// The migrations of the databases. `None` means that they are empty.
    pub migrations: Option<&'static Migrations>,
    /// The fixtures, in the order in which they are loaded.
    pub fixtures: &'static [Fixture],
    /// Whether the test succeeds when it panics.
    pub must_panic: bool,
}

impl TestCase {
    /// Runs a test on a runtime of its own. If it succeeds, its databases are deleted.
    pub fn run<R: Termination>(
        &'static self,
        body: impl AsyncFnOnce(&mut TestDatabases) -> Result<R, TestingError>,
    ) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return failed(&format!("cannot start the runtime of tokio: {error}")),
        };
        let mut databases = TestDatabases { case: self, created: Vec::new() };
        let result = catch_unwind(AssertUnwindSafe(|| {
            let result = runtime.block_on(body(&mut databases));
            // `report` prints the error of a test that returns one.
            result.map(Termination::report)
        }));
        match result {
            Ok(Ok(code)) => {
                runtime.block_on(databases.end(code == ExitCode::SUCCESS && !self.must_panic));
                code
            }
            Ok(Err(error)) => {
                runtime.block_on(databases.end(true));
                failed(&error.to_string())
            }
            Err(panic) => {
                runtime.block_on(databases.end(self.must_panic));
                resume_unwind(panic)
            }
        }
    }
}

impl TestCase {
    /// Loads the fixtures, and returns what the test wants of the database.
    async fn prepare<P: TestParameter>(
        &self,
        database: &TestDatabase<P::Database>,
    ) -> Result<P, TestingError>
    where
        for<'c> &'c mut <P::Database as sqlx::Database>::Connection:
            Executor<'c, Database = P::Database>,
    {
        for fixture in self.fixtures {
            database.load(fixture).await?;
        }
        P::of(database).await
    }
}

fn failed(text: &str) -> ExitCode {
    print(text);
    ExitCode::FAILURE
}

#[allow(
    clippy::print_stderr,
    reason = "the test runner shows what a test has printed with this macro"
)]
fn print(text: &str) {
    eprintln!("{text}");
}

/// The databases of a running test.
pub struct TestDatabases {
    case: &'static TestCase,
    created: Vec<Box<dyn Delete>>,
}

impl TestDatabases {
    /// Creates a database, loads the fixtures, and returns what the test wants of it.
    ///
    /// # Errors
    ///
    /// There is no server, or a migration or a fixture fails.
    pub async fn parameter<P: TestParameter>(&mut self) -> Result<P, TestingError>
    where
        for<'c> &'c mut <P::Database as sqlx::Database>::Connection:
            Executor<'c, Database = P::Database>,
    {
        let place = P::Database::place()?;
        let database =
            TestDatabase::create_for(self.case.name, &place, self.case.migrations).await?;
        let parameter = self.case.prepare(&database).await;
        self.created.push(Box::new(database));
        parameter
    }

    /// Deletes the databases, or says that they stay.
    async fn end(&mut self, delete: bool) {
        for database in self.created.drain(..) {
            if !delete {
                print(&format!(
                    "The database {} of this test stays, so that you can look at it. \
                     It is deleted when the test runs again.",
                    database.label()
                ));
            } else if let Err(error) = database.delete_boxed().await {
                print(&error.to_string());
            }
        }
    }
}

/// A database of any kind.
trait Delete {
    fn label(&self) -> String;
    fn delete_boxed(self: Box<Self>) -> BoxFuture<'static, Result<(), TestingError>>;
}

impl<DB: TestDriver> Delete for TestDatabase<DB> {
    fn label(&self) -> String {
        format!("`{}` ({})", self.name(), <DB as TestBackend>::DIALECT)
    }

    fn delete_boxed(self: Box<Self>) -> BoxFuture<'static, Result<(), TestingError>> {
        Box::pin((*self).delete())
    }
}

/// What a function with `#[jetbase::test]` can have as a parameter. Each parameter gets a database of
/// its own.
///
/// It is implemented for a pool, for a connection of a pool, and for the options of a connection.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a parameter of a test with a database",
    label = "expected `PgPool`, `MySqlPool`, `SqlitePool`, `PoolConnection<…>`, or \
             `PgConnectOptions`, `MySqlConnectOptions`, `SqliteConnectOptions`",
    note = "is the matching feature of jetbase on? `postgres`, `mysql`, `sqlite`",
    note = "jetbase works with sqlx 0.9; a pool of another version of sqlx is a different type"
)]
pub trait TestParameter: Sized {
    /// The database of the parameter.
    type Database: TestDriver;

    /// Returns the parameter for a database that was created for the test.
    fn of(
        database: &TestDatabase<Self::Database>,
    ) -> impl Future<Output = Result<Self, TestingError>> + Send;
}

impl<DB: TestDriver> TestParameter for Pool<DB> {
    type Database = DB;

    async fn of(database: &TestDatabase<DB>) -> Result<Self, TestingError> {
        Ok(database.pool().clone())
    }
}

impl<DB: TestDriver> TestParameter for PoolConnection<DB> {
    type Database = DB;

    async fn of(database: &TestDatabase<DB>) -> Result<Self, TestingError> {
        let connection = database.pool().acquire().await;
        connection.map_err(|error| TestingError::connect("the test", &error))
    }
}

macro_rules! options {
    ($feature:literal, $DB:ty, $Options:ty) => {
        #[cfg(feature = $feature)]
        impl TestParameter for $Options {
            type Database = $DB;

            async fn of(database: &TestDatabase<$DB>) -> Result<Self, TestingError> {
                Ok(database.connect_options())
            }
        }
    };
}

options!("postgres", sqlx::Postgres, sqlx::postgres::PgConnectOptions);
options!("mysql", sqlx::MySql, sqlx::mysql::MySqlConnectOptions);
options!("sqlite", sqlx::Sqlite, sqlx::sqlite::SqliteConnectOptions);
