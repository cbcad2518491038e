//! A relay on loopback that stops before it forwards a certain text to the server.

use std::sync::Arc;
use std::time::Duration;

use jetbase_test_harness::{Database, TestError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::bouncer::{port_of, replace_port};

/// A running relay. It stops when the value is dropped.
pub(crate) struct HoldingRelay {
    port: u16,
    seen: mpsc::UnboundedReceiver<()>,
    go: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl HoldingRelay {
    /// Starts a relay for the server of a database. It keeps the first message with the mark.
    pub(crate) async fn start(db: &Database, mark: String) -> Result<HoldingRelay, TestError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let target = port_of(&db.url)?;
        let (send, seen) = mpsc::unbounded_channel();
        let (go, may_go) = watch::channel(false);
        let mark: Arc<[u8]> = mark.into_bytes().into();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (send, may_go, mark) = (send.clone(), may_go.clone(), Arc::clone(&mark));
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else {
                        return;
                    };
                    relay(client, server, &mark, send, may_go).await;
                });
            }
        });
        Ok(HoldingRelay { port, seen, go, task })
    }

    /// Returns the database with the URL of the relay.
    pub(crate) fn relayed(&self, db: &Database) -> Result<Database, TestError> {
        let mut relayed = db.clone();
        relayed.url = replace_port(&db.url, self.port)?;
        Ok(relayed)
    }

    /// Waits until the relay has the message with the mark.
    pub(crate) async fn wait(&mut self, within: Duration) -> Result<(), TestError> {
        let seen = tokio::time::timeout(within, self.seen.recv()).await?;
        seen.ok_or_else(|| "the relay has ended".into())
    }

    /// Forwards the message.
    pub(crate) fn forward(&self) {
        self.go.send_replace(true);
    }
}

impl Drop for HoldingRelay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(
    mut client: TcpStream,
    mut server: TcpStream,
    mark: &[u8],
    seen: mpsc::UnboundedSender<()>,
    mut may_go: watch::Receiver<bool>,
) {
    let (mut up, mut down) = (vec![0; 1 << 20], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(length @ 1..) = read else { return };
                let bytes = &up[..length];
                if !*may_go.borrow() && bytes.windows(mark.len()).any(|it| it == mark) {
                    // The test has ended if nobody receives it.
                    let _ = seen.send(());
                    // The client may be killed before it is forwarded.
                    let mut rest = [0];
                    tokio::select! {
                        allowed = may_go.wait_for(|go| *go) => if allowed.is_err() { return },
                        gone = client.peek(&mut rest) => {
                            let _ = gone;
                            return;
                        }
                    }
                }
                if server.write_all(bytes).await.is_err() { return }
            }
            read = server.read(&mut down) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&down[..length]).await.is_err() { return }
            }
        }
    }
}
