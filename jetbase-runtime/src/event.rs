//! The events of a run.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use jetbase_core::{Action, OldTool};

use crate::cancel::Cancel;
use crate::report::SHORTEST_REPORTED;

/// One event of a run. [`Run::on_event`](crate::Run::on_event) calls a function with it.
///
/// The text of an event is one sentence for a log.
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use jetbase_core::{Folder, Migrations, Options};
/// # use jetbase_runtime::{Event, run, sqlx::SqlitePool};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Folder::read("../migrations".as_ref()).files, Options::NONE);
/// run(&set, &pool)
///     .on_event(|event| match event {
///         Event::Started { file, number, of, .. } => println!("{file} ({number} of {of})"),
///         event => println!("{event}"),
///     })
///     .await?;
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Another process holds the lock.
    Waiting {
        /// A description of the holder.
        holder: String,
        /// Since when it holds the lock, as the database prints it.
        since: Option<String>,
    },
    /// The server cannot be used at the moment, and the run waits for it.
    Unavailable {
        /// The message of the server, or what is known about the reason.
        reason: String,
    },
    /// The run has acquired the lock.
    Acquired {
        /// How long the run waited for it.
        waited: Duration,
    },
    /// The run has taken over the lock of a dead holder.
    Recovered {
        /// The process id of the dead holder.
        from: String,
    },
    /// The history of another tool was adopted.
    Adopted {
        /// The old tool.
        tool: OldTool,
        /// How many migrations its table shows as applied.
        migrations: usize,
    },
    /// A migration starts.
    Started {
        /// The name of the file.
        file: String,
        /// The position of the file among the migrations of this run, from 1.
        number: usize,
        /// How many migrations this run executes.
        of: usize,
        /// What is done with the file.
        action: Action,
    },
    /// A statement of a migration is sent in a message of its own. The statements of a file that is
    /// sent as a whole have no such event, nor those that a run without a listener sends together.
    Executing {
        /// The name of the file.
        file: String,
        /// The number of the statement in its section, from 1.
        statement: usize,
        /// How many statements the section has.
        of: usize,
        /// The text of the statement. The text of the event and `tracing` do not contain it, because
        /// it may contain a secret.
        sql: String,
    },
    /// A migration could not get a lock on a table, and is tried again.
    Retrying {
        /// The name of the file.
        file: String,
        /// The number of the next attempt, from 2.
        attempt: u32,
        /// What prevented the previous attempt.
        reason: String,
    },
    /// A migration is committed.
    Finished {
        /// The name of the file.
        file: String,
        /// How long the migration took.
        elapsed: Duration,
        /// What was done with the file.
        action: Action,
    },
    /// Something that an operator should check.
    Warning {
        /// The warning, as one sentence.
        message: String,
    },
    /// Another process took the lock away during the run.
    LockLost,
    /// The run has released the lock.
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
            Event::Acquired { waited } if *waited < SHORTEST_REPORTED => {
                f.write_str("lock acquired")
            }
            Event::Acquired { waited } => write!(f, "lock acquired after {waited:.1?}"),
            Event::Recovered { from } => write!(f, "took over the lock of the dead process {from}"),
            Event::Adopted { tool, migrations: 1 } => {
                write!(f, "adopted the history of {tool}: 1 migration is applied")
            }
            Event::Adopted { tool, migrations } => {
                write!(f, "adopted the history of {tool}: {migrations} migrations are applied")
            }
            Event::Started { file, number, of, action: Action::RollBack } => {
                write!(f, "rolling back {file} ({number} of {of})")
            }
            Event::Started { file, number, of, .. } => {
                write!(f, "applying {file} ({number} of {of})")
            }
            Event::Executing { file, statement, of, .. } => {
                write!(f, "{file}: executing statement {statement} of {of}")
            }
            Event::Retrying { file, attempt, reason } => {
                write!(f, "{file}: {reason}; trying again (attempt {attempt})")
            }
            Event::Finished { file, elapsed, action: Action::RollBack } => {
                write!(f, "rolled back {file} in {elapsed:.1?}")
            }
            Event::Finished { file, elapsed, .. } => write!(f, "applied {file} in {elapsed:.1?}"),
            Event::Warning { message } => f.write_str(message),
            Event::LockLost => f.write_str("another process took the migration lock away"),
            Event::Released => f.write_str("lock released"),
        }
    }
}

/// Sends events to `tracing` and to the caller's function, and collects the warnings for the report.
///
/// A panic of that function does not skip the end of the run. The run stops before the next file,
/// releases the lock, returns its connection, and then resumes the panic.
#[derive(Default)]
pub(crate) struct Listener {
    listen: Option<Listen>,
    /// Stops the run after a panic.
    cancel: Cancel,
    panic: Option<Panic>,
    warnings: Vec<String>,
}

type Listen = Box<dyn FnMut(&Event) + Send>;

/// The payload of a panic.
pub(crate) type Panic = Box<dyn Any + Send>;

impl Listener {
    pub(crate) fn new(listen: impl FnMut(&Event) + Send + 'static, cancel: &Cancel) -> Self {
        let listen: Listen = Box::new(listen);
        Listener { listen: Some(listen), cancel: cancel.clone(), ..Listener::default() }
    }

    /// Whether a function of the caller gets the events.
    pub(crate) fn has_listener(&self) -> bool {
        self.listen.is_some()
    }

    /// Returns the panic of the caller's function, if there was one.
    pub(crate) fn take_panic(&mut self) -> Option<Panic> {
        self.panic.take()
    }

    /// Returns the warnings that were emitted so far.
    pub(crate) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    pub(crate) fn warn(&mut self, message: String) {
        self.emit(&Event::Warning { message: message.clone() });
        self.warnings.push(message);
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
            Event::Adopted { .. } => tracing::info!(target: "jetbase", "{event}"),
            Event::Started { file, action, .. } => {
                tracing::info!(target: "jetbase", file, ?action, "{event}")
            }
            Event::Acquired { .. } | Event::Executing { .. } | Event::Released => {
                tracing::debug!(target: "jetbase", "{event}")
            }
        }
        let Some(listen) = &mut self.listen else { return };
        // The function is not called again: its state may be inconsistent after the panic.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| listen(event))) {
            self.listen = None;
            self.panic = Some(panic);
            self.cancel.request();
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}
