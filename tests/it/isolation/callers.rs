use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};

use super::leaks::{HIDES, LeakCase, query};
use super::second_connection::SecondConnection;
use super::{column, leaks_mysql, leaks_postgres, leaks_sqlite, result_of, same_lines};
use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let name = "a_run_keeps_the_session_state_of_the_caller";
    suite.each(name, DatabaseKind::ALL, Needs::NOTHING, keeps);
    suite.each(
        "prepared_statements_of_the_driver_work_after_a_run",
        DatabaseKind::ALL,
        Needs::NOTHING,
        prepared_by_driver,
    );
}

/// What the caller has in its session before the run.
const fn session_state_of_caller(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::Postgres => {
            "CREATE TEMPORARY TABLE mine AS SELECT 41 AS id; CREATE TEMPORARY VIEW my_view AS SELECT 42 AS id; \
             CREATE FUNCTION pg_temp.own() RETURNS integer LANGUAGE sql AS 'SELECT 43'; PREPARE own AS SELECT 44; \
             DECLARE own SCROLL CURSOR WITH HOLD FOR SELECT 45; LISTEN own; SELECT pg_advisory_lock(77); \
             SET my.setting = 'mine'; SET work_mem = '5MB'; SET TIME ZONE 'Europe/Berlin'; \
             SET statement_timeout = '66s'; SET search_path TO public, pg_catalog; SELECT setval('owned', 46)"
        }
        DatabaseKind::Mysql => {
            "CREATE TEMPORARY TABLE mine (id INTEGER); INSERT INTO mine VALUES (41); SET @own = 42; \
             PREPARE own FROM 'SELECT 44'; SET SESSION group_concat_max_len = 77, sql_mode = 'ANSI_QUOTES', \
             time_zone = '+03:00', sql_safe_updates = 1, foreign_key_checks = 0, max_sort_length = 99; \
             SET NAMES latin2; DO GET_LOCK('own', 0)"
        }
        DatabaseKind::Sqlite => {
            "CREATE TEMP TABLE mine (id INTEGER); INSERT INTO mine VALUES (41); ATTACH ':memory:' AS own; \
             CREATE TABLE own.more (id INTEGER); PRAGMA recursive_triggers = ON; PRAGMA busy_timeout = 1234; \
             PRAGMA foreign_keys = ON; PRAGMA legacy_alter_table = ON"
        }
    }
}

/// Queries for the caller's session state besides the settings.
const fn queries(kind: DatabaseKind) -> &'static [&'static str] {
    match kind {
        DatabaseKind::Postgres => &[
            "SELECT id::text FROM mine",
            "SELECT id::text FROM my_view",
            "SELECT pg_temp.own()",
            "EXECUTE own",
            "FETCH NEXT FROM own",
            "MOVE BACKWARD ALL FROM own",
            "SELECT currval('owned')::text",
        ],
        DatabaseKind::Mysql => &[
            "SELECT CAST(id AS CHAR) FROM mine",
            "SELECT CAST(@own AS CHAR)",
            "EXECUTE own",
            "SELECT CAST(IS_USED_LOCK('own') = CONNECTION_ID() AS CHAR)",
            // The answer is an error inside a transaction.
            "SET TRANSACTION READ WRITE",
        ],
        DatabaseKind::Sqlite => &[
            "SELECT CAST(id AS TEXT) FROM mine",
            "SELECT CAST(count(*) AS TEXT) FROM own.more",
            "SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys",
        ],
    }
}

async fn results(caller: &mut SecondConnection, db: &Database) -> Result<Vec<String>, TestError> {
    let mut lines = caller.column(&query(db).await?).await?;
    lines.sort();
    for query in queries(db.kind) {
        let result = caller.column(query).await.map_err(|error| format!("{error:#}"));
        lines.push(format!("{query}: {result:?}"));
    }
    Ok(lines)
}

/// Runs every file that leaves session state on a connection with its own session state.
async fn keeps(ctx: TestContext) -> TestResult {
    let cases = match ctx.kind {
        DatabaseKind::Postgres => leaks_postgres::CASES,
        DatabaseKind::Mysql => leaks_mysql::CASES,
        DatabaseKind::Sqlite => leaks_sqlite::CASES,
    };
    let mut errors = Vec::new();
    // This test has no second database or role.
    for case in cases.iter().chain([&HIDES]).filter(|case| !case.first.contains("{other}")) {
        if let Err(error) = keeps_with(&ctx, case).await {
            errors.push(format!("{}: {error:#}", case.name));
        }
    }
    result_of(errors)
}

async fn keeps_with(ctx: &TestContext, case: &LeakCase) -> TestResult {
    let db = ctx.another().await?;
    db.execute("CREATE TABLE users (id INTEGER); INSERT INTO users (id) VALUES (1)").await?;
    if ctx.kind == DatabaseKind::Postgres {
        db.execute("CREATE SEQUENCE owned").await?;
    }
    if !case.before.is_empty() {
        db.execute(case.before).await?;
    }
    let first = format!("{}{}", case.variants[0], case.first);
    let all = set(&[
        ("V1__first.sql", &first),
        ("V2__second.sql", "INSERT INTO users (id) VALUES (7);\n"),
    ]);
    let mut caller = SecondConnection::at(&db).await?;
    caller.execute(session_state_of_caller(ctx.kind)).await?;
    let before = results(&mut caller, &db).await?;
    let report = caller.migrate(&all).await;
    let after = results(&mut caller, &db).await;
    let _ = caller.close().await;
    let after = after.map_err(|error| format!("{error:#}; the run: {report:?}"))?;
    same_lines("the caller's connection", &before, &after)?;
    let ids = column(&db, "SELECT id FROM users WHERE id = 7").await?;
    let locked = column(&db, "SELECT is_locked FROM jetbase_lock").await.unwrap_or_default();
    let recorded = column(&db, "SELECT filename FROM jetbase_migrations").await.unwrap_or_default();
    match report {
        Ok(_) if ids == ["7"] && locked == ["0"] && recorded.len() == 2 => Ok(()),
        Err(error)
            if format!("{error:#}").contains("V1__first.sql")
                && ids.is_empty()
                && locked != ["1"]
                && recorded.is_empty() =>
        {
            Ok(())
        }
        report => Err(format!("{report:?}; id {ids:?}, locked {locked:?}, {recorded:?}").into()),
    }
}

/// The driver prepares statements by name and uses them again after a run.
async fn prepared_by_driver(ctx: TestContext) -> TestResult {
    let text = match ctx.kind {
        DatabaseKind::Postgres => {
            "PREPARE q AS SELECT 1;\nSET my.setting = 'leaked';\nRESET ALL;\n"
        }
        DatabaseKind::Mysql => "SET @x = 5;\nPREPARE q FROM 'SELECT 1';\n",
        DatabaseKind::Sqlite => "CREATE TEMP TABLE left_behind (id INTEGER);\n",
    };
    ctx.db.execute("CREATE TABLE users (id INTEGER)").await?;
    let all =
        set(&[("V1__first.sql", text), ("V2__b.sql", "INSERT INTO users (id) VALUES (1);\n")]);
    macro_rules! query_between_runs {
        ($Connection:ty, $query:expr) => {{
            let mut caller = <$Connection as sqlx::Connection>::connect(&ctx.db.url).await?;
            for round in 0..3_i64 {
                let query = sqlx::query_scalar::<_, i64>($query).bind(round);
                assert_eq!(query.fetch_one(&mut caller).await?, round + 1, "{round}");
                if let Err(error) = jetbase::run(&all, &mut caller).await {
                    assert!(format!("{error:#}").contains("V1__first.sql"), "{error:#}");
                }
            }
        }};
    }
    match ctx.kind {
        DatabaseKind::Postgres => query_between_runs!(sqlx::PgConnection, "SELECT $1::bigint + 1"),
        DatabaseKind::Mysql => {
            query_between_runs!(sqlx::MySqlConnection, "SELECT CAST(? + 1 AS SIGNED)")
        }
        DatabaseKind::Sqlite => query_between_runs!(sqlx::SqliteConnection, "SELECT ? + 1"),
    }
    Ok(())
}
