//! Every command of both tools, on databases in the same states.
//!
//! Each tool has a database of its own. Both run the same commands, so the states are the same. The
//! commands that only read are run by both tools on both databases.

use std::collections::BTreeSet;

use jetbase_test_harness::{
    Database, DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
    ToolOutput,
};

use crate::tool::{ToolRun, tool};

pub(super) fn register(suite: &mut Suite) {
    for (name, cases) in [
        ("both_tools_print_the_shared_lines_around_an_upgrade", UPGRADE),
        ("both_tools_print_the_shared_lines_with_repeatables", REPEATABLES),
        ("both_tools_print_the_shared_lines_when_files_differ", DIFFERENCES),
    ] {
        suite.each(name, DatabaseKind::ALL, Needs::PYTHON, |ctx| every_command(ctx, cases));
    }
    suite.each(
        "both_tools_print_the_shared_lines_while_the_lock_is_held",
        DatabaseKind::ALL,
        Needs::PYTHON,
        held,
    );
    suite.once("both_tools_create_the_same_migration_file", Needs::PYTHON, new_file);
}

/// Which part of the output both tools have.
#[derive(Clone, Copy)]
enum Shared {
    /// All lines, and the exit code.
    Lines,
    /// All lines of the Python tool. This tool adds a note.
    LinesAndNote,
    /// All lines of the Python tool. It ends with 0 where this tool has an exit code of its own.
    LinesWithCode(i32),
    /// The sentence of the error. The Python tool ends with 1, this tool with this code.
    Sentence(i32),
    /// The rows of a table.
    Rows,
}

use Shared::{Lines, LinesAndNote, LinesWithCode, Rows, Sentence};

/// A change of the files or of the database, before the commands of a state.
type Change = fn(&PythonProject) -> TestResult;

/// A state, how it is reached, and the commands that run in it.
type Case = (&'static str, Change, &'static [(&'static [&'static str], Shared)]);

const UPGRADE: &[Case] = &[
    (
        "no tables",
        |_| Ok(()),
        &[
            (&["current"], Lines),
            (&["status"], Rows),
            (&["validate-files"], Lines),
            (&["upgrade", "--dry-run"], Lines),
            (&["upgrade", "-c", "1", "-t", "1"], Sentence(2)),
            (&["rollback", "-c", "1", "-t", "1"], Sentence(2)),
            (&["rollback"], Lines),
        ],
    ),
    (
        "one version",
        |_| Ok(()),
        &[
            (&["upgrade", "-c", "1"], Lines),
            (&["current"], Lines),
            (&["status"], Rows),
            (&["history"], Rows),
            (&["lock-status"], Lines),
            (&["unlock"], LinesAndNote),
            (&["validate-checksums"], Lines),
            (&["validate-files"], Lines),
            (&["fix-checksums"], Lines),
            (&["fix-files"], Lines),
            (&["fix"], Lines),
            (&["upgrade", "--dry-run"], Lines),
            (&["rollback", "--dry-run"], Lines),
            (&["upgrade", "-t", "9"], Sentence(1)),
            (&["rollback", "-t", "9"], Sentence(1)),
        ],
    ),
];

const REPEATABLES: &[Case] = &[
    (
        "everything applied",
        |_| Ok(()),
        &[
            (&["upgrade"], Lines),
            (&["upgrade"], Lines),
            (&["current"], Lines),
            (&["status"], Rows),
            (&["history"], Rows),
            (&["rollback", "-c", "2"], Lines),
            (&["history"], Rows),
            (&["upgrade", "-t", "2"], Lines),
            (&["upgrade"], Lines),
        ],
    ),
    (
        "repeatables",
        |project| {
            project.write("RA__seed.sql", "DELETE FROM a;\n")?;
            project.write("ROC__fill.sql", "INSERT INTO a VALUES (7);\n")
        },
        &[(&["status"], Rows), (&["upgrade"], Lines), (&["status"], Rows), (&["history"], Rows)],
    ),
    (
        "a changed repeatable",
        |project| project.write("ROC__fill.sql", "INSERT INTO a VALUES (8);\n"),
        &[(&["status"], Rows), (&["upgrade"], Lines), (&["validate-checksums"], Lines)],
    ),
];

const DIFFERENCES: &[Case] = &[
    (
        "everything applied, with a repeatable",
        |project| project.write("ROC__fill.sql", "INSERT INTO a VALUES (7);\n"),
        &[(&["upgrade"], Lines)],
    ),
    (
        "a changed version",
        |project| project.write("V2__b.sql", "CREATE TABLE b (id BIGINT);\n"),
        &[
            (&["validate-checksums"], LinesWithCode(11)),
            (&["upgrade"], Sentence(11)),
            (&["fix-checksums"], Lines),
            (&["validate-checksums"], Lines),
            (&["upgrade"], Lines),
        ],
    ),
    (
        "a missing version and a missing repeatable",
        |project| {
            project.remove("V3__c.sql")?;
            project.remove("ROC__fill.sql")
        },
        &[
            (&["validate-files"], LinesWithCode(11)),
            (&["upgrade"], Sentence(11)),
            (&["rollback"], Sentence(1)),
            (&["fix-files"], Lines),
            (&["validate-files"], Lines),
            (&["fix"], Lines),
        ],
    ),
    (
        "a version that is too low",
        |project| project.write("V1_5__late.sql", "CREATE TABLE late (id INTEGER);\n"),
        &[(&["upgrade"], Sentence(11))],
    ),
    (
        "a wrong name",
        |project| {
            project.remove("V1_5__late.sql")?;
            project.write("seed.sql", "SELECT 1;\n")
        },
        &[(&["upgrade"], Sentence(1)), (&["status"], Sentence(1))],
    ),
    (
        "two files with one version",
        |project| {
            project.remove("seed.sql")?;
            project.write("V2__again.sql", "SELECT 1;\n")
        },
        &[(&["upgrade"], Sentence(1))],
    ),
    (
        "a statement that fails",
        |project| {
            project.remove("V2__again.sql")?;
            project.write("V4__d.sql", "INSERT INTO nowhere VALUES (1);\n")
        },
        &[(&["current"], Lines), (&["history"], Rows)],
    ),
];

/// The states while the lock is held.
const HELD: &[(&[&str], Shared)] = &[
    (&["upgrade"], Sentence(12)),
    (&["rollback"], Sentence(12)),
    (&["current"], Lines),
    (&["status"], Rows),
    (&["unlock"], LinesAndNote),
    (&["lock-status"], Lines),
];

/// The files and the databases at the start of a test.
async fn start(ctx: &TestContext) -> Result<(PythonProject, Databases), TestError> {
    let project = PythonProject::with(&[
        ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n\n-- rollback\nDROP TABLE a;\n"),
        ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n\n-- rollback\nDROP TABLE b;\n"),
        ("V3__c.sql", "CREATE TABLE c (id INTEGER);\n\n-- rollback\nDROP TABLE c;\n"),
    ])?;
    Ok((project, Databases { ours: ctx.db.clone(), theirs: ctx.another().await? }))
}

async fn every_command(ctx: TestContext, cases: &'static [Case]) -> TestResult {
    let (project, both) = start(&ctx).await?;
    for (state, change, commands) in cases {
        change(&project)?;
        both.compare(&project, state, commands).await?;
    }
    Ok(())
}

async fn held(ctx: TestContext) -> TestResult {
    let (project, both) = start(&ctx).await?;
    both.compare(&project, "one version", &[(&["upgrade", "-c", "1"], Lines)]).await?;
    for db in [&both.ours, &both.theirs] {
        db.execute(
            "UPDATE jetbase_lock SET is_locked = TRUE, locked_at = '2026-11-23 04:05:06.120000', \
             process_id = '7f9c24e8-3b12-4fef-91e0-56a2d5a3f1c0' WHERE id = 1",
        )
        .await?;
    }
    // This tool adds who holds the lock, and whether that process is alive.
    let held = both.run(&project, &["lock-status"]).await?;
    let theirs: Vec<_> = held.theirs.stderr.lines().map(str::trim_end).collect();
    let ours: Vec<_> = held.ours.stdout.lines().take(theirs.len()).collect();
    assert_eq!(ours, theirs, "{held:?}");
    both.compare(&project, "held", HELD).await?;
    both.compare(&project, "released", &[(&["upgrade"], Lines), (&["history"], Rows)]).await
}

/// A database for each tool, in the same state.
struct Databases {
    ours: Database,
    theirs: Database,
}

/// What both tools have printed.
#[derive(Debug)]
struct BothOutputs {
    ours: ToolRun,
    theirs: ToolOutput,
}

impl Databases {
    /// Runs a command with both tools, each on its own database.
    async fn run(
        &self,
        project: &PythonProject,
        arguments: &[&str],
    ) -> Result<BothOutputs, TestError> {
        let theirs = project.python(&self.theirs, arguments).await?;
        let takes_lock =
            matches!(arguments[0], "upgrade" | "rollback" | "fix" | "fix-checksums" | "fix-files");
        let no_wait: &[&str] = if takes_lock { &["--no-wait"] } else { &[] };
        let arguments = [arguments, no_wait].concat();
        let ours = tool(project, &self.ours.url, &arguments).await?;
        Ok(BothOutputs { ours, theirs })
    }

    async fn compare(
        &self,
        project: &PythonProject,
        state: &str,
        commands: &[(&[&str], Shared)],
    ) -> TestResult {
        for (arguments, shared) in commands {
            let both = self.run(project, arguments).await?;
            let context = format!("{state}: {arguments:?}: {both:#?}");
            let BothOutputs { ours, theirs } = &both;
            match shared {
                Lines => {
                    assert_eq!((theirs.code, ours.code), (Some(0), Some(0)), "{context}");
                    assert_eq!(sorted(&ours.lines()), sorted(&lines_of(theirs)), "{context}");
                }
                // The notes are on standard error.
                LinesAndNote | LinesWithCode(_) => {
                    let code = if let LinesWithCode(code) = shared { *code } else { 0 };
                    assert_eq!((theirs.code, ours.code), (Some(0), Some(code)), "{context}");
                    let result: Vec<_> = ours.stdout.lines().map(str::trim_end).collect();
                    assert_eq!(result, lines_of(theirs), "{context}");
                }
                Sentence(code) => {
                    assert_eq!((theirs.code, ours.code), (Some(1), Some(*code)), "{context}");
                    let sentence = ours.stderr.strip_prefix("error: ").ok_or(context.clone())?;
                    let sentence = sentence.lines().next().unwrap_or_default();
                    let found = words(&theirs.stderr).contains(&words(sentence));
                    assert!(found, "{context}");
                }
                Rows => {
                    assert_eq!((theirs.code, ours.code), (Some(0), Some(0)), "{context}");
                    assert_eq!(
                        our_rows(arguments[0], &ours.stdout),
                        their_rows(&theirs.stdout),
                        "{context}"
                    );
                    // Both tools read both databases alike.
                    let crossed = project.python(&self.ours, arguments).await?;
                    assert_eq!(
                        their_rows(&crossed.stdout),
                        their_rows(&theirs.stdout),
                        "{context}"
                    );
                    let crossed = tool(project, &self.theirs.url, arguments).await?;
                    assert_eq!(
                        our_rows(arguments[0], &crossed.stdout),
                        their_rows(&theirs.stdout),
                        "{context}"
                    );
                }
            }
        }
        Ok(())
    }
}

/// The lines of the Python tool: first the progress on standard error, then the result.
fn lines_of(output: &ToolOutput) -> Vec<&str> {
    let lines = output.stderr.lines().chain(output.stdout.lines());
    lines.map(str::trim_end).filter(|line| !line.is_empty()).collect()
}

/// The tools write progress and results to different streams, so only the lines count.
fn sorted<'l>(lines: &[&'l str]) -> Vec<&'l str> {
    let mut lines = lines.to_vec();
    lines.sort_unstable();
    lines
}

/// The words of a text, because the Python tool breaks long lines.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The rows of the Python tool's tables: version, description, and the order of the history. Each
/// row of `status` begins with whether it is applied.
fn their_rows(text: &str) -> BTreeSet<Vec<String>> {
    let mut rows = BTreeSet::new();
    let mut state = None;
    for line in text.lines() {
        if line.contains("Migrations Applied") {
            state = Some("applied");
        } else if line.contains("Migrations Pending") {
            state = Some("pending");
        }
        // The header has other lines.
        if let Some(inner) = line.trim().strip_prefix('│') {
            let cells = inner.split('│').map(|cell| cell.trim().to_owned());
            let cells: Vec<_> = cells.filter(|cell| !cell.is_empty()).collect();
            let is_history = state.is_none();
            let kept = if is_history { cells.into_iter().take(3).collect() } else { cells };
            rows.insert(state.iter().map(|it| (*it).to_owned()).chain(kept).collect());
        }
    }
    rows
}

/// The rows of this tool's table, in the same form.
fn our_rows(command: &str, text: &str) -> BTreeSet<Vec<String>> {
    let table = text.split("\n\n").next().unwrap_or_default();
    let rows = table.lines().skip(2).map(|line| {
        let cells = line.split("  ").map(|cell| cell.trim().to_owned());
        let cells = cells.filter(|cell| !cell.is_empty());
        cells.take(3).collect::<Vec<_>>()
    });
    debug_assert!(matches!(command, "status" | "history"));
    rows.filter(|row| !row.is_empty()).collect()
}

async fn new_file() -> TestResult {
    let (ours, theirs) = (PythonProject::new()?, PythonProject::new()?);
    let db = Database::sqlite()?;
    let their = theirs.python(&db, &["new", "add users", "-v", "9"]).await?.succeeded()?;
    let our = tool(&ours, &db.url, &["new", "add users", "-v", "9"]).await?;
    assert_eq!(our.code, Some(0), "{}", our.stderr);
    let beginning = "Created migration file: ";
    for text in [lines_of(&their)[0], our.lines()[0]] {
        assert!(text.starts_with(beginning) && text.ends_with("V9__add_users.sql"), "{text}");
    }
    let read = |project: &PythonProject| {
        std::fs::read_to_string(project.migrations().join("V9__add_users.sql"))
    };
    assert_eq!(read(&ours)?, read(&theirs)?);
    Ok(())
}
