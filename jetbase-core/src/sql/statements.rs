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
/// A string, comment, dollar quote, body or parenthesis that is never closed.
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
