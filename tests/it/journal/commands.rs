//! The commands that show the journal, clear it, or go on where the caller says.

use jetbase::{DatabaseUrl, ErrorKind, JournalError, Readiness, Wait};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, PythonProject, Suite, TestContext, TestResult,
};

use super::{SHOP, alone, interrupt, journal_error, journal_rows};
use crate::apply::set;
use crate::tool::tool;

pub(super) fn register(suite: &mut Suite) {
    let (all, nothing) = (DatabaseKind::ALL, Needs::NOTHING);
    suite.each("the_journal_shows_an_unfinished_file_and_forgets_it", all, nothing, clears);
    suite.each("the_tool_shows_an_unfinished_file", all, nothing, shows);
    suite.each("the_tool_clears_the_journal", all, nothing, tool_clears);
    suite.each("the_tool_resumes_where_the_caller_says", all, nothing, resumes);
    suite.each(
        "the_tool_asks_after_its_session_was_killed",
        DatabaseKind::SERVERS,
        nothing,
        session_killed,
    );
    suite.each("the_tool_refuses_a_wrong_place_to_resume", all, nothing, refuses_places);
    suite.each("the_tool_resumes_a_rollback_where_the_caller_says", all, nothing, rollback);
    suite.each("commands_refuse_while_a_file_is_unfinished", all, nothing, refuses);
}

const FIRST: (&str, &str) =
    ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n-- rollback\nDROP TABLE a;\n");

/// What the library says about `V2__shop.sql` after its fifth statement has failed.
const STATE: &str = "V2__shop.sql is unfinished: its first 4 statements are permanent";

/// Forgetting is for a person who has undone the statements by hand.
async fn clears(ctx: TestContext) -> TestResult {
    let (db, target) = (&ctx.db, || DatabaseUrl(&ctx.db.url));
    let broken = alone(ctx.kind, SHOP);
    let files = set(&[FIRST, ("V2__shop.sql", &broken)]);
    assert_eq!(jetbase::journal(&files, target()).await?.to_string(), "no file is unfinished");
    jetbase::run_url(&files, &db.url).await.expect_err("it exists");

    let found = jetbase::journal(&files, target()).await?;
    assert_eq!(found.to_string(), format!("{STATE}; run `jetbase upgrade` to go on"));
    let [unfinished] = found.files.as_slice() else { panic!("{found}") };
    assert_eq!((unfinished.done, unfinished.in_doubt), (4, None));
    let lock = jetbase::lock_status(&files, target()).await?;
    assert_eq!(lock.unfinished, found.files);
    assert!(!lock.locked, "{lock}");
    assert_eq!(jetbase::status(&files, target()).await?.unfinished, found.files);
    match jetbase::check(&files, target()).await? {
        Readiness::Behind { unfinished, .. } => assert_eq!(unfinished, found.files),
        other => panic!("{other}"),
    }

    for file in ["V1__a.sql", "V9__nothing.sql", "shop"] {
        let error = jetbase::clear_journal(&files, target(), file).await.expect_err("no rows");
        let expected = format!(
            "the journal has no rows about {file}; run `jetbase journal` to see which files are unfinished"
        );
        assert_eq!(format!("{error:#}"), expected);
    }
    assert_eq!(journal_rows(db).await?, 4);
    for table in ["shop", "item"] {
        db.execute(&format!("DROP TABLE {table}")).await?;
    }
    let cleared = jetbase::clear_journal(&files, target(), "V2__shop.sql").await?;
    assert_eq!(cleared, *unfinished);
    assert_eq!(journal_rows(db).await?, 0);
    crate::bad_input::lock_is_free(db).await?;
    assert!(jetbase::journal(&files, target()).await?.files.is_empty());
    // The next run begins the file again.
    let fifth = "CREATE TABLE shop (id INTEGER);\nINSERT INTO item";
    let corrected =
        alone(ctx.kind, &SHOP.replace(fifth, "CREATE TABLE store (id INTEGER);\nINSERT INTO item"));
    let files = set(&[FIRST, ("V2__shop.sql", &corrected)]);
    jetbase::run_url(&files, &db.url).await?;
    for (table, rows) in [("store", "0"), ("shop", "1"), ("item", "2")] {
        let count = db.value(&format!("SELECT count(*) FROM {table}")).await?;
        assert_eq!(count.as_deref(), Some(rows), "{table}");
    }
    Ok(())
}

/// A project whose second file fails at its fifth statement.
async fn unfinished_project(
    db: &Database,
) -> Result<PythonProject, jetbase_test_harness::TestError> {
    let broken = alone(db.kind, SHOP);
    let project = PythonProject::with(&[FIRST, ("V2__shop.sql", &broken)])?;
    let run = tool(&project, &db.url, &["upgrade"]).await?;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("statement 5 of 6 failed"), "{}", run.stderr);
    Ok(project)
}

async fn shows(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let project = unfinished_project(db).await?;
    let sentence = format!("{STATE}; run `jetbase upgrade` to go on");
    let commands = [("status", 0), ("check", 10), ("lock-status", 0), ("journal", 0)];
    for (command, code) in commands {
        let run = tool(&project, &db.url, &[command]).await?;
        let said = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.code, Some(code), "{command}: {said}");
        assert!(said.contains(&sentence), "{command}: {said}");
        let json = tool(&project, &db.url, &[command, "--json"]).await?.json()?;
        let expected = serde_json::json!([{
            "file": "V2__shop.sql", "direction": "upgrade", "done": 4, "in_doubt": null,
            "leftover": null, "message": sentence,
        }]);
        assert_eq!(json["unfinished"], expected, "{command}: {json}");
    }
    // The table of `status` says it too.
    let status = tool(&project, &db.url, &["status"]).await?;
    let row = status.stdout.lines().find(|line| line.contains("V2__shop.sql"));
    assert!(row.is_some_and(|row| row.contains("unfinished")), "{}", status.stdout);
    let json = tool(&project, &db.url, &["check", "--json"]).await?.json()?;
    assert_eq!(json["state"], "behind", "{json}");
    Ok(())
}

async fn tool_clears(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let project = unfinished_project(db).await?;
    let run = tool(&project, &db.url, &["journal", "clear", "V1__a.sql"]).await?;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let refused = "The journal has no rows about V1__a.sql; run `jetbase journal` to see which files are unfinished.";
    assert!(run.stderr.contains(refused), "{}", run.stderr);
    // Somebody else is migrating.
    db.execute("UPDATE jetbase_lock SET is_locked = TRUE, locked_at = CURRENT_TIMESTAMP, process_id = 'other'")
        .await?;
    let clear = ["journal", "clear", "V2__shop.sql"];
    let run = tool(&project, &db.url, &[&clear[..], &["--no-wait"]].concat()).await?;
    assert_eq!(run.code, Some(12), "{}", run.stderr);
    assert_eq!(journal_rows(db).await?, 4);
    db.execute("UPDATE jetbase_lock SET is_locked = FALSE, locked_at = NULL, process_id = NULL")
        .await?;
    let run = tool(&project, &db.url, &[&clear[..], &["--json"]].concat()).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let json = run.json()?;
    assert_eq!(json["unfinished"][0]["file"], "V2__shop.sql", "{json}");
    assert_eq!(journal_rows(db).await?, 0);
    let run = tool(&project, &db.url, &["journal"]).await?;
    assert_eq!(run.stdout.trim_end(), "No file is unfinished.");
    // The next run begins it again, and says so truly.
    let run = tool(&project, &db.url, &["upgrade"]).await?;
    assert!(run.stderr.contains("statement 1 of 6 failed"), "{}", run.stderr);
    assert!(run.stderr.contains("nothing of this file was kept"), "{}", run.stderr);
    let run = tool(&project, &db.url, &clear).await?;
    assert_eq!(run.code, Some(1), "nothing is unfinished: {}", run.stdout);
    for table in ["shop", "item"] {
        db.execute(&format!("DROP TABLE {table}")).await?;
    }
    tool(&project, &db.url, &["upgrade"]).await?;
    let run = tool(&project, &db.url, &clear).await?;
    assert_eq!(
        run.stdout.trim_end(),
        "Removed V2__shop.sql from the journal. The next run begins it again."
    );
    Ok(())
}

/// A statement of which the database does not show whether it has taken effect. It is invalid, so its
/// file stops there, and a row of the journal makes it an interrupted one.
const fn hidden(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::Mysql => "ALTER TABLE a ADD CHECK (missing > 0)",
        DatabaseKind::Postgres => "CALL missing()",
        DatabaseKind::Sqlite => "UPDATE missing SET id = 1",
    }
}

/// A file whose second statement is in doubt.
async fn in_doubt(
    db: &Database,
) -> Result<(PythonProject, String), jetbase_test_harness::TestError> {
    let text =
        format!("CREATE TABLE a (id INTEGER);\n{};\nINSERT INTO a VALUES (1);\n", hidden(db.kind));
    let text = alone(db.kind, &text);
    interrupt(db, &set(&[("V1__a.sql", &text)]), hidden(db.kind)).await?;
    Ok((PythonProject::with(&[("V1__a.sql", &text)])?, text))
}

async fn resumes(ctx: TestContext) -> TestResult {
    // The statement has taken effect, or it is executed again after it was corrected.
    for (option, number) in [("--resume-after", "2"), ("--resume-at", "3"), ("--resume-at", "2")] {
        let db = &ctx.another().await?;
        let (project, text) = in_doubt(db).await?;
        let run = tool(&project, &db.url, &["upgrade"]).await?;
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        for part in [
            "V1__a.sql:",
            "statement 2 (executed at ",
            "is in doubt",
            "jetbase upgrade --resume-after 2",
        ] {
            assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
        }
        let shown = tool(&project, &db.url, &["journal"]).await?;
        assert_eq!(
            shown.stdout.trim_end(),
            "V1__a.sql is unfinished: its first statement is permanent, and statement 2 may have taken effect, \
             because its run was interrupted; run `jetbase upgrade` to go on."
        );
        let json = tool(&project, &db.url, &["journal", "--json"]).await?.json()?;
        assert_eq!(json["unfinished"][0]["in_doubt"], 2, "{json}");
        let is_executed = (option, number) == ("--resume-at", "2");
        if is_executed {
            let run = tool(&project, &db.url, &["upgrade", option, number]).await?;
            assert!(run.stderr.contains("statement 2 of 3 failed"), "{}", run.stderr);
            project
                .write("V1__a.sql", &text.replace(hidden(ctx.kind), "INSERT INTO a VALUES (7)"))?;
        }
        let run = tool(&project, &db.url, &["upgrade", option, number]).await?;
        assert_eq!(run.code, Some(0), "{option} {number}: {}", run.stderr);
        let rows = if is_executed { "2" } else { "1" };
        assert_eq!(db.value("SELECT count(*) FROM a").await?.as_deref(), Some(rows));
        assert_eq!(journal_rows(db).await?, 0);
    }
    Ok(())
}

/// The session ends while a procedure runs that has committed something.
async fn session_killed(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    db.execute("CREATE TABLE started (id INTEGER)").await?;
    let (procedure, sleeping) = match ctx.kind {
        DatabaseKind::Postgres => (
            "CREATE PROCEDURE slow() LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO started VALUES (1); COMMIT; PERFORM pg_sleep(600); END $$",
            "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()",
        ),
        _ => (
            "CREATE PROCEDURE slow() BEGIN INSERT INTO started VALUES (1); DO SLEEP(600); END",
            "SELECT id FROM information_schema.processlist WHERE state = 'User sleep' AND db = DATABASE()",
        ),
    };
    db.execute(procedure).await?;
    let text = "CREATE TABLE a (id INTEGER);\nCALL slow();\nINSERT INTO a VALUES (1);\n";
    let project = PythonProject::with(&[("V1__a.sql", &alone(ctx.kind, text))])?;
    let kill = async {
        for _ in 0..1200 {
            if let Some(id) = db.rows(sleeping).await?.concat().into_iter().flatten().next() {
                let kill = match ctx.kind {
                    DatabaseKind::Postgres => format!("SELECT pg_terminate_backend({id})"),
                    _ => format!("KILL {id}"),
                };
                return db.execute(&kill).await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Err("the procedure has not slept within a minute".into())
    };
    let upgrade = ["upgrade"];
    let (run, killed) = tokio::join!(tool(&project, &db.url, &upgrade), kill);
    killed?;
    let run = run?;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("its first statement is permanent"), "{}", run.stderr);
    assert!(run.stderr.contains("statement 2 may have taken effect"), "{}", run.stderr);
    for _ in 0..2 {
        let run = tool(&project, &db.url, &["upgrade"]).await?;
        assert!(run.stderr.contains("statement 2 (executed at "), "{}", run.stderr);
        assert!(run.stderr.contains("`jetbase upgrade --resume-after 2`"), "{}", run.stderr);
        assert_eq!(run.code, Some(1));
    }
    let run = tool(&project, &db.url, &["upgrade", "--resume-after", "2"]).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for table in ["started", "a"] {
        let count = db.value(&format!("SELECT count(*) FROM {table}")).await?;
        assert_eq!(count.as_deref(), Some("1"), "{table}");
    }
    assert_eq!(journal_rows(db).await?, 0);
    crate::bad_input::lock_is_free(db).await
}

async fn refuses_places(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let (project, _) = in_doubt(db).await?;
    let before = db.rows("SELECT * FROM jetbase_journal ORDER BY statement").await?;
    let none = "V1__a.sql has 3 statements in this section; name the number of one of them";
    let refused: [(&[&str], i32, &str); 6] = [
        (&["--resume-after", "4"], 1, none),
        (&["--resume-at", "5"], 1, none),
        (&["--resume-at", "18446744073709551615"], 1, none),
        (&["--resume-at", "0"], 2, "--resume-at"),
        (&["--resume-after", "two"], 2, "--resume-after"),
        (&["--resume-after", "1", "--resume-at", "2"], 2, "cannot be used with"),
    ];
    for (arguments, code, said) in refused {
        let run = tool(&project, &db.url, &[&["upgrade"], arguments].concat()).await?;
        assert_eq!(run.code, Some(code), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{arguments:?}: {}", run.stderr);
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        let rows = db.rows("SELECT * FROM jetbase_journal ORDER BY statement").await?;
        assert_eq!(rows, before, "{arguments:?}");
    }
    // It is the upgrade that is unfinished, not a rollback.
    let run = tool(&project, &db.url, &["rollback", "--yes", "--resume-after", "2"]).await?;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("V1__a.sql is unfinished"), "{}", run.stderr);
    assert_eq!(tool(&project, &db.url, &["upgrade", "--resume-after", "3"]).await?.code, Some(0));
    for option in ["--resume-after", "--resume-at"] {
        let run = tool(&project, &db.url, &["upgrade", option, "1"]).await?;
        let nothing = "No file is unfinished, so there is nothing to resume; run again without it.";
        assert!(run.stderr.contains(nothing), "{}", run.stderr);
        assert_eq!(run.code, Some(1));
    }
    Ok(())
}

async fn rollback(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let text = |second: &str| {
        let up = "CREATE TABLE a (id INTEGER);\nCREATE TABLE b (id INTEGER);\n-- rollback\n";
        alone(ctx.kind, &format!("{up}DROP TABLE a;\n{second};\nDROP TABLE b;\n"))
    };
    let project = PythonProject::with(&[("V1__a.sql", &text("DROP TABLE missing"))])?;
    assert_eq!(tool(&project, &db.url, &["upgrade"]).await?.code, Some(0));
    let run = tool(&project, &db.url, &["rollback", "--yes"]).await?;
    assert!(run.stderr.contains("statement 2 of 3 failed"), "{}", run.stderr);
    let shown = tool(&project, &db.url, &["journal"]).await?;
    assert_eq!(
        shown.stdout.trim_end(),
        "The rollback of V1__a.sql is unfinished: its first statement is permanent; run `jetbase rollback` to go on."
    );
    let json = tool(&project, &db.url, &["status", "--json"]).await?.json()?;
    assert_eq!(json["unfinished"][0]["direction"], "rollback", "{json}");
    let run = tool(&project, &db.url, &["rollback", "--yes", "--resume-after", "4"]).await?;
    assert!(run.stderr.contains("V1__a.sql has 3 statements"), "{}", run.stderr);
    let run = tool(&project, &db.url, &["upgrade", "--resume-after", "2"]).await?;
    assert!(run.stderr.contains("rollback of V1__a.sql is unfinished"), "{}", run.stderr);
    assert_ne!(run.code, Some(0));
    let run = tool(&project, &db.url, &["rollback", "--yes", "--resume-after", "2"]).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for table in ["a", "b"] {
        db.rows(&format!("SELECT * FROM {table}")).await.expect_err("it is dropped");
    }
    assert_eq!(journal_rows(db).await?, 0);
    Ok(())
}

async fn refuses(ctx: TestContext) -> TestResult {
    let (db, target) = (&ctx.db, || DatabaseUrl(&ctx.db.url));
    let project = unfinished_project(db).await?;
    let tables = async || -> Result<_, jetbase_test_harness::TestError> {
        let journal = db.rows("SELECT * FROM jetbase_journal ORDER BY statement").await?;
        Ok((journal, db.rows("SELECT * FROM jetbase_migrations").await?))
    };
    let before = tables().await?;
    let commands: [&[&str]; 5] = [
        &["rollback", "--yes"],
        &["rollback", "--all", "--yes"],
        &["redo", "--yes"],
        &["fix-files", "--yes"],
        &["fix-checksums", "--yes"],
    ];
    for command in commands {
        let run = tool(&project, &db.url, command).await?;
        assert_eq!(run.code, Some(1), "{command:?}: {}{}", run.stdout, run.stderr);
        let remedy = format!(
            "{STATE}; run `jetbase upgrade` to finish it first, or undo its statements by hand and run `jetbase journal \
             clear V2__shop.sql`"
        );
        assert!(run.stderr.contains(&remedy), "{command:?}: {}", run.stderr);
        assert!(tables().await? == before, "{command:?} has changed a table");
        let json = tool(&project, &db.url, &[command, &["--json"]].concat()).await?.json()?;
        assert_eq!(json["error"]["kind"], "unfinished", "{command:?}: {json}");
        crate::bad_input::lock_is_free(db).await?;
    }
    let broken = alone(ctx.kind, SHOP);
    let files = set(&[FIRST, ("V2__shop.sql", &broken)]);
    let error =
        jetbase::redo(&files, target()).wait(Wait::Never).await.expect_err("V2 is unfinished");
    assert!(matches!(journal_error(&error), JournalError::Unfinished(_)), "{error:#}");
    assert!(matches!(error.kind(), ErrorKind::Journal(_)));
    assert!(tables().await? == before);
    Ok(())
}
