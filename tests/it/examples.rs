use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestError, TestResult};

pub(crate) fn register(suite: &mut Suite) {
    suite.once("the_quickstart_runs_twice", Needs::NOTHING, quickstart);
    let sqlite = &[DatabaseKind::Sqlite];
    suite.each("the_rollback_example_runs", sqlite, Needs::NOTHING, rollback);
    suite.once("an_invalid_variable_is_an_error", Needs::NOTHING, invalid_variables);
    suite.once("the_example_with_its_own_command_line_runs", Needs::NOTHING, embedded_cli);
    let postgres = &[DatabaseKind::Postgres];
    suite.each("the_replicas_of_the_service_become_ready", postgres, Needs::NOTHING, replicas);
    suite.each("the_containers_of_the_manifests_run", postgres, Needs::NOTHING, containers);
    suite.each("the_example_of_a_server_runs", DatabaseKind::SERVERS, Needs::NOTHING, server);
}

/// The program of an example. Cargo builds it into the folder beside this program.
fn example(name: &str) -> Result<PathBuf, TestError> {
    let tests = std::env::current_exe()?;
    let folder = tests.ancestors().nth(2).ok_or("a folder of build results")?;
    Ok(folder.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION))
}

fn run(name: &str, folder: &Path, url: &str) -> Result<String, TestError> {
    let Output { status, stdout, stderr } =
        Command::new(example(name)?).current_dir(folder).env("DATABASE_URL", url).output()?;
    let (stdout, stderr) = (String::from_utf8(stdout)?, String::from_utf8(stderr)?);
    if status.success() { Ok(stdout) } else { Err(format!("{name}: {stdout}{stderr}").into()) }
}

async fn quickstart() -> TestResult {
    let folder = tempfile::tempdir()?;
    let first = run("quickstart", folder.path(), "")?;
    assert!(first.starts_with("applied 4 migrations in "), "{first}");
    assert!(first.contains("\nStatus: UNLOCKED\nVersion: 3\n"), "{first}");
    let second = run("quickstart", folder.path(), "")?;
    assert_eq!(second, "up to date: nothing to do\nStatus: UNLOCKED\nVersion: 3\n");
    Ok(())
}

/// An invalid value is not ignored.
async fn invalid_variables() -> TestResult {
    let folder = tempfile::tempdir()?;
    for (name, value) in
        [("JETBASE_WAIT", "5x"), ("JETBASE_LEASE", "soon"), ("JETBASE_LEASE", "1ms")]
    {
        let mut command = Command::new(example("quickstart")?);
        let Output { status, stderr, .. } =
            command.current_dir(folder.path()).env(name, value).output()?;
        let text = String::from_utf8(stderr)?;
        assert!(!status.success(), "{name}={value} is ignored");
        assert!(text.contains(name) && text.contains("30s"), "{text}");
    }
    Ok(())
}

async fn rollback(ctx: TestContext) -> TestResult {
    // The example drops a column. SQLite can do so since version 3.35.
    ctx.db.execute("CREATE TABLE t (a INTEGER, b INTEGER)").await?;
    if ctx.db.execute("ALTER TABLE t DROP COLUMN b").await.is_err() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let text = run("rollback", folder.path(), "")?;
    assert!(text.contains("rolled back 1 migration"), "{text}");
    assert!(text.contains("pending V2__add_email.sql"), "{text}");
    Ok(())
}

async fn server(ctx: TestContext) -> TestResult {
    let name = if ctx.kind == DatabaseKind::Postgres { "postgres" } else { "mysql" };
    let folder = tempfile::tempdir()?;
    let first = run(name, folder.path(), &ctx.db.url)?;
    assert!(first.starts_with("applied 4 migrations in "), "{first}");
    assert!(run(name, folder.path(), &ctx.db.url)?.starts_with("up to date: nothing to do\n"));
    Ok(())
}

async fn embedded_cli() -> TestResult {
    let folder = tempfile::tempdir()?;
    let app = |arguments: &[&str]| -> Result<(Option<i32>, String), TestError> {
        let mut command = Command::new(example("embedded_cli")?);
        let output = command.current_dir(folder.path()).args(arguments).output()?;
        let text = [output.stdout, output.stderr].concat();
        Ok((output.status.code(), String::from_utf8(text)?))
    };
    let url = "sqlite:///app.db";
    assert_eq!(app(&["greet", "--name", "Ann"])?, (Some(0), "Hello, Ann\n".to_owned()));
    let (code, text) = app(&["migrate", "check", "--database-url", url])?;
    assert_eq!(code, Some(10), "{text}");
    let (code, text) = app(&["migrate", "upgrade", "--database-url", url])?;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("Migration applied successfully: V1__create_users.sql"), "{text}");
    let (code, text) = app(&["migrate", "doctor", "--database-url", url])?;
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = app(&["migrate", "upgrade", "--help"])?;
    assert!(code == Some(0) && text.contains("Examples:\n  migrate upgrade"), "{text}");
    assert_eq!(app(&["greet"])?.0, Some(2));
    assert_eq!(app(&["migrate", "new", "x"])?.0, Some(2), "a program has no folder");
    Ok(())
}

/// Three replicas start at once. Each becomes ready, and the migrations are applied once.
async fn replicas(ctx: TestContext) -> TestResult {
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(Replica::start(&ctx.db.url)?);
    }
    for replica in &mut replicas {
        assert_eq!(replica.get("/healthz").await?, "200 alive");
        loop {
            match replica.get("/readyz").await?.as_str() {
                "200 ready: everything is applied" => break,
                text => assert!(text.starts_with("503 not ready: "), "{text}"),
            }
        }
        assert_eq!(replica.get("/users").await?, "200 1 users");
    }
    let rows = ctx.db.value("SELECT count(*) FROM jetbase_migrations").await?;
    assert_eq!(rows.as_deref(), Some("4"));
    // An old replica on a newer database is ready too.
    ctx.db
        .execute(
            "INSERT INTO jetbase_migrations (version, description, filename, migration_type, checksum) \
             VALUES ('9', 'new', 'V9__new.sql', 'VERSIONED', repeat('0', 64))",
        )
        .await?;
    let ahead = "200 ready: the database is ahead of this program";
    assert_eq!(replicas[0].get("/readyz").await?, ahead);
    Ok(())
}

/// A process of the service. It is killed when the value is dropped.
struct Replica {
    child: std::process::Child,
    address: String,
}

impl Replica {
    fn start(url: &str) -> Result<Replica, TestError> {
        use std::io::BufRead as _;
        let mut command = Command::new(example("axum_service")?);
        command.env("DATABASE_URL", url).env("ADDRESS", "127.0.0.1:0");
        let mut child = command.stdout(std::process::Stdio::piped()).spawn()?;
        let mut lines = std::io::BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let first = lines.next().ok_or("no line")??;
        // The rest of the output must not block the process.
        std::thread::spawn(move || lines.for_each(drop));
        let address = first.strip_prefix("listening on ").ok_or("no address")?.to_owned();
        Ok(Replica { child, address })
    }

    /// Returns the status and the body of a response.
    async fn get(&self, path: &str) -> Result<String, TestError> {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(&self.address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        let status = response.split(' ').nth(1).unwrap_or_default();
        let body = response.split("\r\n\r\n").nth(1).unwrap_or_default();
        Ok(format!("{status} {body}"))
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The manifests are those of the page about Kubernetes, and their arguments are those of the
/// program.
async fn containers(ctx: TestContext) -> TestResult {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("src/docs/kubernetes.md"))?;
    let mut calls = Vec::new();
    for name in ["job.yaml", "deployment.yaml"] {
        let manifest = std::fs::read_to_string(root.join("examples/init_container").join(name))?;
        assert!(page.contains(&format!("```yaml\n{manifest}```\n")), "{name} is not in the page");
        let arguments = manifest.lines().filter_map(|line| line.split("args: [\"").nth(1));
        let arguments = arguments.filter_map(|rest| rest.split('"').next().map(str::to_owned));
        calls.push(arguments.collect::<Vec<_>>());
    }
    assert_eq!(calls, [vec!["migrate"], vec!["migrate", "serve"]]);
    let call = |argument: &str| -> Result<(bool, String), TestError> {
        let mut command = Command::new(example("init_container")?);
        let output = command.env("DATABASE_URL", &ctx.db.url).arg(argument).output()?;
        Ok((output.status.success(), String::from_utf8(output.stdout)?))
    };
    let (success, text) = call("serve")?;
    assert!(!success && text.starts_with("not ready: 4 pending"), "{text}");
    let (success, text) = call(&calls[0][0])?;
    assert!(success && text.starts_with("applied 4 migrations in "), "{text}");
    for argument in &calls[1] {
        let (success, text) = call(argument)?;
        assert!(success, "{argument}: {text}");
    }
    Ok(())
}
