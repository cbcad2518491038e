//! Works on a connection of SQLite in the middle of its work: restores a borrowed one inside a drop,
//! where nothing can be awaited, and ends a statement.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use futures_core::future::BoxFuture;
use sqlx::AssertSqlSafe;

use super::guard::Abandon;
use crate::cancel::Cancel;

/// After how many operations SQLite asks whether the statement must end. It executes millions of them
/// in a second.
const OPERATIONS: i32 = 1000;

impl Abandon for sqlx::Sqlite {
    fn undo(connection: &mut sqlx::SqliteConnection, statements: &[String]) -> bool {
        for statement in statements {
            let query = sqlx::raw_sql(AssertSqlSafe(statement.clone()));
            let _ = wait_for(query.execute(&mut *connection));
        }
        true
    }

    fn interrupt_with(
        connection: &mut sqlx::SqliteConnection,
        cancel: Option<Cancel>,
    ) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // A connection that cannot be locked has no thread that could execute anything.
            let Ok(mut handle) = connection.lock_handle().await else { return };
            match cancel {
                Some(cancel) => {
                    handle.set_progress_handler(OPERATIONS, move || !cancel.interrupts())
                }
                None => handle.remove_progress_handler(),
            }
        })
    }
}

/// Wakes a thread that waits in [`wait_for`].
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits in this thread for a future that needs no runtime.
fn wait_for<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
