//! Many processes start at once on an empty database.

use std::time::{Duration, Instant};

use jetbase_test_harness::{Database, DatabaseKind, TestError};

use crate::bench::{CaseContext, CaseResult};
use crate::files;
use crate::journal::spread;
use crate::worker_group::WorkerGroup;

/// How many files a storm applies.
const VERSIONS: usize = 8;

/// How many connections the limited role may have.
const LIMIT: usize = 20;

/// Processes with nothing but a URL.
pub(crate) async fn plain(ctx: CaseContext) -> CaseResult {
    rounds(&ctx, &[], None).await
}

/// Processes whose pools hold a connection each, as a role that may have fewer than there are processes.
pub(crate) async fn limited(ctx: CaseContext) -> CaseResult {
    let limit = ctx.size.pick(LIMIT, 6);
    rounds(&ctx, &["pool=yes"], Some(limit)).await
}

/// The same with a URL: there is no pool that would wait for a connection.
pub(crate) async fn limited_urls(ctx: CaseContext) -> CaseResult {
    let limit = ctx.size.pick(LIMIT, 6);
    rounds(&ctx, &[], Some(limit)).await
}

async fn rounds(ctx: &CaseContext, words: &[&str], limit: Option<usize>) -> CaseResult {
    let (processes, rounds) = (ctx.size.pick(50, 12), ctx.size.pick(20, 2));
    let mut times = Vec::new();
    let mut slowest = Duration::ZERO;
    for round in 1..=rounds {
        let db = ctx.fresh().await?;
        let role = match limit {
            Some(limit) => Some(limited_role(&db, limit).await?),
            None => None,
        };
        let seen = role.as_ref().unwrap_or(&db);
        let once = storm(seen, processes, words).await;
        let (all, last) = once.map_err(|error| format!("round {round}: {error:#}"))?;
        files::verify(&db, VERSIONS).await.map_err(|error| format!("round {round}: {error:#}"))?;
        times.push(all);
        slowest = slowest.max(last);
        db.remove().await;
    }
    let (median, last) = spread(times);
    Ok(format!(
        "{processes} processes, {rounds} rounds: each version once; a round {median:.2?}, at most {last:.2?}; \
         one run at most {slowest:.2?}"
    ))
}

/// One storm: how long it was, and how long the slowest process.
pub(crate) async fn storm(
    db: &Database,
    processes: usize,
    words: &[&str],
) -> Result<(Duration, Duration), TestError> {
    let mut group = WorkerGroup::new(db, &files::effects(db.kind, VERSIONS, 1))?;
    group.start_held(processes, words).await?;
    let begun = Instant::now();
    group.open();
    group.finish(Duration::from_secs(120)).await?;
    let all = begun.elapsed();
    let journal = &group.journal;
    journal.no_errors()?;
    journal.no_overlap()?;
    let done = journal.all("end").filter(|it| it.rest == "0").count();
    let finished = journal.count("finished");
    if (done, finished) != (processes, VERSIONS) {
        return Err(
            format!("{done} of {processes} processes did well, {finished} files ran").into()
        );
    }
    let took = journal.all("took").filter_map(|it| it.rest.parse().ok());
    let slowest = took.max().map(Duration::from_micros).unwrap_or_default();
    Ok((all, slowest))
}

/// The database for a role that may have only so many connections.
async fn limited_role(db: &Database, limit: usize) -> Result<Database, TestError> {
    let user = format!("{}_few", db.name);
    let sql = match db.kind {
        DatabaseKind::Postgres => format!(
            "CREATE ROLE {user} LOGIN PASSWORD 'few' CONNECTION LIMIT {limit}; ALTER DATABASE {} OWNER TO {user}",
            db.name
        ),
        DatabaseKind::Mysql => format!(
            "CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'few' WITH MAX_USER_CONNECTIONS {limit}; \
             GRANT ALL ON {}.* TO {user}@'127.0.0.1'",
            db.name
        ),
        DatabaseKind::Sqlite => return Ok(db.clone()),
    };
    db.admin(&sql).await?;
    let mut limited = db.clone();
    limited.url = db.url_as(&user, "few");
    Ok(limited)
}
