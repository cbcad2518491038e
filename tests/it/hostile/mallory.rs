use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jetbase_test_harness::{Database, TestError, TestResult};

/// A role that is no superuser, and may create objects in a test's database.
pub(super) struct Mallory {
    pub(super) name: String,
    /// The same database, as this role.
    pub(super) db: Database,
}

impl Mallory {
    /// Makes the role, and its functions that report who calls them.
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

    /// Executes SQL as this role, where nothing that it has planted is in the path.
    pub(super) async fn execute(&self, sql: &str) -> TestResult {
        self.db.execute(&format!("SET search_path = pg_catalog;\n{sql}")).await
    }

    /// Makes a schema that the administrator lets this role create in.
    pub(super) async fn schema(&self, victim: &Database, schema: &str) -> TestResult {
        let name = &self.name;
        query_as_admin(
            victim,
            &format!("CREATE SCHEMA {schema}; GRANT ALL ON SCHEMA {schema} TO {name}"),
        )
        .await
        .map(drop)
    }

    /// Plants every operator and function that our sources may name, in these schemas.
    pub(super) async fn plant(&self, schemas: &[&str]) -> TestResult {
        let (calls, words) = words_in_sources()?;
        let schemas = schemas.iter().map(|it| (*it).to_owned()).collect();
        let plant = include_str!("plant.sql")
            .replace("{schemas}", &array(&schemas))
            .replace("{calls}", &array(&calls))
            .replace("{words}", &array(&words));
        let planted = self.execute(&plant).await;
        // The whole statement behind the first line is thousands of words long.
        planted.map_err(|error| format!("{error:#}").lines().next().unwrap_or_default().into())
    }

    /// What of this role's code others have executed.
    pub(super) async fn caught(&self, victim: &Database) -> Result<Vec<String>, TestError> {
        let rows = query_as_admin(
            victim,
            "SELECT what, count(*) FROM trap.seen GROUP BY what ORDER BY what",
        )
        .await?;
        let mut caught: Vec<_> = rows
            .iter()
            .map(|row| row.iter().flatten().cloned().collect::<Vec<_>>().join(" × "))
            .collect();
        // Of a transaction that was rolled back, the sequence alone knows.
        let calls =
            query_as_admin(victim, "SELECT last_value FROM trap.calls WHERE is_called").await?;
        caught.extend(calls.into_iter().flatten().flatten().map(|calls| format!("{calls} calls")));
        let power =
            format!("SELECT rolname FROM pg_roles WHERE rolsuper AND rolname = '{}'", self.name);
        let power = query_as_admin(victim, &power).await?;
        caught
            .extend(power.into_iter().flatten().flatten().map(|it| format!("{it} is a superuser")));
        Ok(caught)
    }

    /// Fails if anything of this role's code was executed by others.
    pub(super) async fn executed_nothing(&self, victim: &Database) -> TestResult {
        let caught = self.caught(victim).await?;
        if caught.is_empty() {
            return Ok(());
        }
        Err(format!("code of {} was executed by others: {caught:#?}", self.name).into())
    }

    /// Ends the role, and the database with all that it has planted.
    pub(super) async fn remove(self, victim: &Database) -> TestResult {
        let name = &victim.name;
        victim.admin(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
        victim.admin(&format!("DROP ROLE {}", self.name)).await.map(drop)
    }
}

/// Asks as the administrator, where nothing that others have planted is in the path.
pub(super) async fn query_as_admin(
    db: &Database,
    sql: &str,
) -> Result<jetbase_test_harness::TextRows, TestError> {
    db.rows(&format!("SET search_path = pg_catalog;\n{sql}")).await
}

/// The same, for one value.
pub(super) async fn value_as_admin(db: &Database, sql: &str) -> Result<Option<String>, TestError> {
    Ok(query_as_admin(db, sql).await?.into_iter().flatten().next().flatten())
}

/// An array of texts, as PostgreSQL writes it.
fn array(words: &BTreeSet<String>) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    format!("ARRAY[{}]::pg_catalog.text[]", words.join(", "))
}

/// The words before a parenthesis, and all words, of the sources that our SQL stands in.
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
