//! Which pending versions a database has already, as its catalog shows.

use std::fmt;

use jetbase_core::{
    CatalogTimeline, DetectedState, Migration, Migrations, NEAR_MARKER, Section, Version,
    catalog_changes, check, detected_prefix,
};

use super::{Query, QueryRequest};
use crate::dialect::object_exists;
use crate::error::{Error, ErrorKind};
use crate::session::Session;
use crate::state::read_state;
use crate::target::{Connect, Target};
use crate::wait::Limit;

/// How many objects one message asks about.
const OBJECTS_IN_A_MESSAGE: usize = 100;

/// The comparison of the pending versions with the catalog of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DetectedBaseline {
    /// The pending versions, in order.
    pub versions: Vec<DetectedVersion>,
    /// The version for [`baseline`](crate::baseline): it is already there, and each pending version before it
    /// is already there or unknown. `None`: the first versions are not there.
    pub version: Option<Version>,
    /// Whether the history has rows. Then [`baseline`](crate::baseline) needs
    /// [`force`](crate::Baseline::force).
    pub has_history: bool,
}

/// The comparison of one pending version with the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DetectedVersion {
    /// The version.
    pub version: Version,
    /// The name of the file.
    pub file: String,
    /// The result.
    pub state: DetectedState,
    /// What is as the file leaves it, such as `table or view users exists`.
    pub done: Vec<String>,
    /// What is not, such as `column users.email is missing`.
    pub missing: Vec<String>,
}

impl fmt::Display for DetectedBaseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.versions.is_empty() {
            return f.write_str("no version is pending");
        }
        for (n, it) in self.versions.iter().enumerate() {
            let separator = if n == 0 { "" } else { "\n" };
            write!(f, "{separator}{}: {}", it.file, it.state.as_str())?;
            if it.state == DetectedState::Conflict {
                let facts: Vec<_> = it.done.iter().chain(&it.missing).map(String::as_str).collect();
                write!(f, " ({})", facts.join("; "))?;
            }
        }
        Ok(())
    }
}

/// Compares each pending version with the catalog of the database: is it already there, to apply, in conflict,
/// or unknown? It writes nothing.
///
/// Use it before [`baseline`](crate::baseline), for a database whose schema was made by other means. It compares
/// the names of objects. It does not compare the types of columns, the text of views and routines, or rows.
///
/// # Errors
///
/// See [`Query`]. A file that cannot be read is [`ErrorKind::Findings`](crate::ErrorKind::Findings).
///
/// # Examples
///
#[cfg_attr(feature = "sqlite", doc = "```")]
#[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
/// # use jetbase_core::{DetectedState, Folder, Migrations, Options};
/// # use jetbase_runtime::{detect_baseline, sqlx::{self, SqlitePool}};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let pool = SqlitePool::connect("sqlite::memory:").await?;
/// # let set = Migrations::load(Folder::read("../migrations".as_ref()).files, Options::NONE);
/// let by_hand = "CREATE TABLE users (id INTEGER, name TEXT); CREATE INDEX users_name ON users (name)";
/// sqlx::raw_sql(by_hand).execute(&pool).await?;
/// let detected = detect_baseline(&set, &pool).await?;
/// assert_eq!(detected.versions[0].state, DetectedState::AlreadyThere);
/// assert_eq!(detected.version, Some("1".parse()?));
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn detect_baseline<'t>(
    set: &Migrations,
    target: impl Target<'t> + 't,
) -> Query<'t, DetectedBaseline> {
    Query::new(set, target.source(), |request, source| {
        Box::pin(async move { detect(&request, source).await })
    })
}

async fn detect(
    request: &QueryRequest,
    source: &mut dyn Connect,
) -> Result<DetectedBaseline, Error> {
    let state = read_state(source, &request.namespace).await?;
    let history = state.history.as_deref().unwrap_or_default();
    let plan = request.plan(history, &request.policy)?;
    let pending: Vec<_> =
        request.migrations(&plan).filter(|it| it.version_text().is_some()).collect();
    let mut timeline = CatalogTimeline::new(source.dialect(), &state.namespace.schema);
    let mut findings = Vec::new();
    for migration in &pending {
        let script = migration.script();
        let checked = check(migration.path(), &script, &[state.namespace.syntax]);
        // A comment that is nearly the line `-- rollback` may be in an old file.
        let errors = checked.findings.iter().filter(|it| it.rule != NEAR_MARKER);
        findings.extend(errors.cloned());
        timeline.add(checked.statements(Section::Upgrade).iter().flat_map(catalog_changes));
    }
    if !findings.is_empty() {
        return Err(Error::new(ErrorKind::Findings(findings)));
    }
    let mut session = Session::open_for_reading(source, &state, Limit::for_query()).await?;
    let found = find(&mut session, &timeline).await;
    session.close().await;
    let compared = timeline.compare(&found?);
    let last = detected_prefix(compared.iter().map(|it| it.state));
    let version = last.and_then(|last| pending.get(last)).and_then(Migration::version);
    let versions = pending.iter().zip(compared).filter_map(|(migration, it)| {
        Some(DetectedVersion {
            version: migration.version()?,
            file: migration.file().to_owned(),
            state: it.state,
            done: it.done,
            missing: it.missing,
        })
    });
    let has_history = !history.is_empty();
    Ok(DetectedBaseline { versions: versions.collect(), version, has_history })
}

/// Asks the catalog which objects exist.
async fn find(session: &mut Session<'_>, timeline: &CatalogTimeline) -> Result<Vec<bool>, Error> {
    let dialect = session.dialect;
    let questions: Vec<_> = timeline
        .objects()
        .enumerate()
        .map(|(number, object)| {
            format!("SELECT {number} AS number, {} AS found", object_exists(dialect, object))
        })
        .collect();
    let mut found = vec![false; questions.len()];
    for some in questions.chunks(OBJECTS_IN_A_MESSAGE) {
        let query = some.join("\nUNION ALL ");
        session.bind(|it| it.expression("questions", &query));
        let sets = session.query("{questions}").await;
        let sets = sets.map_err(Error::during("reading the catalog of the database"))?;
        for row in sets.iter().flat_map(|set| &set.rows) {
            let place = row.text("number").parse::<usize>().ok();
            if let Some(place) = place.and_then(|it| found.get_mut(it)) {
                *place = row.is_true("found");
            }
        }
    }
    Ok(found)
}
