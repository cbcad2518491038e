//! A private PgBouncer in front of a private PostgreSQL.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use jetbase_test_harness::process::{self, Account, Process};
use jetbase_test_harness::{Database, TestError, Unavailable, scratch};
use tempfile::TempDir;

/// The pooling mode of PgBouncer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolMode {
    Session,
    Transaction,
}

impl PoolMode {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
        }
    }
}

/// A running PgBouncer. It stops when the value is dropped.
pub(crate) struct Bouncer {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl Bouncer {
    /// Starts a PgBouncer for the server of a database, with `size` connections to it.
    pub(crate) async fn start(
        db: &Database,
        mode: PoolMode,
        ignored: &str,
        size: usize,
    ) -> Result<Bouncer, TestError> {
        let missing = || Unavailable::Missing {
            what: "pgbouncer",
            reason: "PgBouncer is not installed (no `pgbouncer` in PATH or /usr/sbin)".to_owned(),
        };
        let program = process::find(&["pgbouncer"]).ok_or_else(missing)?;
        let folder = scratch::folder("pgbouncer")?;
        let account = Account::choose("postgres", "postgres")?;
        account.own(folder.path())?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let server = port_of(&db.url)?;
        let mode = mode.name();
        let users = folder.path().join("users");
        fs::write(&users, "\"postgres\" \"\"\n")?;
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {mode}\n\
             default_pool_size = {size}\nmax_client_conn = 300\nignore_startup_parameters = {ignored}\n",
            users.display()
        );
        let ini = folder.path().join("pgbouncer.ini");
        fs::write(&ini, text)?;
        let log = File::create(folder.path().join("log"))?;
        let mut command = process::command_that_ends_with_parent(&program, "KILL");
        command.arg(&ini).current_dir(folder.path()).stdout(log.try_clone()?).stderr(log);
        account.apply(&mut command);
        let process = Process::start(command)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                return Err(format!("PgBouncer does not listen:\n{log}").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Bouncer { port, _process: process, _folder: folder })
    }

    /// Returns the database with the URL of the PgBouncer.
    pub(crate) fn pooled(&self, db: &Database) -> Result<Database, TestError> {
        let mut pooled = db.clone();
        pooled.url = replace_port(&db.url, self.port)?;
        Ok(pooled)
    }
}

/// Returns the port of a URL.
pub(crate) fn port_of(url: &str) -> Result<u16, TestError> {
    let rest = url.rsplit('@').next().unwrap_or_default();
    let digits = rest.split(':').nth(1).and_then(|it| it.split('/').next());
    Ok(digits.ok_or("the URL has no port")?.parse()?)
}

/// Returns a URL with another port.
pub(crate) fn replace_port(url: &str, port: u16) -> Result<String, TestError> {
    Ok(url.replace(&format!(":{}/", port_of(url)?), &format!(":{port}/")))
}
