use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jetbase::{DatabaseUrl, Wait};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestError, TestResult};
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::waits::{LIMIT, MUST_END, all_ok, fails_in_time, two};

pub(crate) fn register(suite: &mut Suite) {
    let (servers, nothing) = (DatabaseKind::SERVERS, Needs::NOTHING);
    suite.each(
        "no_run_waits_beyond_its_limit_for_a_server_that_never_answers",
        servers,
        nothing,
        silent,
    );
    suite.each(
        "no_run_waits_beyond_its_limit_for_a_server_that_stops_answering",
        servers,
        nothing,
        falls_silent,
    );
    suite.each("queries_end_when_the_server_never_answers", servers, nothing, queries);
    suite.each(
        "no_run_waits_beyond_its_limit_for_a_full_pool",
        DatabaseKind::ALL,
        nothing,
        full_pool,
    );
    suite.each(
        "a_run_continues_when_a_pool_has_a_free_connection",
        DatabaseKind::ALL,
        nothing,
        free_again,
    );
}

/// The error of a run that waits for a server contains one of these texts.
const SERVER: &[&str] =
    &["connect", "server", "answer", "respond", "reply", "network", "timed out", "pool"];

const WAITS: [Wait; 2] = [Wait::Never, Wait::UpTo(LIMIT)];

/// Starts a server that accepts every connection and never answers.
async fn silent_server() -> Result<(u16, JoinHandle<()>), TestError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let task = tokio::spawn(async move {
        let mut clients = Vec::new();
        while let Ok((client, _)) = listener.accept().await {
            clients.push(client);
        }
    });
    Ok((port, task))
}

async fn silent(ctx: TestContext) -> TestResult {
    let (port, task) = silent_server().await?;
    let mut results = Vec::new();
    for wait in WAITS {
        let url = format!("{}://user@127.0.0.1:{port}/db", ctx.kind.name());
        let run = jetbase::run_url(&two(), &url).wait(wait).into_future();
        results.push(fails_in_time(&format!("a URL, {wait:?}"), run, SERVER).await);
        let what = format!("a pool, {wait:?}");
        let all = two();
        results.push(match ctx.kind {
            DatabaseKind::Postgres => {
                let pool = PgPoolOptions::new().connect_lazy(&url)?;
                fails_in_time(&what, jetbase::run(&all, &pool).wait(wait).into_future(), SERVER)
                    .await
            }
            _ => {
                let pool = MySqlPoolOptions::new().connect_lazy(&url)?;
                fails_in_time(&what, jetbase::run(&all, &pool).wait(wait).into_future(), SERVER)
                    .await
            }
        });
    }
    task.abort();
    all_ok(results)
}

async fn queries(ctx: TestContext) -> TestResult {
    let (port, task) = silent_server().await?;
    let url = format!("{}://user@127.0.0.1:{port}/db", ctx.kind.name());
    let (all, target, limit) = (two(), DatabaseUrl(&url), Duration::from_secs(70));
    let (status, lock, unlock) = tokio::join!(
        tokio::time::timeout(limit, jetbase::status(&all, target).into_future()),
        tokio::time::timeout(limit, jetbase::lock_status(&all, target).into_future()),
        tokio::time::timeout(limit, jetbase::unlock(&all, target).into_future()),
    );
    task.abort();
    let timed_out = |what: &'static str| move |_| format!("{what} still waits after {limit:?}");
    status.map_err(timed_out("status"))?.err().ok_or("the status succeeded")?;
    lock.map_err(timed_out("lock_status"))?.err().ok_or("the lock status succeeded")?;
    unlock.map_err(timed_out("unlock"))?.err().ok_or("the unlock succeeded")?;
    Ok(())
}

/// A proxy that can stop to forward bytes.
struct PausableProxy {
    url: String,
    is_paused: Arc<AtomicBool>,
}

impl PausableProxy {
    async fn start(url: &str) -> Result<PausableProxy, TestError> {
        let (front, rest) = url.split_once("127.0.0.1:").ok_or("a server on loopback")?;
        let (port, path) = rest.split_once('/').ok_or("a URL with a path")?;
        let server = format!("127.0.0.1:{port}");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("{front}127.0.0.1:{}/{path}", listener.local_addr()?.port());
        let is_paused = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_paused);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { return };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(forward(from_client, to_server, Arc::clone(&flag)));
                tokio::spawn(forward(from_server, to_client, Arc::clone(&flag)));
            }
        });
        Ok(PausableProxy { url, is_paused })
    }
}

/// Forwards bytes in one direction. While it is paused, it keeps the bytes and the connection.
async fn forward(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    is_paused: Arc<AtomicBool>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(length) = from.read(&mut bytes).await {
        if length == 0 {
            return;
        }
        while is_paused.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

/// The server accepts the connection and then does not answer, over a pool and over a connection.
async fn falls_silent(ctx: TestContext) -> TestResult {
    let all = two();
    let mut results = Vec::new();
    for wait in WAITS {
        let proxy = PausableProxy::start(&ctx.db.url).await?;
        let pause = || proxy.is_paused.store(true, Ordering::SeqCst);
        let what = format!("a pool, {wait:?}");
        match ctx.kind {
            DatabaseKind::Postgres => {
                let pool = PgPoolOptions::new().connect(&proxy.url).await?;
                let mut own = pool.acquire().await?;
                pause();
                let run = jetbase::run(&all, &pool).wait(wait).into_future();
                results.push(fails_in_time(&what, run, SERVER).await);
                let run = jetbase::run(&all, &mut own).wait(wait).into_future();
                results.push(fails_in_time(&format!("a connection, {wait:?}"), run, SERVER).await);
            }
            _ => {
                let pool = MySqlPoolOptions::new().connect(&proxy.url).await?;
                let mut own = pool.acquire().await?;
                pause();
                let run = jetbase::run(&all, &pool).wait(wait).into_future();
                results.push(fails_in_time(&what, run, SERVER).await);
                let run = jetbase::run(&all, &mut own).wait(wait).into_future();
                results.push(fails_in_time(&format!("a connection, {wait:?}"), run, SERVER).await);
            }
        }
        proxy.is_paused.store(false, Ordering::SeqCst);
    }
    all_ok(results)
}

/// A pool whose only connection is in use.
macro_rules! with_pool {
    ($kind:expr, $url:expr, $pool:ident => $body:expr) => {
        match $kind {
            DatabaseKind::Postgres => {
                let $pool = PgPoolOptions::new().max_connections(1).connect($url).await?;
                $body
            }
            DatabaseKind::Mysql => {
                let $pool = MySqlPoolOptions::new().max_connections(1).connect($url).await?;
                $body
            }
            DatabaseKind::Sqlite => {
                let $pool = SqlitePoolOptions::new().max_connections(1).connect($url).await?;
                $body
            }
        }
    };
}

async fn full_pool(ctx: TestContext) -> TestResult {
    let all = two();
    let mut results = Vec::new();
    for wait in WAITS {
        with_pool!(ctx.kind, &ctx.db.url, pool => {
            let taken = pool.acquire().await?;
            let run = jetbase::run(&all, &pool).wait(wait).into_future();
            results.push(fails_in_time(&format!("{wait:?}"), run, &["pool"]).await);
            drop(taken);
        });
    }
    all_ok(results)
}

async fn free_again(ctx: TestContext) -> TestResult {
    let all = two();
    let limit = MUST_END * 2;
    let report = with_pool!(ctx.kind, &ctx.db.url, pool => {
        let taken = pool.acquire().await?;
        let holder = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(taken);
        });
        let run = jetbase::run(&all, &pool).wait(Wait::UpTo(limit)).into_future();
        let report = tokio::time::timeout(limit, run).await.map_err(|_| "the run still waits")??;
        holder.await?;
        report
    });
    assert_eq!(report.applied.len(), 2);
    Ok(())
}
