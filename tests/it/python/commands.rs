//! Every command of both tools, on databases in the same states.
//!
//! Each tool has a database of its own. Both run the same commands, so the states are the same. The
//! commands that only read are run by both tools on both databases.

use jetbase_test_harness::{
    Database, DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
    ToolOutput,
};

use super::outputs::{lines_of, our_rows, sorted, their_rows, words};
use crate::tool::{ToolRun, tool};

pub(super) fn register(suite: &mut Suite) {
    for case in CASES {
        let name = format!("both_tools_print_the_shared_lines_with_{}", case.0.replace(' ', "_"));
        suite.each(&name, case.1, Needs::PYTHON, |ctx| every_command(ctx, case));
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
type FileChange = fn(&PythonProject) -> TestResult;

/// A state, its databases, how its files differ, and the commands that reach it and run in it. A test
/// has few commands, because the Python tool takes a second for each.
type StateCase = (
    &'static str,
    &'static [DatabaseKind],
    FileChange,
    &'static [(&'static [&'static str], Shared)],
);

/// For states that have nothing to do with the database.
const SQLITE: &[DatabaseKind] = &[DatabaseKind::Sqlite];

const CASES: &[StateCase] = &[
    (
        "no tables",
        DatabaseKind::ALL,
        |_| Ok(()),
        &[
            (&["current"], Lines),
            (&["status"], Rows),
            (&["validate-files"], Lines),
            (&["upgrade", "--dry-run"], Lines),
            (&["rollback"], Lines),
        ],
    ),
    (
        "two targets",
        SQLITE,
        |_| Ok(()),
        &[
            (&["upgrade", "-c", "1", "-t", "1"], Sentence(2)),
            (&["rollback", "-c", "1", "-t", "1"], Sentence(2)),
            (&["upgrade", "-t", "9"], Sentence(1)),
            (&["rollback", "-t", "9"], Sentence(1)),
        ],
    ),
    (
        "one version",
        DatabaseKind::ALL,
        |_| Ok(()),
        &[
            (&["upgrade", "-c", "1"], Lines),
            (&["current"], Lines),
            (&["status"], Rows),
            (&["history"], Rows),
            (&["lock-status"], Lines),
            (&["unlock"], LinesAndNote),
        ],
    ),
    (
        "nothing to repair",
        DatabaseKind::ALL,
        |_| Ok(()),
        &[
            (&["upgrade"], Lines),
            (&["upgrade"], Lines),
            (&["validate-checksums"], Lines),
            (&["validate-files"], Lines),
            (&["fix-checksums"], Lines),
            (&["fix-files"], Lines),
            (&["fix"], Lines),
            (&["rollback", "--dry-run"], Lines),
        ],
    ),
    (
        "a rollback",
        DatabaseKind::ALL,
        |_| Ok(()),
        &[
            (&["upgrade"], Lines),
            (&["rollback", "-c", "2"], Lines),
            (&["history"], Rows),
            (&["upgrade", "-t", "2"], Lines),
            (&["upgrade"], Lines),
            (&["current"], Lines),
        ],
    ),
    (
        "repeatables",
        DatabaseKind::ALL,
        with_repeatables,
        &[
            (&["status"], Rows),
            (&["upgrade"], Lines),
            // Afterwards, the Python tool still lists the file that runs always as pending.
            (&["history"], Rows),
            (&["upgrade"], Lines),
        ],
    ),
    (
        "a changed version",
        DatabaseKind::ALL,
        |_| Ok(()),
        &[
            (&["upgrade"], Lines),
            (&["change"], Lines),
            (&["validate-checksums"], LinesWithCode(11)),
            (&["upgrade"], Sentence(11)),
            (&["fix-checksums"], Lines),
            (&["upgrade"], Lines),
        ],
    ),
    (
        "missing files",
        DatabaseKind::ALL,
        with_repeatables,
        &[
            (&["upgrade"], Lines),
            (&["remove"], Lines),
            (&["validate-files"], LinesWithCode(11)),
            (&["upgrade"], Sentence(11)),
            (&["rollback"], Sentence(11)),
            (&["fix-files"], Lines),
            (&["validate-files"], Lines),
        ],
    ),
    (
        "a version that is too low",
        SQLITE,
        |_| Ok(()),
        &[(&["upgrade"], Lines), (&["insert"], Lines), (&["upgrade"], Sentence(11))],
    ),
    (
        "a wrong name",
        SQLITE,
        |project| project.write("seed.sql", "SELECT 1;\n"),
        &[(&["upgrade"], Sentence(1)), (&["status"], Sentence(1))],
    ),
    (
        "one version in two files",
        SQLITE,
        |project| project.write("V2__again.sql", "SELECT 1;\n"),
        &[(&["upgrade"], Sentence(1)), (&["status"], Sentence(1))],
    ),
];

fn with_repeatables(project: &PythonProject) -> TestResult {
    project.write("RA__seed.sql", "DELETE FROM a;\n")?;
    project.write("ROC__fill.sql", "INSERT INTO a VALUES (7);\n")
}

/// Changes the files between two commands. Returns false if this is a command of the tools.
fn change_files(project: &PythonProject, command: &str) -> Result<bool, TestError> {
    match command {
        "change" => project.write("V2__b.sql", "CREATE TABLE b (id BIGINT);\n")?,
        "insert" => project.write("V1_5__late.sql", "CREATE TABLE late (id INTEGER);\n")?,
        "remove" => {
            project.remove("V3__c.sql")?;
            project.remove("ROC__fill.sql")?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

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

async fn every_command(
    ctx: TestContext,
    (state, _, change, commands): &'static StateCase,
) -> TestResult {
    let (project, both) = start(&ctx).await?;
    change(&project)?;
    both.compare(&project, state, commands).await
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
            if change_files(project, arguments[0])? {
                continue;
            }
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
