//! Opens the side file: it follows no link, waits for nothing, and checks the owner.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::error::{LockFileError, LockFileErrorKind};

/// The result of creating the file.
#[derive(Debug)]
pub(super) enum Created {
    File(File),
    /// The folder accepts no file.
    Impossible,
}

/// Opens the file if it exists; `database` is the metadata of the database's own file.
pub(super) fn existing(name: &Path, database: &Metadata) -> Result<Option<File>, LockFileError> {
    // The check before the open avoids files that would block, such as a pipe, or act, such as a
    // device.
    match fs::symlink_metadata(name) {
        Ok(found) => check(name, &found, database)?,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(refused("examined", name, &error)),
    }
    let mut options = OpenOptions::new();
    set_safe_options(options.read(true).write(true), database);
    let opened = options.open(name).or_else(|error| match error.kind() {
        // A lock needs no write permission.
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            options.write(false).open(name)
        }
        _ => Err(error),
    });
    let file = opened.map_err(|error| refused("opened", name, &error))?;
    // The check used the name, which may refer to another file by now.
    let found = file.metadata().map_err(|error| refused("examined", name, &error))?;
    check(name, &found, database)?;
    Ok(Some(file))
}

/// Creates the file for the same users as the database.
pub(super) fn new(name: &Path, database: &Metadata) -> Result<Created, LockFileError> {
    let mut options = OpenOptions::new();
    set_safe_options(options.read(true).write(true).create_new(true), database);
    match options.open(name) {
        Ok(file) => {
            copy_permissions(&file, database);
            Ok(Created::File(file))
        }
        Err(error) if is_impossible(&error) => Ok(Created::Impossible),
        Err(error) => Err(refused("created", name, &error)),
    }
}

/// Returns the error of an operation that the system refused.
pub(super) fn refused(operation: &'static str, name: &Path, error: &io::Error) -> LockFileError {
    let text = error.to_string();
    let reason = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
    let kind = LockFileErrorKind::Refused { operation, reason };
    LockFileError { path: name.to_owned(), kind }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename
    )
}

/// Whether the folder does not let this process create the file.
fn is_impossible(error: &io::Error) -> bool {
    let closed = [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem];
    is_absent(error) || closed.contains(&error.kind())
}

/// Refuses everything except one plain file of an owner who is trusted with the database.
fn check(name: &Path, found: &Metadata, database: &Metadata) -> Result<(), LockFileError> {
    let not_plain = kind(found).map(|found| LockFileErrorKind::NotPlain { found });
    match not_plain.or_else(|| ownership_fault(found, database)) {
        Some(kind) => Err(LockFileError { path: name.to_owned(), kind }),
        None => Ok(()),
    }
}

/// Returns what kind of file it is, unless it is a plain one.
fn kind(found: &Metadata) -> Option<&'static str> {
    let kind = found.file_type();
    if kind.is_file() {
        return None;
    }
    Some(match kind {
        _ if kind.is_symlink() => "a symbolic link",
        _ if kind.is_dir() => "a directory",
        _ => special(kind),
    })
}

#[cfg(unix)]
fn special(kind: fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        _ if kind.is_fifo() => "a named pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(unix)]
fn set_safe_options(options: &mut OpenOptions, database: &Metadata) {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    // Only the owner has access until the file has the owner and the group of the database.
    options.mode(database.mode() & 0o600);
}

/// Returns why the file is not trusted. Only users who may write to the database may own it.
#[cfg(unix)]
fn ownership_fault(found: &Metadata, database: &Metadata) -> Option<LockFileErrorKind> {
    use std::os::unix::fs::MetadataExt;
    if found.nlink() > 1 {
        return Some(LockFileErrorKind::HardLinks { count: found.nlink() });
    }
    let owner = found.uid();
    let trusted = owner == 0
        || owner == database.uid()
        || database.mode() & 0o002 != 0
        || (database.mode() & 0o020 != 0 && found.gid() == database.gid())
        || file_system_user().is_some_and(|own| own == owner);
    (!trusted).then_some(LockFileErrorKind::Owner { user: owner })
}

/// Gives a new file the owner, group and permissions of the database, as SQLite does with its own
/// files.
#[cfg(unix)]
fn copy_permissions(file: &File, database: &Metadata) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let owner = (file_system_user() == Some(0)).then(|| database.uid());
    // If they cannot be set, users who are shut out get an error when they open the file.
    let _ = fchown(file, owner, Some(database.gid()));
    let _ = file.set_permissions(fs::Permissions::from_mode(database.mode() & 0o666));
}

/// Returns the user of this process on the file system: the owner of the files that it creates.
#[cfg(unix)]
fn file_system_user() -> Option<u32> {
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::MetadataExt;
    let (pipe, _) = io::pipe().ok()?;
    File::from(OwnedFd::from(pipe)).metadata().ok().map(|metadata| metadata.uid())
}

#[cfg(not(unix))]
fn special(_: fs::FileType) -> &'static str {
    "not a plain file"
}

#[cfg(not(unix))]
fn set_safe_options(_: &mut OpenOptions, _: &Metadata) {}

#[cfg(not(unix))]
fn ownership_fault(_: &Metadata, _: &Metadata) -> Option<LockFileErrorKind> {
    None
}

#[cfg(not(unix))]
fn copy_permissions(_: &File, _: &Metadata) {}
