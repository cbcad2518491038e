use jetbase::DatabaseUrl;
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;

use super::{
    column, is_recorded_and_unlocked, leaks_mysql, leaks_postgres, leaks_sqlite, result_of,
    same_lines,
};
use crate::apply::set;

/// What a first file leaves in its session, and how a second file could notice it.
///
/// `{other}` is a second database on MySQL, and a role on PostgreSQL.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeakCase {
    pub(super) name: &'static str,
    /// SQL that runs before both files.
    pub(super) before: &'static str,
    /// The first file.
    pub(super) first: &'static str,
    /// SQL of the second file before it stores its session state.
    pub(super) second: &'static str,
    pub(super) variants: &'static [&'static str],
    pub(super) answer: AllowedResult,
}

/// What jetbase may do with the first file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AllowedResult {
    /// The file must run.
    Runs,
    /// The file must run on MariaDB. MySQL does not know its statement.
    RunsOnMariadb,
    /// The file runs, or it is refused before its first statement, and the error names it.
    RunsOrRefuses,
}

/// The first line of a file that runs in a transaction, and of one that does not.
pub(super) const BOTH: &[&str] = &["", OFF];
pub(super) const ALONE: &[&str] = &[OFF];
const OFF: &str = "-- jetbase: transaction=off\n";

impl LeakCase {
    /// A first file that must run in a transaction and without one.
    pub(super) const fn new(name: &'static str, first: &'static str) -> LeakCase {
        LeakCase {
            name,
            before: "",
            first,
            second: "",
            variants: BOTH,
            answer: AllowedResult::Runs,
        }
    }

    pub(super) const fn before(self, before: &'static str) -> LeakCase {
        LeakCase { before, ..self }
    }

    pub(super) const fn second(self, second: &'static str) -> LeakCase {
        LeakCase { second, ..self }
    }

    pub(super) const fn only(self, variants: &'static [&'static str]) -> LeakCase {
        LeakCase { variants, ..self }
    }

    pub(super) const fn only_on_mariadb(self) -> LeakCase {
        LeakCase { answer: AllowedResult::RunsOnMariadb, ..self }
    }

    pub(super) const fn may_be_refused(self) -> LeakCase {
        LeakCase { answer: AllowedResult::RunsOrRefuses, ..self }
    }
}

/// A temporary table that hides one of the same name.
pub(super) const HIDES: LeakCase =
    LeakCase::new("a_temporary_table", "CREATE TEMPORARY TABLE users AS SELECT * FROM users;\n")
        .second("INSERT INTO users (id) VALUES (7);\n");

/// The names of both files contain letters outside ASCII.
const FIRST: &str = "V1__läßt.sql";
const SECOND: &str = "V2__sieht_größe.sql";

pub(super) fn register(suite: &mut Suite) {
    let each = |kinds: &'static [DatabaseKind], cases: &'static [LeakCase], suite: &mut Suite| {
        for case in cases {
            let name = format!("the_next_file_does_not_see_{}", case.name);
            suite.each(&name, kinds, Needs::NOTHING, move |ctx| leaves_nothing(ctx, *case));
        }
    };
    each(DatabaseKind::ALL, const { &[HIDES] }, suite);
    each(&[DatabaseKind::Postgres], leaks_postgres::CASES, suite);
    each(&[DatabaseKind::Mysql], leaks_mysql::CASES, suite);
    each(&[DatabaseKind::Sqlite], leaks_sqlite::CASES, suite);
    suite.each(
        "a_seed_does_not_reach_the_next_file",
        &[DatabaseKind::Postgres],
        Needs::NOTHING,
        seed,
    );
}

/// How a run gets its connection.
#[derive(Clone, Copy, Debug)]
enum Route {
    Url,
    /// A pool of one connection.
    Pool,
}

/// The second file has the same session state after the first file as in a separate run.
async fn leaves_nothing(ctx: TestContext, case: LeakCase) -> TestResult {
    if case.answer == AllowedResult::RunsOnMariadb && !ctx.db.is_mariadb().await? {
        return Ok(());
    }
    let other = format!("{}_other", ctx.db.name);
    let needs_other = [case.before, case.first].iter().any(|text| text.contains("{other}"));
    let (create, drop) = match ctx.kind {
        DatabaseKind::Postgres => (format!("CREATE ROLE {other}"), format!("DROP ROLE {other}")),
        _ if case.first.contains("SET ROLE") => {
            let grant = format!("GRANT {other} TO CURRENT_USER()");
            (format!("CREATE ROLE {other}; {grant}"), format!("DROP ROLE {other}"))
        }
        _ => (format!("CREATE DATABASE {other}"), format!("DROP DATABASE {other}")),
    };
    if needs_other {
        ctx.db.admin(&create).await?;
    }
    let case = PreparedCase {
        before: case.before.replace("{other}", &other),
        first: case.first.replace("{other}", &other),
        second: format!("{}{}", case.second, store_state(&ctx.db).await?),
        answer: case.answer,
        variants: case.variants,
    };
    let mut errors = Vec::new();
    for variant in case.variants {
        let fresh = fresh(&ctx, &case).await?;
        let first = format!("{variant}{}", case.first);
        // The expected state comes from two separate runs.
        let mut expected = Vec::new();
        let separate = jetbase::run_url(&set(&[(FIRST, &first)]), &fresh.url).await;
        if separate.is_ok() || case.answer != AllowedResult::RunsOrRefuses {
            separate
                .map_err(|error| format!("{variant}the first file in a separate run: {error:#}"))?;
            let both = set(&[(FIRST, &first), (SECOND, &case.second)]);
            let later = jetbase::run_url(&both, &fresh.url).await;
            later.map_err(|error| format!("{variant}the second file in a later run: {error:#}"))?;
            expected = stored_state(&fresh).await?;
        }
        for route in [Route::Url, Route::Pool] {
            if let Err(error) = one_run(&ctx, &case, &first, route, &expected).await {
                errors.push(format!("{variant}{route:?}: {error:#}"));
            }
        }
    }
    if needs_other {
        ctx.db.admin(&drop).await?;
    }
    result_of(errors)
}

/// A case with the name of the other database or role.
struct PreparedCase {
    before: String,
    first: String,
    second: String,
    answer: AllowedResult,
    variants: &'static [&'static str],
}

/// A database with the table `users` and what the case needs.
async fn fresh(ctx: &TestContext, case: &PreparedCase) -> Result<Database, TestError> {
    let db = ctx.another().await?;
    db.execute("CREATE TABLE users (id INTEGER); INSERT INTO users (id) VALUES (1)").await?;
    if !case.before.is_empty() {
        db.execute(&case.before).await?;
    }
    Ok(db)
}

/// Runs both files in one run. The second file has the expected session state, both files are
/// recorded, and the lock is released.
async fn one_run(
    ctx: &TestContext,
    case: &PreparedCase,
    first: &str,
    route: Route,
    expected: &[String],
) -> TestResult {
    let db = fresh(ctx, case).await?;
    let both = set(&[(FIRST, first), (SECOND, &case.second)]);
    let report = match (route, ctx.kind) {
        (Route::Url, _) => jetbase::run_url(&both, &db.url).await,
        (Route::Pool, DatabaseKind::Postgres) => {
            let pool = PgPoolOptions::new().max_connections(1).connect(&db.url).await?;
            jetbase::run(&both, &pool).await
        }
        (Route::Pool, DatabaseKind::Mysql) => {
            let pool = MySqlPoolOptions::new().max_connections(1).connect(&db.url).await?;
            jetbase::run(&both, &pool).await
        }
        (Route::Pool, DatabaseKind::Sqlite) => {
            let pool = SqlitePoolOptions::new().max_connections(1).connect(&db.url).await?;
            jetbase::run(&both, &pool).await
        }
    };
    match report {
        Err(error) if case.answer == AllowedResult::RunsOrRefuses => {
            return refused(&db, &error).await;
        }
        report => drop(report?),
    }
    let stored = stored_state(&db).await?;
    same_lines("the session state of the second file", expected, &stored)?;
    tokio::spawn(async move {
        is_recorded_and_unlocked(&db, &[FIRST, SECOND]).await?;
        let texts = column(&db, "SELECT description FROM jetbase_migrations ORDER BY 1").await?;
        assert_eq!(texts, ["läßt", "sieht größe"], "the texts in the history");
        let facts = column(
            &db,
            "SELECT order_executed FROM jetbase_migrations WHERE applied_at > '2020-01-01' ORDER BY 1",
        );
        assert_eq!(facts.await?, ["1", "2"], "the numbers of the rows that have a time of today");
        let again = jetbase::run(&both, DatabaseUrl(&db.url)).await?;
        assert!(again.is_up_to_date(), "{again}");
        Ok(())
    })
    .await?
}

/// Checks that the error names the refused file, and that no statement ran.
async fn refused(db: &Database, error: &jetbase::Error) -> TestResult {
    let text = format!("{error:#}");
    if !text.contains(FIRST) {
        return Err(format!("the error does not name the file: {text}").into());
    }
    let recorded = column(db, "SELECT filename FROM jetbase_migrations").await.unwrap_or_default();
    let locked = column(db, "SELECT is_locked FROM jetbase_lock").await.unwrap_or_default();
    let users = column(db, "SELECT id FROM users").await?;
    if users == ["1"] && recorded.is_empty() && locked != ["1"] {
        return Ok(());
    }
    Err(format!("{text}\nafterwards: recorded {recorded:?}, locked {locked:?}").into())
}

/// What the second file stored, without the name of the database.
pub(super) async fn stored_state(db: &Database) -> Result<Vec<String>, TestError> {
    let mut lines = column(db, "SELECT line FROM shown ORDER BY line").await?;
    let ids = column(db, "SELECT id FROM users ORDER BY id").await?;
    lines.push(format!("users {}", ids.join(", ")));
    Ok(lines.into_iter().map(|line| line.replace(&db.name, "{db}")).collect())
}

/// Returns SQL that stores the session state in the table `shown`.
pub(super) async fn store_state(db: &Database) -> Result<String, TestError> {
    let query = query(db).await?;
    let table = if db.kind == DatabaseKind::Postgres { "public.shown" } else { "shown" };
    Ok(format!("CREATE TABLE {table} AS {query};\n"))
}

/// Returns a query for the whole session state.
pub(super) async fn query(db: &Database) -> Result<String, TestError> {
    Ok(match db.kind {
        DatabaseKind::Postgres => leaks_postgres::QUERY.to_owned(),
        DatabaseKind::Mysql => leaks_mysql::query(db).await?,
        DatabaseKind::Sqlite => leaks_sqlite::QUERY.to_owned(),
    })
}

/// The random numbers of the second file do not depend on the seed of the first file.
async fn seed(ctx: TestContext) -> TestResult {
    let draws = "SELECT setseed(0.25); SELECT random() FROM generate_series(1, 20)";
    let seeded = column(&ctx.db, draws).await?;
    let draw = "CREATE TABLE drawn AS SELECT random() AS number;\n";
    let both = set(&[("V1__seed.sql", "SELECT setseed(0.25);\n"), ("V2__draw.sql", draw)]);
    jetbase::run_url(&both, &ctx.db.url).await?;
    let drawn = column(&ctx.db, "SELECT number FROM drawn").await?;
    assert!(
        !seeded.contains(&drawn[0]),
        "the second file gets the numbers of the first file's seed"
    );
    is_recorded_and_unlocked(&ctx.db, &["V1__seed.sql", "V2__draw.sql"]).await
}
