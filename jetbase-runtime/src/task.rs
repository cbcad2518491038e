//! The task in which a command does its work.

use std::future::{Future, poll_fn};
use std::task::Poll;

use futures_core::future::BoxFuture;
use jetbase_core::Dialect;
use tracing::{Instrument, Span};

use crate::cancel::{Cancel, CancelOnDrop, Shutdown};
use crate::error::{Error, ErrorKind, SettingError};
use crate::target::{Connect, ConnectionSource, Source};

/// Does the work of a command. When the caller's signal completes, the work is asked to stop.
///
/// With SQLite, the work begins in the task of the caller: most runs have nothing to do, and the driver has a
/// thread of its own, so that another task would only be woken once more. With [`Cancel::outlive_future`] it asks
/// for a task of its own. When the caller's future is dropped, the work ends before that moment, and is asked to
/// stop after it. With a server, the work begins in its own task, which reads a long answer faster.
pub(crate) fn in_task<'t, T: Send + 'static>(
    source: Source<'t>,
    cancel: Cancel,
    shutdown: Shutdown<'t>,
    span: Span,
    work: impl for<'c> FnOnce(&'c mut dyn Connect) -> BoxFuture<'c, Result<T, Error>> + Send + 'static,
) -> BoxFuture<'t, Result<T, Error>> {
    let work: BoxFuture<'t, _> = match source.0 {
        ConnectionSource::Shared(mut source) => {
            let cancel = cancel.clone();
            let begins_here = source.dialect() == Dialect::Sqlite;
            Box::pin(async move {
                let work = async move { work(source.as_mut()).await };
                let mut work = Box::pin(work.instrument(span));
                let ended = poll_fn(|context| {
                    if !begins_here || cancel.outlives_future() {
                        return Poll::Ready(None);
                    }
                    work.as_mut().poll(context).map(Some)
                });
                if let Some(result) = ended.await {
                    return result;
                }
                let guard = CancelOnDrop(cancel);
                let result = tokio::spawn(work).await;
                drop(guard);
                result.unwrap_or_else(|failure| match failure.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => Err(Error::new(ErrorKind::Cancelled)),
                })
            })
        }
        ConnectionSource::Borrowed(mut source) => {
            Box::pin(async move { work(source.as_mut()).await }.instrument(span))
        }
        ConnectionSource::Broken(fault) => {
            Box::pin(async move { Err(SettingError::DatabaseUrl(fault).into()) })
        }
    };
    shutdown.watch(cancel, work)
}
