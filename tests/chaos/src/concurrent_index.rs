//! A worker builds an index outside a transaction while other workers wait for the lock.

use std::time::Duration;

use crate::case::{CaseContext, CaseResult};
use crate::files::{check_count, check_lock_is_free};
use crate::worker_group::WorkerGroup;

pub(crate) async fn concurrently(ctx: CaseContext) -> CaseResult {
    let (rounds, count) = (ctx.size.pick(5, 1), ctx.size.pick(500_000, 100_000));
    let mut longest = 0.0_f64;
    for _ in 0..rounds {
        let db = ctx.fresh().await?;
        let own = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let table = format!(
            "CREATE TABLE big (id INTEGER, value TEXT);\n\
             INSERT INTO big SELECT i, md5(i::text) FROM generate_series(1, {count}) AS i;\n"
        );
        let build = "-- jetbase: transaction=off\nCREATE INDEX CONCURRENTLY big_value ON big (value);\n\
                     CREATE UNIQUE INDEX CONCURRENTLY big_id ON big (id);\n";
        let files = [own("V1__big.sql", &table), own("V2__index.sql", build)];
        let mut group = WorkerGroup::new(&db, &files)?;
        group.start_held(17, &[]).await?;
        group.release_some(9);
        let index_started = |it: &crate::journal::JournalEntry| {
            it.event == "started" && it.detail == "V2__index.sql"
        };
        let started = group.until(Duration::from_secs(60), index_started).await?;
        // Some workers wait from the beginning, and some start while the index is built.
        group.release();
        group.finish(Duration::from_secs(120)).await?;
        group.journal.no_errors()?;
        group.journal.no_overlap()?;
        let done = |it: &&crate::journal::JournalEntry| it.detail == "V2__index.sql";
        let done = group.journal.all("finished").find(done).ok_or("no index was built")?;
        longest = longest.max((done.at - started.at) as f64 / 1e9);
        let valid = "SELECT count(*) FROM pg_index WHERE indrelid = 'big'::regclass AND indisvalid AND indisready";
        check_count(&db, valid, 2, "valid indexes").await?;
        check_count(&db, "SELECT count(*) FROM jetbase_migrations", 2, "versions recorded").await?;
        check_lock_is_free(&db).await?;
        db.remove().await;
    }
    Ok(format!(
        "{rounds} rounds, {count} rows, 16 waiters: no deadlock, every index valid; a build at most {longest:.1} s"
    ))
}
