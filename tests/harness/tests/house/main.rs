//! The rules of the source tree: one name for one thing, short files, no circles of imports.
//!
//! - `source`: the files of the workspace as tokens
//! - `names`: the types and the tests that a file declares
//! - `imports`: which module of a crate imports which

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod imports;
mod names;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use source::RustFile;

/// The largest number of lines of a file.
const MAX_LINES: usize = 400;

/// The crates whose modules must not import each other in circles.
const CRATES: [&str; 5] =
    ["jetbase-core", "jetbase-macros", "jetbase-runtime", "jetbase-cli", "jetbase-testing"];

#[test]
fn no_type_name_is_declared_twice() {
    let files = source::workspace();
    let declared =
        files.iter().flat_map(|file| names::types(file).into_iter().map(move |it| (it, file)));
    let twice = declared_twice(declared);
    assert!(twice.is_empty(), "{twice:#?}");
}

#[test]
fn no_test_name_is_used_twice() {
    let files = source::workspace();
    let tests =
        files.iter().flat_map(|file| names::tests(file).into_iter().map(move |it| (it, file)));
    let twice = declared_twice(tests);
    assert!(twice.is_empty(), "{twice:#?}");
}

#[test]
fn no_rust_file_is_longer_than_the_limit() {
    let files = source::workspace();
    let long: Vec<_> = files
        .iter()
        .filter(|file| file.lines > MAX_LINES)
        .map(|file| format!("{}: {} lines", file.path, file.lines))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_crate_has_a_circle_of_imports_between_its_modules() {
    let files = source::workspace();
    let mut found = BTreeSet::new();
    for name in CRATES {
        let circles = imports::modules_in_circles(&imports::import_graph(name, &files));
        found.extend(circles.into_iter().map(|module| format!("{name}::{module}")));
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Returns the names that occur more than once, each with its files.
fn declared_twice<'f>(
    names: impl Iterator<Item = (String, &'f RustFile)>,
) -> BTreeMap<String, Vec<&'f str>> {
    let mut files: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, file) in names {
        files.entry(name).or_default().push(&file.path);
    }
    files.retain(|_, files| files.len() > 1);
    files
}
