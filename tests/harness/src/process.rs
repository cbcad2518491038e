//! Processes: finding programs, running them as the right user, ending them.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::{TestError, Unavailable, scratch};

/// How long a process may take to end after it was asked to.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Folders of servers' programs that are often not in `PATH`.
const MORE_FOLDERS: &[&str] = &["/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/bin"];

/// The folder of programs that a variable names, for a server that is not installed.
pub fn folder_of_programs(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|folder| !folder.is_empty()).map(PathBuf::from)
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

/// A command without the settings of this process that would change what databases do.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["JETBASE_", "PG", "MYSQL_", "MARIADB_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command.env("TZ", "UTC").stdin(Stdio::null());
    // A server under another user may not write where we may.
    command.env_remove("TMPDIR");
    command
}

/// Runs a command to its end and returns what it printed; it is killed when that takes too long.
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
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Whom a server runs as: as ourselves, or, because servers refuse root, as another user.
#[derive(Clone, Copy, Debug)]
pub struct Account(Option<(u32, u32)>);

impl Account {
    /// Ourselves, or the user of this name when we are root.
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

    /// Gives a folder to this user.
    pub fn own(self, folder: &Path) -> io::Result<()> {
        #[cfg(unix)]
        if let Account(Some((uid, gid))) = self {
            std::os::unix::fs::chown(folder, Some(uid), Some(gid))?;
        }
        let _ = folder;
        Ok(())
    }
}

/// Whether this process is root: told by the owner of what it makes.
#[cfg(unix)]
fn is_root() -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(scratch::root()?.metadata()?.uid() == 0)
}

/// Whether this process is root: there is no such user here.
#[cfg(not(unix))]
fn is_root() -> io::Result<bool> {
    Ok(false)
}

/// A number of a user: `-u` its own, `-g` its group's.
fn id(which: &str, user: &str) -> Option<u32> {
    let output = Command::new("id").args([which, user]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// The words before a command that make it get a signal when its parent dies, where there are such.
pub fn die_with_parent(signal: &str) -> Vec<OsString> {
    static SETPRIV: OnceLock<Option<PathBuf>> = OnceLock::new();
    let setpriv = SETPRIV.get_or_init(|| {
        let works = |setpriv: &PathBuf| {
            let mut trial = Command::new(setpriv);
            trial.args(["--pdeathsig", "KILL", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
            trial.status().is_ok_and(|status| status.success())
        };
        find(&["setpriv"]).filter(works)
    });
    match setpriv {
        Some(setpriv) => vec![setpriv.into(), "--pdeathsig".into(), signal.into()],
        None => Vec::new(),
    }
}

/// A running process; dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Keeps the thread alive that started it: the kernel takes that thread for the parent.
    _parent: mpsc::Sender<()>,
}

impl Process {
    /// Starts a process from a thread of its own, which lives as long as the value.
    pub fn start(mut command: Command) -> io::Result<Process> {
        let shown = shown(&command);
        let (tell, told) = mpsc::channel();
        let (parent, gone) = mpsc::channel();
        thread::Builder::new().name("server-parent".to_owned()).spawn(move || {
            let _ = tell.send(command.spawn());
            let _ = gone.recv();
        })?;
        let started = told.recv().map_err(io::Error::other)?;
        let child = started.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot run `{shown}`: {error:#}"))
        })?;
        Ok(Process { child, _parent: parent })
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal, waits for the end, and kills it when that takes too long.
    pub fn stop(mut self, signal: &str) {
        let pid = self.child.id().to_string();
        let _ = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal, &pid]).status();
        let deadline = Instant::now() + STOP_WITHIN;
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
