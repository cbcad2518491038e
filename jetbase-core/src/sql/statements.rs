//! Cuts the text of a migration into statements.

mod body;
mod cutter;
mod delimiter;
mod draft;
mod piece;
mod routine;

use self::cutter::Cutter;
use self::delimiter::Delimiter;
pub(crate) use self::piece::StatementPart;
pub use self::piece::{CutError, Open, Piece, Statement};
use crate::sql::dialect::Syntax;

/// Cuts a text into its statements.
///
/// # Errors
///
/// Returns an error if a string, comment, dollar quote, body or parenthesis is never closed.
///
/// # Examples
///
/// ```
/// use jetbase_core::{Dialect, Syntax, cut};
///
/// let text = "INSERT INTO a VALUES ('x;y'); -- two\nDELETE FROM b;";
/// let statements = cut(text, ";", Syntax::of(Dialect::Postgres))?;
/// let sql: Vec<_> = statements.iter().map(|it| it.sql).collect();
/// assert_eq!(sql, ["INSERT INTO a VALUES ('x;y')", "DELETE FROM b"]);
/// # Ok::<(), jetbase_core::CutError>(())
/// ```
pub fn cut<'t>(
    text: &'t str,
    delimiter: &str,
    syntax: Syntax,
) -> Result<Vec<Statement<'t>>, CutError> {
    let pieces = pieces(text, delimiter, syntax)?;
    Ok(pieces.into_iter().filter_map(|piece| piece.statement).collect())
}

/// Cuts a text into pieces, each with one statement or none.
///
/// The delimiter `;` ends a statement everywhere outside quotes, comments and bodies. Another
/// delimiter ends a statement only at the end of a line, and then `;` is part of the statement. In
/// MySQL, `DELIMITER` lines change the delimiter as in the `mysql` client.
///
/// # Errors
///
/// Returns an error if a string, comment, dollar quote, body or parenthesis is never closed.
pub fn pieces<'t>(
    text: &'t str,
    delimiter: &str,
    syntax: Syntax,
) -> Result<Vec<Piece<'t>>, CutError> {
    Ok(Cutter::cut(text, delimiter, syntax)?.pieces)
}

/// Reads a text as one statement, whatever delimiters it holds; `None` if something in it is never closed.
pub(crate) fn statement(sql: &str, syntax: Syntax) -> Option<Statement<'_>> {
    let mut cutter = Cutter::of(sql, Delimiter::TextEnd, syntax);
    cutter.run().ok()?;
    cutter.pieces.pop()?.statement
}

#[cfg(test)]
mod mode_tests;
#[cfg(test)]
mod tests;
