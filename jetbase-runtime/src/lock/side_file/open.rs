//! Opening the side file: no link is followed, nothing is waited for, and its owner is checked.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

/// What came of making the file.
#[derive(Debug)]
pub(super) enum Made {
    File(File),
    /// The folder takes no file.
    Impossible,
}

/// Opens the file if it is there; `database` is what is known of the database's own file.
pub(super) fn existing(name: &Path, database: &Metadata) -> Result<Option<File>, String> {
    // The look before opens nothing that would wait, such as a pipe, or do something, such as a device.
    match fs::symlink_metadata(name) {
        Ok(found) => check(name, &found, database)?,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(cannot("examined", name, &error)),
    }
    let mut options = OpenOptions::new();
    careful(options.read(true).write(true), database);
    let opened = options.open(name).or_else(|error| match error.kind() {
        // A lock needs no right to write.
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            options.write(false).open(name)
        }
        _ => Err(error),
    });
    let file = opened.map_err(|error| cannot("opened", name, &error))?;
    // The look was at a name, which may mean another file by now.
    let found = file.metadata().map_err(|error| cannot("examined", name, &error))?;
    check(name, &found, database)?;
    Ok(Some(file))
}

/// Makes the file, for the same users as the database.
pub(super) fn new(name: &Path, database: &Metadata) -> Result<Made, String> {
    let mut options = OpenOptions::new();
    careful(options.read(true).write(true).create_new(true), database);
    match options.open(name) {
        Ok(file) => {
            share(&file, database);
            Ok(Made::File(file))
        }
        Err(error) if is_impossible(&error) => Ok(Made::Impossible),
        Err(error) => Err(cannot("made", name, &error)),
    }
}

/// An operation on the file that the system has refused.
pub(super) fn cannot(be: &str, name: &Path, error: &io::Error) -> String {
    let text = error.to_string();
    let reason = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
    format!(
        "the lock file {} cannot be {be}: {reason}; \
         mend that, or remove the file while no run is in work, and run again",
        name.display()
    )
}

/// Whether there is no such file.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename
    )
}

/// Whether the folder takes no file of this name from us.
fn is_impossible(error: &io::Error) -> bool {
    let closed = [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem];
    is_absent(error) || closed.contains(&error.kind())
}

/// Refuses everything that is not one plain file of somebody who is trusted with the database.
fn check(name: &Path, found: &Metadata, database: &Metadata) -> Result<(), String> {
    let why = match kind(found) {
        Some(kind) => format!("is {kind}"),
        None => match distrust(found, database) {
            Some(why) => why,
            None => return Ok(()),
        },
    };
    Err(format!(
        "the lock file {} {why}; remove it while no run is in work, and run again",
        name.display()
    ))
}

/// What the file is, unless it is a plain one.
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
fn careful(options: &mut OpenOptions, database: &Metadata) {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    // For its owner alone, until it has the owner and the group of the database.
    options.mode(database.mode() & 0o600);
}

/// Why the file is not trusted: who may write to the database may own it, and nobody else.
#[cfg(unix)]
fn distrust(found: &Metadata, database: &Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    if found.nlink() > 1 {
        return Some(format!("has {} names (hard links)", found.nlink()));
    }
    let owner = found.uid();
    let trusted = owner == 0
        || owner == database.uid()
        || database.mode() & 0o002 != 0
        || (database.mode() & 0o020 != 0 && found.gid() == database.gid())
        || own_user().is_some_and(|own| own == owner);
    (!trusted).then(|| format!("belongs to user {owner}, who may not write to the database"))
}

/// Gives a new file the users of the database, as SQLite does with its own files.
#[cfg(unix)]
fn share(file: &File, database: &Metadata) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let owner = (own_user() == Some(0)).then(|| database.uid());
    // Where owner, group or rights cannot be given, whom that shuts out is told when it comes.
    let _ = fchown(file, owner, Some(database.gid()));
    let _ = file.set_permissions(fs::Permissions::from_mode(database.mode() & 0o666));
}

/// The user as whom this process works with files: the owner of what it makes.
#[cfg(unix)]
fn own_user() -> Option<u32> {
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::MetadataExt;
    let (made, _) = io::pipe().ok()?;
    File::from(OwnedFd::from(made)).metadata().ok().map(|made| made.uid())
}

#[cfg(not(unix))]
fn special(_: fs::FileType) -> &'static str {
    "no plain file"
}

#[cfg(not(unix))]
fn careful(_: &mut OpenOptions, _: &Metadata) {}

#[cfg(not(unix))]
fn distrust(_: &Metadata, _: &Metadata) -> Option<String> {
    None
}

#[cfg(not(unix))]
fn share(_: &File, _: &Metadata) {}
