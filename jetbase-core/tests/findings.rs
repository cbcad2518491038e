//! Every mistake in a folder, in the words that the user reads.
//!
//! One folder of `tests/fixtures` is one mistake; its list stands beside it.
//! The UI tests of the macro use the same folders.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use jetbase_core::{Dialect, Manifest, Rules, check_folder};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

/// What is demanded of a fixture; most are proved without demands.
fn rules(fixture: &str) -> Rules {
    let postgres = Rules { dialect: Some(Dialect::Postgres), ..Rules::default() };
    match fixture {
        "needs-no-transaction" | "open-dollar-quote" => postgres,
        "lint-index-concurrently" | "lint-constraint-not-valid" | "lint-session-set" => postgres,
        "standard-conforming-strings" => postgres,
        "charset" | "executable-comment" | "sql-mode" => {
            Rules { dialect: Some(Dialect::MySql), ..Rules::default() }
        }
        "no-rollback" => Rules { require_rollback: true, ..Rules::default() },
        "python" => Rules { python_compatible: true, ..postgres },
        "python-mysql" | "python-sqlite" => {
            let dialect = match fixture {
                "python-mysql" => Dialect::MySql,
                _ => Dialect::Sqlite,
            };
            Rules { dialect: Some(dialect), python_compatible: true, ..Rules::default() }
        }
        "missing-list" | "empty" => Rules { manifest: Manifest::Required, ..Rules::default() },
        "unrecorded" => Rules { manifest: Manifest::Strict, ..Rules::default() },
        _ => Rules::default(),
    }
}

fn told(folder: &Path, shown: &str, rules: &Rules) -> String {
    let proof = check_folder(folder, rules);
    let findings: Vec<_> = proof
        .findings
        .iter()
        .map(|finding| {
            format!("{}[{}]: {}\n", finding.severity, finding.rule, finding.render(shown))
        })
        .collect();
    if findings.is_empty() { "nothing\n".to_owned() } else { findings.join("\n") }
}

#[test]
fn every_fixture_is_told_as_recorded() {
    let mut names: Vec<_> = fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".sum"))
        .chain(["nowhere".to_owned()])
        .collect();
    names.sort();
    for name in names {
        let text = told(&fixtures().join(&name), &name, &rules(&name));
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, text);
        });
    }
}

#[test]
fn names_and_links_that_cannot_be_committed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("m");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("V1__fine.sql"), "SELECT 1;\r\nSELECT 2;\r").unwrap();
    #[cfg(unix)]
    {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::fs::symlink;
        fs::write(folder.join(OsStr::from_bytes(b"V2__m\xfcller.sql")), "SELECT 1;\n").unwrap();
        fs::write(folder.join("V3__a\nb.sql"), "SELECT 1;\n").unwrap();
        symlink("nowhere.sql", folder.join("V4__dangling.sql")).unwrap();
        symlink("V5__circle.sql", folder.join("V5__circle.sql")).unwrap();
        symlink("V1__fine.sql", folder.join("V6__link.sql")).unwrap();
        symlink("..", folder.join("up")).unwrap();
        symlink("..", folder.join("V7__folder.sql")).unwrap();
        symlink("/dev/zero", folder.join("V8__device.sql")).unwrap();
        // A socket stands for all that is no file: there is no pipe in the standard library.
        drop(std::os::unix::net::UnixListener::bind(folder.join("V9__socket.sql")).unwrap());
        insta::assert_snapshot!(told(&folder, "m", &Rules::default()));
    }
}

#[test]
fn a_list_that_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("m");
    fs::create_dir(&folder).unwrap();
    fs::create_dir(dir.path().join("m.sum")).unwrap();
    insta::assert_snapshot!(told(&folder, "m", &Rules::default()));
}

#[test]
fn a_large_file_is_no_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let row = "INSERT INTO t VALUES (1, 'a text with some length');\n";
    fs::write(dir.path().join("V1__data.sql"), row.repeat(5_000_000 / row.len())).unwrap();
    assert_eq!(told(dir.path(), "m", &Rules::default()), "nothing\n");
}

#[test]
fn a_file_full_of_mistakes_is_told_in_short() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("V1__dump.sql"), "BEGIN;\nUPDATE t SET a = ':x';\n".repeat(5_000))
        .unwrap();
    let rules = Rules { python_compatible: true, ..Rules::default() };
    let findings = check_folder(dir.path(), &rules).findings;
    let count = |rule| findings.iter().filter(|finding| finding.rule == rule).count();
    assert_eq!((count("transaction-control"), count("no-where"), count("python")), (20, 20, 20));
}

/// Each would take minutes, if every part of it were looked up in the rest.
#[test]
fn long_files_are_proved_in_one_walk() {
    let size = 300_000;
    let many = |text: &str| text.repeat(size / text.len());
    let nested: String = (0..6_000).map(|at| format!("AS $a{at}$ ")).collect();
    let closed: String = (0..6_000).rev().map(|at| format!("$a{at}$ ")).collect();
    let statement = "INSERT INTO users VALUES (1);\n";
    for text in [
        format!("-- jetbase: allow={}\n{statement}", many("x,")),
        format!(
            "-- jetbase: allow={}\n{}",
            many("no-where,"),
            "DELETE FROM users;\n".repeat(6_000)
        ),
        format!("{}{statement}", many("-- jetbase: allow=x\n")),
        format!("-- jetbase: {}=1\n{statement}", many("x")),
        format!("{}{statement}", many("-- jetbase: x=1\n")),
        format!("SELECT 1{}\n, '\n';\n", many("--1")),
        format!("SELECT 1 {}\n, '\n';\n", many("/* */")),
        format!("SELECT {nested}{closed};\n"),
        many("SET sql_mode = @x; SELECT @y, 'a;b';\n"),
        many("SELECT f(';') /*!80000 + 1 */;\n"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("V1__long.sql"), text).unwrap();
        for dialect in [None, Some(Dialect::MySql), Some(Dialect::Postgres)] {
            let rules = Rules { dialect, python_compatible: true, ..Rules::default() };
            let findings = check_folder(dir.path(), &rules).findings;
            assert!(findings.len() <= 100, "{}", findings.len());
        }
    }
}
