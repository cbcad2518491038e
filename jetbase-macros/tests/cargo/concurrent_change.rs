//! Changes during the build: the macro reads a file, and `include_str!` reads it again later.
//!
//! The compiler expands an attribute of the generated module between the two. So the tests use an
//! attribute that changes the folder.

use crate::project::{CargoProject, ChangeTracking};

/// An attribute that puts the files of `later` into the folder, and takes those away that are empty there.
const CHANGING: &str = r#"
use proc_macro::TokenStream;

#[proc_macro_attribute]
pub fn changing(_: TokenStream, item: TokenStream) -> TokenStream {
    for entry in std::fs::read_dir("later").unwrap() {
        let path = entry.unwrap().path();
        let target = std::path::Path::new("migrations").join(path.file_name().unwrap());
        match std::fs::read(&path).unwrap().is_empty() {
            true => drop(std::fs::remove_file(target)),
            false => drop(std::fs::copy(path, target).unwrap()),
        }
    }
    item
}
"#;

const MANIFEST: &str = r#"[package]
name = "moment"
version = "0.0.0"
edition = "2024"

[dependencies]
changing = { path = "changing" }
jetbase = { path = "facade" }

[workspace]
"#;

const CHANGING_MANIFEST: &str = r#"[package]
name = "changing"
version = "0.0.0"
edition = "2024"

[lib]
proc-macro = true
"#;

/// Prints each file that is not what the macro saw: its text gives another checksum than the recorded one.
const MAIN: &str = r#"
jetbase::embed! { #[changing::changing] mod migrations = "migrations" }

fn main() {
    for migration in migrations::MIGRATIONS.iter() {
        if migration.script().checksum() != migration.checksum() {
            println!("{}", migration.path());
        }
    }
}
"#;

#[test]
fn a_file_that_changes_during_the_build_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let project = CargoProject::new(dir.path().to_path_buf(), "moment", ChangeTracking::FilesOnly);
    project.put("Cargo.toml", MANIFEST);
    project.put("changing/Cargo.toml", CHANGING_MANIFEST);
    project.put("changing/src/lib.rs", CHANGING);

    project.put("later/V2__b.sql", "SELECT 2222;\n");
    project.put("src/main.rs", MAIN);
    let (success, _, text) = project.cargo(&["build"]);
    let told =
        "a file in migrations changed while the program was compiled: run `cargo build` again";
    assert!(!success && text.contains(told), "{text}");
    let (success, text, errors) = project.cargo(&["run"]);
    assert!(success && text.is_empty(), "built again: {text}{errors}");

    // Of the same length it gets into the program, which refuses to run it: see the unit tests of `execute` in the runtime.
    project.reset();
    project.put("later/V2__b.sql", "SELECT 3;\n");
    project.put("src/main.rs", MAIN);
    let (success, text, errors) = project.cargo(&["run"]);
    assert!(success && text == "V2__b.sql\n", "{text}{errors}");
    let (success, text, errors) = project.cargo(&["run"]);
    assert!(success && text.is_empty(), "cargo sees the change, and builds again: {text}{errors}");

    project.put("later/V2__b.sql", "");
    project.put("src/main.rs", MAIN);
    let (success, _, text) = project.cargo(&["build"]);
    assert!(!success && text.contains("couldn't read `") && text.contains("V2__b.sql"), "{text}");
    let (success, text, errors) = project.cargo(&["run"]);
    assert!(success && text.is_empty(), "one file less, built again: {text}{errors}");
}
