//! The private server, and a connection to it that creates databases and reads counters.

use jetbase_test_harness::process::Account;
use jetbase_test_harness::{Engine, Mariadb, Postgres, PrivateServer, TestError, block_on};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, Row as _};

use crate::frames::WireProtocol;

/// As a server in production, apart from its size: a commit is flushed to the disk. No checkpoint
/// begins by the clock, because it would be counted.
const POSTGRES: &[&str] = &[
    "-cfsync=on",
    "-cfull_page_writes=on",
    "-cwal_level=replica",
    "-cshared_buffers=256MB",
    "-cmax_wal_size=4GB",
    "-ccheckpoint_timeout=1d",
];

const POSTGRES_COUNTING: &[&str] = &[
    "-cfsync=on",
    "-cfull_page_writes=on",
    "-cwal_level=replica",
    "-cshared_buffers=256MB",
    "-cmax_wal_size=4GB",
    "-ccheckpoint_timeout=1d",
    "-cautovacuum=off",
    "-cshared_preload_libraries=pg_stat_statements",
    "-cpg_stat_statements.max=50000",
];

const MYSQL: &[&str] = &[
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-buffer-pool-size=256M",
    "--loose-innodb-redo-log-capacity=256M",
];

const STATEMENTS: &str = "SELECT coalesce(sum(calls), 0)::text FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'";

enum Admin {
    Mysql(MySqlConnection),
    Postgres(PgConnection),
}

impl Admin {
    async fn connect(protocol: WireProtocol, url: &str) -> Result<Admin, sqlx::Error> {
        Ok(match protocol {
            WireProtocol::Mysql => Admin::Mysql(MySqlConnection::connect(url).await?),
            WireProtocol::Postgres => Admin::Postgres(PgConnection::connect(url).await?),
        })
    }

    /// Runs SQL and returns a value of the first row as text.
    async fn value(&mut self, sql: &str, column: usize) -> Result<Option<String>, sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match self {
            Admin::Mysql(it) => {
                let row = sql.fetch_optional(it).await?;
                row.map(|row| row.try_get_unchecked(column)).transpose()
            }
            Admin::Postgres(it) => {
                let row = sql.fetch_optional(it).await?;
                row.map(|row| row.try_get_unchecked(column)).transpose()
            }
        }
    }
}

/// The private server.
pub(crate) struct StartedServer {
    protocol: WireProtocol,
    admin: Admin,
    counting: bool,
    /// How many statements a reading of the counter adds to it, and how often it was read.
    per_reading: u64,
    readings: u64,
    url: String,
    // Dropped last, because the connection above needs it.
    _server: PrivateServer,
}

impl StartedServer {
    pub(crate) fn start(
        protocol: WireProtocol,
        counting: bool,
    ) -> Result<StartedServer, TestError> {
        let counting = counting || protocol == WireProtocol::Mysql;
        let (engine, name): (Box<dyn Engine>, _) = match protocol {
            WireProtocol::Mysql => (Box::new(Mariadb::find()?.with_options(MYSQL)), "mysql"),
            WireProtocol::Postgres => {
                let options = if counting { POSTGRES_COUNTING } else { POSTGRES };
                (Box::new(Postgres::find()?.with_options(options)), "postgres")
            }
        };
        let account = Account::choose(name, engine.user())?;
        block_on(async {
            let server = PrivateServer::start(engine, account).await?;
            let url = server.url();
            let admin = Admin::connect(protocol, &url).await?;
            let (per_reading, readings) = (0, 0);
            let mut started = StartedServer {
                protocol,
                admin,
                counting,
                per_reading,
                readings,
                url,
                _server: server,
            };
            if counting && protocol == WireProtocol::Postgres {
                started.admin.value("CREATE EXTENSION pg_stat_statements", 0).await?;
            }
            if counting {
                let first = started.counter().await?;
                started.per_reading = started.counter().await?.saturating_sub(first);
            }
            Ok(started)
        })?
    }

    pub(crate) fn protocol(&self) -> WireProtocol {
        self.protocol
    }

    pub(crate) fn port(&self) -> u16 {
        let port = self.url.rsplit(':').next().and_then(|rest| rest.split('/').next());
        port.and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    pub(crate) fn version(&self) -> Result<String, TestError> {
        let sql = match self.protocol {
            WireProtocol::Mysql => {
                "SELECT CONCAT(IF(VERSION() LIKE '%MariaDB%', 'MariaDB ', 'MySQL '), SUBSTRING_INDEX(VERSION(), '-', 1))"
            }
            WireProtocol::Postgres => {
                "SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1)"
            }
        };
        block_on(async {
            let mut admin = Admin::connect(self.protocol, &self.url).await?;
            Ok(admin.value(sql, 0).await?.unwrap_or_default())
        })?
    }

    pub(crate) fn create(&mut self, name: &str) -> Result<(), TestError> {
        let options = match self.protocol {
            WireProtocol::Mysql => "CHARACTER SET utf8mb4",
            WireProtocol::Postgres => "TEMPLATE template0 ENCODING 'UTF8'",
        };
        let sql = format!("CREATE DATABASE {name} {options}");
        block_on(self.admin.value(&sql, 0))??;
        Ok(())
    }

    pub(crate) fn drop_database(&mut self, name: &str) -> Result<(), TestError> {
        let options = if self.protocol == WireProtocol::Postgres { " WITH (FORCE)" } else { "" };
        let sql = format!("DROP DATABASE IF EXISTS {name}{options}");
        block_on(self.admin.value(&sql, 0))??;
        Ok(())
    }

    /// How many statements the server has executed, without those of this function.
    pub(crate) fn statements(&mut self) -> Result<Option<u64>, TestError> {
        if !self.counting {
            return Ok(None);
        }
        let read = block_on(self.counter())??;
        self.readings += 1;
        Ok(Some(read.saturating_sub(self.per_reading * self.readings)))
    }

    async fn counter(&mut self) -> Result<u64, TestError> {
        let (sql, column) = match self.protocol {
            WireProtocol::Mysql => ("SHOW GLOBAL STATUS LIKE 'Questions'", 1),
            WireProtocol::Postgres => (STATEMENTS, 0),
        };
        Ok(self.admin.value(sql, column).await?.unwrap_or_default().parse()?)
    }

    pub(crate) fn value(&self, database: &str, sql: &str) -> Result<String, TestError> {
        let base = self.url.rsplit_once('/').map_or("", |(base, _)| base);
        let url = format!("{base}/{database}");
        block_on(async {
            let mut admin = Admin::connect(self.protocol, &url).await?;
            Ok(admin.value(sql, 0).await?.unwrap_or_default())
        })?
    }
}
