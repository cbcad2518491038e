use std::path::Path;

use super::{CommandFields, ErrorDetails, ErrorJson, OutputJson};

/// The errors that a test with a real database cannot cause at will.
#[test]
fn the_error_of_each_kind_matches_the_schema() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/docs/output.schema.json");
    let schema = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let text = || "text".to_owned();
    let file = || Some("V1__a.sql".to_owned());
    let cases = [
        ("usage", ErrorDetails::None),
        ("io", ErrorDetails::None),
        ("interrupted", ErrorDetails::None),
        ("namespace", ErrorDetails::None),
        ("table", ErrorDetails::None),
        ("setting", ErrorDetails::None),
        ("session_lock", ErrorDetails::None),
        ("plan_changed", ErrorDetails::None),
        ("other", ErrorDetails::None),
        ("folder", ErrorDetails::None),
        ("folder", ErrorDetails::Findings { findings: Vec::new() }),
        ("refused", ErrorDetails::Refused { problems: Vec::new() }),
        (
            "held",
            ErrorDetails::Held { holder: text(), since: None, alive: Some(false), waited_ms: 1 },
        ),
        ("blocked", ErrorDetails::Blocked { obstacle: text(), waited_ms: 1 }),
        ("holder_busy", ErrorDetails::HolderBusy { holder: text() }),
        ("lock_lost", ErrorDetails::LockLost { file: file(), permanent: None }),
        ("lock_lost", ErrorDetails::LockLost { file: None, permanent: Some(3) }),
        ("connection_lost", ErrorDetails::ConnectionLost { file: text(), outcome: "in_doubt" }),
        ("database", ErrorDetails::Database { code: text(), permanent: Some(0) }),
        ("file", ErrorDetails::File { file: text() }),
        ("lock_file", ErrorDetails::LockFile { path: text() }),
        (
            "statement",
            ErrorDetails::Statement {
                file: text(),
                line: Some(1),
                column: Some(1),
                statement: Some(2),
                statements: Some(3),
                code: text(),
                database_message: text(),
                detail: Some(text()),
                hint: None,
                context: Some(text()),
                permanent: None,
            },
        ),
    ];
    for (kind, details) in &cases {
        let error = Some(ErrorJson { kind, message: text(), details });
        let fields = &CommandFields::None;
        let output = OutputJson { command: "upgrade", ok: false, exit_code: 1, fields, error };
        let value = serde_json::to_value(&output).unwrap();
        assert!(validator.is_valid(&value), "{value}");
    }
    let error = Some(ErrorJson { kind: "unknown", message: text(), details: &ErrorDetails::None });
    let fields = &CommandFields::None;
    let output = OutputJson { command: "upgrade", ok: false, exit_code: 1, fields, error };
    assert!(!validator.is_valid(&serde_json::to_value(&output).unwrap()));
}
