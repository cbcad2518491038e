//! The decisions of the lock protocol: one pure function from observations to actions.
//!
//! The runtime performs the actions. This module uses no database and no clock.

use std::time::Duration;

use crate::session::Liveness;
use crate::wait::WaitLimits;

/// The row of `jetbase_lock`, and whether its session lock is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LockRow {
    pub(crate) locked: bool,
    pub(crate) owner: Option<String>,
    pub(crate) since: Option<String>,
    /// Whether the session lock is held; `None` if that cannot be checked.
    pub(crate) alive: Option<bool>,
    /// For how long the observer has seen the row and the history unchanged.
    pub(crate) unchanged_for: Duration,
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
    Acquired(Option<String>),
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
    pub(crate) actions: u32,
}

impl Progress {
    /// Returns the progress after an action that was not a pause.
    pub(crate) fn after(self, action: LockAction) -> Self {
        let tried = matches!(action, LockAction::TryAcquire | LockAction::TakeOver);
        Progress { actions: self.actions + 1, refused: self.refused + u32::from(tried), ..self }
    }
}

/// How often the run tries to acquire a row that is free before the next pause.
const MAX_REFUSED: u32 = 1;
/// How many actions may follow each other without a pause.
pub(crate) const MAX_ACTIONS: u32 = 8;

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
pub(crate) enum LockAction {
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

/// What is known about the owner of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerState {
    Free,
    /// The row is free, but another run holds the session lock: it is acquiring the row, or has
    /// just released it.
    Changing,
    ThisRun,
    /// The session lock of the owner is free, so the owner will not continue.
    Dead,
    Alive,
    /// The liveness cannot be checked, but nothing has changed for a long time, and the fence would stop
    /// the owner.
    Unresponsive,
    Unknown,
}

/// How long an owner must have changed nothing before its lock is taken over.
pub(crate) const UNRESPONSIVE_AFTER: Duration = Duration::from_secs(30);
/// The minimum wait for a run that is acquiring or releasing the lock.
const MIN_WAIT_FOR_CHANGE: Duration = Duration::from_secs(1);

/// Judges the owner of a row.
pub(crate) fn judge(claimant: &Claimant, row: &LockRow) -> OwnerState {
    let owner = row.owner.as_deref().unwrap_or_default();
    let same_class =
        claimant.liveness.has_session_lock() && owner.starts_with(&claimant.recoverable_prefix);
    let fenced = !claimant.fenced_prefix.is_empty() && owner.starts_with(&claimant.fenced_prefix);
    match row.alive {
        Some(true) if !row.locked && claimant.liveness.has_session_lock() => OwnerState::Changing,
        _ if !row.locked => OwnerState::Free,
        _ if owner == claimant.id => OwnerState::ThisRun,
        Some(false) if same_class => OwnerState::Dead,
        Some(true) if same_class => OwnerState::Alive,
        _ if fenced && row.unchanged_for >= UNRESPONSIVE_AFTER => OwnerState::Unresponsive,
        _ => OwnerState::Unknown,
    }
}

/// Decides the next action from an observation.
///
/// Of any [`MOST_TURNS`] consecutive actions, one is a pause or the end, whatever the database
/// answers.
pub(crate) fn next(
    claimant: &Claimant,
    observation: &Observation,
    progress: Progress,
    limits: WaitLimits,
) -> LockAction {
    let wait = |limit: Option<Duration>| match limit {
        Some(limit) if progress.waited >= limit => LockAction::GiveUp,
        _ => LockAction::Sleep,
    };
    let wait_briefly = || wait(Some(limits.unknown.max(MIN_WAIT_FOR_CHANGE)));
    let action = match observation {
        Observation::NoTables => LockAction::CreateTables,
        Observation::NoRow => LockAction::CreateRow,
        Observation::Acquired(_) => return LockAction::Hold,
        Observation::Refused => LockAction::ReadRow,
        Observation::Unreadable => return wait_briefly(),
        Observation::Row(row) => match judge(claimant, row) {
            // The attempt failed for a reason that the row does not show.
            OwnerState::Free | OwnerState::Dead if progress.refused >= MAX_REFUSED => {
                return wait_briefly();
            }
            OwnerState::Free | OwnerState::Dead => LockAction::TryAcquire,
            // The answer to an attempt was lost, but the attempt succeeded.
            OwnerState::ThisRun => return LockAction::Hold,
            OwnerState::Unresponsive => LockAction::TakeOver,
            OwnerState::Changing => return wait_briefly(),
            OwnerState::Alive => return wait(limits.alive),
            OwnerState::Unknown => return wait(Some(limits.unknown)),
        },
    };
    if progress.actions >= MAX_ACTIONS { wait_briefly() } else { action }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: WaitLimits = WaitLimits { alive: None, unknown: Duration::from_secs(60) };

    fn after(waited: Duration) -> Progress {
        Progress { waited, ..Progress::default() }
    }

    fn claimant(liveness: Liveness) -> Claimant {
        Claimant {
            id: "6a625001-aaaa-8aaa-me".into(),
            liveness,
            recoverable_prefix: "6a625001-aaaa-8aaa-".into(),
            fenced_prefix: "6a625004-aaaa-8aaa-".into(),
        }
    }

    fn row(owner: &str, alive: Option<bool>) -> Observation {
        let unchanged_for = Duration::ZERO;
        Observation::Row(LockRow {
            locked: true,
            owner: Some(owner.into()),
            since: None,
            alive,
            unchanged_for,
        })
    }

    #[test]
    fn a_run_takes_the_lock_of_a_dead_owner_only() {
        let us = claimant(Liveness::Advisory);
        let soon = Duration::from_secs(1);
        for (owner, alive, action) in [
            ("6a625001-aaaa-8aaa-other", Some(false), LockAction::TryAcquire),
            ("6a625001-aaaa-8aaa-other", Some(true), LockAction::Sleep),
            ("6a625001-aaaa-8aaa-other", None, LockAction::Sleep),
            ("6a625001-bbbb-8bbb-other", Some(false), LockAction::Sleep),
            ("6a625000-aaaa-8aaa-other", Some(false), LockAction::Sleep),
            ("0f0e0d0c-aaaa-4aaa-python", Some(false), LockAction::Sleep),
            ("6a625001-aaaa-8aaa-me", Some(true), LockAction::Hold),
        ] {
            assert_eq!(
                next(&us, &row(owner, alive), after(soon), LIMITS),
                action,
                "{owner} {alive:?}"
            );
        }
        // A run whose own liveness cannot be checked recovers no stale lock.
        let us = claimant(Liveness::None);
        assert_eq!(
            next(&us, &row("6a625001-aaaa-8aaa-other", Some(false)), after(soon), LIMITS),
            LockAction::Sleep
        );
    }

    #[test]
    fn a_run_waits_without_limit_for_a_living_owner_and_with_one_for_an_unknown_owner() {
        let us = claimant(Liveness::Advisory);
        let late = Duration::from_secs(3600);
        assert_eq!(
            next(&us, &row("6a625001-aaaa-8aaa-other", Some(true)), after(late), LIMITS),
            LockAction::Sleep
        );
        assert_eq!(
            next(&us, &row("0f0e0d0c-aaaa-4aaa-python", Some(false)), after(late), LIMITS),
            LockAction::GiveUp
        );
    }

    #[test]
    fn a_run_takes_the_lock_of_an_unresponsive_owner_only_where_the_fence_stops_it() {
        let us = claimant(Liveness::Fenced);
        let late = Duration::from_secs(31);
        for (owner, unchanged_for, action) in [
            ("6a625004-aaaa-8aaa-other", 30, LockAction::TakeOver),
            ("6a625004-aaaa-8aaa-other", 29, LockAction::Sleep),
            ("6a625004-bbbb-8bbb-other", 30, LockAction::Sleep),
            ("6a625000-aaaa-8aaa-other", 30, LockAction::Sleep),
            ("0f0e0d0c-aaaa-4aaa-python", 30, LockAction::Sleep),
        ] {
            let unchanged_for = Duration::from_secs(unchanged_for);
            let row = LockRow {
                locked: true,
                owner: Some(owner.into()),
                since: None,
                alive: Some(false),
                unchanged_for,
            };
            assert_eq!(
                next(&us, &Observation::Row(row), after(late), LIMITS),
                action,
                "{owner} {unchanged_for:?}"
            );
        }
    }

    #[test]
    fn a_run_waits_for_a_session_lock_without_a_row() {
        let us = claimant(Liveness::Advisory);
        let free = |alive| Observation::Row(LockRow { alive, ..LockRow::default() });
        let soon = Duration::from_millis(100);
        let never = WaitLimits { alive: Some(Duration::ZERO), unknown: Duration::ZERO };
        assert_eq!(next(&us, &free(Some(true)), after(soon), never), LockAction::Sleep);
        assert_eq!(
            next(&us, &free(Some(true)), after(Duration::from_secs(2)), never),
            LockAction::GiveUp
        );
        assert_eq!(next(&us, &free(Some(false)), after(soon), never), LockAction::TryAcquire);
    }

    /// Any answer that a database can give, including wrong ones.
    fn answers() -> impl Strategy<Value = Observation> {
        let row = (any::<bool>(), any::<Option<bool>>(), 0..4_usize, 0..60_u64).prop_map(
            |(locked, alive, owner, unchanged_for)| {
                let owners = [
                    "6a625001-aaaa-8aaa-other",
                    "6a625004-aaaa-8aaa-other",
                    "0f0e0d0c-aaaa-4aaa-python",
                    "",
                ];
                let owner = owners.get(owner).map(|owner| (*owner).to_owned());
                let unchanged_for = Duration::from_secs(unchanged_for);
                Observation::Row(LockRow { locked, owner, since: None, alive, unchanged_for })
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
            let limits = WaitLimits { alive: Some(limit), unknown: limit };
            let mut progress = Progress::default();
            for observation in &answers {
                let action = next(&us, observation, progress, limits);
                prop_assert!(progress.actions <= MAX_ACTIONS);
                match action {
                    LockAction::GiveUp => return Ok(()),
                    LockAction::Sleep => {
                        // No pause is longer than the limit.
                        prop_assert!(progress.waited < limit.max(MIN_WAIT_FOR_CHANGE));
                        let waited = progress.waited + Duration::from_millis(100);
                        progress = Progress { waited, ..Progress::default() };
                    }
                    _ => progress = progress.after(action),
                }
            }
        }
    }
}
