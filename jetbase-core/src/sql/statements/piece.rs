//! The pieces of a text, and why a text cannot be cut into them.

use std::error::Error;
use std::fmt;

use crate::sql::dialect::Syntax;
use crate::sql::token::{Lexeme, Token};

/// A statement with the comments before it and the delimiter after it. All pieces
/// of a text, joined, are the text again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'t> {
    /// The text of the piece.
    pub text: &'t str,
    /// The byte offset of the piece in the text.
    pub start: usize,
    /// The statement, unless the piece holds comments or a `DELIMITER` line only.
    pub statement: Option<Statement<'t>>,
}

/// A statement, from its first to its last token, without its delimiter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement<'t> {
    /// The SQL to run.
    pub sql: &'t str,
    /// The byte offset of the SQL in the text.
    pub start: usize,
    /// False if no delimiter ends the statement, which is then the last one.
    pub terminated: bool,
    /// How the server reads it: a `SET sql_mode` before it may have changed the syntax.
    pub syntax: Syntax,
    /// What the server reads: no blanks, no comments, no marks around code.
    pub(crate) lexemes: Vec<Lexeme>,
    /// The indexes of the lexemes `;` between several statements.
    pub(super) semicolons: Vec<usize>,
    /// The start of the first comment of MySQL whose code ends a statement. The server runs the rest of
    /// the comment as another statement, which no piece shows.
    pub(crate) hidden: Option<usize>,
    /// Whether it holds a comment that only some servers run.
    pub(crate) conditional: bool,
}

impl<'t> Statement<'t> {
    /// The tokens that the server reads.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = Token<'t>> {
        self.part(&self.lexemes).tokens()
    }

    /// The first token.
    pub(crate) fn first(&self) -> Option<Token<'t>> {
        self.lexemes.first().map(|lexeme| lexeme.token(self.sql, self.start))
    }

    /// Each statement in it. With a delimiter other than `;`, there can be several.
    pub(crate) fn parts(&self) -> impl Iterator<Item = StatementPart<'_, 't>> {
        self.part_lexemes().map(|lexemes| self.part(lexemes))
    }

    fn part<'a>(&self, lexemes: &'a [Lexeme]) -> StatementPart<'a, 't> {
        StatementPart { sql: self.sql, start: self.start, lexemes }
    }

    fn part_lexemes(&self) -> impl Iterator<Item = &[Lexeme]> {
        let mut from = 0;
        let ends = self.semicolons.iter().copied().chain([self.lexemes.len()]);
        ends.filter_map(move |end| {
            let part = self.lexemes.get(from..end)?;
            from = end + 1;
            (!part.is_empty() || self.semicolons.is_empty()).then_some(part)
        })
    }

    /// Returns how many statements the server finds in it.
    #[must_use]
    pub fn count(&self) -> usize {
        if self.semicolons.is_empty() { 1 } else { self.part_lexemes().count().max(1) }
    }
}

/// One of the statements that the server finds in a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatementPart<'a, 't> {
    /// The text of the whole statement, and its byte offset in the text.
    sql: &'t str,
    start: usize,
    lexemes: &'a [Lexeme],
}

impl<'a, 't> StatementPart<'a, 't> {
    pub(crate) fn tokens(self) -> impl Iterator<Item = Token<'t>> + use<'a, 't> {
        self.lexemes.iter().map(move |lexeme| lexeme.token(self.sql, self.start))
    }

    pub(crate) fn to_vec(self) -> Vec<Token<'t>> {
        self.tokens().collect()
    }
}

/// A text that cannot be cut: something in it is never closed, or servers read it in two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutError {
    /// The byte offset where it opens.
    pub at: usize,
    /// What is open.
    pub open: Open,
}

/// What is open at the end of a text, or unclear in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Open {
    /// A quoted string.
    String,
    /// A quoted identifier.
    Identifier,
    /// A comment, or code in a comment of MySQL.
    Comment,
    /// A dollar-quoted string, with its tag such as `$fn$`.
    DollarQuote(String),
    /// A parenthesis of PostgreSQL, inside which `;` does not end a statement, or one in a variable of SQLite.
    Parenthesis,
    /// The body of a trigger or routine, or a block in it.
    Body,
    /// A comment that some servers run as code and others skip, with different ends.
    Versions,
    /// The syntax of the rest: `sql_mode` gets a value that the text does not show.
    SqlMode,
    /// The syntax of the rest of a piece: the piece holds several statements, and one sets `sql_mode`.
    JoinedSqlMode,
}

impl fmt::Display for CutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.open {
            Open::String => f.write_str("this string is never closed"),
            Open::Identifier => f.write_str("this quoted identifier is never closed"),
            Open::Comment => f.write_str("this comment is never closed"),
            Open::DollarQuote(tag) => write!(f, "the dollar quote {tag} is never closed"),
            Open::Parenthesis => f.write_str("this parenthesis is never closed"),
            Open::Body => f.write_str("this block has no END"),
            Open::Versions => {
                f.write_str("servers of different versions read this comment differently")
            }
            Open::SqlMode => {
                f.write_str("this sets sql_mode to a value that the file does not show")
            }
            Open::JoinedSqlMode => f.write_str("this sets sql_mode together with other statements"),
        }
    }
}

impl Error for CutError {}
