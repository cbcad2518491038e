//! The kinds of database that tests run on.

/// A kind of database that tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// SQLite, a file in a temporary folder.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MariaDB or MySQL.
    Mysql,
}

impl DatabaseKind {
    /// All kinds.
    pub const ALL: &'static [DatabaseKind] =
        &[DatabaseKind::Sqlite, DatabaseKind::Postgres, DatabaseKind::Mysql];

    /// The kinds that have a server.
    pub const SERVERS: &'static [DatabaseKind] = &[DatabaseKind::Postgres, DatabaseKind::Mysql];

    /// The name in test names, in `JETBASE_TEST_REQUIRE` and in macro options.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            DatabaseKind::Sqlite => "sqlite",
            DatabaseKind::Postgres => "postgres",
            DatabaseKind::Mysql => "mysql",
        }
    }
}
