use std::time::Duration;

use jetbase::DatabaseUrl;
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};

use super::{column, result_of};
use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let (nothing, mysql) = (Needs::NOTHING, &[DatabaseKind::Mysql][..]);
    for interference in
        [Interference::Unlocked, Interference::LockHidden, Interference::HistoryHidden]
    {
        let name = format!("an_error_states_what_was_committed_when_{}", interference.name());
        suite.each(&name, DatabaseKind::ALL, nothing, move |ctx| {
            half_done(ctx, interference, ALONE)
        });
        let name =
            format!("an_error_states_what_mysql_committed_implicitly_when_{}", interference.name());
        suite.each(&name, mysql, nothing, move |ctx| half_done(ctx, interference, ""));
    }
    let name = "no_statement_starts_after_the_lock_is_lost";
    suite.each(name, DatabaseKind::ALL, nothing, |ctx| starts_no_other(ctx, ALONE));
    let name = "no_statement_of_a_transaction_starts_after_the_lock_is_lost";
    suite.each(name, mysql, nothing, |ctx| starts_no_other(ctx, ""));
    let kinds = &[DatabaseKind::Mysql, DatabaseKind::Sqlite];
    suite.each("an_error_states_what_a_hidden_commit_kept", kinds, nothing, hidden_commit);
    let name = "an_error_says_that_a_syntax_error_at_the_end_keeps_nothing";
    suite.each(name, &[DatabaseKind::Postgres], nothing, syntax_error);
    let own = Needs::OWN_SERVER;
    suite.each("a_file_larger_than_a_packet_runs", mysql, own, larger_than_a_packet);
}

const ALONE: &str = "-- jetbase: transaction=off\n";

/// What another session does while the fourth of five statements runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interference {
    /// It releases the lock by force.
    Unlocked,
    /// It renames the lock table, so that the next statement cannot be prepared.
    LockHidden,
    /// It renames the history, so that the file cannot be recorded.
    HistoryHidden,
}

impl Interference {
    const fn name(self) -> &'static str {
        match self {
            Interference::Unlocked => "the_lock_is_released_by_force",
            Interference::LockHidden => "the_next_statement_cannot_be_prepared",
            Interference::HistoryHidden => "the_file_cannot_be_recorded",
        }
    }

    /// How many statements of the file are committed at the end.
    fn committed(self, kind: DatabaseKind, mode: &str) -> usize {
        match (self, kind) {
            // On MySQL, the transaction of the fourth statement is rolled back.
            _ if mode.is_empty() => 3,
            // The lock table is read in the transaction of the statement, so it is hidden afterwards.
            (Interference::LockHidden, DatabaseKind::Postgres) => 4,
            // The fourth statement and its row are one transaction.
            (_, DatabaseKind::Postgres) => 3,
            _ => 4,
        }
    }
}

/// Five statements, of which the fourth takes some seconds.
fn five(kind: DatabaseKind, mode: &str) -> String {
    let slow = match kind {
        DatabaseKind::Postgres => "SELECT pg_sleep(3);\n",
        DatabaseKind::Mysql => "DO SLEEP(3);\n",
        DatabaseKind::Sqlite => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000000) \
             SELECT max(i) FROM n;\n"
        }
    };
    format!(
        "{mode}CREATE TABLE a (id INTEGER);\nINSERT INTO a (id) VALUES (77);\n\
         CREATE TABLE last (id INTEGER);\n{slow}CREATE TABLE b (id INTEGER);\n"
    )
}

/// Runs the five statements with the interference and returns the error.
async fn run_with_interference(
    db: &Database,
    interference: Interference,
    mode: &str,
) -> Result<String, TestError> {
    let first = ("V0__first.sql", "SELECT 1;\n");
    jetbase::run_url(&set(&[first]), &db.url).await?;
    let all = set(&[first, ("V7__half.sql", &five(db.kind, mode))]);
    let run = tokio::spawn(jetbase::run_url(&all, &db.url).into_future());
    while db.rows("SELECT id FROM last").await.is_err() {
        if run.is_finished() {
            return Err(format!("the run ended too soon: {:?}", run.await).into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    match interference {
        Interference::Unlocked => {
            let unlocked = jetbase::unlock(&all, DatabaseUrl(&db.url)).force().await?;
            assert!(unlocked.holder.is_some(), "the run did not hold the lock");
        }
        Interference::LockHidden => db.execute("ALTER TABLE jetbase_lock RENAME TO hidden").await?,
        Interference::HistoryHidden => {
            db.execute("ALTER TABLE jetbase_migrations RENAME TO hidden").await?;
        }
    }
    let error = run.await?.expect_err("the run cannot continue");
    Ok(format!("{error:#}"))
}

/// The error states how many statements are committed.
async fn half_done(ctx: TestContext, interference: Interference, mode: &'static str) -> TestResult {
    let db = &ctx.db;
    let text = run_with_interference(db, interference, mode).await?;
    assert_eq!(column(db, "SELECT id FROM a").await?, ["77"], "{text}");
    let has_last = db.rows("SELECT id FROM b").await.is_ok();
    let committed = if has_last { 5 } else { interference.committed(db.kind, mode) };
    assert!(text.contains("V7__half.sql"), "{text}");
    for denial in ["not executed", "nothing of this file was kept", "nothing of it"] {
        assert!(!text.contains(denial), "{committed} statements are committed, but: {text}");
    }
    assert!(
        text.contains(&format!(" {committed} ")),
        "{committed} statements are committed, but the error does not state it: {text}"
    );
    Ok(())
}

/// The current statement ends, and no other one starts.
async fn starts_no_other(ctx: TestContext, mode: &'static str) -> TestResult {
    let text = run_with_interference(&ctx.db, Interference::Unlocked, mode).await?;
    let began = ctx.db.rows("SELECT id FROM b").await.is_ok();
    assert!(!began, "a statement ran after the lock was lost: {text}");
    Ok(())
}

async fn hidden_commit(ctx: TestContext) -> TestResult {
    let hides: &[&str] = match ctx.kind {
        DatabaseKind::Sqlite => &[
            "SELECT $a('); COMMIT; SELECT $b(');\n",
            "SELECT @a('); COMMIT; SELECT @b(');\n",
            "SELECT $a::b('); COMMIT; SELECT $b(');\n",
        ],
        _ => &[
            "SELECT 1 /*!99999 + ' */; COMMIT; SELECT 1 /* ' */;\n",
            "SELECT 1 /*!999999 + ' */; COMMIT; SELECT 1 /* ' */;\n",
            "SELECT 1 /*!99999 + \" */; COMMIT; SELECT 1 /* \" */;\n",
            "SELECT 1 /*!99999 + ` */; COMMIT; SELECT 1 /* ` */;\n",
            "SELECT 1 /*M!999999 + ' */; COMMIT; SELECT 1 /* ' */;\n",
        ],
    };
    let mut errors = Vec::new();
    for hidden in hides {
        for end in ["INSERT INTO nowhere (id) VALUES (1);\n", ""] {
            let db = ctx.another().await?;
            db.execute("CREATE TABLE t (id INTEGER)").await?;
            let sql = format!("INSERT INTO t (id) VALUES (1);\n{hidden}{end}");
            let result = jetbase::run_url(&set(&[("V1__hides.sql", &sql)]), &db.url).await;
            let kept = column(&db, "SELECT id FROM t").await?;
            let recorded = column(&db, "SELECT filename FROM jetbase_migrations").await;
            let recorded = recorded.unwrap_or_default();
            let text_of_result =
                result.map_or_else(|error| format!("{error:#}"), |_| "applied".to_owned());
            let has = |parts: &[&str]| parts.iter().any(|part| text_of_result.contains(part));
            let denies = has(&["nothing of", "nothing was", "not executed"]);
            let admits = has(&["permanent", "kept", "committed", "COMMIT"]);
            let is_true = match (kept.len(), text_of_result.as_str()) {
                (1, "applied") => recorded.len() == 1,
                (1, _) => admits && !denies && recorded.is_empty(),
                (_, text) => text != "applied" && recorded.is_empty(),
            };
            if !is_true || !text_of_result.contains("V1__hides.sql") && text_of_result != "applied"
            {
                errors.push(format!("{sql}kept {kept:?}, recorded {recorded:?}: {text_of_result}"));
            }
        }
    }
    result_of(errors)
}

/// The maximum packet size limits a statement, but not a file.
async fn larger_than_a_packet(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    db.admin("SET GLOBAL max_allowed_packet = 1048576").await?;
    let first = ("V1__t.sql", "CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT);\n");
    let body = "x".repeat(1000);
    let rows: String = (1..=3000)
        .map(|id| format!("INSERT INTO t (id, body) VALUES ({id}, '{body}');\n"))
        .collect();

    // The last row is a duplicate, so no row is kept.
    let fails = format!("{rows}INSERT INTO t (id, body) VALUES (1, 'again');\n");
    let error = jetbase::run_url(&set(&[first, ("V2__rows.sql", &fails)]), &db.url).await;
    let text = format!("{:#}", error.expect_err("a row twice"));
    assert!(text.contains("V2__rows.sql") && text.contains("Duplicate"), "{text}");
    assert_eq!(column(db, "SELECT count(*) FROM t").await?, ["0"], "{text}");

    let report = jetbase::run_url(&set(&[first, ("V2__rows.sql", &rows)]), &db.url).await?;
    assert_eq!(report.applied.len(), 1);
    assert_eq!(column(db, "SELECT count(*) FROM t").await?, ["3000"]);

    // A statement that is too large cannot run. The error names the setting.
    let large = format!("INSERT INTO t (id, body) VALUES (9999, '{}');\n", "y".repeat(1_500_000));
    let files = [first, ("V2__rows.sql", rows.as_str()), ("V3__large.sql", large.as_str())];
    let error = jetbase::run_url(&set(&files), &db.url).await.expect_err("too large");
    let text = format!("{error:#}");
    assert!(text.contains("V3__large.sql") && text.contains("max_allowed_packet"), "{text}");
    assert_eq!(column(db, "SELECT count(*) FROM t").await?, ["3000"], "{text}");
    Ok(())
}

/// PostgreSQL reads the whole message before it executes the first statement of it.
async fn syntax_error(ctx: TestContext) -> TestResult {
    let text = "CREATE TABLE a (id INTEGER);\nINSERT INTO a VALUES (1);\nINSERT INTO VALUES;\n";
    let run = jetbase::run_url(&set(&[("V1__a.sql", text)]), &ctx.db.url).await;
    let text = format!("{:#}", run.expect_err("a syntax error"));
    assert!(text.contains("V1__a.sql:3:18: statement 3 of 3 failed"), "{text}");
    assert!(text.contains("nothing of this file was kept"), "{text}");
    Ok(())
}
