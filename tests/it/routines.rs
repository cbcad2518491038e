use jetbase::DatabaseUrl;
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};

use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    suite.each(
        "a_run_keeps_routines_and_triggers_whole",
        DatabaseKind::ALL,
        Needs::NOTHING,
        trigger,
    );
    suite.each(
        "a_run_keeps_a_function_with_an_sql_body_whole",
        &[DatabaseKind::Postgres],
        Needs::NOTHING,
        sql_body,
    );
}

async fn trigger(ctx: TestContext) -> TestResult {
    let base =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER);\nCREATE TABLE seen (n INTEGER);\n";
    let body = match ctx.kind {
        DatabaseKind::Sqlite => {
            "CREATE TRIGGER tr AFTER INSERT ON t BEGIN\n  INSERT INTO seen VALUES (CASE WHEN new.n > 0 THEN new.n ELSE 0 END);\n  SELECT 1;\nEND;\n"
        }
        DatabaseKind::Postgres => {
            "CREATE FUNCTION f() RETURNS trigger AS $fn$\nBEGIN\n  INSERT INTO seen VALUES (NEW.n); -- it's\n  RETURN NEW;\nEND;\n$fn$ LANGUAGE plpgsql;\nCREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();\n"
        }
        DatabaseKind::Mysql => {
            "DELIMITER //\nCREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW\nBEGIN\n  IF NEW.n > 0 THEN\n    INSERT INTO seen VALUES (NEW.n);\n  END IF;\nEND//\nDELIMITER ;\nCREATE PROCEDURE p()\nBEGIN\n  SELECT 1;\n  SELECT 2;\nEND;\n"
        }
    };
    let text = format!("{base}{body}INSERT INTO t (id, n) VALUES (1, 7);\n");
    jetbase::run(&set(&[("V1__t.sql", &text)]), DatabaseUrl(&ctx.db.url)).await?;
    assert_eq!(ctx.db.value("SELECT n FROM seen").await?.as_deref(), Some("7"));
    Ok(())
}

async fn sql_body(ctx: TestContext) -> TestResult {
    let text = "CREATE FUNCTION g(x INT) RETURNS INT LANGUAGE sql BEGIN ATOMIC\n  SELECT 1;\n  SELECT CASE WHEN x > 0 THEN x ELSE 0 END;\nEND;\nCREATE TABLE t AS SELECT g(7) AS n;\n";
    let run = jetbase::run(&set(&[("V1__t.sql", text)]), DatabaseUrl(&ctx.db.url)).await;
    // The server knows such bodies since version 14. An older one gets the whole statement too, and
    // refuses it at its body.
    if ctx.db.postgres_version().await? < 140_000 {
        let error = format!("{:#}", run.expect_err("the server does not know this syntax"));
        assert!(error.contains("V1__t.sql:1:") && error.contains("42601"), "{error}");
        return Ok(());
    }
    run?;
    assert_eq!(ctx.db.value("SELECT n FROM t").await?.as_deref(), Some("7"));
    Ok(())
}
