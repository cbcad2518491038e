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
use crate::sql::bytes::{blanks, line, run, word_start};
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

impl Token<'_> {
    /// Returns the byte offset of the end of the token.
    #[must_use]
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Returns whether the token is whitespace or a comment.
    #[must_use]
    pub fn is_trivia(&self) -> bool {
        matches!(self.kind, TokenKind::Whitespace | TokenKind::Comment)
    }

    /// Returns whether the token is this word without quotes, in upper or lower case.
    #[must_use]
    pub fn is_word(&self, word: &str) -> bool {
        matches!(self.kind, TokenKind::Word)
            && self.text.len() == word.len()
            && self.text.eq_ignore_ascii_case(word)
    }

    /// Returns whether the token is this symbol.
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
    Tokens { rest: text, at: 0, syntax, state: LexerState::Text, word_end: 0 }
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
    rest: &'t str,
    at: usize,
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
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// Skips the blanks and line ends here.
    pub(crate) fn skip_blanks(&mut self) {
        let length = blanks(self.rest);
        if length > 0 {
            self.at += length;
            self.rest = self.rest.get(length..).unwrap_or_default();
        }
    }

    /// Whether the text goes on with this byte.
    pub(crate) fn is_at(&self, byte: u8) -> bool {
        matches!(self.rest.as_bytes(), [first, ..] if *first == byte)
    }

    /// Goes on at a byte offset of `text`, the text of these tokens.
    pub(crate) fn jump(&mut self, text: &'t str, to: usize) {
        self.word_end = self.word_end.max(self.at);
        self.at = to;
        self.rest = text.get(to..).unwrap_or_default();
    }

    /// Reads what follows with another syntax.
    pub(crate) fn follow(&mut self, syntax: Syntax) {
        self.syntax = syntax;
    }

    fn is(&self, dialect: Dialect) -> bool {
        self.syntax.dialect == dialect
    }

    /// The kind of the next token and its length; `None` if the token is never closed.
    fn scan(&mut self, first: u8) -> (TokenKind, Option<usize>) {
        // Only these bytes can begin quotes.
        if matches!(
            first,
            b'\''
                | b'"'
                | b'`'
                | b'['
                | b'B'
                | b'E'
                | b'N'
                | b'U'
                | b'X'
                | b'b'
                | b'e'
                | b'n'
                | b'u'
                | b'x'
        ) && let Some(quote) = self.quote()
        {
            return (TokenKind::Quoted, self.quoted(&quote));
        }
        match first {
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c' => {
                (TokenKind::Whitespace, Some(self.blanks()))
            }
            0xef if self.blanks() > 0 => (TokenKind::Whitespace, Some(self.blanks())),
            b'-' | b'#' if self.starts_line_comment() => (TokenKind::Comment, Some(self.line())),
            b'/' if self.rest.starts_with("/*") => self.comment(),
            b'*' if self.state == LexerState::Code && self.rest.starts_with("*/") => {
                self.state = LexerState::Text;
                (TokenKind::Symbol, Some(2))
            }
            b'$' if self.is(Dialect::Postgres) => self.dollar(),
            b'$' | b'@' | b'#' | b':' | b'?' if self.is(Dialect::Sqlite) => {
                (TokenKind::Symbol, variable(self.rest))
            }
            b'0'..=b'9' => {
                (TokenKind::Number, Some(run!(self.rest, word_start!() | b'0'..=b'9' | b'.')))
            }
            word_start!() => (TokenKind::Word, Some(self.word())),
            _ => (TokenKind::Symbol, Some(1)),
        }
    }

    /// The length of the blanks here; SQLite skips a byte order mark wherever a token can begin.
    fn blanks(&self) -> usize {
        let mut length = blanks(self.rest);
        while self.is(Dialect::Sqlite)
            && let Some(marked) =
                self.rest.get(length..).filter(|rest| rest.starts_with('\u{feff}'))
        {
            length += '\u{feff}'.len_utf8();
            length += blanks(marked.get('\u{feff}'.len_utf8()..).unwrap_or_default());
        }
        length
    }

    /// In MySQL, a blank or a control character must follow `--`, because `5--1` is 6.
    fn starts_line_comment(&self) -> bool {
        let Some(after) = self.rest.strip_prefix("--") else {
            return self.is(Dialect::MySql) && self.rest.starts_with('#');
        };
        !self.is(Dialect::MySql) || matches!(after.as_bytes(), [] | [0..=b' ' | 0x7f, ..])
    }

    fn line(&self) -> usize {
        match self.is(Dialect::Postgres) {
            true => line(self.rest),
            false => run!(self.rest, 0..=b'\t' | 0x0b..=0xff),
        }
    }

    fn comment(&mut self) -> (TokenKind, Option<usize>) {
        let end = match self.mark() {
            Some(mark) if mark.runs != Runs::Nobody => {
                self.state = LexerState::Code;
                return (TokenKind::Symbol, Some(mark.length));
            }
            Some(mark) => skipped_comment(self.rest, mark.nesting),
            None if self.is(Dialect::Postgres) => nested_comment(self.rest),
            None => skipped_comment(self.rest, Nesting::None),
        };
        (TokenKind::Comment, end)
    }

    /// The mark here that makes a comment code.
    fn mark(&self) -> Option<CommentMark> {
        self.is(Dialect::MySql).then(|| self.syntax.server.mark(self.rest)).flatten()
    }

    /// The quotes that open here.
    fn quote(&self) -> Option<Quote> {
        let Syntax { dialect, ansi_quotes, backslash_escapes, .. } = self.syntax;
        let postgres = dialect == Dialect::Postgres;
        let (open, close, backslash) = match self.rest.as_bytes() {
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

    fn quoted(&self, quote: &Quote) -> Option<usize> {
        let mut end = quote.end(self.rest, quote.open)?;
        if self.is(Dialect::Postgres) && quote.close == b'\'' {
            while let Some(from) = continuation(self.rest, end) {
                end = quote.end(self.rest, from)?;
            }
        }
        Some(end)
    }

    fn dollar(&self) -> (TokenKind, Option<usize>) {
        let Some(tag) = dollar_tag(self.rest) else {
            return (TokenKind::Symbol, Some(1));
        };
        let inside = self.rest.strip_prefix(tag).unwrap_or_default();
        (TokenKind::DollarQuoted, inside.find(tag).map(|at| at + 2 * tag.len()))
    }

    fn word(&self) -> usize {
        if self.word_end > self.at {
            return self.word_end - self.at;
        }
        run!(self.rest, word_start!() | b'0'..=b'9' | b'$')
    }
}

impl Drop for Tokens<'_> {
    fn drop(&mut self) {
        LEXED_BYTES.set(LEXED_BYTES.get() + self.at);
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        let [first, ..] = self.rest.as_bytes() else { return None };
        let (kind, length) = self.scan(*first);
        let length_or_all = length.unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at_checked(length_or_all).unwrap_or((self.rest, ""));
        let token = Token { kind, text, start: self.at, closed: length.is_some() };
        self.at += text.len();
        self.rest = rest;
        Some(token)
    }
}

#[cfg(test)]
mod tests;
