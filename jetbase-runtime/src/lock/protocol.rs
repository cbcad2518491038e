//! The decisions of the lock protocol: one pure function from observations to actions.
//!
//! The runtime performs the actions. This module uses no database and no clock.

use std::time::Duration;

/// How the liveness of an owner can be checked. The number is part of its process id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Liveness {
    /// It cannot be checked: a pooler, a caller's connection, a cluster, the Python tool.
    None = 0,
    /// By a PostgreSQL session advisory lock.
    Advisory = 1,
    /// By MySQL's `GET_LOCK`.
    GetLock = 2,
    /// By a lock on the file beside an SQLite database.
    File = 3,
    /// It cannot be checked, but the fence guards every transaction of the owner: a run that takes
    /// over the lock stops the owner. This is PostgreSQL without a session of our own, with
    /// transactional files only.
    Fenced = 4,
}

impl Liveness {
    /// Whether the owner also holds a session lock.
    pub(crate) const fn has_session_lock(self) -> bool {
        matches!(self, Liveness::Advisory | Liveness::GetLock | Liveness::File)
    }
}

/// The row of `jetbase_lock`, and whether its session lock is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LockRow {
    pub(crate) locked: bool,
    pub(crate) owner: Option<String>,
    pub(crate) since: Option<String>,
    /// Whether the session lock is held; `None` if that cannot be checked.
    pub(crate) alive: Option<bool>,
    /// For how long the observer has seen the row and the history unchanged.
    pub(crate) silent: Duration,
}

/// What an attempt or a read has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Observation {
    /// At least one of the two tables does not exist.
    NoTables,
    /// The table exists, but its row does not.
    NoRow,
    /// The attempt succeeded. The text is the id of the stale lock that it replaced, if there was
    /// one.
    Won(Option<String>),
    /// The attempt failed. Nothing else is known yet.
    Refused,
    /// The row cannot be read at the moment.
    Unreadable,
    /// The row, read without an attempt.
    Row(LockRow),
}

/// The time since a claimant started, and what it has done since its last pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) waited: Duration,
    /// The number of failed attempts.
    pub(crate) refused: u32,
    /// The number of all actions.
    pub(crate) turns: u32,
}

impl Progress {
    /// Returns the progress after an action that was not a pause.
    pub(crate) fn behind(self, action: Action) -> Self {
        let tried = matches!(action, Action::TryAcquire | Action::TakeOver);
        Progress { turns: self.turns + 1, refused: self.refused + u32::from(tried), ..self }
    }
}

/// How often the run tries to acquire a row that looks free before the next pause.
const MOST_REFUSED: u32 = 1;
/// How many actions may follow each other without a pause.
pub(crate) const MOST_TURNS: u32 = 8;

/// A run that wants the lock.
#[derive(Clone, Debug)]
pub(crate) struct Claimant {
    /// The process id of this run.
    pub(crate) id: String,
    /// How the liveness of this run can be checked.
    pub(crate) liveness: Liveness,
    /// The prefix of the ids whose liveness this run can check, and whose stale locks it may
    /// recover: the same server, and the same kind of liveness check.
    pub(crate) recoverable_prefix: String,
    /// The prefix of the ids whose transactions are all fenced. It is empty if that is unknown.
    pub(crate) fenced_prefix: String,
}

/// The next action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    CreateTables,
    CreateRow,
    TryAcquire,
    /// Compare-and-set from the owner that was seen, unless a transaction has locked the row.
    TakeOver,
    ReadRow,
    /// Wait, then read the row again.
    Sleep,
    /// The run holds the lock, and may work.
    Hold,
    /// Another owner has held the lock for too long.
    GiveUp,
}

/// How long to wait for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// For a holder that is alive; `None` means without a limit.
    pub(crate) living: Option<Duration>,
    /// For a holder whose liveness cannot be checked.
    pub(crate) unknown: Duration,
}

/// What is known about the owner of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Nobody,
    /// The row is free, but another run holds the session lock: it is acquiring the row, or has
    /// just released it.
    Changing,
    Us,
    /// The session lock of the owner is free, so the owner will not continue.
    Dead,
    Alive,
    /// The liveness cannot be checked, but nothing has changed for long, and the fence would stop
    /// the owner.
    Unresponsive,
    Unknown,
}

/// How long an owner must have changed nothing before its lock is taken over.
pub(crate) const SILENCE: Duration = Duration::from_secs(30);
/// The minimum wait for a run that is acquiring or releasing the lock.
const PASSING: Duration = Duration::from_secs(1);

/// Judges the owner of a row.
pub(crate) fn judge(claimant: &Claimant, row: &LockRow) -> Owner {
    let owner = row.owner.as_deref().unwrap_or_default();
    let same_class =
        claimant.liveness.has_session_lock() && owner.starts_with(&claimant.recoverable_prefix);
    let fenced = !claimant.fenced_prefix.is_empty() && owner.starts_with(&claimant.fenced_prefix);
    match row.alive {
        Some(true) if !row.locked && claimant.liveness.has_session_lock() => Owner::Changing,
        _ if !row.locked => Owner::Nobody,
        _ if owner == claimant.id => Owner::Us,
        Some(false) if same_class => Owner::Dead,
        Some(true) if same_class => Owner::Alive,
        _ if fenced && row.silent >= SILENCE => Owner::Unresponsive,
        _ => Owner::Unknown,
    }
}

/// Decides the next action from an observation.
///
/// Of any [`MOST_TURNS`] consecutive actions, one is a pause or the end, whatever the database
/// answers.
pub(crate) fn next(
    claimant: &Claimant,
    seen: &Observation,
    progress: Progress,
    patience: Patience,
) -> Action {
    let wait = |limit: Option<Duration>| match limit {
        Some(limit) if progress.waited >= limit => Action::GiveUp,
        _ => Action::Sleep,
    };
    let soon = || wait(Some(patience.unknown.max(PASSING)));
    let action = match seen {
        Observation::NoTables => Action::CreateTables,
        Observation::NoRow => Action::CreateRow,
        Observation::Won(_) => return Action::Hold,
        Observation::Refused => Action::ReadRow,
        Observation::Unreadable => return soon(),
        Observation::Row(row) => match judge(claimant, row) {
            // Something that the row does not show is in the way.
            Owner::Nobody | Owner::Dead if progress.refused >= MOST_REFUSED => return soon(),
            Owner::Nobody | Owner::Dead => Action::TryAcquire,
            // The answer to an attempt was lost, but the attempt succeeded.
            Owner::Us => return Action::Hold,
            Owner::Unresponsive => Action::TakeOver,
            Owner::Changing => return soon(),
            Owner::Alive => return wait(patience.living),
            Owner::Unknown => return wait(Some(patience.unknown)),
        },
    };
    if progress.turns >= MOST_TURNS { soon() } else { action }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Patience = Patience { living: None, unknown: Duration::from_secs(60) };

    fn after(waited: Duration) -> Progress {
        Progress { waited, ..Progress::default() }
    }

    fn claimant(proof: Liveness) -> Claimant {
        Claimant {
            id: "6a625001-aaaa-8aaa-me".into(),
            liveness: proof,
            recoverable_prefix: "6a625001-aaaa-8aaa-".into(),
            fenced_prefix: "6a625004-aaaa-8aaa-".into(),
        }
    }

    fn row(owner: &str, alive: Option<bool>) -> Observation {
        let silent = Duration::ZERO;
        Observation::Row(LockRow {
            locked: true,
            owner: Some(owner.into()),
            since: None,
            alive,
            silent,
        })
    }

    #[test]
    fn only_the_provably_dead_are_inherited_from() {
        let us = claimant(Liveness::Advisory);
        let soon = Duration::from_secs(1);
        for (owner, alive, action) in [
            ("6a625001-aaaa-8aaa-other", Some(false), Action::TryAcquire),
            ("6a625001-aaaa-8aaa-other", Some(true), Action::Sleep),
            ("6a625001-aaaa-8aaa-other", None, Action::Sleep),
            ("6a625001-bbbb-8bbb-other", Some(false), Action::Sleep),
            ("6a625000-aaaa-8aaa-other", Some(false), Action::Sleep),
            ("0f0e0d0c-aaaa-4aaa-python", Some(false), Action::Sleep),
            ("6a625001-aaaa-8aaa-me", Some(true), Action::Hold),
        ] {
            assert_eq!(
                next(&us, &row(owner, alive), after(soon), PATIENCE),
                action,
                "{owner} {alive:?}"
            );
        }
        // A run whose own liveness cannot be checked recovers no stale lock.
        let us = claimant(Liveness::None);
        assert_eq!(
            next(&us, &row("6a625001-aaaa-8aaa-other", Some(false)), after(soon), PATIENCE),
            Action::Sleep
        );
    }

    #[test]
    fn the_living_are_waited_for_and_the_unknown_for_a_while() {
        let us = claimant(Liveness::Advisory);
        let late = Duration::from_secs(3600);
        assert_eq!(
            next(&us, &row("6a625001-aaaa-8aaa-other", Some(true)), after(late), PATIENCE),
            Action::Sleep
        );
        assert_eq!(
            next(&us, &row("0f0e0d0c-aaaa-4aaa-python", Some(false)), after(late), PATIENCE),
            Action::GiveUp
        );
    }

    #[test]
    fn the_silent_are_taken_over_only_where_the_fence_stops_them() {
        let us = claimant(Liveness::Fenced);
        let late = Duration::from_secs(31);
        for (owner, silent, action) in [
            ("6a625004-aaaa-8aaa-other", 30, Action::TakeOver),
            ("6a625004-aaaa-8aaa-other", 29, Action::Sleep),
            ("6a625004-bbbb-8bbb-other", 30, Action::Sleep),
            ("6a625000-aaaa-8aaa-other", 30, Action::Sleep),
            ("0f0e0d0c-aaaa-4aaa-python", 30, Action::Sleep),
        ] {
            let silent = Duration::from_secs(silent);
            let row = LockRow {
                locked: true,
                owner: Some(owner.into()),
                since: None,
                alive: Some(false),
                silent,
            };
            assert_eq!(
                next(&us, &Observation::Row(row), after(late), PATIENCE),
                action,
                "{owner} {silent:?}"
            );
        }
    }

    #[test]
    fn a_session_lock_without_a_row_is_waited_for() {
        let us = claimant(Liveness::Advisory);
        let free = |alive| Observation::Row(LockRow { alive, ..LockRow::default() });
        let soon = Duration::from_millis(100);
        let never = Patience { living: Some(Duration::ZERO), unknown: Duration::ZERO };
        assert_eq!(next(&us, &free(Some(true)), after(soon), never), Action::Sleep);
        assert_eq!(
            next(&us, &free(Some(true)), after(Duration::from_secs(2)), never),
            Action::GiveUp
        );
        assert_eq!(next(&us, &free(Some(false)), after(soon), never), Action::TryAcquire);
    }

    /// Any answer that a database can give, including wrong ones.
    fn answers() -> impl Strategy<Value = Observation> {
        let row = (any::<bool>(), any::<Option<bool>>(), 0..4_usize, 0..60_u64).prop_map(
            |(locked, alive, owner, silent)| {
                let owners = [
                    "6a625001-aaaa-8aaa-other",
                    "6a625004-aaaa-8aaa-other",
                    "0f0e0d0c-aaaa-4aaa-python",
                    "",
                ];
                let owner = owners.get(owner).map(|owner| (*owner).to_owned());
                let silent = Duration::from_secs(silent);
                Observation::Row(LockRow { locked, owner, since: None, alive, silent })
            },
        );
        prop_oneof![
            Just(Observation::NoTables),
            Just(Observation::NoRow),
            Just(Observation::Refused),
            Just(Observation::Unreadable),
            row
        ]
    }

    proptest! {
        #[test]
        fn every_few_actions_there_is_a_pause_or_the_end(
            answers in prop::collection::vec(answers(), 1..200),
            limit in 0..5_u64,
        ) {
            let us = claimant(Liveness::Advisory);
            let limit = Duration::from_secs(limit);
            let patience = Patience { living: Some(limit), unknown: limit };
            let mut progress = Progress::default();
            for seen in &answers {
                let action = next(&us, seen, progress, patience);
                prop_assert!(progress.turns <= MOST_TURNS);
                match action {
                    Action::GiveUp => return Ok(()),
                    Action::Sleep => {
                        // No pause is longer than the limit.
                        prop_assert!(progress.waited < limit.max(PASSING));
                        let waited = progress.waited + Duration::from_millis(100);
                        progress = Progress { waited, ..Progress::default() };
                    }
                    _ => progress = progress.behind(action),
                }
            }
        }
    }
}
