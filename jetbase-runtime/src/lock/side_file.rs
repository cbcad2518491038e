//! The file beside an SQLite database whose lock proves that a run lives.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};

use jetbase_core::Checksum;

/// `<database>.jetbase-lock`: never deleted, because a lock on a deleted file excludes nobody.
#[derive(Debug)]
pub(crate) struct SideFile {
    file: File,
    identity: [u8; 16],
    locked: bool,
}

impl SideFile {
    /// Opens the file, or makes it; `None` where that, or locking, is impossible.
    pub(crate) fn open(database: &str) -> Option<Self> {
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
        let mut file = options.open(path(database)).ok()?;
        let mut identity = [0; 16];
        if file.read_exact(&mut identity).is_err() {
            // Only the holder may write; who comes second reads what the first has written.
            let locked = file.try_lock().is_ok();
            if !locked {
                return None;
            }
            identity = *uuid::Uuid::new_v4().as_bytes();
            file.write_all(&identity).ok()?;
            file.unlock().ok()?;
        }
        Some(SideFile { file, identity, locked: false })
    }

    /// Opens the file if a run has made it: a look makes nothing.
    pub(crate) fn open_existing(database: &str) -> Option<Self> {
        std::fs::exists(path(database)).unwrap_or(false).then(|| SideFile::open(database)).flatten()
    }

    /// What tells this database from others, wherever its file is moved.
    pub(crate) fn identity(&self) -> String {
        let digits: String = self.identity.iter().map(|byte| format!("{byte:02x}")).collect();
        Checksum::of_text(&digits).to_string()
    }

    /// Takes the lock, without waiting.
    pub(crate) fn try_lock(&mut self) -> bool {
        self.locked = self.locked || self.file.try_lock().is_ok();
        self.locked
    }

    /// Gives the lock back.
    pub(crate) fn unlock(&mut self) {
        if self.locked {
            self.locked = self.file.unlock().is_err();
        }
    }

    /// Whether another run holds the lock.
    pub(crate) fn is_held_by_others(&mut self) -> bool {
        if self.locked {
            return false;
        }
        let free = self.try_lock();
        self.unlock();
        !free
    }
}

fn path(database: &str) -> String {
    format!("{database}.jetbase-lock")
}
