//! The request to stop a run. The run is asked to stop when its future is dropped, when the caller's
//! signal comes, or through a [`CancelHandle`]. It checks the request between two files, and the
//! request to stop at once also while it executes a statement.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::future::{Either, select};
use tokio::sync::Notify;

/// One run's request to stop, shared by its future and its task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    requested: AtomicBool,
    at_once: AtomicBool,
    /// Whether a caller has a handle, and can ask the run to stop at once.
    has_handle: AtomicBool,
    /// Whether the statement that SQLite executes must end.
    interrupts: AtomicBool,
    /// Whether the work goes on when the caller's future is dropped.
    outlives_future: AtomicBool,
    wake: Notify,
}

impl Cancel {
    pub(crate) fn request(&self) {
        self.0.requested.store(true, Ordering::Release);
        self.0.wake.notify_waiters();
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::Acquire)
    }

    /// From here on, the work does not end with the caller's future: a drop only asks it to stop.
    pub(crate) async fn outlive_future(&self) {
        self.0.outlives_future.store(true, Ordering::Release);
        // The work goes on in a task of its own.
        tokio::task::yield_now().await;
    }

    pub(crate) fn outlives_future(&self) -> bool {
        self.0.outlives_future.load(Ordering::Acquire)
    }

    /// Returns a handle for the caller of the run.
    pub(crate) fn handle(&self) -> CancelHandle {
        self.0.has_handle.store(true, Ordering::Release);
        CancelHandle(self.clone())
    }

    /// Whether somebody can ask the run to stop at once.
    pub(crate) fn has_handle(&self) -> bool {
        self.0.has_handle.load(Ordering::Acquire)
    }

    /// Whether the run must not wait for the end of its file.
    pub(crate) fn is_at_once(&self) -> bool {
        self.0.at_once.load(Ordering::Acquire)
    }

    /// Returns as soon as the run must stop at once.
    pub(crate) async fn at_once(&self) {
        loop {
            let woken = self.0.wake.notified();
            if self.is_at_once() {
                return;
            }
            woken.await;
        }
    }

    /// Ends what SQLite executes, until the returned guard is dropped.
    pub(crate) fn interrupt(&self) -> Interruption {
        self.0.interrupts.store(true, Ordering::Release);
        Interruption(self.clone())
    }

    /// Whether the statement that SQLite executes must end.
    #[cfg(feature = "sqlite")]
    pub(crate) fn interrupts(&self) -> bool {
        self.0.interrupts.load(Ordering::Acquire)
    }

    /// Sleeps, or returns early when the run should stop.
    pub(crate) async fn sleep(&self, length: Duration) {
        let woken = self.0.wake.notified();
        if !self.is_requested() {
            let _ = tokio::time::timeout(length, woken).await;
        }
    }
}

/// Ends what SQLite executes, as long as it lives.
pub(crate) struct Interruption(Cancel);

impl Drop for Interruption {
    fn drop(&mut self) {
        self.0.0.interrupts.store(false, Ordering::Release);
    }
}

/// Stops a command from another task: after the current file, or at once.
///
/// [`Run::cancel_handle`](crate::Run::cancel_handle) returns it. Its clones stop the same command. A
/// command that has ended ignores it.
///
/// # Examples
///
/// ```no_run
/// # use jetbase_core::Migrations;
/// # use jetbase_runtime::{DatabaseUrl, Error, run};
/// # async fn example(set: &Migrations, shutdown: impl Future<Output = ()> + Send + 'static)
/// # -> Result<(), Error> {
/// let run = run(set, DatabaseUrl("postgres://app@db.example.org/app"));
/// let handle = run.cancel_handle();
/// tokio::spawn(async move {
///     shutdown.await;
///     handle.stop_after_file();
///     tokio::time::sleep(std::time::Duration::from_secs(20)).await;
///     handle.cancel_now();
/// });
/// run.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct CancelHandle(Cancel);

impl CancelHandle {
    /// Asks the command to stop after the current file, as
    /// [`Run::graceful_shutdown`](crate::Run::graceful_shutdown) does.
    pub fn stop_after_file(&self) {
        self.0.request();
    }

    /// Asks the command to stop at once: it cancels the statement that the database executes, and
    /// waits up to 30 seconds for the outcome.
    ///
    /// Then the run releases the lock, and returns [`ErrorKind::Stopped`](crate::ErrorKind::Stopped),
    /// which says what became of the file. If the file was committed all the same, the run returns its
    /// report. If the statement does not end in time, the run leaves its connection, and returns
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted).
    ///
    /// The statement is cancelled over a second connection, by the session that holds the run's
    /// session lock. So a statement of another program is never cancelled. Without a session lock no
    /// statement is cancelled: through a pooler, the run leaves its connection after those 30 seconds.
    /// On a connection to a server that the caller lends, the run waits until the statement ends by
    /// itself. In both cases it sends no further statement of the file.
    ///
    /// On SQLite, the run sets the progress handler of its connection, if there is a handle. It
    /// removes the handler at its end.
    pub fn cancel_now(&self) {
        self.0.0.at_once.store(true, Ordering::Release);
        self.0.request();
    }
}

/// Requests the stop when it is dropped before it is disarmed.
#[derive(Debug)]
pub(crate) struct CancelOnDrop(pub(crate) Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.request();
    }
}

/// The future with which a caller asks a run to stop. Without one, the run does all its work.
#[derive(Default)]
pub(crate) struct Shutdown<'t>(Option<BoxFuture<'t, ()>>);

impl<'t> Shutdown<'t> {
    pub(crate) fn on(signal: impl Future<Output = ()> + Send + 't) -> Self {
        Shutdown(Some(Box::pin(signal)))
    }

    /// Awaits the work of a run. When the signal completes first, asks the run to stop, and awaits
    /// its end.
    pub(crate) fn watch<T: Send + 't>(
        self,
        cancel: Cancel,
        work: BoxFuture<'t, T>,
    ) -> BoxFuture<'t, T> {
        let Some(signal) = self.0 else { return work };
        Box::pin(async move {
            match select(work, signal).await {
                Either::Left((result, _)) => result,
                Either::Right(((), work)) => {
                    cancel.request();
                    work.await
                }
            }
        })
    }
}

impl fmt::Debug for Shutdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shutdown")
    }
}
