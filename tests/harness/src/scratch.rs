//! The temporary folder of this test process. It is removed at the end of the process.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

/// The start of the name of the folder.
const PREFIX: &str = "jetbase-it-";

/// A file in the folder that is locked while the process is alive.
const ALIVE: &str = "alive";

/// The folder after its creation.
static ROOT: OnceLock<Result<Root, String>> = OnceLock::new();

/// The folder, and the lock that shows other processes that it is in use.
struct Root {
    path: PathBuf,
    _alive: File,
}

/// Creates a temporary folder for one purpose. It is removed when the value is dropped.
pub fn folder(purpose: &str) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(&format!("{purpose}-")).tempdir_in(root()?)
}

/// The folder of this process.
pub fn root() -> io::Result<&'static Path> {
    match ROOT.get_or_init(|| make().map_err(|error| format!("no temporary folder: {error:#}"))) {
        Ok(root) => Ok(&root.path),
        Err(message) => Err(io::Error::other(message.clone())),
    }
}

/// Removes the folder of this process. Call it once, after all tests.
pub fn remove() -> io::Result<()> {
    match ROOT.get() {
        Some(Ok(root)) => fs::remove_dir_all(&root.path),
        _ => Ok(()),
    }
}

fn make() -> io::Result<Root> {
    remove_abandoned();
    let folder = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
    let alive = File::create(folder.path().join(ALIVE))?;
    alive.lock()?;
    // A server that runs as another user must be able to enter its folder.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))?;
    }
    Ok(Root { path: folder.keep(), _alive: alive })
}

/// Removes the folders of killed processes if possible.
fn remove_abandoned() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_abandoned(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether the process of a folder has ended: its lock is free, and the folder is not new.
fn is_abandoned(folder: &Path) -> bool {
    let Ok(alive) = File::open(folder.join(ALIVE)) else { return false };
    let age =
        alive.metadata().and_then(|data| data.modified()).ok().and_then(|made| made.elapsed().ok());
    age.is_some_and(|age| age > Duration::from_secs(60)) && alive.try_lock().is_ok()
}
