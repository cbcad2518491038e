use std::time::{Duration, Instant};

use jetbase::{DatabaseUrl, ErrorKind, Migrations, Report, Wait};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::POSTGRES;
use super::victim::PYTHON;
use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let all = DatabaseKind::ALL;
    let nothing = Needs::NOTHING;
    suite.each("the_wait_for_a_row_that_cannot_be_updated_ends", all, Needs::OWN_SERVER, unchanged);
    suite.each("the_wait_for_a_row_that_can_only_be_read_ends", POSTGRES, nothing, reading_only);
    let loose = &[DatabaseKind::Sqlite, DatabaseKind::Mysql];
    suite.each(
        "an_invalid_is_locked_counts_as_locked",
        loose,
        Needs::OWN_SERVER,
        invalid_is_locked,
    );
    suite.each(
        "an_error_names_the_session_that_holds_our_session_lock",
        DatabaseKind::SERVERS,
        nothing,
        session_lock_is_held,
    );
}

const V0: (&str, &str) = ("V0__first.sql", "CREATE TABLE first (id INTEGER);\n");
const V1: (&str, &str) = ("V1__second.sql", "CREATE TABLE second (id INTEGER);\n");

/// How often a run may try to acquire the lock in two seconds. Without a pause, it would try thousands
/// of times. The server's own transactions count too.
const MAX_ATTEMPTS: u64 = 200;

/// Runs with a wait limit of two seconds and returns the error, which must come in time.
async fn fails_in_time(set: &Migrations, url: &str) -> Result<jetbase::Error, TestError> {
    let began = Instant::now();
    let run = jetbase::run(set, DatabaseUrl(url)).wait(Wait::UpTo(Duration::from_secs(2)));
    let result: Result<Report, _> =
        match tokio::time::timeout(Duration::from_secs(10), run.into_future()).await {
            Ok(result) => result,
            Err(_) => return Err("a wait of 2 s did not end within 10 s".into()),
        };
    assert!(began.elapsed() < Duration::from_secs(6), "it took {:?}", began.elapsed());
    match result {
        Ok(report) => Err(format!("the run acquired the lock: {report}").into()),
        Err(error) => Ok(error),
    }
}

/// Returns how many transactions or updates the server has counted.
async fn update_count(db: &Database) -> Result<u64, TestError> {
    let count = match db.kind {
        DatabaseKind::Postgres => {
            // A session reports its count a moment after it ends.
            tokio::time::sleep(Duration::from_millis(500)).await;
            let sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
            db.value(sql).await?
        }
        DatabaseKind::Mysql => {
            let sql =
                "SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_update', 'Com_update_multi')";
            let rows = db.rows(sql).await?;
            let values = rows.iter().filter_map(|row| row.get(1)?.as_ref()?.parse::<u64>().ok());
            Some(values.sum::<u64>().to_string())
        }
        DatabaseKind::Sqlite => db.value("SELECT count(*) FROM calls").await?,
    };
    let count = count.ok_or("no count")?;
    Ok(count.parse()?)
}

/// The row looks free, but the UPDATE that acquires the lock changes nothing.
async fn unchanged(ctx: TestContext) -> TestResult {
    let attacks: &[&str] = match ctx.kind {
        DatabaseKind::Postgres => &[
            "CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER forge BEFORE UPDATE ON jetbase_lock FOR EACH ROW EXECUTE FUNCTION forge()",
            "CREATE RULE forge AS ON UPDATE TO jetbase_lock DO INSTEAD NOTHING",
            "CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
             CREATE TRIGGER forge BEFORE UPDATE ON jetbase_lock FOR EACH ROW EXECUTE FUNCTION forge()",
        ],
        DatabaseKind::Sqlite => &[
            "CREATE TABLE calls (id INTEGER);
             CREATE TRIGGER forge BEFORE UPDATE ON jetbase_lock BEGIN
               INSERT INTO calls VALUES (1); SELECT RAISE(IGNORE); END",
            "CREATE TABLE calls (id INTEGER);
             CREATE TRIGGER forge AFTER UPDATE ON jetbase_lock WHEN NEW.is_locked BEGIN
               INSERT INTO calls VALUES (1); UPDATE jetbase_lock SET is_locked = 0, process_id = NULL; END",
        ],
        DatabaseKind::Mysql => &[
            "CREATE TRIGGER forge BEFORE UPDATE ON jetbase_lock FOR EACH ROW
             SET NEW.is_locked = OLD.is_locked, NEW.process_id = OLD.process_id, NEW.locked_at = OLD.locked_at",
        ],
    };
    for attack in attacks {
        let db = ctx.another().await?;
        jetbase::run(&set(&[V0]), DatabaseUrl(&db.url)).await?;
        db.execute(attack).await?;
        let before = update_count(&db).await?;
        let error = fails_in_time(&set(&[V0, V1]), &db.url).await;
        let attempts = update_count(&db).await? - before;
        assert!(attempts < MAX_ATTEMPTS, "{attempts} transactions with {attack}");
        let error = error.map_err(|error| format!("{error:#}, with {attack}"))?;
        let text = format!("{error:#}");
        assert!(text.contains("jetbase_lock"), "{attack}: {text}");
        assert!(db.rows("SELECT * FROM second").await.is_err(), "a file ran without the lock");
        // A run that does not wait fails too.
        let began = Instant::now();
        jetbase::run(&set(&[V0, V1]), DatabaseUrl(&db.url))
            .wait(Wait::Never)
            .await
            .expect_err("the lock cannot be acquired");
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
    Ok(())
}

async fn reading_only(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let user = format!("{}_owner", db.name);
    db.admin(&format!("CREATE ROLE {user} LOGIN PASSWORD 'x'")).await?;
    db.execute(&format!("GRANT ALL ON SCHEMA public TO {user}")).await?;
    let url = db.url_as(&user, "x");
    jetbase::run(&set(&[V0]), DatabaseUrl(&url)).await?;
    db.execute(
        "CREATE POLICY reading ON jetbase_lock FOR SELECT USING (true);
         ALTER TABLE jetbase_lock ENABLE ROW LEVEL SECURITY;
         ALTER TABLE jetbase_lock FORCE ROW LEVEL SECURITY",
    )
    .await?;
    let before = update_count(db).await?;
    let error = fails_in_time(&set(&[V0, V1]), &url).await;
    let attempts = update_count(db).await? - before;
    assert!(attempts < MAX_ATTEMPTS, "{attempts} transactions");
    let text = error?.to_string();
    assert!(text.contains("jetbase_lock"), "{text}");
    db.execute(&format!("DROP OWNED BY {user} CASCADE")).await?;
    db.admin(&format!("DROP ROLE {user}")).await.map(drop)
}

/// A value that is neither 0 nor 1 is not a free lock.
async fn invalid_is_locked(ctx: TestContext) -> TestResult {
    let values: &[&str] = match ctx.kind {
        DatabaseKind::Sqlite => &["'yes'", "2", "-1", "'true'", "0.5"],
        _ => &["2", "-1"],
    };
    for value in values {
        let db = ctx.another().await?;
        jetbase::run(&set(&[V0]), DatabaseUrl(&db.url)).await?;
        db.execute(&format!(
            "UPDATE jetbase_lock SET is_locked = {value}, process_id = '{PYTHON}'"
        ))
        .await?;
        if ctx.kind == DatabaseKind::Sqlite {
            db.execute("CREATE TABLE calls (id INTEGER)").await?;
        }
        let status = jetbase::lock_status(&set(&[V0]), DatabaseUrl(&db.url)).await?;
        let before = update_count(&db).await?;
        let error = fails_in_time(&set(&[V0, V1]), &db.url).await;
        let attempts = update_count(&db).await? - before;
        assert!(attempts < MAX_ATTEMPTS, "{attempts} updates with {value}");
        let error = error.map_err(|error| format!("{error:#}, with {value}"))?;
        assert!(matches!(error.kind(), ErrorKind::Held { .. }), "{value}: {error:#}");
        assert!(status.locked, "{value}: {status}");
        assert!(jetbase::unlock(&set(&[V0]), DatabaseUrl(&db.url)).await?.holder.is_some());
        assert_eq!(jetbase::run(&set(&[V0, V1]), DatabaseUrl(&db.url)).await?.applied.len(), 1);
    }
    Ok(())
}

/// Another session holds the session lock of jetbase, and the row is free.
async fn session_lock_is_held(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    jetbase::run(&set(&[V0]), DatabaseUrl(&db.url)).await?;
    let (acquire, id) = match ctx.kind {
        DatabaseKind::Postgres => (
            "SELECT pg_advisory_lock(1784835700, ('jetbase_lock'::regclass::oid::bigint & 2147483647)::int)".to_owned(),
            "SELECT pg_backend_pid()::text",
        ),
        _ => (
            format!("SELECT GET_LOCK(CONCAT('jetbase:', LEFT(SHA2('{}', 256), 40)), 5)", db.name),
            "SELECT CAST(CONNECTION_ID() AS CHAR)",
        ),
    };
    match ctx.kind {
        DatabaseKind::Postgres => {
            let mut other = PgConnection::connect(&db.url).await?;
            sqlx::raw_sql(AssertSqlSafe(acquire)).execute(&mut other).await?;
            let id: String = sqlx::query_scalar(id).fetch_one(&mut other).await?;
            error_names_session(db, &id).await?;
            other.close().await?;
        }
        _ => {
            let mut other = MySqlConnection::connect(&db.url).await?;
            sqlx::raw_sql(AssertSqlSafe(acquire)).execute(&mut other).await?;
            let id: String = sqlx::query_scalar(id).fetch_one(&mut other).await?;
            error_names_session(db, &id).await?;
            other.close().await?;
        }
    }
    let again = jetbase::run(&set(&[V0, V1]), DatabaseUrl(&db.url)).await?;
    assert_eq!(again.applied.len(), 1);
    Ok(())
}

async fn error_names_session(db: &Database, id: &str) -> TestResult {
    let error = fails_in_time(&set(&[V0, V1]), &db.url).await?;
    let text = format!("{error:#}");
    let parts: Vec<_> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    assert!(parts.contains(&id), "the error does not name session {id}: {text}");
    assert!(!text.contains("unlock"), "there is nothing to unlock: {text}");
    let status = jetbase::lock_status(&set(&[V0]), DatabaseUrl(&db.url)).await?;
    assert!(!status.locked, "{status}");
    Ok(())
}
