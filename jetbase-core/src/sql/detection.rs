//! What can be found out about a statement whose end nobody has seen.

use crate::sql::dialect::Dialect;
use crate::sql::effect::{Effect, effect};
use crate::sql::statements::{Statement, StatementPart};
use crate::sql::token::{Token, TokenKind};

/// How to find out whether an interrupted statement has taken effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detection {
    /// A second execution changes nothing: run it again.
    Repeat,
    /// The catalog of the database shows it.
    Catalog(CatalogObject),
    /// Only a person can find it out.
    Ask,
}

/// An object that a statement creates or drops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogObject {
    /// The kind of the object.
    pub kind: ObjectKind,
    /// The schema that the statement names, without quotes.
    pub schema: Option<String>,
    /// The table of an index, a column, a constraint or a partition, without quotes.
    pub table: Option<String>,
    /// The name of the object, without quotes.
    pub name: String,
    /// Whether the statement builds, drops or detaches it concurrently (PostgreSQL).
    pub concurrently: bool,
}

/// The kind of an object in the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A table, a view, a sequence or a materialized view.
    Table,
    /// An index.
    Index,
    /// A column.
    Column,
    /// A constraint of a table.
    Constraint,
    /// A trigger.
    Trigger,
    /// A function or a procedure.
    Routine,
    /// A schema, which MySQL calls a database.
    Schema,
    /// A partition that is attached to its table.
    Partition,
    /// A type or a domain (PostgreSQL).
    Type,
    /// An extension (PostgreSQL).
    Extension,
}

/// Returns how to find out whether an interrupted statement has taken effect.
///
/// # Examples
///
/// ```
/// use jetbase_core::{Dialect, ObjectKind, Detection, Syntax, cut, detection};
///
/// let text = "CREATE TABLE a (id INT); CREATE OR REPLACE VIEW v AS SELECT 1; CALL p();";
/// let statements = cut(text, ";", Syntax::of(Dialect::MySql))?;
/// let found: Vec<_> = statements.iter().map(detection).collect();
/// let Detection::Catalog(object) = &found[0] else { panic!() };
/// assert_eq!((object.kind, object.name.as_str()), (ObjectKind::Table, "a"));
/// assert_eq!(found[1..], [Detection::Repeat, Detection::Ask]);
/// # Ok::<(), jetbase_core::CutError>(())
/// ```
#[must_use]
pub fn detection(statement: &Statement<'_>) -> Detection {
    if statement.count() > 1 || statement.conditional || statement.hidden.is_some() {
        return Detection::Ask;
    }
    let dialect = statement.syntax.dialect;
    let tokens: Vec<_> = statement.tokens().collect();
    let mut words = Words { tokens: &tokens, at: 0, dialect };
    match effect(statement) {
        // SQLite: what cannot run in a transaction can be repeated.
        Effect::NeedsNoTransaction | Effect::ForeignKeysPragma if dialect == Dialect::Sqlite => {
            Detection::Repeat
        }
        _ => words.detection(),
    }
}

/// Returns whether a statement only changes settings of its session, or its table locks. A new session
/// must execute it again.
#[must_use]
pub fn is_setting(statement: &Statement<'_>) -> bool {
    let words = ["SET", "RESET", "USE", "PRAGMA", "LOCK", "UNLOCK"];
    let sets = |part: StatementPart<'_, '_>| {
        part.tokens().next().is_some_and(|first| first.is_any_word(&words))
    };
    statement.parts().all(sets)
}

/// Returns whether a failed statement may have taken effect in part: it calls code that can commit,
/// or it names several objects, each of which is changed by itself.
#[must_use]
pub fn may_fail_in_part(statement: &Statement<'_>) -> bool {
    let dialect = statement.syntax.dialect;
    statement.count() > 1
        || statement.parts().any(|part| {
            let mut tokens = part.tokens();
            let Some(first) = tokens.next() else { return false };
            match dialect {
                Dialect::Sqlite => false,
                // An index that is built or dropped concurrently may stay behind, and be invalid.
                Dialect::Postgres => match first.text.to_ascii_uppercase().as_str() {
                    "CALL" => true,
                    "DO" => part.tokens().any(|it| it.text.to_ascii_uppercase().contains("COMMIT")),
                    "REFRESH" => false,
                    _ => part.tokens().any(|token| token.is_word("CONCURRENTLY")),
                },
                Dialect::MySql => {
                    first.is_any_word(&["CALL", "EXECUTE"])
                        || (first.is_word("BEGIN")
                            && tokens.next().is_some_and(|second| second.is_word("NOT")))
                        || (first.is_any_word(&["DROP", "GRANT", "REVOKE", "RENAME"])
                            && part.tokens().any(|token| token.is_symbol(",")))
                }
            }
        })
}

/// A reader of the first words of a statement.
pub(super) struct Words<'a, 't> {
    pub(super) tokens: &'a [Token<'t>],
    pub(super) at: usize,
    pub(super) dialect: Dialect,
}

impl Words<'_, '_> {
    pub(super) fn peek(&self) -> Option<&Token<'_>> {
        self.tokens.get(self.at)
    }

    /// Passes one of the words, if it comes next.
    pub(super) fn take(&mut self, words: &[&str]) -> bool {
        let found = self.peek().is_some_and(|token| token.is_any_word(words));
        self.at += usize::from(found);
        found
    }

    pub(super) fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_symbol(symbol));
        self.at += usize::from(found);
        found
    }

    /// Reads a name without its quotes.
    pub(super) fn name(&mut self) -> Option<String> {
        let token = self.peek()?;
        let text = token.text;
        let name = match (token.kind, text.as_bytes().first()?) {
            (TokenKind::Word, _) if self.dialect == Dialect::Postgres => text.to_lowercase(),
            (TokenKind::Word, _) => text.to_owned(),
            (_, quote @ (b'"' | b'`')) => {
                let quote = char::from(*quote);
                let inner = text.get(1..text.len().checked_sub(1)?)?;
                inner.replace(&format!("{quote}{quote}"), &quote.to_string())
            }
            _ => return None,
        };
        self.at += 1;
        Some(name)
    }

    /// Reads a name that may be qualified with a schema.
    pub(super) fn qualified(&mut self) -> Option<(Option<String>, String)> {
        let first = self.name()?;
        if !self.take_symbol(".") {
            return Some((None, first));
        }
        let second = self.name()?;
        (!self.peek().is_some_and(|token| token.is_symbol("."))).then_some((Some(first), second))
    }

    fn detection(&mut self) -> Detection {
        let writes = ["INSERT", "UPDATE", "DELETE", "REPLACE"];
        if self.dialect == Dialect::Sqlite
            && self.take(&["SELECT", "VALUES", "WITH"])
            && !self.tokens.iter().any(|token| token.is_any_word(&writes))
        {
            return Detection::Repeat;
        }
        if self.take(&["CREATE"]) {
            return self.create();
        }
        if self.take(&["DROP"]) {
            return self.drop();
        }
        if self.take(&["ALTER"]) {
            return self.alter().unwrap_or(Detection::Ask);
        }
        if self
            .take(&["SET", "USE", "VACUUM", "ANALYZE", "REINDEX", "CLUSTER", "OPTIMIZE", "FLUSH"])
        {
            return Detection::Repeat;
        }
        if self.take(&[
            "GRANT",
            "REVOKE",
            "COMMENT",
            "REFRESH",
            "LOCK",
            "UNLOCK",
            "CHECKPOINT",
            "SHOW",
        ]) {
            return Detection::Repeat;
        }
        Detection::Ask
    }

    fn create(&mut self) -> Detection {
        let replaces = self.take(&["OR"]) && self.take(&["REPLACE"]);
        while self.take(&["UNIQUE", "FULLTEXT", "SPATIAL", "UNLOGGED", "MATERIALIZED"]) {}
        let Some(kind) = self.kind() else { return Detection::Ask };
        if replaces {
            let keeps_rows = matches!(kind, ObjectKind::Routine | ObjectKind::Trigger);
            let is_view =
                self.tokens.get(self.at.saturating_sub(1)).is_some_and(|it| it.is_word("VIEW"));
            return if keeps_rows || is_view { Detection::Repeat } else { Detection::Ask };
        }
        let concurrently = self.take(&["CONCURRENTLY"]);
        let exists = self.take(&["IF"]) && self.take(&["NOT"]) && self.take(&["EXISTS"]);
        // A query that fills the table runs only once.
        if exists && !concurrently {
            return Detection::Repeat;
        }
        let found = match kind {
            ObjectKind::Index => self.index(concurrently),
            _ => self.qualified().map(|(schema, name)| object(kind, schema, None, name)),
        };
        found.map_or(Detection::Ask, Detection::Catalog)
    }

    /// Reads `name ON table`.
    fn index(&mut self, concurrently: bool) -> Option<CatalogObject> {
        let name = self.name()?;
        while !self.take(&["ON"]) {
            self.peek()?;
            self.at += 1;
        }
        self.take(&["ONLY"]);
        let (schema, table) = self.qualified()?;
        Some(CatalogObject { concurrently, ..object(ObjectKind::Index, schema, Some(table), name) })
    }

    fn drop(&mut self) -> Detection {
        self.take(&["MATERIALIZED"]);
        let Some(kind) = self.kind() else { return Detection::Ask };
        let concurrently = self.take(&["CONCURRENTLY"]);
        if self.take(&["IF"]) {
            return Detection::Repeat;
        }
        let found = match (kind, self.dialect) {
            (ObjectKind::Index, Dialect::MySql) => self.index(concurrently),
            _ => self.qualified().map(|(schema, name)| CatalogObject {
                concurrently,
                ..object(kind, schema, None, name)
            }),
        };
        let several = self.tokens.iter().any(|token| token.is_symbol(","));
        found.filter(|_| !several).map_or(Detection::Ask, Detection::Catalog)
    }

    fn kind(&mut self) -> Option<ObjectKind> {
        let kinds = [
            (&["TABLE", "VIEW", "SEQUENCE"][..], ObjectKind::Table),
            (&["INDEX"], ObjectKind::Index),
            (&["TRIGGER"], ObjectKind::Trigger),
            (&["FUNCTION", "PROCEDURE"], ObjectKind::Routine),
            (&["SCHEMA"], ObjectKind::Schema),
        ];
        if self.dialect == Dialect::MySql && self.take(&["DATABASE"]) {
            return Some(ObjectKind::Schema);
        }
        kinds.into_iter().find_map(|(words, kind)| self.take(words).then_some(kind))
    }

    /// Reads the first action of an `ALTER TABLE`. The server executes all actions or none.
    fn alter(&mut self) -> Option<Detection> {
        if !self.take(&["TABLE"]) || self.take(&["IF"]) {
            return None;
        }
        self.take(&["ONLY"]);
        let (schema, table) = self.qualified()?;
        let of_table = |kind, name| {
            Detection::Catalog(object(kind, schema.clone(), Some(table.clone()), name))
        };
        if self.take(&["DETACH"]) && self.take(&["PARTITION"]) {
            let (schema_of_partition, name) = self.qualified()?;
            if schema_of_partition != schema {
                return Some(Detection::Ask);
            }
            let concurrently = self.take(&["CONCURRENTLY"]);
            let detached = object(ObjectKind::Partition, schema, Some(table), name);
            return Some(Detection::Catalog(CatalogObject { concurrently, ..detached }));
        }
        if self.take(&["MODIFY"]) {
            return Some(Detection::Repeat);
        }
        if self.take(&["CHANGE"]) {
            self.take(&["COLUMN"]);
            let (old, new) = (self.name()?, self.name()?);
            return Some(if old == new {
                Detection::Repeat
            } else {
                of_table(ObjectKind::Column, new)
            });
        }
        if self.take(&["RENAME"]) {
            if self.take(&["COLUMN"]) {
                self.name()?;
                self.take(&["TO"]);
                return Some(of_table(ObjectKind::Column, self.name()?));
            }
            self.take(&["TO", "AS"]);
            let (schema, name) = self.qualified()?;
            return Some(Detection::Catalog(object(ObjectKind::Table, schema, None, name)));
        }
        if self.take(&["DROP", "ADD"]) {
            return self.added(&of_table);
        }
        None
    }

    fn added(&mut self, of_table: &dyn Fn(ObjectKind, String) -> Detection) -> Option<Detection> {
        if self.take(&["CONSTRAINT"]) {
            return (!self.take(&["IF"]))
                .then(|| self.name())
                .flatten()
                .map(|name| of_table(ObjectKind::Constraint, name));
        }
        let unique = self.take(&["UNIQUE", "FULLTEXT", "SPATIAL"]);
        if self.take(&["INDEX", "KEY"]) || unique {
            return self.name().map(|name| of_table(ObjectKind::Index, name));
        }
        if self.take(&["PRIMARY", "FOREIGN", "CHECK", "PARTITION", "PERIOD", "SYSTEM", "("]) {
            return None;
        }
        self.take(&["COLUMN"]);
        if self.take(&["IF"]) {
            return None;
        }
        self.name().map(|name| of_table(ObjectKind::Column, name))
    }
}

pub(super) fn object(
    kind: ObjectKind,
    schema: Option<String>,
    table: Option<String>,
    name: String,
) -> CatalogObject {
    CatalogObject { kind, schema, table, name, concurrently: false }
}

#[cfg(test)]
mod tests;
