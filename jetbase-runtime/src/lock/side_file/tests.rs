#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;

/// A folder with a database file. No test reads it with SQLite.
struct Place {
    folder: TempDir,
    database: String,
    side: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("x.db").display().to_string();
    fs::write(&database, "").unwrap();
    let side = path(Path::new(&database));
    Place { folder, database, side }
}

fn made(place: &Place) -> SideFile {
    SideFile::find_or_make(&place.database).unwrap().unwrap()
}

fn refusal(place: &Place) -> String {
    let began = Instant::now();
    let making = SideFile::find_or_make(&place.database).unwrap_err();
    assert_eq!(SideFile::find(&place.database).unwrap_err(), making);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    making.to_string()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn are_we_root(place: &Place) -> bool {
    fs::metadata(&place.database).unwrap().uid() == 0
}

#[test]
fn one_identity_and_one_lock_for_all_who_open_it() {
    let place = place();
    assert!(SideFile::find(&place.database).unwrap().is_none());
    let (mut first, mut second) = (made(&place), made(&place));
    assert_eq!(first.identity(), second.identity());
    assert!(first.try_lock() && !second.try_lock());
    assert!(second.is_held_by_others() && !first.is_held_by_others());
    first.unlock();
    assert!(!second.is_held_by_others() && second.try_lock());
}

#[test]
fn two_who_ask_do_not_take_each_other_for_a_holder() {
    let place = place();
    let mut asking = made(&place);
    let other = made(&place);
    other.file.try_lock_shared().unwrap();
    assert!(!asking.is_held_by_others());
}

/// Creates something under the name of the side file.
type Plant<'a> = &'a dyn Fn(&Path);

#[test]
fn what_is_no_plain_file_is_refused_at_once() {
    let target = tempfile::NamedTempFile::new().unwrap();
    let kinds: [(&str, Plant<'_>); 6] = [
        ("is a symbolic link", &|side| symlink(target.path(), side).unwrap()),
        ("is a symbolic link", &|side| symlink("nowhere", side).unwrap()),
        ("is a directory", &|side| fs::create_dir(side).unwrap()),
        ("is a named pipe", &|side| {
            assert!(Command::new("mkfifo").arg(side).status().unwrap().success());
        }),
        ("is a socket", &|side| drop(std::os::unix::net::UnixListener::bind(side).unwrap())),
        ("has 2 names (hard links)", &|side| fs::hard_link(target.path(), side).unwrap()),
    ];
    for (why, plant) in kinds {
        let place = place();
        plant(&place.side);
        let told = refusal(&place);
        let name = place.side.display();
        assert_eq!(
            told,
            format!("the lock file {name} {why}; remove it while no run is active, and run again")
        );
    }
    assert_eq!(fs::read(target.path()).unwrap(), b"", "a link was followed");
}

#[test]
fn nothing_is_made_behind_a_link() {
    let place = place();
    let behind = place.side.with_file_name("behind");
    symlink(&behind, &place.side).unwrap();
    refusal(&place);
    assert!(!behind.exists());
}

#[test]
fn a_stranger_may_own_the_file_only_where_strangers_may_write_to_the_database() {
    let place = place();
    if !are_we_root(&place) {
        return;
    }
    made(&place);
    chown(&place.side, Some(4321), Some(4321)).unwrap();
    assert!(refusal(&place).contains(" belongs to user 4321, who may not write to the database;"));
    for (owner, group, rights) in [(4321, 0, 0o644), (0, 4321, 0o664), (0, 0, 0o666)] {
        chown(&place.database, Some(owner), Some(group)).unwrap();
        fs::set_permissions(&place.database, Permissions::from_mode(rights)).unwrap();
        made(&place);
    }
    fs::set_permissions(&place.database, Permissions::from_mode(0o664)).unwrap();
    assert!(refusal(&place).contains(" belongs to user 4321"));
}

#[test]
fn a_new_file_has_the_users_of_its_database() {
    for rights in [0o600, 0o640, 0o664, 0o666, 0o777] {
        let place = place();
        fs::set_permissions(&place.database, Permissions::from_mode(rights)).unwrap();
        let root = are_we_root(&place);
        if root {
            chown(&place.database, Some(4321), Some(4322)).unwrap();
        }
        made(&place);
        assert_eq!(mode(&place.side), rights & 0o666);
        let (found, database) =
            (fs::metadata(&place.side).unwrap(), fs::metadata(&place.database).unwrap());
        assert_eq!((found.uid(), found.gid()), (database.uid(), database.gid()), "root: {root}");
    }
}

#[test]
fn the_right_to_read_is_enough_for_the_lock() {
    let place = place();
    let mut writer = made(&place);
    fs::set_permissions(&place.side, Permissions::from_mode(0o444)).unwrap();
    // Root can open it for writing anyway.
    let mut other = made(&place);
    assert!(other.try_lock() && writer.is_held_by_others());
    other.unlock();
    let reader = File::open(&place.side).unwrap();
    let mut reader = SideFile { file: reader, identity: writer.identity, locked: false };
    assert!(reader.try_lock() && writer.is_held_by_others());
}

#[test]
fn what_may_not_be_read_is_told() {
    let place = place();
    made(&place);
    fs::set_permissions(&place.side, Permissions::from_mode(0o000)).unwrap();
    if !are_we_root(&place) {
        assert!(refusal(&place).contains(" cannot be opened: permission denied; correct that, or"));
    }
}

#[test]
fn a_folder_that_takes_no_file_gives_no_proof_and_no_error() {
    let place = place();
    let folder = place.folder.path();
    fs::set_permissions(folder, Permissions::from_mode(0o555)).unwrap();
    if !are_we_root(&place) {
        assert!(SideFile::find_or_make(&place.database).unwrap().is_none());
    }
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_broken_start_is_made_good() {
    for left in [&b""[..], b"half", &[0; 16], &[0; 40]] {
        let place = place();
        fs::write(&place.side, left).unwrap();
        let first = made(&place);
        assert_eq!(fs::read(&place.side).unwrap(), first.identity);
        assert_eq!(made(&place).identity, first.identity);
    }
}

#[test]
fn an_empty_file_that_somebody_locks_is_told() {
    let place = place();
    let locked = File::create(&place.side).unwrap();
    locked.lock().unwrap();
    assert!(refusal(&place).ends_with("end that process or remove the file, and run again"));
}

#[test]
fn there_is_no_file_where_there_is_no_database_or_no_room_for_its_name() {
    let place = place();
    let none = |database: &str| SideFile::find_or_make(database).unwrap().is_none();
    assert!(none("/x-of-a-database-in-memory"));
    assert!(none(""));
    let long = PathBuf::from(&place.database).with_file_name("x".repeat(250));
    fs::write(&long, "").unwrap();
    assert!(none(&long.display().to_string()));
}

#[test]
fn many_who_start_at_once_agree_on_one_identity() {
    let place = place();
    let identities: Vec<_> = thread::scope(|scope| {
        let started: Vec<_> = (0..16).map(|_| scope.spawn(|| made(&place).identity)).collect();
        started.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert!(identities.iter().all(|it| it == &identities[0]), "{identities:?}");
}
