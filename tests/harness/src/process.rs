//! Processes: finding programs, running them as the right user, ending them.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::{TestError, Unavailable, scratch};

/// The time limit for the end of a process after a signal.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Folders with programs of servers that are often not in `PATH`.
const MORE_FOLDERS: &[&str] = &["/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/bin"];

/// The folder of programs that a variable names, for a server that is not installed.
pub fn folder_of_programs(variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).filter(|folder| !folder.is_empty())?;
    // The servers run in folders of their own.
    std::path::absolute(folder).ok()
}

/// The program of the first of these names that the folder has.
pub fn find_in(folder: &Path, names: &[&str]) -> Option<PathBuf> {
    names.iter().map(|name| folder.join(name)).find(|file| file.is_file())
}

/// The program of the first of these names that is installed.
pub fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> =
        std::env::split_paths(&path).chain(MORE_FOLDERS.iter().map(PathBuf::from)).collect();
    let in_folders = |name: &&str| folders.iter().map(|f| f.join(name)).find(|file| file.is_file());
    names.iter().find_map(in_folders)
}

/// Returns a command without the variables of this process that change how databases behave.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["JETBASE_", "PG", "MYSQL_", "MARIADB_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command.env("TZ", "UTC").stdin(Stdio::null());
    // A server that runs as another user cannot write to our temporary folder.
    command.env_remove("TMPDIR");
    command
}

/// Runs a command to its end and returns its output. The command is killed after the time limit.
pub async fn finish(command: Command, within: Duration) -> Result<std::process::Output, TestError> {
    let shown = shown(&command);
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true);
    match tokio::time::timeout(within, command.output()).await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => Err(format!("cannot run `{shown}`: {error:#}").into()),
        Err(_) => Err(format!("`{shown}` did not end within {within:?} and was killed").into()),
    }
}

/// A command as one line.
pub fn shown(command: &Command) -> String {
    let parts = std::iter::once(command.get_program()).chain(command.get_args());
    parts.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// The user of a server: the current user, or another one, because servers refuse to run as root.
#[derive(Clone, Copy, Debug)]
pub struct Account(Option<(u32, u32)>);

impl Account {
    /// Returns the current user, or the user of this name if the current one is root.
    pub fn choose(what: &'static str, user: &str) -> Result<Account, Unavailable> {
        if !is_root().map_err(Unavailable::broken)? {
            return Ok(Account(None));
        }
        match (id("-u", user), id("-g", user)) {
            (Some(uid), Some(gid)) => Ok(Account(Some((uid, gid)))),
            _ => Err(Unavailable::Missing {
                what,
                reason: format!("{what} refuses to run as root, and there is no user `{user}`"),
            }),
        }
    }

    /// Makes a command run as this user.
    #[cfg(unix)]
    pub fn apply(self, command: &mut Command) {
        use std::os::unix::process::CommandExt;
        if let Account(Some((uid, gid))) = self {
            command.uid(uid).gid(gid);
        }
    }

    /// Makes a command run as this user.
    #[cfg(not(unix))]
    pub fn apply(self, _command: &mut Command) {}

    /// Makes this user the owner of a folder.
    pub fn own(self, folder: &Path) -> io::Result<()> {
        #[cfg(unix)]
        if let Account(Some((uid, gid))) = self {
            std::os::unix::fs::chown(folder, Some(uid), Some(gid))?;
        }
        let _ = folder;
        Ok(())
    }
}

/// Whether this process is root, according to the owner of a folder that it has created.
#[cfg(unix)]
fn is_root() -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(scratch::root()?.metadata()?.uid() == 0)
}

/// Whether this process is root. This system has no such user.
#[cfg(not(unix))]
fn is_root() -> io::Result<bool> {
    Ok(false)
}

/// Returns the id of a user (`-u`) or of its group (`-g`).
fn id(which: &str, user: &str) -> Option<u32> {
    let output = Command::new("id").args([which, user]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Returns a command that gets a signal when its parent ends, if `setpriv` is installed.
pub fn command_that_ends_with_parent(program: &Path, signal: &str) -> Command {
    static SETPRIV: OnceLock<Option<PathBuf>> = OnceLock::new();
    let setpriv = SETPRIV.get_or_init(|| {
        let works = |setpriv: &PathBuf| {
            let mut test = Command::new(setpriv);
            test.args(["--pdeathsig", "KILL", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
            test.status().is_ok_and(|status| status.success())
        };
        find(&["setpriv"]).filter(works)
    });
    match setpriv {
        Some(setpriv) => {
            let mut command = command(setpriv);
            command.args(["--pdeathsig", signal]).arg(program);
            command
        }
        None => command(program),
    }
}

/// A running process; dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Keeps the thread alive that started the process, because the kernel uses it as the parent.
    _parent: mpsc::Sender<()>,
}

impl Process {
    /// Starts a process from a new thread, which lives as long as this value.
    pub fn start(mut command: Command) -> io::Result<Process> {
        let shown = shown(&command);
        let (result_sender, result) = mpsc::channel();
        let (parent, parent_dropped) = mpsc::channel();
        thread::Builder::new().name("server-parent".to_owned()).spawn(move || {
            let _ = result_sender.send(command.spawn());
            let _ = parent_dropped.recv();
        })?;
        let started = result.recv().map_err(io::Error::other)?;
        let child = started.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot run `{shown}`: {error:#}"))
        })?;
        Ok(Process { child, _parent: parent })
    }

    /// The exit status if the process has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal and waits for the end. The process is killed after the time limit.
    pub fn stop(mut self, signal: &str) {
        let pid = self.child.id().to_string();
        let _ = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal, &pid]).status();
        let deadline = Instant::now() + STOP_TIMEOUT;
        while self.ended().is_none() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
