//! PostgreSQL: how a private server is prepared and run.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::private_server::Engine;
use crate::{Unavailable, process};

/// The longest folder name that leaves room for a Unix socket in it.
const SOCKET_FOLDER_LIMIT: usize = 85;

/// Folders with one folder of programs per version.
const VERSIONED_FOLDERS: &[&str] = &["/usr/lib/postgresql", "/usr/pgsql"];

/// The variable that names the folder of the server's programs. It goes before installed programs.
const PROGRAMS: &str = "JETBASE_TEST_POSTGRES_PROGRAMS";

/// An installed PostgreSQL: the folder of its programs.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    /// More options of the server's command line.
    options: &'static [&'static str],
}

impl Postgres {
    /// Finds the programs in the folder that the variable names, or else in `PATH`, or else those of the
    /// newest installed version.
    pub fn find() -> Result<Postgres, Unavailable> {
        let is_complete = |folder: &PathBuf| {
            ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file())
        };
        if let Some(programs) = process::folder_of_programs(PROGRAMS) {
            if is_complete(&programs) {
                return Ok(Postgres { programs, options: &[] });
            }
            let folder = programs.display();
            return Err(Unavailable::Broken(format!(
                "no `initdb` and `postgres` in {PROGRAMS}={folder}"
            )));
        }
        let in_path = process::find(&["postgres"]).and_then(|file| Some(file.parent()?.to_owned()));
        match in_path.into_iter().chain(versioned()).find(is_complete) {
            Some(programs) => Ok(Postgres { programs, options: &[] }),
            None => Err(Unavailable::Missing {
                what: "postgres",
                reason: "PostgreSQL is not installed (no `initdb` and `postgres` in PATH or \
                         /usr/lib/postgresql/*/bin); JETBASE_TEST_POSTGRES_URL can name a running server"
                    .to_owned(),
            }),
        }
    }

    /// Adds options of the server's command line.
    pub fn with_options(self, options: &'static [&'static str]) -> Postgres {
        Postgres { options, ..self }
    }
}

/// The folders of installed versions, the newest first.
fn versioned() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in VERSIONED_FOLDERS {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let version = entry.file_name().to_string_lossy().parse::<u32>().unwrap_or(0);
            found.push((version, entry.path().join("bin")));
        }
    }
    found.sort_by(|(left, _), (right, _)| right.cmp(left));
    found.into_iter().map(|(_, folder)| folder).collect()
}

impl Engine for Postgres {
    fn user(&self) -> &'static str {
        "postgres"
    }

    fn prepare_command(&self, folder: &Path) -> Command {
        let mut command = process::command(self.programs.join("initdb"));
        command.arg("-D").arg(folder.join("data"));
        command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        command
    }

    fn write_settings(&self, folder: &Path) -> io::Result<()> {
        // Commits survive a crash of the server, but not one of the system. So `fsync` is off, and
        // `synchronous_commit` stays on, which costs little without `fsync`.
        let sockets = folder.to_string_lossy();
        let sockets = if sockets.len() > SOCKET_FOLDER_LIMIT { "" } else { &sockets };
        let mut file = OpenOptions::new().append(true).open(folder.join("data/postgresql.conf"))?;
        writeln!(
            file,
            "\n# Settings of the tests.\n\
             listen_addresses = '127.0.0.1'\n\
             unix_socket_directories = '{sockets}'\n\
             fsync = off\n\
             full_page_writes = off\n\
             shared_buffers = 32MB\n\
             max_connections = 300\n\
             max_prepared_transactions = 10\n\
             wal_level = logical\n\
             log_line_prefix = '%m [%p] %d '"
        )
    }

    fn server_command(&self, folder: &Path, port: u16) -> Command {
        // The signal QUIT is an immediate shutdown, which also frees the shared memory.
        let program = self.programs.join("postgres");
        let mut command = process::command_that_ends_with_parent(&program, "QUIT");
        command.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string()]);
        command.args(self.options);
        command
    }

    fn kill_signal(&self) -> &'static str {
        "QUIT"
    }

    fn url(&self, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/postgres")
    }
}
