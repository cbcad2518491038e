//! The references between the tables of SQLite, which a run checks after each file.
//!
//! A check reads all rows of a table that refers to others. So a run checks only the tables that the file
//! can have changed. A table counts as unchanged if neither the file names it, nor a trigger that the file
//! can fire.

use std::collections::HashSet;

use super::Session;
use crate::connection::{ResultRow, ResultSet};

/// Whether a table of the database refers to another one.
const HAS_REFERENCES: &str =
    "SELECT EXISTS (SELECT 1 FROM main.sqlite_master AS m, pragma_foreign_key_list(m.name) AS f
  WHERE m.type = 'table') AS has_references";

/// The tables, the views and the triggers, also the temporary ones of a caller.
const OBJECTS: &str = "SELECT type, name, tbl_name, CASE type WHEN 'trigger' THEN sql END AS sql FROM main.sqlite_master
  WHERE type IN ('table', 'view', 'trigger')
UNION ALL SELECT type, name, tbl_name, CASE type WHEN 'trigger' THEN sql END FROM temp.sqlite_master
  WHERE type IN ('table', 'view', 'trigger')";

/// The rows without parents, in the same tables.
const ORPHAN_ROWS: &str = "SELECT f.\"table\" AS child, f.rowid AS number, f.parent AS parent
  FROM {children} AS c, pragma_foreign_key_check(c.name) AS f";

/// The number of rows without parents, in the tables that may have changed.
const ORPHANS: &str = "SELECT count(*) FROM {children} AS c, pragma_foreign_key_check(c.name)";

impl Session<'_> {
    /// Finds out which tables the files of a transaction can change, and counts their rows whose parents are already
    /// missing. Only new ones are refused.
    ///
    /// If all statements of the file are permanent, an earlier run may have refused it because of such
    /// rows. It is not known which of them were there before, so all of them are refused.
    pub(crate) async fn prepare_reference_check(&mut self, files: &[&str], is_permanent: bool) {
        if !self.foreign_keys {
            return;
        }
        if self.has_references.is_none() {
            // If the database cannot answer, the references are checked.
            let found = self.raw(HAS_REFERENCES).await;
            self.has_references = Some(found.map_or(true, |sets| {
                sets.first().is_some_and(|set| set.first_row().is_true("has_references"))
            }));
        }
        let file = files.join("\n").to_ascii_lowercase();
        if file.contains("references") || file.contains("writable_schema") {
            self.has_references = Some(true);
        }
        if self.has_references != Some(true) {
            return;
        }
        let objects = self.raw(OBJECTS).await.unwrap_or_default();
        let objects = objects.first().map(|set| set.rows.as_slice()).unwrap_or_default();
        let objects: Vec<_> = objects.iter().map(SchemaObject::of).collect();
        let unchanged = match file.contains("writable_schema") {
            true => Vec::new(),
            false => unchanged_tables(&objects, &file),
        };
        // No table has the empty name. It keeps the list from being empty.
        let unchanged: Vec<_> = unchanged.into_iter().chain([String::new()]).collect();
        let children = self.sql.children;
        self.bind(|it| it.literals("unchanged", &unchanged).nested("children", children));
        let count = if is_permanent { 0 } else { self.count_orphans().await };
        self.bind(|it| it.number("orphans", count));
    }

    async fn count_orphans(&mut self) -> i64 {
        let Ok(sets) = self.query(ORPHANS).await else {
            // If the references cannot be checked now, they cannot be checked after the file either.
            return i64::MAX;
        };
        sets.first().and_then(ResultSet::value).and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// Describes the rows whose parents are missing, in the tables that may have changed; `None` if the
    /// references cannot be checked.
    pub(crate) async fn orphans(&mut self) -> Option<String> {
        let sets = self.query(ORPHAN_ROWS).await.ok()?;
        let rows = sets.first().map(|set| set.rows.as_slice()).filter(|rows| !rows.is_empty())?;
        let shown: Vec<_> = rows
            .iter()
            .take(5)
            .map(|row| {
                format!("{} row {} → {}", row.text("child"), row.text("number"), row.text("parent"))
            })
            .collect();
        let more = if rows.len() > shown.len() { ", …" } else { "" };
        let count = match rows.len() {
            1 => "a row without its parent".to_owned(),
            count => format!("{count} rows without their parents"),
        };
        Some(format!("it leaves {count}: {}{more}", shown.join(", ")))
    }

    /// Whether the references are checked after the file.
    pub(crate) fn checks_references(&self) -> bool {
        self.foreign_keys && self.has_references == Some(true)
    }
}

/// A table, a view or a trigger. All texts are in lower case.
struct SchemaObject {
    is_trigger: bool,
    name: String,
    /// The table or the view of a trigger.
    table: String,
    /// The text of a trigger.
    sql: String,
}

impl SchemaObject {
    fn of(row: &ResultRow) -> SchemaObject {
        let lower = |column| row.text(column).to_ascii_lowercase();
        SchemaObject {
            is_trigger: row.text("type") == "trigger",
            name: lower("name"),
            table: lower("tbl_name"),
            sql: lower("sql"),
        }
    }
}

/// Returns the tables and views that a file cannot change, by name: the file does not name them, and
/// neither does a trigger on what it names.
fn unchanged_tables(objects: &[SchemaObject], file: &str) -> Vec<String> {
    let mut changed = HashSet::new();
    let mut texts = vec![file];
    while let Some(text) = texts.pop() {
        let words = words_of(text);
        for object in objects.iter().filter(|it| !it.is_trigger) {
            if !changed.contains(object.name.as_str()) && is_named(&object.name, text, &words) {
                changed.insert(object.name.as_str());
                let fired = objects.iter().filter(|it| it.is_trigger && it.table == object.name);
                texts.extend(fired.map(|trigger| trigger.sql.as_str()));
            }
        }
    }
    let tables = objects.iter().filter(|it| !it.is_trigger).map(|it| &it.name);
    tables.filter(|name| !changed.contains(name.as_str())).cloned().collect()
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn words_of(text: &str) -> HashSet<&str> {
    text.split(|character| !is_word(character)).collect()
}

/// Whether a text may contain a name. An unusual name is written in quotes, and a quote in it is
/// doubled there.
fn is_named(name: &str, text: &str, words: &HashSet<&str>) -> bool {
    if name.chars().all(is_word) {
        return words.contains(name);
    }
    name.contains(['"', '\'', '`', '[', ']']) || text.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> SchemaObject {
        SchemaObject {
            is_trigger: false,
            name: name.into(),
            table: name.into(),
            sql: String::new(),
        }
    }

    fn trigger(table: &str, sql: &str) -> SchemaObject {
        SchemaObject { is_trigger: true, name: "t".into(), table: table.into(), sql: sql.into() }
    }

    #[test]
    fn a_table_is_unchanged_if_no_text_names_it() {
        let objects = [
            table("orders"),
            table("lines"),
            table("log"),
            table("audit"),
            table("my table"),
            table("it's"),
            table("customers"),
            trigger(
                "orders",
                "create trigger t after insert on orders begin insert into log values (1); end",
            ),
            trigger("log", "create trigger t after insert on log begin delete from \"audit\"; end"),
        ];
        let unchanged = |file| unchanged_tables(&objects, file);
        assert_eq!(unchanged("insert into orders values (1)"), ["lines", "my table", "customers"]);
        assert_eq!(
            unchanged("update \"my table\" set a = 1"),
            ["orders", "lines", "log", "audit", "customers"]
        );
        assert_eq!(
            unchanged("delete from [lines]; select orders_of from x"),
            ["orders", "log", "audit", "my table", "customers"]
        );
    }
}
