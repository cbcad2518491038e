//! A failed statement, and what remains of its file.

use std::fmt;

use jetbase_core::Position;

use super::journal::permanent;

/// What remains of a file that was not recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// Nothing: the transaction was rolled back, or never started.
    #[default]
    Nothing,
    /// This number of statements from the start of the section: they committed by themselves. The
    /// journal has them, so the next run goes on after them.
    Statements(usize),
    /// The same, and it is not known whether the statement after them has taken effect in part.
    InDoubt {
        /// The number of statements that are permanent.
        done: usize,
    },
    /// Possibly up to this number of statements from the start of the file: something in the file
    /// ended its transaction, or wrote to a table without transactions.
    Perhaps(usize),
}

/// A statement of a file that failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StatementError {
    /// The path of the file in its folder.
    pub file: String,
    /// Where the database reports the error, or where the statement begins.
    pub position: Option<Position>,
    /// The line of the file, with a caret below it.
    pub snippet: String,
    /// The message of the database.
    pub message: String,
    /// The code of the database: SQLSTATE, error number or result code.
    pub code: String,
    /// Further detail from the database.
    pub detail: Option<String>,
    /// The hint of the database.
    pub hint: Option<String>,
    /// Where in which function the database has failed (PostgreSQL).
    pub context: Option<String>,
    /// The number of the statement, from 1, and the number of statements. `None` if the commit
    /// failed.
    pub statement: Option<(usize, usize)>,
    /// The invalid index that the statement has left, with its schema (PostgreSQL).
    pub leftover: Option<String>,
    /// The partition that the statement has begun to detach (PostgreSQL). The next run completes it.
    pub detaching: Option<String>,
    /// What remains of the file.
    pub kept: Kept,
}

impl StatementError {
    /// Writes the text, with or without the message of the database.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, with_message: bool) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(position) = self.position {
            write!(f, ":{position}")?;
        }
        let failed = match self.statement {
            Some((number, of)) => format!(": statement {number} of {of} failed"),
            // Without a code, the message does not come from the database.
            None if self.code.is_empty() => String::new(),
            None => ": the commit failed".to_owned(),
        };
        f.write_str(&failed)?;
        if with_message {
            write!(f, ": {}", self.message)?;
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
        for line in self.context.iter().flat_map(|context| context.lines()) {
            write!(f, "\n   = context: {line}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n   = hint: {hint}")?;
        }
        self.write_leftover(f)?;
        match self.kept {
            Kept::Nothing if self.has_leftover() => {
                f.write_str("\nnothing else of this file was kept; correct it and run again")
            }
            Kept::Nothing => {
                f.write_str("\nnothing of this file was kept; correct it and run again")
            }
            kept => write!(f, "\n{kept}"),
        }
    }
}

impl StatementError {
    fn has_leftover(&self) -> bool {
        self.leftover.is_some() || self.detaching.is_some()
    }

    fn write_leftover(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(partition) = &self.detaching {
            write!(
                f,
                "\nthe partition {partition} is still being detached; the next run completes it"
            )?;
        }
        let Some(leftover) = &self.leftover else { return Ok(()) };
        write!(
            f,
            "\nthe invalid index {leftover} remains; the next run drops it and builds it again"
        )
    }

    /// Writes the text for a run that was asked to stop.
    pub(super) fn write_stopped(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(position) = self.position {
            write!(f, ":{position}")?;
        }
        match self.statement {
            // Without a code, the database has not cancelled it.
            Some((number, of)) if self.code.is_empty() => {
                write!(f, ": the run was asked to stop before statement {number} of {of}")?;
            }
            Some((number, of)) => write!(
                f,
                ": statement {number} of {of} was cancelled, because the run was asked to stop"
            )?,
            None => f.write_str(": the run was asked to stop before the file was recorded")?,
        }
        for line in self.snippet.lines() {
            write!(f, "\n   {line}")?;
        }
        self.write_leftover(f)?;
        match self.kept {
            Kept::Nothing if self.has_leftover() => {
                f.write_str("\nnothing else of this file was kept: run again")
            }
            Kept::Nothing => f.write_str("\nnothing of this file was kept: run again"),
            Kept::Statements(count) => {
                let (permanent, next) = (permanent(count), count + 1);
                write!(
                    f,
                    "\n{permanent} permanent: run again, and the run goes on at statement {next}"
                )
            }
            kept @ (Kept::InDoubt { .. } | Kept::Perhaps(_)) => write!(f, "\n{kept}"),
        }
    }
}

impl fmt::Display for StatementError {
    /// Writes the full text, with the message of the database.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, true)
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kept::Nothing => f.write_str("nothing of it was kept"),
            Kept::Statements(n) => {
                let them = if *n == 1 { "it" } else { "them" };
                let (permanent, next) = (permanent(*n), n + 1);
                write!(
                    f,
                    "{permanent} permanent: correct the statements after {them} and run again, and the run goes on at \
                     statement {next}"
                )
            }
            Kept::InDoubt { done } => {
                if *done > 0 {
                    write!(f, "{} permanent, and ", permanent(*done))?;
                }
                let number = done + 1;
                write!(
                    f,
                    "statement {number} may have taken effect in part: look at the database, complete or undo it by \
                     hand, then run again with `--resume-after {number}` or `--resume-at {number}`"
                )
            }
            Kept::Perhaps(n) => {
                let statements = match n {
                    1 => "its first statement".to_owned(),
                    n => format!("its first {n} statements"),
                };
                write!(
                    f,
                    "the effects of {statements} may be permanent, because the transaction had ended before the \
                     failure, or because a table has no transactions: check the database before you run again"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;
