//! Ctrl-C and SIGTERM: the run finishes the current file, and releases the lock.

use std::pin::pin;

use futures_core::future::BoxFuture;
use futures_util::future::{Either, select};

use super::answer::Code;
use super::output::Output;
use jetbase_runtime::Error;
use jetbase_runtime::Report;
use jetbase_runtime::internal::Cancel;

/// Why a run has not done everything that was requested.
pub(crate) enum Stopped {
    Failed(Error),
    Interrupted(Report),
}

/// Awaits a run. The first signal asks it to stop; the second one ends the process.
pub(crate) async fn watch(
    run: BoxFuture<'_, Result<Report, Error>>,
    cancel: Cancel,
    output: Output,
) -> Result<Report, Stopped> {
    let run = match select(run, pin!(signal())).await {
        Either::Left((result, _)) => return result.map_err(Stopped::Failed),
        Either::Right(((), run)) => run,
    };
    cancel.ask();
    output.progress("Stopping after the migration in work; press Ctrl-C again to break it off.");
    match select(run, pin!(signal())).await {
        Either::Left((Ok(report), _)) => Err(Stopped::Interrupted(report)),
        Either::Left((Err(error), _)) => Err(Stopped::Failed(error)),
        Either::Right(_) => std::process::exit(Code::Interrupted as i32),
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
