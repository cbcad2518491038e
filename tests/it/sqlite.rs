//! SQLite files with each journal mode, and another program that writes meanwhile.

use std::future::IntoFuture as _;
use std::process::Stdio;

use jetbase::DatabaseUrl;
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestError, TestResult};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::apply::set;
use crate::run_in_progress::{notify_at_start, slow};

pub(crate) fn register(suite: &mut Suite) {
    let sqlite = &[DatabaseKind::Sqlite];
    suite.each("a_run_keeps_each_journal_mode_of_a_file", sqlite, Needs::NOTHING, journal_modes);
    suite.each(
        "a_run_works_while_another_program_writes_to_the_file",
        sqlite,
        Needs::PYTHON,
        other_writer,
    );
    suite.each(
        "two_names_of_a_file_have_one_lock_in_each_journal_mode",
        sqlite,
        Needs::NOTHING,
        names,
    );
    suite.each("the_readme_names_the_version_of_sqlite", sqlite, Needs::NOTHING, version);
}

const MODES: [&str; 4] = ["delete", "truncate", "persist", "wal"];

const A: (&str, &str) = ("V1__a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);\n");
const B: (&str, &str) = ("V2__b.sql", "INSERT INTO a VALUES (1);\n-- rollback\nDELETE FROM a;\n");

async fn journal_modes(ctx: TestContext) -> TestResult {
    for mode in MODES {
        let db = ctx.another().await?;
        db.execute(&format!("PRAGMA journal_mode = {mode}")).await?;
        db.execute("CREATE TABLE mine (id INTEGER)").await?;
        assert_eq!(jetbase::run_url(&set(&[A, B]), &db.url).await?.applied.len(), 2, "{mode}");
        jetbase::rollback(&set(&[A, B]), DatabaseUrl(&db.url)).await?;
        assert_eq!(jetbase::run_url(&set(&[A, B]), &db.url).await?.applied.len(), 1, "{mode}");
        // Only WAL is a property of the file. Each connection begins with one of the others.
        let kept = db.value("PRAGMA journal_mode").await?;
        assert_eq!(kept.as_deref() == Some("wal"), mode == "wal", "{mode}: {kept:?}");
    }
    Ok(())
}

/// Starts a program of another language that writes to the file until its input ends. It prints how
/// many rows it has written.
fn start_writer(file: &str) -> Result<Child, TestError> {
    let program = "\
import select, sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
rows = 0
while not select.select([sys.stdin], [], [], 0.002)[0]:
    db.execute('BEGIN IMMEDIATE')
    db.execute('INSERT INTO log (n) VALUES (?)', (rows,))
    db.execute('COMMIT')
    rows += 1
    if rows == 5:
        print('writes', flush=True)
print(rows, flush=True)
";
    let mut command = Command::new("python3");
    command.args(["-c", program, file]).stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(command.kill_on_drop(true).spawn()?)
}

async fn other_writer(ctx: TestContext) -> TestResult {
    for mode in ["delete", "wal"] {
        let db = ctx.another().await?;
        db.execute(&format!("PRAGMA journal_mode = {mode}")).await?;
        db.execute("CREATE TABLE log (n INTEGER)").await?;
        let mut writer = start_writer(&db.name)?;
        let mut output = BufReader::new(writer.stdout.take().ok_or("an output")?).lines();
        assert_eq!(output.next_line().await?.as_deref(), Some("writes"));
        let names: Vec<_> = (1..=20).map(|n| format!("V{n}__t.sql")).collect();
        let texts: Vec<_> = (1..=20)
            .map(|n| format!("CREATE TABLE t{n} (id INTEGER); INSERT INTO t{n} VALUES ({n});\n"))
            .collect();
        let files: Vec<_> =
            names.iter().zip(&texts).map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let report = jetbase::run_url(&set(&files), &db.url).await;
        writer.stdin.take().ok_or("an input")?.write_all(b"end\n").await?;
        let rows = output.next_line().await?;
        assert!(writer.wait().await?.success(), "{mode}");
        assert_eq!(report?.applied.len(), 20, "{mode}");
        assert_eq!(db.value("SELECT count(*) FROM log").await?, rows, "{mode}");
        let recorded = db.value("SELECT count(*) FROM jetbase_migrations").await?;
        assert_eq!(recorded.as_deref(), Some("20"), "{mode}");
    }
    Ok(())
}

async fn names(ctx: TestContext) -> TestResult {
    for mode in ["delete", "wal"] {
        let db = ctx.another().await?;
        db.execute(&format!("PRAGMA journal_mode = {mode}")).await?;
        let link = format!("{}.link", db.name);
        #[cfg(unix)]
        std::os::unix::fs::symlink(&db.name, &link)?;
        let all = set(&[A, ("V2__slow.sql", &slow(ctx.kind, 2))]);
        let (holder, started) = notify_at_start(jetbase::run_url(&all, &db.url), "V2__slow.sql");
        let holder = tokio::spawn(holder.into_future());
        started.await?;
        let waiter = jetbase::run_url(&all, &format!("sqlite://{link}")).await?;
        assert!(waiter.is_up_to_date() && waiter.recovered.is_none(), "{mode}: {waiter:?}");
        assert_eq!(holder.await??.applied.len(), 2, "{mode}");
    }
    Ok(())
}

async fn version(ctx: TestContext) -> TestResult {
    let version = ctx.db.value("SELECT sqlite_version()").await?.ok_or("a version")?;
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"))?;
    // With the library of the system, the version is that library's.
    if std::env::var_os("JETBASE_TEST_SQLITE_LIBRARY").is_none() {
        assert!(
            readme.contains(&format!("| SQLite | {version},")),
            "README.md does not name {version}"
        );
    }
    Ok(())
}
