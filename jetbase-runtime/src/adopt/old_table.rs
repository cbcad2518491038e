//! Finds and reads the table of an old tool. Nothing is written.

use jetbase_core::{
    AdoptMap, Dialect, MigrationKind, Migrations, OldRow, OldTool, compare_history,
};

use crate::connection::{Cause, ResultRow, ResultSet, SendFailure};
use crate::dialect::{Bindings, old_sql, old_table_sql};
use crate::error::{AdoptionError, Error};
use crate::session::Session;
use crate::state::untrusted_tables;

/// A row of the history that a run can adopt.
#[derive(Clone, Debug)]
pub(super) struct NewRow {
    /// What names the migration in the table of the old tool.
    pub(super) key: String,
    pub(super) file: String,
    pub(super) version: Option<String>,
    pub(super) description: String,
    pub(super) kind: MigrationKind,
    pub(super) checksum: String,
}

/// What the table of an old tool says.
#[derive(Debug)]
pub(super) struct OldHistory {
    /// The number of rows of the table.
    pub(super) count: usize,
    /// The rows for our history, in the order of the versions.
    pub(super) rows: Vec<NewRow>,
}

/// A table that may be the history of an old tool.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FoundTable {
    schema: String,
    name: String,
}

/// Reads the table of the old tool, and compares it with the map and the files. `None`: there is no
/// such table.
pub(super) async fn read_old_history(
    session: &mut Session<'_>,
    set: &Migrations,
    map: &AdoptMap,
) -> Result<Option<OldHistory>, Error> {
    let (found, own_tables) = find_tables(session, map.tool).await?;
    let schema = session.namespace.schema.clone();
    if !is_there(map.tool, &found, &schema, own_tables).map_err(Error::from)? {
        return Ok(None);
    }
    let rows = read_rows(session, map.tool).await?;
    let elsewhere = found.iter().find(|it| it.schema != schema && it.name == map.tool.table());
    if let Some(table) = elsewhere.filter(|_| rows.is_empty()) {
        // A migration may create a schema and set the search path: then the old tool goes on there.
        let (tool, found) = (map.tool, table.schema.clone());
        return Err(AdoptionError::OtherSchema { tool, found, schema }.into());
    }
    let files: Vec<_> = set.iter().map(|it| it.file()).collect();
    let applied = compare_history(map, &rows, &files).map_err(AdoptionError::Differs)?;
    let new_rows = applied.into_iter().filter_map(|adopted| {
        let migration = set.iter().find(|it| it.file() == adopted.entry.file)?;
        Some(NewRow {
            key: adopted.row.key.clone(),
            file: migration.file().to_owned(),
            version: migration.version_text().map(str::to_owned),
            description: migration.description().into_owned(),
            kind: migration.kind(),
            checksum: migration.checksum().to_string(),
        })
    });
    Ok(Some(OldHistory { count: rows.len(), rows: new_rows.collect() }))
}

/// Returns the tool whose table is in the schema of a session, if there is exactly one.
pub(super) async fn tool_of_table(session: &mut Session<'_>) -> Option<OldTool> {
    let (found, _) = find_tables(session, OldTool::Sqlx).await.ok()?;
    let schema = session.namespace.schema.clone();
    let mut tools = found.iter().filter(|it| it.schema == schema).filter_map(tool_of);
    let tool = tools.next()?;
    tools.next().is_none().then_some(tool)
}

/// Finds the tables that have a name or the columns of an old tool, and counts the tables of the
/// schema.
async fn find_tables(
    session: &mut Session<'_>,
    tool: OldTool,
) -> Result<(Vec<FoundTable>, usize), Error> {
    let texts = |texts: &[&str]| texts.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let columns = old_table_sql(tool, session.dialect).columns;
    let names = OldTool::ALL.map(OldTool::table);
    session.bind(|it| {
        it.literals("old_names", &texts(&names))
            .literals("old_columns", &texts(columns))
            .number("old_count", i64::try_from(columns.len()).unwrap_or_default())
    });
    let sets = session.query(old_sql(session.dialect).find).await;
    let sets = sets.map_err(Error::during("looking for the table of another migration tool"))?;
    let rows = sets.first().map(|set| set.rows.as_slice()).unwrap_or_default();
    let table = |row: &ResultRow| FoundTable {
        schema: row.text("found_schema").to_owned(),
        name: row.text("found_name").to_owned(),
    };
    let own_tables = rows.first().and_then(|row| row.text("own_tables").parse().ok());
    Ok((rows.iter().map(table).collect(), own_tables.unwrap_or_default()))
}

fn tool_of(table: &FoundTable) -> Option<OldTool> {
    OldTool::ALL.into_iter().find(|tool| tool.table() == table.name)
}

/// Whether the table of the old tool is there. What looks like it, but is another table, is refused.
fn is_there(
    tool: OldTool,
    found: &[FoundTable],
    schema: &str,
    own_tables: usize,
) -> Result<bool, AdoptionError> {
    let (here, elsewhere): (Vec<_>, Vec<_>) = found.iter().partition(|it| it.schema == schema);
    let other = here.iter().filter_map(|it| tool_of(it)).find(|it| *it != tool);
    if here.iter().any(|it| it.name == tool.table()) {
        return match other {
            Some(other) => Err(AdoptionError::TwoTools { tool, other }),
            None => Ok(true),
        };
    }
    if let Some(table) = here.iter().find(|it| tool_of(it).is_none()) {
        return Err(AdoptionError::OtherName { tool, found: table.name.clone() });
    }
    // A schema without tables belongs to a new tenant. The tables of the others do not concern it.
    match elsewhere.iter().find(|it| it.name == tool.table()) {
        Some(table) if own_tables > 0 => Err(AdoptionError::OtherSchema {
            tool,
            found: table.schema.clone(),
            schema: schema.to_owned(),
        }),
        _ => Ok(false),
    }
}

/// Returns the bindings for the table of the old tool. `untrusted` finds whether it could run code.
pub(super) fn old_bindings(session: &Session<'_>, tool: OldTool) -> Bindings {
    let bindings = session.bindings.clone().identifier("old_name", tool.table());
    let bindings = bindings.literal("old_table", tool.table()).nested("old", "{schema}.{old_name}");
    let path = bindings.render("{old}");
    let bindings = bindings.literal("old_path", &path);
    let guarded = bindings.render("to_regclass({old_path})");
    bindings.expression("guarded", &guarded).nested("untrusted", session.sql.untrusted)
}

async fn read_rows(session: &mut Session<'_>, tool: OldTool) -> Result<Vec<OldRow>, Error> {
    let bindings = old_bindings(session, tool);
    let (settings, guard) = (session.sql.read_settings, session.sql.guard_old);
    let template = old_table_sql(tool, session.dialect).rows;
    let parts = settings.iter().chain(guard).chain([&template]);
    let message = parts.map(|part| bindings.render(part)).collect::<Vec<_>>().join(";\n");
    let sets = match session.raw(&message).await {
        Ok(sets) => sets,
        Err(failure) => {
            let doing = format!("reading the table {} of {tool}", tool.table());
            return Err(Error::database(doing, &explained(session, &bindings, failure).await));
        }
    };
    let rows = sets.last().map(|set| set.rows.as_slice()).unwrap_or_default();
    let row = |row: &ResultRow| OldRow {
        key: row.text("old_key").to_owned(),
        checksum: row.text("checksum").to_owned(),
        success: row.is_true("success"),
        kind: row.text("kind").to_owned(),
    };
    Ok(rows.iter().map(row).collect())
}

/// Says which table could run code, if that is why a message failed.
async fn explained(session: &mut Session<'_>, bindings: &Bindings, failure: SendFailure) -> Cause {
    let is_guard = session.dialect == Dialect::Postgres
        && session.sql.guard_codes.contains(&failure.cause.code.as_str());
    if !is_guard {
        return failure.cause;
    }
    let query = untrusted_tables(session.sql, bindings);
    let sets = session.raw(&query).await.unwrap_or_default();
    let untrusted = sets.last().and_then(|set: &ResultSet| crate::state::untrusted(set));
    Cause { untrusted, ..failure.cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(tables: &[(&str, &str)]) -> Vec<FoundTable> {
        let table = |(schema, name): &(&str, &str)| FoundTable {
            schema: (*schema).to_owned(),
            name: (*name).to_owned(),
        };
        tables.iter().map(table).collect()
    }

    fn answer(tables: &[(&str, &str)], own_tables: usize) -> Result<bool, String> {
        is_there(OldTool::Sqlx, &found(tables), "public", own_tables)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn only_the_table_of_the_schema_counts() {
        assert_eq!(answer(&[], 3), Ok(false));
        assert_eq!(answer(&[("public", "_sqlx_migrations")], 3), Ok(true));
        assert_eq!(answer(&[("tenant", "_sqlx_migrations")], 0), Ok(false));
        let both = [("public", "_sqlx_migrations"), ("tenant", "_sqlx_migrations")];
        assert_eq!(answer(&both, 3), Ok(true));
        assert_eq!(answer(&[("public", "flyway_schema_history")], 3), Ok(false));
    }

    #[test]
    fn what_looks_like_the_table_is_refused() {
        assert_eq!(
            answer(&[("tenant", "_sqlx_migrations")], 3).unwrap_err(),
            "the table _sqlx_migrations of sqlx is in the schema `tenant`, but this run works in `public`; nothing was \
             written; name the schema `tenant` with `schema`, or drop the table if it does not count"
        );
        assert_eq!(
            answer(&[("public", "app_migrations")], 3).unwrap_err(),
            "the table `app_migrations` looks like the history of sqlx, but sqlx calls its table _sqlx_migrations; nothing \
             was written; if it is the history, run CREATE TABLE _sqlx_migrations AS SELECT * FROM app_migrations, and run \
             again"
        );
        let two = [("public", "_sqlx_migrations"), ("public", "flyway_schema_history")];
        assert_eq!(
            answer(&two, 3).unwrap_err(),
            "this database has the table _sqlx_migrations of sqlx and the table flyway_schema_history of Flyway, so it is \
             not clear which of the two histories counts; nothing was written; rename the table that does not count, and \
             run again"
        );
    }
}
