//! How often a text is lexed when a folder is checked.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use jetbase_core::{
    Dialect, Folder, OutOfOrder, Rules, Script, Section, SumFile, check_folder, lexed_bytes,
};

/// One line a statement, so the Python tool sends the same text.
const LINES: &str = "CREATE TABLE a (id INT, b TEXT DEFAULT 'x');\nALTER TABLE a ADD c INT DEFAULT 1;\n\
                     INSERT INTO a VALUES (1, 'it''s', lower('A'));\n-- rollback\nDROP TABLE a;\n";

/// The Python tool joins these lines by blanks.
const JOINED: &str = "CREATE TABLE b (\n    id INT,\n    c TEXT\n);\n-- rollback\nDROP TABLE b;\n";

fn write(folder: &Path, text: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("V1__a.sql"), text).unwrap();
}

/// The bytes that one check of a folder lexes.
fn lexed_by(folder: &Path, rules: &Rules, findings: usize) -> usize {
    let before = lexed_bytes();
    let found = check_folder(folder, rules).findings;
    assert_eq!(found.len(), findings, "{found:?}");
    lexed_bytes() - before
}

/// The bytes of both sections.
fn sections(text: &str) -> usize {
    let script = Script::read(text);
    script.section(Section::Upgrade).len() + script.section(Section::Rollback).len()
}

#[test]
fn each_section_is_lexed_once() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("m");
    write(&folder, LINES);
    for recorded in [false, true] {
        for dialect in [None].into_iter().chain(Dialect::ALL.map(Some)) {
            for python_compatible in [false, true] {
                let rules = Rules { dialect, python_compatible, ..Rules::default() };
                let lexed = lexed_by(&folder, &rules, 0);
                assert_eq!(lexed, sections(LINES), "{rules:?}, recorded: {recorded}");
            }
        }
        let list = SumFile::new(&folder);
        let list = list.record(&Folder::read(&folder), &[], OutOfOrder::Refuse).unwrap();
        list.write(&folder).unwrap();
    }
}

#[test]
fn the_text_that_the_python_tool_sends_is_lexed_once_too() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), JOINED);
    let joined = Script::read(JOINED).python_statements(Section::Upgrade).concat();
    for dialect in [None].into_iter().chain(Dialect::ALL.map(Some)) {
        let rules = Rules { dialect, python_compatible: true, ..Rules::default() };
        let lexed = lexed_by(dir.path(), &rules, 0);
        assert_eq!(lexed, sections(JOINED) + joined.len(), "{dialect:?}");
    }
}

#[test]
fn a_section_with_a_mistake_is_lexed_once_for_each_dialect() {
    let dir = tempfile::tempdir().unwrap();
    let text = "UPDATE t SET a = 1;\n-- rollback\nSELECT 1;\n";
    write(dir.path(), text);
    let rollback = Script::read(text).section(Section::Rollback).len();
    let upgrade = sections(text) - rollback;
    let lexed = lexed_by(dir.path(), &Rules::default(), 1);
    assert_eq!(lexed, Dialect::ALL.len() * upgrade + rollback);
}
