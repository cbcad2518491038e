//! The fuzz targets with proptest: the corpus, then a bounded number of random inputs.
//!
//! `JETBASE_FUZZ_SECONDS=3600` makes `targets_for_a_long_time` run that long; otherwise it does nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::time::{Duration, Instant};

use jetbase_fuzz::{FuzzTarget, PythonReader, TARGETS, corpus, find_interpreter, fragments};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

/// The random inputs for each target.
const CASES: u32 = 500;

/// Starts the Python process. Without it, the targets do not compare with the Python tool.
fn start_python() {
    match find_interpreter() {
        Some(interpreter) => PythonReader::start(&interpreter).expect("Python can be started"),
        None => {
            let required = std::env::var("JETBASE_TEST_REQUIRE").unwrap_or_default();
            let required = required.split(',').any(|it| matches!(it.trim(), "all" | "python"));
            assert!(!required, "the Python tool is not installed, see CONTRIBUTING.md");
        }
    }
}

fn target(name: &str) -> FuzzTarget {
    *TARGETS.iter().find(|target| target.name == name).unwrap()
}

/// Fragments, any text, any bytes, and an input of the corpus with changes.
fn inputs(target: FuzzTarget) -> impl Strategy<Value = Vec<u8>> {
    let fragment = || prop::sample::select(fragments(target.name));
    let joined = prop::collection::vec(fragment(), 0..40).prop_map(|it| it.concat().into_bytes());
    let known = corpus(target.name);
    let known = if known.is_empty() { vec![Vec::new()] } else { known };
    let edits =
        prop::collection::vec((any::<prop::sample::Index>(), 0_usize..24, fragment()), 1..6);
    let changed = (prop::sample::select(known), edits).prop_map(|(mut input, edits)| {
        for (at, length, fragment) in edits {
            let at = at.index(input.len() + 1);
            let end = (at + length).min(input.len());
            input.splice(at..end, fragment.bytes());
        }
        input
    });
    prop_oneof![
        4 => joined,
        4 => changed,
        1 => any::<String>().prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..64),
    ]
}

fn random(target: FuzzTarget, cases: u32) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result =
        TestRunner::new(config).run(&inputs(target), |input| {
            match std::panic::catch_unwind(|| (target.body)(&input)) {
                Ok(()) => Ok(()),
                Err(panic) => {
                    let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                    Err(TestCaseError::fail(text))
                }
            }
        });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, input)) => {
            panic!("{}: {why}\ninput: {:?}", target.name, String::from_utf8_lossy(&input))
        }
        Err(TestError::Abort(why)) => panic!("{}: {why}", target.name),
    }
}

fn corpus_and_random(name: &str) {
    start_python();
    let target = target(name);
    let inputs = corpus(name);
    assert!(!inputs.is_empty(), "{name} has a corpus");
    for input in inputs {
        (target.body)(&input);
    }
    random(target, CASES);
}

#[test]
fn any_name_is_read_or_refused() {
    corpus_and_random("names");
}

#[test]
fn any_file_is_read_as_the_python_tool_reads_it() {
    corpus_and_random("scripts");
}

#[test]
fn any_sql_is_cut_or_refused() {
    corpus_and_random("cutting");
}

#[test]
fn any_list_is_read_or_refused() {
    corpus_and_random("list");
}

#[test]
fn no_text_shows_the_password_of_any_url() {
    corpus_and_random("urls");
}

#[test]
fn any_configuration_is_read_or_refused() {
    corpus_and_random("config");
}

#[test]
fn targets_for_a_long_time() {
    let seconds = std::env::var("JETBASE_FUZZ_SECONDS").ok().and_then(|it| it.parse().ok());
    let Some(seconds) = seconds else { return };
    start_python();
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut cases = 0_u64;
    while Instant::now() < end {
        for target in TARGETS {
            random(target, CASES);
            cases += u64::from(CASES);
        }
    }
    println!("{cases} inputs in {seconds} s without a finding");
}
