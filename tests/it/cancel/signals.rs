//! Two and three signals to the program `jetbase`.

use std::process::Stdio;

use jetbase::DatabaseUrl;
use jetbase_test_harness::{
    DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

use super::{effects, endless, file, until};
use crate::apply::set;
use crate::bad_input::lock_is_free;
use crate::tool::{tool, tool_command};

pub(super) fn register(suite: &mut Suite) {
    let (all, nothing) = (DatabaseKind::ALL, Needs::NOTHING);
    suite.each("the_second_signal_cancels_the_statement", all, nothing, second);
    suite.each("the_third_signal_ends_the_process", &[DatabaseKind::Postgres], nothing, third);
}

/// A running `jetbase upgrade`.
struct Upgrade {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Upgrade {
    async fn start(project: &PythonProject, url: &str) -> Result<Self, TestError> {
        let mut command = tool_command(project, url, &["upgrade"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let stderr = BufReader::new(child.stderr.take().ok_or("no standard error")?);
        Ok(Upgrade { child, stderr })
    }

    async fn line(&mut self) -> Result<String, TestError> {
        let mut line = String::new();
        self.stderr.read_line(&mut line).await?;
        Ok(line)
    }

    async fn signal(&self, signal: &str) -> TestResult {
        let id = self.child.id().ok_or("it has ended")?.to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await?.success());
        Ok(())
    }

    /// Returns the rest of its output, and its exit code.
    async fn end(mut self) -> Result<(String, Option<i32>), TestError> {
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).await?;
        Ok((rest, self.child.wait().await?.code()))
    }
}

async fn second(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    for (signal, again, code) in
        [("-INT", "Press Ctrl-C again", 130), ("-TERM", "Send the signal again", 143)]
    {
        let text = format!("-- jetbase: transaction=off\n{}", file(endless(ctx.kind)));
        let project = PythonProject::with(&[("V1__e.sql", &text)])?;
        let mut upgrade = Upgrade::start(&project, &db.url).await?;
        assert_eq!(upgrade.line().await?, "Starting migrations...\n");
        // The second row of a file on SQLite is committed before its third statement begins.
        until_committed(&ctx).await?;
        upgrade.signal(signal).await?;
        assert_eq!(
            upgrade.line().await?,
            format!("Stopping after the current migration. {again} to cancel its statement.\n")
        );
        upgrade.signal(signal).await?;
        assert_eq!(
            upgrade.line().await?,
            format!(
                "Cancelling the statement. {again} to end this process at once, which leaves the statement to the \
                 database.\n"
            )
        );
        let (rest, ended) = upgrade.end().await?;
        assert_eq!(ended, Some(code), "{rest}");
        let cancelled =
            "V1__e.sql:4:1: statement 3 of 4 was cancelled, because the run was asked to stop";
        assert!(rest.contains(cancelled), "{rest}");
        let kept =
            "its first 2 statements are permanent: run again, and the run goes on at statement 3";
        assert!(rest.to_lowercase().contains(kept), "{rest}");
        assert_eq!(effects(db).await?, [true, true, false]);
        lock_is_free(db).await?;
        // With a statement that ends, the file is finished. Then it begins again.
        project.write("V1__e.sql", &text.replace(endless(ctx.kind), "SELECT 1"))?;
        assert_eq!(tool(&project, &db.url, &["upgrade"]).await?.code, Some(0));
        assert_eq!(effects(db).await?, [true; 3]);
        db.execute("DELETE FROM jetbase_migrations").await?;
        db.execute("DROP TABLE e").await?;
    }
    Ok(())
}

async fn until_committed(ctx: &TestContext) -> TestResult {
    if ctx.kind == DatabaseKind::Sqlite {
        let row = "SELECT count(*) FROM e WHERE id = 1";
        for _ in 0..1200 {
            if ctx.db.value(row).await.ok().flatten().as_deref() == Some("1") {
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        return Err("the third statement has not begun".into());
    }
    super::until_it_sleeps(&ctx.db, None).await
}

async fn third(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let stubborn = "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(600);
                    EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$";
    let text = file(stubborn);
    let project = PythonProject::with(&[("V1__e.sql", &text)])?;
    let mut upgrade = Upgrade::start(&project, &db.url).await?;
    assert_eq!(upgrade.line().await?, "Starting migrations...\n");
    super::until_it_sleeps(db, None).await?;
    for _ in 0..2 {
        upgrade.signal("-INT").await?;
        upgrade.line().await?;
    }
    upgrade.signal("-INT").await?;
    let (rest, ended) = upgrade.end().await?;
    assert_eq!((rest.as_str(), ended), ("", Some(130)));
    // The server goes on with the statement until somebody ends its session.
    db.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE wait_event = 'PgSleep' AND datname = current_database()",
    )
    .await?;
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
    until(db, sessions, "0").await?;
    let mended = set(&[("V1__e.sql", &file("SELECT 1"))]);
    jetbase::run(&mended, DatabaseUrl(&db.url)).await?;
    assert_eq!(effects(db).await?, [true; 3]);
    Ok(())
}
