//! The signals that stop a run.

#[cfg(unix)]
use std::pin::pin;

#[cfg(unix)]
use futures_util::future::{Either, select};

use super::exit::Exit;

/// A signal that stops a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// The exit code of a run that the signal has stopped.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
        }
    }

    /// How a person sends it again.
    pub(crate) fn again(self) -> &'static str {
        match self {
            Signal::Interrupt => "Press Ctrl-C again",
            Signal::Terminate => "Send the signal again",
        }
    }
}

/// Receives the signals of this process, from its creation on.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: Option<tokio::signal::unix::Signal>,
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Signals {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    /// Waits for the next signal. If no signal can be received, it never returns.
    pub(crate) async fn next(&mut self) -> Signal {
        let interrupt = pin!(receive(&mut self.interrupt));
        let terminate = pin!(receive(&mut self.terminate));
        match select(interrupt, terminate).await {
            Either::Left(_) => Signal::Interrupt,
            Either::Right(_) => Signal::Terminate,
        }
    }
}

#[cfg(unix)]
async fn receive(stream: &mut Option<tokio::signal::unix::Signal>) {
    if let Some(stream) = stream
        && stream.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> Self {
        Signals {}
    }

    /// Waits for Ctrl-C. If it cannot be received, it never returns.
    pub(crate) async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}
