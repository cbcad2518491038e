use jetbase::{
    Action, Ahead, DatabaseUrl, ErrorKind, Folder, Kept, Migrations, Options, Problem, Repeat,
    Report, SkipReason, Validation, Version,
};
use jetbase_test_harness::{DatabaseKind, Needs, PythonProject, Suite, TestContext, TestResult};

pub(crate) fn register(suite: &mut Suite) {
    let all = DatabaseKind::ALL;
    let nothing = Needs::NOTHING;
    suite.each("a_run_applies_pending_files_once", all, nothing, applies_once);
    suite.each("a_run_stops_at_a_version_or_a_count", all, nothing, stops_early);
    suite.each("a_rollback_undoes_the_latest_versions", all, nothing, rolls_back);
    suite.each(
        "a_rollback_refuses_a_file_without_a_rollback_section",
        all,
        nothing,
        refuses_rollback,
    );
    suite.each("a_run_applies_repeatables_after_versions", all, nothing, repeatables);
    suite.each("a_dry_run_changes_nothing", all, nothing, dry_run);
    suite.each("a_run_sends_the_text_of_a_file_unchanged", all, nothing, own_text);
    suite.each("an_older_program_executes_nothing_on_a_newer_database", all, nothing, ahead);
    suite.each("an_older_program_keeps_a_newer_view", all, nothing, superseded);
    suite.each(
        "a_run_refuses_a_publication_of_its_tables",
        &[DatabaseKind::Postgres],
        nothing,
        published,
    );
    suite.each(
        "an_error_names_a_sequence_that_is_behind",
        &[DatabaseKind::Postgres],
        nothing,
        sequence,
    );
    suite.each("a_run_refuses_the_history_of_another_set", all, nothing, two_sets);
    suite.each("a_run_refuses_changed_missing_and_out_of_order_files", all, nothing, drift);
    suite.each("a_run_executes_statements_outside_a_transaction", all, nothing, transaction_off);
    suite.each("queries_create_no_tables", all, nothing, queries);
    suite.each("later_files_have_later_timestamps", all, nothing, timestamps);
}

/// A set made of these files.
pub(crate) fn set(files: &[(&str, &str)]) -> Migrations {
    let project = PythonProject::with(files).expect("the project can be created");
    let folder = Folder::read(&project.migrations());
    assert_eq!(folder.findings, [], "the folder has findings");
    Migrations::load(folder.files, Options::default())
}

const V1: (&str, &str) =
    ("V1__a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);\n-- rollback\nDROP TABLE a;\n");
const V2: (&str, &str) =
    ("V2__b.sql", "CREATE TABLE b (id INTEGER PRIMARY KEY);\n-- rollback\nDROP TABLE b;\n");
const V3: (&str, &str) =
    ("V3__c.sql", "INSERT INTO a (id) VALUES (3);\n-- rollback\nDELETE FROM a WHERE id = 3;\n");

fn files(report: &Report) -> Vec<&str> {
    report.applied.iter().map(|it| it.file.as_str()).collect()
}

fn version(text: &str) -> Version {
    Version::parse(text).expect("a version")
}

async fn applies_once(ctx: TestContext) -> TestResult {
    let set = set(&[V1, V2, V3]);
    let report = jetbase::run(&set, DatabaseUrl(&ctx.db.url)).await?;
    assert_eq!(files(&report), ["V1__a.sql", "V2__b.sql", "V3__c.sql"]);
    let again = jetbase::run(&set, DatabaseUrl(&ctx.db.url)).await?;
    assert!(again.is_up_to_date());
    assert_eq!(again.to_string(), "up to date: nothing to do");
    assert_eq!(ctx.db.value("SELECT count(*) FROM a").await?.as_deref(), Some("1"));
    let rows = ctx.db.rows("SELECT version, description, filename, migration_type, checksum FROM jetbase_migrations ORDER BY order_executed").await?;
    let first: Vec<_> = rows[0].iter().map(|it| it.as_deref().unwrap_or("NULL")).collect();
    let checksum = set.get(0).expect("V1").checksum().to_string();
    assert_eq!(first, ["1", "a", "V1__a.sql", "VERSIONED", &checksum]);
    assert_eq!(rows.len(), 3);
    let lock = ctx.db.rows("SELECT is_locked, locked_at, process_id FROM jetbase_lock").await?;
    assert_eq!(lock, [[Some("0".to_owned()), None, None]]);
    Ok(())
}

async fn stops_early(ctx: TestContext) -> TestResult {
    let set = set(&[V1, V2, V3]);
    let target = DatabaseUrl(&ctx.db.url);
    assert_eq!(files(&jetbase::run(&set, target).count(1).await?), ["V1__a.sql"]);
    assert_eq!(files(&jetbase::run(&set, target).to_version(version("2")).await?), ["V2__b.sql"]);
    assert!(jetbase::run(&set, target).to_version(version("1")).await?.is_up_to_date());
    let error = jetbase::run(&set, target).to_version(version("9")).await.expect_err("no V9");
    assert_eq!(format!("{error:#}"), "no migration has the version 9; name a version of the set");
    assert_eq!(jetbase::current(&set, target).await?, Some(version("2")));
    Ok(())
}

async fn rolls_back(ctx: TestContext) -> TestResult {
    let set = set(&[V1, V2, V3]);
    let target = DatabaseUrl(&ctx.db.url);
    jetbase::run(&set, target).await?;
    let report = jetbase::rollback(&set, target).await?;
    assert_eq!(files(&report), ["V3__c.sql"]);
    assert_eq!(report.applied[0].action, Action::RollBack);
    assert_eq!(ctx.db.value("SELECT count(*) FROM a").await?.as_deref(), Some("0"));
    assert_eq!(
        files(&jetbase::rollback(&set, target).to_version(version("1")).await?),
        ["V2__b.sql"]
    );
    let error = jetbase::rollback(&set, target)
        .to_version(version("7"))
        .await
        .expect_err("V7 is not applied");
    assert!(format!("{error:#}").starts_with("version 7 is not applied"), "{error:#}");
    assert_eq!(files(&jetbase::run(&set, target).await?), ["V2__b.sql", "V3__c.sql"]);
    assert_eq!(
        files(&jetbase::rollback(&set, target).all().await?),
        ["V3__c.sql", "V2__b.sql", "V1__a.sql"]
    );
    assert!(jetbase::rollback(&set, target).await?.is_up_to_date());
    assert_eq!(
        ctx.db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(),
        Some("0")
    );
    Ok(())
}

async fn refuses_rollback(ctx: TestContext) -> TestResult {
    let set = set(&[
        V1,
        ("V2__x.sql", "INSERT INTO a (id) VALUES (2);\n"),
        ("V3__y.sql", "SELECT 1;\n-- rollback\n"),
    ]);
    let target = DatabaseUrl(&ctx.db.url);
    jetbase::run(&set, target).await?;
    // A marker without statements after it means that there is nothing to undo.
    assert_eq!(files(&jetbase::rollback(&set, target).await?), ["V3__y.sql"]);
    let error = jetbase::rollback(&set, target).await.expect_err("V2 has no rollback section");
    assert!(
        format!("{error:#}")
            .starts_with("V2__x.sql cannot be rolled back: it has no rollback section"),
        "{error:#}"
    );
    Ok(())
}

async fn repeatables(ctx: TestContext) -> TestResult {
    let insert = |text: &str| format!("INSERT INTO log (what) VALUES ('{text}');\n");
    let log = ("V1__log.sql", "CREATE TABLE log (what VARCHAR(20));\n");
    let (always, change) = (insert("always"), insert("change"));
    let first = set(&[log, ("RA__always.sql", &always), ("ROC__change.sql", &change)]);
    let target = DatabaseUrl(&ctx.db.url);
    let report = jetbase::run(&first, target).await?;
    assert_eq!(files(&report), ["V1__log.sql", "RA__always.sql", "ROC__change.sql"]);
    assert!(jetbase::run(&first, target).await?.is_up_to_date());
    assert_eq!(
        files(&jetbase::run(&first, target).repeat(Repeat::Always).await?),
        ["RA__always.sql"]
    );

    let changed = insert("changed");
    let second = set(&[log, ("RA__always.sql", &always), ("ROC__change.sql", &changed)]);
    let report = jetbase::run(&second, target).await?;
    assert_eq!(files(&report), ["RA__always.sql", "ROC__change.sql"]);
    assert!(report.applied.iter().all(|it| it.action == Action::Reapply));
    let rows = ctx.db.rows("SELECT what FROM log ORDER BY what").await?;
    assert_eq!(
        rows.iter().flatten().flatten().map(String::as_str).collect::<Vec<_>>(),
        ["always", "always", "always", "change", "changed"]
    );
    assert_eq!(
        ctx.db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(),
        Some("3")
    );
    Ok(())
}

async fn dry_run(ctx: TestContext) -> TestResult {
    let set = set(&[V1, V2]);
    let report = jetbase::run(&set, DatabaseUrl(&ctx.db.url)).dry_run().await?;
    assert_eq!(report.planned.len(), 2);
    assert_eq!(report.planned[0].statements, ["CREATE TABLE a (id INTEGER PRIMARY KEY)"]);
    assert!(
        ctx.db.rows("SELECT * FROM jetbase_migrations").await.is_err(),
        "a dry run created a table"
    );
    Ok(())
}

async fn own_text(ctx: TestContext) -> TestResult {
    let text = "CREATE TABLE t (id INTEGER PRIMARY KEY, body VARCHAR(200));\nINSERT INTO t (id, body) VALUES (1, 'one;\n  -- two\n\n:three {\"a\":1} it''s');  -- and ;\nINSERT INTO t (id, body) VALUES (2, 'x'); INSERT INTO t (id, body) VALUES (3, '/* y */');\n";
    jetbase::run(&set(&[("V1__t.sql", text)]), DatabaseUrl(&ctx.db.url)).await?;
    let body = ctx.db.value("SELECT body FROM t WHERE id = 1").await?;
    assert_eq!(body.as_deref(), Some("one;\n  -- two\n\n:three {\"a\":1} it's"));
    assert_eq!(ctx.db.value("SELECT count(*) FROM t").await?.as_deref(), Some("3"));
    Ok(())
}

async fn ahead(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    let always = (
        "RA__log.sql",
        "INSERT INTO a (id) VALUES ((SELECT max(x.id) + 1 FROM (SELECT id FROM a UNION SELECT 10) x));\n",
    );
    jetbase::run(&set(&[V1, V2, V3, always]), target).await?;
    let rows = ctx.db.value("SELECT count(*) FROM a").await?;
    let older = set(&[V1, V2, always]);
    let report = jetbase::run(&older, target).repeat(Repeat::Always).await?;
    assert!(report.is_up_to_date(), "{report}");
    assert_eq!(report.skipped[0].reason, SkipReason::Ahead);
    assert!(
        report.warnings[0]
            .contains("the database is ahead of this program: a newer program applied V3__c.sql"),
        "{report}"
    );
    assert_eq!(ctx.db.value("SELECT count(*) FROM a").await?, rows);
    assert!(jetbase::check(&older, target).await?.is_ready());
    let error = jetbase::run(&older, target).ahead(Ahead::Refuse).await.expect_err("refused");
    assert!(
        format!("{error:#}").starts_with("version 3 (V3__c.sql) has been applied, and is newer"),
        "{error:#}"
    );
    Ok(())
}

async fn two_sets(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    jetbase::run(&set(&[V1]), target).await?;
    let other = set(&[("V1__orders.sql", "CREATE TABLE orders (id INTEGER);\n")]);
    let error = jetbase::run(&other, target).await.expect_err("another set");
    assert!(
        format!("{error:#}")
            .starts_with("version 1 was recorded from another set (V1__a.sql, not V1__orders.sql)"),
        "{error:#}"
    );
    Ok(())
}

async fn drift(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    jetbase::run(&set(&[V1, V3]), target).await?;
    let edited = ("V1__a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY, x INTEGER);\n");
    let error = jetbase::run(&set(&[edited, V2]), target).await.expect_err("three problems");
    let ErrorKind::Refused(refusal) = error.kind() else { panic!("{error:#}") };
    assert!(
        matches!(
            refusal.problems.as_slice(),
            [Problem::Changed { .. }, Problem::OutOfOrder { .. }, ..]
        ),
        "{refusal:?}"
    );
    let late = set(&[V1, V2, V3]);
    assert!(jetbase::validate(&late, target).await.is_err());
    let report = jetbase::run(&late, target).skip(Validation::Files).await?;
    assert_eq!(report.skipped[0].reason, SkipReason::OutOfOrder);
    let missing = jetbase::run(&set(&[V3]), target).await.expect_err("V1 is missing");
    assert!(
        missing
            .to_string()
            .starts_with("version 1 (V1__a.sql) has been applied, but its file is missing"),
        "{missing}"
    );
    Ok(())
}

async fn transaction_off(ctx: TestContext) -> TestResult {
    let statement = match ctx.kind {
        DatabaseKind::Sqlite => "VACUUM;\n",
        DatabaseKind::Postgres => "CREATE INDEX CONCURRENTLY a_id ON a (id);\nVACUUM a;\n",
        DatabaseKind::Mysql => "OPTIMIZE TABLE a;\n",
    };
    let text = format!(
        "-- jetbase: transaction=off\nINSERT INTO a (id) VALUES (5);\n{statement}INSERT INTO a (id) VALUES (6);\n"
    );
    let target = DatabaseUrl(&ctx.db.url);
    jetbase::run(&set(&[V1, ("V2__off.sql", &text)]), target).await?;
    assert_eq!(ctx.db.value("SELECT count(*) FROM a").await?.as_deref(), Some("2"));

    let broken = "-- jetbase: transaction=off\nINSERT INTO a (id) VALUES (7);\nINSERT INTO nowhere (id) VALUES (8);\n";
    let broken = set(&[V1, ("V2__off.sql", &text), ("V3__broken.sql", broken)]);
    let error = jetbase::run(&broken, target).await.expect_err("no such table");
    let ErrorKind::Statement(failed) = error.kind() else { panic!("{error:#}") };
    assert_eq!((failed.statement, failed.kept), (Some((2, 2)), Kept::Statements(1)), "{error:#}");
    assert_eq!(failed.position.map(|it| it.line), Some(3), "{error:#}");
    assert_eq!(ctx.db.value("SELECT count(*) FROM a WHERE id = 7").await?.as_deref(), Some("1"));
    Ok(())
}

async fn queries(ctx: TestContext) -> TestResult {
    let set = set(&[V1, V2]);
    let target = DatabaseUrl(&ctx.db.url);
    let status = jetbase::status(&set, target).await?;
    assert_eq!((status.applied.len(), status.pending.len()), (0, 2));
    assert!(!jetbase::check(&set, target).await?.is_ready());
    assert_eq!(jetbase::current(&set, target).await?, None);
    assert!(jetbase::history(&set, target).await?.records.is_empty());
    assert_eq!(jetbase::lock_status(&set, target).await?.to_string(), "Status: UNLOCKED");
    assert_eq!(jetbase::unlock(&set, target).await?.holder, None);
    jetbase::validate(&set, target).await?;
    assert!(
        ctx.db.rows("SELECT * FROM jetbase_migrations").await.is_err(),
        "a query created a table"
    );
    assert!(ctx.db.rows("SELECT * FROM jetbase_lock").await.is_err(), "a query created a table");
    Ok(())
}

async fn timestamps(ctx: TestContext) -> TestResult {
    let many: Vec<_> = (1..=20).map(|n| (format!("V{n}__x.sql"), "SELECT 1;\n")).collect();
    let many: Vec<_> = many.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    jetbase::run(&set(&many), DatabaseUrl(&ctx.db.url)).await?;
    let rows = ctx.db.rows("SELECT version FROM jetbase_migrations ORDER BY applied_at").await?;
    let order: Vec<_> =
        rows.iter().flatten().flatten().map(|it| it.parse::<u32>().unwrap_or(0)).collect();
    assert_eq!(order, (1..=20).collect::<Vec<_>>());
    assert_eq!(
        ctx.db.value("SELECT count(DISTINCT applied_at) FROM jetbase_migrations").await?.as_deref(),
        Some("20")
    );
    Ok(())
}

async fn superseded(ctx: TestContext) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    let base = ("V1__t.sql", "CREATE TABLE t (id INTEGER, old INTEGER);\n");
    let view = |column: &str| {
        format!("DROP VIEW IF EXISTS v;\nCREATE VIEW v AS SELECT {column} AS it FROM t;\n")
    };
    let (before, after) = (view("old"), view("id"));
    let older = set(&[base, ("ROC__v.sql", &before)]);
    let newer = set(&[base, ("ROC__v.sql", &after)]);
    jetbase::run(&older, target).await?;
    jetbase::run(&newer, target).await?;
    // The older program starts again, as in a rolling deployment.
    let report = jetbase::run(&older, target).await?;
    assert!(report.is_up_to_date(), "{report}");
    assert_eq!(report.skipped[0].reason, SkipReason::Superseded);
    assert!(jetbase::run(&newer, target).await?.is_up_to_date());
    // `Repeat::Always` applies the older text again. Then the newer text is the superseded one.
    assert_eq!(files(&jetbase::run(&older, target).repeat(Repeat::Always).await?), ["ROC__v.sql"]);
    assert!(jetbase::run(&older, target).await?.is_up_to_date());
    assert_eq!(jetbase::run(&newer, target).await?.skipped[0].reason, SkipReason::Superseded);
    Ok(())
}

async fn published(ctx: TestContext) -> TestResult {
    let set = set(&[V1]);
    ctx.db.execute("CREATE PUBLICATION everything FOR ALL TABLES").await?;
    let error = jetbase::run_url(&set, &ctx.db.url).await.expect_err("published");
    assert!(
        format!("{error:#}").starts_with("the publication everything sends jetbase's tables"),
        "{error:#}"
    );
    let report = jetbase::run_url(&set, &ctx.db.url).published(jetbase::Published::Allow).await?;
    assert_eq!(report.applied.len(), 1);
    Ok(())
}

async fn sequence(ctx: TestContext) -> TestResult {
    jetbase::run_url(&set(&[V1, V2]), &ctx.db.url).await?;
    ctx.db
        .execute("ALTER TABLE jetbase_migrations ALTER COLUMN order_executed RESTART WITH 1")
        .await?;
    let more = set(&[V1, V2, V3]);
    let error = jetbase::run_url(&more, &ctx.db.url).await.expect_err("the number is used");
    let text = format!("{error:#}");
    let (_, rest) = text.split_once("run SELECT ").ok_or("no remedy")?;
    let (remedy, _) = rest.split_once(", then run again").ok_or("no end of the remedy")?;
    ctx.db.execute(&format!("SELECT {remedy}")).await?;
    assert_eq!(jetbase::run_url(&more, &ctx.db.url).await?.applied.len(), 1);
    Ok(())
}
