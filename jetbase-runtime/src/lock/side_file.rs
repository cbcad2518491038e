//! The file beside an SQLite database. Its lock shows whether a run is alive.

mod open;
#[cfg(test)]
mod tests;

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use jetbase_core::Checksum;

use crate::error::{LockFileError, LockFileErrorKind};
use open::{Created, refused};

/// `<database>.jetbase-lock`. It is never deleted, because a lock on a deleted file excludes no
/// process.
#[derive(Debug)]
pub(crate) struct SideFile {
    file: File,
    identity: [u8; 16],
    locked: bool,
}

/// What to do if the file does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IfMissing {
    Create,
    Leave,
}

/// How often the file is tried again: another process may be creating it.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);
/// How often the lock is tried again: another process may be checking whether it is free.
const LOCK_TRIES: u32 = 4;
const LOCK_PAUSE: Duration = Duration::from_millis(1);

impl SideFile {
    /// Opens the file, or creates it. Returns `None` if the folder accepts no file, or if locks do
    /// not work.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be trusted or used.
    pub(crate) fn find_or_create(database: &str) -> Result<Option<Self>, LockFileError> {
        SideFile::find_with_retries(database, IfMissing::Create)
    }

    /// Opens the file if a run has created it. Reading creates nothing.
    ///
    /// # Errors
    ///
    /// Like [`SideFile::find_or_create`].
    pub(crate) fn find(database: &str) -> Result<Option<Self>, LockFileError> {
        SideFile::find_with_retries(database, IfMissing::Leave)
    }

    fn find_with_retries(
        database: &str,
        if_missing: IfMissing,
    ) -> Result<Option<Self>, LockFileError> {
        let mut tries = 1;
        loop {
            match SideFile::attempt(Path::new(database), if_missing) {
                Err(_) if tries < TRIES => tries += 1,
                end => return end,
            }
            thread::sleep(PAUSE);
        }
    }

    fn attempt(database: &Path, if_missing: IfMissing) -> Result<Option<Self>, LockFileError> {
        let name = path(database);
        // With another kind of storage, the main database is no file, and there is no folder for a
        // side file.
        let Ok(owner) = std::fs::metadata(database) else { return Ok(None) };
        let opened = match open::existing(&name, &owner)? {
            None if if_missing == IfMissing::Create => open::new(&name, &owner)?,
            None => Created::Impossible,
            Some(file) => Created::File(file),
        };
        let Created::File(mut file) = opened else { return Ok(None) };
        let Some(mut identity) = read_identity(&mut file, &name)? else { return Ok(None) };
        // If a process could neither lock the file nor see that it is locked, it would take every
        // holder for dead.
        match file.try_lock() {
            Ok(()) if identity == [0; 16] => identity = write_identity(&mut file, &name)?,
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(_)) => return Ok(None),
        }
        let _ = file.unlock();
        if identity == [0; 16] {
            return Err(LockFileError { path: name, kind: LockFileErrorKind::Empty });
        }
        Ok(Some(SideFile { file, identity, locked: false }))
    }

    /// Returns the identity of this database, which stays when its file is moved.
    pub(crate) fn identity(&self) -> String {
        let digits: String = self.identity.iter().map(|byte| format!("{byte:02x}")).collect();
        Checksum::of_text(&digits).to_string()
    }

    /// Acquires the lock, without waiting for another run.
    pub(crate) fn try_lock(&mut self) -> bool {
        self.locked = self.locked || retry(|| self.file.try_lock().is_ok());
        self.locked
    }

    pub(crate) fn unlock(&mut self) {
        if self.locked {
            self.locked = self.file.unlock().is_err();
        }
    }

    pub(crate) fn is_held_by_others(&mut self) -> bool {
        if self.locked {
            return false;
        }
        // A shared lock: two processes that check at the same time do not take each other for a
        // holder.
        let free = retry(|| self.file.try_lock_shared().is_ok());
        if free {
            let _ = self.file.unlock();
        }
        !free
    }
}

fn path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".jetbase-lock");
    name.into()
}

/// Tries a few times, because a process that only checks also holds the lock for an instant.
fn retry(attempt: impl Fn() -> bool) -> bool {
    (1..LOCK_TRIES).any(|_| {
        let done = attempt();
        if !done {
            thread::sleep(LOCK_PAUSE);
        }
        done
    }) || attempt()
}

/// Returns the identity in the file: zeros if none is written, `None` if it cannot be read.
fn read_identity(file: &mut File, name: &Path) -> Result<Option<[u8; 16]>, LockFileError> {
    match read(file) {
        Ok(identity) => Ok(Some(identity)),
        // On Windows, no process can read what another one has locked.
        Err(_) if cfg!(windows) => Ok(None),
        Err(error) => Err(refused("read", name, &error)),
    }
}

/// Writes an identity into the file, which this process has locked, unless it has one by now.
fn write_identity(file: &mut File, name: &Path) -> Result<[u8; 16], LockFileError> {
    let found = read(file).map_err(|error| refused("read", name, &error))?;
    if found != [0; 16] {
        return Ok(found);
    }
    let fresh = *uuid::Uuid::new_v4().as_bytes();
    write(file, &fresh).map_err(|error| refused("written", name, &error))?;
    Ok(fresh)
}

fn read(file: &mut File) -> io::Result<[u8; 16]> {
    let mut identity = [0; 16];
    file.rewind()?;
    match file.read_exact(&mut identity) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok([0; 16]),
        end => end.map(|()| identity),
    }
}

fn write(file: &mut File, identity: &[u8; 16]) -> io::Result<()> {
    // A part that an interrupted attempt has left would become part of the identity.
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(identity)
}
