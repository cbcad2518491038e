use std::path::{Path, PathBuf};
use std::process::Stdio;

use jetbase_core::{Folder, OldFile, OldTool, convert};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
};
use tokio::process::Command;

use crate::tools::{flyway_table, migrate, project};

pub(crate) fn register(suite: &mut Suite) {
    let (all, nothing) = (DatabaseKind::ALL, Needs::NOTHING);
    suite.each("the_page_about_sqlx_can_be_followed", all, nothing, |ctx| {
        follow(ctx, OldTool::Sqlx, include_str!("../../../../src/docs/adopt_sqlx.md"))
    });
    suite.each("the_page_about_refinery_can_be_followed", all, nothing, |ctx| {
        follow(ctx, OldTool::Refinery, include_str!("../../../../src/docs/adopt_refinery.md"))
    });
    suite.each("the_page_about_diesel_can_be_followed", all, nothing, |ctx| {
        follow(ctx, OldTool::Diesel, include_str!("../../../../src/docs/adopt_diesel.md"))
    });
    suite.each("the_page_about_flyway_can_be_followed", all, nothing, |ctx| {
        follow(ctx, OldTool::Flyway, include_str!("../../../../src/docs/adopt_flyway.md"))
    });
    suite.each("the_page_about_sea_orm_can_be_followed", all, nothing, |ctx| {
        follow(ctx, OldTool::SeaOrm, include_str!("../../../../src/docs/adopt_sea_orm.md"))
    });
    suite.each("the_page_about_the_python_tool_can_be_followed", all, Needs::PYTHON, python);
    suite.once("a_conversion_is_repeatable", nothing, repeatable);
    suite.once("a_conversion_keeps_what_a_person_has_changed", nothing, kept);
    suite.once("a_large_folder_is_converted", nothing, large);
    let named = DatabaseKind::ALL
        .iter()
        .find(|kind| Some(kind.name()) == named().map(|it| it.1).as_deref());
    if let Some(kind) = named {
        suite.each("a_named_folder_of_sqlx_is_taken_over", &[*kind], nothing, public);
    }
}

/// Copies the old folder into an empty project.
fn copy_project(tool: OldTool) -> Result<tempfile::TempDir, TestError> {
    let dir = tempfile::tempdir()?;
    for file in
        OldFile::read_folder(&project(tool).join("migrations")).map_err(|it| it.to_string())?
    {
        let path = dir.path().join("migrations").join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap())?;
        std::fs::write(path, file.text.unwrap())?;
    }
    Ok(dir)
}

/// Runs the commands of each block ```sh of a page, in order.
async fn follow(ctx: TestContext, tool: OldTool, page: &str) -> TestResult {
    match tool {
        OldTool::Flyway | OldTool::SeaOrm => by_hand(tool, &ctx.db).await?,
        _ => migrate(tool, &ctx.db, 2).await?,
    }
    let dir = copy_project(tool)?;
    let blocks = blocks(page);
    assert!(blocks.len() >= 3, "{blocks:?}");
    for block in blocks {
        shell(dir.path(), &ctx.db.url, &block).await?;
    }
    let adopted = ctx.db.value("SELECT count(*) FROM jetbase_migrations").await?;
    let files = Folder::read(&dir.path().join("jetbase/migrations")).files.len().to_string();
    assert_eq!(adopted, Some(files), "the last command of the page applies the rest");
    Ok(())
}

/// Writes what the tool would have written after its first migration.
async fn by_hand(tool: OldTool, db: &Database) -> TestResult {
    let name = match tool {
        OldTool::Flyway => "V1__create_users.sql",
        _ => "m20240101_120000_create_users.up.sql",
    };
    let text = std::fs::read_to_string(project(tool).join("migrations").join(name))?;
    db.execute(&text).await?;
    if tool == OldTool::Flyway {
        let files = [OldFile { path: name.to_owned(), text: Some(text) }];
        let sum = convert(tool, &files, None).map.entries[0].checksums[0].clone();
        return flyway_table(db, &[("'1'", name, &sum)]).await;
    }
    db.execute("CREATE TABLE seaql_migrations (version VARCHAR(255) NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)")
        .await?;
    db.execute("INSERT INTO seaql_migrations VALUES ('m20240101_120000_create_users', 1704110400)")
        .await
}

async fn python(ctx: TestContext) -> TestResult {
    let old = PythonProject::with(&[("V1__a.sql", "CREATE TABLE a (id INTEGER);\n")])?;
    old.python(&ctx.db, &["upgrade"]).await?;
    let page = include_str!("../../../../src/docs/adopt_python.md");
    for block in blocks(page) {
        shell(old.path(), &ctx.db.url, &block).await?;
    }
    Ok(())
}

fn blocks(page: &str) -> Vec<String> {
    let blocks = page.split("```sh\n").skip(1);
    blocks.filter_map(|block| Some(block.split_once("```")?.0.to_owned())).collect()
}

/// Runs commands in a folder. `jetbase` is the program of this build.
async fn shell(folder: &Path, url: &str, commands: &str) -> Result<String, TestError> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_jetbase"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let output = Command::new("sh")
        .args(["-euc", commands])
        .current_dir(folder)
        .env("PATH", path)
        .env("DATABASE_URL", url)
        .env_remove("JETBASE_DATABASE_URL")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{commands}\nended with {}: {text}{error}", output.status).into());
    }
    Ok(text)
}

/// The folders that this package embeds are what the conversion writes.
async fn repeatable() -> TestResult {
    for tool in OldTool::ALL {
        let dir = copy_project(tool)?;
        let word = tool.word();
        let shown = shell(dir.path(), "", &format!("jetbase adopt {word}")).await?;
        assert!(shown.contains("Would write jetbase/migrations.adopt"), "{shown}");
        assert!(!dir.path().join("jetbase").exists());
        shell(dir.path(), "", &format!("jetbase adopt {word} --write")).await?;
        let again = shell(dir.path(), "", &format!("jetbase adopt {word} --write")).await?;
        assert!(
            again.lines().filter(|line| line.ends_with("is there already")).count() >= 4,
            "{again}"
        );
        let read = |root: &Path| OldFile::read_folder(&root.join("jetbase"));
        let (ours, committed) = (read(dir.path()).unwrap(), read(&project(tool)).unwrap());
        assert_eq!(ours, committed, "{word}");
        let old = |root: &Path| OldFile::read_folder(&root.join("migrations")).unwrap();
        assert_eq!(old(dir.path()), old(&project(tool)), "the old folder stays as it is");
    }
    Ok(())
}

async fn kept() -> TestResult {
    let dir = copy_project(OldTool::Sqlx)?;
    shell(dir.path(), "", "jetbase adopt sqlx --write").await?;
    let new = dir.path().join("jetbase/migrations/V20240301120000__index_posts.sql");
    std::fs::write(&new, "CREATE INDEX posts_title ON posts (title);\n")?;
    let again = shell(dir.path(), "", "jetbase adopt sqlx --write").await?;
    assert!(
        again.contains(
            "V20240301120000__index_posts.sql is there with another text, and stays as it is"
        ),
        "{again}"
    );
    assert_eq!(std::fs::read_to_string(&new)?, "CREATE INDEX posts_title ON posts (title);\n");
    // A file that is gone is written again.
    std::fs::remove_file(&new)?;
    shell(dir.path(), "", "jetbase adopt sqlx --write").await?;
    assert!(new.exists());
    // The old file may not change any more.
    let old = dir.path().join("migrations/20240301120000_index_posts.sql");
    std::fs::write(&old, "SELECT 1;\n")?;
    let error = shell(dir.path(), "", "jetbase adopt sqlx --write").await.unwrap_err().to_string();
    assert!(error.contains("exit status: 11"), "{error}");
    assert!(
        error.contains("The old file of V20240301120000__index_posts.sql has changed since it was converted. Nothing was"),
        "{error}"
    );
    // The old folder itself is never the new one, and neither is the folder of another tool.
    let error = shell(dir.path(), "", "jetbase adopt sqlx --dir migrations").await.unwrap_err();
    assert!(
        error.to_string().contains("migrations is the old folder, which stays as it is"),
        "{error}"
    );
    let flyway = copy_project(OldTool::Flyway)?;
    let both = format!("jetbase adopt flyway {}/migrations --write", flyway.path().display());
    let error = shell(dir.path(), "", &both).await.unwrap_err();
    assert!(error.to_string().contains("is the map of a folder of sqlx"), "{error}");
    Ok(())
}

async fn large() -> TestResult {
    let dir = tempfile::tempdir()?;
    std::fs::create_dir(dir.path().join("migrations"))?;
    for number in 1..=300 {
        let name = format!("migrations/{number:04}_step_{number}.sql");
        std::fs::write(dir.path().join(name), format!("CREATE TABLE t{number} (id INT)"))?;
    }
    let url = format!("sqlite://{}?mode=rwc", dir.path().join("app.db").display());
    let pool = sqlx::SqlitePool::connect(&url).await?;
    let migrator = sqlx::migrate::Migrator::new(dir.path().join("migrations")).await?;
    migrator.run(&pool).await?;
    pool.close().await;
    let commands = "jetbase adopt sqlx --write\n\
                    jetbase adopt sqlx --database-url \"$DATABASE_URL\" --write\n\
                    jetbase check --dir jetbase/migrations";
    let text = shell(dir.path(), &url, commands).await?;
    assert_eq!(text.matches("Adopted V").count(), 300);
    Ok(())
}

/// The folder in `JETBASE_ADOPT_FOLDER` and its database, such as `…/migrations=postgres`.
fn named() -> Option<(String, String)> {
    let value = std::env::var("JETBASE_ADOPT_FOLDER").ok()?;
    let (folder, kind) = value.rsplit_once('=')?;
    Some((folder.to_owned(), kind.to_owned()))
}

/// sqlx applies the first half of a folder of a public project. jetbase adopts it and applies the rest.
/// The schema is the one that sqlx alone makes.
async fn public(ctx: TestContext) -> TestResult {
    let (folder, _) = named().ok_or("no folder")?;
    let migrator = sqlx::migrate::Migrator::new(PathBuf::from(&folder)).await?;
    let ups: Vec<_> = migrator.iter().filter(|it| it.migration_type.is_up_migration()).collect();
    let half = ups[(ups.len() - 1) / 2].version;
    let alone = ctx.another().await?;
    run_sqlx(&migrator, &alone, i64::MAX).await?;
    run_sqlx(&migrator, &ctx.db, half).await?;
    let dir = tempfile::tempdir()?;
    let commands = format!(
        "jetbase adopt sqlx {folder} --write\njetbase adopt sqlx --database-url \"$DATABASE_URL\" --write\n\
         jetbase upgrade --dir jetbase/migrations"
    );
    shell(dir.path(), &ctx.db.url, &commands).await?;
    let catalog = match ctx.kind {
        DatabaseKind::Sqlite => {
            "SELECT name, sql FROM sqlite_master WHERE tbl_name NOT LIKE 'jetbase%' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
        }
        DatabaseKind::Mysql => {
            "SELECT table_name, column_name, column_type, is_nullable FROM information_schema.columns WHERE table_schema = \
             DATABASE() AND table_name NOT LIKE 'jetbase%' ORDER BY 1, 2"
        }
        DatabaseKind::Postgres => {
            "SELECT table_schema::text, table_name::text, column_name::text, data_type::text FROM \
             information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_name NOT \
             LIKE 'jetbase%' UNION ALL SELECT schemaname::text, tablename::text, indexname::text, indexdef FROM pg_indexes \
             WHERE schemaname <> 'pg_catalog' AND tablename NOT LIKE 'jetbase%' UNION ALL SELECT n.nspname::text, \
             p.proname::text, '', md5(p.prosrc) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE \
             n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, 3, 4"
        }
    };
    assert_eq!(ctx.db.rows(catalog).await?, alone.rows(catalog).await?);
    Ok(())
}

async fn run_sqlx(migrator: &sqlx::migrate::Migrator, db: &Database, to: i64) -> TestResult {
    match db.kind {
        DatabaseKind::Postgres => {
            let pool = sqlx::PgPool::connect(&db.url).await?;
            migrator.run_to(to, &pool).await?;
        }
        DatabaseKind::Mysql => {
            let pool = sqlx::MySqlPool::connect(&db.url).await?;
            migrator.run_to(to, &pool).await?;
        }
        DatabaseKind::Sqlite => {
            let pool = sqlx::SqlitePool::connect(&db.url).await?;
            migrator.run_to(to, &pool).await?;
        }
    }
    Ok(())
}
