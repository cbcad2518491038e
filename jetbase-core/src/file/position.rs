//! Positions in a text, as editors count them.

use std::fmt;

/// A line and a column of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// Returns the position of a byte offset in a text. An offset after the end means the end.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> Self {
        let offset = (offset.min(text.len())..=text.len())
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(text.len());
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Position { line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Returns the line of a text at a byte offset, and below it a line with a caret. Both have a margin.
#[must_use]
pub fn snippet(text: &str, offset: usize, width: usize) -> String {
    let position = Position::of(text, offset);
    let line = text.lines().nth(position.line - 1).unwrap_or_default();
    let number = position.line.to_string();
    let margin = " ".repeat(number.len());
    // A line of a minified file can be very long: only a part of it is shown.
    const WINDOW: usize = 100;
    let skip = (position.column - 1).saturating_sub(WINDOW / 2);
    let skip = if line.chars().count() <= WINDOW { 0 } else { skip };
    let shown: String =
        line.chars().skip(skip).take(WINDOW).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let indent = " ".repeat(position.column - 1 - skip);
    let room = shown.chars().count().saturating_sub(indent.len()).max(1);
    let carets = "^".repeat(width.clamp(1, room));
    format!("{margin} |\n{number} | {shown}\n{margin} | {indent}{carets}")
}
