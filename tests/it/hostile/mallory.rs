use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jetbase_test_harness::{Database, TestError, TestResult};

/// A role without superuser rights that may create objects in a test's database.
pub(super) struct Mallory {
    pub(super) name: String,
    /// The same database, as this role.
    pub(super) db: Database,
}

impl Mallory {
    /// Creates the role and its functions, which record each call by another role.
    pub(super) async fn create(db: &Database) -> Result<Mallory, TestError> {
        let name = format!("{}_mallory", db.name);
        db.admin(&format!("CREATE ROLE {name} LOGIN PASSWORD 'x'")).await?;
        db.execute(&format!(
            "GRANT CREATE ON DATABASE {} TO {name}; GRANT ALL ON SCHEMA public TO {name}",
            db.name
        ))
        .await?;
        let mut own = db.clone();
        own.url = db.url_as(&name, "x");
        let mallory = Mallory { name, db: own };
        mallory.execute(&include_str!("trap.sql").replace("{mallory}", &mallory.name)).await?;
        Ok(mallory)
    }

    /// Executes SQL as this role, without the planted objects in the search path.
    pub(super) async fn execute(&self, sql: &str) -> TestResult {
        self.db.execute(&format!("SET search_path = pg_catalog;\n{sql}")).await
    }

    /// Creates a schema in which this role may create objects.
    pub(super) async fn create_schema(&self, victim: &Database, schema: &str) -> TestResult {
        let name = &self.name;
        query_as_admin(
            victim,
            &format!("CREATE SCHEMA {schema}; GRANT ALL ON SCHEMA {schema} TO {name}"),
        )
        .await
        .map(drop)
    }

    /// Creates operators and functions with every name in the sources of jetbase, in these schemas.
    pub(super) async fn plant(&self, schemas: &[&str]) -> TestResult {
        let (calls, words) = words_in_sources()?;
        let schemas = schemas.iter().map(|it| (*it).to_owned()).collect();
        let plant = include_str!("plant.sql")
            .replace("{schemas}", &array(&schemas))
            .replace("{calls}", &array(&calls))
            .replace("{words}", &array(&words));
        let result = self.execute(&plant).await;
        // The error also contains the whole statement, which is very long.
        result.map_err(|error| format!("{error:#}").lines().next().unwrap_or_default().into())
    }

    /// Returns which code of this role other roles have executed.
    pub(super) async fn executed(&self, victim: &Database) -> Result<Vec<String>, TestError> {
        let rows = query_as_admin(
            victim,
            "SELECT what, count(*) FROM trap.seen GROUP BY what ORDER BY what",
        )
        .await?;
        let mut executed: Vec<_> = rows
            .iter()
            .map(|row| row.iter().flatten().cloned().collect::<Vec<_>>().join(" × "))
            .collect();
        // A sequence also counts the calls of transactions that were rolled back.
        let calls =
            query_as_admin(victim, "SELECT last_value FROM trap.calls WHERE is_called").await?;
        executed
            .extend(calls.into_iter().flatten().flatten().map(|calls| format!("{calls} calls")));
        let superusers =
            format!("SELECT rolname FROM pg_roles WHERE rolsuper AND rolname = '{}'", self.name);
        let superusers = query_as_admin(victim, &superusers).await?;
        executed.extend(
            superusers.into_iter().flatten().flatten().map(|it| format!("{it} is a superuser")),
        );
        Ok(executed)
    }

    /// Fails if another role has executed code of this role.
    pub(super) async fn executed_nothing(&self, victim: &Database) -> TestResult {
        let executed = self.executed(victim).await?;
        if executed.is_empty() {
            return Ok(());
        }
        Err(format!("another role executed code of {}: {executed:#?}", self.name).into())
    }

    /// Drops the database and the role.
    pub(super) async fn remove(self, victim: &Database) -> TestResult {
        let name = &victim.name;
        victim.admin(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
        victim.admin(&format!("DROP ROLE {}", self.name)).await.map(drop)
    }
}

/// Runs SQL as the administrator, without the planted objects in the search path.
pub(super) async fn query_as_admin(
    db: &Database,
    sql: &str,
) -> Result<jetbase_test_harness::TextRows, TestError> {
    db.rows(&format!("SET search_path = pg_catalog;\n{sql}")).await
}

/// Returns the first value of such a query.
pub(super) async fn value_as_admin(db: &Database, sql: &str) -> Result<Option<String>, TestError> {
    Ok(query_as_admin(db, sql).await?.into_iter().flatten().next().flatten())
}

/// An array of texts, as PostgreSQL writes it.
fn array(words: &BTreeSet<String>) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    format!("ARRAY[{}]::pg_catalog.text[]", words.join(", "))
}

/// Returns the words before a parenthesis and all words of the sources of `jetbase-runtime`.
fn words_in_sources() -> Result<(BTreeSet<String>, BTreeSet<String>), TestError> {
    let (mut calls, mut words) = (BTreeSet::new(), BTreeSet::new());
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("jetbase-runtime/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(path)?.to_ascii_lowercase();
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            for piece in text.split_inclusive(|c| !is_word(c)) {
                let word = piece.trim_end_matches(|c| !is_word(c));
                words.insert(word.to_owned());
                if piece.ends_with('(') {
                    calls.insert(word.to_owned());
                }
            }
        }
    }
    Ok((calls, words))
}
