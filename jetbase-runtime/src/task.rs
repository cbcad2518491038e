//! The task in which a command does its work.

use futures_core::future::BoxFuture;
use tracing::{Instrument, Span};

use crate::cancel::{Cancel, CancelOnDrop, Shutdown};
use crate::error::{Error, ErrorKind, SettingError};
use crate::target::{Connect, ConnectionSource, Source};

/// Does the work of a command, in a task of its own where that is possible. When the future of such
/// a task is dropped, or when the caller's signal completes, the task is asked to stop.
pub(crate) fn in_task<'t, T: Send + 'static>(
    source: Source<'t>,
    cancel: Cancel,
    shutdown: Shutdown<'t>,
    span: Span,
    work: impl for<'c> FnOnce(&'c mut dyn Connect) -> BoxFuture<'c, Result<T, Error>> + Send + 'static,
) -> BoxFuture<'t, Result<T, Error>> {
    let work: BoxFuture<'t, _> = match source.0 {
        ConnectionSource::Shared(mut source) => {
            let guard = CancelOnDrop(cancel.clone());
            Box::pin(async move {
                let work = async move { work(source.as_mut()).await };
                let result = tokio::spawn(work.instrument(span)).await;
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
