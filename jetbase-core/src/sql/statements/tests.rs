use super::delimiter::{Delimiter, client_command};
use super::*;
use crate::sql::dialect::Dialect;

#[test]
fn a_piece_has_its_comments_and_its_delimiter() {
    let text = "-- a\nSELECT 1 ; ;SELECT 2 -- b";
    let syntax = Syntax::of(Dialect::Postgres);
    let found = pieces(text, ";", syntax).unwrap();
    let found: Vec<_> = found
        .into_iter()
        .map(|it| (it.text, it.start, it.statement.map(|it| (it.sql, it.start, it.terminated))))
        .collect();
    let wanted = [
        ("-- a\nSELECT 1 ;", 0, Some(("SELECT 1", 5, true))),
        (" ;", 15, None),
        ("SELECT 2 -- b", 17, Some(("SELECT 2", 17, false))),
    ];
    assert_eq!(found, wanted);
    assert_eq!(cut(text, ";", syntax).unwrap().len(), 2);
}

/// A text, its delimiter, and the texts of the statements that the server finds in each of its statements.
type Joined = (&'static str, &'static str, &'static [&'static [&'static str]]);

#[test]
fn a_statement_knows_the_statements_that_are_joined_in_it() {
    let cases: [Joined; 6] = [
        ("SELECT 1; SELECT 2;", ";", &[&["SELECT 1"], &["SELECT 2"]]),
        ("SELECT 1; SELECT ';';; -- a\n//", "//", &[&["SELECT 1", "SELECT ';'"]]),
        ("SELECT (1; SELECT 2 //", "//", &[&["SELECT ( 1 ; SELECT 2"]]),
        ("BEGIN NOT ATOMIC a; b; END; c//", "//", &[&["BEGIN NOT ATOMIC a ; b ; END", "c"]]),
        ("a /*! ; b */ //", "//", &[&["a ; b"]]),
        ("/*!40101 SET a = 1 */;", ";", &[&["SET a = 1"]]),
    ];
    for (text, delimiter, wanted) in cases {
        let dialect = if text.contains('(') { Dialect::Postgres } else { Dialect::MySql };
        let found = cut(text, delimiter, Syntax::of(dialect)).unwrap();
        let join = |part: StatementPart<'_, '_>| {
            part.tokens().map(|it| it.text).collect::<Vec<_>>().join(" ")
        };
        let found: Vec<Vec<_>> = found.iter().map(|it| it.parts().map(join).collect()).collect();
        assert_eq!(found, wanted, "{text}");
    }
}

#[test]
fn delimiters_of_files_end_lines() {
    let end = |name: &str, text: &str, at| Delimiter::of_file(name).end_at(text, at);
    assert_eq!(end(";", "a;b", 1), Some(2));
    assert_eq!(end("", "a;b", 1), Some(2));
    assert_eq!(end("//", "a//b", 1), None);
    assert_eq!(end("//", "a// \t\nb", 1), Some(5));
    assert_eq!(end(" // ", "a//", 1), Some(3));
    assert_eq!(end("GO", "LOGO", 2), None);
    assert_eq!(end("GO", "LO GO", 3), Some(5));
    assert_eq!(end("GO", "go", 0), None);
    assert_eq!(end("é", "aé", 1), None);
    assert_eq!(end("§", "a§", 1), Some(3));
    assert_eq!(end("//", "a// -- b", 1), None);
}

#[test]
fn client_commands_name_a_delimiter_up_to_the_line_end() {
    let command = |text: &str| client_command(text, 9);
    let anywhere = |name: &str| Delimiter::Anywhere(name.to_owned());
    assert_eq!(command("DELIMITER //\nx"), Some((anywhere("//"), 12)));
    assert_eq!(command("DELIMITER \t$$  "), Some((anywhere("$$"), 15)));
    assert_eq!(command("delimiter ;\n"), Some((Delimiter::Semicolon, 11)));
    assert_eq!(command("DELIMITER ; -- back\nx"), Some((Delimiter::Semicolon, 19)));
    for text in ["DELIMITER", "DELIMITER ", "DELIMITER\n//", "DELIMITER // x\n", "DELIMITER;"] {
        assert_eq!(command(text), None, "{text}");
    }
}

#[test]
fn words_of_bodies_are_no_substrings() {
    for (dialect, text) in [
        (Dialect::Sqlite, "CREATE TABLE trigger_begin (a);"),
        (Dialect::Sqlite, "SELECT 'CREATE TRIGGER';"),
        (Dialect::Sqlite, "CREATE VIEW trigger AS SELECT 1;"),
        (Dialect::MySql, "CREATE TABLE `procedure` (`begin` INT);"),
        (Dialect::MySql, "INSERT INTO t (event, begin) VALUES (1, 2);"),
        (Dialect::MySql, "DROP TRIGGER IF EXISTS begin;"),
        (Dialect::Postgres, "CREATE TABLE f (\"(\" text, begin int, atomic int);"),
        (Dialect::Postgres, "SELECT 'BEGIN ATOMIC (';"),
        (Dialect::Postgres, "CREATE FUNCTION begin() RETURNS int RETURN 1;"),
    ] {
        let text = format!("{text} SELECT 2;");
        assert_eq!(cut(&text, ";", Syntax::of(dialect)).unwrap().len(), 2, "{text}");
    }
}
