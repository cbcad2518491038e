//! The errors in the output of cargo: all in one build, and each with the path of its file.

use crate::project::{CargoProject, ChangeTracking};

/// A program that uses every item of its module.
const MAIN: &str = r#"
jetbase::embed! { pub mod migrations = "db/migrations", dialect = postgres }

struct Anything;
impl jetbase::Target<'_> for Anything {}

fn main() {
    let _ = migrations::run(Anything);
    let _ = migrations::status(Anything);
    let _ = migrations::run_url("postgres://localhost/app");
    let _ = migrations::versions::V7__X;
    println!("{:?} {}", migrations::versions::LATEST, migrations::MIGRATIONS.len());
}
"#;

#[test]
fn the_mistakes_of_a_workspace_member_are_shown_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let project =
        CargoProject::new(dir.path().join("crates/member"), "member", ChangeTracking::FilesOnly);
    let manifest = std::fs::read_to_string(project.root.join("Cargo.toml")).unwrap();
    project.put("Cargo.toml", &manifest.replace("[workspace]\n", ""));
    project
        .put("../../Cargo.toml", "[workspace]\nmembers = [\"crates/member\"]\nresolver = \"3\"\n");
    std::fs::rename(project.root.join("Cargo.lock"), dir.path().join("Cargo.lock")).unwrap();
    project.put("src/main.rs", MAIN);
    for version in 1..=25 {
        let text = format!("SELECT {version};\n  SELECT 'open;\n");
        project.put(&format!("db/migrations/V{version}__x.sql"), &text);
    }
    let (success, _, text) = project.cargo(&["build"]);
    assert!(!success);

    let positions: Vec<_> =
        text.lines().filter_map(|line| line.trim_start().strip_prefix("--> ")).collect();
    let (in_files, at_calls): (Vec<&str>, Vec<&str>) =
        positions.iter().partition(|position| position.contains("/migrations/"));
    assert_eq!(
        (in_files.len(), at_calls.len()),
        (20, 21),
        "20 errors in files, and each one at the call: {text}"
    );
    for position in in_files {
        // Cargo runs the compiler in the root of the workspace, and terminals resolve paths from there.
        let mut parts = position.split(':');
        let file = dir.path().join(parts.next().unwrap());
        assert!(file.is_file(), "{position}");
        assert_eq!(parts.collect::<Vec<_>>(), ["2", "10"], "{position}");
    }
    assert!(
        at_calls.iter().all(|position| position.starts_with("crates/member/src/main.rs:2:")),
        "{text}"
    );
    let count = |part: &str| text.matches(part).count();
    assert_eq!(count("this string is never closed"), 20, "{text}");
    assert_eq!(count("\n       2 |   SELECT 'open;\n         |          ^\n"), 20, "{text}");
    assert_eq!(
        count("= help: close it, because everything after it is read as a part of it"),
        20,
        "{text}"
    );
    assert_eq!(
        count("error: and 5 more in the same folder; correct the first ones and build again"),
        1,
        "{text}"
    );
    assert_eq!(count("error: "), 22, "only jetbase's errors and the last line of cargo: {text}");
    assert_eq!(count("warning"), 0, "{text}");
}
