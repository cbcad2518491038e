//! A statement that failed, and what stays of its file.

use std::fmt;

use jetbase_core::Position;

/// What stays of a file that was not recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// Nothing: its transaction was rolled back, or was never begun.
    #[default]
    Nothing,
    /// Its first statements, as many: they committed by themselves.
    Statements(usize),
    /// Perhaps some of its first statements, at most as many: something in the file ended its
    /// transaction, or wrote to a table without transactions.
    Perhaps(usize),
}

/// A statement of a file that failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StatementError {
    /// The file's path in its folder.
    pub file: String,
    /// Where the database points, or where the statement begins.
    pub position: Option<Position>,
    /// The line with a caret below it.
    pub snippet: String,
    /// What the database says.
    pub message: String,
    /// Its code: SQLSTATE, error number or result code.
    pub code: String,
    /// What the database adds.
    pub detail: Option<String>,
    /// What the database advises.
    pub hint: Option<String>,
    /// Which statement of how many, from 1; `None` when the commit failed.
    pub statement: Option<(usize, usize)>,
    /// What stays of the file.
    pub kept: Kept,
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(position) = self.position {
            write!(f, ":{position}")?;
        }
        match self.statement {
            Some((number, of)) => {
                write!(f, ": statement {number} of {of} failed: {}", self.message)?
            }
            // Without a code it is not the database that speaks.
            None if self.code.is_empty() => write!(f, ": {}", self.message)?,
            None => write!(f, ": the commit failed: {}", self.message)?,
        }
        if !self.code.is_empty() {
            write!(f, " ({})", self.code)?;
        }
        for line in self.snippet.lines() {
            write!(f, "\n   {line}")?;
        }
        if let Some(detail) = &self.detail {
            write!(f, "\n   = detail: {detail}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n   = hint: {hint}")?;
        }
        match self.kept {
            Kept::Nothing => f.write_str("\nnothing of this file was kept; mend it and run again"),
            kept => write!(f, "\n{kept}"),
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statements = |n: usize| match n {
            1 => "its first statement".to_owned(),
            n => format!("its first {n} statements"),
        };
        match self {
            Kept::Nothing => f.write_str("nothing of it was kept"),
            Kept::Statements(1) => f.write_str(
                "its first statement is permanent: undo it, or take it out of the file, and run again",
            ),
            Kept::Statements(n) => write!(
                f,
                "its first {n} statements are permanent: undo them, or take them out of the file, and run again"
            ),
            Kept::Perhaps(n) => write!(
                f,
                "what {} did may be permanent, because its transaction had ended before, or because a table has no \
                 transactions: look at the database before you run again",
                statements(*n)
            ),
        }
    }
}
