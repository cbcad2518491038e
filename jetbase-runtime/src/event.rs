//! What happens during a run, as it happens.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use jetbase_core::Action;

use crate::cancel::Cancel;

/// One thing that happens during a run; see `Run::on_event`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Somebody else holds the lock.
    Waiting {
        /// Who, in words.
        holder: String,
        /// Since when, as the database prints it.
        since: Option<String>,
    },
    /// The server cannot be used for the moment, and is waited for.
    Unavailable {
        /// What it says, or what is known of it.
        reason: String,
    },
    /// The lock is ours.
    Acquired {
        /// How long that took.
        waited: Duration,
    },
    /// A dead holder's lock was taken over.
    Recovered {
        /// The dead holder's process id.
        from: String,
    },
    /// A migration begins.
    Started {
        /// The file.
        file: String,
        /// Its place among the migrations of this run, from 1.
        number: usize,
        /// How many migrations this run executes.
        of: usize,
        /// What is done with it.
        action: Action,
    },
    /// A migration waits for a lock on a table, and is tried again.
    Retrying {
        /// The file.
        file: String,
        /// Which try comes next, from 2.
        attempt: u32,
        /// What stood in the way.
        reason: String,
    },
    /// A migration is committed.
    Finished {
        /// The file.
        file: String,
        /// How long it took.
        elapsed: Duration,
        /// What was done with it.
        action: Action,
    },
    /// Something that somebody should look at.
    Warning {
        /// One sentence.
        message: String,
    },
    /// Somebody took the lock away while we worked.
    LockLost,
    /// The lock is free again.
    Released,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Waiting { holder, since: Some(since) } => {
                write!(f, "waiting for {holder}, since {since}")
            }
            Event::Waiting { holder, since: None } => write!(f, "waiting for {holder}"),
            Event::Unavailable { reason } => write!(f, "waiting for the server: {reason}"),
            Event::Acquired { waited } => write!(f, "lock acquired after {waited:.1?}"),
            Event::Recovered { from } => write!(f, "recovered the lock left by {from}"),
            Event::Started { file, number, of, action: Action::RollBack } => {
                write!(f, "rolling back {file} ({number} of {of})")
            }
            Event::Started { file, number, of, .. } => {
                write!(f, "applying {file} ({number} of {of})")
            }
            Event::Retrying { file, attempt, reason } => {
                write!(f, "{file}: {reason}; try {attempt}")
            }
            Event::Finished { file, elapsed, action: Action::RollBack } => {
                write!(f, "rolled back {file} in {elapsed:.1?}")
            }
            Event::Finished { file, elapsed, .. } => write!(f, "applied {file} in {elapsed:.1?}"),
            Event::Warning { message } => f.write_str(message),
            Event::LockLost => f.write_str("the lock was taken away"),
            Event::Released => f.write_str("lock released"),
        }
    }
}

/// Where events go: to `tracing`, and to the caller's function.
///
/// A panic of that function does not skip the end of the run: the run stops before the next file,
/// releases the lock, gives its connection back, and then the panic goes on.
#[derive(Default)]
pub(crate) struct Listener {
    listen: Option<Listen>,
    /// Stops the run after a panic.
    cancel: Cancel,
    panic: Option<Panic>,
}

type Listen = Box<dyn FnMut(&Event) + Send>;

/// What a panic carries.
pub(crate) type Panic = Box<dyn Any + Send>;

impl Listener {
    pub(crate) fn new(listen: impl FnMut(&Event) + Send + 'static, cancel: &Cancel) -> Self {
        Listener { listen: Some(Box::new(listen)), cancel: cancel.clone(), panic: None }
    }

    /// The panic of the caller's function, if it had one.
    pub(crate) fn take_panic(&mut self) -> Option<Panic> {
        self.panic.take()
    }

    pub(crate) fn emit(&mut self, event: &Event) {
        match event {
            Event::Warning { message } => tracing::warn!(target: "jetbase", "{message}"),
            Event::Waiting { holder, since } => {
                tracing::warn!(target: "jetbase", holder, since, "{event}");
            }
            Event::LockLost
            | Event::Recovered { .. }
            | Event::Retrying { .. }
            | Event::Unavailable { .. } => {
                tracing::warn!(target: "jetbase", "{event}");
            }
            Event::Finished { file, elapsed, action } => {
                tracing::info!(target: "jetbase", file, ?elapsed, ?action, "{event}");
            }
            Event::Started { file, action, .. } => {
                tracing::info!(target: "jetbase", file, ?action, "{event}")
            }
            Event::Acquired { .. } | Event::Released => {
                tracing::debug!(target: "jetbase", "{event}")
            }
        }
        let Some(listen) = &mut self.listen else { return };
        // The function is not called again: what it has left half done is nobody's to look at.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| listen(event))) {
            self.listen = None;
            self.panic = Some(panic);
            self.cancel.ask();
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}
