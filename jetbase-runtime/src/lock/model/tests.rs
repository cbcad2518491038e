//! Which setups are explored, and which mistakes are found.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model};

use crate::session::Liveness;

use super::check::{ALONE, LIVING, ONCE, OWNED, REASON, RECORDED, RELEASED, SINGLE, stuck};
use super::{Access, DIRECT, FENCED, Fence, File, Flaw, POOLED, Setup};

const WHOLE: [File; 2] = [File::Whole, File::Whole];
const MIXED: [File; 2] = [File::Whole, File::Open];
/// The number of threads that every test machine has.
const THREADS: usize = 2;

/// Explores everything, and expects every property to hold.
fn holds(setup: &Setup) {
    let checker = setup.clone().checker().threads(THREADS).spawn_bfs().join();
    let Setup { runs, files, fence, .. } = setup;
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("{states:7} states, {depth} steps deep: {runs:?} {files:?} {fence:?}");
    checker.assert_properties();
    drop(checker);
    assert_eq!(stuck(setup), None, "a waiting run is stuck");
}

/// Whether some order of steps breaks the property. It prints the shortest one.
fn breaks(setup: &Setup, property: &'static str) -> bool {
    let when = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checker = setup.clone().checker().finish_when(when).spawn_bfs().join();
    let path = checker.discovery(property);
    if let Some(path) = &path {
        println!("{:?} breaks \"{property}\": {:?}", setup.flaw, path.clone().into_actions());
    }
    path.is_some()
}

/// Expects that the flaw, and nothing else, breaks the property.
fn finds(setup: &Setup, flaw: Flaw, property: &'static str) {
    assert!(!breaks(setup, property), "{property}: broken without {flaw:?}");
    assert!(breaks(&setup.clone().flawed(flaw), property), "{property}: holds with {flaw:?}");
}

/// A setup like MySQL, where the row is not locked while a file runs.
fn fenced_at_the_end(setup: Setup) -> Setup {
    Setup { fence: Fence::Back, drops: false, ..setup }
}

/// A setup like MySQL, where a run continues in new sessions between its files.
fn renewing(renewals: u8, setup: Setup) -> Setup {
    Setup { renewals, ..fenced_at_the_end(setup) }
}

/// A setup without anything else that makes a second application fail, so that the lock alone must
/// prevent it.
fn bare(runs: [Access; 2]) -> Setup {
    Setup { index: false, python: false, unlocks: 0, ..Setup::new(runs, WHOLE) }
}

/// A setup with the lock alone, and without faults other than a flaw.
fn faultless() -> Setup {
    Setup { faults: 0, ..bare([DIRECT; 2]) }
}

#[test]
fn runs_with_a_session_of_their_own_are_safe_and_recover() {
    holds(&Setup::new([DIRECT; 2], MIXED));
    holds(&fenced_at_the_end(Setup::new([DIRECT; 2], MIXED)));
    holds(&bare([DIRECT; 2]));
}

#[test]
fn runs_that_renew_their_session_are_safe_and_recover() {
    holds(&renewing(1, Setup::new([DIRECT; 2], MIXED)));
    holds(&renewing(2, bare([DIRECT; 2])));
}

#[test]
fn runs_through_a_pooler_are_safe() {
    holds(&Setup::new([POOLED; 2], MIXED));
    holds(&fenced_at_the_end(Setup::new([POOLED; 2], MIXED)));
    holds(&bare([POOLED; 2]));
}

#[test]
fn a_timed_takeover_through_a_pooler_is_safe_and_recovers() {
    holds(&Setup::new([FENCED; 2], WHOLE));
    holds(&bare([FENCED; 2]));
}

#[test]
fn runs_with_and_without_a_pooler_are_safe_together() {
    holds(&Setup::new([DIRECT, POOLED], MIXED));
    holds(&Setup::new([DIRECT, FENCED], WHOLE));
}

#[test]
fn an_empty_database_is_safe() {
    holds(&Setup { fresh: true, ..Setup::new([DIRECT; 2], WHOLE) });
}

#[test]
#[ignore = "explores sixteen million states: some minutes with --release"]
fn every_setup_is_safe_with_three_faults_and_two_unlocks() {
    let large =
        |runs, files| Setup { fresh: true, unlocks: 2, faults: 3, ..Setup::new(runs, files) };
    for runs in [[DIRECT; 2], [POOLED; 2], [DIRECT, POOLED]] {
        for files in [WHOLE, MIXED] {
            holds(&large(runs, files));
            holds(&fenced_at_the_end(large(runs, files)));
        }
    }
    for runs in [[FENCED; 2], [DIRECT, FENCED]] {
        holds(&large(runs, WHOLE));
    }
    for files in [WHOLE, MIXED] {
        holds(&renewing(1, large([DIRECT; 2], files)));
    }
}

#[test]
fn the_model_finds_the_stale_list_of_the_python_tool_and_the_index_prevents_it() {
    let setup = Setup { faults: 0, unlocks: 0, ..Setup::new([DIRECT; 2], WHOLE) };
    assert!(breaks(&Setup { index: false, ..setup.clone() }, ONCE));
    holds(&setup);
}

#[test]
fn the_model_finds_a_connection_that_is_replaced_inside_a_run() {
    finds(&bare([DIRECT; 2]), Flaw::Reconnects, ONCE);
}

#[test]
fn the_model_finds_a_session_lock_that_is_released_before_the_row() {
    finds(&bare([DIRECT; 2]), Flaw::ReleasesSessionLockFirst, LIVING);
}

#[test]
fn the_model_finds_a_row_that_is_taken_without_the_session_lock() {
    finds(&bare([DIRECT; 2]), Flaw::TakesRowWithoutSessionLock, LIVING);
}

#[test]
fn the_model_finds_a_last_fence_that_reads_a_snapshot() {
    let setup = Setup { faults: 0, ..Setup::new([DIRECT; 2], WHOLE) };
    finds(&fenced_at_the_end(setup), Flaw::ReadsSnapshotInFence, OWNED);
}

#[test]
fn the_last_fence_stops_a_file_that_releases_its_session_lock() {
    let setup = Setup { fence: Fence::Back, ..bare([DIRECT; 2]) };
    for renewals in [0, 1] {
        for property in [OWNED, ONCE, RECORDED] {
            assert!(!breaks(&Setup { renewals, ..setup.clone() }, property));
        }
    }
    // The statements of the file may have overlapped those of another run. The documentation names
    // this limit.
    assert!(breaks(&setup, LIVING));
}

#[test]
fn the_model_finds_a_new_session_that_releases_the_row_without_the_session_lock() {
    finds(
        &Setup { unlocks: 0, ..Setup::new([DIRECT; 2], MIXED) },
        Flaw::ReleasesRowWithoutSessionLock,
        ALONE,
    );
}

#[test]
fn the_model_finds_a_fence_that_does_not_check_the_session_lock() {
    finds(&bare([DIRECT; 2]), Flaw::FencesWithoutSessionLock, LIVING);
}

#[test]
fn the_model_finds_a_session_lock_that_is_trusted_through_a_pooler() {
    let trusting = Access { liveness: Liveness::Advisory, pooled: true };
    for flaw in [Flaw::None, Flaw::FencesWithoutSessionLock] {
        assert!(breaks(&Setup { faults: 0, ..bare([trusting; 2]) }.flawed(flaw), LIVING));
    }
    // Even then, the row's fence protects transactional work.
    for property in [SINGLE, OWNED, ONCE, RECORDED] {
        assert!(!breaks(&bare([trusting; 2]).flawed(Flaw::FencesWithoutSessionLock), property));
    }
}

#[test]
fn the_model_finds_a_plan_that_is_made_before_the_lock_only() {
    finds(&faultless(), Flaw::PlansOnce, ONCE);
}

#[test]
fn the_model_finds_a_failed_attempt_that_keeps_its_session_lock() {
    let setup = bare([DIRECT; 2]);
    assert_eq!(stuck(&setup), None);
    println!("{:?}", stuck(&setup.flawed(Flaw::KeepsSessionLock)).expect("a waiting run is stuck"));
}

#[test]
fn the_model_finds_a_cancelled_run_that_leaves_the_row_locked() {
    finds(&bare([POOLED; 2]), Flaw::LeavesRowLocked, RELEASED);
}

#[test]
fn the_model_finds_a_row_that_is_released_while_a_statement_commits_by_itself() {
    finds(
        &Setup { unlocks: 0, ..Setup::new([POOLED; 2], MIXED) },
        Flaw::ReleasesUnfencedWork,
        ALONE,
    );
}

#[test]
fn the_model_finds_a_takeover_without_the_own_session_lock() {
    finds(&bare([DIRECT, FENCED]), Flaw::TakesOverWithoutSessionLock, REASON);
}

#[test]
fn the_model_finds_an_old_session_that_ends_before_the_new_one_has_a_session_lock() {
    finds(&renewing(1, faultless()), Flaw::EndsOldSessionFirst, LIVING);
}

#[test]
fn the_model_finds_a_renewal_that_does_not_wait_for_the_other_session_lock() {
    finds(&renewing(2, faultless()), Flaw::MovesWithoutSessionLock, LIVING);
}

#[test]
fn the_model_finds_a_renewal_that_does_not_check_the_lock_of_the_old_session() {
    finds(&renewing(1, bare([DIRECT; 2])), Flaw::TrustsOldSession, REASON);
}

#[test]
fn the_model_finds_a_row_that_is_taken_while_the_other_session_lock_is_held() {
    finds(&renewing(1, faultless()), Flaw::ChecksOneSessionLock, LIVING);
}

#[test]
fn the_model_finds_a_fence_that_checks_the_session_lock_from_before_a_renewal() {
    finds(&renewing(1, faultless()), Flaw::FencesFirstSessionLock, REASON);
}

#[test]
fn the_model_finds_a_run_that_calls_itself_fenced_although_it_is_not() {
    finds(&Setup { unlocks: 0, ..Setup::new([FENCED; 2], MIXED) }, Flaw::FencedInNameOnly, ALONE);
}
