//! How a plan finds the rows of the history that belong to the files of a set.

#![allow(clippy::unwrap_used, reason = "tests")]

use jetbase_core::{
    Folder, Goal, MigrationKind, Migrations, Options, Policy, Record, Until, Version, plan,
};
use proptest::prelude::*;

const FILES: [&str; 8] = [
    "V1__a.sql",
    "V1.5__b.sql",
    "V2.0__c.sql",
    "V10__d.sql",
    "V20260101.120000__e.sql",
    "RA__f.sql",
    "ROC__g.sql",
    "ROC__h.sql",
];

/// The set of these files. Each has the same text.
fn set(files: &[&str]) -> Migrations {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        std::fs::write(folder.path().join(file), "SELECT 1;\n").unwrap();
    }
    Migrations::load(Folder::read(folder.path()).files, Options::NONE)
}

/// The row of a file. Its checksum is that of the file, unless the row is of another text.
fn row(set: &Migrations, file: &str, is_changed: bool) -> Record {
    let migration = set.iter().find(|it| it.file() == file).unwrap();
    let checksum = migration.checksum().to_string();
    Record {
        order: 1,
        version: migration.version(),
        description: String::new(),
        file: file.to_owned(),
        kind: migration.kind(),
        applied_at: String::new(),
        checksum: if is_changed { checksum.replace(['0', '1', '2', '3'], "f") } else { checksum },
    }
}

/// The plan of an upgrade, or its problems.
fn upgrade(set: &Migrations, history: &[Record]) -> String {
    match plan(set, history, &Goal::Upgrade(Until::End), &Policy::default()) {
        Ok(plan) => format!("{plan:?}"),
        Err(error) => error.to_string(),
    }
}

proptest! {
    #[test]
    fn the_order_of_the_rows_does_not_matter(
        rows in proptest::sample::subsequence((0..FILES.len()).collect::<Vec<_>>(), 0..=FILES.len()),
        changed in any::<[bool; 8]>(),
        few_changes in any::<bool>(),
        seed in any::<proptest::sample::Index>(),
    ) {
        let set = set(&FILES);
        let history: Vec<_> =
            rows.iter().map(|&at| row(&set, FILES[at], changed[at] && !few_changes)).collect();
        let ordered = upgrade(&set, &history);
        let mut rotated = history.clone();
        if !rotated.is_empty() {
            let by = seed.index(rotated.len());
            rotated.rotate_left(by);
        }
        prop_assert_eq!(&ordered, &upgrade(&set, &rotated));
        rotated.reverse();
        prop_assert_eq!(&ordered, &upgrade(&set, &rotated));
    }
}

#[test]
fn the_newest_row_of_a_version_counts() {
    let set = set(&FILES[..2]);
    let (same, other) = (row(&set, FILES[0], false), row(&set, FILES[0], true));
    let last = row(&set, FILES[1], false);
    assert!(upgrade(&set, &[other.clone(), last.clone(), same.clone()]).starts_with("Plan"));
    let error = upgrade(&set, &[same, last, other]);
    assert!(error.starts_with("V1__a.sql "), "{error}");
}

#[test]
fn a_row_with_another_spelling_is_not_the_row_of_the_file() {
    let set = set(&FILES[2..3]);
    let respelled = Record { version: Version::parse("2").ok(), ..row(&set, FILES[2], false) };
    let error = upgrade(&set, &[respelled]);
    assert!(error.contains("V2.0__c.sql"), "{error}");
}

#[test]
fn a_repeatable_with_another_kind_is_not_the_row_of_the_file() {
    let set = set(&FILES[6..7]);
    let own = row(&set, FILES[6], false);
    let plan_of = |row: Record| {
        plan(&set, &[row], &Goal::Upgrade(Until::End), &Policy::default()).unwrap().steps.len()
    };
    assert_eq!(plan_of(Record { kind: MigrationKind::RunsAlways, ..own.clone() }), 1);
    assert_eq!(plan_of(own), 0);
}
