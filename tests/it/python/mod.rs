//! The real Python tool and jetbase on the same database.

mod commands;
mod history;
mod lock;
mod outputs;
mod tables;
mod text;

use jetbase::{DatabaseUrl, Folder, Migrations, Options, Report};
use jetbase_test_harness::{Database, PythonProject, Suite, TestError, TextRows};

pub(crate) fn register(suite: &mut Suite) {
    commands::register(suite);
    history::register(suite);
    lock::register(suite);
    tables::register(suite);
    text::register(suite);
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

/// Loads the migrations of a project.
fn set_of(project: &PythonProject) -> Result<Migrations, TestError> {
    let folder = Folder::read(&project.migrations());
    assert_eq!(folder.findings, [], "the folder has findings");
    Ok(Migrations::load(folder.files, Options::default()))
}

/// Applies the migrations of a project with jetbase.
async fn ours(project: &PythonProject, db: &Database) -> Result<Report, TestError> {
    Ok(jetbase::run(&set_of(project)?, DatabaseUrl(&db.url)).await?)
}

/// Applies the migrations of a project with the Python tool and returns the applied files.
async fn theirs(project: &PythonProject, db: &Database) -> Result<Vec<String>, TestError> {
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

/// Rows with the text `NULL` for null values, for short comparisons.
fn texts(rows: &TextRows) -> Vec<Vec<&str>> {
    rows.iter().map(|row| row.iter().map(|it| it.as_deref().unwrap_or("NULL")).collect()).collect()
}

async fn count(db: &Database, from: &str) -> Result<String, TestError> {
    Ok(db.value(&format!("SELECT count(*) FROM {from}")).await?.unwrap_or_default())
}

async fn history(db: &Database) -> Result<TextRows, TestError> {
    db.rows("SELECT * FROM jetbase_migrations ORDER BY order_executed").await
}
