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

/// A fresh database on which a set has run and a way is in force.
async fn forged(ctx: &TestContext, before: &Migrations, sql: &str) -> Result<Database, TestError> {
    let db = ctx.another().await?;
    jetbase::run(before, DatabaseUrl(&db.url)).await?;
    db.execute(sql).await?;
    Ok(db)
}

/// What is wrong with a result that should say that a file was not recorded.
fn fault(result: Result<jetbase::Report, jetbase::Error>, file: &str) -> Option<String> {
    match result {
        Ok(report) => Some(format!("was reported as a success: {report}")),
        Err(error) => {
            let text = format!("{error:#}");
            let right = text.contains(file) && text.contains("record");
            (!right).then(|| format!("said: {text}"))
        }
    }
}

/// Collects what is wrong with each way, so that one failure does not hide the others.
#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    fn note(&mut self, way: &str, fault: Option<String>) {
        self.0.extend(fault.map(|fault| format!("{way}: {fault}")));
    }

    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, way: &str, found: T, expected: T) {
        let fault = format!("there is {found:?} instead of {expected:?}");
        self.note(way, (found != expected).then_some(fault));
    }

    fn result(self) -> TestResult {
        if self.0.is_empty() { Ok(()) } else { Err(self.0.join("\n").into()) }
    }
}

async fn inserts(ctx: TestContext) -> TestResult {
    let mut faults = Failures::default();
    for (way, sql) in lost_inserts(ctx.kind) {
        let db = forged(&ctx, &set(&[V0]), sql).await?;
        let result = jetbase::run(&set(&[V0, V1, V2]), DatabaseUrl(&db.url)).await;
        faults.note(way, fault(result, "V1__one.sql"));
        faults.equal(way, kept(&db).await?, vec![]);
        let rows = db.value("SELECT count(*) FROM jetbase_migrations").await?;
        faults.equal(way, rows.as_deref(), Some("1"));
        let status = jetbase::lock_status(&set(&[V0]), DatabaseUrl(&db.url)).await?;
        faults.equal(way, status.locked, false);
    }
    faults.result()
}

/// A deferred trigger acts behind everything that a statement could look at.
async fn at_the_commit(ctx: TestContext) -> TestResult {
    let mut faults = Failures::default();
    for (way, what) in [
        ("deleted", "DELETE FROM jetbase_migrations WHERE version = NEW.version"),
        ("renamed", "UPDATE jetbase_migrations SET filename = 'x' WHERE version = NEW.version"),
    ] {
        let sql = format!(
            "CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what}; RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER forge AFTER INSERT ON jetbase_migrations DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION forge()"
        );
        let db = forged(&ctx, &set(&[V0]), &sql).await?;
        let result = jetbase::run(&set(&[V0, V1, V2]), DatabaseUrl(&db.url)).await;
        faults.note(way, fault(result, "V1__one.sql"));
        faults.equal(way, kept(&db).await?, vec![]);
    }
    faults.result()
}

async fn inserts_off(ctx: TestContext) -> TestResult {
    let mut faults = Failures::default();
    for (way, sql) in lost_inserts(ctx.kind) {
        let db = forged(&ctx, &set(&[V0]), sql).await?;
        let result = jetbase::run(&set(&[V0, V1_OFF, V2]), DatabaseUrl(&db.url)).await;
        faults.note(way, fault(result, "V1__one.sql"));
        // What commits by itself stays; the next file must not run.
        faults.equal(way, kept(&db).await?, vec!["1".to_owned()]);
    }
    faults.result()
}

async fn updates(ctx: TestContext) -> TestResult {
    let mut faults = Failures::default();
    for (way, sql) in lost_updates(ctx.kind, "jetbase_migrations", "checksum") {
        for (before, after) in [(RA, RA_2), (ROC, ROC_2)] {
            let db = forged(&ctx, &set(&[V0, before]), &sql).await?;
            let result = jetbase::run(&set(&[V0, after]), DatabaseUrl(&db.url)).await;
            faults.note(way, fault(result, after.0));
            faults.equal(way, kept(&db).await?, vec!["7".to_owned()]);
        }
    }
    faults.result()
}

async fn deletes(ctx: TestContext) -> TestResult {
    let mut faults = Failures::default();
    for (way, sql) in lost_deletes(ctx.kind) {
        let both = set(&[V0, V1]);
        let db = forged(&ctx, &both, sql).await?;
        let result = jetbase::rollback(&both, DatabaseUrl(&db.url)).await;
        faults.note(way, fault(result, "V1__one.sql"));
        faults.equal(way, kept(&db).await?, vec!["1".to_owned()]);
        let rows = db.value("SELECT count(*) FROM jetbase_migrations").await?;
        faults.equal(way, rows.as_deref(), Some("2"));
    }
    faults.result()
}

async fn unlocks(ctx: TestContext) -> TestResult {
    let mut faults = Failures::default();
    for (way, sql) in lost_updates(ctx.kind, "jetbase_lock", "is_locked") {
        let db = ctx.another().await?;
        let set = set(&[V0]);
        jetbase::run(&set, DatabaseUrl(&db.url)).await?;
        db.execute(&format!("UPDATE jetbase_lock SET is_locked = TRUE, process_id = '{PYTHON}'"))
            .await?;
        db.execute(&sql).await?;
        for forced in ["plain", "forced"] {
            let unlock = jetbase::unlock(&set, DatabaseUrl(&db.url));
            let result = if forced == "forced" { unlock.force().await } else { unlock.await };
            faults.note(
                way,
                match result {
                    Ok(unlocked) => Some(format!("the {forced} unlock said: {unlocked}")),
                    Err(error) if format!("{error:#}").contains("lock") => None,
                    Err(error) => Some(format!("the {forced} unlock said: {error:#}")),
                },
            );
        }
        let (succeeded, said) = tool(&db, &PythonProject::with(&[V0])?, &["unlock"]).await?;
        faults.note(way, succeeded.then_some(said));
    }
    faults.result()
}

async fn checksums(ctx: TestContext) -> TestResult {
    let mut faults = Failures::default();
    for (way, sql) in lost_updates(ctx.kind, "jetbase_migrations", "checksum") {
        let db = forged(&ctx, &set(&[V0, V1]), &sql).await?;
        let changed = (V1.0, "INSERT INTO kept (id) VALUES (11);\n");
        let project = PythonProject::with(&[V0, changed])?;
        for command in ["fix-checksums", "fix"] {
            let (succeeded, said) = tool(&db, &project, &[command]).await?;
            let wrong = succeeded || said.contains("epaired checksum");
            faults.note(way, wrong.then_some(format!("{command} said: {said}")));
        }
        let status = jetbase::lock_status(&set(&[V0]), DatabaseUrl(&db.url)).await?;
        faults.equal(way, status.locked, false);
    }
    faults.result()
}

async fn files(ctx: TestContext) -> TestResult {
    let mut faults = Failures::default();
    for (way, sql) in lost_deletes(ctx.kind) {
        for gone in [V1, RA] {
            let db = forged(&ctx, &set(&[V0, gone]), sql).await?;
            let (succeeded, said) = tool(&db, &PythonProject::with(&[V0])?, &["fix-files"]).await?;
            let wrong = succeeded || said.contains("Stopped tracking") || said.contains("Removed");
            faults.note(way, wrong.then_some(format!("{}: {said}", gone.0)));
        }
    }
    faults.result()
}
