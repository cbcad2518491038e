//! The actions of `ALTER TABLE`.

use super::{CatalogChange, ChangeReader};
use crate::sql::detection::{CatalogObject, ObjectKind, Words, object};
use crate::sql::dialect::Dialect;
use crate::sql::token::Token;

impl ChangeReader<'_, '_> {
    /// Reads the actions, which are separated by commas.
    pub(super) fn table_actions(&mut self, table: &CatalogObject) -> Option<Vec<CatalogChange>> {
        let rest = self.words.tokens.get(self.words.at..)?;
        let dialect = self.words.dialect;
        let mut changes = Vec::new();
        for tokens in at_commas(rest) {
            let mut action = ChangeReader { words: Words { tokens, at: 0, dialect } };
            changes.extend(action.action(table).unwrap_or_default());
        }
        Some(changes)
    }

    /// Reads one action of `ALTER TABLE`.
    fn action(&mut self, table: &CatalogObject) -> Option<Vec<CatalogChange>> {
        let of_table =
            |kind, name| object(kind, table.schema.clone(), Some(table.name.clone()), name);
        let words = &mut self.words;
        if words.take(&["ADD"]) {
            let (kind, names) = self.part(true)?;
            let created = names.into_iter().map(|name| CatalogChange::Create(of_table(kind, name)));
            return Some(created.collect());
        }
        if words.take(&["DROP"]) {
            let start = words.at;
            let (kind, names) = self.part(false)?;
            let passed = self.words.tokens.get(start..self.words.at)?;
            let if_exists = passed.iter().any(|token| token.is_word("IF"));
            let dropped = names
                .into_iter()
                .map(|name| CatalogChange::Drop { object: of_table(kind, name), if_exists });
            return Some(dropped.collect());
        }
        let (kind, from, to) = if words.take(&["CHANGE"]) {
            words.take(&["COLUMN"]);
            if words.take(&["IF"]) {
                words.take(&["EXISTS"]);
            }
            (ObjectKind::Column, words.name()?, words.name()?)
        } else if words.take(&["RENAME"]) {
            let mysql = words.dialect == Dialect::MySql;
            let kind = if words.take(&["CONSTRAINT"]) {
                ObjectKind::Constraint
            } else if mysql && words.take(&["INDEX", "KEY"]) {
                ObjectKind::Index
            } else if words.take(&["COLUMN"]) {
                ObjectKind::Column
            } else if words.take(&["TO", "AS"]) || words.take_symbol("=") || mysql {
                let (schema, name) = words.qualified()?;
                let to = CatalogObject {
                    schema: schema.or(table.schema.clone()),
                    name,
                    ..table.clone()
                };
                return Some(vec![CatalogChange::Rename { from: table.clone(), to }]);
            } else {
                ObjectKind::Column
            };
            let from = words.name()?;
            words.take(&["TO"]);
            (kind, from, words.name()?)
        } else {
            return self.renamed(table.clone()).map(|it| vec![it]);
        };
        let (from, to) = (of_table(kind, from), of_table(kind, to));
        Some(if from == to { Vec::new() } else { vec![CatalogChange::Rename { from, to }] })
    }

    /// Reads the kind and the names of what an action adds or drops.
    fn part(&mut self, adds: bool) -> Option<(ObjectKind, Vec<String>)> {
        let words = &mut self.words;
        let mysql = words.dialect == Dialect::MySql;
        let kind = if words.take(&["CONSTRAINT"]) {
            ObjectKind::Constraint
        } else if mysql && !adds && words.take(&["FOREIGN"]) {
            words.take(&["KEY"]);
            ObjectKind::Constraint
        } else if mysql && !adds && words.take(&["CHECK"]) {
            ObjectKind::Constraint
        } else if mysql && words.take(&["UNIQUE", "FULLTEXT", "SPATIAL"]) {
            words.take(&["INDEX", "KEY"]);
            ObjectKind::Index
        } else if mysql && words.take(&["INDEX", "KEY"]) {
            ObjectKind::Index
        } else if words.peek()?.is_any_word(UNNAMED) {
            return None;
        } else {
            words.take(&["COLUMN"]);
            ObjectKind::Column
        };
        if words.take(&["IF"]) {
            words.take(&["NOT"]);
            words.take(&["EXISTS"]);
        }
        if words.peek()?.is_symbol("(") {
            // Several columns of MySQL. An index without a name has its columns here.
            let inner = words.tokens.get(words.at + 1..)?;
            let names = at_commas(inner)
                .into_iter()
                .filter_map(|tokens| Words { tokens, at: 0, dialect: words.dialect }.name());
            return (kind == ObjectKind::Column && mysql).then(|| (kind, names.collect()));
        }
        // A constraint without a name, and an index whose name is left out.
        if words.peek()?.is_any_word(UNNAMED) || words.peek()?.is_word("USING") {
            return None;
        }
        words.name().map(|name| (kind, vec![name]))
    }
}

/// What begins a part of a table that has no name.
const UNNAMED: &[&str] =
    &["PRIMARY", "FOREIGN", "CHECK", "UNIQUE", "EXCLUDE", "PARTITION", "PERIOD", "SYSTEM"];

/// Cuts tokens at the commas outside parentheses. It ends where a parenthesis closes that was never
/// opened.
fn at_commas<'a, 't>(tokens: &'a [Token<'t>]) -> Vec<&'a [Token<'t>]> {
    let (mut cut, mut from, mut depth) = (Vec::new(), 0, 0_usize);
    for (index, token) in tokens.iter().enumerate() {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            let Some(outer) = depth.checked_sub(1) else {
                cut.extend(tokens.get(from..index));
                return cut;
            };
            depth = outer;
        } else if token.is_symbol(",") && depth == 0 {
            cut.extend(tokens.get(from..index));
            from = index + 1;
        }
    }
    cut.extend(tokens.get(from..));
    cut
}
