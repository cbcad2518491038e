//! Invalid arguments, settings and streams of the program `jetbase`.

use std::process::Stdio;

use jetbase_test_harness::{Needs, PythonProject, Suite, TestError, TestResult};
use tokio::process::Command;

use crate::tool::{tool, tool_command};

pub(super) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    suite.once("a_wrong_argument_is_explained", nothing, arguments);
    suite.once("a_broken_configuration_file_is_explained", nothing, configuration);
    #[cfg(unix)]
    suite.once("a_closed_stream_does_not_change_the_exit_code", nothing, closed_streams);
    #[cfg(unix)]
    suite.once("a_broken_pipe_does_not_change_the_exit_code", nothing, broken_pipes);
}

const V1: (&str, &str) = ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n");
const HERE: &str = "sqlite:///here.db";

/// The arguments, the exit code, and a part of the message.
const CASES: &[(&[&str], i32, &str)] = &[
    (&["upgrad"], 2, "a similar subcommand exists: 'upgrade'"),
    (&["stats"], 2, "a similar subcommand exists: 'status'"),
    (&["nothing"], 2, "unrecognized subcommand 'nothing'"),
    (&[""], 2, "unrecognized subcommand ''"),
    (&["status", "--jsn"], 2, "a similar argument exists: '--json'"),
    (&["upgrade", "--to-versio", "1"], 2, "a similar argument exists: '--to-version'"),
    (&["status", "-x"], 2, "unexpected argument '-x'"),
    (&["upgrade", "more"], 2, "unexpected argument 'more'"),
    (&["upgrade", "-c", "0"], 2, "'count' must be a positive integer."),
    (&["upgrade", "-c", "-1"], 2, "'count' must be a positive integer."),
    (&["upgrade", "--count=-1"], 2, "'count' must be a positive integer."),
    (&["upgrade", "-c", "99999999999999999999999"], 2, "'count' must be a positive integer."),
    (&["rollback", "-c", "0"], 2, "'count' must be a positive integer."),
    (&["rollback", "-c", "-1"], 2, "'count' must be a positive integer."),
    (&["upgrade", "-c", "1", "-t", "1"], 2, "Cannot specify both 'count' and 'to_version'"),
    (&["rollback", "-c", "1", "-t", "1"], 2, "Cannot specify both 'count' and 'to_version'"),
    (&["upgrade", "--wait", "5s", "--no-wait"], 2, "cannot be used with '--no-wait'"),
    (&["upgrade", "--wait", "-5s"], 2, "'-5'"),
    (&["upgrade", "--wait", "soon"], 2, "write a number and a unit"),
    (&["upgrade", "-t", "99"], 1, "to_version '99' does not exist among pending migrations"),
    (&["upgrade", "-t", "x"], 2, "`x` is not a version"),
    (&["rollback", "-t", "99"], 1, "Version '99' has not been applied yet"),
    (&["status", "--database-url", "foo://x"], 2, "`foo:` is no database that this program knows"),
    (&["status", "--database-url", "oracle://x"], 2, "this program has no driver for oracle"),
    (&["status", "--database-url", "here.db"], 2, "it has no scheme; write `postgresql://…`"),
    (&["status", "--database-url", ""], 2, "it has no scheme; write `postgresql://…`"),
    (&["status", "--color", "sometimes"], 2, "[possible values: auto, always, never]"),
    (&["status", "--dir", "nowhere"], 1, "there is no such folder"),
    (&["status", "--dir"], 2, "a value is required for '--dir <FOLDER>'"),
    (&["doctor", "--direct-url", "foo://x"], 2, "--direct-url: `foo:` is no database"),
    (&["inspect"], 2, "<FILE>..."),
    (&["inspect", "nowhere.sql"], 1, "cannot be read: no such file"),
    (&["inspect", "--dialect", "oracle", "x.sql"], 2, "write `postgres`, `mysql` or `sqlite`"),
    (&["new"], 2, "<DESCRIPTION>"),
    (&["new", "a", "-v", "x"], 2, "Invalid version: x."),
    (&["sum", "--check", "--accept", "1"], 2, "cannot be used with '--accept <VERSION>'"),
    (&["completions", "tcsh"], 2, "[possible values: bash, elvish, fish, powershell, zsh]"),
    (&["man", "upgrad"], 2, "Did you mean `upgrade`?"),
    (&["man", "upgrade", "--out", "x"], 2, "cannot be used with '--out <FOLDER>'"),
];

async fn arguments() -> TestResult {
    let project = PythonProject::with(&[V1])?;
    for (arguments, code, message) in CASES {
        let output = tool(&project, HERE, arguments).await?;
        let all = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(output.code, Some(*code), "{arguments:?}: {all}");
        assert!(all.contains(message), "{arguments:?}: {all}");
        // Only `inspect` also has a result.
        if arguments[0] != "inspect" {
            assert_eq!(output.stdout, "", "{arguments:?}");
        }
        assert!(output.stderr.starts_with("error: "), "{arguments:?}: {}", output.stderr);

        let arguments: Vec<_> = ["--json"].iter().chain(*arguments).copied().collect();
        let output = tool(&project, HERE, &arguments).await?;
        assert_eq!((output.code, output.stderr.as_str()), (Some(*code), ""), "{arguments:?}");
        assert!(!output.stdout.is_empty(), "{arguments:?}");
        if !arguments.contains(&"nowhere.sql") {
            let json = output.json()?;
            assert_eq!(json["exit_code"], *code, "{json}");
            let text = json["error"]["message"].as_str().unwrap_or_default();
            assert!(text.contains(message), "{arguments:?}: {json}");
        }
    }
    Ok(())
}

async fn configuration() -> TestResult {
    let project = PythonProject::with(&[V1])?;
    let file = project.path().join("jetbase.toml");
    let broken: [(&[u8], &str); 6] = [
        (b"sqlalchemy_url = 'x", "jetbase.toml:1: invalid literal string"),
        (b"\n\n[[", "jetbase.toml:3: "),
        (b"\xff\xfe", "jetbase.toml: the file is not UTF-8; save it as UTF-8"),
        (b"sqlalchemy_url = 5", "jetbase.toml: `sqlalchemy_url` must be a text in quotes"),
        (b"skip_validation = 'yes'", "jetbase.toml: `skip_validation` must be `true` or `false`"),
        (b"sqlalchemy_url = 'foo://u:secret@h'", "jetbase.toml: `foo:` is no database"),
    ];
    for (text, message) in broken {
        std::fs::write(&file, text)?;
        for arguments in [&["status"][..], &["upgrade"], &["unlock"]] {
            let mut command = tool_command(&project, "", arguments);
            command.env_remove("JETBASE_DATABASE_URL").env_remove("DATABASE_URL");
            let output = command.output().await?;
            let stderr = String::from_utf8(output.stderr)?;
            assert_eq!(output.status.code(), Some(2), "{message}: {stderr}");
            assert!(stderr.starts_with("error: ") && stderr.contains(message), "{stderr}");
            assert!(!stderr.contains("secret"), "{stderr}");
        }
    }
    std::fs::remove_file(&file)?;
    std::fs::create_dir(&file)?;
    let output = tool(&project, HERE, &["status"]).await?;
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("jetbase.toml is a folder; rename it"), "{}", output.stderr);
    Ok(())
}

/// A shell command that calls the tool. `$0` is the program.
#[cfg(unix)]
async fn shell(project: &PythonProject, script: &str) -> Result<(Option<i32>, String), TestError> {
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_jetbase")]).current_dir(project.path());
    command.env("JETBASE_DATABASE_URL", HERE).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8(text)?))
}

#[cfg(unix)]
async fn closed_streams() -> TestResult {
    for closed in ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"] {
        let project = PythonProject::with(&[V1])?;
        for (arguments, code) in [
            ("check", 10),
            ("status --json", 0),
            ("upgrade", 0),
            ("check", 0),
            ("nothing", 2),
            ("rollback -t 9", 1),
            ("doctor", 0),
            ("--help", 0),
        ] {
            let (found, text) = shell(&project, &format!("\"$0\" {arguments} {closed}")).await?;
            assert_eq!(found, Some(code), "{arguments} {closed}: {text}");
            assert!(!text.contains("panicked"), "{arguments} {closed}: {text}");
        }
        let (_, text) = shell(&project, "\"$0\" current").await?;
        assert_eq!(text, "Latest migration version: 1\n", "{closed}");
    }
    Ok(())
}

/// The reader of a pipe ends before the tool writes.
#[cfg(unix)]
async fn broken_pipes() -> TestResult {
    let project = PythonProject::with(&[V1])?;
    for (arguments, code) in [
        ("check", 10),
        ("doctor", 0),
        ("status", 0),
        ("completions bash", 0),
        ("man", 0),
        ("nothing --json", 2),
        ("upgrade --json", 0),
        ("history", 0),
    ] {
        for stream in ["", "2>&1"] {
            let script = format!(
                "{{ sleep 0.2; \"$0\" {arguments} {stream}; echo $? >code; }} | true; cat code"
            );
            let (_, text) = shell(&project, &script).await?;
            assert!(!text.contains("panicked"), "{arguments}: {text}");
            let last = text.lines().find(|line| line.parse::<i32>().is_ok());
            assert_eq!(last, Some(code.to_string().as_str()), "{arguments} {stream}: {text}");
        }
    }
    Ok(())
}
