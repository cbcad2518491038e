//! Names before a parenthesis: functions, and names that only look like functions.

use super::functions::{COMMON, MYSQL, POSTGRES, SQLITE};
use super::session_effect::SessionEffect;
use crate::sql::dialect::Dialect;
use crate::sql::token::{Token, TokenKind};

/// A name, such as `a` or `a.b`, and what stands around it.
#[derive(Clone, Copy)]
pub(super) struct CallName<'t> {
    /// The part before the last dot.
    schema: Option<Token<'t>>,
    last: Token<'t>,
    before: Option<Token<'t>>,
}

/// What a call means to the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FunctionCall {
    Harmless,
    Leaves(SessionEffect),
    Reads,
    /// `LAST_INSERT_ID` of MySQL: without an argument it reads, with an argument it writes.
    LastInsertId,
}

impl<'t> CallName<'t> {
    /// Whether one of these words stands before the name.
    pub(super) fn follows(&self, words: &[&str]) -> bool {
        self.before.is_some_and(|before| before.is_any_word(words))
    }

    /// The name that ends with this token.
    pub(super) fn after(
        name: Option<CallName<'t>>,
        before: Option<Token<'t>>,
        token: &Token<'t>,
    ) -> Option<CallName<'t>> {
        let dotted = before.is_some_and(|last| last.is_symbol("."));
        match token.kind {
            TokenKind::Word | TokenKind::Quoted if dotted => Some(CallName {
                schema: name.map(|name| name.last),
                last: *token,
                before: name.and_then(|name| name.before),
            }),
            TokenKind::Word | TokenKind::Quoted => {
                Some(CallName { schema: None, last: *token, before })
            }
            TokenKind::Symbol if token.text == "." => name,
            _ => None,
        }
    }
}

/// What a name before a parenthesis calls; `None` if it is a keyword, a type or a table.
pub(super) fn is_call(name: &CallName<'_>, dialect: Dialect) -> Option<FunctionCall> {
    let text = name.last.text;
    if text.starts_with('\'') || names_columns(name) {
        return None;
    }
    let quoted = name.last.kind == TokenKind::Quoted;
    if !quoted && name.schema.is_none() && is_keyword(name, dialect) {
        return None;
    }
    // In MySQL, only stored functions can have a quoted name.
    let foreign = quoted && dialect == Dialect::MySql;
    if foreign || name.schema.is_some_and(|schema| !is_system(&schema, dialect)) {
        return Some(FunctionCall::Leaves(SessionEffect::Code));
    }
    let lower = text.trim_matches(['"', '`', '[', ']']).to_ascii_lowercase();
    Some(known(&lower, dialect))
}

fn is_system(schema: &Token<'_>, dialect: Dialect) -> bool {
    let name = schema.text.trim_matches('"');
    dialect == Dialect::Postgres && name.eq_ignore_ascii_case("pg_catalog")
}

fn known(name: &str, dialect: Dialect) -> FunctionCall {
    use SessionEffect::{Code, Object, Setting};
    let advisory = ["pg_advisory_lock", "pg_try_advisory_lock", "pg_advisory_unlock"];
    match (dialect, name) {
        (Dialect::Postgres, "set_config" | "setseed") => FunctionCall::Leaves(Setting),
        (Dialect::Postgres, _) if advisory.iter().any(|it| name.starts_with(it)) => {
            FunctionCall::Leaves(Object)
        }
        (Dialect::Postgres, "lastval" | "currval") => FunctionCall::Reads,
        (Dialect::MySql, "get_lock" | "release_lock" | "release_all_locks") => {
            FunctionCall::Leaves(Object)
        }
        (Dialect::MySql, "last_insert_id") => FunctionCall::LastInsertId,
        (Dialect::MySql, "row_count" | "found_rows" | "lastval") => FunctionCall::Reads,
        (Dialect::Sqlite, "load_extension") => FunctionCall::Leaves(Object),
        (Dialect::Sqlite, "last_insert_rowid" | "changes" | "total_changes") => FunctionCall::Reads,
        _ if is_harmless(name, dialect) => FunctionCall::Harmless,
        _ => FunctionCall::Leaves(Code),
    }
}

fn is_harmless(name: &str, dialect: Dialect) -> bool {
    let own: &[&str] = match dialect {
        Dialect::Postgres => &POSTGRES,
        Dialect::MySql => &MYSQL,
        Dialect::Sqlite => &SQLITE,
    };
    COMMON.binary_search(&name).is_ok() || own.binary_search(&name).is_ok()
}

/// Whether the parenthesis holds the columns of the table or alias before it.
fn names_columns(name: &CallName<'_>) -> bool {
    let words = [
        "INTO",
        "REFERENCES",
        "TABLE",
        "COPY",
        "AS",
        "INSERT",
        "IGNORE",
        "RECURSIVE",
        "ONLY",
        "CONSTRAINT",
        "WITH",
    ];
    name.follows(&words)
}

/// Keywords that are never functions.
const KEYWORDS: [&str; 38] = [
    "ALL",
    "AND",
    "ANY",
    "ARRAY",
    "AS",
    "BETWEEN",
    "CASE",
    "CAST",
    "CHECK",
    "DISTINCT",
    "ELSE",
    "EXCEPT",
    "EXISTS",
    "FROM",
    "HAVING",
    "IN",
    "INTERSECT",
    "INTO",
    "LATERAL",
    "LIMIT",
    "NOT",
    "OFFSET",
    "ON",
    "OR",
    "PRIMARY",
    "RETURNING",
    "ROW",
    "SELECT",
    "SOME",
    "THEN",
    "TO",
    "UNION",
    "UNIQUE",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
];

/// Types with a length. A function cannot have such a name.
const TYPES: [&str; 15] = [
    "BIT",
    "CHAR",
    "CHARACTER",
    "DEC",
    "DECIMAL",
    "FLOAT",
    "INTERVAL",
    "NATIONAL",
    "NCHAR",
    "NUMERIC",
    "PRECISION",
    "TIME",
    "TIMESTAMP",
    "VARCHAR",
    "VARYING",
];

/// Reserved words of MySQL and SQLite that are names of functions elsewhere.
const RESERVED: [&str; 13] = [
    "AGAINST",
    "BY",
    "CONFLICT",
    "DIV",
    "FORCE",
    "INDEX",
    "JOIN",
    "KEY",
    "LIKE",
    "LINES",
    "MATCH",
    "PARTITION",
    "XOR",
];

/// Words that are keywords after certain other words.
const PAIRS: [(&str, &[&str]); 10] = [
    ("BY", &["GROUP", "ORDER", "PARTITION"]),
    ("KEY", &["PRIMARY", "FOREIGN"]),
    ("CONFLICT", &["ON"]),
    ("MATERIALIZED", &["AS", "NOT"]),
    ("ROLLUP", &["BY"]),
    ("CUBE", &["BY"]),
    ("SETS", &["GROUPING"]),
    ("GROUP", &["WITHIN"]),
    ("SET", &["UPDATE"]),
    ("DEFAULT", &["BY"]),
];

/// Words that are keywords after a closing parenthesis.
const BEHIND_PARENTHESIS: [&str; 5] = ["AGAINST", "FILTER", "INCLUDE", "OVER", "WITHIN"];

/// Words that are keywords after a value or a name.
const BEHIND_OPERAND: [&str; 9] =
    ["ILIKE", "IS", "JOIN", "LIKE", "REGEXP", "RESET", "RLIKE", "SET", "SIMILAR"];

fn is_keyword(name: &CallName<'_>, dialect: Dialect) -> bool {
    let is = |words: &[&str]| name.last.is_any_word(words);
    let parenthesis = name.before.is_some_and(|before| before.is_symbol(")"));
    is(&KEYWORDS)
        || is(&TYPES)
        || (dialect != Dialect::Postgres && is(&RESERVED))
        || PAIRS.iter().any(|(word, before)| name.last.is_word(word) && name.follows(before))
        || (parenthesis && is(&BEHIND_PARENTHESIS))
        || (is(&BEHIND_OPERAND) && name.before.is_some_and(|before| is_operand(&before)))
}

/// Whether a value or a name can end with this token.
fn is_operand(token: &Token<'_>) -> bool {
    match token.kind {
        TokenKind::Quoted | TokenKind::Number | TokenKind::DollarQuoted => true,
        TokenKind::Word => !token.is_any_word(&KEYWORDS) && !token.is_word("BY"),
        TokenKind::Symbol => matches!(token.text, ")" | "]"),
        TokenKind::Whitespace | TokenKind::Comment => false,
    }
}
