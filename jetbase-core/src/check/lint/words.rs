//! The words of a statement in upper case, without what stands in parentheses.

use crate::file::MigrationKind;
use crate::sql::{Statement, Token, TokenKind};

/// Whether a lint reads statements with this first word.
fn is_read(first: &Token<'_>, kind: MigrationKind) -> bool {
    match first.text.to_ascii_uppercase().as_str() {
        "ALTER" | "CREATE" | "DELETE" | "DROP" | "RENAME" | "RESET" | "SET" | "TRUNCATE"
        | "UPDATE" | "WITH" => true,
        "INSERT" => kind.is_repeatable(),
        _ => false,
    }
}

/// The words of a statement, if a lint reads it.
pub(super) fn words(statement: &Statement<'_>, kind: MigrationKind) -> Option<Vec<String>> {
    statement.first().filter(|first| is_read(first, kind))?;
    Some(words_of(statement.tokens()))
}

/// The words of some tokens; of a CREATE, only those before the first parenthesis.
pub(super) fn words_of<'t>(tokens: impl Iterator<Item = Token<'t>>) -> Vec<String> {
    let mut words = Vec::new();
    let mut depth = 0_usize;
    for token in tokens {
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
    }
    words
}

/// The tokens in the outermost parentheses of a statement, such as those of its common table expressions.
pub(super) fn parenthesised<'a, 't>(tokens: &'a [Token<'t>]) -> Vec<&'a [Token<'t>]> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "(" => {
                depth += 1;
                if depth == 1 {
                    start = at + 1;
                }
            }
            ")" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    parts.extend(tokens.get(start..at));
                }
            }
            _ => {}
        }
    }
    parts
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
