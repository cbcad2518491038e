//! The decisions of the lock protocol: one pure function from what is seen to what is done.
//!
//! The runtime performs the actions; nothing here knows a database or a clock.

use std::time::Duration;

/// How an owner's life can be proved; the number stands in its process id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Proof {
    /// It cannot: a pooler, a caller's connection, a cluster, the Python tool.
    None = 0,
    /// By a PostgreSQL session advisory lock.
    Advisory = 1,
    /// By MySQL's `GET_LOCK`.
    GetLock = 2,
    /// By a lock on the file beside an SQLite database.
    File = 3,
}

/// The row of `jetbase_lock`, and whether somebody's session lock goes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LockRow {
    pub(crate) locked: bool,
    pub(crate) owner: Option<String>,
    pub(crate) since: Option<String>,
    /// Whether the session lock is held; `None` where nobody can know.
    pub(crate) alive: Option<bool>,
}

/// What an attempt, or a look, has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// There are no tables, or not both.
    NoTables,
    /// The table is there, its row is not.
    NoRow,
    /// The attempt succeeded; the lock may have been left by a dead holder.
    Won(Option<String>),
    /// The attempt failed: nothing else is known yet.
    Refused,
    /// The row, read without an attempt.
    Row(LockRow),
}

/// Who wants the lock.
#[derive(Clone, Debug)]
pub(crate) struct Claimant {
    /// Our process id.
    pub(crate) id: String,
    /// How our own life can be proved.
    pub(crate) proof: Proof,
    /// What the ids begin with whose lives we can judge, and inherit from: same server, same proof.
    pub(crate) heirloom: String,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    CreateTables,
    CreateRow,
    TryAcquire,
    Look,
    /// Wait, then look again.
    Sleep,
    /// The lock is ours: work.
    Hold,
    /// It is somebody else's for too long.
    GiveUp,
}

/// How long to wait for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// For a holder that is provably alive; `None` is for ever.
    pub(crate) living: Option<Duration>,
    /// For a holder of whom nobody can know.
    pub(crate) unknown: Duration,
}

/// What is known about the owner of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Nobody,
    Us,
    /// Its proof is free: it will never come back.
    Dead,
    Alive,
    Unknown,
}

/// Judges the owner of a row.
pub(crate) fn judge(claimant: &Claimant, row: &LockRow) -> Owner {
    let owner = row.owner.as_deref().unwrap_or_default();
    let kin = claimant.proof != Proof::None && owner.starts_with(&claimant.heirloom);
    match row.alive {
        _ if !row.locked => Owner::Nobody,
        _ if owner == claimant.id => Owner::Us,
        Some(false) if kin => Owner::Dead,
        Some(true) if kin => Owner::Alive,
        _ => Owner::Unknown,
    }
}

/// Decides what follows from what was seen, after `waited` of waiting.
pub(crate) fn next(
    claimant: &Claimant,
    seen: &Seen,
    waited: Duration,
    patience: Patience,
) -> Action {
    let wait = |limit: Option<Duration>| match limit {
        Some(limit) if waited >= limit => Action::GiveUp,
        _ => Action::Sleep,
    };
    match seen {
        Seen::NoTables => Action::CreateTables,
        Seen::NoRow => Action::CreateRow,
        Seen::Won(_) => Action::Hold,
        Seen::Refused => Action::Look,
        Seen::Row(row) => match judge(claimant, row) {
            Owner::Nobody | Owner::Dead => Action::TryAcquire,
            // An acknowledgement was lost: the attempt had succeeded.
            Owner::Us => Action::Hold,
            Owner::Alive => wait(patience.living),
            Owner::Unknown => wait(Some(patience.unknown)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { living: None, unknown: Duration::from_secs(60) };

    fn claimant(proof: Proof) -> Claimant {
        Claimant {
            id: "6a625001-aaaa-8aaa-me".into(),
            proof,
            heirloom: "6a625001-aaaa-8aaa-".into(),
        }
    }

    fn row(owner: &str, alive: Option<bool>) -> Seen {
        Seen::Row(LockRow { locked: true, owner: Some(owner.into()), since: None, alive })
    }

    #[test]
    fn only_the_provably_dead_are_inherited_from() {
        let us = claimant(Proof::Advisory);
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
            assert_eq!(next(&us, &row(owner, alive), soon, PATIENCE), action, "{owner} {alive:?}");
        }
        // Who cannot prove its own life inherits from nobody.
        let us = claimant(Proof::None);
        assert_eq!(
            next(&us, &row("6a625001-aaaa-8aaa-other", Some(false)), soon, PATIENCE),
            Action::Sleep
        );
    }

    #[test]
    fn the_living_are_waited_for_and_the_unknown_for_a_while() {
        let us = claimant(Proof::Advisory);
        let late = Duration::from_secs(3600);
        assert_eq!(
            next(&us, &row("6a625001-aaaa-8aaa-other", Some(true)), late, PATIENCE),
            Action::Sleep
        );
        assert_eq!(
            next(&us, &row("0f0e0d0c-aaaa-4aaa-python", Some(false)), late, PATIENCE),
            Action::GiveUp
        );
    }
}
