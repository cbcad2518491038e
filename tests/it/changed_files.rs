//! What the program says about an applied file that has changed, or that has another name.

use jetbase_test_harness::{DatabaseKind, Needs, PythonProject, Suite, TestContext, TestResult};

use crate::tool::tool;

pub(crate) fn register(suite: &mut Suite) {
    suite.each(
        "commands_name_the_statement_that_has_changed",
        DatabaseKind::ALL,
        Needs::NOTHING,
        changed,
    );
    suite.each(
        "a_change_of_comments_is_repaired_by_fix_checksums",
        DatabaseKind::ALL,
        Needs::NOTHING,
        comments,
    );
    suite.each("a_renamed_file_is_not_executed_again", DatabaseKind::ALL, Needs::NOTHING, renamed);
}

const FILE: (&str, &str) =
    ("V9__x.sql", "CREATE TABLE x (id INTEGER);\nINSERT INTO x VALUES (1);\n");

async fn changed(ctx: TestContext) -> TestResult {
    let (project, url) = (PythonProject::with(&[FILE])?, ctx.db.url.as_str());
    assert_eq!(tool(&project, url, &["sum"]).await?.code, Some(0));
    assert_eq!(tool(&project, url, &["upgrade"]).await?.code, Some(0));
    project.write(FILE.0, &FILE.1.replace("(1)", "(2)"))?;
    for (command, succeeds) in [("status", true), ("validate-checksums", false), ("check", false)] {
        let run = tool(&project, url, &[command]).await?;
        let said = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.code == Some(0), succeeds, "{command}: {said}");
        assert!(
            said.contains("V9__x.sql was changed after version 9 had been applied"),
            "{command}: {said}"
        );
        assert!(said.contains(": statement 2 was changed"), "{command}: {said}");
    }
    let run = tool(&project, url, &["upgrade"]).await?;
    assert!(run.stderr.contains(": statement 2 was changed"), "{}", run.stderr);
    assert_ne!(run.code, Some(0));
    let fix = tool(&project, url, &["fix-checksums", "--yes"]).await?;
    let said = format!("{}{}", fix.stdout, fix.stderr);
    assert!(said.contains("V9__x.sql: statement 2 was changed."), "{said}");
    // The list still has the old text, and the database the new checksum.
    assert_eq!(ctx.db.value("SELECT max(id) FROM x").await?.as_deref(), Some("1"));
    Ok(())
}

async fn comments(ctx: TestContext) -> TestResult {
    let (project, url) = (PythonProject::with(&[FILE])?, ctx.db.url.as_str());
    assert_eq!(tool(&project, url, &["upgrade"]).await?.code, Some(0));
    // There is no list: the old checksum is found without the comment.
    project.write(FILE.0, &FILE.1.replace("(1)", "(1/* one */)"))?;
    let run = tool(&project, url, &["upgrade"]).await?;
    assert_eq!(run.code, Some(11), "{}", run.stderr);
    for text in ["only comments and white space were changed", "run `jetbase fix-checksums`"] {
        assert!(run.stderr.contains(text), "{}", run.stderr);
    }
    assert_eq!(tool(&project, url, &["fix-checksums", "--yes"]).await?.code, Some(0));
    assert_eq!(tool(&project, url, &["upgrade"]).await?.code, Some(0));
    Ok(())
}

async fn renamed(ctx: TestContext) -> TestResult {
    let (project, url) = (PythonProject::with(&[FILE])?, ctx.db.url.as_str());
    assert_eq!(tool(&project, url, &["upgrade"]).await?.code, Some(0));
    project.remove(FILE.0)?;
    project.write("V10__x.sql", FILE.1)?;
    let text = "V9__x.sql was renamed to V10__x.sql after it had been applied";
    let commands: [(&[&str], i32); 4] = [
        (&["upgrade"], 11),
        (&["validate-files"], 11),
        (&["fix-files", "--yes"], 11),
        (&["status"], 0),
    ];
    for (command, code) in commands {
        let run = tool(&project, url, command).await?;
        let said = format!("{}{}", run.stdout, run.stderr);
        assert_eq!(run.code, Some(code), "{command:?}: {said}");
        assert!(said.contains(text), "{command:?}: {said}");
    }
    assert_eq!(
        ctx.db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(),
        Some("1")
    );
    project.remove("V10__x.sql")?;
    project.write(FILE.0, FILE.1)?;
    assert_eq!(tool(&project, url, &["upgrade"]).await?.code, Some(0));
    Ok(())
}
