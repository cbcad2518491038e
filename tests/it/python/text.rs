//! The texts that both tools send to the database.

use jetbase::{DatabaseUrl, Folder, Migrations, Options, Reading};
use jetbase_test_harness::{DatabaseKind, Needs, PythonProject, Suite, TestContext, TestResult};

use super::{ours, theirs};

pub(super) fn register(suite: &mut Suite) {
    let all = DatabaseKind::ALL;
    let python = Needs::PYTHON;
    suite.each("both_tools_send_the_same_escaped_colon", all, python, colon);
    suite.each("a_text_that_the_tools_send_differently_has_one_checksum", all, python, multi_line);
}

async fn multi_line(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[(
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

async fn colon(ctx: TestContext) -> TestResult {
    let text = "CREATE TABLE t (body VARCHAR(40));\nINSERT INTO t (body) VALUES ('{\"a\"\\:1} \\:name');\n";
    let project = PythonProject::with(&[("V1__t.sql", text)])?;
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
