//! A relay on loopback between processes and a server. It can pause, close connections, and redirect
//! them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use jetbase_test_harness::{Database, TestError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::bouncer::{port_of, replace_port};

/// What the relay does with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It forwards them.
    Forward,
    /// It keeps them and the connections.
    Pause,
    /// It has closed the connections up to this number. It forwards the bytes of later ones.
    Cut(u64),
}

/// A running relay. It stops when the value is dropped.
pub(crate) struct Relay {
    port: u16,
    target: Arc<AtomicU16>,
    flow: watch::Sender<Flow>,
    count: Arc<std::sync::atomic::AtomicU64>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Starts a relay for the server of a database.
    pub(crate) async fn start(db: &Database) -> Result<Relay, TestError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let target = Arc::new(AtomicU16::new(port_of(&db.url)?));
        let count = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let (flow, receiver) = watch::channel(Flow::Forward);
        let (to, counter) = (Arc::clone(&target), Arc::clone(&count));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
                let (target, receiver) = (to.load(Ordering::SeqCst), receiver.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else {
                        return;
                    };
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::select! {
                        () = forward(number, from_client, to_server, receiver.clone()) => {}
                        () = forward(number, from_server, to_client, receiver) => {}
                    }
                });
            }
        });
        Ok(Relay { port, target, flow, count, task })
    }

    /// Returns the database with the URL of the relay.
    pub(crate) fn relayed(&self, db: &Database) -> Result<Database, TestError> {
        let mut relayed = db.clone();
        relayed.url = replace_port(&db.url, self.port)?;
        Ok(relayed)
    }

    /// Stops to forward bytes.
    pub(crate) fn pause(&self) {
        self.flow.send_replace(Flow::Pause);
    }

    /// Forwards bytes again.
    pub(crate) fn resume(&self) {
        self.flow.send_replace(Flow::Forward);
    }

    /// Closes all current connections.
    pub(crate) fn cut(&self) {
        self.flow.send_replace(Flow::Cut(self.count.load(Ordering::SeqCst)));
    }

    /// Redirects new connections to another server.
    pub(crate) fn redirect_to(&self, db: &Database) -> Result<(), TestError> {
        self.target.store(port_of(&db.url)?, Ordering::SeqCst);
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Forwards bytes in one direction until one side closes the connection.
async fn forward(
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
            Flow::Pause => {
                if flow.changed().await.is_err() {
                    return;
                }
            }
            _ => {
                tokio::select! {
                    read = from.read(&mut bytes) => match read {
                        Ok(0) | Err(_) => return,
                        Ok(length) => {
                            // Bytes that were read before the pause are kept.
                            while *flow.borrow_and_update() == Flow::Pause {
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
