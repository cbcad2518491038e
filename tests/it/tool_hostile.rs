use std::fs::File;
use std::process::Stdio;

use jetbase_test_harness::{Needs, PythonProject, Suite, TestError, TestResult};
use serde_json::Value;
use tokio::process::Command;

pub(crate) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    suite.once("the_tool_hides_every_password_in_its_arguments", nothing, hides);
    suite.once("the_tool_hides_the_parts_of_a_password", nothing, hides_parts);
    suite.once("the_tool_hides_passwords_of_the_environment", nothing, hides_variables);
    #[cfg(target_os = "linux")]
    suite.once("the_tool_fails_when_its_result_cannot_be_written", nothing, full);
    suite.once("the_tool_prints_no_error_when_the_pipe_is_closed", nothing, closed_pipe);
    suite.once("the_tool_inspects_the_other_files_when_one_is_unreadable", nothing, inspects_all);
    suite.once("the_tool_refuses_invalid_settings", nothing, refuses);
    #[cfg(unix)]
    suite.once("the_tool_refuses_a_variable_that_is_not_utf_8", nothing, refuses_bytes);
}

const V1: (&str, &str) = ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n");
const HERE: &str = "sqlite://here.db";

/// The command that calls the tool in a project, without variables of jetbase.
fn tool(project: &PythonProject, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jetbase"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("JETBASE_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command.args(arguments).current_dir(project.path()).stdin(Stdio::null()).kill_on_drop(true);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command and returns its exit code, standard output and standard error.
async fn run(mut command: Command) -> Result<(Option<i32>, String, String), TestError> {
    let output = command.spawn()?.wait_with_output().await?;
    let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    Ok((output.status.code(), stdout, stderr))
}

async fn hides() -> TestResult {
    let project = PythonProject::with(&[V1])?;
    for password in [
        "my secret",
        "se'cret",
        "se\"cret",
        "se`cret",
        "se\ncret",
        "se\\cret",
        "se/cr?et#",
        "se@cret",
        "se:cret",
        "se%20cret",
    ] {
        let url = format!("postgres://u:{password}@h/db");
        let query = format!("mysql://h/db?user=u&password={password}");
        let unknown = format!("--database={url}");
        for arguments in [
            vec!["upgrade", &url],
            vec!["upgrade", &query],
            vec![&url],
            vec!["upgrade", "--count", &url],
            vec!["upgrade", "--to-version", &url],
            vec!["upgrade", "--wait", &query],
            vec!["status", "--color", &url],
            vec!["status", &unknown],
            vec!["inspect", "--dialect", &url, "x.sql"],
            vec!["inspect", &url],
            vec!["inspect", &query],
            vec!["new", "a", "-v", &url],
            vec!["status", "--dir", &url, "--database-url", HERE],
        ] {
            for json in [&["--json"][..], &[]] {
                let arguments: Vec<_> = arguments.iter().chain(json).copied().collect();
                let (_, stdout, stderr) = run(tool(&project, &arguments)).await?;
                let all = format!("{stdout}{stderr}");
                assert!(!all.is_empty());
                assert!(!all.contains("cret"), "{arguments:?}: {all}");
                if !json.is_empty() {
                    serde_json::from_str::<Value>(&stdout)?;
                }
            }
        }
    }
    Ok(())
}

async fn hides_parts() -> TestResult {
    let project = PythonProject::with(&[V1])?;
    for arguments in [
        ["status", "postgres://u:hidden", "hidden@h/db"],
        ["--dir=postgres://u:my", "status", "hidden@h/db"],
        ["status", "u:hidden@h/db", "more"],
        ["status", "--postgres://u:hidden=hidden@h/db", "more"],
        ["status", "host=h user=u password=hidden", "more"],
    ] {
        let (code, stdout, stderr) = run(tool(&project, &arguments)).await?;
        assert_eq!(code, Some(2), "{arguments:?}: {stdout}{stderr}");
        assert!(stderr.contains("***") && !stderr.contains("hidden"), "{arguments:?}: {stderr}");
    }
    Ok(())
}

async fn hides_variables() -> TestResult {
    let project = PythonProject::with(&[V1])?;
    let url = "postgres://u:se cret@h/db";
    let mut command = tool(&project, &["inspect", url]);
    command.env("DATABASE_URL", url);
    let (_, stdout, stderr) = run(command).await?;
    assert!(stdout.contains("postgres://u:***@h/db"), "{stdout}");
    assert!(!stderr.contains("cret"), "{stderr}");
    Ok(())
}

/// Every command whose result goes to standard output.
#[cfg(target_os = "linux")]
async fn full() -> TestResult {
    let project = PythonProject::with(&[V1])?;
    for arguments in [
        &["status", "--database-url", HERE][..],
        &["status", "--database-url", HERE, "--json"],
        &["upgrade", "--database-url", HERE, "--json"],
        &["upgrade", "--database-url", HERE, "--dry-run", "--json"],
        &["history", "--database-url", HERE],
        &["lock-status", "--database-url", HERE],
        &["inspect", "migrations/V1__a.sql"],
        &["inspect", "--json", "migrations/V1__a.sql"],
        &["sum"],
        &["--help"],
        &["upgrade", "--help"],
        &["--version"],
        &["nothing", "--json"],
    ] {
        let mut command = tool(&project, arguments);
        command.stdout(File::options().write(true).open("/dev/full")?);
        let (code, _, stderr) = run(command).await?;
        assert_eq!(code, Some(1), "{arguments:?}: {stderr}");
        let message =
            "error: standard output cannot be written: no space left on device; the command";
        assert!(stderr.contains(message), "{arguments:?}: {stderr}");
    }
    // A command that prints nothing to the standard output succeeds.
    let mut command = tool(&project, &["upgrade", "--database-url", HERE]);
    command.stdout(File::options().write(true).open("/dev/full")?);
    let (code, _, stderr) = run(command).await?;
    assert_eq!(code, Some(0), "{stderr}");
    Ok(())
}

/// The exit code is that of the command, also if nothing reads the output.
async fn closed_pipe() -> TestResult {
    let project = PythonProject::with(&[V1])?;
    for (arguments, code) in [
        (&["status", "--database-url", HERE][..], 0),
        (&["check", "--database-url", HERE], 10),
        (&["--help"], 0),
    ] {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let mut command = tool(&project, arguments);
        command.stdout(writer);
        let (found, _, stderr) = run(command).await?;
        assert_eq!((found, stderr.as_str()), (Some(code), ""), "{arguments:?}");
    }
    Ok(())
}

async fn inspects_all() -> TestResult {
    let project = PythonProject::with(&[V1])?;
    let arguments = ["inspect", "--json", "none.sql", "migrations/V1__a.sql", "migrations"];
    let (code, stdout, stderr) = run(tool(&project, &arguments)).await?;
    assert_eq!((code, stderr.as_str()), (Some(1), ""));
    let lines: Vec<Value> = stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let files: Vec<_> = lines.iter().map(|line| line["file"].as_str()).collect();
    assert_eq!(files, arguments[2..].iter().map(|file| Some(*file)).collect::<Vec<_>>());
    assert_eq!(lines[1]["findings"].as_array().map(Vec::len), Some(0));
    for line in [&lines[0], &lines[2]] {
        assert!(line["findings"].to_string().contains("cannot be read: "), "{line}");
    }
    // The help describes this output.
    for (arguments, text) in [
        (&["inspect", "--help"][..], "JSON Lines, one object for each file"),
        (&["--help"], "Only `inspect`\n  prints JSON Lines"),
    ] {
        let (_, stdout, _) = run(tool(&project, arguments)).await?;
        assert!(stdout.contains(text), "{stdout}");
        assert!(!stdout.contains("Print one JSON object"), "{stdout}");
    }
    Ok(())
}

async fn refuses() -> TestResult {
    let project = PythonProject::with(&[V1])?;
    for command in ["status", "upgrade", "rollback", "check", "fix", "unlock", "lock-status"] {
        for (name, value, text) in [
            ("JETBASE_WAIT", "5x", "JETBASE_WAIT: write a number and a unit: `500ms`"),
            ("JETBASE_WAIT", "forever", ", or `never`"),
            ("JETBASE_LEASE", "soon", "JETBASE_LEASE: write a number and a unit"),
            ("JETBASE_LEASE", "0s", ", and not 0"),
            ("JETBASE_DIRECT_URL", "nowhere", "JETBASE_DIRECT_URL: it has no scheme; write `"),
            ("JETBASE_SKIP_VALIDATION", "1", "JETBASE_SKIP_VALIDATION: write `true` or `false`"),
            ("JETBASE_SKIP_FILE_VALIDATION", "no", ": write `true` or `false`"),
            ("JETBASE_SKIP_CHECKSUM_VALIDATION", "on", ": write `true` or `false`"),
        ] {
            let mut command = tool(&project, &[command, "--database-url", HERE, "--json"]);
            command.env(name, value);
            let (code, stdout, _) = run(command).await?;
            assert_eq!(code, Some(2), "{name}={value}: {stdout}");
            assert!(stdout.contains(text), "{stdout}");
        }
    }
    for line in ["sqlalchemy_url = 5", "postgres_schema = true", "skip_validation = 'yes'"] {
        std::fs::write(project.path().join("jetbase.toml"), line)?;
        let (code, _, stderr) = run(tool(&project, &["current", "--database-url", HERE])).await?;
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.starts_with("error: jetbase.toml: `"), "{stderr}");
    }
    assert!(!project.path().join("here.db").exists());
    std::fs::remove_file(project.path().join("jetbase.toml"))?;
    for value in ["never", "5", " 30s ", "2min", ""] {
        let mut command = tool(&project, &["upgrade", "--database-url", HERE]);
        command.env("JETBASE_WAIT", value);
        let (code, _, stderr) = run(command).await?;
        assert_eq!(code, Some(0), "{value}: {stderr}");
    }
    Ok(())
}

#[cfg(unix)]
async fn refuses_bytes() -> TestResult {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let project = PythonProject::with(&[V1])?;
    for name in ["JETBASE_WAIT", "JETBASE_POSTGRES_SCHEMA", "JETBASE_DATABASE_URL"] {
        let mut command = tool(&project, &["status", "--database-url", HERE]);
        command.env(name, OsStr::from_bytes(b"\xff5s"));
        let (code, _, stderr) = run(command).await?;
        assert_eq!(code, Some(2), "{stderr}");
        assert_eq!(stderr, format!("error: {name}: the value is not UTF-8; set it again\n"));
    }
    Ok(())
}
