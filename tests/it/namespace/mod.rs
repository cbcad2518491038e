//! The schema, the role and the session settings of a run.

mod foreign_keys;
mod role;
mod schema;
mod session_settings;

use jetbase::ErrorKind;
use jetbase_test_harness::{Database, Suite, TestError, TestResult};

pub(crate) fn register(suite: &mut Suite) {
    schema::register(suite);
    role::register(suite);
    session_settings::register(suite);
    foreign_keys::register(suite);
}

const A: (&str, &str) = ("V1__a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);\n");

const B: (&str, &str) = ("V2__b.sql", "CREATE TABLE b (id INTEGER PRIMARY KEY);\n");

/// The message of an error about the schema, the role or the session of a run.
fn namespace_refusal(result: Result<jetbase::Report, jetbase::Error>) -> Result<String, TestError> {
    match result {
        Ok(report) => Err(format!("the run was not refused: {report}").into()),
        Err(error) if matches!(error.kind(), ErrorKind::Namespace(_) | ErrorKind::Table(_)) => {
            Ok(format!("{error:#}"))
        }
        Err(error) => Err(format!("another error: {error:#}").into()),
    }
}

/// The schemas that have a table of jetbase.
async fn schemas(db: &Database) -> Result<Vec<String>, TestError> {
    let rows = db
        .rows(
            "SELECT DISTINCT table_schema FROM information_schema.tables \
             WHERE table_name IN ('jetbase_migrations', 'jetbase_lock') ORDER BY 1",
        )
        .await?;
    Ok(rows.into_iter().flatten().flatten().collect())
}

/// Creates a PostgreSQL role whose name no other test uses.
async fn role(db: &Database, what: &str, options: &str) -> Result<String, TestError> {
    let name = format!("{}_{what}", db.name);
    db.admin(&format!("CREATE ROLE {name} {options}")).await?;
    Ok(name)
}

/// Drops roles and what they own in the test's database.
async fn drop_roles(db: &Database, roles: &[&str]) -> TestResult {
    for role in roles {
        db.execute(&format!("DROP OWNED BY {role} CASCADE")).await?;
        db.admin(&format!("DROP ROLE {role}")).await?;
    }
    Ok(())
}
