//! Which changes of a folder cargo notices.
//!
//! A program embeds a folder. Each case changes the folder and checks what the next `cargo run` has
//! embedded. The table also has the changes that cargo does not notice.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::project::{CargoProject, ChangeTracking, MAIN};

/// A change of the folder.
type FolderChange = fn(&CargoProject);

/// Whether the next build notices the change: with the files only, with a new list, with the build
/// script.
const TABLE: [(&str, FolderChange, [bool; 3]); 7] = [
    ("edit", |it| it.write("V2__b.sql", "SELECT 22;\n"), [true, true, true]),
    ("new file", |it| it.write("V3__c.sql", "SELECT 3;\n"), [false, true, true]),
    ("rename of an embedded file", |it| it.rename("V2__b.sql", "V2__bb.sql"), [true, true, true]),
    (
        "rename of a file not yet embedded",
        |it| {
            it.write("V3__c.sql", "SELECT 3;\n");
            it.rename("V3__c.sql", "V4__c.sql");
        },
        [false, true, true],
    ),
    ("delete", |it| it.delete("V2__b.sql"), [true, true, true]),
    (
        "new file with an old date",
        |it| it.write_dated("V3__c.sql", "SELECT 3;\n", long_ago()),
        [false, true, true],
    ),
    (
        "other content under the same date",
        |it| {
            let date = fs::metadata(it.folder().join("V2__b.sql")).unwrap().modified().unwrap();
            fs::create_dir_all(it.root.join("elsewhere")).unwrap();
            it.write_dated("../elsewhere/b.sql", "SELECT 22;\n", date);
            it.rename("../elsewhere/b.sql", "V2__b.sql");
        },
        [false, true, true],
    ),
];

fn long_ago() -> SystemTime {
    SystemTime::now() - Duration::from_secs(1_000_000)
}

#[test]
fn cargo_notices_changes_of_the_folder_as_the_table_says() {
    for (column, tracking) in
        [ChangeTracking::FilesOnly, ChangeTracking::List, ChangeTracking::BuildScript]
            .into_iter()
            .enumerate()
    {
        let dir = tempfile::tempdir().unwrap();
        let project = CargoProject::new(dir.path().to_path_buf(), "table", tracking);
        for (name, change, noticed) in TABLE {
            project.reset();
            if tracking == ChangeTracking::List {
                project.record();
            }
            // A changed source file makes cargo build again.
            project.put("src/main.rs", MAIN);
            assert_eq!(project.embedded(), project.folder_contents(), "{name}: before");
            // Cargo builds once more if a file was written at the time of the build.
            project.embedded();
            change(&project);
            if tracking == ChangeTracking::List {
                project.record();
            }
            let expected = noticed.get(column).copied().unwrap_or_default();
            assert_eq!(
                project.embedded() == project.folder_contents(),
                expected,
                "{name}, column {column}"
            );
        }
    }
}

#[test]
fn the_generated_test_and_a_changed_variable_notice_changes() {
    let dir = tempfile::tempdir().unwrap();
    let project = CargoProject::new(dir.path().to_path_buf(), "switch", ChangeTracking::FilesOnly);
    assert!(project.cargo(&["test"]).0);
    project.write("V3__c.sql", "SELECT 3;\n");
    let (success, text, _) = project.cargo(&["test"]);
    assert!(
        !success && text.contains("up to V2, the folder has V3__c.sql: cargo has not noticed"),
        "{text}"
    );
    project.put("src/main.rs", MAIN);
    assert!(project.cargo(&["test"]).0);
    project.write("V3__c.sql", "DROP TABLE a;\n");
    let (success, _, text) = project.cargo(&["build"]);
    assert!(success && text.contains("jetbase_drop_table"), "{text}");
    for (warnings, succeeds) in [("deny", false), ("", true)] {
        let (success, _, text) = project.cargo_with_warnings(warnings, &["build"]);
        assert_eq!(success, succeeds, "the variable causes a build: {text}");
    }
    std::fs::remove_dir_all(project.folder()).unwrap();
    let (success, _, text) = project.cargo(&["build"]);
    assert!(!success && text.contains("there is no such folder"), "{text}");
    assert_eq!(
        text.matches("error: ").count(),
        2,
        "jetbase's error and the last line of cargo: {text}"
    );
}
