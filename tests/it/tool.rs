use std::process::Stdio;

use jetbase_test_harness::{
    Database, DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
};
use serde_json::Value;
use tokio::process::Command;

pub(crate) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    suite.each("the_tool_migrates_and_shows_the_state", DatabaseKind::ALL, nothing, migrates);
    suite.each("the_tool_returns_the_documented_exit_codes", DatabaseKind::ALL, nothing, codes);
    suite.each(
        "the_tool_prints_the_same_messages_as_the_python_tool",
        DatabaseKind::ALL,
        Needs::PYTHON,
        prints_same_messages,
    );
    suite.once("the_tool_inspects_files_without_a_database", nothing, inspects);
    suite.once("the_tool_prints_findings_with_their_positions", nothing, findings);
}

/// The exit code and the output of a call of the tool.
#[derive(Debug)]
pub(crate) struct ToolRun {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl ToolRun {
    pub(crate) fn json(&self) -> Result<Value, TestError> {
        Ok(serde_json::from_str(&self.stdout)
            .map_err(|error| format!("{error:#}: {}{}", self.stdout, self.stderr))?)
    }

    /// All lines: first the progress on the standard error, then the result on the standard output.
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.stderr
            .lines()
            .chain(self.stdout.lines())
            .map(str::trim_end)
            .filter(|it| !it.is_empty())
            .collect()
    }
}

pub(crate) async fn tool(
    project: &PythonProject,
    url: &str,
    arguments: &[&str],
) -> Result<ToolRun, TestError> {
    let output = tool_command(project, url, arguments).output().await?;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes);
    Ok(ToolRun {
        code: output.status.code(),
        stdout: text(output.stdout)?,
        stderr: text(output.stderr)?,
    })
}

/// The command that calls the tool in a project, on a database.
pub(crate) fn tool_command(project: &PythonProject, url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jetbase"));
    for name in std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("JETBASE_")) {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .current_dir(project.path())
        .env("JETBASE_DATABASE_URL", url)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

const V1: (&str, &str) =
    ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n\n-- rollback\nDROP TABLE a;\n");
const V2: (&str, &str) =
    ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n\n-- rollback\nDROP TABLE b;\n");

async fn migrates(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1, V2])?;
    let url = ctx.db.url.as_str();
    let status = tool(&project, url, &["status", "--json"]).await?.json()?;
    assert_eq!(status["pending"].as_array().map(Vec::len), Some(2), "{status}");
    let upgrade = tool(&project, url, &["upgrade", "-c", "1", "--json"]).await?.json()?;
    assert_eq!(
        (upgrade["ok"].as_bool(), upgrade["exit_code"].as_i64()),
        (Some(true), Some(0)),
        "{upgrade}"
    );
    assert_eq!(upgrade["applied"][0]["file"], "V1__a.sql", "{upgrade}");
    let upgrade = tool(&project, url, &["upgrade"]).await?;
    assert_eq!(
        upgrade.lines(),
        [
            "Starting migrations...",
            "Migration applied successfully: V2__b.sql",
            "Migrations completed successfully."
        ]
    );
    // The URL of the Python tool selects the same database.
    let current = tool(&project, &ctx.db.python_url, &["current"]).await?;
    assert_eq!(current.stdout.trim_end(), "Latest migration version: 2");
    let rollback = tool(&project, url, &["rollback", "-t", "1", "--json"]).await?.json()?;
    assert_eq!(rollback["applied"][0]["file"], "V2__b.sql", "{rollback}");
    let history = tool(&project, url, &["history", "--json"]).await?;
    assert!(
        history.stdout.contains("\"V1__a.sql\"") && !history.stdout.contains("V2__b.sql"),
        "{}",
        history.stdout
    );
    Ok(())
}

async fn codes(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1])?;
    let url = ctx.db.url.as_str();
    assert_eq!(tool(&project, url, &["check"]).await?.code, Some(10));
    assert_eq!(tool(&project, url, &["upgrade", "-c", "0"]).await?.code, Some(2));
    assert_eq!(tool(&project, url, &["upgrade"]).await?.code, Some(0));
    assert_eq!(tool(&project, url, &["check"]).await?.code, Some(0));

    lock_as_python(&ctx.db).await?;
    project.write(V2.0, V2.1)?;
    let held = tool(&project, url, &["upgrade", "--no-wait", "--json"]).await?;
    assert_eq!(held.code, Some(12), "{}", held.stderr);
    assert_eq!(held.json()?["exit_code"], 12);
    let status = tool(&project, url, &["lock-status"]).await?;
    assert_eq!(status.code, Some(0));
    assert!(status.stdout.starts_with("Status: LOCKED\nLocked At: 2"), "{}", status.stdout);
    let unlock = tool(&project, url, &["unlock"]).await?;
    assert!(unlock.lines().contains(&"Unlock successful."), "{}", unlock.stderr);

    project.write(V1.0, "CREATE TABLE a (id INTEGER, more INTEGER);\n")?;
    assert_eq!(tool(&project, url, &["validate-checksums"]).await?.code, Some(11));
    let drift = tool(&project, url, &["upgrade"]).await?;
    assert_eq!(drift.code, Some(11), "{}", drift.stderr);
    assert!(
        drift.stderr.contains(
            "Checksum mismatch for versions: 1. Files have been changed since migration."
        ),
        "{}",
        drift.stderr
    );
    assert_eq!(
        ctx.db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(),
        Some("1")
    );
    let down = tool(&project, "postgres://user:hunter2@127.0.0.1:1/none", &["status"]).await?;
    assert_eq!(down.code, Some(1));
    assert!(
        !down.stderr.contains("hunter2")
            && down.stderr.contains("127.0.0.1") | down.stderr.contains("server runs"),
        "{}",
        down.stderr
    );
    Ok(())
}

async fn lock_as_python(db: &Database) -> TestResult {
    let sql = "UPDATE jetbase_lock SET is_locked = TRUE, locked_at = CURRENT_TIMESTAMP, \
               process_id = '7f9c24e8-3b12-4fef-91e0-56a2d5a3f1c0' WHERE id = 1";
    db.execute(sql).await
}

async fn prints_same_messages(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1, V2])?;
    let other = ctx.another().await?;
    // Without a lock table, `lock-status` of the Python tool crashes on SQLite, so it comes later.
    for arguments in [
        vec!["current"],
        vec!["upgrade"],
        vec!["upgrade"],
        vec!["current"],
        vec!["lock-status"],
        vec!["validate-checksums"],
        vec!["validate-files"],
        vec!["rollback", "-c", "2"],
        vec!["rollback"],
        vec!["current"],
    ] {
        let theirs = project.python(&other, &arguments).await?;
        let ours = tool(&project, &ctx.db.url, &arguments).await?;
        assert_eq!(theirs.code, ours.code, "{arguments:?}: {}{}", ours.stdout, ours.stderr);
        let theirs: Vec<_> =
            theirs.lines().into_iter().map(str::trim_end).filter(|it| !it.is_empty()).collect();
        assert_eq!(ours.lines(), theirs, "{arguments:?}");
    }
    Ok(())
}

async fn inspects() -> TestResult {
    let project = PythonProject::with(&[V1, ("broken.sql", "SELECT 1\n")])?;
    let output =
        tool(&project, "", &["inspect", "--json", "migrations/V1__a.sql", "migrations/broken.sql"])
            .await?;
    let lines: Vec<Value> =
        output.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(lines.len(), 2, "{}{}", output.stdout, output.stderr);
    let (good, bad) = (&lines[0], &lines[1]);
    assert_eq!(good["file"], "migrations/V1__a.sql");
    assert_eq!(
        (&good["valid_name"], &good["kind"], &good["version"]),
        (&Value::Bool(true), &"VERSIONED".into(), &"1".into())
    );
    assert_eq!(good["upgrade"][0]["sql"], "CREATE TABLE a (id INTEGER)");
    assert_eq!(good["rollback"][0]["line"], 4);
    assert_eq!(good["checksum"].as_str().map(str::len), Some(64));
    assert_eq!(bad["valid_name"], false);
    assert_eq!(bad["upgrade"][0]["sql"], "SELECT 1");
    // The Python tool drops the unterminated statement, and hashes nothing.
    assert_eq!(bad["checksum"], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert!(!bad["findings"].as_array().ok_or("findings")?.is_empty());
    Ok(())
}

async fn findings() -> TestResult {
    let project =
        PythonProject::with(&[("V1__a.sql", "CREATE TABLE a (id INTEGER)\n"), ("v2_b.sql", "")])?;
    let output = tool(&project, "sqlite://never-made.db", &["upgrade"]).await?;
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("rename it, for example to `V2__b.sql`"), "{}", output.stderr);
    // Only pending files are checked, because an applied file cannot be corrected.
    project.remove("v2_b.sql")?;
    let output = tool(&project, "sqlite://never-made.db?mode=memory", &["upgrade"]).await?;
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("migrations/V1__a.sql:1:1"), "{}", output.stderr);
    assert!(output.stderr.contains("the last statement has no delimiter"), "{}", output.stderr);
    assert!(!project.path().join("never-made.db").exists());
    Ok(())
}
