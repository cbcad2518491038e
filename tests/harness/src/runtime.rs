//! The one tokio runtime of a test process.

use std::sync::OnceLock;
use std::thread;

use tokio::runtime::{Builder, Runtime};

use crate::Unavailable;

/// Returns the runtime that all tests of this process use.
pub(crate) fn runtime() -> Result<&'static Runtime, Unavailable> {
    static RUNTIME: OnceLock<Result<Runtime, Unavailable>> = OnceLock::new();
    let start = || {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.map_err(|error| Unavailable::Broken(format!("cannot start tokio: {error:#}")))
    };
    RUNTIME.get_or_init(start).as_ref().map_err(Clone::clone)
}

/// Runs a future to its end.
///
/// # Errors
///
/// Returns an error if the runtime cannot start.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, Unavailable> {
    Ok(runtime()?.block_on(future))
}

/// Runs a future to its end on a new thread with its own runtime.
///
/// A listener of a run needs this, because it must not block the runtime that calls it.
///
/// # Panics
///
/// Panics if the runtime cannot start or the future panics.
#[expect(clippy::expect_used, reason = "a failure here must fail the test")]
pub fn block_on_new_thread<F: Future<Output: Send> + Send>(future: F) -> F::Output {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.expect("the runtime starts").block_on(future)
        });
        thread.join().expect("the thread does not panic")
    })
}
