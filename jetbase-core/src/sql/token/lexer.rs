//! The lexer: walks over the bytes of a text.

use std::cell::Cell;

use super::lexeme::{Lexeme, Token, TokenKind};
use super::quote::{Quote, continuation, dollar_tag, nested_comment, skipped_comment, variable};
use crate::sql::bytes::{after_blanks, after_line, word_start};
use crate::sql::dialect::{Dialect, Syntax};
use crate::sql::server::{CommentMark, Nesting, Runs};

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

    /// Skips the blanks that only the Python tool knows: those of Unicode. Returns whether there were any.
    pub(crate) fn skip_unicode_blanks(&mut self) -> bool {
        if !matches!(self.rest, [0x1c..=0x1f | 0x80.., ..]) {
            return false;
        }
        let rest = self.rest();
        let blank = |c: char| c.is_whitespace() || matches!(c, '\x1c'..='\x1f');
        let length = rest.len() - rest.trim_start_matches(blank).len();
        self.jump(self.offset() + length);
        length > 0
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
            [b'\'', inside @ ..] => {
                let backslash = self.syntax.backslash_escapes;
                let quote = Quote { open: 1, close: b'\'', backslash };
                (TokenKind::Quoted, self.after_quotes(&quote, inside))
            }
            // These have no other meaning in any dialect.
            [b'(' | b')' | b',' | b';' | b'.' | b'=', after @ ..] => {
                (TokenKind::Symbol, Some(after))
            }
            rest => match self.quote() {
                Some(quote) => {
                    let inside = self.after(Some(quote.open)).unwrap_or_default();
                    (TokenKind::Quoted, self.after_quotes(&quote, inside))
                }
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

    /// What follows quotes that are open before `inside`.
    fn after_quotes(&self, quote: &Quote, inside: &'t [u8]) -> Option<&'t [u8]> {
        let mut rest = quote.after(inside)?;
        if matches!(self.syntax.dialect, Dialect::Postgres) && quote.close == b'\'' {
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
