//! Cuts the text of a migration into statements.

mod body;
mod cutter;
mod delimiter;
mod routine;

use std::error::Error;
use std::fmt;

use self::cutter::Cutter;
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

/// Cuts a text into its statements.
///
/// # Errors
///
/// A string, comment, dollar quote, body or parenthesis that is never closed.
pub fn cut<'t>(
    text: &'t str,
    delimiter: &str,
    syntax: Syntax,
) -> Result<Vec<Statement<'t>>, CutError> {
    let pieces = pieces(text, delimiter, syntax)?;
    Ok(pieces.into_iter().filter_map(|piece| piece.statement).collect())
}

/// The statements in a text that another delimiter than `;` may have cut out.
pub(crate) fn parts(sql: &str, syntax: Syntax) -> Vec<&str> {
    if !sql.contains(';') {
        return vec![sql];
    }
    let mut cutter = Cutter::of(sql, ";", syntax);
    match cutter.run() {
        Ok(()) => cutter.pieces.iter().filter_map(|it| Some(it.statement?.sql)).collect(),
        Err(_) => vec![sql],
    }
}

/// Cuts a text into pieces, each with one statement or none.
///
/// The delimiter `;` ends a statement wherever it stands outside quotes,
/// comments and bodies. Any other delimiter counts as the last thing on its
/// line only, and then `;` is part of the statements. In MySQL, `DELIMITER`
/// lines change the delimiter as in the `mysql` client.
///
/// # Errors
///
/// A string, comment, dollar quote, body or parenthesis that is never closed.
pub fn pieces<'t>(
    text: &'t str,
    delimiter: &str,
    syntax: Syntax,
) -> Result<Vec<Piece<'t>>, CutError> {
    Ok(Cutter::cut(text, delimiter, syntax)?.pieces)
}

/// Where the first comment opens in whose code a statement ends: the server goes on behind
/// that statement, and no piece shows it.
pub(crate) fn hidden(text: &str, delimiter: &str, syntax: Syntax) -> Option<usize> {
    Cutter::cut(text, delimiter, syntax).ok()?.hidden
}

#[cfg(test)]
mod tests;
