use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use jetbase::{
    Action, DatabaseUrl, ErrorKind, Event, Folder, Migrations, Options, Readiness, Reading, Repeat,
    Report, Wait,
};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection, MySqlConnection, PgConnection};

use crate::harness::{Context, Database, Error, Kind, Needs, Project, Rows, Suite, TestResult};

pub(crate) fn register(suite: &mut Suite) {
    let all = Kind::ALL;
    let python = Needs::PYTHON;
    suite.each("python_finds_our_work_up_to_date", all, python, python_has_nothing_to_do);
    suite.each("python_answers_from_what_we_wrote", all, python, python_answers);
    suite.each("we_find_the_work_of_python_up_to_date", all, python, we_have_nothing_to_do);
    suite.each("python_rolls_back_what_we_applied", all, python, python_rolls_back);
    suite.each("we_roll_back_what_python_applied", all, python, we_roll_back);
    suite.each("both_tools_share_repeatables", all, python, repeatables);
    suite.each("python_finds_an_edit_as_we_do", all, python, drift);
    suite.each("both_tools_send_an_escaped_colon_alike", all, python, colon);
    suite.each("python_sees_our_lock_between_two_files", all, python, lock_between_files);
    suite.each("python_sees_our_lock_inside_a_file", all, python, lock_inside_a_file);
    suite.each("we_never_rob_python_of_its_lock", all, python, never_robbed);
    suite.each("we_wait_for_a_run_of_python", all, python, waits_for_python);
    suite.each(
        "python_unlocks_and_takes_over_in_the_middle_of_our_run",
        all,
        python,
        python_takes_over,
    );
    suite.each("both_tools_make_equal_tables_and_rows", all, python, equal_places);
    suite.each("python_sees_the_latest_of_fast_migrations", all, python, fast_migrations);
    suite.each("stamps_go_on_behind_one_from_the_future", all, python, future_stamp);
    suite.each("both_tools_stamp_in_the_zone_of_the_database", &[Kind::Postgres], python, zones);
    suite.each("texts_that_both_execute_differently_share_a_checksum", all, python, multi_line);
    suite.each("python_cannot_record_a_version_twice_in_our_tables", all, python, recorded_once);
}

const V1: (&str, &str) =
    ("V1__make_a.sql", "CREATE TABLE a (id INTEGER NOT NULL);\n-- rollback\nDROP TABLE a;\n");
const V1_1: (&str, &str) = (
    "V1_1__fill_a.sql",
    "-- upgrade\nINSERT INTO a (id) VALUES (1);\nINSERT INTO a (id) VALUES (2);\n\n-- rollback\nDELETE FROM a;\n",
);
const V2: (&str, &str) =
    ("V2__make_b.sql", "CREATE TABLE b (id INTEGER NOT NULL);\n-- rollback\nDROP TABLE b;\n");
const V3: (&str, &str) =
    ("V3__make_c.sql", "CREATE TABLE c (id INTEGER NOT NULL);\n-- rollback\nDROP TABLE c;\n");

/// What a folder holds now, as a set.
fn set_of(project: &Project) -> Result<Migrations, Error> {
    let folder = Folder::read(&project.migrations());
    assert_eq!(folder.findings, [], "the folder has findings");
    Ok(Migrations::load(folder.files, Options::default()))
}

/// Applies what a folder holds now, with our tool.
async fn ours(project: &Project, db: &Database) -> Result<Report, Error> {
    Ok(jetbase::run(&set_of(project)?, DatabaseUrl(&db.url)).await?)
}

/// Applies what a folder holds now, with the Python tool; returns the files it names.
async fn theirs(project: &Project, db: &Database) -> Result<Vec<String>, Error> {
    let output = project.python(db, &["upgrade"]).await?.succeeded()?;
    let named =
        |line: &str| line.strip_prefix("Migration applied successfully: ").map(str::to_owned);
    let files: Vec<_> = output.lines().into_iter().filter_map(named).collect();
    assert_eq!(files.is_empty(), output.contains("Migrations are up to date."), "{output:?}");
    Ok(files)
}

fn files(report: &Report) -> Vec<&str> {
    report.applied.iter().map(|it| it.file.as_str()).collect()
}

/// Rows with `NULL` as such, for short comparisons.
fn texts(rows: &Rows) -> Vec<Vec<&str>> {
    rows.iter().map(|row| row.iter().map(|it| it.as_deref().unwrap_or("NULL")).collect()).collect()
}

async fn count(db: &Database, from: &str) -> Result<String, Error> {
    Ok(db.value(&format!("SELECT count(*) FROM {from}")).await?.unwrap_or_default())
}

async fn history(db: &Database) -> Result<Rows, Error> {
    db.rows("SELECT * FROM jetbase_migrations ORDER BY order_executed").await
}

async fn python_has_nothing_to_do(ctx: Context) -> TestResult {
    let project = Project::with(&[V1, V1_1, V2])?;
    let report = ours(&project, &ctx.db).await?;
    assert_eq!(files(&report), ["V1__make_a.sql", "V1_1__fill_a.sql", "V2__make_b.sql"]);
    let before = history(&ctx.db).await?;
    assert_eq!(theirs(&project, &ctx.db).await?, Vec::<String>::new());
    assert_eq!(history(&ctx.db).await?, before);
    assert_eq!(count(&ctx.db, "a").await?, "2");
    // What comes later is the Python tool's, and only that.
    project.write(V3.0, V3.1)?;
    assert_eq!(theirs(&project, &ctx.db).await?, ["V3__make_c.sql"]);
    assert!(ours(&project, &ctx.db).await?.is_up_to_date());
    Ok(())
}

async fn python_answers(ctx: Context) -> TestResult {
    let project = Project::with(&[V1, V1_1, V2, ("ROC__none.sql", "SELECT 1;\n")])?;
    ours(&project, &ctx.db).await?;
    for (words, answer) in [
        (
            &["validate-checksums"][..],
            "All migration checksums are valid - no altered upgrade statements detected.",
        ),
        (&["validate-files"], "All migrations have corresponding files."),
        (&["current"], "Latest migration version: 2"),
        (&["lock-status"], "Status: UNLOCKED"),
        (&["fix"], "Fix completed successfully."),
    ] {
        let output = project.python(&ctx.db, words).await?.succeeded()?;
        assert!(output.lines().contains(&answer), "{words:?}: {output:?}");
    }
    let listed = project.python(&ctx.db, &["history"]).await?.succeeded()?;
    let at =
        |text: &str| listed.stdout.find(text).ok_or(format!("no `{text}` in {}", listed.stdout));
    assert!(
        at(" make a ")? < at(" fill a ")? && at(" fill a ")? < at(" make b ")?,
        "{}",
        listed.stdout
    );
    project.write(V3.0, V3.1)?;
    let status = project.python(&ctx.db, &["status"]).await?.succeeded()?.stdout;
    let (applied, pending) =
        status.split_once("Migrations Pending").ok_or("no table of the pending")?;
    for text in ["make a", "fill a", "make b"] {
        assert!(applied.contains(text) && !pending.contains(text), "{text}: {status}");
    }
    assert!(!applied.contains("make c") && pending.contains("make c"), "{status}");
    assert!(!pending.contains("none"), "{status}");
    Ok(())
}

async fn we_have_nothing_to_do(ctx: Context) -> TestResult {
    let project = Project::with(&[V1, V1_1, V2])?;
    assert_eq!(theirs(&project, &ctx.db).await?.len(), 3);
    let before = history(&ctx.db).await?;
    let set = set_of(&project)?;
    let target = DatabaseUrl(&ctx.db.url);
    assert!(jetbase::run(&set, target).await?.is_up_to_date());
    assert_eq!(history(&ctx.db).await?, before);
    assert_eq!(count(&ctx.db, "a").await?, "2");
    assert_eq!(jetbase::check(&set, target).await?, Readiness::Ready);
    assert_eq!(jetbase::validate(&set, target).await?.records, 3);
    assert_eq!(
        jetbase::current(&set, target).await?.map(|it| it.to_string()).as_deref(),
        Some("2")
    );
    let status = jetbase::status(&set, target).await?;
    assert_eq!(
        (status.applied.len(), status.pending.len(), status.problems.len()),
        (3, 0, 0),
        "{status}"
    );
    let records = jetbase::history(&set, target).await?.records;
    let versions: Vec<_> =
        records.iter().map(|it| it.version.as_ref().map_or("", jetbase::Version::as_str)).collect();
    assert_eq!(versions, ["1", "1.1", "2"]);
    assert_eq!(jetbase::lock_status(&set, target).await?.to_string(), "Status: UNLOCKED");
    project.write(V3.0, V3.1)?;
    assert_eq!(files(&ours(&project, &ctx.db).await?), ["V3__make_c.sql"]);
    assert!(theirs(&project, &ctx.db).await?.is_empty());
    Ok(())
}

async fn python_rolls_back(ctx: Context) -> TestResult {
    let project = Project::with(&[V1, V1_1, V2])?;
    ours(&project, &ctx.db).await?;
    let output = project.python(&ctx.db, &["rollback", "-c", "2"]).await?.succeeded()?;
    for file in ["V2__make_b.sql", "V1_1__fill_a.sql"] {
        assert!(output.contains(&format!("Rollback applied successfully: {file}")), "{output:?}");
    }
    assert_eq!(count(&ctx.db, "a").await?, "0");
    assert!(ctx.db.rows("SELECT * FROM b").await.is_err(), "b is still there");
    assert_eq!(files(&ours(&project, &ctx.db).await?), ["V1_1__fill_a.sql", "V2__make_b.sql"]);
    assert!(theirs(&project, &ctx.db).await?.is_empty());
    let numbers =
        ctx.db.rows("SELECT version, order_executed FROM jetbase_migrations ORDER BY 2").await?;
    assert_eq!(texts(&numbers), [["1", "1"], ["1.1", "4"], ["2", "5"]]);
    Ok(())
}

async fn we_roll_back(ctx: Context) -> TestResult {
    let project = Project::with(&[V1, V1_1, V2])?;
    theirs(&project, &ctx.db).await?;
    let set = set_of(&project)?;
    let report = jetbase::rollback(&set, DatabaseUrl(&ctx.db.url)).count(2).await?;
    assert_eq!(files(&report), ["V2__make_b.sql", "V1_1__fill_a.sql"]);
    assert!(report.applied.iter().all(|it| it.action == Action::RollBack));
    assert_eq!(count(&ctx.db, "a").await?, "0");
    assert!(ctx.db.rows("SELECT * FROM b").await.is_err(), "b is still there");
    let current = project.python(&ctx.db, &["current"]).await?.succeeded()?;
    assert!(current.contains("Latest migration version: 1\n"), "{current:?}");
    assert_eq!(theirs(&project, &ctx.db).await?, ["V1_1__fill_a.sql", "V2__make_b.sql"]);
    assert!(ours(&project, &ctx.db).await?.is_up_to_date());
    jetbase::rollback(&set, DatabaseUrl(&ctx.db.url)).all().await?;
    let current = project.python(&ctx.db, &["current"]).await?.succeeded()?;
    assert!(current.contains("No migrations have been applied yet."), "{current:?}");
    Ok(())
}

/// How often each repeatable ran.
async fn ran(db: &Database) -> Result<BTreeMap<String, String>, Error> {
    let rows = db.rows("SELECT what, count(*) FROM log GROUP BY what").await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((row.first()?.clone()?, row.get(1)?.clone()?)))
        .collect())
}

fn times(counts: &[(&str, &str)]) -> BTreeMap<String, String> {
    counts.iter().map(|(what, times)| ((*what).to_owned(), (*times).to_owned())).collect()
}

async fn repeatables(ctx: Context) -> TestResult {
    let db = &ctx.db;
    let project = Project::with(&[
        ("V1__log.sql", "CREATE TABLE log (what VARCHAR(20) NOT NULL);\n"),
        ("views/RA__always.sql", "INSERT INTO log (what) VALUES ('ra');\n"),
        ("ROC__change.sql", "INSERT INTO log (what) VALUES ('one');\n"),
    ])?;
    let (always, change) = ("RA__always.sql", "ROC__change.sql");
    assert_eq!(files(&ours(&project, db).await?), ["V1__log.sql", always, change]);
    assert_eq!(ran(db).await?, times(&[("ra", "1"), ("one", "1")]));

    // The Python tool runs RA again, and leaves an unchanged ROC alone.
    assert_eq!(theirs(&project, db).await?, [always]);
    assert_eq!(ran(db).await?, times(&[("ra", "2"), ("one", "1")]));
    assert!(ours(&project, db).await?.is_up_to_date());
    let again =
        jetbase::run(&set_of(&project)?, DatabaseUrl(&db.url)).repeat(Repeat::Always).await?;
    assert_eq!(files(&again), [always]);
    assert_eq!(ran(db).await?, times(&[("ra", "3"), ("one", "1")]));

    let rows = "SELECT order_executed, filename, checksum FROM jetbase_migrations ORDER BY 1";
    let before = db.rows(rows).await?;
    project.write(change, "INSERT INTO log (what) VALUES ('two');\n")?;
    assert_eq!(files(&ours(&project, db).await?), [always, change]);
    let after = db.rows(rows).await?;
    let (before, after) = (texts(&before), texts(&after));
    assert_eq!(after[..2], before[..2], "V1 and RA keep number and checksum");
    assert_eq!(after[2][..2], before[2][..2], "ROC keeps its row");
    assert_ne!(after[2][2], before[2][2], "ROC has a new checksum");
    let last = db.value("SELECT filename FROM jetbase_migrations ORDER BY applied_at DESC").await?;
    assert_eq!(last.as_deref(), Some(change));
    assert_eq!(theirs(&project, db).await?, [always]);
    assert_eq!(ran(db).await?, times(&[("ra", "5"), ("one", "1"), ("two", "1")]));

    project.write(change, "INSERT INTO log (what) VALUES ('three');\n")?;
    assert_eq!(theirs(&project, db).await?, [always, change]);
    assert!(ours(&project, db).await?.is_up_to_date());
    assert_eq!(ran(db).await?, times(&[("ra", "6"), ("one", "1"), ("two", "1"), ("three", "1")]));
    assert_eq!(count(db, "jetbase_migrations").await?, "3");
    Ok(())
}

async fn drift(ctx: Context) -> TestResult {
    let project = Project::with(&[V1, V2])?;
    ours(&project, &ctx.db).await?;
    project.write(V1.0, "CREATE TABLE a (id BIGINT NOT NULL);\n")?;
    let error = ours(&project, &ctx.db).await.expect_err("V1 was edited");
    let error = format!("{error:#}");
    assert!(
        error.starts_with("V1__make_a.sql was changed after version 1 had been applied"),
        "{error:#}"
    );
    let output = project.python(&ctx.db, &["upgrade"]).await?.failed()?;
    assert!(output.contains("Checksum mismatch for versions: 1."), "{output:?}");
    // The Python tool's repair is one for us too.
    project.python(&ctx.db, &["fix-checksums"]).await?.succeeded()?;
    assert!(ours(&project, &ctx.db).await?.is_up_to_date());
    // An edit of the rollback section, of comments and of line ends is none.
    project.write(
        V1.0,
        "-- a\r\n  CREATE TABLE a (id BIGINT NOT NULL);\r\n-- rollback\r\nDROP TABLE a;\r\n",
    )?;
    assert!(ours(&project, &ctx.db).await?.is_up_to_date());
    assert!(theirs(&project, &ctx.db).await?.is_empty());
    Ok(())
}

/// A listener that stops a run when an event comes, until the test lets it go on.
struct Halt {
    reached: tokio::sync::mpsc::UnboundedReceiver<()>,
    go_on: mpsc::Sender<()>,
}

impl Halt {
    /// The halt, and the listener for `on_event`.
    fn at(
        matches: impl Fn(&Event) -> bool + Send + 'static,
    ) -> (Halt, impl FnMut(&Event) + Send + 'static) {
        let (tell, reached) = tokio::sync::mpsc::unbounded_channel();
        let (go_on, wait) = mpsc::channel();
        let listen = move |event: &Event| {
            if matches(event) {
                let _ = tell.send(());
                // The test's end counts as a word to go on.
                let _ = tokio::task::block_in_place(|| wait.recv());
            }
        };
        (Halt { reached, go_on }, listen)
    }

    async fn reached(&mut self) -> TestResult {
        self.reached.recv().await.ok_or_else(|| "the run ended before its halt".into())
    }

    fn go_on(&self) -> TestResult {
        Ok(self.go_on.send(())?)
    }
}

const HELD: &str = "Migration lock is already held by another process.";

async fn lock_between_files(ctx: Context) -> TestResult {
    let project = Project::with(&[V1, V1_1, V2])?;
    let set = set_of(&project)?;
    let (mut halt, listen) = Halt::at(|event| matches!(event, Event::Started { number: 2, .. }));
    let (url, inner) = (ctx.db.url.clone(), set.clone());
    let run = tokio::spawn(async move { jetbase::run_url(&inner, &url).on_event(listen).await });
    halt.reached().await?;

    let output = project.python(&ctx.db, &["upgrade"]).await?.failed()?;
    assert!(output.contains(HELD), "{output:?}");
    let output = project.python(&ctx.db, &["rollback"]).await?.failed()?;
    assert!(output.contains(HELD), "{output:?}");
    let output = project.python(&ctx.db, &["lock-status"]).await?.succeeded()?;
    assert!(output.lines().contains(&"Status: LOCKED"), "{output:?}");
    let since = output
        .lines()
        .into_iter()
        .find_map(|line| line.strip_prefix("Locked At: ").map(str::to_owned));
    assert!(since.is_some_and(|since| since.starts_with("20")), "{output:?}");
    let id = ctx.db.value("SELECT process_id FROM jetbase_lock").await?.ok_or("no process id")?;
    assert_eq!((id.len(), id.get(..6)), (36, Some("6a6250")), "{id}");
    let status = jetbase::lock_status(&set, DatabaseUrl(&ctx.db.url)).await?;
    assert_eq!((status.locked, status.alive), (true, Some(true)), "{status}");
    let error =
        jetbase::unlock(&set, DatabaseUrl(&ctx.db.url)).await.expect_err("the holder lives");
    assert!(
        format!("{error:#}").contains("the holder is alive: wait until it is done, or end it"),
        "{error:#}"
    );

    halt.go_on()?;
    assert_eq!(run.await??.applied.len(), 3);
    assert!(theirs(&project, &ctx.db).await?.is_empty());
    assert_eq!(count(&ctx.db, "a").await?, "2");
    Ok(())
}

/// A statement that does not end before the test allows it.
struct Endless {
    /// The statement.
    sql: &'static str,
    hold: Hold,
}

enum Hold {
    Postgres(PgConnection),
    Mysql(MySqlConnection),
    Sqlite(mpsc::Sender<()>, sqlx::SqlitePool),
}

impl Endless {
    async fn new(db: &Database) -> Result<Endless, Error> {
        let (sql, hold) = match db.kind {
            Kind::Postgres => {
                let mut connection = PgConnection::connect(&db.url).await?;
                sqlx::raw_sql("SELECT pg_advisory_lock(4711)").execute(&mut connection).await?;
                ("SELECT pg_advisory_xact_lock(4711)", Hold::Postgres(connection))
            }
            Kind::Mysql => {
                // The server's locks are for all databases: the name has to be the test's own.
                let mut connection = MySqlConnection::connect(&db.url).await?;
                let sql = "SELECT GET_LOCK(CONCAT('endless ', DATABASE()), 60)";
                sqlx::raw_sql(sql).execute(&mut connection).await?;
                (sql, Hold::Mysql(connection))
            }
            Kind::Sqlite => {
                let (go_on, wait) = mpsc::channel::<()>();
                let wait = Arc::new(std::sync::Mutex::new(wait));
                let options: SqliteConnectOptions = db.url.parse()?;
                let options = options.collation("endless", move |left, right| {
                    if let Ok(wait) = wait.lock() {
                        let _ = wait.recv();
                    }
                    left.cmp(right)
                });
                let pool = SqlitePoolOptions::new().connect_with(options).await?;
                ("SELECT 'a' < 'b' COLLATE endless", Hold::Sqlite(go_on, pool))
            }
        };
        Ok(Endless { sql, hold })
    }

    /// The run that meets the statement.
    fn start(
        &self,
        set: &Migrations,
        db: &Database,
    ) -> tokio::task::JoinHandle<Result<Report, jetbase::Error>> {
        let (set, url) = (set.clone(), db.url.clone());
        match &self.hold {
            Hold::Sqlite(_, pool) => {
                let pool = pool.clone();
                tokio::spawn(async move { jetbase::run(&set, &pool).await })
            }
            Hold::Postgres(_) | Hold::Mysql(_) => {
                tokio::spawn(async move { jetbase::run_url(&set, &url).await })
            }
        }
    }

    async fn end(self) -> TestResult {
        match self.hold {
            Hold::Postgres(connection) => connection.close().await?,
            Hold::Mysql(connection) => connection.close().await?,
            Hold::Sqlite(go_on, _) => drop(go_on),
        }
        Ok(())
    }
}

/// Waits until a query answers 1.
async fn until(db: &Database, sql: &str) -> TestResult {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match db.value(sql).await {
            Ok(Some(answer)) if answer == "1" => return Ok(()),
            _ if Instant::now() > deadline => {
                return Err(format!("`{sql}` was not answered with 1 in time").into());
            }
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn lock_inside_a_file(ctx: Context) -> TestResult {
    let endless = Endless::new(&ctx.db).await?;
    let text =
        format!("-- jetbase: lock_timeout=60s\nINSERT INTO a (id) VALUES (7);\n{};\n", endless.sql);
    let project = Project::with(&[V1, ("V2__long.sql", &text)])?;
    let set = set_of(&project)?;
    let run = endless.start(&set, &ctx.db);
    until(&ctx.db, "SELECT count(*) FROM jetbase_migrations").await?;
    tokio::time::sleep(Duration::from_millis(300)).await;

    let began = Instant::now();
    let output = project.python(&ctx.db, &["upgrade"]).await?.failed()?;
    match ctx.kind {
        // A file's transaction has the database for itself: the Python tool gives up after 5 s.
        Kind::Sqlite => assert!(output.contains("database is locked"), "{output:?}"),
        Kind::Postgres | Kind::Mysql => {
            assert!(output.contains(HELD), "{output:?}");
            assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
        }
    }
    let output = project.python(&ctx.db, &["lock-status"]).await?.succeeded()?;
    assert!(output.lines().contains(&"Status: LOCKED"), "{output:?}");
    assert!(!run.is_finished(), "the run did not wait for the test");
    let status = jetbase::lock_status(&set, DatabaseUrl(&ctx.db.url)).await?;
    assert_eq!((status.locked, status.alive), (true, Some(true)), "{status}");

    endless.end().await?;
    assert_eq!(run.await??.applied.len(), 2);
    assert!(theirs(&project, &ctx.db).await?.is_empty());
    assert_eq!(count(&ctx.db, "a").await?, "1");
    let output = project.python(&ctx.db, &["lock-status"]).await?.succeeded()?;
    assert!(output.lines().contains(&"Status: UNLOCKED"), "{output:?}");
    Ok(())
}

async fn never_robbed(ctx: Context) -> TestResult {
    let project = Project::with(&[V1])?;
    theirs(&project, &ctx.db).await?;
    project.write(V2.0, V2.1)?;
    let set = set_of(&project)?;
    let id = "0b8f4a62-5d3e-4c1b-9a77-2f60d1c3e84a";
    ctx.db
        .execute(&format!(
            "UPDATE jetbase_lock SET is_locked = TRUE, locked_at = CURRENT_TIMESTAMP, process_id = '{id}' WHERE id = 1"
        ))
        .await?;
    let lock = "SELECT is_locked, process_id, locked_at FROM jetbase_lock";
    let before = ctx.db.rows(lock).await?;
    for wait in [Wait::Never, Wait::UpTo(Duration::from_millis(200))] {
        let error =
            jetbase::run(&set, DatabaseUrl(&ctx.db.url)).wait(wait).await.expect_err("held");
        let ErrorKind::Held { holder, alive: None, since: Some(_), .. } = error.kind() else {
            return Err(error.into());
        };
        assert_eq!(*holder, format!("the Python tool (process {id})"));
        let error =
            jetbase::rollback(&set, DatabaseUrl(&ctx.db.url)).wait(wait).await.expect_err("held");
        assert!(matches!(error.kind(), ErrorKind::Held { .. }), "{error:#}");
    }
    assert_eq!(ctx.db.rows(lock).await?, before);
    let status = jetbase::lock_status(&set, DatabaseUrl(&ctx.db.url)).await?;
    assert_eq!(
        (status.locked, status.alive, status.process_id.as_deref()),
        (true, None, Some(id)),
        "{status}"
    );
    let unlocked = jetbase::unlock(&set, DatabaseUrl(&ctx.db.url)).await?;
    assert_eq!(
        unlocked.to_string(),
        format!("unlocked; it was held by the Python tool (process {id})")
    );
    let output = project.python(&ctx.db, &["lock-status"]).await?.succeeded()?;
    assert!(output.lines().contains(&"Status: UNLOCKED"), "{output:?}");
    assert_eq!(files(&ours(&project, &ctx.db).await?), ["V2__make_b.sql"]);
    Ok(())
}

async fn waits_for_python(ctx: Context) -> TestResult {
    let slow = match ctx.kind {
        Kind::Postgres => "SELECT pg_sleep(3);\n",
        Kind::Mysql => "SELECT SLEEP(3);\n",
        Kind::Sqlite => {
            "SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000000) SELECT i FROM n);\n"
        }
    };
    let text = format!("{slow}INSERT INTO a (id) VALUES (5);\n");
    let project = Project::with(&[V1])?;
    ours(&project, &ctx.db).await?;
    project.write("V2__slow.sql", &text)?;
    let set = set_of(&project)?;
    let (python, ours) = tokio::join!(theirs(&project, &ctx.db), async {
        until(&ctx.db, "SELECT CASE WHEN is_locked THEN 1 ELSE 0 END FROM jetbase_lock").await?;
        Ok::<_, Error>(jetbase::run(&set, DatabaseUrl(&ctx.db.url)).await?)
    });
    assert_eq!(python?, ["V2__slow.sql"]);
    let ours = ours?;
    assert!(ours.is_up_to_date(), "{ours}");
    assert!(ours.waited > Duration::ZERO, "{ours}");
    assert_eq!(count(&ctx.db, "a").await?, "1");
    assert_eq!(count(&ctx.db, "jetbase_migrations").await?, "2");
    Ok(())
}

async fn python_takes_over(ctx: Context) -> TestResult {
    let project = Project::with(&[V1, V1_1, V2, V3])?;
    let set = set_of(&project)?;
    let (mut halt, listen) = Halt::at(
        |event| matches!(event, Event::Finished { file, .. } if file == "V1_1__fill_a.sql"),
    );
    let (url, inner) = (ctx.db.url.clone(), set.clone());
    let run = tokio::spawn(async move { jetbase::run_url(&inner, &url).on_event(listen).await });
    halt.reached().await?;
    let output = project.python(&ctx.db, &["unlock"]).await?.succeeded()?;
    assert!(output.contains("Unlock successful."), "{output:?}");
    assert_eq!(theirs(&project, &ctx.db).await?, ["V2__make_b.sql", "V3__make_c.sql"]);
    halt.go_on()?;

    let error = run.await?.expect_err("the lock was taken away");
    let ErrorKind::LockLost { file, .. } = error.kind() else { return Err(error.into()) };
    assert_eq!(file.as_deref(), Some("V2__make_b.sql"));
    assert_eq!(files(error.report()), ["V1__make_a.sql", "V1_1__fill_a.sql"]);
    assert!(
        format!("{error:#}")
            .contains("done before this error, and kept: V1__make_a.sql, V1_1__fill_a.sql"),
        "{error:#}"
    );
    let rows =
        ctx.db.rows("SELECT version FROM jetbase_migrations ORDER BY order_executed").await?;
    assert_eq!(texts(&rows), [["1"], ["1.1"], ["2"], ["3"]]);
    assert_eq!(count(&ctx.db, "a").await?, "2");
    let lock = ctx.db.rows("SELECT is_locked, process_id FROM jetbase_lock").await?;
    assert_eq!(texts(&lock), [["0", "NULL"]]);
    assert!(ours(&project, &ctx.db).await?.is_up_to_date());
    Ok(())
}

/// What a database says about the two tables, apart from our index.
async fn definitions(db: &Database) -> Result<Rows, Error> {
    match db.kind {
        Kind::Postgres => {
            db.rows(
                "SELECT table_name, column_name, ordinal_position, data_type, character_maximum_length, \
                 datetime_precision, is_nullable, column_default, is_identity, identity_generation \
                 FROM information_schema.columns WHERE table_name LIKE 'jetbase%' \
                 UNION ALL SELECT conrelid::regclass::text, conname, 0, pg_get_constraintdef(oid), 0, 0, '', '', '', '' \
                 FROM pg_constraint WHERE conrelid::regclass::text LIKE 'jetbase%' \
                 UNION ALL SELECT tablename, indexname, 0, indexdef, 0, 0, '', '', '', '' FROM pg_indexes \
                 WHERE tablename LIKE 'jetbase%' AND indexname <> 'jetbase_migrations_version' \
                 UNION ALL SELECT relname, relkind::text, 0, '', 0, 0, '', '', '', '' FROM pg_class \
                 WHERE relname LIKE 'jetbase%' AND relname <> 'jetbase_migrations_version' ORDER BY 1, 2, 3",
            )
            .await
        }
        Kind::Mysql => {
            // `DATABASE()` differs between the two, so it is not among the columns.
            db.rows(
                "SELECT table_name, column_name, ordinal_position, column_type, is_nullable, column_default, extra, \
                 datetime_precision FROM information_schema.columns WHERE table_schema = DATABASE() \
                 UNION ALL SELECT table_name, index_name, seq_in_index, column_name, non_unique, '', '', '' \
                 FROM information_schema.statistics WHERE table_schema = DATABASE() \
                 AND index_name <> 'jetbase_migrations_version' \
                 UNION ALL SELECT table_name, constraint_name, 0, check_clause, '', '', '', '' \
                 FROM information_schema.check_constraints WHERE constraint_schema = DATABASE() \
                 UNION ALL SELECT table_name, engine, 0, table_collation, '', '', '', '' \
                 FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1, 2, 3",
            )
            .await
        }
        Kind::Sqlite => {
            let mut rows = db.rows("PRAGMA table_info(jetbase_migrations)").await?;
            rows.append(&mut db.rows("PRAGMA table_info(jetbase_lock)").await?);
            rows.append(
                &mut db
                    .rows(
                        "SELECT type, name, tbl_name, sql LIKE '%CHECK (id = 1)%', sql LIKE '%AUTOINCREMENT%' \
                         FROM sqlite_master WHERE name <> 'jetbase_migrations_version' AND name LIKE '%jetbase%' \
                         ORDER BY name",
                    )
                    .await?,
            );
            Ok(rows)
        }
    }
}

async fn equal_places(ctx: Context) -> TestResult {
    let project = Project::with(&[
        (
            "V01__zero_one.sql",
            "CREATE TABLE a (id INTEGER NOT NULL);\n-- rollback\nDROP TABLE a;\n",
        ),
        ("V1_2__under_scores__twice.sql", "INSERT INTO a (id) VALUES (1);\r\n"),
        (
            "deeper/V1.10__größe_日本.sql",
            "-- jetbase: delimiter=~\nINSERT INTO a (id)\n  VALUES (2)~\n",
        ),
        ("V20260101.120000___leading.sql", "-- nothing\n"),
        ("V20260102__v.5__dots.sql", "INSERT INTO a (id) VALUES (3);;\n"),
        ("RA__every time.sql", "DELETE FROM a WHERE id = 99;\n"),
        ("deeper/ROC__changed.sql", "DELETE FROM a WHERE id = 98;\n"),
    ])?;
    let other = ctx.another().await?;
    let report = ours(&project, &ctx.db).await?;
    assert_eq!(theirs(&project, &other).await?, files(&report));
    let rows = "SELECT order_executed, version, description, filename, migration_type, checksum \
                FROM jetbase_migrations ORDER BY order_executed";
    let rows = (ctx.db.rows(rows).await?, other.rows(rows).await?);
    assert_eq!(rows.0.len(), 7);
    assert_eq!(rows.0, rows.1);
    let lock = "SELECT id, is_locked, locked_at, process_id FROM jetbase_lock";
    assert_eq!(ctx.db.rows(lock).await?, other.rows(lock).await?);
    assert_eq!(definitions(&ctx.db).await?, definitions(&other).await?);
    // The stamps have one form, and are of the same hour.
    let stamp = "SELECT max(applied_at) FROM jetbase_migrations";
    let stamps = (ctx.db.value(stamp).await?, other.value(stamp).await?);
    let (Some(ours), Some(theirs)) = (&stamps.0, &stamps.1) else { return Err("no stamps".into()) };
    assert_eq!(ours.get(..10), theirs.get(..10));
    let length = if ctx.kind == Kind::Sqlite { 23 } else { 20 };
    assert!(ours.len() >= length && theirs.len() >= length, "{stamps:?}");
    Ok(())
}

async fn fast_migrations(ctx: Context) -> TestResult {
    let project = Project::with(&[V1])?;
    for number in 2..=40 {
        project.write(
            &format!("V{number}__fast.sql"),
            &format!("INSERT INTO a (id) VALUES ({number});\n"),
        )?;
    }
    assert_eq!(ours(&project, &ctx.db).await?.applied.len(), 40);
    let stamps =
        ctx.db.rows("SELECT applied_at FROM jetbase_migrations ORDER BY order_executed").await?;
    let stamps: Vec<_> = stamps.into_iter().flatten().collect();
    // The databases drop zeros at the end of a fraction: compare what was meant.
    let stamps: Vec<_> =
        stamps.iter().map(|it| format!("{:0<26}", it.as_deref().unwrap_or_default())).collect();
    let ties: Vec<_> = stamps.windows(2).filter(|pair| pair[0] >= pair[1]).collect();
    assert!(ties.is_empty(), "{ties:?}");
    let current = project.python(&ctx.db, &["current"]).await?.succeeded()?;
    assert!(current.lines().contains(&"Latest migration version: 40"), "{current:?}");
    let output = project.python(&ctx.db, &["rollback", "-c", "3"]).await?.succeeded()?;
    let undone =
        |line: &str| line.strip_prefix("Rollback applied successfully: ").map(str::to_owned);
    let undone: Vec<_> = output.lines().into_iter().filter_map(undone).collect();
    assert_eq!(undone, ["V40__fast.sql", "V39__fast.sql", "V38__fast.sql"]);
    Ok(())
}

async fn future_stamp(ctx: Context) -> TestResult {
    let project = Project::with(&[V1, V1_1])?;
    ours(&project, &ctx.db).await?;
    // A clock that went wrong, or a row of another zone.
    ctx.db.execute("UPDATE jetbase_migrations SET applied_at = '2037-06-01 12:00:00.000' WHERE version = '1.1'").await?;
    project.write(V2.0, V2.1)?;
    project.write(V3.0, V3.1)?;
    assert_eq!(ours(&project, &ctx.db).await?.applied.len(), 2);
    let current = project.python(&ctx.db, &["current"]).await?.succeeded()?;
    assert!(current.lines().contains(&"Latest migration version: 3"), "{current:?}");
    assert!(theirs(&project, &ctx.db).await?.is_empty());
    Ok(())
}

async fn zones(ctx: Context) -> TestResult {
    for zone in ["Asia/Tokyo", "America/New_York"] {
        for ours_first in [true, false] {
            let db = ctx.another().await?;
            db.execute(&format!("ALTER DATABASE {} SET timezone = '{zone}'", db.name)).await?;
            let project = Project::new()?;
            let mut turn = ours_first;
            for (number, (name, text)) in [V1, V2, V3].into_iter().enumerate() {
                project.write(name, text)?;
                if turn {
                    assert_eq!(files(&ours(&project, &db).await?), [name], "{zone}");
                    assert!(theirs(&project, &db).await?.is_empty(), "{zone}");
                } else {
                    assert_eq!(theirs(&project, &db).await?, [name], "{zone}");
                    assert!(ours(&project, &db).await?.is_up_to_date(), "{zone}");
                }
                let current = project.python(&db, &["current"]).await?.succeeded()?;
                let latest = format!("Latest migration version: {}", number + 1);
                assert!(current.lines().contains(&latest.as_str()), "{zone}: {current:?}");
                turn = !turn;
            }
            // Each stamp is one of the zone's clock, not of ours.
            let off = "SELECT count(*) FROM jetbase_migrations \
                       WHERE abs(extract(epoch FROM applied_at - localtimestamp)) > 600";
            let own = format!("SET TIME ZONE '{zone}'; {off}");
            let own = db.rows(&own).await?;
            assert_eq!(texts(&own).last(), Some(&vec!["0"]), "{zone}");
            assert_eq!(count(&db, "jetbase_migrations").await?, "3");
        }
    }
    Ok(())
}

async fn multi_line(ctx: Context) -> TestResult {
    let project = Project::with(&[(
        "V1__text.sql",
        "CREATE TABLE t (body VARCHAR(100));\nINSERT INTO t (body) VALUES ('one\n   two\n\n-- three\nfour');\n",
    )])?;
    let other = ctx.another().await?;
    ours(&project, &ctx.db).await?;
    theirs(&project, &other).await?;
    assert_eq!(
        ctx.db.value("SELECT body FROM t").await?.as_deref(),
        Some("one\n   two\n\n-- three\nfour")
    );
    assert_eq!(other.value("SELECT body FROM t").await?.as_deref(), Some("one two four"));
    let sum = "SELECT checksum FROM jetbase_migrations";
    assert_eq!(ctx.db.value(sum).await?, other.value(sum).await?);
    assert!(theirs(&project, &ctx.db).await?.is_empty());
    assert!(ours(&project, &other).await?.is_up_to_date());
    Ok(())
}

async fn recorded_once(ctx: Context) -> TestResult {
    let project = Project::with(&[V1])?;
    ours(&project, &ctx.db).await?;
    let again = "INSERT INTO jetbase_migrations (version, description, filename, migration_type, checksum) \
                 SELECT version, description, filename, migration_type, checksum FROM jetbase_migrations";
    assert!(ctx.db.execute(again).await.is_err(), "a version was recorded twice");
    // The Python tool's own tables are left as they are.
    let other = ctx.another().await?;
    theirs(&project, &other).await?;
    project.write(V2.0, V2.1)?;
    ours(&project, &other).await?;
    other.execute(&format!("{again} WHERE version = '1'")).await?;
    assert_eq!(count(&other, "jetbase_migrations").await?, "3");
    Ok(())
}

async fn colon(ctx: Context) -> TestResult {
    let text = "CREATE TABLE t (body VARCHAR(40));\nINSERT INTO t (body) VALUES ('{\"a\"\\:1} \\:name');\n";
    let project = Project::with(&[("V1__t.sql", text)])?;
    let folder = Folder::read(&project.migrations());
    let options = Options { reading: Reading::Python, ..Options::default() };
    jetbase::run(&Migrations::load(folder.files, options), DatabaseUrl(&ctx.db.url)).await?;
    let other = ctx.another().await?;
    project.python(&other, &["upgrade"]).await?.succeeded()?;
    let body = ctx.db.value("SELECT body FROM t").await?;
    assert_eq!(body.as_deref(), Some("{\"a\":1} :name"));
    assert_eq!(body, other.value("SELECT body FROM t").await?);
    Ok(())
}
