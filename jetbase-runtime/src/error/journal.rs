//! An unfinished file cannot go on, or keeps a command from its work.

use std::fmt;

use jetbase_core::Position;

use crate::journal::{Direction, Unfinished};

/// An unfinished file cannot go on, or keeps a command from its work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalError {
    /// A statement that is permanent has another text now.
    Changed {
        /// The path of the file in its folder.
        file: String,
        /// The section of the file.
        direction: Direction,
        /// The number of the statement, from 1.
        statement: usize,
        /// Where the statement stands now; `None` if the file has fewer statements.
        position: Option<Position>,
        /// Where the executed statement stood: `line:column`.
        recorded: String,
    },
    /// It is not known whether a statement has taken effect.
    InDoubt {
        /// The path of the file in its folder.
        file: String,
        /// The section of the file.
        direction: Direction,
        /// The number of the statement, from 1.
        statement: usize,
        /// Where the statement stands now; `None` if the file has fewer statements.
        position: Option<Position>,
        /// Where the executed statement stood: `line:column`.
        recorded: String,
    },
    /// The permanent part of the file has made something in its session, which has ended.
    SessionEnded {
        /// The path of the file in its folder.
        file: String,
        /// The section of the file.
        direction: Direction,
        /// The number of the statement that has made it, from 1.
        statement: usize,
        /// Where the statement stands.
        position: Option<Position>,
        /// How many statements are permanent.
        done: usize,
    },
    /// The rows of the journal do not fit together.
    Invalid {
        /// The path of the file in its folder.
        file: String,
        /// The section of the file.
        direction: Direction,
    },
    /// The set has no such file any more.
    FileGone(Unfinished),
    /// The command must wait until the file is finished.
    Unfinished(Unfinished),
    /// The file is not unfinished.
    NotUnfinished {
        /// The name of the file.
        file: String,
    },
    /// No file is unfinished, so there is nothing to resume.
    NothingToResume,
    /// The file has no statement with the number that the caller names.
    NoStatement {
        /// The path of the file in its folder.
        file: String,
        /// The number of its statements.
        statements: usize,
    },
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalError::Changed { file, direction, statement, position, recorded } => {
                match position {
                    Some(position) => write!(
                        f,
                        "{file}:{position}: statement {statement} was changed after it had been executed (then at \
                         {recorded}), and its effect is permanent"
                    )?,
                    None => write!(
                        f,
                        "{file}: statement {statement} was removed after it had been executed (then at {recorded}), \
                         and its effect is permanent"
                    )?,
                }
                write!(
                    f,
                    "; restore its text and correct only the statements after the permanent ones, or change the \
                     database by hand and run `jetbase {direction} --resume-at N`, where N is the next statement to \
                     execute"
                )
            }
            JournalError::InDoubt { file, direction, statement, position, recorded } => {
                match position {
                    Some(position) => write!(f, "{file}:{position}: ")?,
                    None => write!(f, "{file}: ")?,
                }
                write!(
                    f,
                    "statement {statement} (executed at {recorded}) is in doubt: its run was interrupted, or it failed \
                     in its middle, and the database does not show whether it has taken effect; look at the database, \
                     then run `jetbase {direction} --resume-after {statement}` if it has taken effect, or `jetbase \
                     {direction} --resume-at {statement}` to execute it again"
                )
            }
            JournalError::SessionEnded { file, direction, statement, position, done } => {
                match position {
                    Some(position) => write!(f, "{file}:{position}: ")?,
                    None => write!(f, "{file}: ")?,
                }
                write!(
                    f,
                    "statement {statement} has made something that ended with its session, such as a temporary table \
                     or a variable, so the rest of the file cannot go on alone; {} permanent: move the rest into a new \
                     file that makes it again, remove it here, and run `jetbase {direction}`",
                    permanent(*done)
                )
            }
            JournalError::Invalid { file, direction } => write!(
                f,
                "the rows of jetbase_journal about {file} do not fit together, because somebody has changed them; look \
                 at the database, then run `jetbase {direction} --resume-at N`, where N is the next statement to execute"
            ),
            JournalError::FileGone(unfinished) => write!(
                f,
                "{}, but the migrations have no file of this name; restore the file, or undo its statements by hand \
                 and run `jetbase journal clear {}`",
                unfinished.state(),
                unfinished.file
            ),
            JournalError::Unfinished(unfinished) => write!(
                f,
                "{}; run `jetbase {}` to finish it first, or undo its statements by hand and run `jetbase journal \
                 clear {}`",
                unfinished.state(),
                unfinished.direction,
                unfinished.file
            ),
            JournalError::NotUnfinished { file } => write!(
                f,
                "the journal has no rows about {file}; run `jetbase journal` to see which files are unfinished"
            ),
            JournalError::NothingToResume => f.write_str(
                "no file is unfinished, so there is nothing to resume; run again without it",
            ),
            JournalError::NoStatement { file, statements: 1 } => {
                write!(f, "{file} has one statement in this section; name the number 1")
            }
            JournalError::NoStatement { file, statements } => write!(
                f,
                "{file} has {statements} statements in this section; name the number of one of them"
            ),
        }
    }
}

/// Returns which statements are permanent, as the beginning of a sentence.
pub(super) fn permanent(done: usize) -> String {
    match done {
        1 => "its first statement is".to_owned(),
        done => format!("its first {done} statements are"),
    }
}

impl std::error::Error for JournalError {}

#[cfg(test)]
mod tests;
