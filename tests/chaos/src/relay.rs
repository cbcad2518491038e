//! A relay on loopback between processes and a server: it can fall silent, cut, and lead elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use jetbase_test_harness::{Database, TestError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::bouncer::{port_of, replace_port};

/// What the relay does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It passes them on.
    On,
    /// It keeps them, and nobody is told.
    Silent,
    /// It has closed the connections of this number and all before; later ones are passed on.
    Cut(u64),
}

/// A running relay; dropping it ends it.
pub(crate) struct Relay {
    port: u16,
    target: Arc<AtomicU16>,
    flow: watch::Sender<Flow>,
    count: Arc<std::sync::atomic::AtomicU64>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Starts one before a database's server.
    pub(crate) async fn start(db: &Database) -> Result<Relay, TestError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let target = Arc::new(AtomicU16::new(port_of(&db.url)?));
        let count = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let (flow, heard) = watch::channel(Flow::On);
        let (to, counter) = (Arc::clone(&target), Arc::clone(&count));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
                let (target, heard) = (to.load(Ordering::SeqCst), heard.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else {
                        return;
                    };
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::select! {
                        () = pass(number, from_client, to_server, heard.clone()) => {}
                        () = pass(number, from_server, to_client, heard) => {}
                    }
                });
            }
        });
        Ok(Relay { port, target, flow, count, task })
    }

    /// The database, seen through the relay.
    pub(crate) fn before(&self, db: &Database) -> Result<Database, TestError> {
        let mut seen = db.clone();
        seen.url = replace_port(&db.url, self.port)?;
        Ok(seen)
    }

    /// Falls silent.
    pub(crate) fn silence(&self) {
        self.flow.send_replace(Flow::Silent);
    }

    /// Passes everything on again.
    pub(crate) fn resume(&self) {
        self.flow.send_replace(Flow::On);
    }

    /// Closes all connections that there are now.
    pub(crate) fn cut(&self) {
        self.flow.send_replace(Flow::Cut(self.count.load(Ordering::SeqCst)));
    }

    /// Leads new connections to another server.
    pub(crate) fn lead_to(&self, db: &Database) -> Result<(), TestError> {
        self.target.store(port_of(&db.url)?, Ordering::SeqCst);
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Passes bytes on in one direction, until an end.
async fn pass(
    number: u64,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut flow: watch::Receiver<Flow>,
) {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let now = *flow.borrow_and_update();
        match now {
            Flow::Cut(last) if number <= last => return,
            Flow::Silent => {
                if flow.changed().await.is_err() {
                    return;
                }
            }
            _ => {
                tokio::select! {
                    read = from.read(&mut bytes) => match read {
                        Ok(0) | Err(_) => return,
                        Ok(length) => {
                            // What was read while it fell silent is kept.
                            while *flow.borrow_and_update() == Flow::Silent {
                                if flow.changed().await.is_err() {
                                    return;
                                }
                            }
                            if to.write_all(&bytes[..length]).await.is_err() {
                                return;
                            }
                        }
                    },
                    changed = flow.changed() => if changed.is_err() {
                        return;
                    },
                }
            }
        }
    }
}
