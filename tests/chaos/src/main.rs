//! Storms, crashes and faults against the lock of jetbase: see `tests/chaos/run`.

mod bouncer;
mod case;
mod cluster;
mod concurrent_index;
mod crash;
mod demo;
mod faults;
mod files;
mod galera;
mod journal;
mod pooler;
mod python;
mod relay;
mod second_server;
mod storm;
mod worker;
mod worker_group;

use std::process::ExitCode;

use jetbase_test_harness::DatabaseKind::{Mysql, Postgres, Sqlite};

use bench::{ChaosCase, Size};

/// Everything that can be shown.
const CASES: &[ChaosCase] = &[
    ChaosCase::new("storm/sqlite", Sqlite, |ctx| Box::pin(storm::plain(ctx))),
    ChaosCase::new("storm/postgres", Postgres, |ctx| Box::pin(storm::plain(ctx))),
    ChaosCase::new("storm/mysql", Mysql, |ctx| Box::pin(storm::plain(ctx))),
    ChaosCase::new("limit/sqlite", Sqlite, |ctx| Box::pin(storm::limited(ctx))),
    ChaosCase::new("limit/postgres", Postgres, |ctx| Box::pin(storm::limited(ctx))),
    ChaosCase::new("limit/mysql", Mysql, |ctx| Box::pin(storm::limited(ctx))),
    ChaosCase::new("limit-url/postgres", Postgres, |ctx| Box::pin(storm::limited_urls(ctx))),
    ChaosCase::new("limit-url/mysql", Mysql, |ctx| Box::pin(storm::limited_urls(ctx))),
    ChaosCase::new("crash/sqlite", Sqlite, |ctx| Box::pin(crash::crash(ctx))),
    ChaosCase::new("crash/postgres", Postgres, |ctx| Box::pin(crash::crash(ctx))),
    ChaosCase::new("crash/mysql", Mysql, |ctx| Box::pin(crash::crash(ctx))),
    ChaosCase::new("python/among/sqlite", Sqlite, |ctx| Box::pin(python::among(ctx))).with_python(),
    ChaosCase::new("python/among/postgres", Postgres, |ctx| Box::pin(python::among(ctx)))
        .with_python(),
    ChaosCase::new("python/among/mysql", Mysql, |ctx| Box::pin(python::among(ctx)))
        .with_python()
        .long(),
    ChaosCase::new("python/dead/sqlite", Sqlite, |ctx| Box::pin(python::dead(ctx)))
        .with_python()
        .long(),
    ChaosCase::new("python/dead/postgres", Postgres, |ctx| Box::pin(python::dead(ctx)))
        .with_python(),
    ChaosCase::new("python/dead/mysql", Mysql, |ctx| Box::pin(python::dead(ctx)))
        .with_python()
        .long(),
    ChaosCase::new("python/unlock/sqlite", Sqlite, |ctx| Box::pin(python::unlock(ctx)))
        .with_python(),
    ChaosCase::new("python/unlock/postgres", Postgres, |ctx| Box::pin(python::unlock(ctx)))
        .with_python(),
    ChaosCase::new("python/unlock/mysql", Mysql, |ctx| Box::pin(python::unlock(ctx)))
        .with_python()
        .long(),
    ChaosCase::new("concurrently/postgres", Postgres, |ctx| {
        Box::pin(concurrent_index::concurrently(ctx))
    }),
    ChaosCase::alone("galera/storm", |ctx| Box::pin(galera::storms(ctx))).long(),
    ChaosCase::alone("galera/killed", |ctx| Box::pin(galera::killed(ctx))).long(),
    ChaosCase::alone("galera/frozen", |ctx| Box::pin(galera::frozen(ctx))).long(),
    ChaosCase::alone("galera/minority", |ctx| Box::pin(galera::minority(ctx))).long(),
    ChaosCase::new("pooler/storm", Postgres, |ctx| Box::pin(pooler::storms(ctx))),
    ChaosCase::new("pooler/direct", Postgres, |ctx| Box::pin(pooler::direct(ctx))),
    ChaosCase::new("pooler/timed", Postgres, |ctx| Box::pin(pooler::timed(ctx))).long(),
    ChaosCase::new("pooler/cut", Postgres, |ctx| Box::pin(faults::cut_pooler(ctx))),
    ChaosCase::new("pooler/left", Postgres, |ctx| Box::pin(pooler::left(ctx))),
    ChaosCase::new("pooler/dump", Postgres, |ctx| Box::pin(pooler::dump(ctx))),
    ChaosCase::new("pooler/off", Postgres, |ctx| Box::pin(pooler::off(ctx))),
    ChaosCase::new("faults/terminated/postgres", Postgres, |ctx| Box::pin(faults::terminated(ctx))),
    ChaosCase::new("faults/terminated/mysql", Mysql, |ctx| Box::pin(faults::terminated(ctx))),
    ChaosCase::new("faults/cut/postgres", Postgres, |ctx| Box::pin(faults::cut(ctx))).long(),
    ChaosCase::new("faults/cut/mysql", Mysql, |ctx| Box::pin(faults::cut(ctx))).long(),
    ChaosCase::alone("faults/restarted/postgres", |ctx| Box::pin(faults::restarted(Postgres, ctx))),
    ChaosCase::alone("faults/restarted/mysql", |ctx| Box::pin(faults::restarted(Mysql, ctx))),
    ChaosCase::alone("faults/promoted/postgres", |ctx| Box::pin(faults::promoted(ctx))).long(),
    ChaosCase::alone("faults/recreated/mysql", |ctx| Box::pin(faults::recreated(ctx))).long(),
    ChaosCase::alone("faults/replica/mysql", |ctx| Box::pin(faults::replica(ctx))).long(),
    ChaosCase::new("faults/silent/postgres", Postgres, |ctx| Box::pin(faults::silent(ctx))).long(),
    ChaosCase::new("faults/silent/mysql", Mysql, |ctx| Box::pin(faults::silent(ctx))).long(),
];

const USAGE: &str = "usage: tests/chaos/run [--short | --demo | --list] [CASE…]
a CASE is the beginning of a case's name; without any, all are run";

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "worker") {
        return worker::main(words.into_iter().skip(1));
    }
    let mut size = Size::Full;
    let mut show = false;
    let mut unknown = None;
    words.retain(|word| {
        match word.as_str() {
            "--short" => size = Size::Short,
            "--demo" => show = true,
            "--list" => CASES.iter().for_each(|case| println!("{}", case.name)),
            word if word.starts_with('-') => unknown = Some(word.to_owned()),
            _ => return true,
        }
        word == "--list"
    });
    if unknown.is_some() {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    if words.iter().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    let well = if show { demo::run() } else { case::run(CASES, size, &words) };
    jetbase_test_harness::clean_up();
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
