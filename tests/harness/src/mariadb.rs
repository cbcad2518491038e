//! MariaDB, or else MySQL: how a private server is prepared and run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::private_server::Engine;
use crate::{Unavailable, process};

/// What MySQL runs at each start: it makes a root user for the host name of loopback only.
const MYSQL_ROOT: &str = "CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';\n\
                          GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n";

/// MySQL would write a redo log of 100 MB for each server.
const MYSQL_REDO_LOG: &str = "--loose-innodb-redo-log-capacity=8M";

/// The variable that names the folder of the server's programs. It goes before installed programs.
const PROGRAMS: &str = "JETBASE_TEST_MYSQL_PROGRAMS";

/// An installed MariaDB or MySQL.
#[derive(Debug)]
pub struct Mariadb {
    server: PathBuf,
    /// MariaDB's program that makes the system tables; MySQL's server does it by itself.
    install: Option<PathBuf>,
}

impl Mariadb {
    /// Finds the programs: those in the folder of the variable, else installed ones. MariaDB goes
    /// before MySQL.
    pub fn find() -> Result<Mariadb, Unavailable> {
        let folder = process::folder_of_programs(PROGRAMS);
        let find = |names: &[&str]| match &folder {
            Some(folder) => process::find_in(folder, names),
            None => process::find(names),
        };
        let missing = |what: &str| match &folder {
            Some(folder) => {
                Unavailable::Broken(format!("{what} in {PROGRAMS}={}", folder.display()))
            }
            None => Unavailable::Missing {
                what: "mysql",
                reason: format!("{what}; JETBASE_TEST_MYSQL_URL can name a running server"),
            },
        };
        let Some(server) = find(&["mariadbd", "mysqld"]) else {
            return Err(missing(
                "neither MariaDB nor MySQL is installed (no `mariadbd` or `mysqld`)",
            ));
        };
        let version = process::command(&server).arg("--version").output();
        let version = version.map_err(|error| {
            Unavailable::Broken(format!("cannot run `{} --version`: {error:#}", server.display()))
        })?;
        if !String::from_utf8_lossy(&version.stdout).contains("MariaDB") {
            return Ok(Mariadb { server, install: None });
        }
        match find(&["mariadb-install-db", "mysql_install_db"]) {
            Some(install) => Ok(Mariadb { server, install: Some(install) }),
            None => Err(missing("MariaDB is not fully installed (no `mariadb-install-db`)")),
        }
    }
}

impl Engine for Mariadb {
    fn user(&self) -> &'static str {
        "mysql"
    }

    fn prepare_command(&self, folder: &Path) -> Command {
        let mut command = process::command(self.install.as_ref().unwrap_or(&self.server));
        command.arg("--no-defaults").arg(with_path("--datadir=", &folder.join("data")));
        if self.install.is_some() {
            command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
            command.args(["--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"]);
        } else {
            command.args(["--initialize-insecure", MYSQL_REDO_LOG]);
        }
        command
    }

    fn write_settings(&self, folder: &Path) -> io::Result<()> {
        fs::write(folder.join("root.sql"), MYSQL_ROOT)
    }

    fn server_command(&self, folder: &Path, port: u16) -> Command {
        let mut words = process::die_with_parent("KILL");
        words.push(self.server.clone().into());
        let program = words.remove(0);
        let mut command = process::command(program);
        command.args(words).arg("--no-defaults");
        command.arg(with_path("--datadir=", &folder.join("data")));
        // Relative names lie in the data folder and are short enough for a socket.
        command.args(["--socket=server.sock", "--pid-file=server.pid", "--bind-address=127.0.0.1"]);
        command.arg(format!("--port={port}"));
        command.args(["--skip-name-resolve", "--max-connections=300", "--skip-log-bin"]);
        // What is committed survives a crash of the server, but not one of the system.
        command.args(["--character-set-server=utf8mb4", "--innodb-flush-log-at-trx-commit=2"]);
        command.args(["--innodb-buffer-pool-size=32M", "--loose-mysqlx=OFF"]);
        if self.install.is_none() {
            command.arg(MYSQL_REDO_LOG);
            command.arg(with_path("--init-file=", &folder.join("root.sql")));
        }
        command
    }

    fn kill_signal(&self) -> &'static str {
        "KILL"
    }

    fn url(&self, port: u16) -> String {
        format!("mysql://root@127.0.0.1:{port}/mysql")
    }
}

/// An option with a path as its value.
fn with_path(option: &str, path: &Path) -> std::ffi::OsString {
    let mut word = std::ffi::OsString::from(option);
    word.push(path);
    word
}
