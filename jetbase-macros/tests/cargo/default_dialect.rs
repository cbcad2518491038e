//! The features of the crate `jetbase` decide in which dialect the files are read.

use crate::project::{CargoProject, ChangeTracking};

#[test]
fn the_only_driver_of_a_program_finds_mistakes_of_its_dialect() {
    let dir = tempfile::tempdir().unwrap();
    let project = CargoProject::new(dir.path().to_path_buf(), "dialect", ChangeTracking::FilesOnly);
    project.write("V3__index.sql", "CREATE INDEX CONCURRENTLY i ON t (a);\n");
    assert!(project.cargo(&["build"]).0);
    let manifest = std::fs::read_to_string(dir.path().join("facade/Cargo.toml")).unwrap();
    let with = |features: &str| {
        let macros = "/jetbase-macros\"";
        manifest.replace(macros, &format!("{macros}, features = [{features}]"))
    };
    project.put("facade/Cargo.toml", &with("\"postgres\""));
    let (success, _, text) = project.cargo(&["build"]);
    assert!(!success && text.contains("cannot run inside a transaction"), "{text}");
    project.put("facade/Cargo.toml", &with("\"postgres\", \"sqlite\""));
    let (success, _, text) = project.cargo(&["build"]);
    assert!(success, "{text}");
}

#[test]
fn the_facade_tells_the_macro_its_drivers() {
    let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    for driver in ["postgres", "mysql", "sqlite"] {
        let output = std::process::Command::new(&cargo)
            .args(["tree", "--offline", "--edges", "normal,features", "--package", "jetbase"])
            .args(["--no-default-features", "--features", driver, "--invert", "jetbase-macros"])
            .arg("--manifest-path")
            .arg(&manifest)
            .output()
            .unwrap();
        let tree = String::from_utf8(output.stdout).unwrap();
        for other in ["postgres", "mysql", "sqlite"] {
            let edge = format!("jetbase-macros feature \"{other}\"");
            assert_eq!(tree.contains(&edge), other == driver, "{driver}: {tree}");
        }
    }
}
