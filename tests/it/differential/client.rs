//! The clients of the databases: `psql`, `mariadb` or `mysql`, and `sqlite3`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use jetbase_test_harness::{Database, DatabaseKind, TestContext, TestError, process, scratch};

const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct DatabaseClient {
    program: PathBuf,
}

/// Returns the client, or `None` if it is not installed.
pub(crate) async fn find(ctx: &TestContext) -> Result<Option<DatabaseClient>, TestError> {
    let (names, variable): (&[&str], _) = match ctx.kind {
        DatabaseKind::Postgres => (&["psql"], "JETBASE_TEST_POSTGRES_PROGRAMS"),
        DatabaseKind::Mysql if ctx.db.is_mariadb().await? => {
            (&["mariadb", "mysql"], "JETBASE_TEST_MYSQL_PROGRAMS")
        }
        DatabaseKind::Mysql => (&["mysql"], "JETBASE_TEST_MYSQL_PROGRAMS"),
        // A part of Python, which CI always has.
        DatabaseKind::Sqlite => (&["sqlite3", "python3"], ""),
    };
    let named = process::folder_of_programs(variable);
    let named = named.and_then(|folder| process::find_in(&folder, names));
    Ok(named.or_else(|| process::find(names)).map(|program| DatabaseClient { program }))
}

impl DatabaseClient {
    /// Executes a file.
    pub(crate) async fn execute(&self, db: &Database, text: &str) -> Result<(), TestError> {
        let folder = scratch::folder("client")?;
        let file = folder.path().join("composition.sql");
        std::fs::write(&file, text)?;
        let mut command = process::command(&self.program);
        match db.kind {
            DatabaseKind::Postgres => {
                let url = db.url.split('?').next().unwrap_or_default();
                command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f"]).arg(&file);
            }
            DatabaseKind::Mysql => {
                command.args(mysql_arguments(&db.url)).stdin(std::fs::File::open(&file)?);
            }
            DatabaseKind::Sqlite if self.program.ends_with("sqlite3") => {
                command.args(["-batch", "-bail", &db.name]).stdin(std::fs::File::open(&file)?);
            }
            DatabaseKind::Sqlite => python_script(&mut command, db, &file),
        }
        let output = process::finish(command, LIMIT).await?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into()),
        }
    }
}

fn python_script(command: &mut Command, db: &Database, file: &std::path::Path) {
    const PROGRAM: &str = "import sqlite3, sys\n\
        sqlite3.connect(sys.argv[1]).executescript(open(sys.argv[2], encoding='utf-8').read())";
    command.args(["-c", PROGRAM, &db.name]).arg(file);
}

/// The comments are part of the bodies of routines.
fn mysql_arguments(url: &str) -> Vec<String> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let rest = rest.split('?').next().unwrap_or_default();
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, address) = authority.rsplit_once('@').unwrap_or(("root", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (host, port) = address.split_once(':').unwrap_or((address, "3306"));
    let mut arguments = vec!["--no-defaults".to_owned(), "--comments".to_owned()];
    arguments.push("--default-character-set=utf8mb4".to_owned());
    arguments.extend(["--protocol=tcp".to_owned(), format!("--host={host}")]);
    arguments.extend([format!("--port={port}"), format!("--user={user}")]);
    arguments.extend([format!("--password={password}"), database.to_owned()]);
    arguments
}
