//! What a database sees of a statement: its tokens, and those of the code in its dollar quotes.

use crate::sql::{Statement, Syntax, Token, TokenKind, dollar_tag, tokens};

/// Whether a database sees the same tokens in a statement and in the text that the Python tool sends for it.
pub(super) fn means_the_same(ours: &Statement<'_>, theirs: &str) -> bool {
    if ours.sql == theirs {
        return true;
    }
    let theirs: Vec<_> = tokens(theirs, ours.syntax).filter(Token::is_code).collect();
    same(&ours.tokens().collect::<Vec<_>>(), &theirs, ours.syntax, 0)
}

fn same(ours: &[Token<'_>], theirs: &[Token<'_>], syntax: Syntax, depth: usize) -> bool {
    let (ours, theirs) = (without_delimiters(ours), without_delimiters(theirs));
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).enumerate().all(|(at, (our, their))| {
            our.text == their.text
                || match (code_of(ours, at), code_of(theirs, at)) {
                    (Some((tag, ours)), Some((other, theirs))) => {
                        let read = |text| tokens(text, syntax).filter(Token::is_code);
                        let (ours, theirs): (Vec<_>, Vec<_>) =
                            (read(ours).collect(), read(theirs).collect());
                        tag == other && depth < MAX_DEPTH && same(&ours, &theirs, syntax, depth + 1)
                    }
                    _ => false,
                }
        })
}

/// Code that is nested deeper in dollar quotes is compared as text, because each level is read again.
const MAX_DEPTH: usize = 8;

/// The Python tool strips the delimiters at the end of a statement.
fn without_delimiters<'a, 't>(mut tokens: &'a [Token<'t>]) -> &'a [Token<'t>] {
    while let [before @ .., last] = tokens
        && last.is_symbol(";")
    {
        tokens = before;
    }
    tokens
}

/// The tag and the text of a dollar quote that holds code.
fn code_of<'t>(tokens: &[Token<'t>], at: usize) -> Option<(&'t str, &'t str)> {
    let token = tokens.get(at).filter(|token| token.kind == TokenKind::DollarQuoted)?;
    let tag = dollar_tag(token.text)?;
    let inside = token.text.strip_prefix(tag)?.strip_suffix(tag)?;
    is_code(tokens.get(..at)?).then_some((tag, inside))
}

/// Whether a dollar-quoted text after these tokens is code, and not a string, whose line breaks matter.
fn is_code(before: &[Token<'_>]) -> bool {
    let mut words = before.iter().rev().filter(|token| token.is_code());
    let (last, other) = (words.next(), words.next());
    let begins = ["AS", "DO", "EXECUTE"];
    last.is_some_and(|token| token.is_any_word(&begins))
        || other.is_some_and(|token| token.is_word("LANGUAGE"))
}

/// Whether a text holds nothing but comments that are closed.
pub(super) fn is_empty(sql: &str, syntax: Syntax) -> bool {
    tokens(sql, syntax).all(|token| token.closed && (!token.is_code() || token.is_symbol(";")))
}

/// All tokens of a statement. A dollar quote with code is replaced by the tokens of the code.
pub(super) fn tokens_with_nested_code(sql: &str, syntax: Syntax) -> Vec<Token<'_>> {
    nested(sql, syntax, 0)
}

fn nested(sql: &str, syntax: Syntax, depth: usize) -> Vec<Token<'_>> {
    let mut all: Vec<Token<'_>> = Vec::new();
    for token in tokens(sql, syntax) {
        all.push(token);
        let Some((tag, inside)) = code_of(&all, all.len() - 1).filter(|_| depth < MAX_DEPTH) else {
            continue;
        };
        all.pop();
        all.push(Token { kind: TokenKind::Symbol, text: tag, ..token });
        let start = token.start + tag.len();
        let inside = nested(inside, syntax, depth + 1).into_iter();
        all.extend(inside.map(|it| Token { start: start + it.start, ..it }));
    }
    all
}
