//! A run that applies consecutive files in one transaction.

mod interrupted;

use std::sync::{Arc, Mutex};

use jetbase::{DatabaseUrl, Event};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
};

use crate::apply::set;
use crate::isolation::column;
use crate::tool::tool;

pub(crate) fn register(suite: &mut Suite) {
    let (all, nothing) = (DatabaseKind::ALL, Needs::NOTHING);
    let (postgres, sqlite) = (&[DatabaseKind::Postgres], &[DatabaseKind::Sqlite]);
    let servers = &[DatabaseKind::Postgres, DatabaseKind::Mysql];
    suite.each("one_transaction_applies_all_files_or_none", all, nothing, all_or_none);
    suite.each("repeatable_files_share_the_transaction", all, nothing, repeatables);
    suite.each("a_file_that_cannot_be_rolled_back_stands_alone", all, nothing, alone);
    suite.each("the_files_of_a_transaction_have_their_own_sessions", postgres, nothing, sessions);
    suite.each("deferred_constraints_are_checked_after_each_file", postgres, nothing, deferred);
    suite.each("rows_without_parents_are_found_after_each_file", sqlite, nothing, orphans);
    suite.each("a_transaction_of_several_files_is_tried_again", servers, nothing, retried);
    suite.each("a_run_stops_after_the_transaction", all, nothing, interrupted::stopped);
    suite.each(
        "a_cancelled_run_undoes_the_whole_transaction",
        all,
        nothing,
        interrupted::cancelled,
    );
    suite.each(
        "a_lost_connection_undoes_the_whole_transaction",
        servers,
        nothing,
        interrupted::lost,
    );
    suite.each(
        "a_lost_lock_undoes_the_whole_transaction",
        &[DatabaseKind::Mysql],
        nothing,
        interrupted::no_lock,
    );
    suite.each("the_tool_applies_files_in_one_transaction", all, nothing, with_tool);
}

const V1: (&str, &str) = ("V1__a.sql", "INSERT INTO t (id) VALUES (1);\n");
const V2: (&str, &str) = ("V2__b.sql", "INSERT INTO t (id) VALUES (2);\n");
const V3: (&str, &str) = ("V3__c.sql", "INSERT INTO t (id) VALUES (3);\n");
/// The row exists.
const V4: (&str, &str) = ("V4__d.sql", "INSERT INTO t (id) VALUES (1);\n");

async fn create_table(db: &Database) -> TestResult {
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)").await
}

/// The applied files, according to the history.
async fn history(db: &Database) -> Result<Vec<String>, TestError> {
    column(db, "SELECT filename FROM jetbase_migrations ORDER BY order_executed").await
}

async fn count(db: &Database) -> Result<Option<String>, TestError> {
    db.value("SELECT CAST(count(*) AS CHAR(5)) FROM t")
        .await
        .map(|it| it.map(|it| it.trim().to_owned()))
}

/// How many transactions have written the history (PostgreSQL).
async fn transactions(db: &Database) -> Result<Vec<String>, TestError> {
    let sql = "SELECT string_agg(version, ' ' ORDER BY order_executed) FROM jetbase_migrations \
               GROUP BY xmin::text ORDER BY min(order_executed)";
    column(db, sql).await
}

async fn all_or_none(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let target = DatabaseUrl(&db.url);
    create_table(db).await?;
    let error = jetbase::run(&set(&[V1, V2, V3, V4]), target)
        .one_transaction()
        .await
        .expect_err("the fourth file fails");
    let text = error.to_string();
    assert!(
        text.contains("V4__d.sql:1:1: statement 1 of 1 failed")
            && text.ends_with(
                "\nnothing of this file was kept; correct it and run again\n\
                 the same holds for the files before it in its transaction: V1__a.sql, V2__b.sql, V3__c.sql"
            ),
        "{text}"
    );
    assert_eq!(error.report().same_transaction, ["V1__a.sql", "V2__b.sql", "V3__c.sql"]);
    assert!(error.report().applied.is_empty(), "{text}");
    assert_eq!((count(db).await?.as_deref(), history(db).await?), (Some("0"), vec![]));

    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let report = jetbase::run(&set(&[V1, V2, V3]), target)
        .one_transaction()
        .on_event(move |event| match event {
            Event::Started { file, .. } => seen.lock().unwrap().push(format!("started {file}")),
            Event::Finished { file, .. } => seen.lock().unwrap().push(format!("finished {file}")),
            _ => {}
        })
        .await?;
    assert_eq!(report.applied.len(), 3, "{report}");
    assert!(report.same_transaction.is_empty());
    assert_eq!(
        *events.lock().unwrap(),
        [
            "started V1__a.sql",
            "started V2__b.sql",
            "started V3__c.sql",
            "finished V1__a.sql",
            "finished V2__b.sql",
            "finished V3__c.sql",
        ]
    );
    assert_eq!(count(db).await?.as_deref(), Some("3"));
    let times =
        db.rows("SELECT applied_at FROM jetbase_migrations ORDER BY order_executed").await?;
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    if db.kind == DatabaseKind::Postgres {
        assert_eq!(transactions(db).await?, ["1 2 3"]);
    }
    // Without the option, each file has its own transaction.
    jetbase::run(&set(&[V1, V2, V3, ("V5__e.sql", "DELETE FROM t;\n")]), target).await?;
    assert_eq!(history(db).await?.len(), 4);
    Ok(())
}

/// A version marks the `ROC__` files as stale, which then run in the same transaction.
async fn repeatables(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let target = DatabaseUrl(&db.url);
    create_table(db).await?;
    let again = ("RA__more.sql", "UPDATE t SET id = id + 10;\n");
    let (old, new) = ("DELETE FROM t WHERE id = 99;\n", "DELETE FROM t WHERE id = 98;\n");
    let first = set(&[V1, again, ("ROC__rows.sql", old)]);
    assert_eq!(jetbase::run(&first, target).one_transaction().await?.applied.len(), 3);
    let second = set(&[V1, V2, again, ("ROC__rows.sql", new)]);
    let applied = jetbase::run(&second, target)
        .repeat(jetbase::Repeat::Always)
        .one_transaction()
        .await?
        .applied;
    assert_eq!(applied.len(), 3, "{applied:?}");
    assert!(jetbase::run(&second, target).one_transaction().await?.is_up_to_date());
    let ids = column(db, "SELECT CAST(id AS CHAR(2)) FROM t ORDER BY id").await?;
    assert_eq!(ids, ["12", "21"]);
    if db.kind == DatabaseKind::Postgres {
        let writers = "SELECT count(DISTINCT xmin::text)::text FROM jetbase_migrations WHERE filename <> 'V1__a.sql'";
        assert_eq!(db.value(writers).await?.as_deref(), Some("1"));
    }
    Ok(())
}

/// A file whose statements commit by themselves, or that an earlier run has begun.
async fn alone(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let target = DatabaseUrl(&db.url);
    create_table(db).await?;
    let create = match db.kind {
        DatabaseKind::Postgres => {
            "-- jetbase: transaction=off\nCREATE INDEX CONCURRENTLY t_id ON t (id);\n"
        }
        DatabaseKind::Mysql => "CREATE TABLE u (id INTEGER PRIMARY KEY);\n",
        DatabaseKind::Sqlite => {
            "-- jetbase: transaction=off\nCREATE TABLE u (id INTEGER PRIMARY KEY);\n"
        }
    };
    let (v3, v5) = (("V3__c.sql", create), ("V5__e.sql", "INSERT INTO t (id) VALUES (5);\n"));
    let error =
        jetbase::run(&set(&[V1, V2, v3, ("V4__d.sql", V3.1), v5, ("V6__f.sql", V4.1)]), target)
            .one_transaction()
            .await
            .expect_err("the last file fails");
    let applied: Vec<_> = error.report().applied.iter().map(|it| it.file.as_str()).collect();
    assert_eq!(applied, ["V1__a.sql", "V2__b.sql", "V3__c.sql"], "{error}");
    assert_eq!(error.report().same_transaction, ["V4__d.sql", "V5__e.sql"]);
    assert_eq!(history(db).await?, ["V1__a.sql", "V2__b.sql", "V3__c.sql"]);
    assert_eq!(count(db).await?.as_deref(), Some("2"));
    Ok(())
}

/// Each file finds a session without what the others have left.
async fn sessions(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    create_table(db).await?;
    db.execute("CREATE TABLE s (id SERIAL PRIMARY KEY)").await?;
    let unset = "DO $$ BEGIN IF current_setting('work_mem') = '77kB' THEN RAISE 'the setting remains'; END IF; END $$;\n";
    let files = [
        V1,
        ("V2__insert.sql", "INSERT INTO s DEFAULT VALUES;\n"),
        ("V3__set.sql", "SET work_mem = '77kB';\nCREATE TEMP TABLE x (id INT);\n"),
        ("V4__unset.sql", unset),
        ("V5__temp.sql", "CREATE TABLE x (id INT);\n"),
        (
            "V6__reads.sql",
            "SELECT CASE WHEN (SELECT max(id) FROM s) = 1 THEN 1 ELSE lastval() END;\n",
        ),
        ("V7__path.sql", "SELECT 1 / (current_schema() = 'public')::int;\n"),
    ];
    jetbase::run(&set(&files), DatabaseUrl(&db.url)).one_transaction().await?;
    // V3 and V4 leave something in the session, V6 reads what another file may have left.
    assert_eq!(transactions(db).await?, ["1 2 3", "4", "5", "6 7"]);
    Ok(())
}

async fn deferred(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let target = DatabaseUrl(&db.url);
    create_table(db).await?;
    db.execute("CREATE TABLE c (id INT REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)").await?;
    let v2 = ("V2__child.sql", "INSERT INTO c VALUES (9);\nINSERT INTO t VALUES (9);\n");
    // The table has pending checks in the transaction, unless they were made after the file before.
    let v3 = ("V3__alter.sql", "ALTER TABLE c ADD COLUMN note TEXT;\n");
    let v4 = ("V4__child.sql", "INSERT INTO c VALUES (10);\nINSERT INTO t VALUES (10);\n");
    let wrong = ("V5__orphan.sql", "INSERT INTO c VALUES (11);\n");
    let files = [V1, v2, v3, v4, wrong, ("V6__f.sql", V3.1)];
    let error = jetbase::run(&set(&files), target).one_transaction().await.expect_err("no parent");
    let text = error.to_string();
    assert!(text.starts_with("V5__orphan.sql: the commit failed (23503)"), "{text}");
    assert_eq!(error.report().same_transaction.len(), 4);
    jetbase::run(&set(&files[..4]), target).one_transaction().await?;
    assert_eq!(transactions(db).await?, ["1 2 3 4"]);
    Ok(())
}

async fn orphans(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    create_table(db).await?;
    db.execute("CREATE TABLE c (id INTEGER REFERENCES t (id))").await?;
    let files = [V1, ("V2__orphan.sql", "INSERT INTO c VALUES (2);\n"), ("V3__b.sql", V2.1)];
    let error = jetbase::run(&set(&files), DatabaseUrl(&db.url)).one_transaction().await;
    let error = error.expect_err("the row has no parent after its file");
    assert!(
        error
            .to_string()
            .starts_with("V2__orphan.sql: it leaves a row without its parent: c row 1 → t"),
        "{error}"
    );
    assert_eq!(count(db).await?.as_deref(), Some("0"));
    Ok(())
}

/// A file that cannot get a lock: the whole transaction starts again.
async fn retried(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    create_table(db).await?;
    db.execute("INSERT INTO t (id) VALUES (7)").await?;
    let waits = "-- jetbase: lock_timeout=1s\nUPDATE t SET id = 8 WHERE id = 7;\n";
    let other = Database::at(db.kind, &db.url)?;
    let (locked, release) =
        (tokio::sync::oneshot::channel(), tokio::sync::oneshot::channel::<()>());
    let holder = tokio::spawn(async move {
        use sqlx::Connection as _;
        // One connection keeps its transaction until the run tries again.
        macro_rules! hold {
            ($Connection:ty) => {{
                let mut connection = <$Connection>::connect(&other.url).await?;
                let mut transaction = connection.begin().await?;
                sqlx::raw_sql("UPDATE t SET id = 7 WHERE id = 7")
                    .execute(&mut *transaction)
                    .await?;
                let _ = locked.0.send(());
                let _ = release.1.await;
                transaction.rollback().await?;
            }};
        }
        match other.kind {
            DatabaseKind::Postgres => hold!(sqlx::PgConnection),
            _ => hold!(sqlx::MySqlConnection),
        }
        Ok::<_, sqlx::Error>(())
    });
    locked.1.await?;
    let (mut release, tries) = (Some(release.0), Arc::new(Mutex::new(Vec::new())));
    let seen = tries.clone();
    let report = jetbase::run(&set(&[V1, ("V2__b.sql", waits), V3]), DatabaseUrl(&db.url))
        .one_transaction()
        .on_event(move |event| match event {
            Event::Retrying { file, attempt, .. } => {
                seen.lock().unwrap().push((file.clone(), *attempt));
                release.take().map(|release| release.send(()));
            }
            Event::Started { file, .. } => seen.lock().unwrap().push((file.clone(), 0)),
            _ => {}
        })
        .await?;
    holder.await??;
    assert_eq!(report.applied.len(), 3);
    let seen = tries.lock().unwrap().clone();
    let expected = [("V1__a.sql", 0), ("V2__b.sql", 0), ("V2__b.sql", 2), ("V3__c.sql", 0)];
    assert_eq!(seen, expected.map(|(file, attempt)| (file.to_owned(), attempt)));
    let ids = column(db, "SELECT CAST(id AS CHAR(1)) FROM t ORDER BY id").await?;
    assert_eq!(ids, ["1", "3", "8"]);
    Ok(())
}

async fn with_tool(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    create_table(db).await?;
    let project = PythonProject::with(&[V1, V2, V4])?;
    let upgrade = tool(&project, &db.url, &["upgrade", "--one-transaction", "--json"]).await?;
    let output = upgrade.json()?;
    assert_eq!(output["applied"], serde_json::json!([]), "{output}");
    assert_eq!(output["same_transaction"], serde_json::json!(["V1__a.sql", "V2__b.sql"]));
    assert_eq!(count(db).await?.as_deref(), Some("0"));
    Ok(())
}
