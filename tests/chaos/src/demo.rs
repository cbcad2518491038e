//! Five processes start, the holder is killed, and another process continues.

use std::time::{Duration, Instant};

use jetbase_test_harness::{Database, DatabaseKind, DatabaseServer, TestError, block_on};

use crate::files;
use crate::worker_group::WorkerGroup;

const PROCESSES: usize = 5;
const VERSIONS: usize = 6;

/// Runs the demo on SQLite, and on PostgreSQL if it is installed. Returns whether it succeeded.
pub(crate) fn run() -> bool {
    let mut succeeded = true;
    for kind in [DatabaseKind::Sqlite, DatabaseKind::Postgres] {
        let server = match kind {
            DatabaseKind::Sqlite => None,
            kind => match DatabaseServer::shared(kind) {
                Ok(server) => Some(server),
                Err(missing) => {
                    println!("\n{}: skipped: {missing}", kind.name());
                    continue;
                }
            },
        };
        let result = block_on(async {
            let db = Database::fresh(server.as_ref()).await?;
            run_on(&db).await
        });
        if let Err(error) = result.map_err(TestError::from).flatten() {
            println!("FAILED: {error:#}");
            succeeded = false;
        }
    }
    succeeded
}

async fn run_on(db: &Database) -> Result<(), TestError> {
    println!("\n{}: {PROCESSES} processes apply {VERSIONS} migrations", db.kind.name());
    let mut group = WorkerGroup::new(db, &files::effects(db.kind, VERSIONS, 300))?;
    group.start_held(PROCESSES, &[]).await?;
    let pids: Vec<u32> = group.workers.iter().map(|worker| worker.pid).collect();
    let start = Instant::now();
    group.release();
    let third =
        |it: &crate::journal::JournalEntry| it.event == "started" && it.detail == "V3__effect.sql";
    let holder = group.until(Duration::from_secs(30), third).await?.pid;
    tokio::time::sleep(Duration::from_millis(100)).await;
    group.kill(holder).await?;
    group.finish(Duration::from_secs(60)).await?;
    let all = start.elapsed();
    group.journal.no_overlap()?;
    files::verify(db, VERSIONS).await?;
    print_table(&group, &pids);
    let recovery = group.journal.recoveries().into_iter().next().unwrap_or_default();
    println!(
        "each migration once, in {all:.1?}; {recovery:.0?} from the kill to the next holder; the lock is free"
    );
    Ok(())
}

fn print_table(group: &WorkerGroup, pids: &[u32]) {
    let start =
        group.journal.entries.iter().find(|it| it.event == "acquired").map_or(0, |it| it.at);
    println!("{:>9}  {:9}  event", "ms", "process");
    for entry in &group.journal.entries {
        let text = match entry.event.as_str() {
            "acquired" => "acquires the lock".to_owned(),
            "recovered" => "recovers the lock of the killed process".to_owned(),
            "started" => format!("applies {}", entry.detail),
            "finished" => format!("  applied {}", entry.detail),
            "killed" => "is KILLED".to_owned(),
            "released" => "releases the lock".to_owned(),
            "end" => "ends".to_owned(),
            _ => continue,
        };
        let number = pids.iter().position(|pid| *pid == entry.pid).map_or(0, |at| at + 1);
        let at = (entry.at.saturating_sub(start)) as f64 / 1e6;
        println!("{at:9.1}  process {number}  {text}");
    }
}
