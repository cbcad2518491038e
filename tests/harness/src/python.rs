//! The Python tool, and a project folder for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::runtime::runtime;
use crate::{Database, TestError, Unavailable, process, scratch};

/// The release that uses the same tables and files as jetbase.
const RELEASE: &str = "0.18.1";

/// How to install the tool.
const MISSING: &str = "the Python tool jetbase 0.18.1 is not installed (python3 -m venv target/python \
    && target/python/bin/pip install jetbase==0.18.1 psycopg2-binary pymysql cryptography)";

/// The time limit for one run.
const RUN_TIMEOUT: Duration = Duration::from_secs(60);

/// Prints the release of the tool. It fails if the installation is not complete.
const PROBE: &str =
    "import importlib.metadata as m, psycopg2, pymysql; print(m.version('jetbase'))";

/// The path of the tool after the first search.
static TOOL: OnceLock<Result<PathBuf, Unavailable>> = OnceLock::new();

/// Searches for the Python tool once. Do not call it from asynchronous code.
pub fn find_python_tool() -> Result<(), Unavailable> {
    TOOL.get_or_init(find).as_ref().map(drop).map_err(Clone::clone)
}

fn find() -> Result<PathBuf, Unavailable> {
    let Some(tool) = candidates().into_iter().find(|file| file.is_file()) else {
        let named = std::env::var_os("JETBASE_TEST_PYTHON");
        let named =
            named.map(|name| format!(", and JETBASE_TEST_PYTHON={} is not a file", name.display()));
        let reason = format!("{MISSING}{}", named.unwrap_or_default());
        return Err(Unavailable::Missing { what: "python", reason });
    };
    let python = tool.with_file_name(if cfg!(windows) { "python.exe" } else { "python" });
    if python.is_file() {
        let mut probe = process::command(&python);
        probe.args(["-c", PROBE]);
        let probed = runtime()?.block_on(process::finish(probe, RUN_TIMEOUT));
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

/// The paths where the tool may be: the one in the environment, else the usual ones in the folder
/// for build results. The test program is in that folder too.
fn candidates() -> Vec<PathBuf> {
    if let Some(named) = std::env::var_os("JETBASE_TEST_PYTHON") {
        let named = PathBuf::from(named);
        return vec![std::path::absolute(&named).unwrap_or(named)];
    }
    let tool = if cfg!(windows) { "python/Scripts/jetbase.exe" } else { "python/bin/jetbase" };
    let program = std::env::current_exe().unwrap_or_default();
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let folders = program.ancestors().skip(1).take(4).map(Path::to_owned);
    folders.chain([usual]).map(|folder| folder.join(tool)).collect()
}

/// A project folder in the layout of the Python tool: `jetbase/migrations`.
#[derive(Debug)]
pub struct PythonProject {
    path: PathBuf,
    _folder: TempDir,
}

impl PythonProject {
    /// Creates an empty project.
    pub fn new() -> Result<PythonProject, TestError> {
        let folder = scratch::folder("project")?;
        let path = folder.path().join("jetbase");
        fs::create_dir_all(path.join("migrations"))?;
        Ok(PythonProject { path, _folder: folder })
    }

    /// Creates a project with these migrations: paths below `migrations` and texts.
    pub fn with(migrations: &[(&str, &str)]) -> Result<PythonProject, TestError> {
        let project = PythonProject::new()?;
        for (name, text) in migrations {
            project.write(name, text)?;
        }
        Ok(project)
    }

    /// The folder `jetbase`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder `jetbase/migrations`.
    pub fn migrations(&self) -> PathBuf {
        self.path.join("migrations")
    }

    /// Writes a file below `migrations`, and the folders it needs.
    pub fn write(&self, name: &str, text: &str) -> Result<(), TestError> {
        let file = self.migrations().join(name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(file, text)?)
    }

    /// Removes a file below `migrations`.
    pub fn remove(&self, name: &str) -> Result<(), TestError> {
        Ok(fs::remove_file(self.migrations().join(name))?)
    }

    /// Copies all files of a folder, also of folders in it, into `migrations`.
    pub fn copy(&self, from: &Path) -> Result<(), TestError> {
        copy_into(from, &self.migrations())
    }

    /// Runs the Python tool on a database; a test that does this needs `Needs::PYTHON`.
    pub async fn python(&self, db: &Database, arguments: &[&str]) -> Result<ToolOutput, TestError> {
        self.python_with(db, arguments, &[]).await
    }

    /// Runs the Python tool with more variables in its environment, such as `PGTZ`.
    pub async fn python_with(
        &self,
        db: &Database,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<ToolOutput, TestError> {
        let tool = TOOL.get().ok_or("a test that runs the Python tool needs Needs::PYTHON")?;
        let mut command = process::command(tool.as_ref().map_err(Clone::clone)?);
        command.args(arguments).current_dir(&self.path);
        command.env("JETBASE_SQLALCHEMY_URL", &db.python_url);
        // Plain messages instead of JSON, and tables without line breaks.
        command.env("JETBASE_FORCE_INTERACTIVE", "true").env("COLUMNS", "250");
        command.env("NO_COLOR", "1").env("PYTHONUTF8", "1").env_remove("FORCE_COLOR");
        command.envs(variables.iter().copied());
        let shown = format!("jetbase {}", arguments.join(" "));
        let output = process::finish(command, RUN_TIMEOUT).await?;
        Ok(ToolOutput {
            command: shown,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

/// The output and the exit code of the Python tool.
#[derive(Clone, Debug)]
pub struct ToolOutput {
    /// The command, for messages.
    pub command: String,
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// The standard output: tables and dry runs.
    pub stdout: String,
    /// The standard error: messages and errors.
    pub stderr: String,
}

impl ToolOutput {
    /// Returns the output if the exit code was 0, else an error that shows everything.
    pub fn succeeded(self) -> Result<ToolOutput, TestError> {
        if self.code == Some(0) { Ok(self) } else { Err(self.unexpected("succeed")) }
    }

    /// Returns the output if the exit code was neither 0 nor missing, else an error that shows everything.
    pub fn failed(self) -> Result<ToolOutput, TestError> {
        if self.code.is_some_and(|code| code != 0) {
            Ok(self)
        } else {
            Err(self.unexpected("fail"))
        }
    }

    /// All lines that are not empty. The lines of the standard output are first.
    pub fn lines(&self) -> Vec<&str> {
        let lines = self.stdout.lines().chain(self.stderr.lines());
        lines.map(str::trim_end).filter(|line| !line.is_empty()).collect()
    }

    /// Whether the standard output or the standard error contains a text.
    pub fn contains(&self, text: &str) -> bool {
        self.stdout.contains(text) || self.stderr.contains(text)
    }

    fn unexpected(&self, wanted: &str) -> TestError {
        let ToolOutput { command, code, stdout, stderr } = self;
        let code = code.map_or("none, a signal ended it".to_owned(), |code| code.to_string());
        format!(
            "`{command}` of the Python tool did not {wanted}; exit code: {code}\n\
             --- standard output\n{stdout}\n--- standard error\n{stderr}"
        )
        .into()
    }
}

fn copy_into(from: &Path, to: &Path) -> Result<(), TestError> {
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
