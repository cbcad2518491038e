//! PostgreSQL: a clone of a template database.

use std::time::Duration;

use jetbase_core::{Dialect, Migrations};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Postgres, Row};

use crate::driver::sealed::{CreatedDatabase, TestBackend};
use crate::error::{BUILD_MINUTES, TestingError};
use crate::name::{KEPT_TEMPLATES, TEST_PREFIX, TemplateName, TestName};
use crate::server::ServerAddress;

/// The server of the tests.
pub struct PgServer {
    options: PgConnectOptions,
    source: &'static str,
}

/// The session that keeps a database. Its name for other sessions is that of the database.
pub struct PgKeeper(PgConnection);

impl PgServer {
    fn of(address: &ServerAddress) -> Result<Self, TestingError> {
        let options: PgConnectOptions = address.parse(Dialect::Postgres)?;
        Ok(PgServer { options: options.disable_statement_logging(), source: address.source })
    }
}

impl TestBackend for Postgres {
    const DIALECT: Dialect = Dialect::Postgres;
    type Place = PgServer;
    type Keeper = PgKeeper;

    fn place() -> Result<PgServer, TestingError> {
        PgServer::of(&ServerAddress::from_environment(Dialect::Postgres)?)
    }

    fn place_at(text: &str) -> Result<PgServer, TestingError> {
        PgServer::of(&ServerAddress::at(text))
    }

    async fn create(
        server: &PgServer,
        name: &TestName,
        migrations: Option<&Migrations>,
    ) -> Result<CreatedDatabase<Self>, TestingError> {
        let options = server.options.clone().application_name(name.as_str());
        let keeper = options.connect().await;
        let keeper = keeper.map_err(|error| TestingError::connect(server.source, &error))?;
        let mut keeper = PgKeeper(keeper);
        keeper.delete_left(name).await?;
        match migrations {
            Some(migrations) => keeper.clone_template(server, name, migrations).await?,
            None => keeper.execute(&format!("CREATE DATABASE \"{}\"", name.as_str())).await?,
        }
        // Nobody needs the database after a crash of the server.
        let options = server.options.clone().options([("synchronous_commit", "off")]);
        Ok(CreatedDatabase { keeper, options: options.database(name.as_str()) })
    }

    async fn delete(mut keeper: PgKeeper, name: &TestName) -> Result<(), TestingError> {
        keeper.wait_for_sessions(name).await?;
        keeper.force_delete(name).await?;
        drop(keeper.0.close().await);
        Ok(())
    }
}

impl PgKeeper {
    /// Deletes the databases of ended tests. One that somebody uses stays.
    async fn delete_left(&mut self, name: &TestName) -> Result<(), TestingError> {
        let left = self
            .names(&format!(
                "SELECT datname::text FROM pg_database
                 WHERE starts_with(datname, '{TEST_PREFIX}')
                   AND datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user)
                   AND datname NOT IN (SELECT application_name FROM pg_stat_activity
                                       WHERE application_name IS NOT NULL)"
            ))
            .await?;
        for left in left.iter().filter(|left| name.replaces(left)) {
            drop(self.try_execute(&format!("DROP DATABASE IF EXISTS \"{left}\"")).await);
        }
        Ok(())
    }

    async fn clone_template(
        &mut self,
        server: &PgServer,
        name: &TestName,
        migrations: &Migrations,
    ) -> Result<(), TestingError> {
        let template = TemplateName::of(migrations);
        let (name, of) = (name.as_str(), template.as_str());
        let sql = format!("CREATE DATABASE \"{name}\" TEMPLATE \"{of}\"");
        // Another process can delete the template between the two statements, if it has made many.
        for _ in 0..2 {
            match self.try_execute(&sql).await {
                Err(error) if is(&error, "3D000") => {}
                result => return result.map_err(|error| failed(&sql, &error)),
            }
            self.build(server, &template, migrations).await?;
        }
        self.execute(&sql).await
    }

    /// Builds the template, unless another process has built it meanwhile.
    async fn build(
        &mut self,
        server: &PgServer,
        template: &TemplateName,
        migrations: &Migrations,
    ) -> Result<(), TestingError> {
        let number = template.number();
        self.execute(&format!("SET lock_timeout = '{BUILD_MINUTES}min'")).await?;
        let sql = format!("SELECT pg_advisory_lock({number})");
        match self.try_execute(&sql).await {
            Err(error) if is(&error, "55P03") => return Err(TestingError::builder()),
            result => result.map_err(|error| failed(&sql, &error))?,
        }
        let result = self.build_alone(server, template, migrations).await;
        self.execute(&format!("SELECT pg_advisory_unlock({number})")).await?;
        result
    }

    async fn build_alone(
        &mut self,
        server: &PgServer,
        template: &TemplateName,
        migrations: &Migrations,
    ) -> Result<(), TestingError> {
        if self.has(template).await? {
            return Ok(());
        }
        let built = TestName::new(template.as_str());
        self.delete_left(&built).await?;
        self.execute(&format!("CREATE DATABASE \"{}\"", built.as_str())).await?;
        let result = self.finish(server, &built, template, migrations).await;
        if result.is_err() {
            drop(self.force_delete(&built).await);
        }
        result?;
        // The number of a database is higher than those of older ones.
        let old = self
            .names(&format!(
                "SELECT datname::text FROM pg_database WHERE starts_with(datname, '{}')
                 ORDER BY oid DESC OFFSET {KEPT_TEMPLATES}",
                template.of_folder
            ))
            .await?;
        for old in old {
            drop(self.try_execute(&format!("DROP DATABASE IF EXISTS \"{old}\"")).await);
        }
        Ok(())
    }

    /// Applies the migrations, and gives the database the name of the template.
    async fn finish(
        &mut self,
        server: &PgServer,
        name: &TestName,
        template: &TemplateName,
        migrations: &Migrations,
    ) -> Result<(), TestingError> {
        let built = name.as_str();
        let options = server.options.clone().database(built);
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(options);
        let result = apply(&pool, migrations).await;
        pool.close().await;
        result?;
        // A template with a connection cannot be cloned.
        self.execute(&format!("ALTER DATABASE \"{built}\" WITH ALLOW_CONNECTIONS false")).await?;
        let sql = format!("ALTER DATABASE \"{built}\" RENAME TO \"{}\"", template.as_str());
        match self.try_execute(&sql).await {
            Ok(()) => Ok(()),
            // A lock counts in one database, so a test whose URL names another one can have built the
            // template meanwhile. The code of the error depends on the moment.
            Err(_) if self.has(template).await? => self.force_delete(name).await,
            Err(error) => Err(failed(&sql, &error)),
        }
    }

    /// Returns whether the template exists. It has its name only when it is complete.
    async fn has(&mut self, template: &TemplateName) -> Result<bool, TestingError> {
        let of = template.as_str();
        let sql = format!("SELECT datname::text FROM pg_database WHERE datname = '{of}'");
        Ok(!self.names(&sql).await?.is_empty())
    }

    /// Waits until the closed connections of a test have ended. `DROP DATABASE` would look for them again
    /// only after 100 ms.
    async fn wait_for_sessions(&mut self, name: &TestName) -> Result<(), TestingError> {
        let sql = format!(
            "SELECT datname::text FROM pg_stat_activity WHERE datname = '{}'",
            name.as_str()
        );
        for _ in 0..LOOKS {
            if self.names(&sql).await?.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    async fn force_delete(&mut self, name: &TestName) -> Result<(), TestingError> {
        self.execute(&format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", name.as_str())).await
    }

    async fn execute(&mut self, sql: &str) -> Result<(), TestingError> {
        self.try_execute(sql).await.map_err(|error| failed(sql, &error))
    }

    async fn try_execute(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        self.0.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop)
    }

    async fn names(&mut self, sql: &str) -> Result<Vec<String>, TestingError> {
        let rows: Result<Vec<PgRow>, _> = self.0.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql))).await;
        let names: Result<_, _> =
            rows.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect());
        names.map_err(|error| failed(sql, &error))
    }
}

/// How often the end of a test looks for its own sessions, with a pause of a millisecond.
const LOOKS: u32 = 50;

/// Applies the migrations to a new database. A run creates no schema, but here nobody else can.
async fn apply(pool: &PgPool, migrations: &Migrations) -> Result<(), TestingError> {
    if let Some(schema) = migrations.options().schema {
        let sql = format!("CREATE SCHEMA IF NOT EXISTS \"{}\"", schema.replace('"', "\"\""));
        let result = pool.execute(sqlx::raw_sql(AssertSqlSafe(sql.as_str()))).await;
        result.map_err(|error| failed(&sql, &error))?;
    }
    let result = jetbase_runtime::run(migrations, pool).await;
    result.map(drop).map_err(|error| TestingError::migrations(&error))
}

fn is(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(|it| it.code()).as_deref() == Some(code)
}

fn failed(sql: &str, error: &sqlx::Error) -> TestingError {
    TestingError::statement(Dialect::Postgres, sql, error)
}
