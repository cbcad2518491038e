//! Files that change during the build: the macro reads a file, and `include_str!` reads it later.
//!
//! Between the two reads, the compiler expands an attribute of the generated module. The test uses an
//! attribute that changes the folder.

use crate::project::{CargoProject, ChangeTracking};

/// An attribute that copies the files of `later` into the folder. An empty file removes the file.
const CHANGING: &str = r#"
use proc_macro::TokenStream;

#[proc_macro_attribute]
pub fn changing(_: TokenStream, item: TokenStream) -> TokenStream {
    for entry in std::fs::read_dir("later").unwrap() {
        let path = entry.unwrap().path();
        let target = std::path::Path::new("migrations").join(path.file_name().unwrap());
        if std::fs::read(&path).unwrap().is_empty() {
            drop(std::fs::remove_file(target));
        } else {
            std::fs::copy(path, target).unwrap();
        }
    }
    item
}
"#;

const MANIFEST: &str = r#"[package]
name = "concurrent-change"
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

/// Prints each file whose text has another checksum than the macro has computed.
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
    let project =
        CargoProject::new(dir.path().to_path_buf(), "concurrent-change", ChangeTracking::FilesOnly);
    project.put("Cargo.toml", MANIFEST);
    project.put("changing/Cargo.toml", CHANGING_MANIFEST);
    project.put("changing/src/lib.rs", CHANGING);

    project.put("later/V2__b.sql", "SELECT 2222;\n");
    project.put("src/main.rs", MAIN);
    let (success, _, text) = project.cargo(&["build"]);
    let message =
        "a file in migrations changed while the program was compiled: run `cargo build` again";
    assert!(!success && text.contains(message), "{text}");
    let (success, text, errors) = project.cargo(&["run"]);
    assert!(success && text.is_empty(), "the second build: {text}{errors}");

    // The compiler accepts a change that keeps the length. The program refuses to run the file: see the
    // unit tests of `execute` in the runtime.
    project.reset();
    project.put("later/V2__b.sql", "SELECT 3;\n");
    project.put("src/main.rs", MAIN);
    let (success, text, errors) = project.cargo(&["run"]);
    assert!(success && text == "V2__b.sql\n", "{text}{errors}");
    let (success, text, errors) = project.cargo(&["run"]);
    assert!(success && text.is_empty(), "cargo builds again after the change: {text}{errors}");

    project.put("later/V2__b.sql", "");
    project.put("src/main.rs", MAIN);
    let (success, _, text) = project.cargo(&["build"]);
    assert!(!success && text.contains("couldn't read `") && text.contains("V2__b.sql"), "{text}");
    let (success, text, errors) = project.cargo(&["run"]);
    assert!(success && text.is_empty(), "the second build without the file: {text}{errors}");
}
