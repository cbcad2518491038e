//! What an error says was kept is what is in the database, for many ways to fail.

use jetbase::{DatabaseUrl, Error, ErrorKind, Kept};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};

use crate::apply::set;

pub(super) fn register(suite: &mut Suite) {
    for shape in [Shape::Whole, Shape::Alone, Shape::Delimiter, Shape::Rollback] {
        let name = format!("an_error_says_what_is_in_the_database_after_{}", shape.name());
        let body = move |ctx| says_what_is_there(ctx, shape);
        suite.each(&name, DatabaseKind::ALL, Needs::NOTHING, body);
    }
}

/// How the statements stand in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// In one transaction, where the database has one.
    Whole,
    /// With `transaction=off`.
    Alone,
    /// With a delimiter of the file, and names that are not ASCII.
    Delimiter,
    /// In the rollback section, with `transaction=off`.
    Rollback,
}

impl Shape {
    const fn name(self) -> &'static str {
        match self {
            Shape::Whole => "a_failure_in_a_file",
            Shape::Alone => "a_failure_outside_a_transaction",
            Shape::Delimiter => "a_failure_with_a_delimiter",
            Shape::Rollback => "a_failure_of_a_rollback",
        }
    }

    fn file(self, statements: &[&str]) -> String {
        let end = if self == Shape::Delimiter { " //\n" } else { ";\n" };
        let body: String = statements.iter().map(|it| format!("{it}{end}")).collect();
        match self {
            Shape::Whole => body,
            Shape::Alone => format!("-- jetbase: transaction=off\n{body}"),
            Shape::Delimiter => format!("-- jetbase: delimiter=//\n-- größe: 日本\n{body}"),
            Shape::Rollback => {
                format!("-- jetbase: transaction=off\nSELECT 1;\n-- rollback\n{body}")
            }
        }
    }
}

/// The statements that fail on every database.
const COMMON: &[&str] = &[
    "SELEC 1",
    "INSERT INTO fx (id VALUES) (1)",
    "INSERT INTO nowhere VALUES (1)",
    "INSERT INTO fx (nowhere) VALUES (1)",
    "CREATE TABLE fx (id INTEGER)",
    "INSERT INTO strict VALUES (NULL)",
    "INSERT INTO strict VALUES (7), (7)",
    "INSERT INTO strict VALUES (8), (-1)",
    "INSERT INTO child VALUES (99)",
    "DROP TABLE nowhere",
    "CREATE INDEX i ON fx (nowhere)",
    "ALTER TABLE nowhere ADD COLUMN a INTEGER",
    "SELECT nowhere(1)",
    "UPDATE fx SET nowhere = 1",
    "INSERT INTO fx SELECT id FROM nowhere",
    "CREATE VIEW v AS SELECT nowhere FROM fx",
    "DELETE FROM parent WHERE id = 1",
    "ALTER TABLE fx ADD COLUMN id INTEGER",
];

/// The statements that fail on one database.
const fn own(kind: DatabaseKind) -> &'static [&'static str] {
    match kind {
        DatabaseKind::Postgres => &[
            "SELECT 1 / (id - id) FROM parent",
            "DO $$ BEGIN INSERT INTO fx VALUES (50); RAISE EXCEPTION 'größe'; END $$",
            "DO $$ BEGIN EXECUTE 'SELEC 1'; END $$",
            "SELECT 'x'::integer FROM parent",
            "SET CONSTRAINTS nowhere IMMEDIATE",
            "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELEC 1'",
            "INSERT INTO strict SELECT 9 FROM generate_series(1, 2)",
            "CREATE TRIGGER t BEFORE INSERT ON fx EXECUTE FUNCTION nowhere()",
        ],
        DatabaseKind::Mysql => &[
            "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'größe'",
            "CALL nowhere()",
            "ALTER TABLE fx DROP COLUMN nowhere",
            "CREATE TABLE fx2 (id INTEGER, id INTEGER)",
            "RENAME TABLE nowhere TO other",
            "INSERT INTO strict SELECT 9 UNION ALL SELECT 9",
            "TRUNCATE TABLE nowhere",
            "GRANT SELECT ON nowhere.nothing TO nobody_here",
        ],
        DatabaseKind::Sqlite => &[
            "SELECT abs(-9223372036854775808)",
            "INSERT INTO strict SELECT 9 UNION ALL SELECT 9",
            "ALTER TABLE fx RENAME COLUMN nowhere TO a",
            "DROP INDEX nowhere",
            "REINDEX nowhere",
            "CREATE TRIGGER t AFTER INSERT ON nowhere BEGIN SELECT 1; END",
            "INSERT INTO guarded VALUES (1)",
            "SELECT json('größe')",
        ],
    }
}

const PREPARED: &str = "CREATE TABLE fx (id INTEGER);
CREATE TABLE strict (id INTEGER NOT NULL UNIQUE CHECK (id > 0));
CREATE TABLE parent (id INTEGER PRIMARY KEY);
INSERT INTO parent VALUES (1);
CREATE TABLE child (id INTEGER, FOREIGN KEY (id) REFERENCES parent (id));
INSERT INTO child VALUES (1);";

async fn says_what_is_there(ctx: TestContext, shape: Shape) -> TestResult {
    let db = &ctx.db;
    db.execute(PREPARED).await?;
    if ctx.kind == DatabaseKind::Sqlite {
        db.execute(
            "CREATE TABLE guarded (id INTEGER);
             CREATE TRIGGER guard BEFORE INSERT ON guarded BEGIN SELECT RAISE(ABORT, 'größe'); END",
        )
        .await?;
    }
    let mut files: Vec<(String, String)> = Vec::new();
    let mut errors = Vec::new();
    let mut inputs = 0;
    for failing in COMMON.iter().chain(own(ctx.kind)) {
        // SQLite checks foreign keys at the end of a file in a transaction only.
        let deferred = failing.contains("child") || failing.contains("parent WHERE");
        if ctx.kind == DatabaseKind::Sqlite
            && (deferred || *failing == "CREATE VIEW v AS SELECT nowhere FROM fx")
        {
            continue;
        }
        inputs += 1;
        let number = inputs;
        if let Err(error) = one_input(db, shape, &mut files, number, failing).await {
            errors.push(format!("`{failing}`: {error:#}"));
            // The next inputs need a database without an unfinished file.
            break;
        }
    }
    if errors.is_empty() && inputs >= 20 { Ok(()) } else { Err(errors.join("\n").into()) }
}

async fn one_input(
    db: &Database,
    shape: Shape,
    files: &mut Vec<(String, String)>,
    number: usize,
    failing: &str,
) -> TestResult {
    let table = format!("CREATE TABLE e{number} (id INTEGER)");
    let (before, after) = (
        format!("INSERT INTO fx VALUES ({number}002)"),
        format!("INSERT INTO fx VALUES ({number}004)"),
    );
    let text = |third: &str| shape.file(&[&table, &before, third, &after]);
    let name = format!("V{number}__input.sql");
    let run = async |text: &str| -> Result<(), Error> {
        let all = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let all: Vec<_> = all.chain([(name.as_str(), text)]).collect();
        if shape == Shape::Rollback {
            let first = all.last().copied().into_iter().collect::<Vec<_>>();
            let recorded = db.value("SELECT count(*) FROM jetbase_migrations").await;
            if recorded.is_ok_and(|count| count.as_deref() == Some("0")) || number == 1 {
                // The upgrade section is already recorded in the second attempt.
                let _ = jetbase::run_url(&set(&first), &db.url).await;
            }
            jetbase::rollback(&set(&first), DatabaseUrl(&db.url)).await.map(drop)
        } else {
            jetbase::run_url(&set(&all), &db.url).await.map(drop)
        }
    };
    let broken = text(failing);
    for _ in 0..2 {
        let error = run(&broken).await.err().ok_or("it did not fail")?;
        let shown = format!("{error:#}");
        if let ErrorKind::Journal(jetbase::JournalError::InDoubt { statement: 3, .. }) =
            error.kind()
        {
            // A CALL may have taken effect in part, so the second attempt asks.
            if !failing.starts_with("CALL") || effects(db, number).await? != [true, true, false] {
                return Err(shown.into());
            }
            continue;
        }
        let ErrorKind::Statement(statement) = error.kind() else { return Err(shown.into()) };
        if statement.statement.is_some_and(|(number, _)| number != 3) {
            return Err(format!("another statement failed: {shown}").into());
        }
        let claimed = match statement.kept {
            Kept::Nothing if shown.contains("nothing of this file was kept") => 0,
            Kept::Statements(done) if shown.contains("permanent") => done,
            Kept::InDoubt { done } if shown.contains("--resume-after 3") => done,
            kept => return Err(format!("{kept:?}: {shown}").into()),
        };
        let found = effects(db, number).await?;
        let expected = [claimed > 0, claimed > 1, false];
        if found != expected {
            return Err(format!("there is {found:?}, but the error says: {shown}").into());
        }
    }
    let corrected = text("SELECT 1");
    if let Err(error) = run(&corrected).await {
        let in_doubt =
            matches!(error.kind(), ErrorKind::Journal(jetbase::JournalError::InDoubt { .. }));
        if !in_doubt {
            return Err(format!("the corrected file: {error:#}").into());
        }
        let all = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let all: Vec<_> = all.chain([(name.as_str(), corrected.as_str())]).collect();
        let resume = jetbase::Resume::At(3);
        if shape == Shape::Rollback {
            let first = set(&[(name.as_str(), corrected.as_str())]);
            jetbase::rollback(&first, DatabaseUrl(&db.url)).resume(resume).await?;
        } else {
            jetbase::run(&set(&all), DatabaseUrl(&db.url)).resume(resume).await?;
        }
    }
    let found = effects(db, number).await?;
    if found != [true; 3] {
        return Err(format!("after the corrected file, there is {found:?}").into());
    }
    if shape != Shape::Rollback {
        files.push((name, corrected));
    }
    Ok(())
}

/// Whether the effects of the first, the second and the fourth statement are there, each once.
async fn effects(db: &Database, number: usize) -> Result<[bool; 3], TestError> {
    let table = db.rows(&format!("SELECT * FROM e{number}")).await.is_ok();
    let mut found = [table, false, false];
    for (at, statement) in [(1, "002"), (2, "004")] {
        let count = format!("SELECT count(*) FROM fx WHERE id = {number}{statement}");
        let count = db.value(&count).await?;
        found[at] = count.as_deref() == Some("1");
        if !matches!(count.as_deref(), Some("0" | "1")) {
            return Err(format!("{count:?} effects of one statement").into());
        }
    }
    Ok(found)
}
