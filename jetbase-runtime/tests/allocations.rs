//! A start with nothing to do allocates as much for large migrations as for small ones: an embedded set is a static
//! table, and the plan reads only names and checksums.

#![allow(clippy::unwrap_used, reason = "tests")]

use jetbase_core::{Migrations, Name, Options, Packed, Script, SourceFile, Table};
use sqlx::sqlite::SqlitePoolOptions;

const FILES: usize = 100;

/// A set as the macro embeds it in a release build, whose files have a comment of this length. Returns the length of
/// all files too.
fn embedded(comment: usize) -> (Migrations, usize) {
    let comment = "x".repeat(comment);
    let file = |number: usize| {
        let text = format!("CREATE TABLE t{number} (id INTEGER);\n-- {comment}\n");
        let path = format!("V{number}__table.sql");
        let (name, checksum) = (Name::parse(&path).unwrap(), Script::read(&text).checksum());
        SourceFile { path, name, text, checksum, recorded: false, change: None }
    };
    let files: Vec<_> = (1..=FILES).map(file).collect();
    let length = files.iter().map(|file| file.text.len()).sum();
    let Packed { records, names, .. } = Packed::of(&files);
    let texts: Vec<&'static str> = files.into_iter().map(|file| &*file.text.leak()).collect();
    let table = Table::new(texts.leak(), records.leak(), names.leak());
    (Migrations::embedded(table, Options::NONE), length)
}

/// Returns the bytes that a run with nothing pending allocates.
fn allocated(set: &Migrations) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pool = runtime.block_on(async {
        let pool = SqlitePoolOptions::new().max_connections(1);
        let pool = pool.connect("sqlite::memory:").await.unwrap();
        assert_eq!(jetbase_runtime::run(set, &pool).await.unwrap().applied.len(), FILES);
        pool
    });
    let counted = allocation_counter::measure(|| {
        let report = runtime.block_on(async { jetbase_runtime::run(set, &pool).await.unwrap() });
        assert!(report.is_up_to_date());
    });
    counted.bytes_total
}

#[test]
fn a_run_with_nothing_pending_allocates_nothing_for_the_embedded_sql() {
    let ((small, small_length), (large, large_length)) = (embedded(10), embedded(100_000));
    let (for_small, for_large) = (allocated(&small), allocated(&large));
    let more = u64::try_from(large_length - small_length).unwrap();
    // The tasks of the runtime and of the pool do not take the same steps each time.
    let difference = for_large.abs_diff(for_small);
    assert!(difference < more / 1000, "{for_small} and {for_large} bytes, for {more} bytes more");
}
