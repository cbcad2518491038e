//! The first plan of a run reads the history as one row, or row by row where that is not possible.

use jetbase::{DatabaseUrl, ErrorKind, PlanError, Problem};
use jetbase_test_harness::{Database, DatabaseKind, Needs, Suite, TestContext, TestResult};

use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let (all, nothing) = (DatabaseKind::ALL, Needs::NOTHING);
    let small = Needs::own_server_with(&["--max-allowed-packet=32K"]);
    suite.each("a_history_with_odd_values_is_read_row_by_row", all, nothing, odd);
    suite.each("a_long_history_in_any_order_is_read", all, nothing, unordered);
    suite.each(
        "a_history_that_the_server_cuts_is_read_row_by_row",
        &[DatabaseKind::Mysql],
        small,
        cut,
    );
}

const V1: (&str, &str) =
    ("V1__a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);\n-- rollback\nDROP TABLE a;\n");
const V2: (&str, &str) = ("V2__b.sql", "INSERT INTO a (id) VALUES (1);\n");

/// Inserts a row with a number of its own.
async fn add(db: &Database, order: usize, version: &str, file: &str, kind: &str) -> TestResult {
    let system = match db.kind {
        DatabaseKind::Postgres => "OVERRIDING SYSTEM VALUE",
        _ => "",
    };
    db.execute(&format!(
        "INSERT INTO jetbase_migrations ({COLUMNS}) {system}
         VALUES ({order}, {version}, '', '{file}', '{kind}', '2026-01-02 03:04:05', 'ab')"
    ))
    .await
}

const COLUMNS: &str =
    "order_executed, version, description, filename, migration_type, applied_at, checksum";

/// The files that the plan does not know, according to the error of a run.
fn missing(error: &jetbase::Error) -> Vec<String> {
    let ErrorKind::Refused(PlanError { problems }) = error.kind() else { panic!("{error:#}") };
    let file = |problem: &Problem| match problem {
        Problem::Missing { file, .. } => file.clone(),
        other => panic!("{other:?}"),
    };
    problems.iter().map(file).collect()
}

async fn odd(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let target = DatabaseUrl(&db.url);
    let set = set(&[V1, V2]);
    jetbase::run(&set, target).await?;
    // The end of a line in a name, and what stands for a version that is NULL.
    for (order, version, file) in
        [(7, "'0.5'", "V0.5__x\ny.sql"), (8, "'0.6'", "V0.6__\tz.sql"), (9, "'0.7'", "")]
    {
        add(db, order, version, file, "VERSIONED").await?;
        let error = jetbase::run(&set, target).await.expect_err("the file is unknown");
        assert_eq!(missing(&error), [file], "{error}");
        db.execute(&format!("DELETE FROM jetbase_migrations WHERE order_executed = {order}"))
            .await?;
    }
    add(db, 10, "NULL", "RA__x\ny.sql", "RUNS_ALWAYS").await?;
    let report = jetbase::run(&set, target).await?;
    assert!(report.applied.is_empty(), "{report}");
    add(db, 11, "'x\ny'", "V3__x.sql", "VERSIONED").await?;
    let error = jetbase::run(&set, target).await.expect_err("the version is not valid");
    assert!(matches!(error.kind(), ErrorKind::Table(_)), "{error:#}");
    Ok(())
}

async fn unordered(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let target = DatabaseUrl(&db.url);
    let files: Vec<(String, String)> = (1..=300)
        .map(|n| match n {
            1 => ("V1__a.sql".to_owned(), V1.1.to_owned()),
            _ => (format!("V{n}__größe.sql"), format!("INSERT INTO a (id) VALUES ({n});\n")),
        })
        .collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let all = set(&files);
    jetbase::run(&all, target).await?;
    // The rows are found in another order than they were inserted.
    db.execute("UPDATE jetbase_migrations SET description = 'x' WHERE order_executed % 3 = 0")
        .await?;
    let report = jetbase::run(&all, target).await?;
    assert!(report.applied.is_empty(), "{report}");
    let error = jetbase::run(&set(&files[..299]), target).ahead(jetbase::Ahead::Refuse).await;
    let error = error.expect_err("a version is ahead");
    let ErrorKind::Refused(PlanError { problems }) = error.kind() else { panic!("{error:#}") };
    assert!(
        matches!(problems.as_slice(), [Problem::Ahead { file, .. }] if file == "V300__größe.sql")
    );
    let report = jetbase::rollback(&all, target).await;
    assert!(report.is_err(), "the last file has no rollback section");
    Ok(())
}

async fn cut(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let target = DatabaseUrl(&db.url);
    let set = set(&[V1, V2]);
    jetbase::run(&set, target).await?;
    // The checksums alone are longer than the longest text of this server.
    let (mut order, mut left) = (10, 600);
    while left > 0 {
        let rows: Vec<_> = (0..100)
            .map(|row| {
                let (number, sum) = (order + row, "ab".repeat(32));
                format!("({number}, '0.{number}', '', 'V0.{number}__x.sql', 'VERSIONED', '2026-01-02', '{sum}')")
            })
            .collect();
        let rows = rows.join(", ");
        db.execute(&format!("INSERT INTO jetbase_migrations ({COLUMNS}) VALUES {rows}")).await?;
        (order, left) = (order + 100, left - 100);
    }
    let error = jetbase::run(&set, target).await.expect_err("600 files are unknown");
    assert_eq!(missing(&error).len(), 600);
    let report = jetbase::run(&set, target).skip(jetbase::Validation::All).await?;
    assert!(report.applied.is_empty(), "{report}");
    Ok(())
}
