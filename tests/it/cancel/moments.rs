//! Requests to stop that come at any moment.

use std::time::Duration;

use jetbase::{DatabaseUrl, ErrorKind};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};

use crate::apply::set;
use crate::bad_input::lock_is_free;
use crate::journal::alone;

pub(super) fn register(suite: &mut Suite) {
    let (all, nothing) = (DatabaseKind::ALL, Needs::NOTHING);
    suite.each("a_run_can_be_stopped_at_any_moment", all, nothing, any_moment);
}

/// How many runs are stopped.
const RUNS: u64 = 40;

/// Each file creates a table and fills it, so a statement that is executed twice fails or shows.
async fn any_moment(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let pause = match ctx.kind {
        DatabaseKind::Postgres => "SELECT pg_sleep(0.02)",
        DatabaseKind::Mysql => "DO SLEEP(0.02)",
        DatabaseKind::Sqlite => "SELECT 1",
    };
    let texts: Vec<_> = (1..=12)
        .map(|n| {
            let text = format!(
                "CREATE TABLE e{n} (id INTEGER);\n{pause};\nINSERT INTO e{n} VALUES (1);\n{pause};\n\
                 INSERT INTO e{n} VALUES (2);\n"
            );
            (format!("V{n}__e.sql"), if n % 2 == 0 { alone(ctx.kind, &text) } else { text })
        })
        .collect();
    let files: Vec<_> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let all = set(&files);
    let mut stopped = 0;
    for run in 0..RUNS {
        let builder = jetbase::run(&all, DatabaseUrl(&db.url));
        let handle = builder.cancel_handle();
        let after = Duration::from_millis(run * 7 % 83);
        let stop = async {
            tokio::time::sleep(after).await;
            handle.cancel_now();
        };
        let (result, ()) = tokio::join!(builder, stop);
        if let Err(error) = result {
            let is_expected = matches!(error.kind(), ErrorKind::Stopped(_) | ErrorKind::Cancelled);
            assert!(is_expected, "after {after:?}: {error:#}");
            stopped += 1;
        }
        // The first runs may be stopped before there is a table.
        if db.rows("SELECT * FROM jetbase_lock").await.is_ok() {
            lock_is_free(db).await?;
        }
    }
    assert!(stopped > 0, "no run was stopped");
    jetbase::run(&all, DatabaseUrl(&db.url)).await?;
    for n in 1..=files.len() {
        let rows = db.rows(&format!("SELECT id FROM e{n} ORDER BY id")).await?;
        assert_eq!(rows, [[Some("1".to_owned())], [Some("2".to_owned())]], "e{n}");
    }
    Ok(())
}
