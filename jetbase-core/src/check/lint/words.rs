//! A statement as a list of upper-case words, without what stands in parentheses.

use crate::file::Kind;
use crate::sql::{Syntax, TokenKind, tokens};

/// The words of a statement that the lints read.
pub(super) struct Words(Vec<String>);

/// Whether a lint reads statements with this first word.
fn looked_at(first: &str, kind: Kind) -> bool {
    match first {
        "ALTER" | "CREATE" | "DELETE" | "DROP" | "RENAME" | "RESET" | "SET" | "TRUNCATE"
        | "UPDATE" | "WITH" => true,
        "INSERT" => kind.is_repeatable(),
        _ => false,
    }
}

impl Words {
    /// The words of a statement; only those before the first parenthesis of a CREATE, and none if no lint
    /// reads the statement.
    pub(super) fn of(sql: &str, syntax: Syntax, kind: Kind) -> Self {
        let mut words = Vec::new();
        let mut depth = 0_usize;
        for token in tokens(sql, syntax).filter(|token| !token.is_trivia() && !token.opens_code()) {
            match token.text {
                ")" => depth = depth.saturating_sub(1),
                "(" => {
                    if depth == 0 {
                        words.push("(".to_owned());
                    }
                    depth += 1;
                    if words.first().is_some_and(|first| first == "CREATE") {
                        break;
                    }
                }
                _ if depth > 0 => {}
                text if token.kind == TokenKind::Quoted => words.push(unquoted(text)),
                text => words.push(text.to_ascii_uppercase()),
            }
            if words.len() == 1 && words.iter().all(|first| !looked_at(first, kind)) {
                break;
            }
        }
        Words(words)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// The texts in the outermost parentheses of a statement, such as those of its common table expressions.
pub(super) fn parenthesised(sql: &str, syntax: Syntax) -> Vec<&str> {
    let (mut depth, mut start, mut texts) = (0_usize, 0, Vec::new());
    for token in tokens(sql, syntax).filter(|token| token.kind == TokenKind::Symbol) {
        match token.text {
            "(" => {
                depth += 1;
                if depth == 1 {
                    start = token.end();
                }
            }
            ")" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    texts.extend(sql.get(start..token.start));
                }
            }
            _ => {}
        }
    }
    texts
}

/// A quoted name as one that is compared like a bare one; strings become no word at all.
fn unquoted(text: &str) -> String {
    let name = text.trim_matches(['"', '`', '[', ']']);
    if name.len() == text.len() { "'".to_owned() } else { name.to_uppercase() }
}

/// The words after `IF [NOT] EXISTS`, if they begin with it.
pub(super) fn condition<'w>(words: &'w [&'w str]) -> &'w [&'w str] {
    match words {
        ["IF", "NOT", "EXISTS", rest @ ..] | ["IF", "EXISTS", rest @ ..] => rest,
        words => words,
    }
}

/// The name that a list of words begins with, `IF [NOT] EXISTS` and `ONLY` skipped, and the words after it.
pub(super) fn name<'w>(words: &'w [&'w str]) -> (String, &'w [&'w str]) {
    let words = condition(words);
    let words = match words {
        ["ONLY", rest @ ..] => rest,
        words => words,
    };
    match words {
        [a, ".", b, ".", c, rest @ ..] => (format!("{a}.{b}.{c}"), rest),
        [a, ".", b, rest @ ..] => (format!("{a}.{b}"), rest),
        [a, rest @ ..] => ((*a).to_owned(), rest),
        [] => (String::new(), words),
    }
}

/// The actions of an ALTER TABLE.
pub(super) fn actions<'w>(words: &'w [&'w str]) -> impl Iterator<Item = &'w [&'w str]> {
    words.split(|word| *word == ",")
}
