//! What is explored, and which mistakes are found.

use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

use super::check::{ALONE, CAUSE, LIVING, ONCE, OWNED, SINGLE, TIDY, UNKNOWN, stuck};
use super::{Access, DIRECT, FENCED, Fence, File, Flaw, POOLED, Setup};

const WHOLE: [File; 2] = [File::Whole, File::Whole];
const MIXED: [File; 2] = [File::Whole, File::Open];

/// Explores everything, and expects every property.
fn holds(name: &str, setup: &Setup) {
    let started = Instant::now();
    let checker = setup.clone().checker().threads(2).spawn_bfs().join();
    println!("{name}: {} states, depth {}, {:.1?}", checker.unique_state_count(), checker.max_depth(), started.elapsed());
    checker.assert_properties();
    let started = Instant::now();
    assert_eq!(stuck(setup), None, "{name}: a waiter is stuck");
    println!("  reachability {:.1?}", started.elapsed());
}

/// The broken properties.
fn broken(setup: &Setup) -> Vec<&'static str> {
    let checker = setup.clone().checker().threads(2).finish_when(HasDiscoveries::AnyFailures);
    let checker = checker.spawn_bfs().join();
    let mut names: Vec<_> = checker.discoveries().into_keys().collect();
    names.sort_unstable();
    for name in &names {
        if let Some(path) = checker.discovery(name) {
            println!("{:?} {name}: {:#?}", setup.flaw, path.into_actions());
        }
    }
    names
}

#[test]
fn sizes() {
    for faults in 1..=2 {
        for (name, access) in [("direct", DIRECT), ("pooled", POOLED), ("fenced", FENCED)] {
            for files in [WHOLE, MIXED] {
                for fence in [Fence::Front, Fence::Back] {
                    let mut setup = Setup::new([access; 2], files);
                    setup.fence = fence;
                    setup.faults = faults;
                    holds(&format!("{name} {files:?} {fence:?} {faults}"), &setup);
                }
            }
        }
    }
}
