//! What a person sees who works with the tool every day.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use jetbase::{ErrorKind, Wait};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
};
use tokio::process::Command;

use crate::apply::set;
use crate::cli::AS_PROGRAM;
use crate::tool::{ToolRun, tool, tool_command};

pub(crate) fn register(suite: &mut Suite) {
    let all = DatabaseKind::ALL;
    let nothing = Needs::NOTHING;
    suite.each(
        "the_history_without_rows_is_the_sentence_of_the_python_tool",
        all,
        Needs::PYTHON,
        no_history,
    );
    suite.each(
        "the_first_sentence_of_a_refusal_is_that_of_the_python_tool",
        all,
        Needs::PYTHON,
        first_sentence,
    );
    suite.each("status_and_check_agree_about_a_file_that_runs_always", all, nothing, runs_always);
    suite.each("the_tool_refuses_an_empty_migration", all, nothing, empty);
    suite.each("a_wait_that_did_not_take_place_has_no_length", all, nothing, no_wait);
    suite.each("a_lazy_pool_says_why_it_cannot_connect", DatabaseKind::SERVERS, nothing, lazy);
    suite.each("an_embedding_program_names_its_own_commands", all, nothing, own_commands);
    suite.once("a_command_first_reports_that_no_database_is_named", nothing, no_database);
    suite.once("new_files_have_versions_like_the_others", nothing, new_files);
    suite.once("init_makes_the_folder_that_the_macro_reads", nothing, init);
    #[cfg(target_os = "linux")]
    {
        suite.each("a_rollback_asks_on_a_terminal", all, nothing, asks);
        suite.each("a_wait_shows_itself_at_once_on_a_terminal", all, nothing, shows_wait);
    }
}

const V1: (&str, &str) =
    ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n-- rollback\nDROP TABLE a;\n");
const V2: (&str, &str) = ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n");
const V3: (&str, &str) =
    ("V3__c.sql", "CREATE TABLE c (id INTEGER);\n-- rollback\nDROP TABLE c;\n");

async fn no_history(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let project = PythonProject::with(&[V1])?;
    for step in ["no table", "no rows"] {
        let theirs = project.python(db, &["history"]).await?.succeeded()?;
        let ours = tool(&project, &db.url, &["history"]).await?;
        assert_eq!(ours.stdout.trim_end(), theirs.stdout.trim_end(), "{step}");
        project.python(db, &["upgrade"]).await?.succeeded()?;
        project.python(db, &["rollback"]).await?.succeeded()?;
    }
    Ok(())
}

async fn first_sentence(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let project = PythonProject::with(&[V1, V3, ("RA__x.sql", "SELECT 1;\n")])?;
    tool(&project, &db.url, &["upgrade"]).await?;
    // Changed, out of order, and a repeatable file that is gone.
    project.write(V1.0, "CREATE TABLE a (id BIGINT);\n")?;
    project.write(V2.0, V2.1)?;
    fs::remove_file(project.migrations().join("RA__x.sql"))?;
    for gone in [None, Some(V2.0), Some(V1.0)] {
        if let Some(file) = gone {
            fs::remove_file(project.migrations().join(file))?;
        }
        let theirs = project.python(db, &["upgrade"]).await?.failed()?;
        let ours = tool(&project, &db.url, &["upgrade"]).await?;
        let text = ours.stderr.strip_prefix("error: ").ok_or("no error")?;
        let first = text.lines().next().unwrap_or_default();
        // Their frame breaks lines, so compare the words.
        let words: Vec<_> = first.split_whitespace().take(6).collect();
        let output = format!("{} {}", theirs.stdout, theirs.stderr);
        let shown: Vec<_> = output.split_whitespace().collect();
        assert!(shown.windows(words.len()).any(|it| it == words), "{first}: {output}");
    }
    Ok(())
}

async fn runs_always(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1, ("RA__x.sql", "DELETE FROM a;\n")])?;
    let url = &ctx.db.url;
    let pending = async || -> Result<(usize, Option<i32>), TestError> {
        let status = tool(&project, url, &["status", "--json"]).await?.json()?;
        let check = tool(&project, url, &["check"]).await?;
        Ok((status["pending"].as_array().ok_or("no list")?.len(), check.code))
    };
    assert_eq!(pending().await?, (2, Some(10)));
    tool(&project, url, &["upgrade"]).await?;
    assert_eq!(pending().await?, (0, Some(0)));
    project.write("RA__x.sql", "DELETE FROM a WHERE id = 1;\n")?;
    assert_eq!(pending().await?, (1, Some(10)));
    Ok(())
}

async fn empty(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[("V1__a.sql", "-- upgrade\n\n-- rollback\n")])?;
    let upgrade = tool(&project, &ctx.db.url, &["upgrade"]).await?;
    assert_eq!(upgrade.code, Some(1), "{}", upgrade.stderr);
    assert!(upgrade.stderr.contains("the migration has no statements"), "{}", upgrade.stderr);
    let upgrade = tool(&project, &ctx.db.url, &["upgrade", "--allow-empty"]).await?;
    assert_eq!(upgrade.code, Some(0), "{}", upgrade.stderr);
    project.write("V1__a.sql", V1.1)?;
    let redo = tool(&project, &ctx.db.url, &["redo", "--json"]).await?.json();
    // The rollback of the filled file runs first, and there is no table.
    assert_eq!(redo?["ok"], false);
    project.write("V1__a.sql", &V1.1.replace("DROP TABLE", "DROP TABLE IF EXISTS"))?;
    let redo = tool(&project, &ctx.db.url, &["redo", "--json"]).await?.json()?;
    assert_eq!(redo["applied"].as_array().map(Vec::len), Some(2), "{redo}");
    Ok(())
}

/// Locks the row as a run of the Python tool does.
async fn hold(db: &Database) -> TestResult {
    db.execute(
        "UPDATE jetbase_lock SET is_locked = TRUE, process_id = '0b8f4a62-5d3e-4c1b-9a77-2f60d1c3e84a'",
    )
    .await
}

async fn no_wait(ctx: TestContext) -> TestResult {
    let both = set(&[V1, V3]);
    jetbase::run_url(&set(&[V1]), &ctx.db.url).await?;
    hold(&ctx.db).await?;
    let error = jetbase::run_url(&both, &ctx.db.url).wait(Wait::Never).await.expect_err("held");
    assert!(matches!(error.kind(), ErrorKind::Held { .. }), "{error}");
    assert!(!error.to_string().contains("within"), "{error}");
    let wait = Wait::UpTo(Duration::from_millis(400));
    let error = jetbase::run_url(&both, &ctx.db.url).wait(wait).await.expect_err("held");
    assert!(error.to_string().contains("and was not released within "), "{error}");
    Ok(())
}

async fn lazy(ctx: TestContext) -> TestResult {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let short = Duration::from_millis(200);
    let one = set(&[V1]);
    let error = match ctx.kind {
        DatabaseKind::Postgres => {
            let url = format!("postgres://app@127.0.0.1:{port}/app");
            let options = sqlx::postgres::PgPoolOptions::new().acquire_timeout(short);
            let pool = options.connect_lazy(&url)?;
            jetbase::run(&one, &pool).wait(Wait::Never).await
        }
        _ => {
            let url = format!("mysql://app@127.0.0.1:{port}/app");
            let options = sqlx::mysql::MySqlPoolOptions::new().acquire_timeout(short);
            let pool = options.connect_lazy(&url)?;
            jetbase::run(&one, &pool).wait(Wait::Never).await
        }
    };
    let error = error.expect_err("no server listens");
    let text = format!("{error:#}");
    assert!(text.contains("refused") && !text.contains("in use"), "{text}");
    Ok(())
}

/// Runs a program of its own, with the same migrations for every call.
async fn own(db: &Database, arguments: &[&str]) -> Result<ToolRun, TestError> {
    let output = Command::new(std::env::current_exe()?)
        .args(arguments)
        .env(AS_PROGRAM, "yes")
        .env("JETBASE_DATABASE_URL", &db.url)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes);
    let (stdout, stderr) = (text(output.stdout)?, text(output.stderr)?);
    Ok(ToolRun { code: output.status.code(), stdout, stderr })
}

async fn own_commands(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let upgrade = own(db, &["upgrade", "--count", "1"]).await?;
    assert_eq!(upgrade.code, Some(0), "{}", upgrade.stderr);
    hold(db).await?;
    let held = own(db, &["upgrade", "--no-wait"]).await?;
    let name = std::env::current_exe()?;
    let name = name.file_name().and_then(|name| name.to_str()).ok_or("no name")?;
    assert!(held.stderr.contains(&format!("run `{name} unlock`")), "{}", held.stderr);
    assert!(!held.stderr.contains("`jetbase "), "{}", held.stderr);
    let held = own(db, &["upgrade", "--no-wait", "--json"]).await?.json()?;
    let message = held["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(&format!("run `{name} unlock`")), "{held}");
    Ok(())
}

async fn no_database() -> TestResult {
    let project = PythonProject::with(&[("bad name.sql", "SELECT 1;\n")])?;
    for command in ["upgrade", "rollback", "status", "check", "fix"] {
        let mut call = tool_command(&project, "", &[command]);
        call.env_remove("DATABASE_URL");
        let output = call.output().await?;
        let text = String::from_utf8(output.stderr)?;
        assert!(text.contains("no database is named") && !text.contains("bad name"), "{text}");
        assert_eq!(output.status.code(), Some(2), "{command}");
    }
    Ok(())
}

/// Calls the tool in a folder, without a database.
async fn tool_in(folder: &Path, arguments: &[&str]) -> Result<String, TestError> {
    let output = Command::new(env!("CARGO_BIN_EXE_jetbase"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let text = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8(text)?)
}

async fn new_files() -> TestResult {
    let dir = tempfile::tempdir()?;
    let folder = dir.path().join("migrations");
    fs::create_dir(&folder)?;
    let created = async |arguments: &[&str]| -> Result<String, TestError> {
        let text = tool_in(dir.path(), &[&["new", "add x"], arguments].concat()).await?;
        let path = text.trim_end().strip_prefix("Created migration file: ").ok_or(text.clone())?;
        assert!(dir.path().join(path).is_file(), "{text}");
        Ok(path.to_owned())
    };
    assert_eq!(created(&["--sequential"]).await?, "migrations/V1__add_x.sql");
    assert_eq!(created(&[]).await?, "migrations/V2__add_x.sql");
    fs::write(folder.join("V2_9__x.sql"), "SELECT 1;\n")?;
    assert_eq!(created(&[]).await?, "migrations/V2.10__add_x.sql");
    let time = created(&["--timestamp"]).await?;
    assert!(time.starts_with("migrations/V20") && time.len() == 38, "{time}");
    let later = created(&[]).await?;
    assert!(later > time && later.len() == time.len(), "{later} follows {time}");
    Ok(())
}

async fn init() -> TestResult {
    let dir = tempfile::tempdir()?;
    let (root, deep) = (dir.path().join("app"), dir.path().join("app/src/bin"));
    fs::create_dir_all(&deep)?;
    fs::write(root.join("Cargo.toml"), "[package]\nname = \"app\"\n")?;
    let text = tool_in(&deep, &["init"]).await?;
    assert!(root.join("migrations").is_dir() && root.join("jetbase.toml").is_file(), "{text}");
    assert!(text.contains("Run 'cd ../..' to get started!"), "{text}");
    let text = tool_in(&root, &["new", "first"]).await?;
    assert!(text.starts_with("Created migration file: migrations/V20"), "{text}");
    let other = dir.path().join("other");
    fs::create_dir(&other)?;
    tool_in(&other, &["init"]).await?;
    assert!(other.join("jetbase/migrations").is_dir());
    Ok(())
}

/// Runs the tool on a terminal, answers, and returns what the terminal shows.
#[cfg(target_os = "linux")]
async fn on_terminal(
    project: &PythonProject,
    url: &str,
    arguments: &str,
    answer: &str,
) -> Result<String, TestError> {
    use tokio::io::AsyncWriteExt;
    let call = format!("{} {arguments}", env!("CARGO_BIN_EXE_jetbase"));
    let mut script = Command::new("script")
        .args(["--quiet", "--return", "--command", &call, "/dev/null"])
        .current_dir(project.path())
        .env("JETBASE_DATABASE_URL", url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = script.stdin.take().ok_or("no input")?;
    input.write_all(answer.as_bytes()).await?;
    let output = script.wait_with_output().await?;
    drop(input);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(target_os = "linux")]
async fn asks(ctx: TestContext) -> TestResult {
    let url = ctx.db.url.as_str();
    let project = PythonProject::with(&[V1, V3])?;
    tool(&project, url, &["upgrade"]).await?;
    let applied = async || -> Result<Option<String>, TestError> {
        ctx.db.value("SELECT count(*) FROM jetbase_migrations").await
    };
    for (arguments, question) in [
        ("rollback", "Roll back the highest applied version?"),
        ("rollback --all", "Roll back every version?"),
        ("rollback --count 2", "Roll back the 2 highest applied versions?"),
        ("rollback --to-version 1", "Roll back every version above 1?"),
        ("redo", "Roll back versions, and apply them again?"),
        ("unlock --force", "Release the lock although its holder may be alive?"),
        ("baseline 3 --force", "Mark every version up to 3 as applied?"),
        ("fix", "Change the history so that it agrees with the files"),
        ("fix-files", "Delete the history rows"),
        ("fix-checksums", "Change the checksums in the history"),
        ("validate-files --fix", "Delete the history rows"),
        ("validate-checksums --fix", "Change the checksums in the history"),
    ] {
        let text = on_terminal(&project, url, arguments, "n\n").await?;
        assert!(text.contains(question) && text.contains("Nothing was changed."), "{text}");
        assert_eq!(applied().await?.as_deref(), Some("2"), "{arguments}");
    }
    let text = on_terminal(&project, url, "rollback", "y\n").await?;
    assert!(text.contains("Rollback applied successfully: V3__c.sql"), "{text}");
    let text = on_terminal(&project, url, "rollback --all --yes", "").await?;
    assert!(!text.contains("[y/N]"), "{text}");
    assert_eq!(applied().await?.as_deref(), Some("0"));
    Ok(())
}

#[cfg(target_os = "linux")]
async fn shows_wait(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1])?;
    tool(&project, &ctx.db.url, &["upgrade"]).await?;
    project.write(V3.0, V3.1)?;
    hold(&ctx.db).await?;
    // Without a terminal, the first notice comes after 5 seconds.
    let text = on_terminal(&project, &ctx.db.url, "upgrade --wait 1s", "").await?;
    assert!(text.contains("Waiting for "), "{text}");
    let upgrade = tool(&project, &ctx.db.url, &["upgrade", "--wait", "1s"]).await?;
    assert!(!upgrade.stderr.contains("Waiting for "), "{}", upgrade.stderr);
    Ok(())
}
