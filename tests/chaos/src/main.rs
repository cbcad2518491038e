//! Stress tests of the lock of jetbase: see `tests/chaos/run`.

mod bouncer;
mod case;
mod cluster;
mod cluster_cases;
mod concurrent_index;
mod crash;
mod demo;
mod doctor;
mod faults;
mod files;
mod galera;
mod galera_cluster;
mod group_cluster;
mod group_replication;
mod group_secondary;
mod holding_relay;
mod journal;
mod kills;
mod lagging_node;
mod pooler;
mod pooler_cancel;
mod python;
mod relay;
mod second_server;
mod storm;
mod worker;
mod worker_group;

use std::process::ExitCode;

use jetbase_test_harness::DatabaseKind::{Mysql, Postgres, Sqlite};

use case::{ChaosCase, Size};

/// All cases.
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
    ChaosCase::new("python/mixed/sqlite", Sqlite, |ctx| Box::pin(python::mixed(ctx))).with_python(),
    ChaosCase::new("python/mixed/postgres", Postgres, |ctx| Box::pin(python::mixed(ctx)))
        .with_python(),
    ChaosCase::new("python/mixed/mysql", Mysql, |ctx| Box::pin(python::mixed(ctx)))
        .with_python()
        .long(),
    ChaosCase::new("python/killed/sqlite", Sqlite, |ctx| Box::pin(python::killed(ctx)))
        .with_python()
        .long(),
    ChaosCase::new("python/killed/postgres", Postgres, |ctx| Box::pin(python::killed(ctx)))
        .with_python(),
    ChaosCase::new("python/killed/mysql", Mysql, |ctx| Box::pin(python::killed(ctx)))
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
    ChaosCase::new("kills/sqlite", Sqlite, |ctx| Box::pin(kills::sqlite(ctx))),
    ChaosCase::alone("kills/process/postgres", |ctx| Box::pin(kills::processes(Postgres, ctx))),
    ChaosCase::alone("kills/process/mysql", |ctx| Box::pin(kills::processes(Mysql, ctx))),
    ChaosCase::alone("kills/server/postgres", |ctx| Box::pin(kills::servers(Postgres, ctx))),
    ChaosCase::alone("kills/server/mysql", |ctx| Box::pin(kills::servers(Mysql, ctx))),
    ChaosCase::alone("galera/storm", |ctx| Box::pin(galera::storms(ctx))).long(),
    ChaosCase::alone("galera/killed", |ctx| Box::pin(galera::killed(ctx))).long(),
    ChaosCase::alone("galera/frozen", |ctx| Box::pin(galera::frozen(ctx))).long(),
    ChaosCase::alone("galera/minority", |ctx| Box::pin(galera::minority(ctx))).long(),
    ChaosCase::alone("group/storm", |ctx| Box::pin(group_replication::storms(ctx))).long(),
    ChaosCase::alone("group/storm-primary", |ctx| {
        Box::pin(group_replication::storms_with_primary(ctx))
    })
    .long(),
    ChaosCase::alone("group/secondary", |ctx| Box::pin(group_secondary::secondary(ctx))).long(),
    ChaosCase::alone("group/python", |ctx| Box::pin(group_secondary::python(ctx)))
        .with_python()
        .long(),
    ChaosCase::alone("group/lagging", |ctx| Box::pin(lagging_node::lagging(ctx))).long(),
    ChaosCase::alone("group/conflict", |ctx| Box::pin(lagging_node::conflict(ctx))).long(),
    ChaosCase::alone("group/killed", |ctx| Box::pin(group_replication::killed(ctx))).long(),
    ChaosCase::alone("group/frozen", |ctx| Box::pin(group_replication::frozen(ctx))).long(),
    ChaosCase::alone("group/holder-killed", |ctx| Box::pin(group_replication::holder_killed(ctx)))
        .long(),
    ChaosCase::alone("group/primary-killed", |ctx| {
        Box::pin(group_replication::primary_killed(ctx))
    })
    .long(),
    ChaosCase::alone("group/primary-frozen", |ctx| {
        Box::pin(group_replication::primary_frozen(ctx))
    })
    .long(),
    ChaosCase::new("pooler/storm", Postgres, |ctx| Box::pin(pooler::storms(ctx))),
    ChaosCase::new("pooler/direct", Postgres, |ctx| Box::pin(pooler::direct(ctx))),
    ChaosCase::new("pooler/timeout", Postgres, |ctx| Box::pin(pooler::timeout(ctx))).long(),
    ChaosCase::new("pooler/cut", Postgres, |ctx| Box::pin(faults::cut_pooler(ctx))),
    ChaosCase::new("pooler/stale", Postgres, |ctx| Box::pin(pooler::stale(ctx))),
    ChaosCase::new("pooler/dump", Postgres, |ctx| Box::pin(pooler::dump(ctx))),
    ChaosCase::new("pooler/no-transaction", Postgres, |ctx| Box::pin(pooler::no_transaction(ctx))),
    ChaosCase::new("pooler/cancel", Postgres, |ctx| {
        Box::pin(pooler_cancel::cancels_no_stranger(ctx))
    }),
    ChaosCase::new("doctor/pooler", Postgres, |ctx| Box::pin(doctor::pooler(ctx))),
    ChaosCase::alone("doctor/standby", |ctx| Box::pin(doctor::standby(ctx))),
    ChaosCase::alone("doctor/galera", |ctx| Box::pin(doctor::galera(ctx))).long(),
    ChaosCase::alone("doctor/group", |ctx| Box::pin(doctor::group(ctx))).long(),
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
CASE is the start of the name of a case; without CASE, all cases run";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|argument| argument == "worker") {
        return worker::main(arguments.into_iter().skip(1));
    }
    let mut size = Size::Full;
    let mut is_demo = false;
    let mut is_unknown = false;
    arguments.retain(|argument| {
        match argument.as_str() {
            "--short" => size = Size::Short,
            "--demo" => is_demo = true,
            "--list" => CASES.iter().for_each(|case| println!("{}", case.name)),
            option if option.starts_with('-') => is_unknown = true,
            _ => return true,
        }
        argument == "--list"
    });
    if is_unknown {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let succeeded = if is_demo { demo::run() } else { case::run(CASES, size, &arguments) };
    jetbase_test_harness::clean_up();
    if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
