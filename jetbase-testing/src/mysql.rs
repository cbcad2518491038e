//! MySQL and MariaDB: the objects and rows of a template database, created again.
//!
//! These servers cannot clone a database. So the statements that create the objects are written to a
//! table of the template, which exists only if the template is complete.

use jetbase_core::{Dialect, Migrations};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{ConnectOptions, Connection, MySql};

use crate::driver::sealed::{CreatedDatabase, TestBackend};
use crate::error::{BUILD_MINUTES, TestingError};
use crate::mysql_copy::{self, COPY_PART, COPY_TABLE};
use crate::mysql_session::{MySqlKeeper, failed, first_column, number};
use crate::name::{KEPT_TEMPLATES, TEST_PREFIX, TemplateName, TestName};
use crate::server::ServerAddress;

/// The server of the tests.
pub struct MySqlServer {
    options: MySqlConnectOptions,
    source: &'static str,
}

impl MySqlServer {
    fn of(address: &ServerAddress) -> Result<Self, TestingError> {
        let options: MySqlConnectOptions = address.parse(Dialect::MySql)?;
        Ok(MySqlServer { options: options.disable_statement_logging(), source: address.source })
    }
}

impl TestBackend for MySql {
    const DIALECT: Dialect = Dialect::MySql;
    type Place = MySqlServer;
    type Keeper = MySqlKeeper;

    fn place() -> Result<MySqlServer, TestingError> {
        MySqlServer::of(&ServerAddress::from_environment(Dialect::MySql)?)
    }

    fn place_at(text: &str) -> Result<MySqlServer, TestingError> {
        MySqlServer::of(&ServerAddress::at(text))
    }

    async fn create(
        server: &MySqlServer,
        name: &TestName,
        migrations: Option<&Migrations>,
    ) -> Result<CreatedDatabase<Self>, TestingError> {
        if let Some(schema) = migrations.and_then(|it| it.options().schema) {
            return Err(TestingError::new(format!(
                "the set has the option `schema = \"{schema}\"`, which is a database of this server: \
                 all tests would share it. Test this set on a server of its own, \
                 with `migrations::run`"
            )));
        }
        let keeper = server.options.connect().await;
        let keeper = keeper.map_err(|error| TestingError::connect(server.source, &error))?;
        let mut keeper = MySqlKeeper(keeper);
        keeper.rows(&format!("SELECT GET_LOCK('{}', 0)", name.as_str())).await?;
        keeper.delete_left(name).await?;
        match migrations {
            Some(migrations) => keeper.copy_template(server, name, migrations).await?,
            None => keeper.create(name.as_str()).await?,
        }
        Ok(CreatedDatabase { keeper, options: server.options.clone().database(name.as_str()) })
    }

    async fn delete(mut keeper: MySqlKeeper, name: &TestName) -> Result<(), TestingError> {
        keeper.drop_database(name.as_str()).await?;
        drop(keeper.0.close().await);
        Ok(())
    }
}

impl MySqlKeeper {
    /// Deletes the databases of ended tests.
    async fn delete_left(&mut self, name: &TestName) -> Result<(), TestingError> {
        let left = self
            .names(&format!(
                "SELECT schema_name FROM information_schema.schemata
                 WHERE LEFT(schema_name, {}) = '{TEST_PREFIX}' AND IS_FREE_LOCK(schema_name) = 1",
                TEST_PREFIX.len()
            ))
            .await?;
        for left in left.iter().filter(|left| name.replaces(left)) {
            drop(self.drop_database(left).await);
        }
        Ok(())
    }

    async fn copy_template(
        &mut self,
        server: &MySqlServer,
        name: &TestName,
        migrations: &Migrations,
    ) -> Result<(), TestingError> {
        let template = TemplateName::of(migrations);
        let statements = match self.read_copy(template.as_str()).await? {
            Some(statements) => statements,
            None => {
                self.build(server, &template, migrations).await?;
                self.read_copy(template.as_str()).await?.unwrap_or_default()
            }
        };
        self.create(name.as_str()).await?;
        let result = match statements.as_slice() {
            [] => apply(server, name.as_str(), migrations).await,
            statements => self.replay(name.as_str(), statements).await,
        };
        if result.is_err() {
            drop(self.drop_database(name.as_str()).await);
        }
        result
    }

    /// Returns the statements of a template; `None` if it does not exist or is not complete. An empty
    /// list means that statements cannot create everything that the migrations create.
    async fn read_copy(&mut self, template: &str) -> Result<Option<Vec<String>>, TestingError> {
        let sql = format!("SELECT statements FROM `{template}`.{COPY_TABLE} ORDER BY number");
        match self.try_rows(&sql).await {
            // No such database, no such table; or MySQL hides whether they exist.
            Err(error) if [1049, 1146, 1142].contains(&number(&error)) => Ok(None),
            Err(error) => Err(failed(&sql, &error)),
            Ok(rows) => Ok(Some(first_column(rows))),
        }
    }

    /// Executes the statements of a template in a database.
    async fn replay(&mut self, database: &str, statements: &[String]) -> Result<(), TestingError> {
        self.execute(&format!("USE `{database}`")).await?;
        for statement in statements {
            self.execute(statement).await?;
        }
        Ok(())
    }

    /// Builds the template, unless another process has built it meanwhile.
    async fn build(
        &mut self,
        server: &MySqlServer,
        template: &TemplateName,
        migrations: &Migrations,
    ) -> Result<(), TestingError> {
        let of = template.as_str();
        let sql = format!("SELECT GET_LOCK('{of}', {})", BUILD_MINUTES * 60);
        let got = self.rows(&sql).await?;
        if got.first().and_then(|row| row.first()) != Some(&Some("1".to_owned())) {
            return Err(TestingError::builder());
        }
        let result = self.build_alone(server, template, migrations).await;
        self.rows(&format!("SELECT RELEASE_LOCK('{of}')")).await?;
        result
    }

    async fn build_alone(
        &mut self,
        server: &MySqlServer,
        template: &TemplateName,
        migrations: &Migrations,
    ) -> Result<(), TestingError> {
        let of = template.as_str();
        if self.read_copy(of).await?.is_some() {
            return Ok(());
        }
        self.drop_database(of).await?;
        self.create(of).await?;
        let applied = apply(server, of, migrations).await;
        if applied.is_err() {
            drop(self.drop_database(of).await);
        }
        applied?;
        let statements = self.tried_copy(of).await?;
        self.execute(&format!("USE `{of}`")).await?;
        for (number, text) in statements.iter().enumerate() {
            let text = mysql_copy::literal(text);
            if number == 0 {
                self.execute(&format!("CREATE TABLE {COPY_PART} {COPY_COLUMNS}")).await?;
            }
            self.execute(&format!("INSERT INTO {COPY_PART} VALUES ({number}, {text})")).await?;
        }
        self.execute(&if statements.is_empty() {
            format!("CREATE TABLE {COPY_TABLE} {COPY_COLUMNS}")
        } else {
            format!("RENAME TABLE {COPY_PART} TO {COPY_TABLE}")
        })
        .await?;
        // The table of the statements is as old as the template.
        let old = self
            .names(&format!(
                "SELECT table_schema FROM information_schema.tables
                 WHERE table_name = '{COPY_TABLE}' AND LEFT(table_schema, {}) = '{}'
                 ORDER BY create_time DESC LIMIT 1000 OFFSET {KEPT_TEMPLATES}",
                template.of_folder.len(),
                template.of_folder
            ))
            .await?;
        for old in old {
            drop(self.drop_database(&old).await);
        }
        Ok(())
    }

    /// Returns the statements that create what the template contains. They are executed once: the list is
    /// empty if their result differs from the template.
    async fn tried_copy(&mut self, template: &str) -> Result<Vec<String>, TestingError> {
        let Some(found) = mysql_copy::read(self, template).await? else { return Ok(Vec::new()) };
        let trial = TestName::new(template);
        self.rows(&format!("SELECT GET_LOCK('{}', 0)", trial.as_str())).await?;
        self.create(trial.as_str()).await?;
        let statements = found.statements(template);
        let is_same = match self.replay(trial.as_str(), &statements).await {
            Ok(()) => {
                let copied = mysql_copy::read(self, trial.as_str()).await?;
                copied.is_some_and(|copied| copied == found)
            }
            Err(_) => false,
        };
        self.drop_database(trial.as_str()).await?;
        self.rows(&format!("SELECT RELEASE_LOCK('{}')", trial.as_str())).await?;
        Ok(if is_same { statements } else { Vec::new() })
    }
}

const COPY_COLUMNS: &str =
    "(number INT PRIMARY KEY, statements LONGTEXT NOT NULL) CHARACTER SET utf8mb4";

/// Applies the migrations to a database.
async fn apply(
    server: &MySqlServer,
    database: &str,
    migrations: &Migrations,
) -> Result<(), TestingError> {
    let options = server.options.clone().database(database);
    let pool = MySqlPoolOptions::new().max_connections(2).connect_lazy_with(options);
    let result = jetbase_runtime::run(migrations, &pool).await;
    pool.close().await;
    result.map(drop).map_err(|error| TestingError::migrations(&error))
}
