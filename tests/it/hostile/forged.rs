use jetbase::{DatabaseUrl, Migrations};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
};

use super::POSTGRES;
use super::lost_writes::{lost_deletes, lost_inserts, lost_updates};
use super::victim::{PYTHON, tool};
use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let all = DatabaseKind::ALL;
    let nothing = Needs::NOTHING;
    let not_mysql = &[DatabaseKind::Sqlite, DatabaseKind::Postgres];
    suite.each("a_file_whose_row_is_lost_is_an_error", all, nothing, inserts);
    suite.each("a_row_that_is_lost_at_the_commit_is_an_error", POSTGRES, nothing, at_the_commit);
    suite.each("a_file_outside_a_transaction_must_be_recorded_too", all, nothing, inserts_off);
    suite.each("a_repeatable_whose_row_is_not_updated_is_an_error", all, nothing, updates);
    suite.each("a_rollback_whose_row_is_not_deleted_is_an_error", not_mysql, nothing, deletes);
    suite.each("an_unlock_that_changes_nothing_is_an_error", all, nothing, unlocks);
    suite.each("a_repaired_checksum_that_is_lost_is_an_error", all, nothing, checksums);
    suite.each("a_repair_whose_row_is_not_deleted_is_an_error", not_mysql, nothing, files);
}

const V0: (&str, &str) = ("V0__kept.sql", "CREATE TABLE kept (id INTEGER);\n");
const V1: (&str, &str) = (
    "V1__one.sql",
    "INSERT INTO kept (id) VALUES (1);\n-- rollback\nDELETE FROM kept WHERE id = 1;\n",
);
const V1_OFF: (&str, &str) =
    ("V1__one.sql", "-- jetbase: transaction=off\nINSERT INTO kept (id) VALUES (1);\n");
const V2: (&str, &str) = ("V2__two.sql", "INSERT INTO kept (id) VALUES (2);\n");
const RA: (&str, &str) = ("RA__again.sql", "INSERT INTO kept (id) VALUES (7);\n");
const RA_2: (&str, &str) = ("RA__again.sql", "INSERT INTO kept (id) VALUES (8);\n");
const ROC: (&str, &str) = ("ROC__again.sql", "INSERT INTO kept (id) VALUES (7);\n");
const ROC_2: (&str, &str) = ("ROC__again.sql", "INSERT INTO kept (id) VALUES (8);\n");

/// The numbers in the table that the files write to.
async fn kept(db: &Database) -> Result<Vec<String>, TestError> {
    let rows = db.rows("SELECT id FROM kept ORDER BY id").await?;
    Ok(rows.into_iter().flatten().flatten().collect())
}

/// Creates a database, runs a set on it, and then runs SQL that makes a table lose writes.
async fn prepared_database(
    ctx: &TestContext,
    before: &Migrations,
    sql: &str,
) -> Result<Database, TestError> {
    let db = ctx.another().await?;
    jetbase::run(before, DatabaseUrl(&db.url)).await?;
    db.execute(sql).await?;
    Ok(db)
}

/// Returns what is wrong with a result that must be an error about this unrecorded file.
fn wrong_result(result: Result<jetbase::Report, jetbase::Error>, file: &str) -> Option<String> {
    match result {
        Ok(report) => Some(format!("it succeeded: {report}")),
        Err(error) => {
            let text = format!("{error:#}");
            let is_right = text.contains(file) && text.contains("record");
            (!is_right).then(|| format!("the error is: {text}"))
        }
    }
}

/// Collects the failures of all attacks, so that one failure does not hide the others.
#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    fn add(&mut self, attack: &str, failure: Option<String>) {
        self.0.extend(failure.map(|failure| format!("{attack}: {failure}")));
    }

    fn check_equal<T: PartialEq + std::fmt::Debug>(&mut self, attack: &str, found: T, expected: T) {
        let failure = format!("{found:?} instead of {expected:?}");
        self.add(attack, (found != expected).then_some(failure));
    }

    fn result(self) -> TestResult {
        if self.0.is_empty() { Ok(()) } else { Err(self.0.join("\n").into()) }
    }
}

async fn inserts(ctx: TestContext) -> TestResult {
    let mut failures = Failures::default();
    for (attack, sql) in lost_inserts(ctx.kind) {
        let db = prepared_database(&ctx, &set(&[V0]), sql).await?;
        let result = jetbase::run(&set(&[V0, V1, V2]), DatabaseUrl(&db.url)).await;
        failures.add(attack, wrong_result(result, "V1__one.sql"));
        failures.check_equal(attack, kept(&db).await?, vec![]);
        let rows = db.value("SELECT count(*) FROM jetbase_migrations").await?;
        failures.check_equal(attack, rows.as_deref(), Some("1"));
        let status = jetbase::lock_status(&set(&[V0]), DatabaseUrl(&db.url)).await?;
        failures.check_equal(attack, status.locked, false);
    }
    failures.result()
}

/// A deferred trigger runs after the last statement that could check the row.
async fn at_the_commit(ctx: TestContext) -> TestResult {
    let mut failures = Failures::default();
    for (attack, action) in [
        ("deleted", "DELETE FROM jetbase_migrations WHERE version = NEW.version"),
        ("renamed", "UPDATE jetbase_migrations SET filename = 'x' WHERE version = NEW.version"),
    ] {
        let sql = format!(
            "CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {action}; RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER forge AFTER INSERT ON jetbase_migrations DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION forge()"
        );
        let db = prepared_database(&ctx, &set(&[V0]), &sql).await?;
        let result = jetbase::run(&set(&[V0, V1, V2]), DatabaseUrl(&db.url)).await;
        failures.add(attack, wrong_result(result, "V1__one.sql"));
        failures.check_equal(attack, kept(&db).await?, vec![]);
    }
    failures.result()
}

async fn inserts_off(ctx: TestContext) -> TestResult {
    let mut failures = Failures::default();
    for (attack, sql) in lost_inserts(ctx.kind) {
        let db = prepared_database(&ctx, &set(&[V0]), sql).await?;
        let result = jetbase::run(&set(&[V0, V1_OFF, V2]), DatabaseUrl(&db.url)).await;
        failures.add(attack, wrong_result(result, "V1__one.sql"));
        // The committed statement is kept. The next file must not run.
        failures.check_equal(attack, kept(&db).await?, vec!["1".to_owned()]);
    }
    failures.result()
}

async fn updates(ctx: TestContext) -> TestResult {
    let mut failures = Failures::default();
    for (attack, sql) in lost_updates(ctx.kind, "jetbase_migrations", "checksum") {
        for (before, after) in [(RA, RA_2), (ROC, ROC_2)] {
            let db = prepared_database(&ctx, &set(&[V0, before]), &sql).await?;
            let result = jetbase::run(&set(&[V0, after]), DatabaseUrl(&db.url)).await;
            failures.add(attack, wrong_result(result, after.0));
            failures.check_equal(attack, kept(&db).await?, vec!["7".to_owned()]);
        }
    }
    failures.result()
}

async fn deletes(ctx: TestContext) -> TestResult {
    let mut failures = Failures::default();
    for (attack, sql) in lost_deletes(ctx.kind) {
        let both = set(&[V0, V1]);
        let db = prepared_database(&ctx, &both, sql).await?;
        let result = jetbase::rollback(&both, DatabaseUrl(&db.url)).await;
        failures.add(attack, wrong_result(result, "V1__one.sql"));
        failures.check_equal(attack, kept(&db).await?, vec!["1".to_owned()]);
        let rows = db.value("SELECT count(*) FROM jetbase_migrations").await?;
        failures.check_equal(attack, rows.as_deref(), Some("2"));
    }
    failures.result()
}

async fn unlocks(ctx: TestContext) -> TestResult {
    let mut failures = Failures::default();
    for (attack, sql) in lost_updates(ctx.kind, "jetbase_lock", "is_locked") {
        let db = ctx.another().await?;
        let set = set(&[V0]);
        jetbase::run(&set, DatabaseUrl(&db.url)).await?;
        db.execute(&format!("UPDATE jetbase_lock SET is_locked = TRUE, process_id = '{PYTHON}'"))
            .await?;
        db.execute(&sql).await?;
        for forced in ["plain", "forced"] {
            let unlock = jetbase::unlock(&set, DatabaseUrl(&db.url));
            let result = if forced == "forced" { unlock.force().await } else { unlock.await };
            failures.add(
                attack,
                match result {
                    Ok(unlocked) => Some(format!("the {forced} unlock succeeded: {unlocked}")),
                    Err(error) if format!("{error:#}").contains("lock") => None,
                    Err(error) => Some(format!("the error of the {forced} unlock is: {error:#}")),
                },
            );
        }
        let (succeeded, output) = tool(&db, &PythonProject::with(&[V0])?, &["unlock"]).await?;
        failures.add(attack, succeeded.then_some(output));
    }
    failures.result()
}

async fn checksums(ctx: TestContext) -> TestResult {
    let mut failures = Failures::default();
    for (attack, sql) in lost_updates(ctx.kind, "jetbase_migrations", "checksum") {
        let db = prepared_database(&ctx, &set(&[V0, V1]), &sql).await?;
        let changed = (V1.0, "INSERT INTO kept (id) VALUES (11);\n");
        let project = PythonProject::with(&[V0, changed])?;
        for command in ["fix-checksums", "fix"] {
            let (succeeded, output) = tool(&db, &project, &[command]).await?;
            let is_wrong = succeeded || output.contains("epaired checksum");
            failures.add(attack, is_wrong.then_some(format!("{command} printed: {output}")));
        }
        let status = jetbase::lock_status(&set(&[V0]), DatabaseUrl(&db.url)).await?;
        failures.check_equal(attack, status.locked, false);
    }
    failures.result()
}

async fn files(ctx: TestContext) -> TestResult {
    let mut failures = Failures::default();
    for (attack, sql) in lost_deletes(ctx.kind) {
        for removed in [V1, RA] {
            let db = prepared_database(&ctx, &set(&[V0, removed]), sql).await?;
            let (succeeded, output) =
                tool(&db, &PythonProject::with(&[V0])?, &["fix-files"]).await?;
            let is_wrong =
                succeeded || output.contains("Stopped tracking") || output.contains("Removed");
            failures.add(attack, is_wrong.then_some(format!("{}: {output}", removed.0)));
        }
    }
    failures.result()
}
