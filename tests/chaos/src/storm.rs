//! Many processes start at the same time on an empty database.

use std::time::{Duration, Instant};

use jetbase_test_harness::{Database, DatabaseKind, TestError};

use crate::case::{CaseContext, CaseResult};
use crate::files;
use crate::journal::percentiles;
use crate::worker_group::WorkerGroup;

/// The number of files of a storm.
const VERSIONS: usize = 8;

/// The number of connections that the limited role may have.
const LIMIT: usize = 20;

/// Processes with a URL.
pub(crate) async fn plain(ctx: CaseContext) -> CaseResult {
    rounds(&ctx, &[], None).await
}

/// Processes with pools that each keep a connection. The role may have fewer connections than there
/// are processes.
pub(crate) async fn limited(ctx: CaseContext) -> CaseResult {
    let limit = ctx.size.pick(LIMIT, 6);
    rounds(&ctx, &["pool=yes"], Some(limit)).await
}

/// The same with a URL, so without a pool that waits for a connection.
pub(crate) async fn limited_urls(ctx: CaseContext) -> CaseResult {
    let limit = ctx.size.pick(LIMIT, 6);
    rounds(&ctx, &[], Some(limit)).await
}

async fn rounds(ctx: &CaseContext, arguments: &[&str], limit: Option<usize>) -> CaseResult {
    let (processes, rounds) = (ctx.size.pick(50, 12), ctx.size.pick(20, 2));
    let mut times = Vec::new();
    let mut slowest = Duration::ZERO;
    for round in 1..=rounds {
        let db = ctx.fresh().await?;
        let role = match limit {
            Some(limit) => Some(limited_role(&db, limit).await?),
            None => None,
        };
        let limited = role.as_ref().unwrap_or(&db);
        let result = storm(limited, processes, arguments).await;
        let (all, last) = result.map_err(|error| format!("round {round}: {error:#}"))?;
        files::verify(&db, VERSIONS).await.map_err(|error| format!("round {round}: {error:#}"))?;
        times.push(all);
        slowest = slowest.max(last);
        db.remove().await;
    }
    let (median, last) = percentiles(times);
    Ok(format!(
        "{processes} processes, {rounds} rounds: each version once; a round {median:.2?}, at most {last:.2?}; \
         one run at most {slowest:.2?}"
    ))
}

/// Runs one storm. Returns its duration and that of the slowest process.
pub(crate) async fn storm(
    db: &Database,
    processes: usize,
    arguments: &[&str],
) -> Result<(Duration, Duration), TestError> {
    let mut group = WorkerGroup::new(db, &files::effects(db.kind, VERSIONS, 1))?;
    group.start_held(processes, arguments).await?;
    let start = Instant::now();
    group.release();
    group.finish(Duration::from_secs(120)).await?;
    let all = start.elapsed();
    let journal = &group.journal;
    journal.no_errors()?;
    journal.no_overlap()?;
    let done = journal.all("end").filter(|it| it.detail == "0").count();
    let finished = journal.count("finished");
    if (done, finished) != (processes, VERSIONS) {
        return Err(
            format!("{done} of {processes} processes succeeded, {finished} files ran").into()
        );
    }
    let took = journal.all("took").filter_map(|it| it.detail.parse().ok());
    let slowest = took.max().map(Duration::from_micros).unwrap_or_default();
    Ok((all, slowest))
}

/// Returns the database as a role with a limited number of connections.
async fn limited_role(db: &Database, limit: usize) -> Result<Database, TestError> {
    let user = format!("{}_few", db.name);
    // MySQL accepts a password without TLS only after a first login with it.
    let password = if db.kind == DatabaseKind::Mysql { "" } else { "few" };
    let sql = match db.kind {
        DatabaseKind::Postgres => format!(
            "CREATE ROLE {user} LOGIN PASSWORD '{password}' CONNECTION LIMIT {limit}; ALTER DATABASE {} OWNER TO {user}",
            db.name
        ),
        DatabaseKind::Mysql => format!(
            "CREATE USER {user}@'127.0.0.1' WITH MAX_USER_CONNECTIONS {limit}; \
             GRANT ALL ON {}.* TO {user}@'127.0.0.1'",
            db.name
        ),
        DatabaseKind::Sqlite => return Ok(db.clone()),
    };
    db.admin(&sql).await?;
    let mut limited = db.clone();
    limited.url = db.url_as(&user, password);
    Ok(limited)
}
