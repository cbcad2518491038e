//! The text of a migration file: its sections, its delimiter, and the statements the Python tool sees.

use std::borrow::Cow;
use std::ops::Range;

use crate::file::checksum::Checksum;
use crate::file::directive;
use crate::file::directive::{Directive, DirectiveError, Directives};
use crate::file::marker::{NearMarker, is_rollback_marker, near_marker};
use crate::file::name::{trim, trim_start};

/// One of the two sections of a migration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// The text before the line `-- rollback`.
    Upgrade,
    /// The text after that line.
    Rollback,
}

/// A migration file's text, cut into its sections as the Python tool cuts it.
#[derive(Clone, Debug)]
pub struct Script<'t> {
    text: Cow<'t, str>,
    upgrade: Range<usize>,
    rollback: Option<Range<usize>>,
    delimiter: String,
}

/// The delimiter of a file that names none.
const DELIMITER: &str = ";";

impl<'t> Script<'t> {
    /// Reads a file's text. `\r\n` and `\r` become `\n`.
    #[must_use]
    pub fn read(text: &'t str) -> Self {
        let text = normalise(text);
        let marker = lines(&text).find(|line| is_rollback_marker(line.text));
        let (upgrade, rollback) = match marker {
            Some(line) => (0..line.start, Some(line.end..text.len())),
            None => (0..text.len(), None),
        };
        let delimiter = header(&text)
            .find_map(|line| directive::delimiter(line.text))
            .map_or_else(|| DELIMITER.to_owned(), str::to_owned);
        Script { text, upgrade, rollback, delimiter }
    }

    /// Returns the whole text, with `\n` line ends.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the range of a section in [`Script::text`], in bytes. `None` means that the file has no
    /// line `-- rollback`, so it has no rollback section.
    #[must_use]
    pub fn range(&self, section: Section) -> Option<Range<usize>> {
        match section {
            Section::Upgrade => Some(self.upgrade.clone()),
            Section::Rollback => self.rollback.clone(),
        }
    }

    /// Returns a section's text. A missing rollback section is empty.
    #[must_use]
    pub fn section(&self, section: Section) -> &str {
        self.range(section).and_then(|range| self.text.get(range)).unwrap_or_default()
    }

    /// Returns the delimiter of the statements: `;`, or the one of `-- jetbase: delimiter=…`.
    #[must_use]
    pub fn delimiter(&self) -> &str {
        &self.delimiter
    }

    /// Reads the directives in the comments before the first SQL.
    ///
    /// # Errors
    ///
    /// Returns each line that begins like a directive but is not a valid one.
    pub fn directives(&self) -> Result<Directives, Vec<DirectiveError>> {
        let mut directives = Directives::default();
        let mut errors = Vec::new();
        for line in header(&self.text) {
            match directive::read(line.text) {
                None => {}
                Some(Ok(directive)) => directives.add(directive),
                Some(Err(error)) => errors.push(error.at(line.start)),
            }
        }
        let comments = lines(&self.text).skip(header(&self.text).count());
        for line in comments.filter(|line| trim_start(line.text).starts_with("--")) {
            match directive::read(line.text) {
                None => {}
                Some(Ok(directive @ Directive::Allow(_))) => directives.add(directive),
                Some(_) => errors.push(DirectiveError::late(line.text).at(line.start)),
            }
        }
        if errors.is_empty() { Ok(directives) } else { Err(errors) }
    }

    /// The comments before the rollback marker that somebody may have meant as that marker, with their
    /// byte offsets in [`Script::text`]. Some may stand in a string.
    pub(crate) fn near_markers(&self) -> impl Iterator<Item = (usize, NearMarker<'_>)> {
        lines(self.section(Section::Upgrade)).filter_map(|line| {
            let near = near_marker(line.text)?;
            Some((line.start + near.at, near))
        })
    }

    /// Returns the statements of a section as the Python tool reads them: stripped lines, joined by
    /// blanks.
    ///
    /// The checksum is computed from them. They are never executed.
    #[must_use]
    pub fn python_statements(&self, section: Section) -> Vec<String> {
        let mut statements = Vec::new();
        self.each_python_statement(section, |statement| statements.push(statement.to_owned()));
        statements
    }

    /// Returns the checksum, as the history table holds it: the SHA-256 of the upgrade statements as
    /// the Python tool reads them, joined by line breaks.
    #[must_use]
    pub fn checksum(&self) -> Checksum {
        let mut text = String::with_capacity(self.upgrade.len());
        self.each_python_statement(Section::Upgrade, |statement| {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(statement);
        });
        Checksum::of_text(&text)
    }

    fn each_python_statement(&self, section: Section, mut each: impl FnMut(&str)) {
        let mut joined = String::new();
        for line in lines(self.section(section)) {
            let line = trim(line.text);
            if line.is_empty() || line.starts_with("--") {
                continue;
            }
            if !joined.is_empty() {
                joined.push(' ');
            }
            joined.push_str(line);
            if line.ends_with(&self.delimiter) {
                // The Python tool strips the delimiter's characters, in any order and number.
                let statement = match self.delimiter.as_str() {
                    DELIMITER => joined.trim_end_matches(';'),
                    delimiter => joined.trim_end_matches(|c| delimiter.contains(c)),
                };
                match trim(statement) {
                    "" => {}
                    statement => each(statement),
                }
                joined.clear();
            }
        }
    }
}

/// Makes every line end `\n`, borrowing where nothing changes.
fn normalise(text: &str) -> Cow<'_, str> {
    if !text.contains('\r') {
        return Cow::Borrowed(text);
    }
    // Byte by byte, because `str::replace` needs a second for some million line ends.
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes().peekable();
    while let Some(byte) = rest.next() {
        if byte == b'\r' {
            rest.next_if_eq(&b'\n');
            bytes.push(b'\n');
        } else {
            bytes.push(byte);
        }
    }
    // Only whole ASCII characters were replaced.
    Cow::Owned(String::from_utf8(bytes).unwrap_or_default())
}

/// One line of a text, without its `\n`.
struct ScriptLine<'t> {
    text: &'t str,
    start: usize,
    /// Where the next line begins.
    end: usize,
}

fn lines(text: &str) -> ScriptLines<'_> {
    ScriptLines { text, at: 0 }
}

/// The iterator over the lines of a text.
struct ScriptLines<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Iterator for ScriptLines<'t> {
    type Item = ScriptLine<'t>;

    fn next(&mut self) -> Option<ScriptLine<'t>> {
        let start = self.at;
        let rest = self.text.get(start..).filter(|rest| !rest.is_empty())?;
        let (text, length) = match rest.find('\n') {
            Some(end) => (rest.get(..end)?, end + 1),
            None => (rest, rest.len()),
        };
        self.at = start + length;
        Some(ScriptLine { text, start, end: self.at })
    }
}

/// The blank and comment lines before the first SQL.
fn header(text: &str) -> impl Iterator<Item = ScriptLine<'_>> {
    lines(text).take_while(|line| {
        let line = trim(line.text);
        line.is_empty() || line.starts_with("--")
    })
}
