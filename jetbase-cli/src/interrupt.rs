//! Ctrl-C and SIGTERM: the run finishes the current file, and releases the lock.

use std::pin::pin;

use futures_core::future::BoxFuture;
use futures_util::future::{Either, select};
use jetbase_runtime::{Error, Report};
use tokio::sync::oneshot;

use super::exit::Exit;
use super::printer::Printer;

/// How a run ended.
pub(crate) enum RunEnd {
    /// The run did everything that was requested.
    Finished(Report),
    Failed(Error),
    /// A signal stopped the run.
    Interrupted(Report),
}

/// Awaits a run. The first signal asks it to stop, over `stop`. The second one ends the process.
pub(crate) async fn watch(
    run: BoxFuture<'_, Result<Report, Error>>,
    stop: oneshot::Sender<()>,
    printer: Printer,
) -> RunEnd {
    let run = match select(run, pin!(signal())).await {
        Either::Left((Ok(report), _)) => return RunEnd::Finished(report),
        Either::Left((Err(error), _)) => return RunEnd::Failed(error),
        Either::Right(((), run)) => run,
    };
    // The run may have ended in the meantime.
    let _ = stop.send(());
    printer.progress("Stopping after the current migration. Press Ctrl-C again to stop at once.");
    match select(run, pin!(signal())).await {
        Either::Left((Ok(report), _)) => RunEnd::Interrupted(report),
        Either::Left((Err(error), _)) => RunEnd::Failed(error),
        Either::Right(_) => std::process::exit(Exit::Interrupted.code().into()),
    }
}

/// Waits for Ctrl-C, or on systems that have it for SIGTERM. If no signal can be received, it never
/// returns.
async fn signal() {
    let interrupt = pin!(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    });
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            select(interrupt, pin!(terminate.recv())).await;
            return;
        }
    }
    interrupt.await;
}
