use std::time::Duration;

use jetbase::DatabaseUrl;
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};

use super::column;
use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let (nothing, mysql) = (Needs::NOTHING, &[DatabaseKind::Mysql][..]);
    for between in [Between::Unlocked, Between::LockHidden, Between::HistoryHidden] {
        let name = format!("an_error_states_what_was_committed_when_{}", between.name());
        suite.each(&name, DatabaseKind::ALL, nothing, move |ctx| half_done(ctx, between, ALONE));
        let name =
            format!("an_error_states_what_mysql_committed_implicitly_when_{}", between.name());
        suite.each(&name, mysql, nothing, move |ctx| half_done(ctx, between, ""));
    }
    let name = "no_statement_starts_after_the_lock_is_lost";
    suite.each(name, DatabaseKind::ALL, nothing, |ctx| begins_no_other(ctx, ALONE));
    let name = "no_statement_of_a_transaction_starts_after_the_lock_is_lost";
    suite.each(name, mysql, nothing, |ctx| begins_no_other(ctx, ""));
    let kinds = &[DatabaseKind::Mysql, DatabaseKind::Sqlite];
    suite.each("an_error_states_what_a_hidden_commit_kept", kinds, nothing, hidden_commit);
    let own = Needs::OWN_SERVER;
    suite.each("a_file_larger_than_a_packet_runs", mysql, own, larger_than_a_packet);
}

const ALONE: &str = "-- jetbase: transaction=off\n";

/// What happens while the fourth of five statements is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    /// Somebody sets the lock free by force.
    Unlocked,
    /// The table with the lock gets another name, so that the next statement cannot be prepared.
    LockHidden,
    /// The history gets another name, so that the file cannot be recorded.
    HistoryHidden,
}

impl Between {
    const fn name(self) -> &'static str {
        match self {
            Between::Unlocked => "the_lock_is_released_by_force",
            Between::LockHidden => "the_next_statement_cannot_be_prepared",
            Between::HistoryHidden => "the_file_cannot_be_recorded",
        }
    }

    /// How many statements of the file stand in the end.
    const fn stand(self, mode: &str) -> usize {
        match self {
            Between::HistoryHidden => 5,
            // The fourth one commits nothing on MySQL: its transaction is rolled back.
            _ if mode.is_empty() => 3,
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

/// Runs them, lets that happen beside the fourth one, and returns the error.
async fn interrupted(db: &Database, between: Between, mode: &str) -> Result<String, TestError> {
    let first = ("V0__first.sql", "SELECT 1;\n");
    jetbase::run_url(&set(&[first]), &db.url).await?;
    let all = set(&[first, ("V7__half.sql", &five(db.kind, mode))]);
    let run = tokio::spawn(jetbase::run_url(&all, &db.url).into_future());
    while db.rows("SELECT id FROM last").await.is_err() {
        if run.is_finished() {
            return Err(format!("it ended too soon: {:?}", run.await).into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    match between {
        Between::Unlocked => {
            let unlocked = jetbase::unlock(&all, DatabaseUrl(&db.url)).force().await?;
            assert!(unlocked.holder.is_some(), "nobody held the lock");
        }
        Between::LockHidden => db.execute("ALTER TABLE jetbase_lock RENAME TO hidden").await?,
        Between::HistoryHidden => {
            db.execute("ALTER TABLE jetbase_migrations RENAME TO hidden").await?;
        }
    }
    let error = run.await?.expect_err("it cannot go on");
    Ok(format!("{error:#}"))
}

/// So many statements stand, and the sentence says so.
async fn half_done(ctx: TestContext, between: Between, mode: &'static str) -> TestResult {
    let db = &ctx.db;
    let text = interrupted(db, between, mode).await?;
    assert_eq!(column(db, "SELECT id FROM a").await?, ["77"], "{text}");
    let has_last = db.rows("SELECT id FROM b").await.is_ok();
    let stand = if has_last { 5 } else { between.stand(mode) };
    assert!(text.contains("V7__half.sql"), "{text}");
    for denial in ["not executed", "nothing of this file was kept", "nothing of it"] {
        assert!(!text.contains(denial), "{stand} statements stand, but: {text}");
    }
    assert!(
        text.contains(&format!(" {stand} ")),
        "{stand} statements stand, and this is not said: {text}"
    );
    Ok(())
}

/// The statement in work ends; no other one begins.
async fn begins_no_other(ctx: TestContext, mode: &'static str) -> TestResult {
    let text = interrupted(&ctx.db, Between::Unlocked, mode).await?;
    let began = ctx.db.rows("SELECT id FROM b").await.is_ok();
    assert!(!began, "a statement was executed behind the lost lock: {text}");
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
    let mut wrong = Vec::new();
    for hidden in hides {
        for end in ["INSERT INTO nowhere (id) VALUES (1);\n", ""] {
            let db = ctx.another().await?;
            db.execute("CREATE TABLE t (id INTEGER)").await?;
            let text = format!("INSERT INTO t (id) VALUES (1);\n{hidden}{end}");
            let result = jetbase::run_url(&set(&[("V1__hides.sql", &text)]), &db.url).await;
            let kept = column(&db, "SELECT id FROM t").await?;
            let recorded = column(&db, "SELECT filename FROM jetbase_migrations").await;
            let recorded = recorded.unwrap_or_default();
            let said = result.map_or_else(|error| format!("{error:#}"), |_| "applied".to_owned());
            let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
            let denies = has(&["nothing of", "nothing was", "not executed"]);
            let admits = has(&["permanent", "kept", "committed", "COMMIT"]);
            let is_true = match (kept.len(), said.as_str()) {
                (1, "applied") => recorded.len() == 1,
                (1, _) => admits && !denies && recorded.is_empty(),
                (_, said) => said != "applied" && recorded.is_empty(),
            };
            if !is_true || !said.contains("V1__hides.sql") && said != "applied" {
                wrong.push(format!("{text}kept {kept:?}, recorded {recorded:?}, said: {said}"));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// What a server takes in one packet limits a statement, and no file.
async fn larger_than_a_packet(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    db.admin("SET GLOBAL max_allowed_packet = 1048576").await?;
    let first = ("V1__t.sql", "CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT);\n");
    let body = "x".repeat(1000);
    let rows: String = (1..=3000)
        .map(|id| format!("INSERT INTO t (id, body) VALUES ({id}, '{body}');\n"))
        .collect();

    // The last of its rows is there already: none of them is kept.
    let fails = format!("{rows}INSERT INTO t (id, body) VALUES (1, 'again');\n");
    let error = jetbase::run_url(&set(&[first, ("V2__rows.sql", &fails)]), &db.url).await;
    let text = format!("{:#}", error.expect_err("a row twice"));
    assert!(text.contains("V2__rows.sql") && text.contains("Duplicate"), "{text}");
    assert_eq!(column(db, "SELECT count(*) FROM t").await?, ["0"], "{text}");

    let report = jetbase::run_url(&set(&[first, ("V2__rows.sql", &rows)]), &db.url).await?;
    assert_eq!(report.applied.len(), 1);
    assert_eq!(column(db, "SELECT count(*) FROM t").await?, ["3000"]);

    // One statement that is too large for the server cannot run; the sentence names the setting.
    let large = format!("INSERT INTO t (id, body) VALUES (9999, '{}');\n", "y".repeat(1_500_000));
    let files = [first, ("V2__rows.sql", rows.as_str()), ("V3__large.sql", large.as_str())];
    let error = jetbase::run_url(&set(&files), &db.url).await.expect_err("too large");
    let text = format!("{error:#}");
    assert!(text.contains("V3__large.sql") && text.contains("max_allowed_packet"), "{text}");
    assert_eq!(column(db, "SELECT count(*) FROM t").await?, ["3000"], "{text}");
    Ok(())
}
