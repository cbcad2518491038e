//! Findings: the errors and warnings about a folder of migrations.

use std::fmt;

use crate::file::{Position, snippet};

/// The most findings of one kind in one file: each costs a walk through the text.
pub(crate) const MAX_PER_KIND: usize = 20;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The set cannot be used.
    Error,
    /// The set can be used, but somebody should review it.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// One error or warning about a migration folder, with its position and its help text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How serious it is.
    pub severity: Severity,
    /// The stable name of the rule, such as `unterminated`.
    pub rule: &'static str,
    /// The path in the folder, with `/`. Empty for the folder itself.
    pub file: String,
    /// The position in the file, if there is one.
    pub position: Option<Position>,
    /// The line of the file, with a caret below it. Empty if there is no position.
    pub snippet: String,
    /// What is wrong: one sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl Finding {
    /// Makes an error about a whole file.
    #[must_use]
    pub fn error(rule: &'static str, file: impl Into<String>, message: impl Into<String>) -> Self {
        Finding {
            severity: Severity::Error,
            rule,
            file: file.into(),
            position: None,
            snippet: String::new(),
            message: message.into(),
            help: String::new(),
        }
    }

    /// Returns the same finding as a warning.
    #[must_use]
    pub fn warning(self) -> Self {
        Finding { severity: Severity::Warning, ..self }
    }

    /// Returns the same finding at a byte offset of the file's text.
    #[must_use]
    pub fn at(self, text: &str, offset: usize, width: usize) -> Self {
        let position = Some(Position::of(text, offset));
        Finding { position, snippet: snippet(text, offset, width), ..self }
    }

    /// Returns the same finding with a help text.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Finding { help: help.into(), ..self }
    }

    /// Returns `file:line:column`, or only the file, with `folder` in front.
    #[must_use]
    pub fn place(&self, folder: &str) -> String {
        let file = match (folder.trim_end_matches('/'), self.file.as_str()) {
            (folder, "") => folder.to_owned(),
            (folder, file) => match file.strip_prefix("../") {
                Some(beside) => {
                    join(folder.rsplit_once('/').map_or("", |(parent, _)| parent), beside)
                }
                None => join(folder, file),
            },
        };
        match self.position {
            Some(position) => format!("{file}:{position}"),
            None => file,
        }
    }

    /// Returns the finding in the format of the compiler: message, arrow, line with caret, help text.
    #[must_use]
    pub fn render(&self, folder: &str) -> String {
        let gutter =
            " ".repeat(self.position.map_or(1, |position| position.line.to_string().len()));
        let mut text = format!("{}\n{gutter}--> {}", self.message, self.place(folder));
        if !self.snippet.is_empty() {
            text.push_str(&format!("\n{}", self.snippet));
        }
        if !self.help.is_empty() {
            text.push_str(&format!("\n{gutter} = help: {}", self.help));
        }
        text
    }
}

fn join(folder: &str, file: &str) -> String {
    if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place("") {
            place if place.is_empty() => f.write_str(&self.message)?,
            place => write!(f, "{place}: {}", self.message)?,
        }
        if !self.help.is_empty() {
            write!(f, "; {}", self.help)?;
        }
        Ok(())
    }
}
