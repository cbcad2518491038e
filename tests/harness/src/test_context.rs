//! What a test needs, and the context that it gets.

use std::sync::{Arc, Mutex, PoisonError};

use crate::mariadb::Mariadb;
use crate::runtime::runtime;
use crate::{Database, DatabaseKind, DatabaseServer, TestError, Unavailable, python};

/// What a test needs besides a database.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    python: bool,
    own_server: bool,
    /// Whether MariaDB is no server for the test.
    only_mysql: bool,
    /// More options of the command line of that server.
    options: &'static [&'static str],
}

impl Needs {
    /// Nothing.
    pub const NOTHING: Needs =
        Needs { python: false, own_server: false, only_mysql: false, options: &[] };

    /// The Python tool.
    pub const PYTHON: Needs =
        Needs { python: true, own_server: false, only_mysql: false, options: &[] };

    /// A server that no other test uses, so that the test can restart it. SQLite has no server.
    pub const OWN_SERVER: Needs = Needs::own_server_with(&[]);

    /// A server that no other test uses, with more options of its command line.
    #[must_use]
    pub const fn own_server_with(options: &'static [&'static str]) -> Needs {
        Needs { python: false, own_server: true, only_mysql: false, options }
    }

    /// The same, and a server of MySQL itself. The test is ignored on MariaDB.
    #[must_use]
    pub const fn only_mysql(self) -> Needs {
        Needs { only_mysql: true, ..self }
    }

    /// Whether the test needs the Python tool.
    pub(crate) const fn python(self) -> bool {
        self.python
    }

    /// Returns both needs together.
    #[must_use]
    pub const fn and(self, other: Needs) -> Needs {
        Needs {
            python: self.python || other.python,
            own_server: self.own_server || other.own_server,
            only_mysql: self.only_mysql || other.only_mysql,
            options: if self.options.is_empty() { other.options } else { self.options },
        }
    }
}

/// The context of a test.
#[derive(Clone, Debug)]
pub struct TestContext {
    /// The kind of the database.
    pub kind: DatabaseKind,
    /// A fresh, empty database.
    pub db: Database,
    /// The server of the database; `None` for SQLite.
    pub server: Option<Arc<DatabaseServer>>,
    /// All databases to drop at the end.
    databases: Arc<Mutex<Vec<Database>>>,
}

impl TestContext {
    /// Creates the context of a test.
    pub(crate) fn new(kind: DatabaseKind, needs: Needs) -> Result<TestContext, Unavailable> {
        if needs.python {
            python::find_python_tool()?;
        }
        let other = Unavailable::OtherServer("the server is MariaDB");
        if needs.own_server && needs.only_mysql && !Mariadb::find()?.is_mysql() {
            return Err(other);
        }
        let runtime = runtime()?;
        let server = match kind {
            DatabaseKind::Sqlite => None,
            _ if needs.own_server => {
                let server = DatabaseServer::start_with(kind, needs.options);
                Some(Arc::new(runtime.block_on(server)?))
            }
            _ => Some(DatabaseServer::shared(kind)?),
        };
        let db = runtime.block_on(Database::fresh(server.as_ref())).map_err(|error| {
            Unavailable::Broken(format!("cannot create a database for {}: {error:#}", kind.name()))
        })?;
        if needs.only_mysql && runtime.block_on(db.is_mariadb()).map_err(Unavailable::broken)? {
            runtime.block_on(db.remove());
            return Err(other);
        }
        let databases = Arc::new(Mutex::new(vec![db.clone()]));
        Ok(TestContext { kind, db, server, databases })
    }

    /// Creates one more fresh database on the same server.
    pub async fn another(&self) -> Result<Database, TestError> {
        let db = Database::fresh(self.server.as_ref()).await?;
        self.databases.lock().unwrap_or_else(PoisonError::into_inner).push(db.clone());
        Ok(db)
    }

    /// Returns the server. SQLite has none, which is an error.
    pub fn server(&self) -> Result<&DatabaseServer, TestError> {
        self.server.as_deref().ok_or_else(|| "SQLite has no server".into())
    }

    /// Drops the databases of the test.
    pub(crate) async fn remove(&self, needs: Needs) {
        if needs.own_server {
            if let Some(server) = &self.server {
                server.stop();
            }
            return;
        }
        let databases = {
            let mut databases = self.databases.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *databases)
        };
        for db in databases {
            db.remove().await;
        }
    }
}
