//! A run that is asked to stop at once, through PgBouncer. It must not cancel the statement of a stranger
//! who has got its server connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jetbase::{DatabaseUrl, ErrorKind, Folder, Migrations, Options};
use jetbase_test_harness::{Database, PythonProject, TestError};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::bouncer::{Bouncer, PoolMode};
use crate::case::{CaseContext, CaseResult};
use crate::files;

/// How long the statement of the file lasts, in seconds.
const SECONDS: u64 = 3;

/// The run shares the server connections of the pooler with many clients, and is asked to stop at many
/// moments: while it waits, while its statement is executed, and between its messages.
pub(crate) async fn cancels_no_stranger(ctx: CaseContext) -> CaseResult {
    let rounds = ctx.size.pick(12, 4);
    let (mut cancelled, mut applied, mut statements) = (0, 0, 0);
    for is_direct in [false, true] {
        for round in 0..rounds {
            let db = ctx.fresh().await?;
            let bouncer =
                Bouncer::start(&db, PoolMode::Transaction, "extra_float_digits,options", 2).await?;
            let pooled = bouncer.pooled(&db)?;
            let is_over = Arc::new(AtomicBool::new(false));
            let strangers: Vec<_> = (0..4)
                .map(|_| tokio::spawn(stranger(pooled.url.clone(), Arc::clone(&is_over))))
                .collect();
            let direct = is_direct.then_some(db.url.as_str());
            let was_cancelled = stopped(&db, &pooled, direct, round % 4).await;
            is_over.store(true, Ordering::SeqCst);
            for stranger in strangers {
                statements += stranger.await??;
            }
            match was_cancelled? {
                true => cancelled += 1,
                false => applied += 1,
            }
            drop(bouncer);
            // The first request may come before there is a table.
            if db.rows("SELECT 1 FROM jetbase_lock").await.is_ok() {
                files::check_lock_is_free(&db).await?;
            }
            db.remove().await;
        }
    }
    Ok(format!(
        "{rounds} rounds with a direct URL and {rounds} without: {cancelled} runs stopped, {applied} completed, no \
         error in {statements} statements of others"
    ))
}

/// Executes short statements until it is told to end. Returns how many. An error ends it.
async fn stranger(url: String, is_over: Arc<AtomicBool>) -> Result<usize, TestError> {
    let options: PgConnectOptions = url.parse()?;
    let mut connection = options.extra_float_digits(None).connect().await?;
    let mut statements = 0;
    while !is_over.load(Ordering::SeqCst) {
        let sent = sqlx::raw_sql("SELECT pg_sleep(0.05)").execute(&mut connection).await;
        sent.map_err(|error| format!("the statement of a stranger failed: {error}"))?;
        statements += 1;
    }
    connection.close().await?;
    Ok(statements)
}

/// Executes a file, and asks the run to stop. Returns whether it has stopped; what it says is true.
async fn stopped(
    db: &Database,
    pooled: &Database,
    direct: Option<&str>,
    moment: u64,
) -> Result<bool, TestError> {
    let text = format!(
        "CREATE TABLE slow (id INTEGER);\nSELECT pg_sleep({SECONDS});\nINSERT INTO slow VALUES (1);\n"
    );
    let project = PythonProject::with(&[("V1__slow.sql", &text)])?;
    let set = Migrations::load(Folder::read(&project.migrations()).files, Options::default());
    let mut run = jetbase::run(&set, DatabaseUrl(&pooled.url));
    if let Some(direct) = direct {
        run = run.direct_url(direct);
    }
    let handle = run.cancel_handle();
    let stop = async {
        // Until the file sleeps, and then a moment of it.
        let start = Instant::now();
        let sleeps = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep({SECONDS})%' AND state = 'active'
             AND datname = current_database() AND pid <> pg_backend_pid()"
        );
        while moment > 0
            && db.value(&sleeps).await?.as_deref() != Some("1")
            && start.elapsed() < Duration::from_secs(20)
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(moment * 997)).await;
        handle.cancel_now();
        // The strangers go on while the run repeats its request.
        Ok::<_, TestError>(())
    };
    let (result, stop) = tokio::join!(run.into_future(), stop);
    stop?;
    let is_there = db.rows("SELECT * FROM slow").await.is_ok_and(|rows| rows.len() == 1);
    match result {
        Ok(report) if report.applied.len() == 1 && is_there => Ok(false),
        Err(error) if matches!(error.kind(), ErrorKind::Stopped(_) | ErrorKind::Cancelled) => {
            if is_there {
                Err(format!("the file was applied: {error:#}").into())
            } else {
                Ok(true)
            }
        }
        Ok(report) => Err(format!("{report:?}, and the row is there: {is_there}").into()),
        Err(error) => Err(format!("{error:#}").into()),
    }
}
