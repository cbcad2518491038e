//! The journal: which statements of an unfinished file are permanent, and where the file goes on.
//!
//! Only statements that commit by themselves have rows in it. The rows of a file are deleted in the
//! transaction that writes its history row.

mod unfinished;

use jetbase_core::{Action, Checksum};

pub use self::unfinished::{Direction, Resume, Unfinished};
use crate::connection::ResultRow;

/// The state of a statement in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryState {
    /// The statement was about to be executed.
    Intent,
    /// The statement is permanent.
    Done,
    /// The statement failed, and has left an invalid index.
    Failed,
}

/// A row of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JournalRow {
    pub(crate) file: String,
    pub(crate) direction: Direction,
    /// The number of the statement in its section, from 1.
    pub(crate) statement: usize,
    /// The SHA-256 of the text that was executed.
    pub(crate) digest: String,
    pub(crate) state: EntryState,
    /// Where the statement stood in the file: `line:column`.
    pub(crate) place: String,
    /// What the catalog said about the statement's object before the statement.
    pub(crate) found: Option<u8>,
    /// The schema and the name of the index that the failed statement has left.
    pub(crate) leftover: Option<(String, String)>,
    /// Whether the history row of the file has changed since, so another tool has run the file.
    pub(crate) is_stale: bool,
}

impl JournalRow {
    pub(crate) fn of(row: &ResultRow) -> Option<Self> {
        let leftover = row.opt("leftover_schema").zip(row.opt("leftover_name"));
        Some(JournalRow {
            file: row.text("filename").to_owned(),
            direction: match row.text("direction") {
                "rollback" => Direction::Rollback,
                _ => Direction::Upgrade,
            },
            statement: row.text("statement").parse().ok()?,
            digest: row.text("digest").to_owned(),
            state: match row.text("state") {
                "done" => EntryState::Done,
                "failed" => EntryState::Failed,
                _ => EntryState::Intent,
            },
            place: row.text("place").to_owned(),
            found: row.text("found").parse().ok(),
            leftover: leftover.map(|(schema, name)| (schema.to_owned(), name.to_owned())),
            is_stale: row.is_true("stale"),
        })
    }
}

impl Direction {
    /// Returns the direction of an action.
    pub(crate) fn of(action: Action) -> Self {
        match action {
            Action::Apply | Action::Reapply => Direction::Upgrade,
            Action::RollBack => Direction::Rollback,
        }
    }
}

/// Where an unfinished file goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResumePoint {
    /// At the statement with this index, from 0. All statements before it are permanent.
    At(usize),
    /// It is not known whether the statement with this index has taken effect.
    InDoubt {
        index: usize,
        /// Whether the file still has the text that was executed.
        same_text: bool,
    },
}

/// Why an unfinished file cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JournalMismatch {
    /// A statement that is permanent has another text now, or does not exist any more.
    Changed { index: usize, place: String },
    /// The rows of the journal do not fit together.
    Invalid,
}

/// Decides where a file goes on. `digests` are those of its statements, and `entries` are the rows
/// of the file in the order of the statements.
pub(crate) fn resume_point(
    digests: &[Checksum],
    entries: &[JournalRow],
) -> Result<ResumePoint, JournalMismatch> {
    let mut next = 0;
    for (index, entry) in entries.iter().enumerate() {
        if entry.statement != index + 1 || next != index {
            return Err(JournalMismatch::Invalid);
        }
        let same_text = digests.get(index).is_some_and(|digest| digest.to_string() == entry.digest);
        match entry.state {
            EntryState::Done if same_text => next = index + 1,
            EntryState::Done => {
                return Err(JournalMismatch::Changed { index, place: entry.place.clone() });
            }
            // Nothing of it is permanent, except for an index that is dropped.
            EntryState::Failed => {}
            EntryState::Intent if index + 1 == entries.len() => {
                return Ok(ResumePoint::InDoubt { index, same_text });
            }
            EntryState::Intent => return Err(JournalMismatch::Invalid),
        }
    }
    Ok(ResumePoint::At(next))
}

/// Whether a statement has taken effect, by what the catalog says of its object: before the
/// statement, and now.
pub(crate) fn has_taken_effect(before: u8, now: u8) -> bool {
    // An invalid index is what a failed statement leaves.
    now != INVALID && (before == 0) != (now == 0)
}

/// The answer of the catalog about an invalid index.
pub(crate) const INVALID: u8 = 2;

#[cfg(test)]
mod tests;
