//! Which setups are explored, and which mistakes are found.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model};

use crate::lock::Liveness;

use super::check::{ALONE, CAUSE, LIVING, ONCE, OWNED, RECORDED, SINGLE, TIDY, stuck};
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
    assert_eq!(stuck(setup), None, "a waiter is stuck");
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
fn fenced_behind(setup: Setup) -> Setup {
    Setup { fence: Fence::Back, drops: false, ..setup }
}

/// A setup like MySQL, where a run continues in new sessions between its files.
fn renewing(renewals: u8, setup: Setup) -> Setup {
    Setup { renewals, ..fenced_behind(setup) }
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
    holds(&fenced_behind(Setup::new([DIRECT; 2], MIXED)));
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
    holds(&fenced_behind(Setup::new([POOLED; 2], MIXED)));
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
#[ignore = "explores twelve million states: two minutes with --release"]
fn everything_is_safe_with_three_faults_and_two_unlocks() {
    let large =
        |runs, files| Setup { fresh: true, unlocks: 2, faults: 3, ..Setup::new(runs, files) };
    for runs in [[DIRECT; 2], [POOLED; 2], [DIRECT, POOLED]] {
        for files in [WHOLE, MIXED] {
            holds(&large(runs, files));
            holds(&fenced_behind(large(runs, files)));
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
fn the_stale_list_of_the_python_tool_is_found_and_the_index_stops_it() {
    let setup = Setup { faults: 0, unlocks: 0, ..Setup::new([DIRECT; 2], WHOLE) };
    assert!(breaks(&Setup { index: false, ..setup.clone() }, ONCE));
    holds(&setup);
}

#[test]
fn a_connection_replaced_inside_a_run_is_found() {
    finds(&bare([DIRECT; 2]), Flaw::Reconnects, ONCE);
}

#[test]
fn a_session_lock_given_back_before_the_row_is_found() {
    finds(&bare([DIRECT; 2]), Flaw::ProofFirst, LIVING);
}

#[test]
fn a_row_taken_without_the_session_lock_is_found() {
    finds(&bare([DIRECT; 2]), Flaw::RobsWithoutProof, LIVING);
}

#[test]
fn a_last_fence_that_reads_a_snapshot_is_found() {
    let setup = Setup { faults: 0, ..Setup::new([DIRECT; 2], WHOLE) };
    finds(&fenced_behind(setup), Flaw::PlainFence, OWNED);
}

#[test]
fn a_file_that_gives_its_session_lock_back_is_stopped_by_the_last_fence() {
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
fn a_row_freed_afresh_without_the_session_lock_is_found() {
    finds(&Setup { unlocks: 0, ..Setup::new([DIRECT; 2], MIXED) }, Flaw::FreesWithoutProof, ALONE);
}

#[test]
fn a_fence_that_does_not_ask_for_the_session_lock_is_found() {
    finds(&bare([DIRECT; 2]), Flaw::NoProofInFence, LIVING);
}

#[test]
fn a_session_lock_trusted_through_a_pooler_is_found() {
    let trusting = Access { liveness: Liveness::Advisory, pooled: true };
    for flaw in [Flaw::None, Flaw::NoProofInFence] {
        assert!(breaks(&Setup { faults: 0, ..bare([trusting; 2]) }.flawed(flaw), LIVING));
    }
    // Even then, the row's fence protects transactional work.
    for property in [SINGLE, OWNED, ONCE, RECORDED] {
        assert!(!breaks(&bare([trusting; 2]).flawed(Flaw::NoProofInFence), property));
    }
}

#[test]
fn a_plan_from_before_the_lock_is_found() {
    finds(&faultless(), Flaw::PlansOnce, ONCE);
}

#[test]
fn a_session_lock_kept_by_a_failed_attempt_is_found() {
    let setup = bare([DIRECT; 2]);
    assert_eq!(stuck(&setup), None);
    println!("{:?}", stuck(&setup.flawed(Flaw::KeepsProof)).expect("a waiter is stuck"));
}

#[test]
fn a_row_forgotten_by_a_cancelled_run_is_found() {
    finds(&bare([POOLED; 2]), Flaw::ForgetsRow, TIDY);
}

#[test]
fn a_row_freed_under_a_statement_that_commits_by_itself_is_found() {
    finds(&Setup { unlocks: 0, ..Setup::new([POOLED; 2], MIXED) }, Flaw::FreesOpenWork, ALONE);
}

#[test]
fn a_proven_run_that_takes_over_without_its_session_lock_is_found() {
    finds(&bare([DIRECT, FENCED]), Flaw::TakesOverBare, CAUSE);
}

#[test]
fn an_old_session_that_ends_before_the_fresh_one_has_a_session_lock_is_found() {
    finds(&renewing(1, faultless()), Flaw::MovesLate, LIVING);
}

#[test]
fn a_renewal_that_does_not_wait_for_the_other_session_lock_is_found() {
    finds(&renewing(2, faultless()), Flaw::MovesUnchecked, LIVING);
}

#[test]
fn a_renewal_that_does_not_ask_for_the_lock_of_the_old_session_is_found() {
    finds(&renewing(1, bare([DIRECT; 2])), Flaw::TrustsOldSession, CAUSE);
}

#[test]
fn a_row_taken_while_the_other_session_lock_is_held_is_found() {
    finds(&renewing(1, faultless()), Flaw::AsksForOneLock, LIVING);
}

#[test]
fn a_fence_that_asks_for_the_session_lock_from_before_a_renewal_is_found() {
    finds(&renewing(1, faultless()), Flaw::FencesFirstLock, CAUSE);
}

#[test]
fn a_run_that_calls_itself_fenced_and_is_not_is_found() {
    finds(&Setup { unlocks: 0, ..Setup::new([FENCED; 2], MIXED) }, Flaw::FencedInName, ALONE);
}
