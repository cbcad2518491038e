//! `#[jetbase::test]` in a program: the tests of `tests/attribute`, built by cargo and run with the
//! servers of these tests.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jetbase_test_harness::{
    Database, DatabaseKind, DatabaseServer, Needs, Suite, TestError, TestResult,
};

pub(super) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    suite.once("the_attribute_runs_tests_on_each_database", nothing, runs);
    suite.once("processes_share_the_templates_of_tests", nothing, processes);
    suite.once("programs_with_databases_of_their_own_build_one_template", nothing, builders);
    suite.once("a_failed_test_keeps_its_database_until_it_runs_again", nothing, failures);
    suite.once("a_killed_test_leaves_nothing_for_its_next_run", nothing, kills);
}

/// Builds the tests once, and returns the program.
fn program() -> Result<&'static Path, TestError> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = PROGRAM.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args([
                "test",
                "--offline",
                "--no-run",
                "--features",
                "attribute",
                "--test",
                "attribute",
            ])
            .arg("--manifest-path")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
            .output()
            .map_err(|error| format!("cargo does not start: {error}"))?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().rev().find(|line| line.trim_start().starts_with("Executable"));
        let path = line.and_then(|line| line.rsplit_once('(')?.1.strip_suffix(')'));
        let path = path.ok_or_else(|| format!("cargo cannot build the tests:\n{text}"))?;
        Path::new(path).canonicalize().map_err(|error| format!("{path}: {error}"))
    });
    built.as_deref().map_err(|error| error.clone().into())
}

/// A run of the tests whose names contain a text.
fn command(arguments: &[&str]) -> Result<Command, TestError> {
    let mut command = Command::new(program()?);
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("RUST_BACKTRACE", "0")
        .env_remove("JETBASE_TEST_POSTGRES_URL")
        .stdin(Stdio::null());
    Ok(command)
}

/// Starts runs at once, and checks that each of them succeeds.
fn all_succeed(commands: impl Iterator<Item = Result<Command, TestError>>) -> TestResult {
    let mut running = Vec::new();
    for command in commands {
        running.push(command?.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
    }
    for process in running {
        let output = process.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
    }
    Ok(())
}

/// A database on each server, which the tests are told.
struct Servers {
    postgres: Database,
    mysql: Database,
}

impl Servers {
    async fn find() -> Result<Servers, TestError> {
        let mut found = Vec::new();
        for kind in [DatabaseKind::Postgres, DatabaseKind::Mysql] {
            // It starts the server on its own runtime, which a thread can enter only once.
            let server = std::thread::spawn(move || DatabaseServer::shared(kind)).join();
            let server = server.map_err(|_| "the start of the server panicked")?;
            let server = server.map_err(|error| format!("{error:?}"))?;
            found.push(Database::fresh(Some(&server)).await?);
        }
        let [postgres, mysql] = found.try_into().map_err(|_| "there are two servers")?;
        Ok(Servers { postgres, mysql })
    }

    async fn remove(&self) {
        self.postgres.remove().await;
        self.mysql.remove().await;
    }

    /// The same, on these servers.
    fn command(&self, arguments: &[&str]) -> Result<Command, TestError> {
        let mut command = command(arguments)?;
        command
            .env("DATABASE_URL", &self.postgres.url)
            .env("JETBASE_TEST_MYSQL_URL", &self.mysql.url);
        Ok(command)
    }

    fn run(&self, arguments: &[&str]) -> Result<(bool, String), TestError> {
        let output = self.command(arguments)?.output()?;
        let text = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
    }
}

/// The names of all databases of tests, on every server and in the folder of SQLite.
async fn names(servers: &Servers) -> Result<Vec<String>, TestError> {
    let mut names = Vec::new();
    for (db, sql) in [
        (&servers.postgres, "SELECT datname FROM pg_database"),
        (&servers.mysql, "SELECT schema_name FROM information_schema.schemata"),
    ] {
        names.extend(db.rows(sql).await?.concat().into_iter().flatten());
    }
    let folder = program()?.with_file_name("jetbase-test");
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| name.starts_with("jetbase_test_"));
    Ok(names)
}

async fn runs() -> TestResult {
    let servers = Servers::find().await?;
    let (success, text) = servers.run(&[])?;
    assert!(success, "{text}");
    for kind in ["postgres", "mysql", "sqlite"] {
        let line = format!("test every_database_has_the_rows_{kind} ... ok");
        assert!(text.contains(&line), "{text}");
    }
    assert!(text.contains("test result: ok. 11 passed; 0 failed; 7 ignored;"), "{text}");

    // Without a server, each test says which variable it needs.
    let mut command =
        servers.command(&["a_pool_has_the_migrations", "every_database_has_the_rows_mysql"])?;
    let output =
        command.env_remove("DATABASE_URL").env_remove("JETBASE_TEST_MYSQL_URL").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in [
        "a test with PostgreSQL needs a server, and no variable names one: set JETBASE_TEST_POSTGRES_URL",
        "a test with MySQL/MariaDB needs a server, and no variable names one: set JETBASE_TEST_MYSQL_URL",
        "test result: FAILED. 0 passed; 2 failed;",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    servers.remove().await;
    Ok(())
}

async fn processes() -> TestResult {
    let servers = Servers::find().await?;
    let command = || servers.command(&["every_database", "--test-threads=2"]);
    all_succeed((0..6).map(|_| command()))?;
    servers.remove().await;
    Ok(())
}

/// On PostgreSQL, the lock of a builder counts only in the database that the URL of the tests names.
async fn builders() -> TestResult {
    let server = DatabaseServer::start(DatabaseKind::Postgres).await;
    let server = Arc::new(server.map_err(|error| format!("{error:?}"))?);
    let mut databases = Vec::new();
    for _ in 0..6 {
        databases.push(Database::on(&server).await?);
    }
    for _ in 0..8 {
        all_succeed(databases.iter().map(|database| {
            let mut command = command(&["a_pool_has_the_migrations"])?;
            command.env("DATABASE_URL", &database.url);
            Ok(command)
        }))?;
        let sql = "SELECT datname FROM pg_database WHERE starts_with(datname, 'jetbase_')";
        let left = databases[0].rows(sql).await?.concat();
        let [Some(template)] = left.as_slice() else {
            panic!("there is not one template: {left:?}")
        };
        databases[0].execute(&format!("DROP DATABASE \"{template}\"")).await?;
    }
    server.stop();
    Ok(())
}

/// The names of databases in a text.
fn named(text: &str) -> Vec<String> {
    let words = text.split('`').filter(|word| word.starts_with("jetbase_test_"));
    words.map(str::to_owned).collect()
}

async fn failures() -> TestResult {
    let servers = Servers::find().await?;
    let (success, text) =
        servers.run(&["--ignored", "a_test_that_panics", "a_test_with_an_error"])?;
    assert!(!success && text.contains("test result: FAILED. 0 passed; 4 failed;"), "{text}");
    assert!(text.contains("no such table: nowhere"), "{text}");
    let kept = named(&text);
    assert_eq!(kept.len(), 4, "{text}");
    for kind in ["PostgreSQL", "MySQL/MariaDB", "SQLite"] {
        let end = format!(
            "` ({kind}) of this test stays, so that you can look at it. It is deleted when the test runs again."
        );
        assert!(text.contains(&end), "{end}\n{text}");
    }
    let there = names(&servers).await?;
    assert!(kept.iter().all(|name| there.contains(name)), "{kept:?}: {there:?}");

    // Another test leaves them alone.
    let (success, text) = servers.run(&["every_database_has_the_rows"])?;
    assert!(success, "{text}");
    let there = names(&servers).await?;
    assert!(kept.iter().all(|name| there.contains(name)), "{kept:?}: {there:?}");

    let (_, text) = servers.run(&["--ignored", "a_test_that_panics", "a_test_with_an_error"])?;
    let again = named(&text);
    let there = names(&servers).await?;
    assert!(kept.iter().all(|name| !there.contains(name)), "{kept:?}: {there:?}");
    assert!(again.iter().all(|name| there.contains(name)), "{again:?}: {there:?}");
    servers.remove().await;
    Ok(())
}

async fn kills() -> TestResult {
    let servers = Servers::find().await?;
    let mut left: Vec<String> = Vec::new();
    for _ in 0..3 {
        let arguments = ["--ignored", "--nocapture", "--test-threads=3", "a_test_that_never_ends"];
        let mut command = servers.command(&arguments)?;
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = process.stdout.take().ok_or("the output is not piped")?;
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        let started: Vec<String> = lines.flat_map(|line| named(&line)).take(3).collect();
        let there = names(&servers).await;
        process.kill()?;
        process.wait()?;
        let there = there?;
        assert_eq!(started.len(), 3, "not every test has started: {started:?}");
        assert!(started.iter().all(|name| there.contains(name)), "{started:?}: {there:?}");
        // This run of the same tests has deleted what the killed one has left.
        assert!(left.iter().all(|name| !there.contains(name)), "{left:?}: {there:?}");
        left = started;
        // The servers need a moment to notice the end of the process.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let there = names(&servers).await?;
        assert!(left.iter().all(|name| there.contains(name)), "{left:?}: {there:?}");
    }
    servers.remove().await;
    Ok(())
}
