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
    let (before, marked) = (position.column - 1 - skip, width.max(1));
    let shown: Vec<String> = line.chars().skip(skip).take(WINDOW).map(shown).collect();
    let length = |texts: &[String]| texts.iter().map(|text| text.chars().count()).sum::<usize>();
    let (left, right) = shown.split_at(before.min(shown.len()));
    let indent = " ".repeat(length(left));
    let carets = "^".repeat(length(right.get(..marked).unwrap_or(right)).max(1));
    format!("{margin} |\n{number} | {}\n{margin} | {indent}{carets}", shown.concat())
}

/// A character as a message shows it. A terminal or a log must not read it as the end of a line, or as
/// a change of the direction of the text.
fn shown(c: char) -> String {
    match c {
        '\t' => " ".to_owned(),
        c if c.is_control() => c.escape_debug().to_string(),
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => c.escape_unicode().to_string(),
        c => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_odd_separators_stays_one_line() {
        let text = "SELECT 1;\nSELECT\u{2028}\u{b}\u{85} oops;\n";
        assert_eq!(
            snippet(text, text.find("oops").unwrap(), 4),
            "  |\n2 | SELECT\\u{2028}\\u{b}\\u{85} oops;\n  |                           ^^^^"
        );
        assert_eq!(
            snippet(text, 16, 1),
            "  |\n2 | SELECT\\u{2028}\\u{b}\\u{85} oops;\n  |       ^^^^^^^^"
        );
    }

    #[test]
    fn a_caret_stands_below_its_character() {
        assert_eq!(snippet("a\tbc", 2, 2), "  |\n1 | a bc\n  |   ^^");
        assert_eq!(snippet("ab", 2, 1), "  |\n1 | ab\n  |   ^");
        assert_eq!(snippet("ab", 1, 9), "  |\n1 | ab\n  |  ^");
    }
}
