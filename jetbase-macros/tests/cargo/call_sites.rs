//! Calls in every kind of target of cargo, with a renamed and a re-exported crate, and with strict
//! lints.

use crate::project::{CargoProject, ChangeTracking};

const LIBRARY: &str = r#"//! A library.
#![deny(warnings, missing_docs, unreachable_pub, unused, clippy::all, clippy::pedantic)]

//! ```
//! jb::embed!("migrations", schema = "example");
//! assert_eq!(migrations::MIGRATIONS.len(), 2);
//! ```
//!
//! Another example is another program, although rustdoc compiles both together.
//!
//! ```
//! # #![allow(deprecated)]
//! jb::embed!("../outside", schema = "example");
//! assert_eq!(migrations::MIGRATIONS.len(), 1);
//! ```

jb::embed! {
    /// Ours.
    pub mod ours = "migrations", schema = "ours", dialect = postgres
}

reexporting::jetbase::embed! {
    #[allow(deprecated)]
    pub(crate) mod theirs = "../outside", schema = "theirs"
}

jb::embed! { #[cfg(target_os = "none")] mod nowhere = "there/is/no/such/folder" }

/// What is embedded.
#[must_use]
pub fn versions() -> [Option<jb::Version>; 2] {
    [ours::versions::LATEST.map(Into::into), theirs::versions::LATEST.map(Into::into)]
}
"#;

const TEST: &str = r#"
jb::embed!();
#[test]
fn a_test_embeds_too() {
    assert_eq!(migrations::versions::LATEST.unwrap().as_str(), "2");
    assert_eq!(migrations::versions::V1__A.as_str(), "1");
    assert_eq!(format!("{0} {0:?}", migrations::versions::V1__A), "1 1");
    assert!(migrations::versions::V1__A < migrations::versions::Known::V2__B);
}
"#;

#[test]
fn a_call_works_in_every_kind_of_target() {
    let dir = tempfile::tempdir().unwrap();
    let project =
        CargoProject::new(dir.path().join("member"), "call-sites", ChangeTracking::FilesOnly);
    let root = dir.path();
    let manifest = "[package]\nname = \"call-sites\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
                    jb = { package = \"jetbase\", path = \"facade\" }\nreexporting = { path = \"reexporting\" }\n";
    project.put("Cargo.toml", manifest);
    project.put("../Cargo.toml", "[workspace]\nmembers = [\"member\"]\nresolver = \"3\"\n");
    std::fs::rename(root.join("member/Cargo.lock"), root.join("Cargo.lock")).unwrap();
    let reexporting = "[package]\nname = \"reexporting\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n\
                       [dependencies]\njetbase = { path = \"../facade\" }\n";
    project.put("reexporting/Cargo.toml", reexporting);
    project.put("reexporting/src/lib.rs", "pub use jetbase;\n");
    project.put("src/lib.rs", LIBRARY);
    project.put("src/main.rs", "fn main() { assert_eq!(call_sites::versions().len(), 2); }\n");
    project.put("tests/it.rs", TEST);
    project.put(
        "examples/show.rs",
        "jb::embed!();\nfn main() { println!(\"{}\", migrations::MIGRATIONS.len()); }\n",
    );
    project.put("../outside/V7__x.sql", "SELECT 7;\n");
    let (success, text, errors) = project.cargo(&["test", "--examples", "--tests", "--lib"]);
    assert!(success, "{text}{errors}");
    let (success, text, errors) = project.cargo(&["test", "--doc"]);
    assert!(success, "{text}{errors}");
    let (success, text, errors) = project.cargo(&["run", "--example", "show"]);
    assert!(success && text == "2\n", "{text}{errors}");

    // `cargo package` would not include this folder. The library allows the warning.
    project.put("src/main.rs", "jb::embed!(\"../outside\");\nfn main() {}\n");
    let (success, _, text) = project.cargo(&["build"]);
    let message = "a published crate would not contain this folder\n          --> outside\n";
    assert!(success && text.contains(message), "{text}");
    project.put("Cargo.toml", &manifest.replace("edition", "publish = false\nedition"));
    let (success, _, text) = project.cargo(&["build"]);
    assert!(success && text.is_empty(), "{text}");
}
