use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestError, TestResult};

pub(crate) fn register(suite: &mut Suite) {
    suite.once("the_quickstart_runs_twice", Needs::NOTHING, quickstart);
    suite.once("the_rollback_example_runs", Needs::NOTHING, rollback);
    suite.once("an_invalid_variable_is_an_error", Needs::NOTHING, invalid_variables);
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

async fn rollback() -> TestResult {
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
