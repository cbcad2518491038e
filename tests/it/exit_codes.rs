use std::future::IntoFuture;

use jetbase::Version;
use jetbase_test_harness::{DatabaseKind, Needs, PythonProject, Suite, TestContext, TestResult};

use crate::apply::set;
use crate::run_in_progress::{notify_at_start, slow};
use crate::tool::{tool, tool_command};

pub(crate) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    suite.each(
        "the_exit_code_of_unlock_is_12_while_the_holder_works",
        DatabaseKind::ALL,
        nothing,
        working,
    );
    suite.each(
        "the_exit_code_of_the_validations_is_11_after_drift",
        DatabaseKind::ALL,
        nothing,
        drift,
    );
    suite.once("the_exit_codes_of_sum_differ_for_unrecorded_and_changed_files", nothing, sum);
    suite.once("the_help_of_the_tool_lists_the_exit_codes", nothing, help);
    #[cfg(unix)]
    suite.each(
        "the_exit_code_of_an_interrupted_upgrade_is_130",
        DatabaseKind::ALL,
        nothing,
        interrupted,
    );
}

const V1: (&str, &str) = ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n");
const V2: (&str, &str) = ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n");

async fn working(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[])?;
    let url = ctx.db.url.as_str();
    let run = jetbase::run_url(&set(&[("V1__slow.sql", &slow(ctx.kind, 6))]), url);
    let (run, started) = notify_at_start(run, "V1__slow.sql");
    let run = tokio::spawn(run.into_future());
    started.await?;
    let unlock = tool(&project, url, &["unlock", "--json"]).await?;
    assert_eq!(unlock.code, Some(12), "{}{}", unlock.stdout, unlock.stderr);
    // On MySQL, a statement with an implicit commit does not keep the row locked.
    if ctx.kind != DatabaseKind::Mysql {
        let unlock = tool(&project, url, &["unlock", "--force", "--json"]).await?;
        assert_eq!(unlock.code, Some(12), "{}{}", unlock.stdout, unlock.stderr);
        let json = unlock.json()?;
        assert_eq!(json["error"]["kind"], "holder_busy", "{json}");
        assert!(json["error"]["holder"].as_str().is_some_and(|it| it.starts_with("process ")));
    }
    assert_eq!(run.await??.applied.len(), 1);
    Ok(())
}

async fn drift(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1, V2])?;
    let url = ctx.db.url.as_str();
    assert_eq!(tool(&project, url, &["upgrade"]).await?.code, Some(0));
    for command in ["validate-checksums", "validate-files", "check", "status"] {
        assert_eq!(tool(&project, url, &[command]).await?.code, Some(0), "{command}");
    }
    project.write(V2.0, "CREATE TABLE b (id BIGINT);\n")?;
    project.remove(V1.0)?;
    for (command, code) in [
        ("validate-checksums", 11),
        ("validate-files", 11),
        ("check", 11),
        ("upgrade", 11),
        ("status", 0),
        ("fix", 0),
        ("check", 0),
    ] {
        let output = tool(&project, url, &[command]).await?;
        assert_eq!(output.code, Some(code), "{command}: {}{}", output.stdout, output.stderr);
    }
    let current = jetbase::current(&set(&[V2]), jetbase::DatabaseUrl(url)).await?;
    assert_eq!(current, Version::parse("2").ok());
    Ok(())
}

async fn sum() -> TestResult {
    let project = PythonProject::with(&[V1])?;
    for (arguments, code) in
        [(&["sum", "--check"][..], 11), (&["sum"], 0), (&["sum", "--check"], 0)]
    {
        let output = tool(&project, "", arguments).await?;
        assert_eq!(output.code, Some(code), "{arguments:?}: {}{}", output.stdout, output.stderr);
    }
    project.write(V2.0, V2.1)?;
    assert_eq!(tool(&project, "", &["sum", "--check"]).await?.code, Some(10));
    project.write(V1.0, "CREATE TABLE a (id BIGINT);\n")?;
    for arguments in [&["sum"][..], &["sum", "--check"], &["upgrade"]] {
        let output = tool(&project, "sqlite://never-made.db", arguments).await?;
        assert_eq!(output.code, Some(11), "{arguments:?}: {}{}", output.stdout, output.stderr);
    }
    Ok(())
}

async fn help() -> TestResult {
    let project = PythonProject::with(&[])?;
    let help = tool(&project, "", &["--help"]).await?;
    let codes = help.stdout.split("Exit codes:").nth(1).ok_or("no exit codes")?;
    for code in ["0 ", "1 ", "2 ", "10 ", "11 ", "12 ", "130 "] {
        assert!(codes.contains(code), "{code}: {codes}");
    }
    Ok(())
}

#[cfg(unix)]
async fn interrupted(ctx: TestContext) -> TestResult {
    use std::process::Stdio;

    use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
    use tokio::process::Command;

    let project = PythonProject::with(&[("V1__slow.sql", &slow(ctx.kind, 2)), V2])?;
    let mut command = tool_command(&project, &ctx.db.url, &["upgrade"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let mut stderr = BufReader::new(child.stderr.take().ok_or("no standard error")?);
    let mut line = String::new();
    stderr.read_line(&mut line).await?;
    assert_eq!(line, "Starting migrations...\n");
    let id = child.id().ok_or("it has ended")?.to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await?.success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).await?;
    assert_eq!(child.wait().await?.code(), Some(130), "{rest}");
    // The signal can arrive before the first migration starts.
    let executed = match jetbase::current(&set(&[]), jetbase::DatabaseUrl(&ctx.db.url)).await? {
        Some(version) => {
            assert_eq!(version.to_string(), "1", "{rest}");
            "1 migration was executed"
        }
        None => "0 migrations were executed",
    };
    assert!(rest.contains(&format!("Interrupted: {executed}. The lock is released.")), "{rest}");
    let status = tool(&project, &ctx.db.url, &["lock-status"]).await?;
    assert_eq!(status.stdout.trim_end(), "Status: UNLOCKED");
    Ok(())
}
