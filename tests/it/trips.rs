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
        "a_run_needs_one_round_trip_per_migration",
        &[DatabaseKind::Postgres],
        Needs::NOTHING,
        one_message,
    );
}

/// A relay that counts how often the server answers: one count is one round trip.
pub(crate) struct RoundTripCounter {
    pub(crate) url: String,
    trips: Arc<AtomicUsize>,
}

impl RoundTripCounter {
    pub(crate) async fn start(
        url: &str,
    ) -> Result<RoundTripCounter, jetbase_test_harness::TestError> {
        RoundTripCounter::at("127.0.0.1:0", url).await
    }

    pub(crate) async fn at(
        address: &str,
        url: &str,
    ) -> Result<RoundTripCounter, jetbase_test_harness::TestError> {
        let listener = TcpListener::bind(address).await?;
        let (before, rest) = url.split_once("127.0.0.1:").ok_or("a server on loopback")?;
        let (port, path) = rest.split_once('/').ok_or("a URL with a path")?;
        let server = format!("127.0.0.1:{port}");
        let url = format!("{before}127.0.0.1:{}/{path}", listener.local_addr()?.port());
        let trips = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&trips);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { return };
                tokio::spawn(relay(client, server, Arc::clone(&count)));
            }
        });
        Ok(RoundTripCounter { url, trips })
    }

    fn take(&self) -> usize {
        self.trips.swap(0, Ordering::SeqCst)
    }
}

/// Copies both ways; an answer counts once, however many packets it has. A goodbye has none.
async fn relay(mut client: TcpStream, mut server: TcpStream, trips: Arc<AtomicUsize>) {
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    let mut asked = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(n) if n > 0 => {
                    asked = true;
                    if server.write_all(&up[..n]).await.is_err() { return }
                }
                _ => return,
            },
            read = server.read(&mut down) => match read {
                Ok(n) if n > 0 => {
                    if std::mem::take(&mut asked) {
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
    let set = set(&[("V1__a.sql", "CREATE TABLE a (id INTEGER);\n")]);
    jetbase::run_url(&set, &ctx.db.url).await?;
    let relay = RoundTripCounter::start(&ctx.db.url).await?;
    if ctx.kind == DatabaseKind::Postgres {
        let mut connection = sqlx::PgConnection::connect(&relay.url).await?;
        relay.take();
        assert!(jetbase::run(&set, &mut connection).await?.is_up_to_date());
    } else {
        let mut connection = sqlx::MySqlConnection::connect(&relay.url).await?;
        relay.take();
        assert!(jetbase::run(&set, &mut connection).await?.is_up_to_date());
    }
    assert_eq!(relay.take(), 1);
    Ok(())
}

async fn one_message(ctx: TestContext) -> TestResult {
    let [first, ten, twenty] = counted(&ctx.db).await?;
    assert!(ten == twenty && first <= ten + 2, "besides one a migration: {first} {ten} {twenty}");
    Ok(())
}

/// What three runs cost besides one round trip a migration: of ten with the tables, of one, of nineteen.
async fn counted(db: &Database) -> Result<[usize; 3], TestError> {
    let text = |n| format!("CREATE TABLE t{n} (id INTEGER);\nINSERT INTO t{n} VALUES (1);\n");
    let files: Vec<_> = (1..=30).map(|n| (format!("V{n}__t.sql"), text(n))).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let relay = RoundTripCounter::start(&db.url).await?;
    let mut done = 0;
    let mut besides = [0; 3];
    for (count, upto) in besides.iter_mut().zip([10, 11, 30]) {
        relay.take();
        jetbase::run_url(&set(&files[..upto]), &relay.url).await?;
        *count = relay.take() - (upto - done);
        done = upto;
    }
    Ok(besides)
}
