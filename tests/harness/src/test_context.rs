//! What a test needs, and the context that it gets.

use std::sync::{Arc, Mutex, PoisonError};

use crate::runtime::runtime;
use crate::{Database, DatabaseKind, DatabaseServer, TestError, Unavailable, python};

/// What a test needs besides a database.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    python: bool,
    own_server: bool,
}

impl Needs {
    /// Nothing.
    pub const NOTHING: Needs = Needs { python: false, own_server: false };

    /// The Python tool.
    pub const PYTHON: Needs = Needs { python: true, own_server: false };

    /// A server that no other test uses, so that the test can restart it. SQLite has no server.
    pub const OWN_SERVER: Needs = Needs { python: false, own_server: true };

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
        let runtime = runtime()?;
        let server = match kind {
            DatabaseKind::Sqlite => None,
            _ if needs.own_server => Some(Arc::new(runtime.block_on(DatabaseServer::start(kind))?)),
            _ => Some(DatabaseServer::shared(kind)?),
        };
        let db = runtime.block_on(Database::fresh(server.as_ref())).map_err(|error| {
            Unavailable::Broken(format!("cannot create a database for {}: {error:#}", kind.name()))
        })?;
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
