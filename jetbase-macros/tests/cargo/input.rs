//! Unusual folders: each is embedded or is a compile error, and no build hangs.

use std::fs;
use std::path::Path;

use jetbase_core::SumFile;

use crate::project::{CargoProject, ChangeTracking, MAIN};

/// A folder: its name, how it is created, whether it can be embedded, and texts of the output.
type FolderCase = (&'static str, fn(&CargoProject), bool, &'static [&'static str]);

const CASES: [FolderCase; 9] = [
    ("without a file", empty, true, &["the folder contains no migration", "add the first one"]),
    (
        "a file instead of a folder",
        replaced,
        false,
        &["this is a file, not a folder of migrations"],
    ),
    (
        "missing",
        missing,
        false,
        &["there is no such folder", "create the folder, or give the path of another one"],
    ),
    ("5 MB", large, true, &[]),
    ("10 000 files", many, true, &[]),
    ("CR and CRLF", line_ends, true, &[]),
    (
        "a list with a conflict",
        conflict_in_the_list,
        false,
        &[
            "a merge conflict is not resolved",
            "--> migrations.sum:3:1",
            "delete the three conflict markers",
        ],
    ),
    (
        "a file with a conflict",
        |it| it.write("V3__c.sql", "SELECT\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> b\n;\n"),
        false,
        &["a merge conflict is not resolved", "--> migrations/V3__c.sql:2:1"],
    ),
    (
        "a list without its folder",
        |it| {
            it.record();
            missing(it);
        },
        false,
        &["there is no such folder"],
    ),
];

fn empty(project: &CargoProject) {
    project.delete("V1__a.sql");
    project.delete("V2__b.sql");
}

fn missing(project: &CargoProject) {
    fs::remove_dir_all(project.folder()).unwrap();
}

fn replaced(project: &CargoProject) {
    missing(project);
    project.put("migrations", "SELECT 1;\n");
}

fn large(project: &CargoProject) {
    let row = "INSERT INTO t VALUES (1, 'a text with some length');\n";
    project.write("V3__large.sql", &row.repeat(5_000_000 / row.len()));
}

fn many(project: &CargoProject) {
    for version in 3..=10_000 {
        project.write(&format!("V{version}__x.sql"), &format!("SELECT {version};\n"));
    }
}

fn line_ends(project: &CargoProject) {
    project.write("V3__crlf.sql", "SELECT 3;\r\n-- rollback\r\nSELECT 'a\r\nb';\r\n");
    project.write("V4__cr.sql", "SELECT 4;\r-- rollback\rSELECT 5;\r");
    project.record();
}

fn conflict_in_the_list(project: &CargoProject) {
    project.record();
    let path = SumFile::path(&project.folder());
    let list = fs::read_to_string(&path).unwrap();
    let list = list.replacen("V2", "<<<<<<< ours\nV2", 1) + "=======\n>>>>>>> theirs\n";
    fs::write(path, list).unwrap();
}

/// Builds the cases one after the other.
fn build(name: &str, cases: &[FolderCase]) {
    let dir = tempfile::tempdir().unwrap();
    let project = CargoProject::new(dir.path().to_path_buf(), name, ChangeTracking::FilesOnly);
    for (case, prepare, is_embedded, texts) in cases {
        drop(fs::remove_file(project.folder()));
        project.reset();
        prepare(&project);
        // A changed source file makes cargo build again.
        project.put("src/main.rs", MAIN);
        let (success, _, text) = project.cargo(&["build"]);
        assert_eq!(success, *is_embedded, "{case}: {text}");
        for part in *texts {
            assert!(text.contains(part), "{case}: {part}: {text}");
        }
        let has_output = !text.is_empty();
        assert!(has_output != texts.is_empty() && !text.contains("panicked"), "{case}: {text}");
        if success {
            assert_eq!(project.embedded(), project.folder_contents(), "{case}");
        }
    }
}

#[test]
fn an_unusual_folder_is_embedded_or_is_an_error() {
    build("input", &CASES);
}

#[cfg(unix)]
#[test]
fn an_unusual_file_is_embedded_or_is_an_error() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    fn link(project: &CargoProject, to: &str, name: &str) {
        symlink(to, project.folder().join(name)).unwrap();
    }

    fn pipe(path: &Path) {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    /// A file that this user cannot read. Root can read every file, so it gets one that the kernel
    /// refuses to read.
    fn unreadable(project: &CargoProject) {
        let path = project.folder().join("V3__c.sql");
        fs::write(&path, "SELECT 3;\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        if cfg!(target_os = "linux") && fs::read(&path).is_ok() {
            fs::remove_file(&path).unwrap();
            link(project, "/proc/self/mem", "V3__c.sql");
        }
        assert!(fs::read(&path).is_err(), "no file is unreadable to this user");
    }

    let cases: [FolderCase; 9] = [
        (
            "unreadable",
            unreadable,
            false,
            &["this file cannot be read: ", "make the file readable"],
        ),
        (
            "dangling",
            |it| link(it, "nowhere", "V3__c.sql"),
            false,
            &["the target of this link cannot be found"],
        ),
        (
            "circular",
            |it| link(it, "V3__c.sql", "V3__c.sql"),
            false,
            &["the target of this link cannot be found"],
        ),
        ("link to a file", |it| link(it, "../src/../migrations/V1__a.sql", "V3__c.sql"), true, &[]),
        ("link to the folder itself", |it| link(it, ".", "again"), true, &[]),
        (
            "link to a folder",
            |it| link(it, "..", "V3__c.sql"),
            false,
            &["this is a link to a folder, not a file"],
        ),
        (
            "a name that is not UTF-8",
            |it| {
                fs::write(it.folder().join(OsStr::from_bytes(b"V3__\xfc.sql")), "SELECT 3;\n")
                    .unwrap()
            },
            false,
            &["the name of this file is not UTF-8", "rename it"],
        ),
        (
            "pipe",
            |it| pipe(&it.folder().join("V3__c.sql")),
            false,
            &["this is a pipe, a socket or a device, not a file", "--> migrations/V3__c.sql"],
        ),
        (
            "a pipe instead of a list",
            |it| pipe(&SumFile::path(&it.folder())),
            false,
            &["the list of recorded migrations is not a file", "--> migrations.sum"],
        ),
    ];
    build("unusual-files", &cases);
}
