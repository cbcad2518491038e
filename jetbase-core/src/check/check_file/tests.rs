//! If the quick check calls a file plain, the lexer finds nothing in it.

use proptest::prelude::*;

use super::lex;
use crate::check::plain::{LintScope, Question, is_plain};
use crate::file::{Kind, Script};
use crate::sql::{Dialect, Syntax};

/// Parts of SQL files, valid and broken.
const PIECES: [&str; 65] = [
    "CREATE TABLE a (id INT);\n",
    "INSERT INTO t VALUES ('it''s; -- x');\n",
    "DROP TABLE a;\n",
    "\n",
    "UPDATE t SET a = 1;\n",
    "DELETE FROM t;\n",
    "ALTER TABLE t ADD b INT;\n",
    "CREATE INDEX i ON t (a);\n",
    "-- a comment\n",
    "-- rollback\n",
    "-- jetbase: transaction=off\n",
    "-- jetbase: allow=x\n",
    "--x\n",
    "--\n",
    "CREATE",
    "TABLE",
    "INDEX",
    "CONCURRENTLY",
    "TRIGGER",
    "BEGIN",
    "END",
    "COMMIT",
    "insert into",
    "(",
    ")",
    ";",
    "'",
    "\"",
    "`",
    "$$",
    "/*",
    "*/",
    "--",
    "#",
    "[",
    "\\",
    " ",
    " ",
    "\n",
    "\t",
    "-",
    "é",
    "x",
    ":",
    "<<<<<<< ours\n",
    "=======\n",
    ">>>>>>> theirs\n",
    "\u{feff}",
    "CREATE VIEW v AS SELECT a AS \"A b\" FROM t;\n",
    "CREATE VIEW",
    "COMMENT ON TABLE t IS 'it''s /* \"here\" $$ #';\n",
    "comment on",
    "INSERT INTO t (a) VALUES (1),\n    (-2, 'x'); \n",
    "FUNCTION f()",
    " AS $$ SELECT 1; $$",
    "E'a'",
    "N'a'",
    "u&'a'",
    "\"a\"",
    "/",
    "\u{2003}",
    "\r\n",
    "\x0c",
    "@",
    "DELIMITER",
];

fn found(text: &str, dialect: Option<Dialect>, lints: LintScope) -> usize {
    let syntaxes: Vec<_> = dialect
        .map_or(Dialect::ALL.to_vec(), |dialect| vec![dialect])
        .into_iter()
        .map(Syntax::of)
        .collect();
    let lint = (lints == LintScope::Versioned).then_some(Kind::Versioned);
    lex("V1__x.sql", &Script::read(text), &syntaxes, lint).len()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_plain_has_no_finding(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12)) {
        let text = pieces.concat();
        for dialect in [None, Some(Dialect::Postgres), Some(Dialect::MySql), Some(Dialect::Sqlite)] {
            for lints in [LintScope::None, LintScope::Versioned] {
                if is_plain(&Script::read(&text), Question { dialect, lints }) {
                    prop_assert_eq!(found(&text, dialect, lints), 0, "{:?} {:?}", dialect, lints);
                }
            }
        }
    }
}

/// The beginnings of statements that can be plain.
const HEADS: [&str; 12] = [
    "INSERT INTO t",
    "CREATE TABLE t",
    "CREATE VIEW v AS",
    "CREATE INDEX i ON t",
    "COMMENT ON TABLE t IS",
    "DROP TABLE t",
    "DROP VIEW v",
    "UPDATE t SET",
    "DELETE FROM t",
    "ALTER TABLE t",
    "create view",
    "-- rollback\nDROP TABLE",
];

/// How such statements can continue.
const WORDS: [&str; 48] = [
    "(a)",
    "(",
    ")",
    "'a'",
    "'it''s; -- /* $$'",
    "''",
    "\"A b\"",
    "\"a\"\"b\"",
    "\"a;b\"",
    "BEGIN",
    "END",
    "CASE",
    "TRIGGER",
    "FUNCTION",
    "PROCEDURE",
    "EVENT",
    "ATOMIC",
    "CONCURRENTLY",
    "a.b",
    "1.5e3",
    "-1",
    "- 1",
    "*",
    "= 1",
    "::int",
    ":x",
    "E'a'",
    "N'a'",
    "X'00'",
    "é",
    "é'x'",
    "\t",
    "\n   ",
    "\n-- a note's \"end\n",
    "'a'\n'b'",
    ",",
    "<>",
    "||",
    "WHERE",
    "NOT NULL",
    "FROM STDIN",
    "AS",
    "DETACH PARTITION p",
    "OR REPLACE",
    "DELIMITER",
    "EACH ROW",
    "DO",
    "PACKAGE BODY",
];

fn statement() -> impl Strategy<Value = String> {
    let words = prop::collection::vec(prop::sample::select(&WORDS[..]), 0..6);
    (prop::sample::select(&HEADS[..]), words)
        .prop_map(|(head, words)| format!("{head} {};\n", words.join(" ")))
}

// About half of these texts are plain; almost none of those above is.
proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn statements_that_are_plain_have_no_finding(statements in prop::collection::vec(statement(), 1..4)) {
        let text = statements.concat();
        for dialect in [None, Some(Dialect::Postgres), Some(Dialect::MySql), Some(Dialect::Sqlite)] {
            for lints in [LintScope::None, LintScope::Versioned] {
                if is_plain(&Script::read(&text), Question { dialect, lints }) {
                    prop_assert_eq!(found(&text, dialect, lints), 0, "{:?} {:?}", dialect, lints);
                }
            }
        }
    }
}

#[test]
fn everyday_files_are_plain() {
    let text = "-- Users.\nCREATE TABLE users (\n    id INT,\n    -- the name\n    name TEXT DEFAULT '(a; b -- c)'\n);\n\n\
                INSERT INTO users VALUES (1, '2026-01-01 $ #');\nCOMMENT ON TABLE users IS 'it''s /* all';\n\
                CREATE VIEW names AS SELECT name AS \"the name\" FROM users WHERE id >= -1;\n\
                -- rollback\nDROP TABLE users;\n";
    for lints in [LintScope::None, LintScope::Versioned] {
        assert!(is_plain(&Script::read(text), Question { dialect: None, lints }));
    }
}
