use std::io::Read as _;

use jetbase_test_harness::{
    DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
};
use pty_process::{Size, blocking};

use crate::run_in_progress::slow;
use crate::tool::tool;

pub(crate) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    let sqlite = &[DatabaseKind::Sqlite];
    suite.each("a_terminal_shows_tables_with_lines_and_colours", sqlite, nothing, tables);
    suite.each("a_terminal_shows_errors_and_warnings_in_colours", sqlite, nothing, colours);
    suite.each("a_terminal_shows_what_an_upgrade_does", DatabaseKind::ALL, nothing, spinner);
    suite.each(
        "a_terminal_shows_each_statement_that_is_sent",
        DatabaseKind::ALL,
        nothing,
        statement,
    );
}

/// How the tool is called on a terminal.
struct Terminal<'a> {
    project: &'a PythonProject,
    url: &'a str,
    columns: u16,
    variables: &'a [(&'a str, &'a str)],
}

impl Terminal<'_> {
    /// Runs the tool with a terminal as its three streams. Returns the exit code and the output.
    async fn run(&self, arguments: &[&str]) -> Result<(Option<i32>, String), TestError> {
        let (mut pty, pts) = blocking::open()?;
        pty.resize(Size::new(40, self.columns))?;
        let mut child = blocking::Command::new(env!("CARGO_BIN_EXE_jetbase"))
            .args(arguments)
            .current_dir(self.project.path())
            .env_clear()
            .env("TERM", "xterm")
            .env("JETBASE_DATABASE_URL", self.url)
            .envs(self.variables.iter().copied())
            .spawn(pts)?;
        let output = tokio::task::spawn_blocking(move || {
            let mut output = Vec::new();
            // On Linux, reading fails after the end of the program.
            drop(pty.read_to_end(&mut output));
            output
        });
        let output = output.await?;
        let code = child.wait()?.code();
        Ok((code, String::from_utf8(output)?))
    }
}

const V1: (&str, &str) = ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n");
const V2: (&str, &str) =
    ("V2__a_migration_with_a_long_description.sql", "CREATE TABLE b (id INTEGER);\n");
const ESCAPE: char = '\x1b';
const GREEN: &str = "\x1b[38;5;10m";
const RED: &str = "\x1b[1;31m";

async fn tables(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1, V2])?;
    let url = ctx.db.url.as_str();
    assert_eq!(tool(&project, url, &["upgrade", "-c", "1"]).await?.code, Some(0));
    let terminal = Terminal { project: &project, url, columns: 70, variables: &[] };
    for command in ["status", "history", "doctor"] {
        let (code, output) = terminal.run(&[command]).await?;
        assert_eq!(code, Some(0), "{output}");
        assert!(output.contains('┌') && output.contains('│'), "{output}");
        let is_colored = command != "history";
        assert_eq!(output.contains(ESCAPE), is_colored, "{command}: {output:?}");
        if is_colored {
            assert!(output.contains(GREEN), "{command}: {output:?}");
        }
        let (_, plain) = terminal.run(&[command, "--color", "never"]).await?;
        assert!(!plain.contains(ESCAPE), "{plain:?}");
        for line in plain.lines().filter(|line| line.contains('│')) {
            assert!(line.trim_end().chars().count() <= 70, "{line}");
        }
        let no_color = Terminal { variables: &[("NO_COLOR", "1")], ..terminal };
        assert_eq!(no_color.run(&[command]).await?.1, plain);
    }
    let piped = tool(&project, url, &["status"]).await?.stdout;
    assert!(!piped.contains(ESCAPE) && !piped.contains('│'), "{piped:?}");
    let piped = tool(&project, url, &["status", "--color", "always"]).await?.stdout;
    assert!(piped.contains(GREEN), "{piped:?}");
    Ok(())
}

async fn colours(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[("V1__a.sql", "SELECT nothing;\n")])?;
    let terminal = Terminal { project: &project, url: &ctx.db.url, columns: 100, variables: &[] };
    let (code, output) = terminal.run(&["upgrade"]).await?;
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains(&format!("{RED}error\x1b[0m: ")), "{output:?}");
    let no_color = Terminal { variables: &[("NO_COLOR", "1")], ..terminal };
    let (_, output) = no_color.run(&["upgrade"]).await?;
    assert!(!output.contains(RED) && output.contains("error: "), "{output:?}");
    let (_, output) = Terminal { ..no_color }.run(&["upgrade", "--color", "always"]).await?;
    assert!(output.contains(RED), "{output:?}");
    let (_, output) = Terminal { variables: &[], ..no_color }.run(&["upgrade", "--json"]).await?;
    assert!(!output.contains(ESCAPE) && output.starts_with('{'), "{output:?}");
    Ok(())
}

async fn spinner(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[("V1__slow.sql", &slow(ctx.kind, 2)), V2])?;
    let terminal = Terminal { project: &project, url: &ctx.db.url, columns: 100, variables: &[] };
    let (code, output) = terminal.run(&["upgrade"]).await?;
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("⠙ 0 s, Applying V1__slow.sql (1 of 2)"), "{output:?}");
    // The line of the spinner is cleared before each line that stays.
    let stays: Vec<_> = output
        .lines()
        .map(|line| line.rsplit("\x1b[2K").next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .collect();
    let applied = [
        "Starting migrations...",
        "Migration applied successfully: V1__slow.sql",
        "Migration applied successfully: V2__a_migration_with_a_long_description.sql",
        "Migrations completed successfully.",
    ];
    assert_eq!(stays, applied, "{output:?}");
    // A narrow terminal shows the start of the line, because only one line is cleared.
    let other = ctx.another().await?;
    let narrow = Terminal { url: &other.url, columns: 24, ..terminal };
    let (_, output) = narrow.run(&["upgrade"]).await?;
    assert!(output.contains("⠙ 0 s, Applying V1__sl…"), "{output:?}");
    Ok(())
}

async fn statement(ctx: TestContext) -> TestResult {
    let file = format!(
        "-- jetbase: transaction=off\nCREATE TABLE {} (id INTEGER);\n{}",
        "q",
        slow(ctx.kind, 2)
    );
    let of = file.matches(";\n").count();
    let project = PythonProject::with(&[("V1__slow.sql", &file)])?;
    let terminal = Terminal { project: &project, url: &ctx.db.url, columns: 200, variables: &[] };
    let (code, output) = terminal.run(&["upgrade"]).await?;
    assert_eq!(code, Some(0), "{output}");
    let text = format!("s, Applying V1__slow.sql (1 of 1), statement {of} of {of}: ");
    let after = output.split(&text).nth(1).ok_or_else(|| format!("no `{text}`: {output:?}"))?;
    let last = file.rsplit(";\n").nth(1).ok_or("a statement")?;
    assert!(after.starts_with(last.lines().next().unwrap_or_default()), "{after:?}: {last}");
    Ok(())
}
