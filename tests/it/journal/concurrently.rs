//! Indexes that PostgreSQL builds, and partitions that it detaches, without blocking others.

use jetbase::sqlx::{Connection, Executor, PgConnection};
use jetbase::{DatabaseUrl, Error, ErrorKind, Kept, StatementError};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};

use super::journal_rows;
use crate::apply::set;

pub(super) fn register(suite: &mut Suite) {
    let postgres = &[DatabaseKind::Postgres];
    let nothing = Needs::NOTHING;
    suite.each("a_run_builds_its_own_invalid_index_again", postgres, nothing, builds_again);
    suite.each("a_run_refuses_an_invalid_index_of_others", postgres, nothing, refuses_others);
    suite.each("a_failed_reindex_is_in_doubt", postgres, nothing, reindex);
    suite.each("a_reindex_can_fail_and_be_repeated", postgres, nothing, repeats_reindex);
    suite.each("a_failed_refresh_leaves_nothing", postgres, nothing, refresh);
    suite.each("a_run_detaches_a_partition_concurrently", postgres, nothing, detaches);
    suite.each("a_run_completes_its_own_detach", postgres, nothing, completes_detach);
    suite.each("a_run_does_not_complete_the_detach_of_others", postgres, nothing, detach_of_others);
    suite.each("a_stopped_detach_is_completed", postgres, nothing, stopped_detach);
}

fn failed(error: &Error) -> &StatementError {
    match error.kind() {
        ErrorKind::Statement(failed) => failed,
        other => panic!("{other}"),
    }
}

const VALID: &str = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'u'::regclass";

async fn builds_again(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    for index in ["u", "IF NOT EXISTS u"] {
        db.execute("DROP TABLE IF EXISTS a, jetbase_migrations, jetbase_lock, jetbase_journal")
            .await?;
        let text = format!(
            "-- jetbase: transaction=off\nCREATE TABLE a (id INTEGER);\nINSERT INTO a VALUES (1), (1);\n\
             CREATE UNIQUE INDEX CONCURRENTLY {index} ON a (id);\nINSERT INTO a VALUES (3);\n"
        );
        let files = set(&[("V1__a.sql", &text)]);
        for _ in 0..2 {
            let error = jetbase::run_url(&files, &db.url).await.expect_err("1 is there twice");
            let shown = format!("{error:#}");
            assert_eq!(failed(&error).kept, Kept::Statements(2), "{shown}");
            assert_eq!(failed(&error).leftover.as_deref(), Some("public.u"), "{shown}");
            assert!(shown.contains("the invalid index public.u remains"), "{shown}");
            assert_eq!(db.value(VALID).await?.as_deref(), Some("0"), "{shown}");
            let unfinished = jetbase::journal(&files, jetbase::DatabaseUrl(&db.url)).await?;
            assert_eq!(
                unfinished.to_string(),
                "V1__a.sql is unfinished: its first 2 statements are permanent, and the invalid index public.u remains, \
                 which the next run drops; run `jetbase upgrade` to go on"
            );
        }
        db.execute("DELETE FROM a WHERE ctid = '(0,1)'").await?;
        jetbase::run_url(&files, &db.url).await?;
        assert_eq!(db.value(VALID).await?.as_deref(), Some("1"));
        assert_eq!(db.value("SELECT count(*) FROM a").await?.as_deref(), Some("2"));
        assert_eq!(journal_rows(db).await?, 0);
    }
    Ok(())
}

async fn refuses_others(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    db.execute("CREATE TABLE a (id INTEGER); INSERT INTO a VALUES (1), (1)").await?;
    db.execute("CREATE UNIQUE INDEX CONCURRENTLY u ON a (id)").await.expect_err("1 is there twice");
    let text = "-- jetbase: transaction=off\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS u ON a (id);\n";
    let files = set(&[("V1__u.sql", text)]);
    for _ in 0..2 {
        let error = jetbase::run_url(&files, &db.url).await.expect_err("the index is invalid");
        let shown = format!("{error:#}");
        assert!(shown.contains("the index public.u is INVALID"), "{shown}");
        assert!(shown.contains("run DROP INDEX CONCURRENTLY public.u, then run again"), "{shown}");
        assert_eq!(
            db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(),
            Some("0")
        );
    }
    db.execute("DELETE FROM a").await?;
    db.execute("DROP INDEX u").await?;
    jetbase::run_url(&files, &db.url).await?;
    assert_eq!(db.value(VALID).await?.as_deref(), Some("1"));
    Ok(())
}

async fn reindex(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    // The function of the index fails when the index is built again.
    db.execute(
        "CREATE TABLE a (id INTEGER);
         CREATE FUNCTION f(INTEGER) RETURNS INTEGER IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1; END $$;
         CREATE INDEX i ON a (f(id)); INSERT INTO a VALUES (1);
         CREATE OR REPLACE FUNCTION f(INTEGER) RETURNS INTEGER IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 1 / ($1 - 1); END $$",
    )
    .await?;
    let text = "-- jetbase: transaction=off\nCREATE TABLE b (id INTEGER);\nREINDEX INDEX CONCURRENTLY i;\n";
    let files = set(&[("V1__i.sql", text)]);
    let error = jetbase::run_url(&files, &db.url).await.expect_err("division by zero");
    assert_eq!(failed(&error).kept, Kept::InDoubt { done: 1 }, "{error:#}");
    let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
    assert_eq!(db.value(invalid).await?.as_deref(), Some("1"), "{error:#}");
    assert!(format!("{error:#}").contains("i_ccnew"), "{error:#}");
    // A REINDEX can be repeated.
    db.execute("UPDATE a SET id = 2; DROP INDEX i_ccnew").await?;
    jetbase::run_url(&files, &db.url).await?;
    Ok(())
}

/// An index whose function fails while a row has the value 1.
const FAILING_INDEX: &str = "CREATE TABLE a (id INTEGER);
CREATE FUNCTION f(INTEGER) RETURNS INTEGER IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1; END $$;
CREATE INDEX i ON a (f(id)); INSERT INTO a VALUES (1);
CREATE OR REPLACE FUNCTION f(INTEGER) RETURNS INTEGER IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 1 / ($1 - 1); END $$";

/// The leftovers of each attempt are named, and nobody drops them.
async fn repeats_reindex(ctx: TestContext) -> TestResult {
    for statement in ["REINDEX INDEX CONCURRENTLY i", "REINDEX TABLE CONCURRENTLY a"] {
        let db = &ctx.another().await?;
        db.execute(FAILING_INDEX).await?;
        let text = format!(
            "-- jetbase: transaction=off\nCREATE TABLE b (id INTEGER);\n{statement};\nINSERT INTO b VALUES (1);\n"
        );
        let files = set(&[("V1__i.sql", &text)]);
        for leftover in ["public.i_ccnew", "public.i_ccnew1"] {
            let error = jetbase::run_url(&files, &db.url).await.expect_err("division by zero");
            let shown = format!("{error:#}");
            assert_eq!(failed(&error).statement, Some((2, 3)), "{shown}");
            assert_eq!(failed(&error).kept, Kept::InDoubt { done: 1 }, "{shown}");
            let named = "the invalid indexes of this database are public.i_ccnew";
            assert!(shown.contains(named) && shown.contains(leftover), "{shown}");
            assert!(
                shown.contains("run again with `--resume-after 2` or `--resume-at 2`"),
                "{shown}"
            );
        }
        let unfinished = jetbase::journal(&files, DatabaseUrl(&db.url)).await?;
        assert_eq!(unfinished.files[0].in_doubt, Some(2));
        db.execute("UPDATE a SET id = 2; DROP INDEX i_ccnew, i_ccnew1").await?;
        jetbase::run_url(&files, &db.url).await?;
        assert_eq!(db.value("SELECT count(*) FROM b").await?.as_deref(), Some("1"));
        let invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
        assert_eq!(db.value(invalid).await?.as_deref(), Some("0"));
        assert_eq!(journal_rows(db).await?, 0);
        // One that succeeds.
        let again = format!("-- jetbase: transaction=off\n{statement};\n");
        jetbase::run_url(&set(&[("V1__i.sql", &text), ("V2__i.sql", &again)]), &db.url).await?;
        assert_eq!(db.value(invalid).await?.as_deref(), Some("0"));
    }
    Ok(())
}

/// REFRESH CONCURRENTLY is one transaction.
async fn refresh(ctx: TestContext) -> TestResult {
    for mode in ["", "-- jetbase: transaction=off\n"] {
        let db = &ctx.another().await?;
        db.execute("CREATE TABLE a (id INTEGER); INSERT INTO a VALUES (1); CREATE MATERIALIZED VIEW m AS SELECT id FROM a")
            .await?;
        let text = format!(
            "{mode}CREATE TABLE b (id INTEGER);\nINSERT INTO a VALUES (2);\n\
             REFRESH MATERIALIZED VIEW CONCURRENTLY m;\nINSERT INTO b VALUES (1);\n"
        );
        let files = set(&[("V1__m.sql", &text)]);
        let kept = if mode.is_empty() { Kept::Nothing } else { Kept::Statements(2) };
        for reason in ["a unique index with no WHERE clause", "duplicate rows"] {
            for _ in 0..2 {
                let error = jetbase::run_url(&files, &db.url).await.expect_err(reason);
                let shown = format!("{error:#}");
                assert!(shown.contains("statement 3 of 4 failed"), "{shown}");
                assert!(shown.contains(reason), "{shown}");
                assert_eq!(failed(&error).kept, kept, "{shown}");
                assert!(!shown.contains("in part"), "{shown}");
                assert_eq!(db.value("SELECT count(*) FROM m").await?.as_deref(), Some("1"));
            }
            match reason {
                "duplicate rows" => db.execute("DELETE FROM a WHERE id = 5").await?,
                _ => {
                    db.execute("CREATE UNIQUE INDEX u ON m (id); INSERT INTO a VALUES (5), (5)")
                        .await?
                }
            }
        }
        jetbase::run_url(&files, &db.url).await?;
        assert_eq!(
            db.value("SELECT string_agg(id::text, ',' ORDER BY id) FROM m").await?.as_deref(),
            Some("1,2")
        );
        assert_eq!(db.value("SELECT count(*) FROM b").await?.as_deref(), Some("1"));
    }
    Ok(())
}

const PARTITIONS: &str = "CREATE SCHEMA s; CREATE TABLE s.\"T\" (id INTEGER) PARTITION BY LIST (id);
CREATE TABLE s.\"P\" PARTITION OF s.\"T\" FOR VALUES IN (1); CREATE TABLE s.p2 PARTITION OF s.\"T\" FOR VALUES IN (2);
INSERT INTO s.\"T\" VALUES (1), (2)";

/// How many partitions are attached, and how many of them are pending.
const ATTACHED: &str =
    "SELECT concat(count(*), ' ', count(*) FILTER (WHERE inhdetachpending)) FROM pg_inherits
WHERE inhparent = 's.\"T\"'::regclass";

/// A file that detaches a partition with its third statement.
fn detaching(setting: &str, settings: &str, statement: &str) -> String {
    format!(
        "-- jetbase: transaction=off\n{setting}CREATE TABLE b (id INTEGER);\n{settings};\n{statement};\n\
         INSERT INTO public.b VALUES (1);\n"
    )
}

/// Two ways to write it.
const DETACH: [(&str, &str); 2] = [
    ("SELECT 1", "ALTER TABLE s.\"T\" DETACH PARTITION s.\"P\" CONCURRENTLY"),
    ("SET search_path = s", "ALTER TABLE \"T\" DETACH PARTITION \"P\" CONCURRENTLY"),
];

async fn is_detached(db: &Database) -> TestResult {
    assert_eq!(db.value(ATTACHED).await?.as_deref(), Some("1 0"));
    assert_eq!(db.value("SELECT count(*) FROM s.\"P\"").await?.as_deref(), Some("1"));
    assert_eq!(db.value("SELECT count(*) FROM b").await?.as_deref(), Some("1"));
    assert_eq!(journal_rows(db).await?, 0);
    crate::bad_input::lock_is_free(db).await
}

/// Whether the server can do it.
async fn can_detach(db: &Database) -> Result<bool, TestError> {
    Ok(db.postgres_version().await? >= 140_000)
}

async fn detaches(ctx: TestContext) -> TestResult {
    if !can_detach(&ctx.db).await? {
        return Ok(());
    }
    for (settings, statement) in DETACH {
        let db = &ctx.another().await?;
        db.execute(PARTITIONS).await?;
        // A failure that changes nothing.
        let wrong = detaching("", settings, &statement.replace("\"P\"", "nowhere"));
        for _ in 0..2 {
            let error = jetbase::run_url(&set(&[("V1__t.sql", &wrong)]), &db.url).await;
            let error = error.expect_err("there is no such partition");
            let shown = format!("{error:#}");
            assert_eq!(failed(&error).statement, Some((3, 4)), "{shown}");
            assert_eq!(failed(&error).kept, Kept::Statements(2), "{shown}");
            assert!(!shown.contains("in part"), "{shown}");
            assert_eq!(db.value(ATTACHED).await?.as_deref(), Some("2 0"));
        }
        let text = detaching("", settings, statement);
        jetbase::run_url(&set(&[("V1__t.sql", &text)]), &db.url).await?;
        is_detached(db).await?;
    }
    Ok(())
}

/// A reader keeps the second transaction of the DETACH from its work.
async fn reader(db: &Database) -> Result<PgConnection, TestError> {
    let mut reader = PgConnection::connect(&db.url).await?;
    reader.execute("BEGIN; SELECT * FROM s.\"T\"").await?;
    Ok(reader)
}

async fn completes_detach(ctx: TestContext) -> TestResult {
    if !can_detach(&ctx.db).await? {
        return Ok(());
    }
    for (settings, statement) in DETACH {
        let db = &ctx.another().await?;
        db.execute(PARTITIONS).await?;
        let mut reader = reader(db).await?;
        let text = detaching("-- jetbase: lock_timeout=500ms\n", settings, statement);
        let files = set(&[("V1__t.sql", &text)]);
        let error = jetbase::run_url(&files, &db.url).await.expect_err("a reader has the table");
        let shown = format!("{error:#}");
        assert_eq!(failed(&error).statement, Some((3, 4)), "{shown}");
        assert_eq!(failed(&error).kept, Kept::Statements(2), "{shown}");
        assert_eq!(db.value(ATTACHED).await?.as_deref(), Some("2 1"), "{shown}");
        let name = if statement.contains("s.") { "s.P" } else { "P" };
        let left =
            format!("the partition {name} is still being detached; the next run completes it");
        assert!(shown.contains(&left), "{shown}");
        reader.execute("COMMIT").await?;
        let unfinished = jetbase::journal(&files, DatabaseUrl(&db.url)).await?;
        assert_eq!((unfinished.files[0].done, unfinished.files[0].in_doubt), (2, Some(3)));
        jetbase::run_url(&files, &db.url).await?;
        is_detached(db).await?;
    }
    Ok(())
}

/// A person has begun it, so the error of the server says how to complete it.
async fn detach_of_others(ctx: TestContext) -> TestResult {
    if !can_detach(&ctx.db).await? {
        return Ok(());
    }
    let (db, (settings, statement)) = (&ctx.db, DETACH[0]);
    db.execute(PARTITIONS).await?;
    let mut reader = reader(db).await?;
    let mut person = PgConnection::connect(&db.url).await?;
    person.execute("SET lock_timeout = '500ms'").await?;
    person.execute(statement).await.expect_err("a reader has the table");
    reader.execute("COMMIT").await?;
    assert_eq!(db.value(ATTACHED).await?.as_deref(), Some("2 1"));
    let files = set(&[("V1__t.sql", &detaching("", settings, statement))]);
    for _ in 0..2 {
        let error = jetbase::run_url(&files, &db.url).await.expect_err("it is pending");
        let shown = format!("{error:#}");
        assert!(shown.contains("FINALIZE"), "{shown}");
        assert_eq!(failed(&error).kept, Kept::Statements(2), "{shown}");
        assert_eq!(failed(&error).detaching, None, "{shown}");
        assert_eq!(db.value(ATTACHED).await?.as_deref(), Some("2 1"), "{shown}");
    }
    let text = detaching("", settings, &statement.replace("CONCURRENTLY", "FINALIZE"));
    jetbase::run_url(&set(&[("V1__t.sql", &text)]), &db.url).await?;
    is_detached(db).await
}

/// The run is asked to stop while the second transaction waits.
async fn stopped_detach(ctx: TestContext) -> TestResult {
    if !can_detach(&ctx.db).await? {
        return Ok(());
    }
    let (db, (settings, statement)) = (&ctx.db, DETACH[1]);
    db.execute(PARTITIONS).await?;
    let mut reader = reader(db).await?;
    let files =
        set(&[("V1__t.sql", &detaching("-- jetbase: lock_timeout=0\n", settings, statement))]);
    let run = jetbase::run(&files, DatabaseUrl(&db.url));
    let handle = run.cancel_handle();
    let stop = async {
        for _ in 0..1200 {
            if db.value(ATTACHED).await?.as_deref() == Some("2 1") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        handle.cancel_now();
        Ok::<_, TestError>(())
    };
    let (result, stop) = tokio::join!(run.into_future(), stop);
    stop?;
    let error = result.expect_err("it was stopped");
    let shown = format!("{error:#}");
    let ErrorKind::Stopped(stopped) = error.kind() else { panic!("{shown}") };
    assert_eq!(stopped.kept, Kept::Statements(2), "{shown}");
    assert_eq!(stopped.detaching.as_deref(), Some("P"), "{shown}");
    assert_eq!(db.value(ATTACHED).await?.as_deref(), Some("2 1"), "{shown}");
    reader.execute("COMMIT").await?;
    jetbase::run_url(&files, &db.url).await?;
    is_detached(db).await
}
