use std::process::Stdio;
use std::time::Duration;

use jetbase::{DatabaseUrl, ErrorKind, Folder, Migrations, Options, Readiness, Wait};
use jetbase_test_harness::{Database, PythonProject, TestError, TestResult};
use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool};
use tokio::process::Command;

use super::mallory::{query_as_admin, value_as_admin};
use crate::run_in_progress::notify_at_start;

pub(super) const V1: (&str, &str) =
    ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n-- rollback\nDROP TABLE a;\n");
const OFF: (&str, &str) = ("V2__off.sql", "-- jetbase: transaction=off\nVACUUM a;\n");
pub(super) const V3: (&str, &str) =
    ("V3__b.sql", "CREATE TABLE b (id INTEGER);\n-- rollback\nDROP TABLE b;\n");
const SLOW: (&str, &str) = ("V4__slow.sql", "SELECT pg_catalog.pg_sleep(4);\n");
const V5: (&str, &str) = ("V5__c.sql", "CREATE TABLE c (id INTEGER);\n");
const RA: (&str, &str) = ("RA__note.sql", "COMMENT ON TABLE a IS 'one';\n");
const RA_2: (&str, &str) = ("RA__note.sql", "COMMENT ON TABLE a IS 'two';\n");
const ROC: (&str, &str) = ("ROC__v.sql", "COMMENT ON COLUMN a.id IS 'one';\n");
const ROC_2: (&str, &str) = ("ROC__v.sql", "COMMENT ON COLUMN a.id IS 'two';\n");

/// A process id as the Python tool makes them.
pub(super) const PYTHON: &str = "0b8f4a62-5d3e-4c1b-9a77-2f60d1c3e84a";

/// A set for a schema, or for the first schema of the search path.
pub(super) fn set_for(
    schema: Option<&str>,
    files: &[(&str, &str)],
) -> Result<Migrations, TestError> {
    let project = PythonProject::with(files)?;
    let folder = Folder::read(&project.migrations());
    // The option `schema` needs a static string.
    let schema = schema.map(|name| &*Box::leak(name.to_owned().into_boxed_str()));
    Ok(Migrations::load(folder.files, Options { schema, ..Options::default() }))
}

/// Runs the tool and returns whether it succeeded, and its output.
pub(super) async fn tool(
    db: &Database,
    project: &PythonProject,
    arguments: &[&str],
) -> Result<(bool, String), TestError> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jetbase"));
    for name in std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("JETBASE_")) {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(project.path()).env("JETBASE_DATABASE_URL", &db.url);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

/// An administrator and the schema of its migrations.
pub(super) struct Victim {
    pub(super) db: Database,
    /// The schema that it names, if any.
    pub(super) named: Option<&'static str>,
    /// The schema of the tables.
    pub(super) schema: String,
}

impl Victim {
    fn set(&self, files: &[(&str, &str)]) -> Result<Migrations, TestError> {
        set_for(self.named, files)
    }

    fn target(&self) -> DatabaseUrl<'_> {
        DatabaseUrl(&self.db.url)
    }

    /// Locks the row with this id.
    async fn lock_row(&self, owner: &str) -> TestResult {
        let sql = format!(
            "UPDATE {}.jetbase_lock SET is_locked = TRUE, locked_at = localtimestamp, process_id = '{owner}'",
            self.schema
        );
        query_as_admin(&self.db, &sql).await.map(drop)
    }

    pub(super) fn new(db: &Database, named: Option<&'static str>, schema: &str) -> Victim {
        Victim { db: db.clone(), named, schema: schema.to_owned() }
    }

    /// Runs every command and checks its result.
    pub(super) async fn runs_all_commands(&self) -> TestResult {
        self.applies().await?;
        self.queries().await?;
        self.replaces().await?;
        self.waits().await?;
        self.unlocks().await?;
        self.recovers().await?;
        self.repairs().await
    }

    async fn applies(&self) -> TestResult {
        let report = jetbase::run(&self.set(&[V1, OFF, RA, ROC])?, self.target()).await?;
        assert_eq!(report.applied.len(), 4, "{report}");
        let report = jetbase::run(&self.set(&[V1, OFF, V3, RA, ROC])?, self.target()).await?;
        assert!(report.applied.iter().any(|it| it.file == "V3__b.sql"), "{report}");
        let set = self.set(&[V1, OFF, V3, RA, ROC])?;
        assert!(jetbase::run(&set, self.target()).await?.is_up_to_date());
        let rolled_back = jetbase::rollback(&set, self.target()).await?;
        assert_eq!(rolled_back.applied.len(), 1, "{rolled_back}");
        assert_eq!(self.count("jetbase_migrations").await?, "4");
        let pool = PgPool::connect(&self.db.url).await?;
        let report = jetbase::run(&set, &pool).await?;
        assert!(!report.is_up_to_date(), "{report}");
        pool.close().await;
        jetbase::rollback(&set, self.target()).await?;
        let mut connection = PgConnection::connect(&self.db.url).await?;
        assert!(!jetbase::run(&set, &mut connection).await?.is_up_to_date());
        connection.close().await?;
        assert_eq!(self.count("jetbase_migrations").await?, "5");
        Ok(())
    }

    async fn queries(&self) -> TestResult {
        let set = self.set(&[V1, OFF, V3, RA, ROC])?;
        let more = self.set(&[V1, OFF, V3, SLOW, RA, ROC])?;
        let status = jetbase::status(&more, self.target()).await?;
        assert_eq!((status.applied.len(), status.pending.len()), (5, 3), "{status}");
        assert_eq!(jetbase::check(&set, self.target()).await?, Readiness::Ready);
        assert!(!jetbase::check(&more, self.target()).await?.is_ready());
        jetbase::validate(&set, self.target()).await?;
        assert_eq!(jetbase::history(&set, self.target()).await?.records.len(), 5);
        let current = jetbase::current(&set, self.target()).await?;
        assert_eq!(current.map(|it| it.to_string()).as_deref(), Some("3"));
        assert!(!jetbase::lock_status(&set, self.target()).await?.locked);
        assert_eq!(jetbase::unlock(&set, self.target()).await?.holder, None);
        Ok(())
    }

    /// A superseded text is recorded, and an older program does not apply it again.
    async fn replaces(&self) -> TestResult {
        let report = jetbase::run(&self.set(&[V1, OFF, V3, RA_2, ROC_2])?, self.target()).await?;
        assert_eq!(report.applied.len(), 2, "{report}");
        assert_eq!(self.count("jetbase_superseded").await?, "1");
        let old = jetbase::run(&self.set(&[V1, OFF, V3, RA_2, ROC])?, self.target()).await?;
        assert!(old.is_up_to_date(), "{old}");
        Ok(())
    }

    /// A run waits while another run executes a file.
    async fn waits(&self) -> TestResult {
        let set = self.set(&[V1, OFF, V3, SLOW, RA_2, ROC_2])?;
        let run = jetbase::run_url(&set, &self.db.url);
        let (run, started) = notify_at_start(run, SLOW.0);
        let run = tokio::spawn(run.into_future());
        started.await?;
        let more = self.set(&[V1, OFF, V3, SLOW, V5, RA_2, ROC_2])?;
        let url = self.db.url.clone();
        let waiting = tokio::spawn(jetbase::run_url(&more, &url).into_future());
        tokio::time::sleep(Duration::from_millis(300)).await;
        let status = jetbase::lock_status(&set, self.target()).await?;
        assert_eq!((status.locked, status.alive), (true, Some(true)), "{status}");
        let error = jetbase::run(&more, self.target()).wait(Wait::Never).await.expect_err("held");
        assert!(matches!(error.kind(), ErrorKind::Held { alive: Some(true), .. }), "{error:#}");
        let error = jetbase::unlock(&set, self.target()).await.expect_err("the holder is alive");
        assert!(matches!(error.kind(), ErrorKind::Held { .. }), "{error:#}");
        jetbase::unlock(&set, self.target()).force().await.expect_err("a file is running");
        assert!(!run.await??.is_up_to_date());
        assert!(!waiting.await??.is_up_to_date());
        Ok(())
    }

    async fn unlocks(&self) -> TestResult {
        let set = self.set(&[V1, OFF, V3, SLOW, V5, RA_2, ROC_2, ("V6__d.sql", "SELECT 1;\n")])?;
        self.lock_row(PYTHON).await?;
        let wait = Wait::UpTo(Duration::from_millis(300));
        let error = jetbase::run(&set, self.target()).wait(wait).await.expect_err("held");
        assert!(matches!(error.kind(), ErrorKind::Held { .. }), "{error:#}");
        assert!(jetbase::lock_status(&set, self.target()).await?.locked);
        assert!(jetbase::unlock(&set, self.target()).await?.holder.is_some());
        self.lock_row(PYTHON).await?;
        assert!(jetbase::unlock(&set, self.target()).force().await?.holder.is_some());
        assert!(!jetbase::lock_status(&set, self.target()).await?.locked);
        assert!(!jetbase::run(&set, self.target()).await?.is_up_to_date());
        Ok(())
    }

    /// A run recovers the lock of a killed run.
    async fn recovers(&self) -> TestResult {
        let files = [V1, OFF, V3, SLOW, V5, RA_2, ROC_2, ("V6__d.sql", "SELECT 1;\n")];
        // The id says how the liveness of its holder is checked. No session has this id.
        let stale = "6a625001-0000-8000-8000-000000000000";
        self.lock_row(stale).await?;
        let status = jetbase::lock_status(&self.set(&files)?, self.target()).await?;
        assert_eq!((status.locked, status.alive), (true, Some(false)), "{status}");
        let mut more = files.to_vec();
        more.push(("V7__e.sql", "SELECT 1;\n"));
        let report = jetbase::run(&self.set(&more)?, self.target()).wait(Wait::Never).await?;
        assert_eq!(report.recovered.as_deref(), Some(stale), "{report}");
        // A run with nothing pending releases the lock too.
        self.lock_row(stale).await?;
        let report = jetbase::run(&self.set(&more)?, self.target()).wait(Wait::Never).await?;
        assert_eq!(report.recovered.as_deref(), Some(stale), "{report}");
        Ok(())
    }

    async fn repairs(&self) -> TestResult {
        let project = PythonProject::with(&[V1, OFF, V3, V5, RA_2])?;
        project.write(V1.0, "CREATE TABLE a (id BIGINT);\n-- rollback\nDROP TABLE a;\n")?;
        let schema: Vec<_> = self.named.into_iter().flat_map(|name| ["--schema", name]).collect();
        let (before, rows) = (self.sum("1").await?, self.count("jetbase_migrations").await?);
        for command in ["fix-checksums", "fix-files"] {
            let arguments = [&[command][..], &schema[..]].concat();
            let (succeeded, output) = tool(&self.db, &project, &arguments).await?;
            assert!(succeeded, "{command}: {output}");
        }
        assert_ne!(self.sum("1").await?, before);
        assert_ne!(self.count("jetbase_migrations").await?, rows);
        for command in ["status", "history", "current", "lock-status"] {
            let arguments = [&[command][..], &schema[..]].concat();
            let (succeeded, output) = tool(&self.db, &project, &arguments).await?;
            assert!(succeeded, "{command}: {output}");
        }
        Ok(())
    }

    async fn sum(&self, version: &str) -> Result<Option<String>, TestError> {
        let sql = format!(
            "SELECT checksum FROM {}.jetbase_migrations WHERE version::text = '{version}'",
            self.schema
        );
        value_as_admin(&self.db, &sql).await
    }

    async fn count(&self, table: &str) -> Result<String, TestError> {
        let sql = format!("SELECT count(*) FROM {}.{table}", self.schema);
        value_as_admin(&self.db, &sql).await?.ok_or_else(|| "no count".into())
    }
}
