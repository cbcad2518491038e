//! Five processes start; the holder is killed; the next one goes on.

use std::time::{Duration, Instant};

use jetbase_test_harness::{Database, DatabaseKind, DatabaseServer, TestError, block_on};

use crate::files;
use crate::worker_group::WorkerGroup;

const PROCESSES: usize = 5;
const VERSIONS: usize = 6;

/// Shows it on SQLite, and on PostgreSQL where that is installed; returns whether all is well.
pub(crate) fn run() -> bool {
    let mut well = true;
    for kind in [DatabaseKind::Sqlite, DatabaseKind::Postgres] {
        let server = match kind {
            DatabaseKind::Sqlite => None,
            kind => match DatabaseServer::shared(kind) {
                Ok(server) => Some(server),
                Err(missing) => {
                    println!("\n{}: left out: {missing}", kind.name());
                    continue;
                }
            },
        };
        let shown = block_on(async {
            let db = Database::fresh(server.as_ref()).await?;
            show(&db).await
        });
        if let Err(error) = shown.map_err(TestError::from).flatten() {
            println!("FAILED: {error:#}");
            well = false;
        }
    }
    well
}

async fn show(db: &Database) -> Result<(), TestError> {
    println!("\n{}: {PROCESSES} processes apply {VERSIONS} migrations", db.kind.name());
    let mut group = WorkerGroup::new(db, &files::effects(db.kind, VERSIONS, 300))?;
    group.start_held(PROCESSES, &[]).await?;
    let names: Vec<u32> = group.workers.iter().map(|worker| worker.pid).collect();
    let begun = Instant::now();
    group.open();
    // In the middle of the third file.
    let third =
        |it: &crate::journal::JournalEntry| it.what == "started" && it.rest == "V3__effect.sql";
    let killed = group.until(Duration::from_secs(30), third).await?.pid;
    tokio::time::sleep(Duration::from_millis(100)).await;
    group.kill(killed).await?;
    group.finish(Duration::from_secs(60)).await?;
    let all = begun.elapsed();
    group.journal.no_overlap()?;
    files::verify(db, VERSIONS).await?;
    table(&group, &names);
    let recovery = group.journal.recoveries().into_iter().next().unwrap_or_default();
    println!(
        "each migration once, in {all:.1?}; {recovery:.0?} from the kill to the next holder; the lock is free"
    );
    Ok(())
}

fn table(group: &WorkerGroup, names: &[u32]) {
    let start = group.journal.entries.iter().find(|it| it.what == "acquired").map_or(0, |it| it.at);
    println!("{:>9}  {:9}  what", "ms", "process");
    for entry in &group.journal.entries {
        let text = match entry.what.as_str() {
            "acquired" => "has the lock".to_owned(),
            "recovered" => "takes the lock over from the dead".to_owned(),
            "started" => format!("applies {}", entry.rest),
            "finished" => format!("  done {}", entry.rest),
            "killed" => "is KILLED".to_owned(),
            "released" => "gives the lock back".to_owned(),
            "end" => "ends well".to_owned(),
            _ => continue,
        };
        let name = names.iter().position(|pid| *pid == entry.pid).map_or(0, |at| at + 1);
        let at = (entry.at.saturating_sub(start)) as f64 / 1e6;
        println!("{at:9.1}  process {name}  {text}");
    }
}
