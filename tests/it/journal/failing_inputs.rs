//! What an error says was kept is what is in the database, for many ways to fail.

use jetbase::{DatabaseUrl, Error, ErrorKind, Kept, Outcome};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};

use super::failing_statements::{FailingInput, failing_inputs, prepared};
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

    fn file(self, directive: &str, statements: &[&str]) -> String {
        let end = if self == Shape::Delimiter { " //\n" } else { ";\n" };
        let body: String = statements.iter().map(|it| format!("{it}{end}")).collect();
        let body = match directive {
            "" => body,
            directive => format!("-- jetbase: {directive}\n{body}"),
        };
        match self {
            Shape::Whole => body,
            Shape::Alone => format!("-- jetbase: transaction=off\n{body}"),
            Shape::Delimiter => format!("-- jetbase: delimiter=//\n-- größe: 日本\n{body}"),
            Shape::Rollback if directive.is_empty() => {
                format!("-- jetbase: transaction=off\nSELECT 1;\n-- rollback\n{body}")
            }
            Shape::Rollback => {
                let body = body.split_once('\n').map_or("", |(_, body)| body);
                format!(
                    "-- jetbase: transaction=off\n-- jetbase: {directive}\nSELECT 1;\n-- rollback\n{body}"
                )
            }
        }
    }
}

async fn says_what_is_there(ctx: TestContext, shape: Shape) -> TestResult {
    let db = &ctx.db;
    for prepared in prepared(ctx.kind) {
        db.execute(prepared).await?;
    }
    // Nobody else can use this table.
    let holder = hold_table(db).await?;
    let mut files: Vec<(String, String)> = Vec::new();
    let mut errors = Vec::new();
    let inputs = failing_inputs(ctx.kind);
    for (number, input) in (1..).zip(&inputs) {
        if let Err(error) = one_input(db, shape, &mut files, number, input).await {
            errors.push(format!("`{}`: {error:#}", input.failing));
            // The next inputs need a database without an unfinished file.
            break;
        }
    }
    drop(holder);
    assert!(inputs.len() >= 40, "there are {} inputs", inputs.len());
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n").into()) }
}

/// What an error says about the statements before the failed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// This number of statements is permanent.
    Permanent(usize),
    /// Up to this number of statements may be permanent.
    UpTo(usize),
}

/// Reads the claim of an error, and compares it with its text. `number` is that of the failed statement.
fn claim(error: &Error, number: usize) -> Result<Claim, TestError> {
    let shown = format!("{error:#}");
    let permanent = Claim::Permanent;
    match error.kind() {
        ErrorKind::Statement(statement) => {
            if statement.statement.is_some_and(|(failed, _)| failed != number) {
                return Err(format!("another statement failed: {shown}").into());
            }
            match statement.kept {
                Kept::Nothing if shown.contains("nothing of this file was kept") => {
                    Ok(permanent(0))
                }
                Kept::Statements(done) if shown.contains("permanent") => Ok(permanent(done)),
                Kept::InDoubt { done } if shown.contains(&format!("--resume-after {number}")) => {
                    Ok(permanent(done))
                }
                Kept::Perhaps(most) if shown.contains("may be permanent") => Ok(Claim::UpTo(most)),
                kept => Err(format!("{kept:?}: {shown}").into()),
            }
        }
        ErrorKind::Interrupted { outcome, .. } => match outcome {
            Outcome::RolledBack if shown.contains("nothing of it was kept") => Ok(permanent(0)),
            Outcome::Unfinished { done, .. } => Ok(permanent(*done)),
            outcome => Err(format!("{outcome:?}: {shown}").into()),
        },
        _ => Err(shown.into()),
    }
}

async fn one_input(
    db: &Database,
    shape: Shape,
    files: &mut Vec<(String, String)>,
    number: usize,
    input: &FailingInput,
) -> TestResult {
    let failing = input.failing;
    let place = if input.setting.is_empty() { 3 } else { 4 };
    let table = format!("CREATE TABLE e{number} (id INTEGER)");
    let (before, after) = (
        format!("INSERT INTO fx VALUES ({number}002)"),
        format!("INSERT INTO fx VALUES ({number}004)"),
    );
    let text = |third: &str| {
        let all = [&table, &before, input.setting, third, &after];
        let all: Vec<_> = all.into_iter().filter(|it| !it.is_empty()).collect();
        shape.file(input.directive, &all)
    };
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
        let found = effects(db, number).await?;
        if let ErrorKind::Journal(jetbase::JournalError::InDoubt { statement, .. }) = error.kind() {
            // It may have taken effect in part, so the second attempt asks.
            if !input.may_ask || *statement != place || found != [true, true, false] {
                return Err(shown.into());
            }
            continue;
        }
        let is_true = match claim(&error, place)? {
            Claim::Permanent(done) => found == [done > 0, done > 1, false],
            Claim::UpTo(most) => found[..] <= [most > 0, most > 1, false][..],
        };
        if !is_true {
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
        let resume = jetbase::Resume::At(place);
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

/// Opens a session that holds a lock on the table `held` until it is dropped.
async fn hold_table(db: &Database) -> Result<Option<Box<dyn Send>>, TestError> {
    use jetbase::sqlx::{Connection, Executor, MySqlConnection, PgConnection};
    Ok(match db.kind {
        DatabaseKind::Postgres => {
            let mut connection = PgConnection::connect(&db.url).await?;
            connection.execute("BEGIN; LOCK TABLE held").await?;
            Some(Box::new(connection))
        }
        DatabaseKind::Mysql => {
            let mut connection = MySqlConnection::connect(&db.url).await?;
            connection.execute("START TRANSACTION").await?;
            connection.execute("SELECT * FROM held FOR UPDATE").await?;
            Some(Box::new(connection))
        }
        DatabaseKind::Sqlite => None,
    })
}
