//! Comments that are nearly the line `-- rollback`: where they are an error, and where they are not.

#![allow(clippy::unwrap_used, reason = "tests")]

use jetbase_core::{Dialect, NEAR_MARKER, Rules, Severity, check_folder};

/// The lines of the errors about such comments, for each dialect and for an unknown one.
fn errors(text: &str) -> Vec<Vec<usize>> {
    let dialects = [None].into_iter().chain(Dialect::ALL.map(Some));
    let lines = dialects.map(|dialect| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("V1__a.sql"), text).unwrap();
        let rules = Rules { dialect, ..Rules::default() };
        let findings = check_folder(dir.path(), &rules).findings.into_iter();
        findings
            .filter(|it| it.rule == NEAR_MARKER && it.severity == Severity::Error)
            .map(|it| it.position.unwrap().line)
            .collect()
    });
    lines.collect()
}

const NONE: [usize; 0] = [];

#[test]
fn a_near_miss_between_statements_is_an_error_in_every_dialect() {
    for comment in [
        "-- rollback:",
        "-- rollback;",
        "-- rollbak",
        "-- roll back",
        "-- down",
        "-- undo",
        "--- rollback",
        "/* rollback */",
        "# rollback",
        "-- +goose Down",
        "-- migrate:down",
        "-- +migrate Down",
    ] {
        let text = format!("CREATE TABLE a (id INT);\n{comment}\nDROP TABLE a;\n");
        assert_eq!(errors(&text), [[2]; 4], "{comment}");
        let text = format!("-- jetbase: allow=rollback-marker\n{text}");
        assert_eq!(errors(&text), [NONE; 4], "{comment}, allowed");
        let text = format!("{comment}\nDROP TABLE a;\n");
        assert_eq!(errors(&text), [[1]; 4], "{comment}, at the top");
        let text = format!(
            "-- jetbase: delimiter=~\nCREATE TABLE a (id INT)~\n{comment}\nDROP TABLE a~\n"
        );
        assert_eq!(errors(&text), [[3]; 4], "{comment}, with a delimiter");
        let text =
            format!("CREATE TABLE a (id INT);\n-- rollback\nDROP TABLE a;\n{comment}\nSELECT 1;\n");
        assert_eq!(errors(&text), [NONE; 4], "{comment}, below the marker");
    }
}

#[test]
fn a_line_of_a_string_or_a_comment_is_no_marker() {
    for line in ["-- rollback:", "-- down", "--- rollback", "# undo", "/* rollback */"] {
        for text in [
            format!("INSERT INTO a VALUES ('\n{line}\n');\n"),
            format!("INSERT INTO a VALUES (\n{line}\n1);\n"),
        ] {
            assert_eq!(errors(&text), [NONE; 4], "{text}");
        }
        let text =
            format!("SELECT 1;\n/*\n{line}\n",) + if line.ends_with("*/") { "" } else { "*/\n" };
        let found = errors(&(text.clone() + "SELECT 2;\n"));
        assert!(found.iter().all(Vec::is_empty), "{text}: {found:?}");
        // Only PostgreSQL reads `$$` as a quote, so it alone decides where it may be read.
        let text = format!("CREATE FUNCTION f() AS $$\nBEGIN\n  x := 1;\n{line}\nEND;\n$$;\n");
        let found = errors(&text);
        assert_eq!((&found[0], &found[1]), (&vec![], &vec![]), "{text}");
    }
}
