//! Restores a borrowed connection of SQLite inside a drop, where nothing can be awaited.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use sqlx::AssertSqlSafe;

use super::guard::Abandon;

impl Abandon for sqlx::Sqlite {
    fn undo(connection: &mut sqlx::SqliteConnection, statements: &[String]) {
        for statement in statements {
            let query = sqlx::raw_sql(AssertSqlSafe(statement.clone()));
            let _ = wait_for(query.execute(&mut *connection));
        }
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
