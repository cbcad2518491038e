//! The pieces of a text, and why a text cannot be cut into them.

use std::error::Error;
use std::fmt;

use crate::sql::dialect::Syntax;

/// A statement with the comments before it and the delimiter behind it; the
/// pieces of a text, joined, are the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'t> {
    /// The text of the piece.
    pub text: &'t str,
    /// The byte offset of the piece in the text.
    pub start: usize,
    /// The statement, unless the piece holds comments or a `DELIMITER` line only.
    pub statement: Option<Statement<'t>>,
}

/// A statement, from its first to its last token, without its delimiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'t> {
    /// The SQL to run.
    pub sql: &'t str,
    /// The byte offset of the SQL in the text.
    pub start: usize,
    /// False for a last statement that no delimiter ends.
    pub terminated: bool,
    /// How the server reads it: a `SET sql_mode` before it may have changed the syntax.
    pub syntax: Syntax,
}

/// A text that cannot be cut, as something in it is never closed, or can be read in two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutError {
    /// The byte offset where it opens.
    pub at: usize,
    /// What is open.
    pub open: Open,
}

/// What the end of a text can leave open, or the text itself.
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
    /// A parenthesis of PostgreSQL, where no `;` ends a statement, or in a variable of SQLite.
    Parenthesis,
    /// The body of a trigger or routine, or a block in it.
    Body,
    /// A comment that some servers run as code, and others skip to another end.
    Versions,
    /// The syntax of what follows: `sql_mode` is set to a value that the text does not show.
    SqlMode,
    /// The syntax of what follows in the same piece, which sets `sql_mode` in its midst.
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
            Open::Body => f.write_str("this block is never closed by its END"),
            Open::Versions => {
                f.write_str("servers of different versions read this comment differently")
            }
            Open::SqlMode => {
                f.write_str("this sets sql_mode to a value that the text does not show")
            }
            Open::JoinedSqlMode => f.write_str("this sets sql_mode together with other statements"),
        }
    }
}

impl Error for CutError {}
