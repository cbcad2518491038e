//! A proxy on loopback that counts what passes, and adds latency.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::frames::{FrameCounter, Sender, WireProtocol};

/// How many bytes of the client are kept.
const KEPT: usize = 1 << 20;

/// What has passed since the last reset.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrafficCounts {
    /// How often the server answered after the client had sent something.
    round_trips: u64,
    bytes_up: u64,
    bytes_down: u64,
    messages_up: u64,
    messages_down: u64,
    connections: u64,
    sent: Vec<u8>,
}

impl fmt::Display for TrafficCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TrafficCounts {
            round_trips,
            bytes_up,
            bytes_down,
            messages_up,
            messages_down,
            connections,
            ..
        } = self;
        write!(
            f,
            "{round_trips} {bytes_up} {bytes_down} {messages_up} {messages_down} {connections}"
        )
    }
}

type SharedCounts = Arc<Mutex<TrafficCounts>>;

/// A running proxy. It stops with the process.
pub(crate) struct CountingProxy {
    port: u16,
    counts: SharedCounts,
}

impl CountingProxy {
    /// Starts a proxy in front of a port. A round trip takes longer by `delay`: half of it on each way.
    pub(crate) fn start(
        target: u16,
        delay: Duration,
        protocol: WireProtocol,
    ) -> io::Result<CountingProxy> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let counts = SharedCounts::default();
        let shared = Arc::clone(&counts);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A client whose connection fails sees that it is closed.
                let _ = connect(client, target, delay / 2, protocol, &shared);
            }
        });
        Ok(CountingProxy { port, counts })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn reset(&self) {
        *locked(&self.counts) = TrafficCounts::default();
    }

    pub(crate) fn counts(&self) -> TrafficCounts {
        locked(&self.counts).clone()
    }

    /// What the clients have sent, at most the first megabyte.
    pub(crate) fn sent(&self) -> Vec<u8> {
        locked(&self.counts).sent.clone()
    }
}

fn locked(counts: &SharedCounts) -> MutexGuard<'_, TrafficCounts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connects a client with the server, in two directions.
fn connect(
    client: TcpStream,
    target: u16,
    delay: Duration,
    protocol: WireProtocol,
    counts: &SharedCounts,
) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", target))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    locked(counts).connections += 1;
    // Whether the client has sent something that the server has not answered yet.
    let asked = Arc::new(AtomicBool::new(false));
    for sender in [Sender::Client, Sender::Server] {
        let (from, to) = (client.try_clone()?, server.try_clone()?);
        let (from, to) = if sender == Sender::Client { (from, to) } else { (to, from) };
        let (counts, asked) = (Arc::clone(counts), Arc::clone(&asked));
        let frames = FrameCounter::new(protocol, sender);
        thread::spawn(move || {
            ProxyDirection { sender, frames, asked, counts, from, to }.forward(delay)
        });
    }
    Ok(())
}

/// One direction of a connection.
struct ProxyDirection {
    sender: Sender,
    frames: FrameCounter,
    asked: Arc<AtomicBool>,
    counts: SharedCounts,
    from: TcpStream,
    to: TcpStream,
}

impl ProxyDirection {
    /// Forwards bytes until one side closes the connection.
    fn forward(mut self, delay: Duration) {
        let (queue, delayed) = mpsc::channel::<(Instant, Vec<u8>)>();
        let Ok(mut to) = self.to.try_clone() else { return };
        let writer = thread::spawn(move || {
            for (due, bytes) in delayed {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if to.write_all(&bytes).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Write);
        });
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length) = self.from.read(&mut buffer) {
            let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else { break };
            self.count(bytes);
            let passed = if delay.is_zero() {
                self.to.write_all(bytes).is_ok()
            } else {
                queue.send((Instant::now() + delay, bytes.to_vec())).is_ok()
            };
            if !passed {
                break;
            }
        }
        drop(queue);
        let _ = writer.join();
    }

    fn count(&mut self, bytes: &[u8]) {
        let messages = self.frames.feed(bytes);
        let mut counts = locked(&self.counts);
        if self.sender == Sender::Client {
            self.asked.store(true, Ordering::SeqCst);
            counts.bytes_up += bytes.len() as u64;
            counts.messages_up += messages;
            let room = KEPT.saturating_sub(counts.sent.len()).min(bytes.len());
            counts.sent.extend(bytes.iter().take(room));
        } else {
            if self.asked.swap(false, Ordering::SeqCst) {
                counts.round_trips += 1;
            }
            counts.bytes_down += bytes.len() as u64;
            counts.messages_down += messages;
        }
    }
}
