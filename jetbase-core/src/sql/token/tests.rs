use super::TokenKind::{Comment, DollarQuoted, Number, Quoted, Symbol, Whitespace, Word};
use super::*;
use crate::sql::dialect::{Dialect, Syntax};

/// Wants a text to be one token of this kind.
#[track_caller]
fn whole(dialect: Dialect, kind: TokenKind, texts: &[&str]) {
    for text in texts {
        let token = tokens(text, Syntax::of(dialect)).next().unwrap();
        assert_eq!((token.kind, token.text, token.closed), (kind, *text, true), "{dialect}");
    }
}

/// Wants a text to begin with this token.
#[track_caller]
fn first(dialect: Dialect, text: &str, kind: TokenKind, wanted: &str) {
    let token = tokens(text, Syntax::of(dialect)).next().unwrap();
    assert_eq!((token.kind, token.text), (kind, wanted), "{dialect}: {text}");
}

#[track_caller]
fn open(dialect: Dialect, texts: &[&str]) {
    for text in texts {
        let token = tokens(text, Syntax::of(dialect)).last().unwrap();
        assert!(!token.closed, "{dialect}: {text}");
    }
}

#[test]
fn a_statement_is_tiled() {
    let found = tokens("SELECT é1,\n 0x1F;", Syntax::of(Dialect::Postgres))
        .map(|token| (token.kind, token.text, token.start))
        .collect::<Vec<_>>();
    let wanted = [
        (Word, "SELECT", 0),
        (Whitespace, " ", 6),
        (Word, "é1", 7),
        (Symbol, ",", 10),
        (Whitespace, "\n ", 11),
        (Number, "0x1F", 13),
        (Symbol, ";", 17),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn quotes_of_every_dialect() {
    for dialect in Dialect::ALL {
        whole(dialect, Quoted, &["''", "'a''b'", "\"a\"\"b;\"", "n'a'", "X'00'", "b'1'", "'\n'"]);
        open(dialect, &["'", "'a''", "\"a", "1 X'0", "/* a", "/*/"]);
        first(dialect, "'a'b'", Quoted, "'a'");
    }
}

#[test]
fn quotes_of_one_dialect() {
    whole(
        Dialect::Postgres,
        Quoted,
        &[r"E'\''", r"e'\\'", r"'\'", r"U&'\'", "U&\"a\"\"\"", "''\n''"],
    );
    whole(Dialect::Postgres, Quoted, &["E'a' -- b\n\n--\n '\\''"]);
    first(Dialect::Postgres, "'a' 'b'", Quoted, "'a'");
    first(Dialect::Postgres, "'a' -- b\n", Quoted, "'a'");
    first(Dialect::Postgres, "`a`", Symbol, "`");
    first(Dialect::Postgres, "[a]", Symbol, "[");
    whole(Dialect::MySql, Quoted, &[r"'\''", r#""\"""#, r"N'\''", "`a``b`", r"`\`"]);
    first(Dialect::MySql, "E'a'", Word, "E");
    first(Dialect::MySql, "[a]", Symbol, "[");
    whole(Dialect::Sqlite, Quoted, &[r"'\'", "`a``b`", "[a'b]"]);
    first(Dialect::Sqlite, "[a]]", Quoted, "[a]");
}

#[test]
fn dollar_quotes_of_postgres() {
    whole(
        Dialect::Postgres,
        DollarQuoted,
        &["$$$$", "$a$ $b$ $$ $a$", "$_1$;$_1$", "$é$'$é$", "$a$$a$"],
    );
    open(Dialect::Postgres, &["$$", "$a$ $A$", "$a$ $a", "$$ $a$"]);
    first(Dialect::Postgres, "$1$1$", Symbol, "$");
    first(Dialect::Postgres, "$a b$", Symbol, "$");
    first(Dialect::Postgres, "a$b$c", Word, "a$b$c");
    first(Dialect::MySql, "$$ $$", Symbol, "$");
}

#[test]
fn line_comments() {
    for dialect in Dialect::ALL {
        first(dialect, "-- a;\nb", Comment, "-- a;");
        first(dialect, "--\n", Comment, "--");
        whole(dialect, Comment, &["--", "--\ta", "-- '"]);
    }
    first(Dialect::Postgres, "--1", Comment, "--1");
    first(Dialect::Postgres, "--1\r\n", Comment, "--1");
    first(Dialect::Sqlite, "--1", Comment, "--1");
    first(Dialect::MySql, "--1", Symbol, "-");
    first(Dialect::MySql, "#a;\nb", Comment, "#a;");
    first(Dialect::Postgres, "#a", Symbol, "#");
    first(Dialect::Sqlite, "# a", Symbol, "#");
}

#[test]
fn block_comments() {
    let text = "/* a /* b */ c */ */";
    first(Dialect::Postgres, text, Comment, "/* a /* b */ c */");
    first(Dialect::MySql, text, Comment, "/* a /* b */");
    first(Dialect::Sqlite, text, Comment, "/* a /* b */");
    whole(Dialect::Postgres, Comment, &["/*/**/*/", "/***/", "/*! a */", "/*/ */"]);
    whole(Dialect::MySql, Comment, &["/**/", "/*+ a */", "/*/ */"]);
}

#[test]
fn code_in_comments_of_mysql() {
    let text = "/*!50003 a '*/' /* b */*/ 2*/";
    let found = tokens(text, Syntax::of(Dialect::MySql))
        .filter(|token| token.kind != Whitespace)
        .map(|token| token.text)
        .collect::<Vec<_>>();
    assert_eq!(found, ["/*!50003", "a", "'*/'", "/* b */", "*/", "2", "*", "/"]);
    first(Dialect::MySql, "/*M!100100 a */", Symbol, "/*M!100100");
    first(Dialect::MySql, "/*!1234567", Symbol, "/*!123456");
}

#[test]
fn a_byte_order_mark_is_blank_in_sqlite_only() {
    first(Dialect::Sqlite, "\u{feff} a", Whitespace, "\u{feff} ");
    first(Dialect::Postgres, "\u{feff} a", Word, "\u{feff}");
}

#[test]
fn questions_about_a_token() {
    let token = tokens("Begin", Syntax::of(Dialect::Sqlite)).next().unwrap();
    assert!(token.is_word("BEGIN") && !token.is_symbol("Begin") && !token.is_trivia());
    let token = tokens("\"BEGIN\"", Syntax::of(Dialect::Sqlite)).next().unwrap();
    assert!(!token.is_word("\"BEGIN\"") && !token.opens_code() && token.end() == 7);
}

#[test]
fn variables_of_sqlite() {
    whole(
        Dialect::Sqlite,
        Symbol,
        &[
            "$a",
            "$a$",
            "@a1",
            "#b",
            ":c::d",
            "$a(';\"/*--)",
            "$a::b()",
            "?123",
            "?",
            ":é(')",
            "$1(;)",
        ],
    );
    for (text, wanted) in [
        ("$a(b)(c)", "$a(b)"),
        ("$(')", "$"),
        ("$::(')", "$::"),
        ("$a:'b'", "$a"),
        (":'a'", ":"),
        ("?1a", "?1"),
        ("?a", "?"),
        ("?(')", "?"),
        ("@@a", "@"),
    ] {
        first(Dialect::Sqlite, text, Symbol, wanted);
    }
    open(Dialect::Sqlite, &["$a(' )", "$a(;", "1, :a(b\n)"]);
    first(Dialect::Postgres, "$a(')", Symbol, "$");
    first(Dialect::MySql, "@a(')", Symbol, "@");
}
