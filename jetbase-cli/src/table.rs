//! Tables: with lines and colours on a terminal, in plain columns elsewhere.

use std::io::{self, IsTerminal};

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};

use super::printer::Printer;

/// How a cell looks on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CellStyle {
    Plain,
    Good,
    Warning,
    Bad,
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub(crate) struct StyledCell {
    text: String,
    style: CellStyle,
}

impl From<String> for StyledCell {
    fn from(text: String) -> Self {
        StyledCell { text, style: CellStyle::Plain }
    }
}

impl CellStyle {
    /// Returns a cell in this style.
    pub(crate) fn cell(self, text: impl Into<String>) -> StyledCell {
        StyledCell { text: text.into(), style: self }
    }
}

impl Printer {
    /// Formats a table for standard output.
    pub(crate) fn table<const N: usize, C: Into<StyledCell>>(
        self,
        title: &str,
        header: [&str; N],
        rows: impl IntoIterator<Item = [C; N]>,
    ) -> String {
        let mut table = Table::new();
        if io::stdout().is_terminal() {
            table.load_style(presets::UTF8_FULL_CONDENSED);
            // A terminal that reports a very small width probably reports it wrongly.
            if table.width().is_some_and(|width| width >= 40) {
                table.set_content_arrangement(ContentArrangement::Dynamic);
            }
        } else {
            table.load_style(presets::NOTHING);
        }
        let colored = self.has_color(&io::stdout());
        if colored {
            table.enforce_styling();
        }
        table.set_header(header);
        table.add_rows(rows.into_iter().map(|row| row.map(|cell| styled(cell.into(), colored))));
        format!("{title}\n{}", table.trim_fmt())
    }
}

fn styled(cell: StyledCell, colored: bool) -> Cell {
    let color = match cell.style {
        CellStyle::Plain => None,
        CellStyle::Good => Some(Color::Green),
        CellStyle::Warning => Some(Color::Yellow),
        CellStyle::Bad => Some(Color::Red),
    };
    let text = Cell::new(cell.text);
    match color.filter(|_| colored) {
        Some(color) => text.fg(color),
        None => text,
    }
}
