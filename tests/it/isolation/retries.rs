use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jetbase::Event;
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqlitePoolOptions;

use super::leaks::{query, store_state, stored_state};
use super::second_connection::SecondConnection;
use super::{column, is_recorded_and_unlocked, same_lines};
use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    suite.each("a_retry_starts_in_a_fresh_session", DatabaseKind::SERVERS, nothing, next_attempt);
    suite.each(
        "a_retried_statement_has_the_settings_of_its_file",
        DatabaseKind::SERVERS,
        nothing,
        settings_again,
    );
    suite.each("a_failed_file_does_not_change_the_next_run", DatabaseKind::ALL, nothing, next_run);
    suite.each("a_failed_file_does_not_change_a_pool", &[DatabaseKind::Sqlite], nothing, in_a_pool);
}

const USERS: &str = "CREATE TABLE users (id INTEGER); INSERT INTO users (id) VALUES (1)";

/// Session state that a rollback does not remove.
const fn session_state(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::Postgres => {
            "PREPARE q AS SELECT 1;\nSET my.setting = 'leaked';\nSELECT nextval('numbers');\n"
        }
        DatabaseKind::Mysql => {
            "SET @x = COALESCE(@x, 0) + 1;\nPREPARE q FROM 'SELECT 1';\n\
             CREATE TEMPORARY TABLE mine (id INTEGER);\nSET SESSION group_concat_max_len = 10;\n"
        }
        DatabaseKind::Sqlite => {
            "PRAGMA recursive_triggers = ON;\nPRAGMA case_sensitive_like = ON;\n\
             CREATE TEMP TABLE users (id INTEGER);\n"
        }
    }
}

/// A file waits too long for a row. The second attempt has the same session state as the first.
async fn next_attempt(ctx: TestContext) -> TestResult {
    ctx.db.execute(USERS).await?;
    ctx.db
        .execute("CREATE TABLE busy (id INTEGER PRIMARY KEY); INSERT INTO busy VALUES (1)")
        .await?;
    let count = match ctx.kind {
        DatabaseKind::Postgres => {
            ctx.db.execute("CREATE SEQUENCE numbers").await?;
            "INSERT INTO users (id) SELECT 1000 + count(*) FROM pg_prepared_statements WHERE name = 'q';\n"
        }
        _ => "INSERT INTO users (id) SELECT 1000 + @x;\n",
    };
    let text = format!(
        "-- jetbase: lock_timeout=1s\n{}{count}UPDATE busy SET id = id + 1;\n",
        session_state(ctx.kind)
    );
    let all = set(&[("V1__waits.sql", &text)]);
    let mut holder = SecondConnection::at(&ctx.db).await?;
    holder.execute("BEGIN; UPDATE busy SET id = id + 100").await?;
    let holder = tokio::spawn(holder.execute_later(Duration::from_millis(2500), "COMMIT"));
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let run = jetbase::run_url(&all, &ctx.db.url).on_event(move |event| {
        if matches!(event, Event::Retrying { .. }) {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let report = run.await;
    holder.await??;
    assert_eq!(report?.applied.len(), 1);
    assert!(attempts.load(Ordering::SeqCst) > 0, "the run did not retry");
    let ids = column(&ctx.db, "SELECT id FROM users ORDER BY id").await?;
    assert_eq!(ids, ["1", "1001"], "the second attempt has session state of the first one");
    is_recorded_and_unlocked(&ctx.db, &["V1__waits.sql"]).await
}

/// A file fails on a connection of the caller. The corrected file has the same session state.
async fn next_run(ctx: TestContext) -> TestResult {
    ctx.db.execute(USERS).await?;
    if ctx.kind == DatabaseKind::Postgres {
        ctx.db.execute("CREATE SEQUENCE numbers").await?;
    }
    let fails = format!("{}INSERT INTO nowhere (id) VALUES (1);\n", session_state(ctx.kind));
    // On a borrowed connection of MySQL, a file that reads session variables is refused.
    let store =
        if ctx.kind == DatabaseKind::Mysql { String::new() } else { store_state(&ctx.db).await? };
    let corrected = format!("INSERT INTO users (id) VALUES (7);\n{store}");
    let state_query = query(&ctx.db).await?;
    let mut caller = SecondConnection::at(&ctx.db).await?;
    let before = caller.column(&state_query).await?;
    let error = caller.migrate(&set(&[("V1__a.sql", &fails)])).await.expect_err("no such table");
    assert!(format!("{error:#}").contains("V1__a.sql"), "{error:#}");
    same_lines("the caller's connection", &before, &caller.column(&state_query).await?)?;
    caller.migrate(&set(&[("V1__a.sql", &corrected)])).await?;
    same_lines("the caller's connection", &before, &caller.column(&state_query).await?)?;
    let ids = column(&ctx.db, "SELECT id FROM users ORDER BY id").await?;
    assert_eq!(ids, ["1", "7"], "the row is in another table");
    caller.close().await?;
    is_recorded_and_unlocked(&ctx.db, &["V1__a.sql"]).await
}

/// The same on the only connection of a pool.
async fn in_a_pool(ctx: TestContext) -> TestResult {
    let fresh = ctx.another().await?;
    let corrected = store_state(&ctx.db).await?;
    for db in [&ctx.db, &fresh] {
        db.execute(USERS).await?;
    }
    jetbase::run_url(&set(&[("V1__a.sql", &corrected)]), &fresh.url).await?;
    let pool = SqlitePoolOptions::new().max_connections(1).connect(&ctx.db.url).await?;
    for mode in ["", "-- jetbase: transaction=off\n"] {
        let text = session_state(ctx.kind);
        let fails = format!("{mode}{text}INSERT INTO nowhere (id) VALUES (1);\n");
        jetbase::run(&set(&[("V1__a.sql", &fails)]), &pool).await.expect_err("no such table");
    }
    // Another file follows, not the rest of this one.
    sqlx::query("DELETE FROM jetbase_journal").execute(&pool).await?;
    jetbase::run(&set(&[("V1__a.sql", &corrected)]), &pool).await?;
    same_lines(
        "the session state of the corrected file",
        &stored_state(&fresh).await?,
        &stored_state(&ctx.db).await?,
    )?;
    // A file that succeeds does not change the pool's connection either.
    let state_query = query(&ctx.db).await?;
    let before: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(state_query.clone())).fetch_all(&pool).await?;
    let leaves = ("V2__b.sql", session_state(ctx.kind));
    jetbase::run(&set(&[("V1__a.sql", &corrected), leaves]), &pool).await?;
    let after: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(state_query)).fetch_all(&pool).await?;
    same_lines("the pool's connection", &before, &after)?;
    pool.close().await;
    is_recorded_and_unlocked(&ctx.db, &["V1__a.sql", "V2__b.sql"]).await
}

/// The first attempt of the last statement fails, because another session locks its table.
async fn settings_again(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let (text, lock, unlock, rows, value) = match ctx.kind {
        DatabaseKind::Postgres => {
            db.execute(
                "CREATE SCHEMA other; CREATE TABLE held (v TEXT); CREATE TABLE other.held (v TEXT)",
            )
            .await?;
            let text = "SET search_path = other;\nCREATE TABLE extra (id INTEGER);\n\
                        INSERT INTO held SELECT current_setting('search_path');\n";
            let lock = "BEGIN; LOCK TABLE other.held";
            (text, lock, "COMMIT", "SELECT v FROM other.held", "other")
        }
        _ => {
            db.execute("CREATE TABLE held (v TEXT)").await?;
            let text = "SET SESSION time_zone = '+05:00';\nCREATE TABLE extra (id INTEGER);\n\
                        INSERT INTO held SELECT @@session.time_zone;\n";
            (text, "LOCK TABLES held WRITE", "UNLOCK TABLES", "SELECT v FROM held", "+05:00")
        }
    };
    let directives = "-- jetbase: transaction=off\n-- jetbase: lock_timeout=1s\n";
    let all = set(&[("V1__held.sql", &format!("{directives}{text}"))]);
    let mut holder = SecondConnection::at(db).await?;
    holder.execute(lock).await?;
    let holder = tokio::spawn(holder.execute_later(Duration::from_millis(2500), unlock));
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let run = jetbase::run_url(&all, &db.url).on_event(move |event| {
        if matches!(event, Event::Retrying { .. }) {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let report = run.await;
    holder.await??;
    assert_eq!(report?.applied.len(), 1);
    assert!(attempts.load(Ordering::SeqCst) > 0, "the run did not retry");
    assert_eq!(column(db, rows).await?, [value]);
    is_recorded_and_unlocked(db, &["V1__held.sql"]).await
}
