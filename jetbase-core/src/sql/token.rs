//! The lexer: cuts SQL text into tokens, with the quoting rules of its dialect.
//!
//! The tokens cover the whole text: joined, they are the text again, byte for byte.
//!
//! The lexer reads bytes, because every character with a meaning is ASCII. The
//! bytes of all other characters are parts of words.

mod quote;

use std::cell::Cell;

pub(crate) use self::quote::skipped_comment;
use self::quote::{Quote, continuation, nested_comment, variable};
use crate::sql::bytes::{after_blanks, after_line, word_start};
use crate::sql::dialect::{Dialect, Syntax};
use crate::sql::server::{CommentMark, Nesting, Runs};

pub(crate) use self::quote::dollar_tag;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Blanks and line ends.
    Whitespace,
    /// A `--`, `#` or `/* … */` comment, without the line end after it.
    Comment,
    /// A bare identifier or keyword.
    Word,
    /// A quoted string or identifier, with its prefix and its quotes.
    Quoted,
    /// A dollar-quoted string of PostgreSQL, with its tags.
    DollarQuoted,
    /// A number, with the letters that follow it directly.
    Number,
    /// Any other character, a variable of SQLite such as `$a::b(c)`, and the marks `/*!50003` and `*/` around the code
    /// that MySQL and MariaDB read in comments.
    Symbol,
}

/// One token of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'t> {
    /// What it is.
    pub kind: TokenKind,
    /// The text of the token.
    pub text: &'t str,
    /// The byte offset of the token in the text.
    pub start: usize,
    /// False for a string, identifier or comment that the end of the text leaves open.
    pub closed: bool,
}

/// A token without its text: its kind and its place. Statements keep these, because they take less memory, and
/// most of them are never read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lexeme {
    pub(crate) kind: TokenKind,
    pub(crate) closed: bool,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Lexeme {
    /// The token, whose text begins at `base` of the text that was lexed.
    pub(crate) fn token(self, text: &str, base: usize) -> Token<'_> {
        let Lexeme { kind, closed, start, end } = self;
        let text = text.get(start.saturating_sub(base)..end.saturating_sub(base));
        Token { kind, text: text.unwrap_or_default(), start, closed }
    }
}

impl Token<'_> {
    /// The same without the text.
    pub(crate) fn lexeme(&self) -> Lexeme {
        Lexeme { kind: self.kind, closed: self.closed, start: self.start, end: self.end() }
    }

    /// The byte offset of the end of the token.
    #[must_use]
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether the token is whitespace or a comment.
    #[must_use]
    pub fn is_trivia(&self) -> bool {
        matches!(self.kind, TokenKind::Whitespace | TokenKind::Comment)
    }

    /// Whether the token is this bare word, in any case.
    #[must_use]
    pub fn is_word(&self, word: &str) -> bool {
        matches!(self.kind, TokenKind::Word)
            && self.text.len() == word.len()
            && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether the token is this symbol.
    #[must_use]
    pub fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.kind, TokenKind::Symbol) && self.text == symbol
    }

    /// Whether the server reads the token: it is no blank, no comment, and no mark around code.
    pub(crate) fn is_code(&self) -> bool {
        !self.is_trivia() && !self.opens_code() && !self.is_symbol("*/")
    }

    /// Whether the token opens code in a comment: `/*!`, `/*!50003` or `/*M!`.
    #[must_use]
    pub fn opens_code(&self) -> bool {
        matches!((self.kind, self.text.as_bytes()), (TokenKind::Symbol, [b'/', b'*', ..]))
    }
}

/// The longest text of a token that is compared with keywords.
const LONGEST_KEYWORD: usize = 64;

/// The first tokens of a statement in upper case, so that they can be compared with keywords.
pub(crate) fn keywords(tokens: &[Token<'_>], count: usize) -> Vec<String> {
    let upper = |token: &Token<'_>| {
        let length = token.text.len().min(LONGEST_KEYWORD);
        token.text.get(..length).unwrap_or_default().to_ascii_uppercase()
    };
    tokens.iter().take(count).map(upper).collect()
}

/// Cuts a text into tokens.
#[must_use]
pub fn tokens(text: &str, syntax: Syntax) -> Tokens<'_> {
    Tokens { text, rest: text.as_bytes(), syntax, state: LexerState::Text, word_end: 0 }
}

thread_local! {
    static LEXED_BYTES: Cell<usize> = const { Cell::new(0) };
}

/// How many bytes this thread has cut into tokens. Tests read it to check that each text is lexed once.
#[doc(hidden)]
#[must_use]
pub fn lexed_bytes() -> usize {
    LEXED_BYTES.get()
}

/// The iterator over the tokens of a text.
#[derive(Debug)]
pub struct Tokens<'t> {
    text: &'t str,
    /// The bytes that are not read yet.
    rest: &'t [u8],
    syntax: Syntax,
    state: LexerState,
    /// The end of the word that was read before the last jump back.
    word_end: usize,
}

/// Whether the lexer is inside a comment that MySQL runs as code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LexerState {
    Text,
    Code,
}

impl<'t> Tokens<'t> {
    /// The byte offset of the next token.
    #[inline(always)]
    pub(crate) fn offset(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// Skips the blanks and line ends here.
    #[inline(always)]
    pub(crate) fn skip_blanks(&mut self) {
        self.rest = after_blanks(self.rest);
    }

    /// The next token, without its text.
    pub(crate) fn next_lexeme(&mut self) -> Option<Lexeme> {
        if self.rest.is_empty() {
            return None;
        }
        let start = self.offset();
        let (kind, after) = self.scan();
        let (closed, after) = match after {
            Some(after) => (true, after),
            None => (false, Default::default()),
        };
        self.rest = after;
        Some(Lexeme { kind, closed, start, end: self.offset() })
    }

    /// Whether the text goes on with this byte.
    #[inline(always)]
    pub(crate) fn is_at(&self, byte: u8) -> bool {
        matches!(self.rest, [first, ..] if *first == byte)
    }

    /// Goes on at a byte offset.
    pub(crate) fn jump(&mut self, to: usize) {
        self.word_end = self.word_end.max(self.offset());
        self.rest = self.text.as_bytes().get(to..).unwrap_or_default();
    }

    /// Reads what follows with another syntax.
    pub(crate) fn follow(&mut self, syntax: Syntax) {
        self.syntax = syntax;
    }

    fn is(&self, dialect: Dialect) -> bool {
        self.syntax.dialect == dialect
    }

    /// The text that is not read yet.
    fn rest(&self) -> &'t str {
        self.text.get(self.offset()..).unwrap_or_default()
    }

    /// The kind of the next token and what follows it; `None` if the token is never closed.
    fn scan(&mut self) -> (TokenKind, Option<&'t [u8]>) {
        match self.rest {
            // The most frequent case first. With a quote, the letter can be the prefix of a string.
            [b'a'..=b'z' | b'A'..=b'Z' | b'_', next, ..] if !matches!(next, b'\'' | b'&') => {
                (TokenKind::Word, self.after_word())
            }
            // These have no other meaning in any dialect.
            [b'(' | b')' | b',' | b';' | b'.' | b'=', after @ ..] => {
                (TokenKind::Symbol, Some(after))
            }
            rest => match self.quote() {
                Some(quote) => (TokenKind::Quoted, self.after_quotes(&quote)),
                None => self.scan_unquoted(rest),
            },
        }
    }

    fn scan_unquoted(&mut self, rest: &'t [u8]) -> (TokenKind, Option<&'t [u8]>) {
        match rest {
            [b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c', ..] => {
                (TokenKind::Whitespace, Some(self.after_blanks()))
            }
            // SQLite skips a byte order mark wherever a token can begin.
            [0xef, 0xbb, 0xbf, ..] if self.is(Dialect::Sqlite) => {
                (TokenKind::Whitespace, Some(self.after_blanks()))
            }
            [b'-' | b'#', ..] if self.starts_line_comment() => {
                (TokenKind::Comment, Some(self.after_line()))
            }
            [b'/', b'*', ..] => self.comment(),
            [b'*', b'/', after @ ..] if self.state == LexerState::Code => {
                self.state = LexerState::Text;
                (TokenKind::Symbol, Some(after))
            }
            [b'$', ..] if self.is(Dialect::Postgres) => self.dollar(),
            [b'$' | b'@' | b'#' | b':' | b'?', ..] if self.is(Dialect::Sqlite) => {
                (TokenKind::Symbol, self.after(variable(self.rest())))
            }
            [b'0'..=b'9', ..] => {
                let mut rest = rest;
                while let [word_start!() | b'0'..=b'9' | b'.', after @ ..] = rest {
                    rest = after;
                }
                (TokenKind::Number, Some(rest))
            }
            [word_start!(), ..] => (TokenKind::Word, self.after_word()),
            [_, after @ ..] => (TokenKind::Symbol, Some(after)),
            [] => (TokenKind::Symbol, None),
        }
    }

    /// What follows a token of this length.
    fn after(&self, length: Option<usize>) -> Option<&'t [u8]> {
        self.rest.get(length?..)
    }

    fn after_blanks(&self) -> &'t [u8] {
        let mut rest = after_blanks(self.rest);
        while let [0xef, 0xbb, 0xbf, after @ ..] = rest
            && self.is(Dialect::Sqlite)
        {
            rest = after_blanks(after);
        }
        rest
    }

    /// In MySQL, a blank or a control character must follow `--`, because `5--1` is 6.
    fn starts_line_comment(&self) -> bool {
        match self.rest {
            [b'#', ..] => self.is(Dialect::MySql),
            [b'-', b'-', after @ ..] => {
                !self.is(Dialect::MySql) || matches!(after, [] | [0..=b' ' | 0x7f, ..])
            }
            _ => false,
        }
    }

    fn after_line(&self) -> &'t [u8] {
        if self.is(Dialect::Postgres) {
            return after_line(self.rest);
        }
        let mut rest = self.rest;
        while let [0..=b'\t' | 0x0b..=0xff, after @ ..] = rest {
            rest = after;
        }
        rest
    }

    fn comment(&mut self) -> (TokenKind, Option<&'t [u8]>) {
        let length = match self.mark() {
            Some(mark) if mark.runs != Runs::Nobody => {
                self.state = LexerState::Code;
                return (TokenKind::Symbol, self.after(Some(mark.length)));
            }
            Some(mark) => skipped_comment(self.rest(), mark.nesting),
            None if self.is(Dialect::Postgres) => nested_comment(self.rest()),
            None => skipped_comment(self.rest(), Nesting::None),
        };
        (TokenKind::Comment, self.after(length))
    }

    /// The mark here that makes a comment code.
    fn mark(&self) -> Option<CommentMark> {
        self.is(Dialect::MySql).then(|| self.syntax.server.mark(self.rest())).flatten()
    }

    /// The quotes that open here.
    fn quote(&self) -> Option<Quote> {
        let Syntax { dialect, ansi_quotes, backslash_escapes, .. } = self.syntax;
        let postgres = dialect == Dialect::Postgres;
        let (open, close, backslash) = match self.rest {
            [b'\'', ..] => (1, b'\'', backslash_escapes),
            [b'"', ..] => (1, b'"', backslash_escapes && !ansi_quotes),
            [b'`', ..] if !postgres => (1, b'`', false),
            [b'[', ..] if dialect == Dialect::Sqlite => (1, b']', false),
            [b'E' | b'e', b'\'', ..] if postgres => (2, b'\'', true),
            [b'N' | b'n', b'\'', ..] => (2, b'\'', backslash_escapes),
            [b'B' | b'b' | b'X' | b'x', b'\'', ..] => (2, b'\'', false),
            [b'U' | b'u', b'&', close @ (b'\'' | b'"'), ..] if postgres => (3, *close, false),
            _ => return None,
        };
        Some(Quote { open, close, backslash })
    }

    fn after_quotes(&self, quote: &Quote) -> Option<&'t [u8]> {
        let mut rest = quote.after(self.rest.get(quote.open..)?)?;
        if self.is(Dialect::Postgres) && quote.close == b'\'' {
            while let Some(string) = continuation(rest) {
                rest = quote.after(string)?;
            }
        }
        Some(rest)
    }

    fn dollar(&self) -> (TokenKind, Option<&'t [u8]>) {
        let Some(tag) = dollar_tag(self.rest()) else {
            return (TokenKind::Symbol, self.after(Some(1)));
        };
        let inside = self.rest().strip_prefix(tag).unwrap_or_default();
        let length = inside.find(tag).map(|at| at + 2 * tag.len());
        (TokenKind::DollarQuoted, self.after(length))
    }

    fn after_word(&self) -> Option<&'t [u8]> {
        if self.word_end > self.offset() {
            return self.text.as_bytes().get(self.word_end..);
        }
        let mut rest = self.rest;
        while let [word_start!() | b'0'..=b'9' | b'$', after @ ..] = rest {
            rest = after;
        }
        Some(rest)
    }
}

impl Drop for Tokens<'_> {
    fn drop(&mut self) {
        LEXED_BYTES.set(LEXED_BYTES.get() + self.offset());
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        let lexeme = self.next_lexeme()?;
        Some(lexeme.token(self.text, 0))
    }
}

#[cfg(test)]
mod tests;
