//! What holds for every text, however long or odd.

use jetbase_core::{Dialect, Piece, Syntax, cut, pieces, tokens};
use proptest::prelude::*;

#[test]
fn megabytes_of_anything_are_cut() {
    let fragments = [
        "SELECT 1; ",
        "$",
        "$a",
        "$a$",
        "$$;",
        "/*",
        "/*!",
        "/* */",
        "'",
        "'';",
        "\"",
        "`",
        "[",
        "-- \n;",
        "--",
        "#",
        "a$$",
        "a//",
        ";DELIMITER a b",
        ";DELIMITER //\n//",
        "DELIMITER ",
        "\\",
        "(",
        "();",
        "E'a'\n",
        "''\n--\n",
        "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; END;\n",
        "BEGIN NOT ATOMIC ",
        "CASE ",
        "END ",
        "~ ",
        "~\n",
        "//",
        "//\n",
        "$$\n",
        "ä",
        "\0",
        "*/",
        "CREATE FUNCTION f() BEGIN ATOMIC CASE ",
        "1a",
        "\n",
        "GO ",
        "U&'",
        "$a(",
        "$a()",
        ":a::",
        "/*!80000 ",
        "/*!80000 */",
        "/*!99999 /*",
        "/*M! /* */",
        "/*!80000 /* */ */;",
        "SET sql_mode='ANSI_QUOTES';",
    ];
    for fragment in fragments {
        let text = fragment.repeat(SIZE / fragment.len());
        let client = format!("DELIMITER $$\n{text}");
        for dialect in Dialect::ALL {
            let _ = cut(&text, ";", Syntax::of(dialect));
            let _ = cut(&text, "//", Syntax::of(dialect));
        }
        let _ = cut(&text, "$$", Syntax::of(Dialect::Postgres));
        let _ = cut(&text, "~", Syntax::of(Dialect::Sqlite));
        let _ = cut(&client, ";", Syntax::of(Dialect::MySql));
    }
}

/// Slow debug builds get less text, yet enough to notice quadratic time.
const SIZE: usize = if cfg!(debug_assertions) { 100_000 } else { 5_000_000 };

fn fragments() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(vec![
        "'",
        "\"",
        "`",
        "[",
        "]",
        "$$",
        "$a$",
        "$",
        "a$b",
        "/*",
        "*/",
        "/*!",
        "/*!50003 ",
        "/*!80000 ",
        "/*!99999 ",
        "/*M!",
        "SET sql_mode='ANSI';",
        "$a(",
        "--",
        "-- ",
        "#",
        "\n",
        "\r\n",
        " ",
        ";",
        ";;",
        "//",
        "~",
        "GO",
        "BEGIN ",
        "ATOMIC ",
        "NOT ",
        "END",
        "END IF",
        "IF ",
        "THEN ",
        "CASE ",
        "LOOP ",
        "UNTIL ",
        "CREATE ",
        "TRIGGER ",
        "FUNCTION ",
        "PROCEDURE ",
        "PACKAGE ",
        "EACH ROW ",
        "DO ",
        "DELIMITER ",
        "DELIMITER //\n",
        "DELIMITER $$\n",
        "DELIMITER ;\n",
        "\\",
        "E'",
        "U&'",
        "N'",
        "(",
        ")",
        ":",
        ".",
        "@",
        "x",
        "1",
        "é",
        "\u{feff}",
        "\0",
        "\u{a0}",
    ]);
    prop::collection::vec(fragment, 0..40).prop_map(|parts| parts.concat())
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![3 => fragments(), 1 => any::<String>(), 1 => "\\PC*"]
}

fn syntaxes() -> impl Strategy<Value = Syntax> {
    let dialect = prop::sample::select(Dialect::ALL.to_vec());
    let server = prop::sample::select(vec!["", "8.0.36", "9.7.0", "10.11.6-MariaDB"]);
    (dialect, any::<bool>(), any::<bool>(), server).prop_map(
        |(dialect, ansi_quotes, backslash_escapes, server)| {
            let server = Syntax::of_server(server).server;
            Syntax { dialect, ansi_quotes, backslash_escapes, server }
        },
    )
}

fn delimiters() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        ";", "//", "$$", "~", "GO", ";;", "END;", "--", "'", "", "§", "a$",
    ]);
    prop_oneof![8 => known.prop_map(str::to_owned), 1 => any::<String>()]
}

/// A piece ends where the next one begins, and holds its statement.
fn well_cut(text: &str, pieces: &[Piece<'_>]) -> Result<(), TestCaseError> {
    let mut end = 0;
    for piece in pieces {
        prop_assert_eq!(piece.start, end);
        prop_assert!(!piece.text.is_empty());
        end += piece.text.len();
        prop_assert_eq!(text.get(piece.start..end), Some(piece.text));
        if let Some(statement) = &piece.statement {
            let last = statement.start + statement.sql.len();
            prop_assert!(!statement.sql.is_empty());
            prop_assert_eq!(text.get(statement.start..last), Some(statement.sql));
            prop_assert!(piece.start <= statement.start && last <= end);
        }
    }
    prop_assert_eq!(end, text.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tokens_tile_every_text(text in texts(), syntax in syntaxes()) {
        let mut end = 0;
        for token in tokens(&text, syntax) {
            prop_assert_eq!(token.start, end);
            prop_assert!(!token.text.is_empty());
            prop_assert_eq!(text.get(token.start..token.end()), Some(token.text));
            prop_assert!(token.closed || token.end() == text.len());
            end = token.end();
        }
        prop_assert_eq!(end, text.len());
    }

    #[test]
    fn pieces_tile_every_text(text in texts(), delimiter in delimiters(), syntax in syntaxes()) {
        match pieces(&text, &delimiter, syntax) {
            Ok(pieces) => well_cut(&text, &pieces)?,
            Err(error) => prop_assert!(text.get(error.at..).is_some_and(|open| !open.is_empty())),
        }
    }

    /// A statement that was cut out is one statement when it stands alone.
    #[test]
    fn statements_stand_alone(text in fragments(), syntax in syntaxes()) {
        let client = text.to_ascii_uppercase().contains("DELIMITER");
        for statement in cut(&text, ";", syntax).unwrap_or_default() {
            if !client {
                let text = format!("{};", statement.sql);
                let alone = cut(&text, ";", syntax).unwrap();
                prop_assert_eq!(alone.len(), 1);
                prop_assert_eq!(alone.first().unwrap().sql, statement.sql);
            }
        }
    }
}
