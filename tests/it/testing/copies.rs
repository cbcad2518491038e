//! What the migrations may create, so that each test has the same.

use jetbase::Options;
use jetbase::sqlx::{MySql, Postgres, Sqlite};
use jetbase::testing::TestDatabase;
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestError, TestResult};

use super::{OwnFolder, place, seen};

pub(super) fn register(suite: &mut Suite) {
    let (postgres, mysql) = (&[DatabaseKind::Postgres], &[DatabaseKind::Mysql]);
    let (sqlite, nothing) = (&[DatabaseKind::Sqlite], Needs::NOTHING);
    suite.each("a_copy_on_mysql_has_every_object_of_the_template", mysql, nothing, objects);
    suite.each("a_template_that_cannot_be_copied_is_replaced_by_a_run", mysql, nothing, sequences);
    suite.each("a_clone_on_postgres_has_every_object_of_the_template", postgres, nothing, schemas);
    suite.each("a_clone_of_a_write_ahead_log_is_complete", sqlite, nothing, wal);
}

/// Objects of each kind, with names and rows that are easily damaged.
const OBJECTS: &[(&str, &str)] = &[
    (
        "V1__tables.sql",
        "CREATE TABLE z_parent (id INTEGER PRIMARY KEY AUTO_INCREMENT, t VARCHAR(80) CHARACTER SET utf8mb4,
           n INTEGER NOT NULL DEFAULT 4,
           twice INTEGER AS (n * 2) STORED, at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB;
         CREATE TABLE `a ``child``` (`the id` INTEGER, CONSTRAINT fk FOREIGN KEY (`the id`) REFERENCES z_parent (id)
           ON DELETE CASCADE) ENGINE=InnoDB DEFAULT CHARSET=latin1;
         INSERT INTO z_parent (t) VALUES ('größe 日本 \\\\ '' \" `; --'), (NULL), ('');
         DELETE FROM z_parent WHERE id = 2;
         SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
         INSERT INTO z_parent (id, t) VALUES (0, 'zero');
         INSERT INTO `a ``child``` VALUES (1);",
    ),
    (
        "V2__views.sql",
        "CREATE VIEW y_first AS SELECT id, t FROM z_parent WHERE t <> ';';
         CREATE VIEW b_second AS SELECT count(*) AS n FROM y_first;",
    ),
    (
        "V3__routines.sql",
        "-- jetbase: delimiter=~
CREATE FUNCTION f(x INTEGER) RETURNS INTEGER DETERMINISTIC BEGIN DECLARE y INTEGER; SET y = x + 1; RETURN y; END~
CREATE PROCEDURE p() BEGIN INSERT INTO `a ``child``` VALUES (3); END~
CREATE TRIGGER t1 BEFORE INSERT ON z_parent FOR EACH ROW BEGIN SET NEW.t = CONCAT('1', NEW.t); END~
CREATE TRIGGER t2 BEFORE INSERT ON z_parent FOR EACH ROW BEGIN SET NEW.t = CONCAT('2', NEW.t); END~
CREATE VIEW c_third AS SELECT f(id) AS g FROM z_parent~
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM z_parent WHERE id < 0~
",
    ),
];

/// What the objects answer.
const QUESTIONS: [&str; 7] = [
    "SELECT id, t, twice, at FROM z_parent ORDER BY id",
    "SELECT `the id` FROM `a ``child```",
    "SELECT n FROM b_second",
    "SELECT g FROM c_third ORDER BY g",
    "SELECT table_name, auto_increment, table_collation FROM information_schema.tables
     WHERE table_schema = DATABASE() AND table_name <> 'jetbase_template_copy' ORDER BY 1",
    "SELECT trigger_name, action_order, action_statement FROM information_schema.triggers
     WHERE trigger_schema = DATABASE() ORDER BY 1",
    "SELECT event_name, status, TRIM(TRAILING ';' FROM event_definition) FROM information_schema.events WHERE event_schema = DATABASE()",
];

async fn objects(ctx: TestContext) -> TestResult {
    let set = OwnFolder::new().set(OBJECTS);
    jetbase::run(&set, jetbase::DatabaseUrl(&ctx.db.url)).await?;
    let test = TestDatabase::<MySql>::create_at(&place(&ctx.db), &set).await?;
    let db = seen(&ctx, &test)?;
    assert!(
        is_copied(&ctx, &test).await?,
        "the migrations were applied to the database of the test"
    );
    for question in QUESTIONS {
        let (expected, found) = (ctx.db.rows(question).await?, db.rows(question).await?);
        let without_time = |rows: jetbase_test_harness::TextRows| -> Vec<Vec<Option<String>>> {
            let keep = if question.contains("twice") { 3 } else { 9 };
            rows.into_iter().map(|row| row.into_iter().take(keep).collect()).collect()
        };
        assert_eq!(without_time(found), without_time(expected), "{question}");
    }
    db.execute("CALL p()").await?;
    db.execute("INSERT INTO z_parent (t) VALUES ('x')").await?;
    let row = db.rows("SELECT id, t FROM z_parent ORDER BY id DESC LIMIT 1").await?.concat();
    assert_eq!(row, [Some("4".to_owned()), Some("21x".to_owned())]);
    db.execute("INSERT INTO `a ``child``` VALUES (99)").await.expect_err("there is no parent");
    test.delete().await?;
    Ok(())
}

/// Whether the template of this test has statements.
async fn is_copied(ctx: &TestContext, test: &TestDatabase<MySql>) -> Result<bool, TestError> {
    // The time of the history is that of the template only in a copy.
    let time = seen(ctx, test)?
        .value("SELECT applied_at FROM jetbase_migrations ORDER BY order_executed LIMIT 1")
        .await?;
    let templates = ctx
        .db
        .rows("SELECT table_schema FROM information_schema.tables WHERE table_name = 'jetbase_template_copy'")
        .await?;
    for template in templates.concat().into_iter().flatten() {
        let sql = format!(
            "SELECT applied_at FROM {template}.jetbase_migrations ORDER BY order_executed LIMIT 1"
        );
        // Another trial may delete its templates.
        if ctx.db.value(&sql).await.ok().flatten() == time {
            let sql = format!("SELECT count(*) FROM {template}.jetbase_template_copy");
            return Ok(ctx.db.value(&sql).await? != Some("0".to_owned()));
        }
    }
    Ok(false)
}

async fn sequences(ctx: TestContext) -> TestResult {
    let statement = if ctx.db.is_mariadb().await? {
        "CREATE SEQUENCE s; CREATE TABLE a (id INTEGER DEFAULT nextval(s), n INTEGER);"
    } else {
        // The view names its database, which is that of the template.
        "CREATE TABLE a (id INTEGER PRIMARY KEY AUTO_INCREMENT, n INTEGER);
         SET @name = DATABASE();
         SET @text = CONCAT('CREATE VIEW v AS SELECT ''', @name, ''' AS name FROM a');
         PREPARE s FROM @text; EXECUTE s; DEALLOCATE PREPARE s;"
    };
    let set = OwnFolder::new().set(&[("V1__a.sql", statement)]);
    for _ in 0..2 {
        let test = TestDatabase::<MySql>::create_at(&place(&ctx.db), &set).await?;
        assert!(!is_copied(&ctx, &test).await?);
        let db = seen(&ctx, &test)?;
        db.execute("INSERT INTO a (n) VALUES (5)").await?;
        assert_eq!(db.value("SELECT id FROM a").await?.as_deref(), Some("1"));
        test.delete().await?;
    }
    Ok(())
}

async fn schemas(ctx: TestContext) -> TestResult {
    let files = [
        (
            "V1__a.sql",
            "CREATE TYPE mood AS ENUM ('gut', 'schlecht');\nCREATE TABLE a (id SERIAL PRIMARY KEY, m mood);\nINSERT INTO a (m) VALUES ('gut');\n",
        ),
        (
            "V2__b.sql",
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.m := 'schlecht'; RETURN NEW; END $$;\nCREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();\n",
        ),
        ("V3__c.sql", "-- jetbase: transaction=off\nCREATE INDEX CONCURRENTLY i ON a (m);\n"),
    ];
    let options = Options { schema: Some("größe"), ..Options::default() };
    let set = OwnFolder::new().set_with(&files, options);
    let test = TestDatabase::<Postgres>::create_at(&place(&ctx.db), &set).await?;
    let db = seen(&ctx, &test)?;
    db.execute("INSERT INTO größe.a (m) VALUES ('gut')").await?;
    let rows = db.rows("SELECT id, m::text FROM größe.a ORDER BY id").await?.concat();
    let rows: Vec<_> = rows.iter().flatten().map(String::as_str).collect();
    assert_eq!(rows, ["1", "gut", "2", "schlecht"]);
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'größe.i'::regclass";
    assert_eq!(db.value(valid).await?.as_deref(), Some("1"));
    test.delete().await?;
    Ok(())
}

async fn wal(ctx: TestContext) -> TestResult {
    let files = [
        ("V1__a.sql", "-- jetbase: transaction=off\nPRAGMA journal_mode = WAL;\n"),
        ("V2__b.sql", "CREATE TABLE a (id INTEGER);\nINSERT INTO a VALUES (1);\n"),
    ];
    let set = OwnFolder::new().set(&files);
    let test = TestDatabase::<Sqlite>::create_at(&place(&ctx.db), &set).await?;
    let db = seen(&ctx, &test)?;
    assert_eq!(db.value("PRAGMA journal_mode").await?.as_deref(), Some("wal"));
    assert_eq!(db.value("SELECT id FROM a").await?.as_deref(), Some("1"));
    test.delete().await?;
    assert!(super::names(&ctx).await?.iter().all(|name| !name.starts_with("jetbase_test_")));
    Ok(())
}
