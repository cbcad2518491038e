//! MariaDB or MySQL: how a private server is prepared and run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::private_server::Engine;
use crate::{Unavailable, process};

/// SQL that MySQL runs at each start: it creates a root user for loopback.
/// The nodes of a group must not replicate it to each other.
const MYSQL_ROOT: &str = "SET sql_log_bin = 0;\n\
                          CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';\n\
                          GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n";

/// MySQL would write a redo log of 100 MB for each server.
const MYSQL_REDO_LOG: &str = "--loose-innodb-redo-log-capacity=8M";

/// The variable that names the folder of the server's programs. It goes before installed programs.
const PROGRAMS: &str = "JETBASE_TEST_MYSQL_PROGRAMS";

/// Where `tests/servers/fetch` puts MySQL, seen from this crate.
const FETCHED_MYSQL: &str = "../../target/servers/mysql-9/bin";

/// An installed MariaDB or MySQL.
#[derive(Debug)]
pub struct Mariadb {
    server: PathBuf,
    /// The program of MariaDB that creates the system tables. MySQL's server creates them itself.
    install: Option<PathBuf>,
    /// More options of the server's command line.
    options: &'static [&'static str],
}

impl Mariadb {
    /// Finds a MySQL: in the folder that the variable names, or else where `tests/servers/fetch` puts
    /// it, or else an installed one. `what` is the name in `JETBASE_TEST_REQUIRE` of those who need it.
    pub fn find_mysql(what: &'static str) -> Result<Mariadb, Unavailable> {
        let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join(FETCHED_MYSQL);
        let servers = [
            process::folder_of_programs(PROGRAMS).and_then(|it| process::find_in(&it, &["mysqld"])),
            process::find_in(&fetched, &["mysqld"]),
            process::find(&["mysqld"]),
        ];
        for server in servers.into_iter().flatten() {
            if !is_mariadb(&server)? {
                return Ok(Mariadb { server, install: None, options: &[] });
            }
        }
        let reason = format!(
            "MySQL is not installed; `tests/servers/fetch mysql-9` brings it, or {PROGRAMS} names its folder"
        );
        Err(Unavailable::Missing { what, reason })
    }

    /// Finds the programs in the folder that the variable names, or else the installed ones: those of
    /// MariaDB, or else those of MySQL.
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
        if !is_mariadb(&server)? {
            return Ok(Mariadb { server, install: None, options: &[] });
        }
        match find(&["mariadb-install-db", "mysql_install_db"]) {
            Some(install) => Ok(Mariadb { server, install: Some(install), options: &[] }),
            None => Err(missing("MariaDB is not fully installed (no `mariadb-install-db`)")),
        }
    }

    /// Whether the server is MySQL itself.
    pub fn is_mysql(&self) -> bool {
        self.install.is_none()
    }

    /// Adds options of the server's command line.
    pub fn with_options(self, options: &'static [&'static str]) -> Mariadb {
        Mariadb { options, ..self }
    }
}

impl Engine for Mariadb {
    fn user(&self) -> &'static str {
        "mysql"
    }

    fn prepare_command(&self, folder: &Path) -> Command {
        let mut command = process::command(self.install.as_ref().unwrap_or(&self.server));
        command.arg("--no-defaults").args(folders(folder));
        if self.install.is_some() {
            command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
            command.args(["--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"]);
        } else {
            // MySQL accepts some options only if its data was created with them.
            command.args(["--initialize-insecure", MYSQL_REDO_LOG]).args(self.options);
        }
        command
    }

    fn write_settings(&self, folder: &Path) -> io::Result<()> {
        fs::write(folder.join("root.sql"), MYSQL_ROOT)
    }

    fn server_command(&self, folder: &Path, port: u16) -> Command {
        let mut command = process::command_that_ends_with_parent(&self.server, "KILL");
        command.arg("--no-defaults");
        command.args(folders(folder));
        // Relative names are in the data folder and short enough for a socket.
        command.args(["--socket=server.sock", "--pid-file=server.pid", "--bind-address=127.0.0.1"]);
        command.arg(format!("--port={port}"));
        command.args(["--skip-name-resolve", "--max-connections=300", "--skip-log-bin"]);
        // Commits survive a crash of the server, but not one of the system.
        command.args(["--character-set-server=utf8mb4", "--innodb-flush-log-at-trx-commit=2"]);
        command.args(["--innodb-buffer-pool-size=32M", "--loose-mysqlx=OFF"]);
        if self.install.is_none() {
            command.arg(MYSQL_REDO_LOG);
            command.arg(with_path("--init-file=", &folder.join("root.sql")));
        }
        command.args(self.options);
        command
    }

    fn kill_signal(&self) -> &'static str {
        "KILL"
    }

    fn url(&self, port: u16) -> String {
        format!("mysql://root@127.0.0.1:{port}/mysql")
    }
}

/// Whether the program of a server is that of MariaDB.
fn is_mariadb(server: &Path) -> Result<bool, Unavailable> {
    let version = process::command(server).arg("--version").output();
    let version = version.map_err(|error| {
        Unavailable::Broken(format!("cannot run `{} --version`: {error:#}", server.display()))
    })?;
    Ok(String::from_utf8_lossy(&version.stdout).contains("MariaDB"))
}

/// The folders of a server. When a server starts, it deletes the temporary tables in its folder for them, also
/// those of another server.
fn folders(folder: &Path) -> [std::ffi::OsString; 2] {
    [with_path("--datadir=", &folder.join("data")), with_path("--tmpdir=", folder)]
}

/// An option with a path as its value.
fn with_path(option: &str, path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from(option);
    argument.push(path);
    argument
}
