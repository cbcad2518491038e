//! `doctor` on the real databases.

use std::future::IntoFuture;

use jetbase::{
    DatabaseUrl, Diagnosis, Diagnostic, DiagnosticLevel, Migrations, Published, run_url,
};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
};
use sqlx::Connection as _;

use crate::apply::set;
use crate::bad_input::rights::{drop_user, user};
use crate::run_in_progress::{notify_at_start, slow};
use crate::tool::tool;

pub(crate) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    let postgres = &[DatabaseKind::Postgres];
    let all = DatabaseKind::ALL;
    suite.each("the_doctor_writes_nothing", all, nothing, writes_nothing);
    suite.each("the_doctor_finds_nothing_wrong_after_a_run", all, nothing, healthy);
    suite.each("the_doctor_lists_files_that_a_run_refuses", all, nothing, refused_files);
    suite.each("the_doctor_names_a_holder_that_is_alive", all, nothing, living_holder);
    suite.each("the_doctor_proposes_a_missing_index", all, Needs::PYTHON, missing_index);
    let servers = DatabaseKind::SERVERS;
    suite.each("the_doctor_proposes_the_missing_rights", servers, nothing, missing_rights);
    suite.each("the_doctor_examines_a_borrowed_connection", postgres, nothing, borrowed);
    suite.each("the_doctor_finds_a_publication", postgres, nothing, publication);
    suite.each("the_doctor_finds_row_level_security", postgres, nothing, row_security);
    suite.each("the_doctor_finds_a_schema_that_is_missing", servers, nothing, missing_schema);
    suite.each("the_command_doctor_prints_a_table_and_an_object", all, nothing, command);
}

const A: (&str, &str) = ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n");
const B: (&str, &str) = ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n");

async fn examine(set: &Migrations, url: &str) -> Result<Diagnosis, TestError> {
    Ok(jetbase::doctor(set, DatabaseUrl(url)).await?)
}

/// Returns the line about a subject.
fn line<'d>(diagnosis: &'d Diagnosis, subject: &str) -> Result<&'d Diagnostic, TestError> {
    let line = diagnosis.diagnostics.iter().find(|line| line.subject == subject);
    Ok(line.ok_or_else(|| format!("no line about {subject}: {diagnosis}"))?)
}

/// Returns the subjects of the lines that are not good.
fn not_good(diagnosis: &Diagnosis) -> Vec<(&str, DiagnosticLevel)> {
    let lines = diagnosis.diagnostics.iter().filter(|line| line.level != DiagnosticLevel::Good);
    lines.map(|line| (line.subject, line.level)).collect()
}

/// Returns the names of all tables, and for SQLite the names of the files.
async fn everything(db: &Database) -> Result<Vec<String>, TestError> {
    let tables = match db.kind {
        DatabaseKind::Sqlite => "SELECT name FROM sqlite_master ORDER BY 1".to_owned(),
        DatabaseKind::Postgres => "SELECT relname::text FROM pg_class WHERE relnamespace = \
             'public'::regnamespace ORDER BY 1"
            .to_owned(),
        DatabaseKind::Mysql => format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '{}' ORDER BY 1",
            db.name
        ),
    };
    let rows = db.rows(&tables).await?;
    let mut names: Vec<_> = rows.into_iter().flatten().flatten().collect();
    if db.kind == DatabaseKind::Sqlite {
        let folder = std::path::Path::new(&db.name).parent().ok_or("a folder")?;
        for entry in std::fs::read_dir(folder)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

async fn writes_nothing(ctx: TestContext) -> TestResult {
    ctx.db.execute("CREATE TABLE mine (id INTEGER)").await?;
    let before = everything(&ctx.db).await?;
    let diagnosis = examine(&set(&[A]), &ctx.db.url).await?;
    assert!(!diagnosis.has_blocker(), "{diagnosis}");
    assert_eq!(
        line(&diagnosis, "tables")?.message,
        "there are none yet; the first run creates them"
    );
    assert_eq!(line(&diagnosis, "history")?.message, "0 applied, 1 pending");
    assert_eq!(everything(&ctx.db).await?, before);
    Ok(())
}

async fn healthy(ctx: TestContext) -> TestResult {
    run_url(&set(&[A]), &ctx.db.url).await?;
    let diagnosis = examine(&set(&[A, B]), &ctx.db.url).await?;
    assert_eq!(not_good(&diagnosis), [], "{diagnosis}");
    assert_eq!(line(&diagnosis, "history")?.message, "1 applied, 1 pending");
    assert_eq!(line(&diagnosis, "lock")?.message, "free");
    let liveness = match ctx.kind {
        DatabaseKind::Postgres => "a session advisory lock proves that a run is alive",
        DatabaseKind::Mysql => "GET_LOCK proves that a run is alive",
        DatabaseKind::Sqlite => ".jetbase-lock proves that a run is alive",
    };
    assert!(line(&diagnosis, "liveness")?.message.ends_with(liveness), "{diagnosis}");
    assert!(line(&diagnosis, "server")?.message.contains(char::is_numeric), "{diagnosis}");
    if ctx.kind != DatabaseKind::Sqlite {
        let limits = &line(&diagnosis, "limits")?.message;
        assert!(limits.ends_with(" connections are in use"), "{diagnosis}");
    }
    Ok(())
}

async fn refused_files(ctx: TestContext) -> TestResult {
    run_url(&set(&[A]), &ctx.db.url).await?;
    let changed = set(&[("V1__a.sql", "CREATE TABLE a (id BIGINT);\n")]);
    let diagnosis = examine(&changed, &ctx.db.url).await?;
    let history = line(&diagnosis, "history")?;
    assert_eq!(history.level, DiagnosticLevel::Blocker);
    assert!(history.message.starts_with("V1__a.sql was changed"), "{diagnosis}");
    assert!(history.help.starts_with("restore the file"), "{diagnosis}");
    let broken = set(&[A, ("V2__b.sql", "CREATE TABLE b (id INTEGER)\n")]);
    let diagnosis = examine(&broken, &ctx.db.url).await?;
    let files = line(&diagnosis, "files")?;
    assert_eq!(files.level, DiagnosticLevel::Blocker);
    assert!(files.message.starts_with("V2__b.sql:1:1: the last statement"), "{diagnosis}");
    Ok(())
}

async fn living_holder(ctx: TestContext) -> TestResult {
    let slow = set(&[("V1__slow.sql", &slow(ctx.kind, 3))]);
    let (run, started) = notify_at_start(run_url(&slow, &ctx.db.url), "V1__slow.sql");
    let run = tokio::spawn(run.into_future());
    started.await?;
    let diagnosis = examine(&slow, &ctx.db.url).await?;
    let lock = line(&diagnosis, "lock")?;
    assert_eq!(lock.level, DiagnosticLevel::Warning, "{diagnosis}");
    assert!(lock.message.starts_with("held by process 6a6250"), "{diagnosis}");
    assert_eq!(lock.help, "wait until that run ends");
    let status = jetbase::status(&slow, DatabaseUrl(&ctx.db.url)).await?;
    assert_eq!(status.lock.alive, Some(true), "{status}");
    assert!(status.to_string().contains("\n  migrating now: process 6a6250"), "{status}");
    run.await??;
    let status = jetbase::status(&slow, DatabaseUrl(&ctx.db.url)).await?;
    assert!(!status.lock.locked && !status.to_string().contains("migrating"), "{status}");
    Ok(())
}

async fn missing_index(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[A])?;
    project.python(&ctx.db, &["upgrade"]).await?.succeeded()?;
    let diagnosis = examine(&set(&[A]), &ctx.db.url).await?;
    assert_eq!(not_good(&diagnosis), [("tables", DiagnosticLevel::Warning)], "{diagnosis}");
    let help = line(&diagnosis, "tables")?.help.clone();
    ctx.db.execute(help.strip_prefix("run ").ok_or("no command")?).await?;
    let diagnosis = examine(&set(&[A]), &ctx.db.url).await?;
    assert_eq!(not_good(&diagnosis), [], "{diagnosis}");
    Ok(())
}

async fn missing_rights(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let grants = match ctx.kind {
        DatabaseKind::Mysql => vec!["GRANT SELECT ON * TO"],
        _ => vec!["REVOKE CREATE ON SCHEMA public FROM PUBLIC,"],
    };
    let (url, user) = user(db, &grants).await?;
    let diagnosis = examine(&set(&[A]), &url).await?;
    let rights = line(&diagnosis, "rights")?;
    assert_eq!(rights.level, DiagnosticLevel::Blocker, "{diagnosis}");
    assert!(rights.message.contains(" lacks ") && rights.message.contains("CREATE"), "{diagnosis}");
    assert!(run_url(&set(&[A]), &url).await.is_err());
    for grant in rights.help.strip_prefix("run ").ok_or("no command")?.split("; ") {
        db.execute(grant).await.map_err(|error| format!("{grant}: {error:#}"))?;
    }
    let diagnosis = examine(&set(&[A]), &url).await?;
    assert_eq!(not_good(&diagnosis), [], "{diagnosis}");
    run_url(&set(&[A]), &url).await?;
    let diagnosis = examine(&set(&[A]), &url).await?;
    assert_eq!(not_good(&diagnosis), [], "{diagnosis}");
    drop_user(db, &user).await
}

async fn borrowed(ctx: TestContext) -> TestResult {
    run_url(&set(&[A]), &ctx.db.url).await?;
    let mut connection = sqlx::PgConnection::connect(&ctx.db.url).await?;
    let set = set(&[A]);
    let diagnosis = jetbase::doctor(&set, &mut connection).await?;
    assert_eq!(not_good(&diagnosis), [("liveness", DiagnosticLevel::Warning)], "{diagnosis}");
    sqlx::raw_sql("BEGIN; SET LOCAL lock_timeout = '7s'").execute(&mut connection).await?;
    let diagnosis = jetbase::doctor(&set, &mut connection).await?;
    assert_eq!(not_good(&diagnosis), [("connection", DiagnosticLevel::Blocker)], "{diagnosis}");
    let timeout: String =
        sqlx::query_scalar("SHOW lock_timeout").fetch_one(&mut connection).await?;
    assert_eq!(timeout, "7s", "the caller's transaction is as it was");
    connection.close().await?;
    Ok(())
}

async fn publication(ctx: TestContext) -> TestResult {
    run_url(&set(&[A]), &ctx.db.url).await?;
    ctx.db.execute("CREATE PUBLICATION everything FOR TABLE jetbase_migrations").await?;
    let diagnosis = examine(&set(&[A]), &ctx.db.url).await?;
    assert_eq!(not_good(&diagnosis), [("publications", DiagnosticLevel::Blocker)], "{diagnosis}");
    let allowed = jetbase::doctor(&set(&[A]), DatabaseUrl(&ctx.db.url));
    let diagnosis = allowed.published(Published::Allow).await?;
    assert_eq!(not_good(&diagnosis), [("publications", DiagnosticLevel::Warning)], "{diagnosis}");
    Ok(())
}

async fn row_security(ctx: TestContext) -> TestResult {
    run_url(&set(&[A]), &ctx.db.url).await?;
    let (url, user) = user(&ctx.db, &["GRANT ALL ON jetbase_migrations, jetbase_lock TO"]).await?;
    ctx.db.execute("ALTER TABLE jetbase_migrations ENABLE ROW LEVEL SECURITY").await?;
    let diagnosis = examine(&set(&[A]), &url).await?;
    assert_eq!(line(&diagnosis, "row_security")?.level, DiagnosticLevel::Blocker, "{diagnosis}");
    drop_user(&ctx.db, &user).await
}

async fn missing_schema(ctx: TestContext) -> TestResult {
    let set = set(&[A]);
    let diagnosis = jetbase::doctor(&set, DatabaseUrl(&ctx.db.url)).schema("nowhere").await?;
    assert_eq!(not_good(&diagnosis), [("schema", DiagnosticLevel::Blocker)], "{diagnosis}");
    assert!(line(&diagnosis, "schema")?.help.contains("CREATE"), "{diagnosis}");
    assert!(line(&diagnosis, "server").is_ok(), "{diagnosis}");
    Ok(())
}

async fn command(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[A])?;
    let url = ctx.db.url.as_str();
    let before = tool(&project, url, &["doctor"]).await?;
    assert_eq!(before.code, Some(0), "{}{}", before.stdout, before.stderr);
    assert!(before.stdout.ends_with("\n\nA run would work: 0 warnings.\n"), "{}", before.stdout);
    assert_eq!(before.stderr, "");
    assert_eq!(tool(&project, url, &["upgrade"]).await?.code, Some(0));
    project.write(A.0, "CREATE TABLE a (id BIGINT);\n")?;
    let changed = tool(&project, url, &["doctor", "--json"]).await?;
    assert_eq!(changed.code, Some(1), "{}", changed.stdout);
    let json = changed.json()?;
    let lines = json["diagnostics"].as_array().ok_or("no lines")?;
    let blockers: Vec<_> = lines.iter().filter(|line| line["level"] == "blocker").collect();
    assert_eq!(blockers.len(), 1, "{json}");
    assert_eq!(blockers[0]["subject"], "history", "{json}");
    assert!(json["error"].is_null(), "{json}");
    Ok(())
}
