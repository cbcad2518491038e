//! The one tokio runtime of a test process.

use std::sync::OnceLock;

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
