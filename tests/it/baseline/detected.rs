//! The comparison of pending versions with the catalog of a database.

use jetbase::{DatabaseUrl, DetectedBaseline, Migrations};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};

use super::{applied, rows, version};
use crate::apply::set;

pub(super) fn register(suite: &mut Suite) {
    let (all, nothing) = (DatabaseKind::ALL, Needs::NOTHING);
    suite.each("pending_versions_are_compared_with_the_catalog", all, nothing, compares);
    suite.each("each_kind_of_object_is_found_in_the_catalog", all, nothing, every_kind);
    suite.each("a_name_with_a_schema_is_looked_for_there", DatabaseKind::SERVERS, nothing, schemas);
}

/// Each version, with its state: `1 already there`.
fn states(detected: &DetectedBaseline) -> Vec<String> {
    let state = |it: &jetbase::DetectedVersion| format!("{} {}", it.version, it.state.as_str());
    detected.versions.iter().map(state).collect()
}

async fn detect(set: &Migrations, db: &Database) -> Result<DetectedBaseline, TestError> {
    Ok(jetbase::detect_baseline(set, DatabaseUrl(&db.url)).await?)
}

async fn compares(ctx: TestContext) -> TestResult {
    let (open, close) = if ctx.kind == DatabaseKind::Mysql { ('`', '`') } else { ('"', '"') };
    let quoted = format!("{open}Order {{items}}{close}");
    let files = [
        ("V1__a.sql", "CREATE TABLE IF NOT EXISTS old (id INTEGER);\n".to_owned()),
        ("V2__b.sql", format!("CREATE TABLE {quoted} (id INTEGER);\n")),
        ("V3__c.sql", "INSERT INTO old (id) VALUES (1);\n".to_owned()),
        (
            "V4__d.sql",
            format!("ALTER TABLE {quoted} ADD COLUMN note VARCHAR(9);\nDROP TABLE old;\n"),
        ),
        ("V5__e.sql", "CREATE TABLE x (id INTEGER);\nCREATE INDEX x_id ON x (id);\n".to_owned()),
        ("V6__f.sql", "CREATE VIEW v AS SELECT id FROM x;\n".to_owned()),
    ];
    let borrowed: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let all = set(&borrowed);
    let to_apply =
        ["1 to apply", "2 to apply", "3 unknown", "4 to apply", "5 to apply", "6 to apply"];
    let detected = detect(&all, &ctx.db).await?;
    assert_eq!(states(&detected), to_apply, "{detected:?}");
    assert_eq!((detected.version, detected.has_history), (None, false));

    // As the files leave it, after each of them.
    for (name, text) in &files[..4] {
        for statement in text.trim().split(";\n") {
            ctx.db
                .execute(statement.trim_end_matches(';'))
                .await
                .map_err(|it| format!("{name}: {it:#}"))?;
        }
    }
    ctx.db.execute("CREATE TABLE x (id INTEGER)").await?;
    let detected = detect(&all, &ctx.db).await?;
    assert_eq!(
        states(&detected),
        [
            "1 already there",
            "2 already there",
            "3 unknown",
            "4 already there",
            "5 conflict",
            "6 to apply"
        ],
        "{detected:?}"
    );
    assert_eq!(detected.version, Some(version("4")));
    assert_eq!(detected.versions[4].done, ["table or view x exists"]);
    assert_eq!(detected.versions[4].missing, ["index x_id is missing"]);
    assert!(
        detected
            .to_string()
            .contains("V5__e.sql: conflict (table or view x exists; index x_id is missing)")
    );
    assert!(rows(&ctx.db).await.is_err(), "nothing is written");

    // After the baseline, only the rest is pending.
    jetbase::baseline(&all, DatabaseUrl(&ctx.db.url), version("4")).await?;
    ctx.db.execute("CREATE INDEX x_id ON x (id)").await?;
    let detected = detect(&all, &ctx.db).await?;
    assert_eq!(states(&detected), ["5 already there", "6 to apply"]);
    assert!(detected.has_history);
    jetbase::baseline(&all, DatabaseUrl(&ctx.db.url), version("5")).force().await?;
    assert_eq!(applied(&jetbase::run(&all, DatabaseUrl(&ctx.db.url)).await?), ["V6__f.sql"]);
    Ok(())
}

/// One file for each kind of object that the dialect has.
fn objects(kind: DatabaseKind) -> &'static [&'static str] {
    match kind {
        DatabaseKind::Sqlite => &[
            "CREATE TABLE t (id INTEGER);",
            "CREATE VIEW v AS SELECT 1 AS one;",
            "CREATE INDEX i ON t (id);",
            "ALTER TABLE T ADD COLUMN a INTEGER;",
            "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;",
            "ALTER TABLE t RENAME COLUMN a TO b;",
            "CREATE TABLE u (id INTEGER);",
            "ALTER TABLE u RENAME TO w;",
            "DROP VIEW v;",
        ],
        DatabaseKind::Mysql => &[
            "CREATE TABLE t (id INT);",
            "CREATE VIEW v AS SELECT 1 AS one;",
            "CREATE INDEX i ON t (id);",
            "ALTER TABLE t ADD a INT, ADD UNIQUE KEY k (a);",
            "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW SET @a = 1;",
            "ALTER TABLE t CHANGE a b INT;",
            "CREATE TABLE p (id INT PRIMARY KEY);",
            "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (id) REFERENCES p (id);",
            "CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1;",
            "CREATE PROCEDURE q() SELECT 1;",
            "RENAME TABLE p TO w;",
            "ALTER TABLE t DROP FOREIGN KEY c;",
            "DROP VIEW v;",
        ],
        DatabaseKind::Postgres => &[
            "CREATE TABLE t (id INT PRIMARY KEY);",
            "CREATE MATERIALIZED VIEW v AS SELECT 1 AS one;",
            "CREATE INDEX i ON t (id);",
            "ALTER TABLE ONLY t ADD COLUMN a INT, ADD COLUMN IF NOT EXISTS \"A\" INT;",
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;",
            "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
            "ALTER TABLE t RENAME a TO b;",
            "ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0);",
            "CREATE SEQUENCE s;",
            "CREATE TYPE e AS ENUM ('a');",
            "CREATE DOMAIN d AS INT;",
            "CREATE SCHEMA z;",
            "ALTER TABLE t RENAME TO w;",
            "ALTER TABLE w DROP CONSTRAINT c, DROP COLUMN b;",
            "DROP TRIGGER g ON w;",
            "DROP MATERIALIZED VIEW v;",
        ],
    }
}

/// Applies file by file. Before and after each one, the comparison finds exactly what is applied.
async fn every_kind(ctx: TestContext) -> TestResult {
    let texts = objects(ctx.kind);
    let names: Vec<_> = (1..=texts.len()).map(|number| format!("V{number}__a.sql")).collect();
    let text = |it: &str| format!("-- jetbase: delimiter=~\n{}~\n", it.trim_end_matches(';'));
    let bodies: Vec<_> = texts.iter().map(|it| text(it)).collect();
    let files: Vec<_> = names.iter().zip(&bodies).map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let set = set(&files);
    for number in 0..=texts.len() {
        if let Some(text) = number.checked_sub(1).and_then(|index| texts.get(index)) {
            ctx.db.execute(text).await.map_err(|it| format!("{text}: {it:#}"))?;
        }
        let detected = detect(&set, &ctx.db).await?;
        for (index, it) in detected.versions.iter().enumerate() {
            let expected = if index < number { "already there" } else { "to apply" };
            assert_eq!(
                it.state.as_str(),
                expected,
                "{number} applied, {}: {detected:#?}",
                texts[index]
            );
        }
        let last = number.checked_sub(1).map(|_| version(&number.to_string()));
        assert_eq!(detected.version, last);
    }
    Ok(())
}

async fn schemas(ctx: TestContext) -> TestResult {
    let other = format!("{}_other", ctx.db.name);
    let create = format!("CREATE SCHEMA {other}");
    let table = format!("CREATE TABLE {other}.t (id INT)");
    let switch = match ctx.kind {
        DatabaseKind::Mysql => format!("USE {other}"),
        _ => format!("SET search_path TO {other}"),
    };
    let (first, second) =
        (format!("{create};\n{table};\n"), format!("{switch};\nCREATE TABLE u (id INT);\n"));
    let set = set(&[
        ("V1__a.sql", &first),
        ("V2__b.sql", &second),
        ("V3__c.sql", "CREATE TABLE t (id INT);\n"),
    ]);
    assert_eq!(states(&detect(&set, &ctx.db).await?), ["1 to apply", "2 to apply", "3 to apply"]);
    let result = async {
        ctx.db.execute(&create).await?;
        ctx.db.execute(&table).await?;
        assert_eq!(
            states(&detect(&set, &ctx.db).await?),
            ["1 already there", "2 to apply", "3 to apply"]
        );
        ctx.db.execute(&format!("CREATE TABLE {other}.u (id INT)")).await?;
        let detected = detect(&set, &ctx.db).await?;
        assert_eq!(states(&detected), ["1 already there", "2 already there", "3 to apply"]);
        assert_eq!(detected.versions[1].done, [format!("table or view {other}.u exists")]);
        TestResult::Ok(())
    };
    let result = result.await;
    if ctx.kind == DatabaseKind::Mysql {
        ctx.db.execute(&format!("DROP DATABASE {other}")).await?;
    }
    result
}
