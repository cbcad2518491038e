//! Second servers: a standby of PostgreSQL, and a MariaDB or MySQL with a copy of another server's data.

use std::path::{Path, PathBuf};
use std::process::Command;

use jetbase_test_harness::process::{self, Account};
use jetbase_test_harness::{
    Database, DatabaseKind, Engine, Mariadb, Postgres, PrivateServer, TestError,
};

/// A second server. It stops when the value is dropped.
pub(crate) struct SecondServer {
    server: PrivateServer,
    kind: DatabaseKind,
}

impl SecondServer {
    /// The host name of a copy.
    pub(crate) const HOST: &str = "jetbase-copy";

    /// Starts a standby of the PostgreSQL on a port.
    pub(crate) async fn standby(port: u16) -> Result<SecondServer, TestError> {
        let base = Postgres::find()?;
        let account = Account::choose("postgres", base.user())?;
        let engine = StandbyEngine { base, port };
        Ok(SecondServer {
            server: PrivateServer::start(Box::new(engine), account).await?,
            kind: DatabaseKind::Postgres,
        })
    }

    /// Starts a MariaDB or MySQL with a copy of another server's data, on a host with another name.
    pub(crate) async fn copy(from: &Path) -> Result<SecondServer, TestError> {
        SecondServer::mariadb(Some(from.to_owned()), &["--server-id=77", "--user=root"]).await
    }

    /// Starts a fresh MariaDB or MySQL that can be replicated.
    pub(crate) async fn replicated(id: u32) -> Result<SecondServer, TestError> {
        let id = format!("--server-id={id}");
        // MariaDB always has these identifiers of transactions.
        let of_mysql = ["--loose-gtid-mode=ON", "--loose-enforce-gtid-consistency=ON"];
        let options = [&id, "--log-bin=binlog", "--binlog-format=ROW", of_mysql[0], of_mysql[1]];
        SecondServer::mariadb(None, &options).await
    }

    async fn mariadb(from: Option<PathBuf>, options: &[&str]) -> Result<SecondServer, TestError> {
        let base = Mariadb::find()?;
        let account = Account::choose("mysql", base.user())?;
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let engine = CopyEngine { base, from, options };
        Ok(SecondServer {
            server: PrivateServer::start(Box::new(engine), account).await?,
            kind: DatabaseKind::Mysql,
        })
    }

    /// Returns a database on the server.
    pub(crate) fn database(&self, name: &str) -> Result<Database, TestError> {
        let url = self.server.url();
        let (server, _) = url.rsplit_once('/').ok_or("a URL has slashes")?;
        Database::at(self.kind, &format!("{server}/{name}"))
    }

    /// Ends the server at once, as in a crash.
    pub(crate) fn crash(&self) -> Result<(), TestError> {
        self.server.crash()
    }
}

impl Drop for SecondServer {
    fn drop(&mut self) {
        self.server.stop();
    }
}

/// A standby of the PostgreSQL on a port.
#[derive(Debug)]
struct StandbyEngine {
    base: Postgres,
    port: u16,
}

impl Engine for StandbyEngine {
    fn user(&self) -> &'static str {
        self.base.user()
    }

    fn prepare_command(&self, folder: &Path) -> Command {
        // The programs of one version are in the same folder, often behind symbolic links.
        let command = self.base.server_command(folder, 0);
        let parts = std::iter::once(command.get_program()).chain(command.get_args()).map(Path::new);
        let server =
            parts.filter(|part| part.ends_with("postgres")).find_map(|it| it.canonicalize().ok());
        let same_folder = server.map(|server| server.with_file_name("pg_basebackup"));
        let program = same_folder.filter(|file| file.is_file());
        let program = program.or_else(|| process::find(&["pg_basebackup"])).unwrap_or_default();
        let mut command = process::command(program);
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-R", "-X", "stream", "-c", "fast"]);
        command.args(["-p", &self.port.to_string()]).arg("-D").arg(folder.join("data"));
        command
    }

    fn write_settings(&self, folder: &Path) -> std::io::Result<()> {
        self.base.write_settings(folder)
    }

    fn server_command(&self, folder: &Path, port: u16) -> Command {
        self.base.server_command(folder, port)
    }

    fn kill_signal(&self) -> &'static str {
        self.base.kill_signal()
    }

    fn url(&self, port: u16) -> String {
        self.base.url(port)
    }
}

/// A MariaDB with more options, and optionally with a copy of another server's data.
#[derive(Debug)]
struct CopyEngine {
    base: Mariadb,
    from: Option<PathBuf>,
    options: Vec<String>,
}

impl Engine for CopyEngine {
    fn user(&self) -> &'static str {
        self.base.user()
    }

    fn prepare_command(&self, folder: &Path) -> Command {
        let Some(from) = &self.from else { return self.base.prepare_command(folder) };
        let mut command = process::command("cp");
        command.arg("-a").arg(from).arg(folder.join("data"));
        command
    }

    fn write_settings(&self, folder: &Path) -> std::io::Result<()> {
        self.base.write_settings(folder)
    }

    fn server_command(&self, folder: &Path, port: u16) -> Command {
        let mut command = self.base.server_command(folder, port);
        if self.from.is_some() {
            command = on_other_host(&command);
        }
        command.args(&self.options);
        command
    }

    fn kill_signal(&self) -> &'static str {
        self.base.kill_signal()
    }

    fn url(&self, port: u16) -> String {
        self.base.url(port)
    }
}

/// Returns the command for a host with another name, in a user namespace and a UTS namespace.
fn on_other_host(command: &Command) -> Command {
    let mut other = process::command("unshare");
    other.args(["--map-root-user", "--uts", "sh", "-c"]);
    other.arg(format!("hostname {} && exec \"$0\" \"$@\"", SecondServer::HOST));
    other.arg(command.get_program()).args(command.get_args());
    other
}
