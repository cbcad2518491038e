//! The README, followed as it is written: its project is built by cargo, and its programs run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Readme, Suite, TestContext, TestError, TestResult, scratch,
};
use tempfile::TempDir;
use tokio::process::Command;

fn main() -> ExitCode {
    // The first build compiles sqlx.
    let mut suite = Suite::new().with_limit(Duration::from_secs(900));
    suite.each(
        "the_tour_of_the_readme_runs_as_written",
        &[DatabaseKind::Postgres],
        Needs::NOTHING,
        tour,
    );
    suite.run()
}

async fn tour(ctx: TestContext) -> TestResult {
    let readme = Readme::read()?;
    let project = TourProject::new(&ctx.db)?;
    project.write("Cargo.toml", &manifest(&readme.block_after("Until it is, use the `path`")?))?;
    let sql = readme.block_after("For example `migrations/V1__create_users.sql`:")?;
    project.write("migrations/V1__create_users.sql", &sql)?;
    project.write("build.rs", &readme.block_after("`build.rs`, so that cargo notices")?)?;
    let main = readme.block_after("`src/main.rs`:")?;
    project.write("src/main.rs", &main)?;

    let first = project.succeeds("run", &[]).await?;
    let promised = main.split_once("// applied ").and_then(|it| it.1.split_once(" in "));
    let promised = promised.ok_or("the README does not say what the first start prints")?.0;
    assert!(first.starts_with(&format!("applied {promised} in ")), "{first}");
    let second = project.succeeds("run", &[]).await?;
    let start = "The second start prints `";
    assert_eq!(readme.text_after(start, "`")?, second.trim_end());

    mistake(&readme, &project).await?;
    programs(&readme, &project, &ctx.db).await?;
    tool(&readme, &project, &ctx.db).await
}

/// A new file with a mistake is noticed without any other change, and the error is the one of the README.
async fn mistake(readme: &Readme, project: &TourProject) -> TestResult {
    let file = "migrations/V4__posts.sql";
    project.write(file, "-- upgrade\nCREATE TABLE posts (\n    id INTEGER\n)\n")?;
    let (success, _, errors) = project.cargo("build", &[]).await?;
    assert!(!success, "the compiler accepts {file}");
    let expected = readme.block_after("One build shows all mistakes:")?;
    let is_there = |line: &str| errors.lines().any(|it| it.trim() == line.trim());
    for line in expected.lines() {
        assert!(is_there(line), "no line `{line}` in:\n{errors}");
    }
    fs::remove_file(project.folder.path().join(file))?;
    Ok(())
}

/// The examples about runs, the status and repairs, on the sample folder that they name.
async fn programs(readme: &Readme, project: &TourProject, db: &Database) -> TestResult {
    db.execute("DROP TABLE users, jetbase_migrations, jetbase_lock").await?;
    fs::remove_dir_all(project.folder.path().join("migrations"))?;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations"))? {
        let entry = entry?;
        let to = format!("migrations/{}", entry.file_name().to_string_lossy());
        project.write(&to, &fs::read_to_string(entry.path())?)?;
    }
    let sections = [
        ("running", "`run` returns a builder that is also a future:"),
        ("status", "## Status, readiness and rollback"),
        ("repair", "It executes no migration:"),
    ];
    for (name, before) in sections {
        let program = program(&readme.block_after(before)?)?;
        project.write(&format!("src/bin/{name}.rs"), &program)?;
    }
    let running = project.succeeds("run", &["--bin", "running"]).await?;
    assert!(running.contains("V2__add_email.sql took "), "{running}");
    assert!(!running.contains("V3__"), "the run went above its target: {running}");
    let repair = project.succeeds("run", &["--bin", "repair"]).await?;
    assert_eq!(repair.trim_end(), "nothing to repair: the history and the files agree");
    let status = project.succeeds("run", &["--bin", "status"]).await?;
    assert!(status.contains("Status: UNLOCKED"), "{status}");
    assert!(status.contains("a run would work"), "{status}");
    Ok(())
}

/// The program `jetbase`, called as in the README.
async fn tool(readme: &Readme, project: &TourProject, db: &Database) -> TestResult {
    let block = readme.block_after("Use it in scripts, in jobs and by hand:")?;
    let calls: Vec<_> = block.lines().filter_map(|line| line.strip_prefix("jetbase ")).collect();
    assert!(!calls.is_empty(), "{block}");
    for call in calls {
        let call = call.replace("postgres://…", &db.url);
        let mut command = Command::new(env!("CARGO_BIN_EXE_jetbase"));
        command.args(call.split(' ')).current_dir(project.folder.path());
        let (success, _, errors) = output(command).await?;
        assert!(success, "jetbase {call}: {errors}");
    }
    let rows = db.value("SELECT count(*) FROM jetbase_migrations").await?;
    assert_eq!(rows.as_deref(), Some("4"));
    Ok(())
}

/// Returns the manifest of the README, with the path of this checkout as the README says.
fn manifest(dependencies: &str) -> String {
    let checkout = format!("path = {:?}", env!("CARGO_MANIFEST_DIR"));
    let dependencies = dependencies.replacen("version = \"0.1\"", &checkout, 1);
    let package = "[package]\nname = \"tour\"\nedition = \"2024\"\ndefault-run = \"tour\"\n";
    format!("{package}\n{dependencies}\n[workspace]\n")
}

/// Returns a program with the body of an example, which rustdoc shows without its hidden lines.
fn program(example: &str) -> Result<String, TestError> {
    const MAIN: &str = "\
#[tokio::main]
async fn main() -> Result<(), jetbase::Error> {
    let pool = sqlx::PgPool::connect_lazy(&std::env::var(\"DATABASE_URL\").unwrap()).unwrap();
    example(&pool).await
}
";
    let lines = example.lines().map(|line| line.strip_prefix("# ").unwrap_or(line));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    if !text.contains("fn main() {}\n") {
        return Err(format!("the example has no main function:\n{text}").into());
    }
    Ok(text.replacen("fn main() {}\n", MAIN, 1))
}

/// A project of cargo in a temporary folder.
struct TourProject {
    folder: TempDir,
    url: String,
}

impl TourProject {
    fn new(db: &Database) -> Result<TourProject, TestError> {
        let project = TourProject { folder: scratch::folder("tour")?, url: db.url.clone() };
        let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"))?;
        project.write("Cargo.lock", &lock)?;
        Ok(project)
    }

    fn write(&self, path: &str, text: &str) -> TestResult {
        let path = self.folder.path().join(path);
        path.parent().map(fs::create_dir_all).transpose()?;
        Ok(fs::write(path, text)?)
    }

    /// Runs cargo without a network. Returns whether it succeeded, its standard output and its standard
    /// error.
    async fn cargo(
        &self,
        name: &str,
        arguments: &[&str],
    ) -> Result<(bool, String, String), TestError> {
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tour");
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args([name, "--quiet", "--offline"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("DATABASE_URL", &self.url)
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        output(command).await
    }

    /// Runs cargo, which must succeed. Returns its standard output.
    async fn succeeds(&self, name: &str, arguments: &[&str]) -> Result<String, TestError> {
        let (success, output, errors) = self.cargo(name, arguments).await?;
        if success {
            Ok(output)
        } else {
            Err(format!("cargo {name} {arguments:?}: {errors}").into())
        }
    }
}

async fn output(mut command: Command) -> Result<(bool, String, String), TestError> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes);
    Ok((output.status.success(), text(output.stdout)?, text(output.stderr)?))
}
