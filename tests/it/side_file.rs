use std::path::{Path, PathBuf};

use jetbase_test_harness::{DatabaseKind, Needs, Suite};

pub(crate) fn register(suite: &mut Suite) {
    let (sqlite, nothing) = (&[DatabaseKind::Sqlite], Needs::NOTHING);
    #[cfg(unix)]
    {
        suite.each("a_symbolic_link_leads_to_the_same_side_file", sqlite, nothing, unix::linked);
        suite.each(
            "a_second_name_of_a_file_does_not_release_the_lock_of_a_live_holder",
            sqlite,
            nothing,
            unix::second_name,
        );
        suite.each(
            "a_run_refuses_an_untrusted_side_file_at_once",
            sqlite,
            nothing,
            unix::untrusted,
        );
    }
    let _ = (sqlite, nothing);
}

/// The side file of a database.
fn beside(database: impl AsRef<Path>) -> PathBuf {
    let mut name = database.as_ref().as_os_str().to_owned();
    name.push(".jetbase-lock");
    name.into()
}

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, chown, symlink};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use jetbase::{DatabaseUrl, ErrorKind, Event, Migrations, Wait};

    use super::*;
    use crate::apply::set;
    use jetbase_test_harness::{TestContext, TestError, TestResult, block_on_new_thread};

    fn two() -> Migrations {
        set(&[
            ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n"),
            ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n"),
        ])
    }

    fn url(database: &Path) -> String {
        format!("sqlite://{}?mode=rwc", database.display())
    }

    pub(super) async fn linked(ctx: TestContext) -> TestResult {
        jetbase::run(&set(&[]), DatabaseUrl(&ctx.db.url)).await?;
        let link = Path::new(&ctx.db.name).with_file_name("link.db");
        symlink(&ctx.db.name, &link)?;
        assert_eq!(jetbase::run_url(&two(), &url(&link)).await?.applied.len(), 2);
        assert!(beside(&ctx.db.name).exists() && !beside(&link).exists());
        Ok(())
    }

    /// Starts a second run over another name of the database file. Between two files of the first
    /// run, only the row and the liveness of its holder stop the second one.
    pub(super) async fn second_name(ctx: TestContext) -> TestResult {
        jetbase::run(&set(&[]), DatabaseUrl(&ctx.db.url)).await?;
        let link = Path::new(&ctx.db.name).with_file_name("second.db");
        let second_run = Arc::new(Mutex::new(None));
        let (result, first, second) =
            (Arc::clone(&second_run), PathBuf::from(&ctx.db.name), link.clone());
        let run = jetbase::run_url(&two(), &ctx.db.url).on_event(move |event| {
            if matches!(event, Event::Finished { file, .. } if file == "V1__a.sql") {
                fs::hard_link(&first, &second).expect("the link can be created");
                let (set, url) = (two(), url(&second));
                let run = jetbase::run_url(&set, &url).wait(Wait::Never).into_future();
                *result.lock().unwrap() = Some(block_on_new_thread(run));
            }
        });
        let report = run.await?;
        assert_eq!(report.applied.len(), 2);
        let result = second_run.lock().unwrap().take().ok_or("no second run")?;
        let error = result.expect_err("the holder is alive");
        assert!(matches!(error.kind(), ErrorKind::Held { .. }), "{error:#}");
        assert!(jetbase::run_url(&two(), &url(&link)).await?.is_up_to_date());
        Ok(())
    }

    type UntrustedFile = fn(&Path) -> Result<(), TestError>;

    /// Files that another user can create under the name of the side file.
    fn untrusted_files() -> Vec<(&'static str, UntrustedFile)> {
        vec![
            ("is a symbolic link", |side| Ok(symlink("/dev/zero", side)?)),
            ("is a named pipe", |side| {
                let made = std::process::Command::new("mkfifo").arg(side).status()?;
                made.success().then_some(()).ok_or_else(|| "the pipe was not created".into())
            }),
            ("belongs to user 4321", |side| {
                fs::write(side, [7; 16])?;
                Ok(chown(side, Some(4321), None)?)
            }),
        ]
    }

    pub(super) async fn untrusted(ctx: TestContext) -> TestResult {
        jetbase::run(&set(&[("V0__first.sql", "SELECT 1;\n")]), DatabaseUrl(&ctx.db.url)).await?;
        let side = beside(&ctx.db.name);
        let root = fs::metadata(&ctx.db.name)?.uid() == 0;
        let more = set(&[
            ("V0__first.sql", "SELECT 1;\n"),
            ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n"),
        ]);
        for (reason, create) in untrusted_files() {
            if reason.contains("user") && !root {
                continue;
            }
            fs::remove_file(&side)?;
            create(&side)?;
            let run = jetbase::run_url(&more, &ctx.db.url).into_future();
            let error = tokio::time::timeout(Duration::from_secs(10), run).await?;
            let error = error.expect_err("refused").to_string();
            let status = jetbase::lock_status(&more, DatabaseUrl(&ctx.db.url)).await;
            assert_eq!(status.expect_err("refused").to_string(), error);
            let start = format!("the lock file {} {reason}", side.display());
            assert!(error.starts_with(&start), "{error:#}");
            assert!(
                error.ends_with("; remove it while no run is active, and run again"),
                "{error:#}"
            );
        }
        fs::remove_file(&side)?;
        assert_eq!(jetbase::run_url(&more, &ctx.db.url).await?.applied.len(), 1);
        Ok(())
    }
}
