//! What a database of sqlx must be able to do for a test.

use crate::driver::sealed::TestBackend;

/// A database that a test can use: `Postgres`, `MySql` or `Sqlite` of sqlx.
///
/// Each needs the feature of its name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a database that a test can use",
    label = "expected `Postgres`, `MySql` or `Sqlite` of sqlx 0.9",
    note = "is the matching feature of jetbase on? `postgres`, `mysql`, `sqlite`"
)]
pub trait TestDriver: TestBackend {}

impl<DB: TestBackend> TestDriver for DB {}

pub(crate) mod sealed {
    use jetbase_core::{Dialect, Migrations};
    use sqlx::Connection;

    use crate::error::TestingError;
    use crate::name::TestName;

    /// Prevents other crates from implementing [`TestDriver`](super::TestDriver).
    pub trait TestBackend: sqlx::Database {
        const DIALECT: Dialect;
        /// Where the databases of tests are created: a server, or a folder.
        type Place: Send + Sync;
        /// Shows other processes that the test has not ended. It ends with the process.
        type Keeper: Send + Sync;

        /// Returns the place that the environment names.
        fn place() -> Result<Self::Place, TestingError>;

        /// Returns the place at a URL, or at the path of a folder.
        fn place_at(text: &str) -> Result<Self::Place, TestingError>;

        /// Deletes what ended runs of the same test have left, and creates a database: a clone of the
        /// template of the migrations, or an empty one.
        fn create(
            place: &Self::Place,
            name: &TestName,
            migrations: Option<&Migrations>,
        ) -> impl Future<Output = Result<CreatedDatabase<Self>, TestingError>> + Send;

        /// Deletes the database, even if somebody still uses it.
        fn delete(
            keeper: Self::Keeper,
            name: &TestName,
        ) -> impl Future<Output = Result<(), TestingError>> + Send;
    }

    /// A database that was created for a test.
    pub struct CreatedDatabase<DB: TestBackend> {
        pub(crate) keeper: DB::Keeper,
        pub(crate) options: <DB::Connection as Connection>::Options,
    }
}
