//! The request to stop a run: made when its future is dropped, and checked between two files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// One run's request to stop, shared by its future and its task.
#[derive(Clone, Debug, Default)]
#[doc(hidden)]
pub struct Cancel(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    asked: AtomicBool,
    wake: Notify,
}

impl Cancel {
    #[doc(hidden)]
    pub fn ask(&self) {
        self.0.asked.store(true, Ordering::Release);
        self.0.wake.notify_waiters();
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::Acquire)
    }

    /// Sleeps, or returns early when the run should stop.
    pub(crate) async fn sleep(&self, length: Duration) {
        let woken = self.0.wake.notified();
        if !self.is_asked() {
            let _ = tokio::time::timeout(length, woken).await;
        }
    }
}

/// Requests the stop when it is dropped before it is disarmed.
#[derive(Debug)]
pub(crate) struct AskOnDrop(pub(crate) Cancel);

impl Drop for AskOnDrop {
    fn drop(&mut self) {
        self.0.ask();
    }
}
