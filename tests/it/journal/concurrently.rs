//! Indexes that PostgreSQL builds without a transaction.

use jetbase::{Error, ErrorKind, Kept, StatementError};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};

use super::journal_rows;
use crate::apply::set;

pub(super) fn register(suite: &mut Suite) {
    let postgres = &[DatabaseKind::Postgres];
    let nothing = Needs::NOTHING;
    suite.each("a_run_builds_its_own_invalid_index_again", postgres, nothing, builds_again);
    suite.each("a_run_refuses_an_invalid_index_of_others", postgres, nothing, refuses_others);
    suite.each("a_failed_reindex_is_in_doubt", postgres, nothing, reindex);
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
