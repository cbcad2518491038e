//! The Python tool, run on a project folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use super::{Database, Error, Unavailable, process, scratch, suite};

/// The release that our tables and texts are shared with.
const RELEASE: &str = "0.18.1";

/// How to get it.
const MISSING: &str = "the Python tool jetbase 0.18.1 is not installed (python3 -m venv target/python \
    && target/python/bin/pip install jetbase==0.18.1 psycopg2-binary pymysql cryptography)";

/// How long one run may take.
const RUN_WITHIN: Duration = Duration::from_secs(60);

/// What it prints about itself, so that a wrong or partial installation is told apart.
const PROBE: &str =
    "import importlib.metadata as m, psycopg2, pymysql; print(m.version('jetbase'))";

/// The tool's program, looked for once.
static TOOL: OnceLock<Result<PathBuf, Unavailable>> = OnceLock::new();

/// Looks for the tool, once. Not to be called from asynchronous code.
pub(super) fn look_for_tool() -> Result<(), Unavailable> {
    TOOL.get_or_init(find).as_ref().map(drop).map_err(Clone::clone)
}

fn find() -> Result<PathBuf, Unavailable> {
    let Some(tool) = candidates().into_iter().find(|file| file.is_file()) else {
        let named = std::env::var_os("JETBASE_TEST_PYTHON");
        let named =
            named.map(|name| format!(", and JETBASE_TEST_PYTHON={} is no file", name.display()));
        let reason = format!("{MISSING}{}", named.unwrap_or_default());
        return Err(Unavailable::Missing { what: "python", reason });
    };
    let python = tool.with_file_name(if cfg!(windows) { "python.exe" } else { "python" });
    if python.is_file() {
        let mut probe = process::command(&python);
        probe.args(["-c", PROBE]);
        let probed = suite::runtime()?.block_on(process::finish(probe, RUN_WITHIN));
        let probed = probed.map_err(Unavailable::broken)?;
        let release = String::from_utf8_lossy(&probed.stdout);
        if release.trim() != RELEASE {
            let why = String::from_utf8_lossy(&probed.stderr);
            let why = why.trim().lines().last().unwrap_or_default();
            let reason = format!("{MISSING}; {} has `{}` {why}", tool.display(), release.trim());
            return Err(Unavailable::Missing { what: "python", reason });
        }
    }
    Ok(tool)
}

/// Where the tool may be: where the environment says, else in the folder for build results.
fn candidates() -> Vec<PathBuf> {
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    if let Some(named) = std::env::var_os("JETBASE_TEST_PYTHON") {
        return vec![absolute(named.into())];
    }
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let built = option_env!("CARGO_TARGET_TMPDIR").and_then(|tmp| Path::new(tmp).parent());
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let program = if cfg!(windows) { "python/Scripts/jetbase.exe" } else { "python/bin/jetbase" };
    let targets = [named, built.map(Path::to_owned), Some(usual)];
    targets.into_iter().flatten().map(|target| absolute(target.join(program))).collect()
}

/// A project folder as the Python tool wants it: named `jetbase`, with `migrations` in it.
#[derive(Debug)]
pub(crate) struct Project {
    path: PathBuf,
    _folder: TempDir,
}

impl Project {
    /// Makes an empty project.
    pub(crate) fn new() -> Result<Project, Error> {
        let folder = scratch::folder("project")?;
        let path = folder.path().join("jetbase");
        fs::create_dir_all(path.join("migrations"))?;
        Ok(Project { path, _folder: folder })
    }

    /// Makes a project with these migrations: names below `migrations` and texts.
    pub(crate) fn with(migrations: &[(&str, &str)]) -> Result<Project, Error> {
        let project = Project::new()?;
        for (name, text) in migrations {
            project.write(name, text)?;
        }
        Ok(project)
    }

    /// The folder `jetbase`.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder `jetbase/migrations`.
    pub(crate) fn migrations(&self) -> PathBuf {
        self.path.join("migrations")
    }

    /// Writes a file below `migrations`, and the folders it needs.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let file = self.migrations().join(name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(file, text)?)
    }

    /// Removes a file below `migrations`.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        Ok(fs::remove_file(self.migrations().join(name))?)
    }

    /// Copies all files of a folder, also of folders in it, into `migrations`.
    pub(crate) fn copy(&self, from: &Path) -> Result<(), Error> {
        copy_into(from, &self.migrations())
    }

    /// Runs the Python tool on a database; a trial that does this needs `Needs::PYTHON`.
    pub(crate) async fn python(&self, db: &Database, words: &[&str]) -> Result<Output, Error> {
        self.python_with(db, words, &[]).await
    }

    /// Runs the Python tool with more variables in its environment, such as `PGTZ`.
    pub(crate) async fn python_with(
        &self,
        db: &Database,
        words: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Output, Error> {
        let tool = TOOL.get().ok_or("a trial that runs the Python tool needs Needs::PYTHON")?;
        let mut command = process::command(tool.as_ref().map_err(Clone::clone)?);
        command.args(words).current_dir(&self.path);
        command.env("JETBASE_SQLALCHEMY_URL", &db.python_url);
        // Plain messages instead of JSON, and tables that are not folded.
        command.env("JETBASE_FORCE_INTERACTIVE", "true").env("COLUMNS", "250");
        command.env("NO_COLOR", "1").env("PYTHONUTF8", "1").env_remove("FORCE_COLOR");
        command.envs(variables.iter().copied());
        let shown = format!("jetbase {}", words.join(" "));
        let output = process::finish(command, RUN_WITHIN).await?;
        Ok(Output {
            command: shown,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

/// What the Python tool printed, and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// The command, for messages.
    pub(crate) command: String,
    /// The exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// The standard output: tables and dry runs.
    pub(crate) stdout: String,
    /// The standard error: messages and errors.
    pub(crate) stderr: String,
}

impl Output {
    /// Itself if the exit code was 0, else an error that shows everything.
    pub(crate) fn succeeded(self) -> Result<Output, Error> {
        if self.code == Some(0) { Ok(self) } else { Err(self.unlike("succeed")) }
    }

    /// Itself if the exit code was neither 0 nor missing, else an error that shows everything.
    pub(crate) fn failed(self) -> Result<Output, Error> {
        if self.code.is_some_and(|code| code != 0) { Ok(self) } else { Err(self.unlike("fail")) }
    }

    /// All lines that are not empty, those of the standard output first.
    pub(crate) fn lines(&self) -> Vec<&str> {
        let lines = self.stdout.lines().chain(self.stderr.lines());
        lines.map(str::trim_end).filter(|line| !line.is_empty()).collect()
    }

    /// Whether a text was printed, on either of the two.
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.stdout.contains(text) || self.stderr.contains(text)
    }

    fn unlike(&self, wanted: &str) -> Error {
        let Output { command, code, stdout, stderr } = self;
        let code = code.map_or("none, a signal ended it".to_owned(), |code| code.to_string());
        format!(
            "`{command}` of the Python tool did not {wanted}; exit code: {code}\n\
             --- standard output\n{stdout}\n--- standard error\n{stderr}"
        )
        .into()
    }
}

fn copy_into(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_into(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
