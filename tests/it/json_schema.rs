use std::collections::BTreeSet;
use std::future::IntoFuture;
use std::path::Path;

use jetbase::run_url;
use jetbase_test_harness::{
    DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::apply::set;
use crate::run_in_progress::{notify_at_start, slow};
use crate::tool::{tool, tool_command};

pub(crate) fn register(suite: &mut Suite) {
    suite.each(
        "the_output_of_every_command_matches_the_schema_in_every_state",
        DatabaseKind::ALL,
        Needs::NOTHING,
        every_state,
    );
    suite.once(
        "the_output_of_the_commands_about_files_matches_the_schema",
        Needs::NOTHING,
        about_files,
    );
    suite.once("the_schema_refuses_what_is_not_documented", Needs::NOTHING, refuses);
}

/// Validates the output of the tool, and remembers what it has seen.
struct SchemaCheck {
    validator: Validator,
    commands: BTreeSet<String>,
    errors: BTreeSet<String>,
}

impl SchemaCheck {
    fn new() -> Result<Self, TestError> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/docs/output.schema.json");
        let mut schema: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
        for (name, definition) in schema["$defs"].as_object_mut().ok_or("no definitions")? {
            // The commands extend this one.
            if name != "result" {
                forbid_more(definition);
            }
        }
        let validator = jsonschema::validator_for(&schema)?;
        Ok(SchemaCheck { validator, commands: BTreeSet::new(), errors: BTreeSet::new() })
    }

    /// Validates all lines of an output.
    fn check(&mut self, arguments: &[&str], output: &str) -> TestResult {
        for line in output.lines() {
            let value: Value = serde_json::from_str(line)?;
            let errors: Vec<_> = self.validator.iter_errors(&value).collect();
            assert!(errors.is_empty(), "{arguments:?}: {value:#}\n{errors:#?}");
            let text = |value: &Value| value.as_str().map(str::to_owned);
            self.commands.extend(text(&value["command"]).or_else(|| Some("inspect".to_owned())));
            self.errors.extend(text(&value["error"]["kind"]));
        }
        Ok(())
    }

    /// Runs the tool with `--json`, and validates what it prints.
    async fn run(&mut self, project: &PythonProject, url: &str, arguments: &[&str]) -> TestResult {
        let arguments: Vec<_> = arguments.iter().chain(&["--json"]).copied().collect();
        let output = tool(project, url, &arguments).await?;
        assert_eq!(output.stderr, "", "{arguments:?}");
        assert!(!output.stdout.is_empty(), "{arguments:?}");
        self.check(&arguments, &output.stdout)?;
        let last: Value = serde_json::from_str(output.stdout.lines().last().unwrap_or_default())?;
        if let Some(code) = last["exit_code"].as_i64() {
            assert_eq!(output.code.map(i64::from), Some(code), "{arguments:?}");
        }
        Ok(())
    }
}

/// Makes a schema of an object refuse every field that it does not name.
fn forbid_more(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(forbid_more);
            if object.contains_key("allOf") {
                object.insert("unevaluatedProperties".to_owned(), false.into());
            } else if object.get("type") == Some(&"object".into()) {
                object.insert("additionalProperties".to_owned(), false.into());
            }
        }
        Value::Array(values) => values.iter_mut().for_each(forbid_more),
        _ => {}
    }
}

/// Every command that uses the database, with arguments that change it as little as possible.
const COMMANDS: &[&[&str]] = &[
    &["status"],
    &["history"],
    &["current"],
    &["check"],
    &["doctor"],
    &["lock-status"],
    &["validate-checksums"],
    &["validate-files"],
    &["upgrade", "--dry-run", "--no-wait"],
    &["rollback", "--dry-run", "--no-wait"],
    &["upgrade", "--to-version", "99", "--no-wait"],
    &["rollback", "--to-version", "99", "--no-wait"],
    &["baseline", "--detect"],
    &["baseline", "1", "--dry-run", "--no-wait"],
];

const CHANGES: &[&[&str]] =
    &[&["fix-checksums", "--no-wait"], &["fix-files", "--no-wait"], &["fix", "--no-wait"]];

const V1: (&str, &str) =
    ("V1__a.sql", "CREATE TABLE a (id INTEGER);\n\n-- rollback\nDROP TABLE a;\n");
const V2: (&str, &str) = ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n");
const RA: (&str, &str) = ("RA__seed.sql", "DELETE FROM a;\n");
const ROC: (&str, &str) = ("ROC__seed.sql", "INSERT INTO a VALUES (1);\n");

async fn every_state(ctx: TestContext) -> TestResult {
    let mut check = SchemaCheck::new()?;
    let project = PythonProject::with(&[V1])?;
    let url = ctx.db.url.as_str();
    let states: [(&str, &[&[&str]]); 6] = [
        ("empty", &[]),
        ("nothing pending", &[&["upgrade"], &["upgrade"]]),
        ("repeatables", &[&["upgrade"]]),
        ("rolled back", &[&["rollback"], &["rollback", "-c", "9"], &["rollback"], &["upgrade"]]),
        ("drift", &[&["validate-checksums"], &["upgrade"]]),
        ("a statement that fails", &[&["upgrade"]]),
    ];
    for (state, commands) in states {
        match state {
            "repeatables" => {
                for (name, text) in [V2, RA, ROC] {
                    project.write(name, text)?;
                }
            }
            "drift" => {
                project.write(V1.0, "CREATE TABLE a (id BIGINT);\n")?;
                project.remove(V2.0)?;
                project.remove(ROC.0)?;
                project.write("V0_5__late.sql", "SELECT 1;\n")?;
            }
            "a statement that fails" => {
                project.remove("V0_5__late.sql")?;
                check.run(&project, url, &["validate-files", "--fix"]).await?;
                check.run(&project, url, &["validate-checksums", "--fix"]).await?;
                project.write("V3__c.sql", "CREATE TABLE c (id INTEGER);\n")?;
                project.write("V4__d.sql", "SELECT 1;\nINSERT INTO nowhere VALUES (1);\n")?;
            }
            _ => {}
        }
        for arguments in commands.iter().chain(COMMANDS) {
            check.run(&project, url, arguments).await.map_err(|it| format!("{state}: {it:#}"))?;
        }
    }
    project.remove("V4__d.sql")?;
    for arguments in CHANGES {
        check.run(&project, url, arguments).await?;
    }
    held(&ctx, &mut check, &project).await?;
    broken(&ctx, &mut check, &project).await?;
    for kind in [
        "refused",
        "statement",
        "held",
        "namespace",
        "table",
        "setting",
        "database",
        "usage",
        "folder",
    ] {
        assert!(check.errors.contains(kind), "no error of the kind {kind}: {:?}", check.errors);
    }
    Ok(())
}

/// Another process holds the lock.
async fn held(ctx: &TestContext, check: &mut SchemaCheck, project: &PythonProject) -> TestResult {
    let url = ctx.db.url.as_str();
    ctx.db
        .execute(
            "UPDATE jetbase_lock SET is_locked = TRUE, locked_at = CURRENT_TIMESTAMP, \
             process_id = '7f9c24e8-3b12-4fef-91e0-56a2d5a3f1c0' WHERE id = 1",
        )
        .await?;
    project.write("V8__e.sql", "CREATE TABLE e (id INTEGER);\n")?;
    check.run(project, url, &["upgrade", "--no-wait"]).await?;
    for arguments in COMMANDS {
        check.run(project, url, arguments).await?;
    }
    check.run(project, url, &["unlock"]).await?;
    check.run(project, url, &["unlock"]).await?;
    check.run(project, url, &["upgrade"]).await?;

    let other = ctx.another().await?;
    let slow = set(&[("V1__slow.sql", &slow(ctx.kind, 4))]);
    let (run, started) = notify_at_start(run_url(&slow, &other.url), "V1__slow.sql");
    let run = tokio::spawn(run.into_future());
    started.await?;
    for arguments in [&["unlock"][..], &["lock-status"], &["status"], &["doctor"]] {
        check.run(project, &other.url, arguments).await?;
    }
    if ctx.kind != DatabaseKind::Mysql {
        check.run(project, &other.url, &["unlock", "--force"]).await?;
        assert!(check.errors.contains("holder_busy"), "{:?}", check.errors);
    }
    run.await??;
    Ok(())
}

/// The URL, the settings, the schema or the tables are wrong.
async fn broken(ctx: &TestContext, check: &mut SchemaCheck, project: &PythonProject) -> TestResult {
    let url = ctx.db.url.as_str();
    for url in ["postgres://u:p@127.0.0.1:1/none", "oracle://h/d", "sqlite:///no/such/folder.db"] {
        for arguments in COMMANDS {
            check.run(project, url, arguments).await?;
        }
    }
    for arguments in COMMANDS {
        let arguments: Vec<_> = arguments.iter().chain(&["--schema", "nowhere"]).copied().collect();
        check.run(project, url, &arguments).await?;
    }
    let mut command = tool_command(project, url, &["upgrade", "--json"]);
    let output = command.env("JETBASE_LEASE", "1ms").output().await?;
    check.check(&["upgrade"], &String::from_utf8(output.stdout)?)?;
    ctx.db.execute("UPDATE jetbase_migrations SET version = 'x' WHERE version = '3'").await?;
    for arguments in COMMANDS {
        check.run(project, url, arguments).await?;
    }
    project.write("seed.sql", "SELECT 1;\n")?;
    for arguments in COMMANDS {
        check.run(project, url, arguments).await?;
    }
    if ctx.kind == DatabaseKind::Sqlite {
        let other = ctx.another().await?;
        std::fs::create_dir(format!("{}.jetbase-lock", other.name))?;
        project.remove("seed.sql")?;
        check.run(project, &other.url, &["upgrade"]).await?;
        assert!(check.errors.contains("lock_file"), "{:?}", check.errors);
    }
    Ok(())
}

async fn about_files() -> TestResult {
    let mut check = SchemaCheck::new()?;
    let project = PythonProject::with(&[V1, ("broken.sql", "SELECT 1\n")])?;
    for arguments in
        [&["inspect", "migrations/V1__a.sql", "migrations/broken.sql", "nothing.sql"][..], &["sum"]]
    {
        check.run(&project, "", arguments).await?;
    }
    project.remove("broken.sql")?;
    let old = project.path().join("old");
    std::fs::create_dir(&old)?;
    std::fs::write(old.join("1_a.sql"), "CREATE TABLE a (id INTEGER)\n")?;
    std::fs::write(old.join("README.md"), "text\n")?;
    for arguments in [
        &["init"][..],
        &["init"],
        &["new", "add b", "-v", "2"],
        &["new", "add b", "-v", "2"],
        &["new", "a/b"],
        &["sum", "--check"],
        &["sum"],
        &["sum", "--check"],
        &["sum"],
        &["renumber", "--dry-run"],
        &["renumber"],
        &["adopt", "sqlx", "old", "--dir", "new"],
        &["adopt", "sqlx", "old", "--dir", "new", "--write"],
        &["adopt", "sqlx", "--dir", "new", "--database-url", "sqlite://x.db?mode=memory"],
        &["adopt", "flyway", "nowhere"],
        &["completions", "bash"],
        &["man"],
        &["man", "upgrade"],
        &["man", "nothing"],
        &["man", "--out", "pages"],
        &["man", "--out", "migrations/V1__a.sql"],
        &["nothing"],
        &["upgrade", "--count", "0"],
        &["upgrade", "-c", "1", "-t", "2"],
        &["completions", "tcsh"],
        &["status", "--dir", "nowhere", "--database-url", "sqlite://x.db"],
    ] {
        check.run(&project, "", arguments).await?;
    }
    project.write(V1.0, "CREATE TABLE a (id BIGINT);\n")?;
    for arguments in [&["sum"][..], &["sum", "--check"]] {
        check.run(&project, "", arguments).await?;
    }
    project.write("V0__late.sql", "SELECT 1;\n")?;
    check.run(&project, "", &["renumber"]).await?;
    for command in ["init", "new", "inspect", "sum", "renumber", "adopt", "completions", "man"] {
        assert!(check.commands.contains(command), "{command}: {:?}", check.commands);
    }
    for kind in ["io", "adoption"] {
        assert!(check.errors.contains(kind), "{:?}", check.errors);
    }
    Ok(())
}

/// The strict form of the schema notices a field that is missing, renamed or added.
async fn refuses() -> TestResult {
    let check = SchemaCheck::new()?;
    let good =
        json!({ "command": "current", "ok": true, "exit_code": 0, "version": null, "error": null });
    assert!(check.validator.is_valid(&good));
    for (field, value) in [
        ("more", Some(json!(1))),
        ("version", None),
        ("version", Some(json!(1))),
        ("error", None),
        ("error", Some(json!({ "kind": "usage", "message": "x", "more": 1 }))),
        ("error", Some(json!({ "kind": "unknown", "message": "x" }))),
        ("exit_code", Some(json!(3))),
        ("command", Some(json!("unknown"))),
        ("command", Some(json!("history"))),
    ] {
        let mut wrong = good.clone();
        let object = wrong.as_object_mut().ok_or("an object")?;
        match value {
            Some(value) => object.insert(field.to_owned(), value),
            None => object.remove(field),
        };
        assert!(!check.validator.is_valid(&wrong), "{wrong}");
    }
    Ok(())
}
