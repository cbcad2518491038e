//! The golden data of the Python tool 0.18.1: what it says of names, texts and orders, we say too.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jetbase_core::{
    Dialect, Folder, MigrationKind, Name, Rules, Script, Section, Syntax, TokenKind, Version,
    check, check_folder, cut, tokens,
};
use serde_json::Value;

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(file);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

#[test]
fn every_text_has_the_checksum_and_statements_of_the_python_tool() {
    let mut seen = 0;
    for file in ["handpicked.json", "random.json", "realistic.json"] {
        for case in cases(file) {
            let name = case["name"].as_str().unwrap();
            let bytes = STANDARD.decode(case["content_base64"].as_str().unwrap()).unwrap();
            let Ok(text) = String::from_utf8(bytes) else {
                // It reads in blocks, and so misses bad bytes far behind `-- rollback`.
                let missed = name == "hand-bad-utf8-far-in-rollback";
                assert!(case["checksum"].is_null() || missed, "{name}: the Python tool reads it");
                continue;
            };
            let script = Script::read(&text);
            assert_eq!(script.delimiter(), case["delimiter"].as_str().unwrap(), "{name}");
            assert_eq!(
                script.python_statements(Section::Upgrade),
                strings(&case["upgrade_statements"]),
                "{name}: upgrade"
            );
            assert_eq!(
                script.python_statements(Section::Rollback),
                strings(&case["rollback_statements"]),
                "{name}: rollback"
            );
            assert_eq!(script.checksum().to_string(), case["checksum"].as_str().unwrap(), "{name}");
            // What is executed is cut by our lexer: it must read every file without a panic.
            let _ = check(name, &script, &Dialect::ALL.map(Syntax::of));
            seen += 1;
        }
    }
    assert!(seen > 450, "only {seen} cases were compared");
}

/// The words of a text that a database sees, those in dollar quotes too.
fn words(text: &str, syntax: Syntax) -> Vec<&str> {
    let mut words = Vec::new();
    for token in tokens(text, syntax).filter(|token| !token.is_trivia()) {
        let tag = token.text.get(1..).and_then(|rest| rest.find('$')).map_or(0, |at| at + 2);
        match token.kind {
            TokenKind::DollarQuoted => {
                let inside = token.text.get(tag..token.text.len() - tag);
                words.extend(self::words(inside.unwrap_or_default(), syntax));
            }
            _ => words.push(token.text),
        }
    }
    while words.last() == Some(&";") {
        words.pop();
    }
    words
}

#[test]
fn what_python_compatible_lets_through_is_sent_alike() {
    let dir = tempfile::tempdir().unwrap();
    let (file, mut alike) = (dir.path().join("V1__x.sql"), 0);
    for case in ["handpicked.json", "random.json", "realistic.json"].into_iter().flat_map(cases) {
        let name = case["name"].as_str().unwrap();
        let bytes = STANDARD.decode(case["content_base64"].as_str().unwrap()).unwrap();
        fs::write(&file, &bytes).unwrap();
        for dialect in Dialect::ALL {
            let rules =
                Rules { dialect: Some(dialect), python_compatible: true, ..Rules::default() };
            let proof = check_folder(dir.path(), &rules);
            let Some(sent) = case["upgrade_text_sql"].as_array() else { continue };
            if proof.has_errors() {
                continue;
            }
            let parameters = case["upgrade_bind_params"].as_array().unwrap();
            assert!(parameters.iter().all(|it| it.as_array().unwrap().is_empty()), "{name}");
            let script = Script::read(&proof.files[0].text);
            let syntax = Syntax::of(dialect);
            let ours = cut(script.section(Section::Upgrade), script.delimiter(), syntax).unwrap();
            assert_eq!(ours.len(), sent.len(), "{name}, {dialect}");
            for (ours, theirs) in ours.iter().zip(sent) {
                // What we send of a set with this option: see `Reading::Python`.
                let ours = ours.sql.replace("\\:", ":");
                let theirs = words(theirs.as_str().unwrap(), syntax);
                assert_eq!(words(&ours, syntax), theirs, "{name}, {dialect}");
            }
            alike += 1;
        }
    }
    assert!(alike > 100, "only {alike} cases were compared");
}

#[test]
fn every_file_name_is_judged_alike() {
    for case in cases("filenames.json") {
        let file = case["filename"].as_str().unwrap();
        let name = Name::parse(file);
        let valid =
            case["valid_filename"].as_bool().unwrap() && case["length_ok"] != Value::Bool(false);
        // The two that the Python tool lets through by accident, and trips over later.
        let accident = case["pep440_ok"] == Value::Bool(false)
            || case["version"].as_str().is_some_and(|version| version.contains('\n'));
        assert_eq!(name.is_ok(), valid && !accident, "{file:?}: {name:?}");
        let Ok(name) = name else { continue };
        assert_eq!(name.kind.as_str(), case["kind"].as_str().unwrap(), "{file}");
        assert_eq!(name.version.as_ref().map(Version::as_str), case["version"].as_str(), "{file}");
        assert_eq!(name.description, case["description"].as_str().unwrap(), "{file}");
    }
}

#[test]
fn versions_are_ordered_alike_and_equal_ones_are_refused() {
    for case in cases("ordering.json") {
        let name = case["name"].as_str().unwrap();
        let folder = folder_of(&strings(&case["files"]));
        let rule = |rule: &str| folder.findings.iter().any(|finding| finding.rule == rule);
        match case["error"].as_str() {
            Some("DuplicateMigrationVersionError") => assert!(rule("duplicate-version"), "{name}"),
            Some(_) => assert!(rule("name"), "{name}: {:?}", folder.findings),
            None if !case["equal_groups"].as_array().unwrap().is_empty() => {
                assert!(rule("duplicate-version"), "{name}: equal versions are accepted");
            }
            None => {
                let files: Vec<_> = folder.files.iter().map(|file| file.path.as_str()).collect();
                assert_eq!(files, strings(&case["sorted_files"]), "{name}");
            }
        }
    }
}

#[test]
fn repeatables_run_in_the_same_order() {
    for case in cases("repeatables.json") {
        let name = case["name"].as_str().unwrap();
        let folder = folder_of(&strings(&case["files"]));
        if case["error"].is_string() {
            continue;
        }
        let of = |kind| {
            let files = folder.files.iter().filter(move |file| file.name.kind == kind);
            files.map(|file| file.path.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of(MigrationKind::RunsAlways), strings(&case["runs_always"]), "{name}");
        assert_eq!(of(MigrationKind::RunsOnChange), strings(&case["runs_on_change"]), "{name}");
    }
}

#[test]
fn ranges_hold_the_same_files() {
    for case in cases("ranges.json") {
        let name = case["name"].as_str().unwrap();
        let folder = folder_of(&strings(&case["files"]));
        if case["error"].is_string() {
            assert!(!folder.findings.is_empty(), "{name}: {} is not noticed", case["error"]);
            continue;
        }
        if !folder.findings.is_empty() {
            continue;
        }
        let bound = |key: &str| {
            let text = case[key].as_str().filter(|text| !text.is_empty());
            text.map(|version| Version::parse(version).unwrap())
        };
        let (from, to) = (bound("version_to_start_from"), bound("end_version"));
        let inside = |version: &Version| {
            from.as_ref().is_none_or(|from| version >= from)
                && to.as_ref().is_none_or(|to| version <= to)
        };
        let found: Vec<_> = folder
            .files
            .iter()
            .filter_map(|file| Some((file.name.version.as_ref()?, file)))
            .filter(|(version, _)| inside(version))
            .map(|(version, file)| vec![version.as_str(), file.path.rsplit('/').next().unwrap()])
            .collect();
        let expected: Vec<_> = case["result"].as_array().unwrap().iter().map(strings).collect();
        assert_eq!(found, expected, "{name}");
    }
}

/// A folder with these files in it, read; files that cannot be made are left out.
fn folder_of(files: &[&str]) -> Folder {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let mut path = root.path().join(file);
        if path.exists() {
            path = root.path().join("again").join(file);
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if let Err(error) = fs::write(&path, "SELECT 1;\n") {
            // Longer than a file system allows: judge the name alone.
            assert!(Name::parse(file).is_err(), "{file}: {error}");
            fs::write(root.path().join("too-long.sql"), "").unwrap();
        }
    }
    Folder::read(root.path())
}
