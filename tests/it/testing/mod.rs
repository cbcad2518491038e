//! Databases for the tests of a program: clones of a template, and their clean-up.

mod copies;
mod errors;

use std::sync::atomic::{AtomicU32, Ordering};

use jetbase::sqlx::{MySql, Postgres, Sqlite};
use jetbase::testing::{TestDatabase, TestDriver};
use jetbase::{DatabaseUrl, Folder, Migrations, Options};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
};

pub(crate) fn register(suite: &mut Suite) {
    let (all, nothing) = (DatabaseKind::ALL, Needs::NOTHING);
    copies::register(suite);
    errors::register(suite);
    suite.each("a_test_database_is_a_clone_of_a_template", all, nothing, clones);
    suite.each("a_changed_file_makes_another_template", all, nothing, other_template);
    suite.each("a_test_deletes_what_its_ended_run_has_left", all, nothing, leftovers);
    suite.each("many_tests_build_one_template", all, nothing, many);
    suite.each("old_templates_are_deleted", all, nothing, limit);
    suite.each("a_test_database_is_deleted_while_it_is_in_use", all, nothing, in_use);
}

/// Where the trial creates its databases: a URL, or a folder.
fn place(db: &Database) -> String {
    match db.kind {
        DatabaseKind::Sqlite => format!("{}.tests", db.name),
        _ => db.url.clone(),
    }
}

/// A set of a folder that no other trial has, so that the trial has templates of its own.
struct OwnFolder(&'static str);

impl OwnFolder {
    fn new() -> OwnFolder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        OwnFolder(format!("/no/such/folder/{}/{number}", std::process::id()).leak())
    }

    fn set(&self, files: &[(&str, &str)]) -> Migrations {
        self.set_with(files, Options::default())
    }

    fn set_with(&self, files: &[(&str, &str)], options: Options) -> Migrations {
        let project = PythonProject::with(files).expect("the project can be created");
        let folder = Folder::read(&project.migrations());
        assert_eq!(folder.findings, [], "the folder has findings");
        Migrations::load(folder.files, Options { folder: Some(self.0), ..options })
    }
}

/// Runs a body that is generic over the database, for the database of the trial.
macro_rules! for_database {
    ($ctx:expr, $body:ident) => {
        match $ctx.kind {
            DatabaseKind::Postgres => $body::<Postgres>(&$ctx).await,
            DatabaseKind::Mysql => $body::<MySql>(&$ctx).await,
            DatabaseKind::Sqlite => $body::<Sqlite>(&$ctx).await,
        }
    };
}
pub(crate) use for_database;

/// The database of a test as the harness sees it.
fn seen<DB: TestDriver>(ctx: &TestContext, test: &TestDatabase<DB>) -> Result<Database, TestError> {
    Database::at(ctx.kind, &test.url())
}

/// The names of the databases and templates of this server or folder.
async fn names(ctx: &TestContext) -> Result<Vec<String>, TestError> {
    let sql = match ctx.kind {
        DatabaseKind::Postgres => "SELECT datname FROM pg_database",
        DatabaseKind::Mysql => "SELECT schema_name FROM information_schema.schemata",
        DatabaseKind::Sqlite => {
            let entries = std::fs::read_dir(place(&ctx.db))?.flatten();
            return Ok(entries
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect());
        }
    };
    Ok(ctx.db.rows(sql).await?.concat().into_iter().flatten().collect())
}

const V1: (&str, &str) =
    ("V1__a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);\n-- rollback\nDROP TABLE a;\n");
const V2: (&str, &str) = ("V2__b.sql", "INSERT INTO a (id) VALUES (1), (2);\n");
const ROC: (&str, &str) = ("ROC__v.sql", "INSERT INTO a (id) VALUES (3);\n");

async fn clones(ctx: TestContext) -> TestResult {
    for_database!(ctx, clones_on)
}

async fn clones_on<DB: TestDriver>(ctx: &TestContext) -> TestResult {
    let set = OwnFolder::new().set(&[V1, V2, ROC]);
    let first = TestDatabase::<DB>::create_at(&place(&ctx.db), &set).await?;
    let second = TestDatabase::<DB>::create_at(&place(&ctx.db), &set).await?;
    assert_ne!(first.name(), second.name());
    let (one, two) = (seen(ctx, &first)?, seen(ctx, &second)?);

    // The time of each row is that of the template, so the migrations were applied once.
    let history =
        "SELECT filename, checksum, applied_at FROM jetbase_migrations ORDER BY order_executed";
    let recorded = one.rows(history).await?;
    assert_eq!(recorded.len(), 3);
    assert_eq!(recorded, two.rows(history).await?);
    for db in [&one, &two] {
        assert_eq!(db.value("SELECT count(*) FROM a").await?.as_deref(), Some("3"));
        let report = jetbase::run(&set, DatabaseUrl(&db.url)).await?;
        assert!(report.applied.is_empty(), "{report}");
        crate::bad_input::lock_is_free(db).await?;
    }

    one.execute("INSERT INTO a (id) VALUES (4)").await?;
    assert_eq!(two.value("SELECT count(*) FROM a").await?.as_deref(), Some("3"));
    let (first_name, second_name) = (first.name().to_owned(), second.name().to_owned());
    first.delete().await?;
    second.delete().await?;
    let third = TestDatabase::<DB>::create_at(&place(&ctx.db), &set).await?;
    let db = seen(ctx, &third)?;
    assert_eq!(db.value("SELECT count(*) FROM a").await?.as_deref(), Some("3"));
    assert_eq!(recorded, db.rows(history).await?);
    third.delete().await?;

    let empty = TestDatabase::<DB>::create_at(&place(&ctx.db), None).await?;
    let db = seen(ctx, &empty)?;
    db.execute("CREATE TABLE a (id INTEGER)").await?;
    db.rows("SELECT * FROM jetbase_migrations").await.expect_err("it is empty");
    empty.delete().await?;
    let left = names(ctx).await?;
    assert!(!left.contains(&first_name) && !left.contains(&second_name), "{left:?}");
    Ok(())
}

async fn other_template(ctx: TestContext) -> TestResult {
    for_database!(ctx, other_template_on)
}

async fn other_template_on<DB: TestDriver>(ctx: &TestContext) -> TestResult {
    let folder = OwnFolder::new();
    let place = place(&ctx.db);
    let changed = ("V2__b.sql", "INSERT INTO a (id) VALUES (5);\n");
    for (files, sum) in [(&[V1, V2][..], "3"), (&[V1, changed], "5"), (&[V1, V2, ROC], "6")] {
        let test = TestDatabase::<DB>::create_at(&place, &folder.set(files)).await?;
        let db = seen(ctx, &test)?;
        assert_eq!(db.value("SELECT sum(id) FROM a").await?.as_deref(), Some(sum));
        test.delete().await?;
    }
    Ok(())
}

async fn leftovers(ctx: TestContext) -> TestResult {
    for_database!(ctx, leftovers_on)
}

async fn leftovers_on<DB: TestDriver>(ctx: &TestContext) -> TestResult {
    let set = OwnFolder::new().set(&[V1]);
    let place = place(&ctx.db);
    let alive = TestDatabase::<DB>::create_at(&place, &set).await?;
    let ended = TestDatabase::<DB>::create_at(&place, &set).await?;
    let name = ended.name().to_owned();
    let pool = ended.pool().clone();
    // As if the process had been killed: nobody deletes the database.
    drop(ended);
    pool.close().await;

    for attempt in 0..100 {
        // The server needs a moment to notice that the session has ended.
        let next = TestDatabase::<DB>::create_at(&place, &set).await?;
        next.delete().await?;
        let left = names(ctx).await?;
        assert!(left.contains(&alive.name().to_owned()), "a living test has lost its database");
        if !left.contains(&name) {
            break;
        }
        assert!(attempt < 99, "`{name}` was not deleted: {left:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    seen(ctx, &alive)?.rows("SELECT * FROM a").await?;
    alive.delete().await.map_err(Into::into)
}

async fn many(ctx: TestContext) -> TestResult {
    for_database!(ctx, many_on)
}

async fn many_on<DB: TestDriver>(ctx: &TestContext) -> TestResult {
    let set = OwnFolder::new().set(&[V1, V2]);
    let place = place(&ctx.db);
    let mut tests = Vec::new();
    for _ in 0..8 {
        let (set, place) = (set.clone(), place.clone());
        // Each test has a runtime of its own, as with the attribute.
        tests.push(std::thread::spawn(move || {
            jetbase_test_harness::block_on_new_thread(async move {
                TestDatabase::<DB>::create_at(&place, &set).await
            })
        }));
    }
    let mut times = std::collections::BTreeSet::new();
    for test in tests {
        let test = test.join().map_err(|_| "a test panicked")??;
        let db = seen(ctx, &test)?;
        times.insert(db.rows("SELECT applied_at FROM jetbase_migrations").await?);
    }
    assert_eq!(times.len(), 1, "the migrations were applied more than once: {times:?}");
    Ok(())
}

async fn limit(ctx: TestContext) -> TestResult {
    for_database!(ctx, limit_on)
}

async fn limit_on<DB: TestDriver>(ctx: &TestContext) -> TestResult {
    let folder = OwnFolder::new();
    let place = place(&ctx.db);
    let mut before: Vec<String> = Vec::new();
    for number in 0..10 {
        let text = format!("INSERT INTO a (id) VALUES ({number});\n");
        let set = folder.set(&[V1, ("V2__b.sql", &text)]);
        TestDatabase::<DB>::create_at(&place, &set).await?.delete().await?;
        if number == 0 {
            before = names(ctx).await?;
        }
        if ctx.kind == DatabaseKind::Mysql {
            // The time of a table has no fractions of a second.
            tokio::time::sleep(std::time::Duration::from_millis(1050)).await;
        }
    }
    // The templates of one folder have the same beginning.
    let after = names(ctx).await?;
    let templates = |names: &[String]| -> Vec<String> {
        let all = names.iter().filter(|name| name.starts_with("jetbase_template_"));
        all.filter(|name| !name.ends_with("lock")).cloned().collect()
    };
    let mut counts = std::collections::BTreeMap::new();
    for name in templates(&after) {
        let folder: String = name.chars().take("jetbase_template_".len() + 16).collect();
        *counts.entry(folder).or_insert(0) += 1;
    }
    assert_eq!(counts.values().max(), Some(&8), "{counts:?}");
    assert!(templates(&before).iter().any(|name| !after.contains(name)), "the first one stays");
    Ok(())
}

async fn in_use(ctx: TestContext) -> TestResult {
    for_database!(ctx, in_use_on)
}

async fn in_use_on<DB: TestDriver>(ctx: &TestContext) -> TestResult {
    let set = OwnFolder::new().set(&[V1]);
    let test = TestDatabase::<DB>::create_at(&place(&ctx.db), &set).await?;
    let name = test.name().to_owned();
    let used = test.pool().acquire().await?;
    let started = std::time::Instant::now();
    test.delete().await?;
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "it waits for the connection");
    assert!(!names(ctx).await?.contains(&name));
    drop(used);
    Ok(())
}
