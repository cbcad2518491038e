//! Second servers: a standby of PostgreSQL, and a MariaDB made of another one's data.

use std::path::{Path, PathBuf};
use std::process::Command;

use jetbase_test_harness::process::{self, Account};
use jetbase_test_harness::{
    Database, DatabaseKind, Engine, Mariadb, Postgres, PrivateServer, TestError,
};

/// A second server; dropping it ends it.
pub(crate) struct SecondServer {
    server: PrivateServer,
    kind: DatabaseKind,
}

impl SecondServer {
    /// The host name of a copy.
    pub(crate) const HOST: &str = "jetbase-elsewhere";

    /// A standby of the server that a database is on.
    pub(crate) async fn standby(port: u16) -> Result<SecondServer, TestError> {
        let base = Postgres::find()?;
        let account = Account::choose("postgres", base.user())?;
        let engine = StandbyEngine { base, port };
        Ok(SecondServer {
            server: PrivateServer::start(Box::new(engine), account).await?,
            kind: DatabaseKind::Postgres,
        })
    }

    /// A MariaDB with a copy of another one's data, on a host of another name.
    pub(crate) async fn copy(from: &Path) -> Result<SecondServer, TestError> {
        SecondServer::mariadb(Some(from.to_owned()), &["--server-id=77", "--user=root"]).await
    }

    /// A fresh MariaDB that can be replicated.
    pub(crate) async fn replicated(id: u32) -> Result<SecondServer, TestError> {
        let id = format!("--server-id={id}");
        SecondServer::mariadb(None, &[&id, "--log-bin=binlog", "--binlog-format=ROW"]).await
    }

    async fn mariadb(from: Option<PathBuf>, words: &[&str]) -> Result<SecondServer, TestError> {
        let base = Mariadb::find()?;
        let account = Account::choose("mysql", base.user())?;
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let engine = CopyEngine { base, from, words };
        Ok(SecondServer {
            server: PrivateServer::start(Box::new(engine), account).await?,
            kind: DatabaseKind::Mysql,
        })
    }

    /// A database on it.
    pub(crate) fn database(&self, name: &str) -> Result<Database, TestError> {
        let url = self.server.url();
        let (server, _) = url.rsplit_once('/').ok_or("a URL has slashes")?;
        Database::at(self.kind, &format!("{server}/{name}"))
    }

    /// Ends it at once.
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
        // The programs of one version lie together, often behind links.
        let command = self.base.server_command(folder, 0);
        let words = std::iter::once(command.get_program()).chain(command.get_args()).map(Path::new);
        let server =
            words.filter(|word| word.ends_with("postgres")).find_map(|it| it.canonicalize().ok());
        let beside = server.map(|server| server.with_file_name("pg_basebackup"));
        let program = beside.filter(|file| file.is_file());
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

/// A MariaDB with more options, perhaps on a copy of another one's data.
#[derive(Debug)]
struct CopyEngine {
    base: Mariadb,
    from: Option<PathBuf>,
    words: Vec<String>,
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
            command = elsewhere(&command);
        }
        command.args(&self.words);
        command
    }

    fn kill_signal(&self) -> &'static str {
        self.base.kill_signal()
    }

    fn url(&self, port: u16) -> String {
        self.base.url(port)
    }
}

/// The command on a host of another name: in a namespace, where it is root in name only.
fn elsewhere(command: &Command) -> Command {
    let mut other = process::command("unshare");
    other.args(["--map-root-user", "--uts", "sh", "-c"]);
    other.arg(format!("hostname {} && exec \"$0\" \"$@\"", SecondServer::HOST));
    other.arg(command.get_program()).args(command.get_args());
    other
}
