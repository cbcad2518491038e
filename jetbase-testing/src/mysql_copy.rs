//! The statements that create what a database of MySQL or MariaDB contains.

use crate::error::TestingError;
use crate::mysql_session::MySqlKeeper;

/// The table of the statements in a template.
pub(crate) const COPY_TABLE: &str = "jetbase_template_copy";

/// The table of the statements, while it is written.
pub(crate) const COPY_PART: &str = "jetbase_template_part";

/// What a database contains, as statements that create it in another database.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DatabaseCopy {
    /// The character set and the collation of the database.
    defaults: String,
    tables: Vec<CopiedTable>,
    /// Routines, views, triggers and events, in this order.
    others: Vec<String>,
}

/// A table and the columns that can be written.
#[derive(Debug, PartialEq, Eq)]
struct CopiedTable {
    name: String,
    create: String,
    columns: Vec<String>,
    has_rows: bool,
}

/// The largest number of bytes of several statements in one message.
const MESSAGE: usize = 256 * 1024;

/// The settings with which the statements are read and executed.
const SETTINGS: &str = "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', foreign_key_checks = 0, \
    unique_checks = 0, sql_quote_show_create = 1";

impl DatabaseCopy {
    /// Returns the statements, joined into messages. The rows come from the database `from`.
    pub(crate) fn statements(&self, from: &str) -> Vec<String> {
        let mut all = vec![SETTINGS.to_owned(), format!("ALTER DATABASE {}", self.defaults)];
        all.extend(self.tables.iter().map(|table| table.create.clone()));
        for table in self.tables.iter().filter(|table| table.has_rows) {
            let (name, columns) = (quoted(&table.name), table.columns.join(", "));
            all.push(format!(
                "INSERT INTO {name} ({columns}) SELECT {columns} FROM `{from}`.{name}"
            ));
        }
        let mut messages: Vec<String> = Vec::new();
        for statement in all {
            match messages.last_mut() {
                Some(last) if last.len() + statement.len() < MESSAGE => {
                    last.push_str(";\n");
                    last.push_str(&statement);
                }
                _ => messages.push(statement),
            }
        }
        // MySQL accepts no statement behind one that has a body.
        messages.extend(self.others.iter().cloned());
        messages.push("SET SESSION foreign_key_checks = 1, unique_checks = 1".to_owned());
        messages
    }
}

/// Reads what a database contains. `None` if statements cannot create it again: it has sequences,
/// packages, tables with a history of rows, or a definition that names the database.
pub(crate) async fn read(
    keeper: &mut MySqlKeeper,
    database: &str,
) -> Result<Option<DatabaseCopy>, TestingError> {
    keeper.execute(&format!("USE `{database}`; {SETTINGS}")).await?;
    let Some((mut tables, views)) = tables(keeper).await? else { return Ok(None) };
    let Some(mut others) = routines(keeper).await? else { return Ok(None) };
    others.extend(views);
    for (kind, list, at) in [("TRIGGER", TRIGGERS, 2), ("EVENT", EVENTS, 3)] {
        for name in keeper.names(list).await? {
            let Some(text) = definition(keeper, kind, &name, at).await? else { return Ok(None) };
            others.push(text);
        }
    }
    // MySQL names the database of a function in the text of a view.
    let qualifier = format!("{}.", quoted(database));
    for text in tables.iter_mut().map(|table| &mut table.create).chain(&mut others) {
        *text = text.replace(&qualifier, "");
    }
    let mut definitions = tables.iter().map(|table| &table.create).chain(&others);
    if definitions.any(|text| text.contains(database)) {
        return Ok(None);
    }
    let defaults = keeper
        .names("SELECT CONCAT('CHARACTER SET ', @@character_set_database, ' COLLATE ', @@collation_database)")
        .await?;
    let defaults = defaults.into_iter().next().unwrap_or_default();
    Ok(Some(DatabaseCopy { defaults, tables, others }))
}

/// The tables, and the statements that create the views, in an order in which they can be executed.
async fn tables(
    keeper: &mut MySqlKeeper,
) -> Result<Option<(Vec<CopiedTable>, Vec<String>)>, TestingError> {
    let mut tables = Vec::new();
    let mut views = Vec::new();
    let rows = keeper
        .rows("SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name")
        .await?;
    for row in rows {
        let [Some(name), Some(kind)] = row.as_slice() else { return Ok(None) };
        match kind.as_str() {
            _ if [COPY_TABLE, COPY_PART].contains(&name.as_str()) => {}
            "BASE TABLE" => tables.push(table(keeper, name).await?),
            "VIEW" => match definition(keeper, "VIEW", name, 1).await? {
                Some(text) => views.push((quoted(name), text)),
                None => return Ok(None),
            },
            _ => return Ok(None),
        }
    }
    Ok(Some((tables, ordered(views))))
}

async fn table(keeper: &mut MySqlKeeper, name: &str) -> Result<CopiedTable, TestingError> {
    let created = keeper.rows(&format!("SHOW CREATE TABLE {}", quoted(name))).await?;
    let create = created.into_iter().next().and_then(|row| row.into_iter().nth(1)?);
    let columns = keeper
        .names(&format!(
            "SELECT column_name FROM information_schema.columns
             WHERE table_schema = DATABASE() AND table_name = {}
               AND COALESCE(generation_expression, '') = ''
             ORDER BY ordinal_position",
            literal(name)
        ))
        .await?;
    let columns = columns.iter().map(|it| quoted(it)).collect();
    let found = keeper.rows(&format!("SELECT 1 FROM {} LIMIT 1", quoted(name))).await?;
    Ok(CopiedTable {
        name: name.to_owned(),
        create: create.unwrap_or_default(),
        columns,
        has_rows: !found.is_empty(),
    })
}

/// Sorts the texts of views so that each comes after the views that it names.
fn ordered(views: Vec<(String, String)>) -> Vec<String> {
    let mut left = views;
    let mut sorted = Vec::new();
    while !left.is_empty() {
        let names: Vec<String> = left.iter().map(|(name, _)| name.clone()).collect();
        let waits = |(name, text): &(String, String)| {
            names.iter().any(|other| other != name && text.contains(other.as_str()))
        };
        let (later, now): (Vec<_>, Vec<_>) = left.into_iter().partition(waits);
        // If all of them wait, a column has the name of a view. The trial of the statements decides.
        let (next, rest) = if now.is_empty() { (later, Vec::new()) } else { (now, later) };
        sorted.extend(next.into_iter().map(|(_, text)| text));
        left = rest;
    }
    sorted
}

/// The procedures and functions.
async fn routines(keeper: &mut MySqlKeeper) -> Result<Option<Vec<String>>, TestingError> {
    let mut texts = Vec::new();
    let rows = keeper
        .rows("SELECT routine_name, routine_type FROM information_schema.routines WHERE routine_schema = DATABASE() ORDER BY routine_type, routine_name")
        .await?;
    for row in rows {
        let [Some(name), Some(kind)] = row.as_slice() else { return Ok(None) };
        if !["PROCEDURE", "FUNCTION"].contains(&kind.as_str()) {
            return Ok(None);
        }
        let Some(text) = definition(keeper, kind, name, 2).await? else { return Ok(None) };
        texts.push(text);
    }
    Ok(Some(texts))
}

const TRIGGERS: &str =
    "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()
    ORDER BY event_object_table, event_manipulation, action_timing, action_order";

const EVENTS: &str = "SELECT event_name FROM information_schema.events WHERE event_schema = DATABASE() ORDER BY event_name";

/// Returns the statement that creates an object, after the settings that it had. The text is at an index
/// of the row; before it come the settings, and behind it the character set and the collation. `None` if
/// the user may not read it, or if its text has another character set than ours.
async fn definition(
    keeper: &mut MySqlKeeper,
    kind: &str,
    name: &str,
    at: usize,
) -> Result<Option<String>, TestingError> {
    let rows = keeper.rows(&format!("SHOW CREATE {kind} {}", quoted(name))).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let column = |at: usize| row.get(at).cloned().flatten();
    let (Some(text), Some(charset), Some(collation)) = (column(at), column(at + 1), column(at + 2))
    else {
        return Ok(None);
    };
    if !charset.starts_with("utf8") {
        return Ok(None);
    }
    let mut settings = vec![
        format!("character_set_client = {}", literal(&charset)),
        format!("collation_connection = {}", literal(&collation)),
    ];
    if at > 1 {
        settings.push(format!("sql_mode = {}", literal(&column(1).unwrap_or_default())));
    }
    if at > 2 {
        settings.push(format!("time_zone = {}", literal(&column(2).unwrap_or_default())));
    }
    // MySQL keeps the delimiter behind an event that was not the last statement of its message.
    let text = text.trim_end().trim_end_matches(';');
    Ok(Some(format!("SET SESSION {};\n{text}", settings.join(", "))))
}

/// A name in backquotes.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as a literal that every setting of the session reads in the same way.
pub(crate) fn literal(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    if digits.is_empty() { "''".to_owned() } else { format!("CONVERT(x'{digits}' USING utf8mb4)") }
}
