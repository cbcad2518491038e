//! Each tool respects the lock of the other one.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use jetbase::{DatabaseUrl, ErrorKind, Event, Migrations, Report, Wait};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection, MySqlConnection, PgConnection};

use super::{V1, V1_1, V2, V3, count, files, ours, set_of, texts, theirs};

pub(super) fn register(suite: &mut Suite) {
    let all = DatabaseKind::ALL;
    let python = Needs::PYTHON;
    suite.each("the_python_tool_sees_our_lock_between_two_files", all, python, lock_between_files);
    suite.each("the_python_tool_sees_our_lock_while_a_file_runs", all, python, lock_inside_a_file);
    suite.each("a_run_never_takes_the_lock_of_the_python_tool", all, python, never_takes_lock);
    suite.each("a_run_waits_for_the_python_tool", all, python, waits_for_python);
    suite.each(
        "a_run_stops_when_the_python_tool_releases_its_lock",
        all,
        python,
        python_releases_lock,
    );
}

/// Pauses a run at an event until the test continues it.
struct EventPause {
    reached: tokio::sync::mpsc::UnboundedReceiver<()>,
    continue_run: mpsc::Sender<()>,
}

impl EventPause {
    /// Returns the pause and the listener for `on_event`.
    fn at(
        matches: impl Fn(&Event) -> bool + Send + 'static,
    ) -> (EventPause, impl FnMut(&Event) + Send + 'static) {
        let (sender, reached) = tokio::sync::mpsc::unbounded_channel();
        let (continue_run, wait) = mpsc::channel();
        let listen = move |event: &Event| {
            if matches(event) {
                let _ = sender.send(());
                // The run also continues when the test ends.
                let _ = tokio::task::block_in_place(|| wait.recv());
            }
        };
        (EventPause { reached, continue_run }, listen)
    }

    async fn reached(&mut self) -> TestResult {
        self.reached.recv().await.ok_or_else(|| "the run ended before the event".into())
    }

    fn continue_run(&self) -> TestResult {
        Ok(self.continue_run.send(())?)
    }
}

const HELD: &str = "Migration lock is already held by another process.";

async fn lock_between_files(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1, V1_1, V2])?;
    let set = set_of(&project)?;
    let (mut pause, listen) =
        EventPause::at(|event| matches!(event, Event::Started { number: 2, .. }));
    let (url, inner) = (ctx.db.url.clone(), set.clone());
    let run = tokio::spawn(async move { jetbase::run_url(&inner, &url).on_event(listen).await });
    pause.reached().await?;

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
        jetbase::unlock(&set, DatabaseUrl(&ctx.db.url)).await.expect_err("the holder is alive");
    assert!(
        format!("{error:#}").contains("the holder is alive: wait until it is done, or end it"),
        "{error:#}"
    );

    pause.continue_run()?;
    assert_eq!(run.await??.applied.len(), 3);
    assert!(theirs(&project, &ctx.db).await?.is_empty());
    assert_eq!(count(&ctx.db, "a").await?, "2");
    Ok(())
}

/// A statement that runs until the test ends it.
struct BlockingStatement {
    sql: &'static str,
    blocker: BlockingSession,
}

/// What keeps the statement running.
enum BlockingSession {
    Postgres(PgConnection),
    Mysql(MySqlConnection),
    Sqlite(mpsc::Sender<()>, sqlx::SqlitePool),
}

impl BlockingStatement {
    async fn start(db: &Database) -> Result<BlockingStatement, TestError> {
        let (sql, blocker) = match db.kind {
            DatabaseKind::Postgres => {
                let mut connection = PgConnection::connect(&db.url).await?;
                sqlx::raw_sql("SELECT pg_advisory_lock(4711)").execute(&mut connection).await?;
                ("SELECT pg_advisory_xact_lock(4711)", BlockingSession::Postgres(connection))
            }
            DatabaseKind::Mysql => {
                // Named locks are for all databases of the server, so the name contains the database.
                let mut connection = MySqlConnection::connect(&db.url).await?;
                let sql = "SELECT GET_LOCK(CONCAT('blocking ', DATABASE()), 60)";
                sqlx::raw_sql(sql).execute(&mut connection).await?;
                (sql, BlockingSession::Mysql(connection))
            }
            DatabaseKind::Sqlite => {
                let (end, wait) = mpsc::channel::<()>();
                let wait = Arc::new(std::sync::Mutex::new(wait));
                let options: SqliteConnectOptions = db.url.parse()?;
                let options = options.collation("blocking", move |left, right| {
                    if let Ok(wait) = wait.lock() {
                        let _ = wait.recv();
                    }
                    left.cmp(right)
                });
                let pool = SqlitePoolOptions::new().connect_with(options).await?;
                ("SELECT 'a' < 'b' COLLATE blocking", BlockingSession::Sqlite(end, pool))
            }
        };
        Ok(BlockingStatement { sql, blocker })
    }

    /// Starts a run of files that contain the statement.
    fn run(
        &self,
        set: &Migrations,
        db: &Database,
    ) -> tokio::task::JoinHandle<Result<Report, jetbase::Error>> {
        let (set, url) = (set.clone(), db.url.clone());
        match &self.blocker {
            BlockingSession::Sqlite(_, pool) => {
                let pool = pool.clone();
                tokio::spawn(async move { jetbase::run(&set, &pool).await })
            }
            BlockingSession::Postgres(_) | BlockingSession::Mysql(_) => {
                tokio::spawn(async move { jetbase::run_url(&set, &url).await })
            }
        }
    }

    async fn end(self) -> TestResult {
        match self.blocker {
            BlockingSession::Postgres(connection) => connection.close().await?,
            BlockingSession::Mysql(connection) => connection.close().await?,
            BlockingSession::Sqlite(end, _) => drop(end),
        }
        Ok(())
    }
}

/// Waits until a query returns 1.
async fn wait_until(db: &Database, sql: &str) -> TestResult {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match db.value(sql).await {
            Ok(Some(value)) if value == "1" => return Ok(()),
            _ if Instant::now() > deadline => {
                return Err(format!("`{sql}` did not return 1 in time").into());
            }
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn lock_inside_a_file(ctx: TestContext) -> TestResult {
    let statement = BlockingStatement::start(&ctx.db).await?;
    let text = format!(
        "-- jetbase: lock_timeout=60s\nINSERT INTO a (id) VALUES (7);\n{};\n",
        statement.sql
    );
    let project = PythonProject::with(&[V1, ("V2__long.sql", &text)])?;
    let set = set_of(&project)?;
    let run = statement.run(&set, &ctx.db);
    wait_until(&ctx.db, "SELECT count(*) FROM jetbase_migrations").await?;
    tokio::time::sleep(Duration::from_millis(300)).await;

    let began = Instant::now();
    let output = project.python(&ctx.db, &["upgrade"]).await?.failed()?;
    match ctx.kind {
        // The transaction of the file locks the whole database. The Python tool fails after 5 s.
        DatabaseKind::Sqlite => assert!(output.contains("database is locked"), "{output:?}"),
        DatabaseKind::Postgres | DatabaseKind::Mysql => {
            assert!(output.contains(HELD), "{output:?}");
            assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
        }
    }
    let output = project.python(&ctx.db, &["lock-status"]).await?.succeeded()?;
    assert!(output.lines().contains(&"Status: LOCKED"), "{output:?}");
    assert!(!run.is_finished(), "the statement ended too soon");
    let status = jetbase::lock_status(&set, DatabaseUrl(&ctx.db.url)).await?;
    assert_eq!((status.locked, status.alive), (true, Some(true)), "{status}");

    statement.end().await?;
    assert_eq!(run.await??.applied.len(), 2);
    assert!(theirs(&project, &ctx.db).await?.is_empty());
    assert_eq!(count(&ctx.db, "a").await?, "1");
    let output = project.python(&ctx.db, &["lock-status"]).await?.succeeded()?;
    assert!(output.lines().contains(&"Status: UNLOCKED"), "{output:?}");
    Ok(())
}

async fn never_takes_lock(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1])?;
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

async fn waits_for_python(ctx: TestContext) -> TestResult {
    let slow = match ctx.kind {
        DatabaseKind::Postgres => "SELECT pg_sleep(3);\n",
        DatabaseKind::Mysql => "SELECT SLEEP(3);\n",
        DatabaseKind::Sqlite => {
            "SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000000) SELECT i FROM n);\n"
        }
    };
    let text = format!("{slow}INSERT INTO a (id) VALUES (5);\n");
    let project = PythonProject::with(&[V1])?;
    ours(&project, &ctx.db).await?;
    project.write("V2__slow.sql", &text)?;
    let set = set_of(&project)?;
    let (python, ours) = tokio::join!(theirs(&project, &ctx.db), async {
        wait_until(&ctx.db, "SELECT CASE WHEN is_locked THEN 1 ELSE 0 END FROM jetbase_lock")
            .await?;
        Ok::<_, TestError>(jetbase::run(&set, DatabaseUrl(&ctx.db.url)).await?)
    });
    assert_eq!(python?, ["V2__slow.sql"]);
    let ours = ours?;
    assert!(ours.is_up_to_date(), "{ours}");
    assert!(ours.waited > Duration::ZERO, "{ours}");
    assert_eq!(count(&ctx.db, "a").await?, "1");
    assert_eq!(count(&ctx.db, "jetbase_migrations").await?, "2");
    Ok(())
}

async fn python_releases_lock(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1, V1_1, V2, V3])?;
    let set = set_of(&project)?;
    let (mut pause, listen) = EventPause::at(
        |event| matches!(event, Event::Finished { file, .. } if file == "V1_1__fill_a.sql"),
    );
    let (url, inner) = (ctx.db.url.clone(), set.clone());
    let run = tokio::spawn(async move { jetbase::run_url(&inner, &url).on_event(listen).await });
    pause.reached().await?;
    let output = project.python(&ctx.db, &["unlock"]).await?.succeeded()?;
    assert!(output.contains("Unlock successful."), "{output:?}");
    assert_eq!(theirs(&project, &ctx.db).await?, ["V2__make_b.sql", "V3__make_c.sql"]);
    pause.continue_run()?;

    let error = run.await?.expect_err("the lock was released");
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
