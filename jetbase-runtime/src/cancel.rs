//! The request to stop a run. The run is asked to stop when its future is dropped, or when the
//! caller's signal comes. It checks the request between two files.

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

    /// Sleeps, or returns early when the run should stop.
    pub(crate) async fn sleep(&self, length: Duration) {
        let woken = self.0.wake.notified();
        if !self.is_requested() {
            let _ = tokio::time::timeout(length, woken).await;
        }
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
