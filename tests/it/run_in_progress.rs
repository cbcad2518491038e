//! Queries and runs while another run is in progress.

use jetbase::{Event, Run};
use jetbase_test_harness::{Database, DatabaseKind, block_on_new_thread};
use tokio::sync::oneshot;

/// Returns SQL that takes about this many seconds.
pub(crate) fn slow(kind: DatabaseKind, seconds: u32) -> String {
    match kind {
        DatabaseKind::Sqlite => format!(
            "CREATE TABLE slow AS WITH RECURSIVE n(i) AS \
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT max(i) AS i FROM n;\n",
            seconds * 2_000_000
        ),
        DatabaseKind::Postgres => format!("SELECT pg_sleep({seconds});\n"),
        DatabaseKind::Mysql => format!("DO SLEEP({seconds});\n"),
    }
}

/// Adds a listener to a run. The receiver gets a message when the run starts this file, or an error
/// when the run ends before.
pub(crate) fn notify_at_start<'t>(
    run: Run<'t>,
    file: &'static str,
) -> (Run<'t>, oneshot::Receiver<()>) {
    let (sender, receiver) = oneshot::channel();
    let mut sender = Some(sender);
    let run = run.on_event(move |event| {
        if matches!(event, Event::Started { file: started, .. } if started == file) {
            sender.take().map(|sender| sender.send(()));
        }
    });
    (run, receiver)
}

/// Runs SQL inside a listener of a run and returns the first value of the first row.
pub(crate) fn query_in_listener(db: &Database, sql: &str) -> Option<String> {
    block_on_new_thread(db.value(sql)).expect("the query succeeds")
}
