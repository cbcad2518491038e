//! What a database sees of a statement: its tokens, and those of the code in its dollar quotes.

use crate::sql::{Syntax, Token, TokenKind, dollar_tag, tokens};

/// The tokens that a database sees.
pub(super) fn meaning(sql: &str, syntax: Syntax) -> Vec<&str> {
    let mut words: Vec<_> = tokens_with_nested_code(sql, syntax)
        .iter()
        .filter(|it| !it.is_trivia())
        .map(|it| it.text)
        .collect();
    while words.last() == Some(&";") {
        words.pop();
    }
    words
}

/// The tokens of a statement. A dollar quote with code is replaced by the tokens of the code.
pub(super) fn tokens_with_nested_code(sql: &str, syntax: Syntax) -> Vec<Token<'_>> {
    nested(sql, syntax, 0)
}

/// Code that is nested deeper in dollar quotes is compared as text, because each level is read again.
const MAX_DEPTH: usize = 8;

fn nested(sql: &str, syntax: Syntax, depth: usize) -> Vec<Token<'_>> {
    let mut all: Vec<Token<'_>> = Vec::new();
    for token in tokens(sql, syntax) {
        if token.kind != TokenKind::DollarQuoted || depth == MAX_DEPTH || !is_code(&all) {
            all.push(token);
            continue;
        }
        let tag = dollar_tag(token.text).unwrap_or_default();
        let inside = token
            .text
            .strip_prefix(tag)
            .and_then(|text| text.strip_suffix(tag))
            .unwrap_or_default();
        all.push(Token { kind: TokenKind::Symbol, text: tag, ..token });
        let start = token.start + tag.len();
        all.extend(
            nested(inside, syntax, depth + 1)
                .into_iter()
                .map(|it| Token { start: start + it.start, ..it }),
        );
    }
    all
}

/// Whether a dollar-quoted text after these tokens is code, and not a string, whose line breaks matter.
fn is_code(before: &[Token<'_>]) -> bool {
    let mut words = before.iter().rev().filter(|token| !token.is_trivia());
    let (last, other) = (words.next(), words.next());
    let begins = ["AS", "DO", "EXECUTE"];
    last.is_some_and(|token| begins.iter().any(|word| token.is_word(word)))
        || other.is_some_and(|token| token.is_word("LANGUAGE"))
}

pub(super) fn is_quoted(token: &Token<'_>) -> bool {
    matches!(token.kind, TokenKind::Quoted | TokenKind::DollarQuoted)
}
