//! The statements of a file travel together on MySQL and MariaDB. What fails among them is named as if
//! they were sent one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jetbase::sqlx::{Connection, Executor, MySqlConnection};
use jetbase::{ErrorKind, Event, Kept, Report};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};

use super::{journal_rows, upgrade};
use crate::apply::set;

pub(super) fn register(suite: &mut Suite) {
    let (mysql, nothing) = (&[DatabaseKind::Mysql], Needs::NOTHING);
    suite.each("a_file_of_one_ddl_statement_needs_no_journal", mysql, nothing, one_statement);
    suite.each("a_failure_in_a_joined_message_names_its_statement", mysql, nothing, names);
    suite.each("a_failure_in_a_large_joined_message_names_its_statement", mysql, nothing, large);
    suite.each("a_joined_message_goes_on_after_a_lock_wait_timeout", mysql, nothing, waits);
    suite.each("a_joined_message_goes_on_after_a_deadlock", mysql, nothing, deadlocks);
    suite.each("a_joined_message_names_the_statement_that_waited", mysql, nothing, gives_up);
}

async fn has_journal(db: &Database) -> Result<bool, TestError> {
    Ok(!db.rows("SHOW TABLES LIKE 'jetbase_journal'").await?.is_empty())
}

async fn one_statement(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let one = [
        ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n-- rollback\nDROP TABLE a;\n"),
        (
            "V2__a.sql",
            "ALTER TABLE a ADD COLUMN n INTEGER;\n-- rollback\nALTER TABLE a DROP COLUMN n;\n",
        ),
        ("V3__a.sql", "CREATE INDEX i ON a (n);\n-- rollback\nDROP INDEX i ON a;\n"),
        ("V4__a.sql", "INSERT INTO a VALUES (1, 1);\n-- rollback\nDELETE FROM a;\n"),
    ];
    upgrade(db, &one).await?;
    let target = || jetbase::DatabaseUrl(&db.url);
    jetbase::rollback(&set(&one), target()).all().await?;
    upgrade(db, &one).await?;
    // It fails without a journal too.
    let wrong = ("V5__a.sql", "ALTER TABLE a ADD COLUMN n INTEGER;\n");
    for _ in 0..2 {
        let error = upgrade(db, &[&one[..], &[wrong]].concat()).await.expect_err("it exists");
        assert_eq!(super::kept(&error), Kept::Nothing, "{error:#}");
    }
    assert!(!has_journal(db).await?);

    // The first file of several statements makes the table.
    let two = ("V5__b.sql", "CREATE TABLE b (id INTEGER);\nCREATE TABLE c (id INTEGER);\n");
    upgrade(db, &[&one[..], &[two]].concat()).await?;
    assert!(has_journal(db).await?);
    // While another session keeps everybody from writing to the journal, a file of one statement is
    // applied, and a file of two is not.
    let mut other = MySqlConnection::connect(&db.url).await?;
    other.execute("LOCK TABLES jetbase_journal READ").await?;
    let third = ("V6__a.sql", "ALTER TABLE a ADD COLUMN m INTEGER;\n");
    let report = upgrade(db, &[&one[..], &[two, third]].concat()).await?;
    assert_eq!(report.applied.len(), 1);
    let fourth = (
        "V7__d.sql",
        "-- jetbase: lock_timeout=1s\nCREATE TABLE d (id INTEGER);\nCREATE TABLE e (id INTEGER);\n",
    );
    let files = set(&[&one[..], &[two, third, fourth]].concat());
    let run = tokio::time::timeout(
        Duration::from_secs(5),
        jetbase::run_url(&files, &db.url).into_future(),
    );
    assert!(!matches!(run.await, Ok(Ok(_))), "the journal was not written");
    other.execute("UNLOCK TABLES").await?;
    Ok(())
}

/// What stands in the third line, before the failing statement.
const BETWEEN: &[&str] = &[
    "INSERT INTO größe VALUES (2, '日本; größe')",
    "SELECT id, t FROM größe",
    "INSERT INTO größe VALUES (2, 'ü') RETURNING id",
    "DELETE FROM größe WHERE id = 77 RETURNING id",
    "UPDATE größe SET t = 'größe' WHERE id = 77 /* 日本 */",
];

/// The statements that fail, and whether the statements of rows before them are undone with them.
const FAILING: &[(&str, bool)] = &[
    ("CREATE TABEL x (id INTEGER)", false),
    ("CREATE TABLE größe (id INTEGER)", false),
    ("ALTER TABLE größe ADD COLUMN t INTEGER", false),
    ("DROP TABLE nirgends_größe", false),
    ("INSERT INTO b VALUES (1)", true),
    ("INSERT INTO größe VALUES (3, 'größe 日本'), (4, SELEC 'x')", true),
    ("UPDATE b SET größe = 1", true),
    ("DELETE FROM b WHERE id = 1 RETURNING nirgends", true),
];

async fn names(ctx: TestContext) -> TestResult {
    let is_mariadb = ctx.db.is_mariadb().await?;
    let possible = |statement: &str| is_mariadb || !statement.contains("RETURNING");
    for between in BETWEEN.iter().filter(|it| possible(it)) {
        for (failing, undoes) in FAILING.iter().filter(|(it, _)| possible(it)) {
            let db = &ctx.another().await?;
            let case = format!("`{between}` and `{failing}`");
            let text = |sixth: &str| {
                format!(
                    "CREATE TABLE größe (id INTEGER PRIMARY KEY, t VARCHAR(40)) CHARACTER SET utf8mb4;\n\
                     INSERT INTO größe VALUES (1, '日本');\n{between};\n\
                     CREATE TABLE b (id INTEGER PRIMARY KEY);\nINSERT INTO b VALUES (1);\n{sixth};\n\
                     INSERT INTO b VALUES (9);\nCREATE TABLE c (id INTEGER);\n"
                )
            };
            let done = if *undoes { 4 } else { 5 };
            for _ in 0..2 {
                let error = upgrade(db, &[("V1__a.sql", &text(failing))]).await;
                let error = error.err().ok_or_else(|| format!("{case}: it did not fail"))?;
                let shown = format!("{case}: {error:#}");
                let ErrorKind::Statement(failed) = error.kind() else { panic!("{shown}") };
                assert_eq!(failed.statement, Some((6, 8)), "{shown}");
                assert_eq!(failed.position.map(|it| it.line), Some(6), "{shown}");
                assert!(failed.snippet.contains(failing), "{shown}");
                assert_eq!(failed.kept, Kept::Statements(done), "{shown}");
                assert_eq!(journal_rows(db).await?, done, "{shown}");
                let rows = if *undoes { "0" } else { "1" };
                let count = db.value("SELECT count(*) FROM b").await?;
                assert_eq!(count.as_deref(), Some(rows), "{shown}");
                db.rows("SELECT * FROM c").await.expect_err("it comes later");
                crate::bad_input::lock_is_free(db).await?;
            }
            upgrade(db, &[("V1__a.sql", &text("INSERT INTO b VALUES (5)"))]).await?;
            let found = db.rows("SELECT id FROM b ORDER BY id").await?.concat();
            let found: Vec<_> = found.iter().flatten().map(String::as_str).collect();
            assert_eq!(found, ["1", "5", "9"], "{case}");
            db.rows("SELECT * FROM c").await?;
            let first = db.value("SELECT t FROM größe WHERE id = 1").await?;
            assert_eq!(first.as_deref(), Some("日本"), "{case}");
            assert_eq!(journal_rows(db).await?, 0, "{case}");
        }
    }
    Ok(())
}

/// The statements fill more than one message.
async fn large(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let long = "größe 日本 ".repeat(30_000);
    let text = |sixth: &str| {
        format!(
            "CREATE TABLE a (id INTEGER PRIMARY KEY, t LONGTEXT CHARACTER SET utf8mb4);\n\
             INSERT INTO a VALUES (1, '{long}');\nCREATE TABLE b (id INTEGER);\n\
             INSERT INTO a VALUES (2, '{long}');\nINSERT INTO a VALUES (3, '{long}');\n\
             INSERT INTO a VALUES ({sixth}, '{long}');\nCREATE TABLE c (id INTEGER);\n"
        )
    };
    for _ in 0..2 {
        let error = upgrade(db, &[("V1__a.sql", &text("3"))]).await.expect_err("3 is there twice");
        let ErrorKind::Statement(failed) = error.kind() else { panic!("{}", error.kind()) };
        assert_eq!(failed.statement, Some((6, 7)));
        assert_eq!(failed.position.map(|it| it.line), Some(6));
        assert_eq!(failed.kept, Kept::Statements(3));
        assert_eq!(db.value("SELECT count(*) FROM a").await?.as_deref(), Some("1"));
    }
    upgrade(db, &[("V1__a.sql", &text("4"))]).await?;
    let count = format!("SELECT count(*) FROM a WHERE char_length(t) = {}", long.chars().count());
    assert_eq!(db.value(&count).await?.as_deref(), Some("4"));
    db.rows("SELECT * FROM c").await?;
    Ok(())
}

/// A file that waits for two rows that another session may hold.
const WAITS: &str = "-- jetbase: lock_timeout=1s
CREATE TABLE a (id INTEGER);
INSERT INTO a VALUES (1);
CREATE TABLE b (id INTEGER);
INSERT INTO b VALUES (1);
UPDATE busy SET n = n + 1 WHERE id = 1;
UPDATE busy SET n = n + 1 WHERE id = 2;
INSERT INTO b VALUES (2);
CREATE TABLE c (id INTEGER);
";

async fn busy(db: &Database) -> Result<MySqlConnection, TestError> {
    db.execute("CREATE TABLE busy (id INTEGER PRIMARY KEY, n INTEGER) ENGINE = InnoDB").await?;
    db.execute("INSERT INTO busy VALUES (1, 0), (2, 0)").await?;
    Ok(MySqlConnection::connect(&db.url).await?)
}

/// Runs the file, and counts the retries.
async fn counted(db: &Database, text: &str) -> (Result<Report, jetbase::Error>, u32) {
    let retries = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&retries);
    let files = set(&[("V1__waits.sql", text)]);
    let run = jetbase::run_url(&files, &db.url).on_event(move |event| {
        if matches!(event, Event::Retrying { .. }) {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    let result = run.await;
    (result, retries.load(Ordering::SeqCst))
}

/// Each statement of the file has taken effect once.
async fn each_once(db: &Database, rows_of_other: &str) -> TestResult {
    for (query, expected) in [
        ("SELECT GROUP_CONCAT(id ORDER BY id) FROM a", "1"),
        ("SELECT GROUP_CONCAT(id ORDER BY id) FROM b", "1,2"),
        ("SELECT GROUP_CONCAT(n ORDER BY id) FROM busy", rows_of_other),
        ("SELECT count(*) FROM c", "0"),
    ] {
        assert_eq!(db.value(query).await?.as_deref(), Some(expected), "{query}");
    }
    assert_eq!(journal_rows(db).await?, 0);
    crate::bad_input::lock_is_free(db).await
}

async fn waits(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let mut other = busy(db).await?;
    other.execute("BEGIN").await?;
    other.execute("UPDATE busy SET n = n + 100 WHERE id = 2").await?;
    let holder = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(2500)).await;
        other.execute("COMMIT").await.map(drop)
    });
    let (result, retries) = counted(db, WAITS).await;
    holder.await??;
    assert_eq!(result?.applied.len(), 1);
    assert!(retries > 0, "the run did not retry");
    each_once(db, "1,101").await
}

/// The other session has changed more rows, so the server ends the transaction of the run.
async fn deadlocks(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let mut other = busy(db).await?;
    db.execute("CREATE TABLE heavy AS SELECT 1 AS n FROM information_schema.collations").await?;
    other.execute("BEGIN").await?;
    other.execute("UPDATE heavy SET n = n + 1").await?;
    other.execute("UPDATE busy SET n = n + 100 WHERE id = 2").await?;
    // `information_schema.innodb_trx` is no help here: its content stays the same while somebody reads
    // it more often than every 100 ms.
    let first = "SELECT id FROM busy WHERE id = 1 FOR UPDATE NOWAIT";
    let is_locked =
        |error: &str| ["NOWAIT", "Lock wait timeout"].iter().any(|it| error.contains(it));
    let second = async {
        for _ in 0..1200 {
            match db.rows(first).await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(25)).await,
                Err(error) if is_locked(&error.to_string()) => {
                    other.execute("UPDATE busy SET n = n + 100 WHERE id = 1").await?;
                    other.execute("COMMIT").await?;
                    return Ok::<_, TestError>(());
                }
                Err(error) => return Err(error),
            }
        }
        Err("the run has not changed the first row within half a minute".into())
    };
    let text = WAITS.replace("lock_timeout=1s", "lock_timeout=50s");
    let ((result, retries), second) = tokio::join!(counted(db, &text), second);
    second?;
    assert_eq!(result?.applied.len(), 1);
    assert!(retries > 0, "there was no deadlock");
    each_once(db, "101,101").await
}

/// The row is held until the run gives up.
async fn gives_up(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let mut other = busy(db).await?;
    other.execute("BEGIN").await?;
    other.execute("UPDATE busy SET n = n + 100 WHERE id = 2").await?;
    let (result, retries) = counted(db, WAITS).await;
    let error = result.expect_err("the row is held");
    let shown = format!("{error:#}");
    assert!(retries > 0, "{shown}");
    let ErrorKind::Statement(failed) = error.kind() else { panic!("{shown}") };
    assert_eq!(failed.statement, Some((6, 8)), "{shown}");
    assert_eq!(failed.position.map(|it| it.line), Some(7), "{shown}");
    assert_eq!(failed.kept, Kept::Statements(3), "{shown}");
    assert_eq!(db.value("SELECT count(*) FROM b").await?.as_deref(), Some("0"));
    other.execute("COMMIT").await?;
    let (result, _) = counted(db, WAITS).await;
    assert_eq!(result?.applied.len(), 1);
    each_once(db, "1,101").await
}
