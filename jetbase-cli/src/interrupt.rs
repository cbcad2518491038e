//! Ctrl-C and SIGTERM: the first one lets the run finish the current file, the second one cancels its
//! statement, the third one ends the process.

use std::pin::pin;

use futures_core::future::BoxFuture;
use futures_util::future::{Either, select};
use jetbase_runtime::{CancelHandle, Error, Report};

use super::printer::Printer;
use super::signal::{Signal, Signals};

/// How a run ended.
pub(crate) enum RunEnd {
    /// The run did everything that was requested.
    Finished(Report),
    Failed(Error),
    /// A signal stopped the run between two files.
    Interrupted(Report, Signal),
    /// A signal stopped the run inside a file, or the run failed after a signal.
    Stopped(Error, Signal),
}

/// Awaits a run. The first signal asks it to stop after the current file, the second one to stop at
/// once, and the third one ends the process.
pub(crate) async fn watch(
    run: BoxFuture<'_, Result<Report, Error>>,
    handle: CancelHandle,
    printer: Printer,
) -> RunEnd {
    let mut signals = Signals::new();
    let (mut run, first) = match select(run, pin!(signals.next())).await {
        Either::Left((Ok(report), _)) => return RunEnd::Finished(report),
        Either::Left((Err(error), _)) => return RunEnd::Failed(error),
        Either::Right((first, run)) => (run, first),
    };
    handle.stop_after_file();
    let again = first.again();
    printer.progress(&format!(
        "Stopping after the current migration. {again} to cancel its statement."
    ));
    match select(&mut run, pin!(signals.next())).await {
        Either::Left((result, _)) => return ended(result, first),
        Either::Right(_) => handle.cancel_now(),
    }
    printer.progress(&format!(
        "Cancelling the statement. {again} to end this process at once, which leaves the statement to the \
         database."
    ));
    match select(run, pin!(signals.next())).await {
        Either::Left((result, _)) => ended(result, first),
        Either::Right(_) => std::process::exit(first.exit().code().into()),
    }
}

/// The end of a run after a signal.
fn ended(result: Result<Report, Error>, signal: Signal) -> RunEnd {
    match result {
        Ok(report) => RunEnd::Interrupted(report, signal),
        Err(error) => RunEnd::Stopped(error, signal),
    }
}
