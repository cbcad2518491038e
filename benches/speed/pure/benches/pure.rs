//! The parts of jetbase that need no database, for a set of 5000 files.
//!
//! `cargo bench --manifest-path benches/speed/Cargo.toml -p speed-pure`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jetbase_core::{
    Dialect, Goal, MigrationKind, Migrations, Name, Options, Policy, Record, Script, SourceFile,
    Syntax, Until, cut, plan,
};

const FILES: usize = 5000;

/// Three statements, as the files of `benches/speed` have.
fn text(n: usize) -> String {
    format!(
        "CREATE TABLE table_{n} (\n    id INTEGER PRIMARY KEY,\n    name VARCHAR(200) NOT NULL,\n    amount INTEGER NOT NULL\n);\n\
         CREATE INDEX table_{n}_name ON table_{n} (name);\n\
         INSERT INTO table_{n} (id, name, amount) VALUES (1, 'first', {n});\n"
    )
}

/// A set of 5000 files, as a program has it that loads its folder.
fn set() -> Migrations {
    let file = |n: usize| {
        let (path, text) = (format!("V{n}__table.sql"), text(n));
        let checksum = Script::read(&text).checksum();
        let name = Name::parse(&path).expect("the name is valid");
        SourceFile { path, name, text, checksum, recorded: false, change: None }
    };
    Migrations::load((1..=FILES).map(file).collect(), Options::NONE)
}

/// The history after the first `applied` files.
fn history(set: &Migrations, applied: usize) -> Vec<Record> {
    let record = |(order, migration): (usize, jetbase_core::Migration<'_>)| Record {
        order: i64::try_from(order).unwrap_or_default(),
        version: migration.version(),
        description: migration.description().into_owned(),
        file: migration.file().to_owned(),
        kind: MigrationKind::Versioned,
        applied_at: "2026-11-26 12:00:00.000000".to_owned(),
        checksum: migration.checksum().to_string(),
    };
    set.iter().take(applied).enumerate().map(record).collect()
}

fn files(c: &mut Criterion) {
    let texts: Vec<String> = (1..=FILES).map(text).collect();
    let mut group = c.benchmark_group("5000 files");
    group.throughput(Throughput::Bytes(texts.iter().map(|text| text.len() as u64).sum()));
    group.sample_size(20);
    for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite] {
        let syntax = Syntax::of(dialect);
        group.bench_function(format!("cut, {dialect:?}"), |bencher| {
            bencher.iter(|| {
                texts
                    .iter()
                    .filter_map(|text| cut(black_box(text), ";", syntax).ok())
                    .flatten()
                    .count()
            });
        });
    }
    group.bench_function("checksum", |bencher| {
        bencher.iter(|| {
            texts
                .iter()
                .map(|text| Script::read(black_box(text)).checksum())
                .fold(0, |sum, it| sum ^ it.as_bytes()[0])
        });
    });
    group.finish();
}

fn plans(c: &mut Criterion) {
    let set = set();
    let goal = Goal::Upgrade(Until::End);
    let mut group = c.benchmark_group("plan of 5000 files");
    group.sample_size(20);
    for (name, applied) in
        [("none applied", 0), ("all but one applied", FILES - 1), ("all applied", FILES)]
    {
        let history = history(&set, applied);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                plan(black_box(&set), black_box(&history), &goal, &Policy::default())
                    .map(|it| it.steps.len())
                    .ok()
            });
        });
    }
    group.finish();
}

criterion_group!(pure, files, plans);
criterion_main!(pure);
