//! A file of which only a part is permanent.

use std::fmt;

use super::{EntryState, JournalRow};

/// The section of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The upgrade section.
    Upgrade,
    /// The rollback section.
    Rollback,
}

impl Direction {
    /// Returns the text in the column `direction`, which is also the name of the command.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Upgrade => "upgrade",
            Direction::Rollback => "rollback",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A file of which only a part is permanent, because a statement failed or a run was interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// The name of the file.
    pub file: String,
    /// Which section of the file was being executed.
    pub direction: Direction,
    /// The number of statements that are permanent, from the first one of the section.
    pub done: usize,
    /// The number of the statement of which it is not known whether it has taken effect.
    pub in_doubt: Option<usize>,
    /// The invalid index that the failed statement has left, with its schema (PostgreSQL). The next
    /// run drops it.
    pub leftover: Option<String>,
}

impl Unfinished {
    /// Groups the rows of the journal by files. Rows that another tool has outdated do not count.
    pub(crate) fn of(entries: &[JournalRow]) -> Vec<Unfinished> {
        let mut all: Vec<Unfinished> = Vec::new();
        for entry in entries.iter().filter(|entry| !entry.is_stale) {
            let known =
                all.iter_mut().find(|it| it.file == entry.file && it.direction == entry.direction);
            let unfinished = match known {
                Some(unfinished) => unfinished,
                None => {
                    all.push(Unfinished {
                        file: entry.file.clone(),
                        direction: entry.direction,
                        done: 0,
                        in_doubt: None,
                        leftover: None,
                    });
                    let Some(last) = all.last_mut() else { continue };
                    last
                }
            };
            match entry.state {
                EntryState::Done => unfinished.done = unfinished.done.max(entry.statement),
                EntryState::Intent => unfinished.in_doubt = Some(entry.statement),
                EntryState::Failed => {
                    let leftover = entry.leftover.as_ref();
                    unfinished.leftover = leftover.map(|(schema, name)| format!("{schema}.{name}"));
                }
            }
        }
        all
    }

    /// Returns what is permanent, without the next command.
    pub(crate) fn state(&self) -> String {
        let part = match self.direction {
            Direction::Upgrade => "",
            Direction::Rollback => "the rollback of ",
        };
        let done = match self.done {
            0 => "no statement is permanent".to_owned(),
            1 => "its first statement is permanent".to_owned(),
            done => format!("its first {done} statements are permanent"),
        };
        let in_doubt = self.in_doubt.map(|number| {
            format!(
                ", and statement {number} may have taken effect, because its run was interrupted"
            )
        });
        let leftover = self.leftover.as_ref().map(|index| {
            format!(", and the invalid index {index} remains, which the next run drops")
        });
        format!(
            "{part}{} is unfinished: {done}{}{}",
            self.file,
            in_doubt.unwrap_or_default(),
            leftover.unwrap_or_default()
        )
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; run `jetbase {}` to go on", self.state(), self.direction)
    }
}

/// Where an unfinished file goes on, if a person has found it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// After this statement: it has taken effect. Statements count from 1.
    After(usize),
    /// At this statement: it has not taken effect, and is executed again.
    At(usize),
}
