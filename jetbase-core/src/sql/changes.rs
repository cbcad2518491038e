//! Which objects of the catalog a statement creates, drops and renames.

mod table_actions;

use crate::sql::detection::{CatalogObject, ObjectKind, Words, object};
use crate::sql::dialect::Dialect;
use crate::sql::statements::Statement;
use crate::sql::token::{Token, TokenKind};

/// What a statement does to an object of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogChange {
    /// The object exists afterwards, whether or not it has existed before.
    Create(CatalogObject),
    /// The object does not exist afterwards.
    Drop {
        /// The object.
        object: CatalogObject,
        /// Whether the statement accepts that the object does not exist.
        if_exists: bool,
    },
    /// The object has another name, or is in another schema, afterwards.
    Rename {
        /// The object before.
        from: CatalogObject,
        /// The object afterwards.
        to: CatalogObject,
    },
    /// From here to the end of the file, a name without a schema means an object of this schema.
    UseSchema(String),
}

/// Returns what a statement does to the catalog, as far as its text shows it.
///
/// Temporary objects, code inside a `DO` block or a routine, and what a table holds when it is created (its
/// columns and constraints) are left out.
///
/// # Examples
///
/// ```
/// use jetbase_core::{CatalogChange, Dialect, Syntax, catalog_changes, cut};
///
/// let text = "ALTER TABLE a ADD COLUMN b INT, DROP COLUMN c;";
/// let statements = cut(text, ";", Syntax::of(Dialect::Postgres))?;
/// let changes = catalog_changes(&statements[0]);
/// assert_eq!(changes.len(), 2);
/// assert!(matches!(&changes[0], CatalogChange::Create(column) if column.name == "b"));
/// assert!(matches!(&changes[1], CatalogChange::Drop { object, .. } if object.name == "c"));
/// # Ok::<(), jetbase_core::CutError>(())
/// ```
#[must_use]
pub fn catalog_changes(statement: &Statement<'_>) -> Vec<CatalogChange> {
    if statement.conditional || statement.hidden.is_some() {
        return Vec::new();
    }
    let dialect = statement.syntax.dialect;
    let of_part = |tokens: Vec<Token<'_>>| {
        let mut reader = ChangeReader { words: Words { tokens: &tokens, at: 0, dialect } };
        reader.read().unwrap_or_default()
    };
    statement.parts().flat_map(|part| of_part(part.to_vec())).collect()
}

/// A reader of the changes of one statement. A method returns `None` if it finds no object.
struct ChangeReader<'a, 't> {
    words: Words<'a, 't>,
}

impl ChangeReader<'_, '_> {
    fn read(&mut self) -> Option<Vec<CatalogChange>> {
        if self.words.take(&["CREATE"]) {
            return self.create().map(|it| vec![CatalogChange::Create(it)]);
        }
        if self.words.take(&["DROP"]) {
            return self.drop();
        }
        if self.words.take(&["ALTER"]) {
            return self.alter();
        }
        let dialect = self.words.dialect;
        if dialect == Dialect::MySql && self.words.take(&["RENAME"]) {
            return self.rename_tables();
        }
        if dialect == Dialect::MySql && self.words.take(&["USE"]) {
            return self.words.name().map(|schema| vec![CatalogChange::UseSchema(schema)]);
        }
        if dialect == Dialect::Postgres && self.words.take(&["SET"]) {
            return self.search_path();
        }
        None
    }

    /// Reads `SET search_path TO a, b`: new objects are created in the first schema.
    fn search_path(&mut self) -> Option<Vec<CatalogChange>> {
        self.words.take(&["LOCAL", "SESSION"]);
        if !self.words.take(&["search_path"]) {
            return None;
        }
        if !self.words.take_symbol("=") && !self.words.take(&["TO"]) {
            return None;
        }
        let quoted = self.words.peek().filter(|it| it.kind == TokenKind::Quoted);
        let text = quoted.and_then(|it| it.text.strip_prefix('\'')?.strip_suffix('\''));
        let schema = text.map(str::to_owned).or_else(|| self.words.name())?;
        Some(vec![CatalogChange::UseSchema(schema)])
    }

    fn create(&mut self) -> Option<CatalogObject> {
        let words = &mut self.words;
        if words.take(&["OR"]) {
            words.take(&["REPLACE"]);
        }
        if words.dialect == Dialect::MySql
            && words.take(&["ALGORITHM", "DEFINER", "SQL", "AGGREGATE"])
        {
            let kinds = ["VIEW", "TRIGGER", "FUNCTION", "PROCEDURE"];
            let rest = words.tokens.get(words.at..)?;
            words.at += rest.iter().take(20).position(|it| it.is_any_word(&kinds))?;
        }
        while words.take(MODIFIERS) {}
        let kind = self.kind()?;
        let words = &mut self.words;
        words.take(&["CONCURRENTLY"]);
        if words.take(&["IF"]) {
            words.take(&["NOT"]);
            words.take(&["EXISTS"]);
        }
        match kind {
            ObjectKind::Index if words.peek()?.is_word("ON") => None,
            ObjectKind::Schema if words.peek()?.is_word("AUTHORIZATION") => None,
            ObjectKind::Index | ObjectKind::Trigger => self.on_table(kind),
            _ => words.qualified().map(|(schema, name)| object(kind, schema, None, name)),
        }
    }

    /// Reads `name … ON table`.
    fn on_table(&mut self, kind: ObjectKind) -> Option<CatalogObject> {
        let words = &mut self.words;
        let (own_schema, name) = words.qualified()?;
        while !words.take(&["ON"]) {
            words.peek()?;
            words.at += 1;
        }
        words.take(&["ONLY"]);
        let (schema, table) = words.qualified()?;
        Some(object(kind, own_schema.or(schema), Some(table), name))
    }

    fn drop(&mut self) -> Option<Vec<CatalogChange>> {
        while self.words.take(&["MATERIALIZED", "FOREIGN"]) {}
        let kind = self.kind()?;
        let words = &mut self.words;
        words.take(&["CONCURRENTLY"]);
        let if_exists = words.take(&["IF"]) && words.take(&["EXISTS"]);
        let mut changes = Vec::new();
        loop {
            let on_table = match kind {
                ObjectKind::Index => self.words.dialect == Dialect::MySql,
                ObjectKind::Trigger => self.words.dialect == Dialect::Postgres,
                _ => false,
            };
            let object = if on_table {
                self.on_table(kind)?
            } else {
                let (schema, name) = self.words.qualified()?;
                object(kind, schema, None, name)
            };
            changes.push(CatalogChange::Drop { object, if_exists });
            self.skip_parentheses();
            if !self.words.take_symbol(",") {
                return Some(changes);
            }
        }
    }

    /// Passes the types of the arguments of a routine.
    fn skip_parentheses(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.words.peek() {
            if token.is_symbol("(") {
                depth += 1;
            } else if token.is_symbol(")") {
                depth = depth.saturating_sub(1);
            } else if depth == 0 {
                return;
            }
            self.words.at += 1;
        }
    }

    fn kind(&mut self) -> Option<ObjectKind> {
        let words = &mut self.words;
        let (postgres, mysql) =
            (words.dialect == Dialect::Postgres, words.dialect == Dialect::MySql);
        if words.take(&["TABLE", "VIEW", "SEQUENCE"]) {
            Some(ObjectKind::Table)
        } else if words.take(&["INDEX"]) {
            Some(ObjectKind::Index)
        } else if words.take(&["TRIGGER"]) {
            Some(ObjectKind::Trigger)
        } else if words.take(&["FUNCTION", "PROCEDURE"])
            || (postgres && words.take(&["AGGREGATE", "ROUTINE"]))
        {
            Some(ObjectKind::Routine)
        } else if words.take(&["SCHEMA"]) || (mysql && words.take(&["DATABASE"])) {
            Some(ObjectKind::Schema)
        } else if postgres && words.take(&["TYPE", "DOMAIN"]) {
            Some(ObjectKind::Type)
        } else if postgres && words.take(&["EXTENSION"]) {
            Some(ObjectKind::Extension)
        } else {
            None
        }
    }

    fn alter(&mut self) -> Option<Vec<CatalogChange>> {
        self.words.take(&["ONLINE", "IGNORE", "MATERIALIZED", "FOREIGN"]);
        let is_table = self.words.peek()?.is_word("TABLE");
        let kind = self.kind()?;
        if self.words.take(&["IF"]) {
            self.words.take(&["EXISTS"]);
        }
        self.words.take(&["ONLY"]);
        let before = match kind {
            ObjectKind::Trigger => self.on_table(kind)?,
            _ => {
                let (schema, name) = self.words.qualified()?;
                object(kind, schema, None, name)
            }
        };
        self.words.take_symbol("*");
        self.skip_parentheses();
        if !is_table {
            return self.renamed(before).map(|it| vec![it]);
        }
        self.table_actions(&before)
    }

    /// Reads `RENAME TO name` and `SET SCHEMA name`.
    fn renamed(&mut self, from: CatalogObject) -> Option<CatalogChange> {
        let words = &mut self.words;
        let to = if words.take(&["SET"]) && words.take(&["SCHEMA"]) {
            CatalogObject { schema: Some(words.name()?), ..from.clone() }
        } else if words.take(&["RENAME"]) && words.take(&["TO"]) {
            CatalogObject { name: words.name()?, ..from.clone() }
        } else {
            return None;
        };
        Some(CatalogChange::Rename { from, to })
    }

    /// Reads `a TO b, c TO d` after `RENAME TABLE`.
    fn rename_tables(&mut self) -> Option<Vec<CatalogChange>> {
        let words = &mut self.words;
        if !words.take(&["TABLE", "TABLES"]) {
            return None;
        }
        let mut changes = Vec::new();
        loop {
            let (schema, name) = words.qualified()?;
            if !words.take(&["TO"]) {
                return None;
            }
            let from = object(ObjectKind::Table, schema, None, name);
            let (schema, name) = words.qualified()?;
            let to = object(ObjectKind::Table, schema, None, name);
            changes.push(CatalogChange::Rename { from, to });
            if !words.take_symbol(",") {
                return Some(changes);
            }
        }
    }
}

/// Words that can stand between `CREATE` and the kind of an object.
const MODIFIERS: &[&str] = &[
    "UNIQUE",
    "FULLTEXT",
    "SPATIAL",
    "UNLOGGED",
    "MATERIALIZED",
    "RECURSIVE",
    "FOREIGN",
    "CONSTRAINT",
    "VIRTUAL",
];

#[cfg(test)]
mod tests;
