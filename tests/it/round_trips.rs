use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jetbase::sqlx::{self, Connection};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    suite.each(
        "a_run_with_nothing_pending_needs_one_round_trip",
        DatabaseKind::SERVERS,
        Needs::NOTHING,
        nothing_pending,
    );
    suite.each(
        "a_run_over_a_url_needs_one_connection",
        DatabaseKind::SERVERS,
        Needs::NOTHING,
        one_connection,
    );
    suite.each(
        "a_run_needs_one_round_trip_per_migration",
        &[DatabaseKind::Postgres],
        Needs::NOTHING,
        one_message,
    );
}

/// A proxy that counts how often the server responds: one count is one round trip. It also counts connections.
pub(crate) struct RoundTripCounter {
    pub(crate) url: String,
    trips: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl RoundTripCounter {
    pub(crate) async fn start(url: &str) -> Result<RoundTripCounter, TestError> {
        RoundTripCounter::at("127.0.0.1:0", url).await
    }

    pub(crate) async fn at(address: &str, url: &str) -> Result<RoundTripCounter, TestError> {
        let listener = TcpListener::bind(address).await?;
        let (before, rest) = url.split_once("127.0.0.1:").ok_or("a server on loopback")?;
        let (port, path) = rest.split_once('/').ok_or("a URL with a path")?;
        let server = format!("127.0.0.1:{port}");
        let url = format!("{before}127.0.0.1:{}/{path}", listener.local_addr()?.port());
        let trips = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&trips);
        let connections = Arc::new(AtomicUsize::new(0));
        let accepted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                let Ok(server) = TcpStream::connect(&server).await else { return };
                tokio::spawn(copy_and_count(client, server, Arc::clone(&count)));
            }
        });
        Ok(RoundTripCounter { url, trips, connections })
    }

    /// Returns the count and sets it to 0.
    fn reset(&self) -> usize {
        self.trips.swap(0, Ordering::SeqCst)
    }
}

/// Copies bytes in both directions. A response counts once, also if it has several packets. The
/// message that ends a connection has no response.
async fn copy_and_count(mut client: TcpStream, mut server: TcpStream, trips: Arc<AtomicUsize>) {
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    let mut is_waiting = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(n) if n > 0 => {
                    is_waiting = true;
                    if server.write_all(&up[..n]).await.is_err() { return }
                }
                _ => return,
            },
            read = server.read(&mut down) => match read {
                Ok(n) if n > 0 => {
                    if std::mem::take(&mut is_waiting) {
                        trips.fetch_add(1, Ordering::SeqCst);
                    }
                    if client.write_all(&down[..n]).await.is_err() { return }
                }
                _ => return,
            },
        }
    }
}

async fn nothing_pending(ctx: TestContext) -> TestResult {
    // The second file has used the journal.
    let alone =
        "-- jetbase: transaction=off\nCREATE TABLE b (id INTEGER);\nCREATE TABLE c (id INTEGER);\n";
    let set = set(&[("V1__a.sql", "CREATE TABLE a (id INTEGER);\n"), ("V2__b.sql", alone)]);
    jetbase::run_url(&set, &ctx.db.url).await?;
    let proxy = RoundTripCounter::start(&ctx.db.url).await?;
    if ctx.kind == DatabaseKind::Postgres {
        let mut connection = sqlx::PgConnection::connect(&proxy.url).await?;
        proxy.reset();
        assert!(jetbase::run(&set, &mut connection).await?.is_up_to_date());
    } else {
        let mut connection = sqlx::MySqlConnection::connect(&proxy.url).await?;
        proxy.reset();
        assert!(jetbase::run(&set, &mut connection).await?.is_up_to_date());
    }
    assert_eq!(proxy.reset(), 1);
    Ok(())
}

async fn one_connection(ctx: TestContext) -> TestResult {
    let set = set(&[
        ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n"),
        ("V2__row.sql", "INSERT INTO a (id) VALUES (1);\n"),
    ]);
    let proxy = RoundTripCounter::start(&ctx.db.url).await?;
    assert_eq!(jetbase::run_url(&set, &proxy.url).await?.applied.len(), 2);
    assert_eq!(proxy.connections.swap(0, Ordering::SeqCst), 1);
    assert!(jetbase::run_url(&set, &proxy.url).await?.is_up_to_date());
    assert_eq!(proxy.connections.swap(0, Ordering::SeqCst), 1);
    Ok(())
}

async fn one_message(ctx: TestContext) -> TestResult {
    let [first, ten, twenty] = extra_round_trips(&ctx.db).await?;
    assert!(
        ten == twenty && first <= ten + 2,
        "round trips besides one per migration: {first} {ten} {twenty}"
    );
    Ok(())
}

/// Returns the round trips of three runs, without one per migration: of ten files with the creation
/// of the tables, of one file, and of nineteen files.
async fn extra_round_trips(db: &Database) -> Result<[usize; 3], TestError> {
    let text = |n| format!("CREATE TABLE t{n} (id INTEGER);\nINSERT INTO t{n} VALUES (1);\n");
    let files: Vec<_> = (1..=30).map(|n| (format!("V{n}__t.sql"), text(n))).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let proxy = RoundTripCounter::start(&db.url).await?;
    let mut done = 0;
    let mut extra = [0; 3];
    for (count, upto) in extra.iter_mut().zip([10, 11, 30]) {
        proxy.reset();
        jetbase::run_url(&set(&files[..upto]), &proxy.url).await?;
        *count = proxy.reset() - (upto - done);
        done = upto;
    }
    Ok(extra)
}
