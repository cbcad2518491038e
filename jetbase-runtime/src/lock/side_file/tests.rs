#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::*;

/// A folder with a database file. No test reads it with SQLite.
struct DatabaseFile {
    folder: TempDir,
    database: String,
    side: PathBuf,
}

fn database_file() -> DatabaseFile {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("x.db").display().to_string();
    fs::write(&database, "").unwrap();
    let side = path(Path::new(&database));
    DatabaseFile { folder, database, side }
}

fn find_or_create(file: &DatabaseFile) -> SideFile {
    SideFile::find_or_create(&file.database).unwrap().unwrap()
}

fn refusal(file: &DatabaseFile) -> String {
    let error = SideFile::find_or_create(&file.database).unwrap_err();
    assert_eq!(SideFile::find(&file.database).unwrap_err(), error);
    error.to_string()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn are_we_root(file: &DatabaseFile) -> bool {
    fs::metadata(&file.database).unwrap().uid() == 0
}

#[test]
fn all_who_open_the_file_share_one_identity_and_one_lock() {
    let file = database_file();
    assert!(SideFile::find(&file.database).unwrap().is_none());
    let (mut first, mut second) = (find_or_create(&file), find_or_create(&file));
    assert_eq!(first.identity(), second.identity());
    assert!(first.try_lock() && !second.try_lock());
    assert!(second.is_held_by_others() && !first.is_held_by_others());
    first.unlock();
    assert!(!second.is_held_by_others() && second.try_lock());
}

#[test]
fn two_that_check_the_lock_do_not_take_each_other_for_a_holder() {
    let file = database_file();
    let mut asking = find_or_create(&file);
    let other = find_or_create(&file);
    other.file.try_lock_shared().unwrap();
    assert!(!asking.is_held_by_others());
}

/// Creates something under the name of the side file.
type CreateSideFile<'a> = &'a dyn Fn(&Path);

#[test]
fn only_a_plain_file_is_accepted() {
    let target = tempfile::NamedTempFile::new().unwrap();
    let kinds: [(&str, CreateSideFile<'_>); 6] = [
        ("is a symbolic link", &|side| symlink(target.path(), side).unwrap()),
        ("is a symbolic link", &|side| symlink("nowhere", side).unwrap()),
        ("is a directory", &|side| fs::create_dir(side).unwrap()),
        ("is a named pipe", &|side| {
            assert!(Command::new("mkfifo").arg(side).status().unwrap().success());
        }),
        ("is a socket", &|side| drop(std::os::unix::net::UnixListener::bind(side).unwrap())),
        ("has 2 names (hard links)", &|side| fs::hard_link(target.path(), side).unwrap()),
    ];
    for (why, create) in kinds {
        let file = database_file();
        create(&file.side);
        let error = refusal(&file);
        let name = file.side.display();
        assert_eq!(
            error,
            format!("the lock file {name} {why}; remove it while no run is active, and run again")
        );
    }
    assert_eq!(fs::read(target.path()).unwrap(), b"", "a link was followed");
}

#[test]
fn nothing_is_created_behind_a_link() {
    let file = database_file();
    let behind = file.side.with_file_name("behind");
    symlink(&behind, &file.side).unwrap();
    refusal(&file);
    assert!(!behind.exists());
}

#[test]
fn a_stranger_may_own_the_file_only_where_strangers_may_write_to_the_database() {
    let file = database_file();
    if !are_we_root(&file) {
        return;
    }
    find_or_create(&file);
    chown(&file.side, Some(4321), Some(4321)).unwrap();
    assert!(refusal(&file).contains(" belongs to user 4321, who may not write to the database;"));
    for (owner, group, rights) in [(4321, 0, 0o644), (0, 4321, 0o664), (0, 0, 0o666)] {
        chown(&file.database, Some(owner), Some(group)).unwrap();
        fs::set_permissions(&file.database, Permissions::from_mode(rights)).unwrap();
        find_or_create(&file);
    }
    fs::set_permissions(&file.database, Permissions::from_mode(0o664)).unwrap();
    assert!(refusal(&file).contains(" belongs to user 4321"));
}

#[test]
fn a_new_file_has_the_users_of_its_database() {
    for rights in [0o600, 0o640, 0o664, 0o666, 0o777] {
        let file = database_file();
        fs::set_permissions(&file.database, Permissions::from_mode(rights)).unwrap();
        let root = are_we_root(&file);
        if root {
            chown(&file.database, Some(4321), Some(4322)).unwrap();
        }
        find_or_create(&file);
        assert_eq!(mode(&file.side), rights & 0o666);
        let (found, database) =
            (fs::metadata(&file.side).unwrap(), fs::metadata(&file.database).unwrap());
        assert_eq!((found.uid(), found.gid()), (database.uid(), database.gid()), "root: {root}");
    }
}

#[test]
fn the_right_to_read_is_enough_for_the_lock() {
    let file = database_file();
    let mut writer = find_or_create(&file);
    fs::set_permissions(&file.side, Permissions::from_mode(0o444)).unwrap();
    // Root can open it for writing anyway.
    let mut other = find_or_create(&file);
    assert!(other.try_lock() && writer.is_held_by_others());
    other.unlock();
    let reader = File::open(&file.side).unwrap();
    let mut reader = SideFile { file: reader, identity: writer.identity, locked: false };
    assert!(reader.try_lock() && writer.is_held_by_others());
}

#[test]
fn a_file_that_may_not_be_read_is_an_error() {
    let file = database_file();
    find_or_create(&file);
    fs::set_permissions(&file.side, Permissions::from_mode(0o000)).unwrap();
    if !are_we_root(&file) {
        assert!(refusal(&file).contains(" cannot be opened: permission denied; correct that, or"));
    }
}

#[test]
fn a_folder_that_accepts_no_file_is_no_error() {
    let file = database_file();
    let folder = file.folder.path();
    fs::set_permissions(folder, Permissions::from_mode(0o555)).unwrap();
    if !are_we_root(&file) {
        assert!(SideFile::find_or_create(&file.database).unwrap().is_none());
    }
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_file_without_a_whole_identity_gets_one() {
    for left in [&b""[..], b"half", &[0; 16], &[0; 40]] {
        let file = database_file();
        fs::write(&file.side, left).unwrap();
        let first = find_or_create(&file);
        assert_eq!(fs::read(&file.side).unwrap(), first.identity);
        assert_eq!(find_or_create(&file).identity, first.identity);
    }
}

#[test]
fn an_empty_file_that_another_process_locks_is_an_error() {
    let file = database_file();
    let locked = File::create(&file.side).unwrap();
    locked.lock().unwrap();
    assert!(refusal(&file).ends_with("end that process or remove the file, and run again"));
}

#[test]
fn no_file_is_created_without_a_database_or_for_a_name_that_is_too_long() {
    let file = database_file();
    let none = |database: &str| SideFile::find_or_create(database).unwrap().is_none();
    assert!(none("/x-of-a-database-in-memory"));
    assert!(none(""));
    let long = PathBuf::from(&file.database).with_file_name("x".repeat(250));
    fs::write(&long, "").unwrap();
    assert!(none(&long.display().to_string()));
}

#[test]
fn many_that_start_at_once_agree_on_one_identity() {
    let file = database_file();
    let identities: Vec<_> = thread::scope(|scope| {
        let started: Vec<_> =
            (0..16).map(|_| scope.spawn(|| find_or_create(&file).identity)).collect();
        started.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert!(identities.iter().all(|it| it == &identities[0]), "{identities:?}");
}
