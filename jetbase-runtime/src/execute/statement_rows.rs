//! Writes the rows of the journal about the statements of a file.

use std::ops::Range;

use jetbase_core::{Action, CatalogObject, Detection, Dialect, ObjectKind};

use super::Job;
use super::message::{Part, Purpose};
use super::writer::Writer;
use crate::dialect::{Bindings, JOURNAL_DONE, JOURNAL_FORGET, Sql};
use crate::journal::Direction;

impl Job<'_> {
    /// Returns the bindings for the row of a statement.
    pub(super) fn journal_bindings(
        &self,
        bindings: Bindings,
        index: usize,
        state: &str,
        found: &str,
    ) -> Bindings {
        let statement = self.statements.get(index);
        let digest = statement.map(|it| self.digest(it).to_string()).unwrap_or_default();
        let place = statement.map(|it| self.place(it).to_string()).unwrap_or_default();
        // The history has no index for the name of a file, and no row of a file that is applied for the first
        // time.
        let recorded = match self.action {
            Action::Apply => "NULL",
            Action::Reapply | Action::RollBack => {
                "(SELECT max(applied_at) FROM {migrations} WHERE filename = {file})"
            }
        };
        bindings
            .nested("recorded", recorded)
            .literal("direction", Direction::of(self.action).as_str())
            .number("number", i64::try_from(index + 1).unwrap_or(i64::MAX))
            .literal("digest", &digest)
            .literal("place", &place)
            .literal("state", state)
            .expression("found", found)
    }

    /// Returns the expression for what the catalog says about the object of a statement.
    pub(super) fn catalog_expression(
        &self,
        sql: &Sql,
        dialect: Dialect,
        index: usize,
    ) -> Option<String> {
        let Detection::Catalog(object) = &self.statements.get(index)?.detection else {
            return None;
        };
        let CatalogObject { kind, schema, table, name, .. } = object;
        let path = |name: &str| {
            let names = schema.iter().map(String::as_str).chain([name]);
            let quoted = names.map(|name| format!("\"{}\"", name.replace('"', "\"\"")));
            quoted.collect::<Vec<_>>().join(".")
        };
        let bindings = Bindings::new(dialect, None).literal("object_name", name);
        let bindings = match (dialect, schema) {
            (Dialect::MySql, Some(schema)) => bindings.literal("object_schema", schema),
            (Dialect::MySql, None) => bindings.expression("object_schema", "DATABASE()"),
            _ => bindings.literal("object_path", &path(name)),
        };
        let bindings = match (dialect, table) {
            (Dialect::MySql, Some(table)) => bindings.literal("object_table", table),
            (_, Some(table)) => bindings.literal("object_table", &path(table)),
            (_, None) => bindings,
        };
        // An index without its table is found by its own name.
        let kind = match (kind, table) {
            (ObjectKind::Index, None) => ObjectKind::Table,
            (kind, _) => *kind,
        };
        let template = sql.catalog.iter().find(|(known, _)| *known == kind)?.1;
        Some(bindings.render(template))
    }
}

impl Writer<'_, '_, '_> {
    /// Returns a transaction that announces a statement. For a file without a journal, it is only a fence.
    pub(super) fn intent(&self, index: usize) -> Vec<Part> {
        if !self.is_recorded() {
            return self.fences_outside_transaction();
        }
        let (sql, dialect) = (self.session.sql, self.session.dialect);
        let found = self.job.catalog_expression(sql, dialect, index);
        let (begin, settings) = sql.begin.split_at(1);
        let mut parts = self.parts(Purpose::Setup, begin);
        let found = match (dialect, found) {
            // The file's own search path decides which object is meant.
            (Dialect::Postgres, Some(found)) => {
                let sql = format!(
                    "SELECT pg_catalog.set_config('jetbase.found', ({found})::pg_catalog.text, true)"
                );
                parts.push(Part { sql, purpose: Purpose::Setup, results: 1 });
                "current_setting('jetbase.found')::int".to_owned()
            }
            (_, Some(found)) => found,
            (_, None) => "NULL".to_owned(),
        };
        if dialect == Dialect::Postgres {
            parts.extend(self.parts(Purpose::Setup, settings));
        }
        parts.extend(self.guard());
        parts.extend(self.journal_guard());
        parts.extend(self.committing_fences());
        parts.extend(self.earlier_done(index));
        parts.push(self.row(index, "intent", &found));
        parts.push(self.rendered(Purpose::Journal, "COMMIT"));
        parts
    }

    /// Whether the journal records the statements of this file.
    pub(super) fn is_recorded(&self) -> bool {
        self.job.has_entries || self.job.needs_journal(self.session.dialect)
    }

    pub(super) fn journal_guard(&self) -> Vec<Part> {
        self.parts(Purpose::Guard, self.session.guard(self.session.sql.guard_journal_writing))
    }

    /// Marks the statements before this one as done, and removes rows of an earlier text of the file.
    pub(super) fn earlier_done(&self, index: usize) -> Vec<Part> {
        let template = if index == 0 { JOURNAL_FORGET } else { JOURNAL_DONE };
        if !self.is_recorded() || (index == 0 && !self.job.has_entries) {
            return Vec::new();
        }
        let bindings =
            self.job.journal_bindings(self.bindings.clone(), index.saturating_sub(1), "", "NULL");
        let sql = bindings.render(template);
        vec![Part { sql, purpose: Purpose::Journal, results: 1 }]
    }

    /// Marks a statement as done at once, if the catalog does not show that. Otherwise the transaction of
    /// the next row does it, or the one of the history row.
    pub(super) fn done(&self, index: usize) -> Vec<Part> {
        let statement = self.job.statements.get(index);
        let (sql, dialect) = (self.session.sql, self.session.dialect);
        let is_shown = statement.is_some_and(|it| it.detection == Detection::Repeat)
            || self.job.catalog_expression(sql, dialect, index).is_some();
        if !self.is_recorded() || is_shown {
            return Vec::new();
        }
        let bindings = self.job.journal_bindings(self.bindings.clone(), index, "", "NULL");
        let part =
            |sql: &str| Part { sql: bindings.render(sql), purpose: Purpose::Journal, results: 1 };
        let begin = self.session.sql.begin.iter().take(1);
        begin.chain(&[JOURNAL_DONE, "COMMIT"]).map(|sql| part(sql)).collect()
    }

    /// Marks the earlier statements as done, and returns the rows of statements that are done.
    pub(super) fn rows_of(&self, statements: Range<usize>) -> Vec<Part> {
        if !self.is_recorded() {
            return Vec::new();
        }
        let mut parts = self.earlier_done(statements.start);
        parts.extend(statements.map(|index| self.row(index, "done", "NULL")));
        parts
    }

    fn row(&self, index: usize, state: &str, found: &str) -> Part {
        let bindings = self.job.journal_bindings(self.bindings.clone(), index, state, found);
        let sql = bindings.render(self.session.sql.journal_write);
        Part { sql, purpose: Purpose::Journal, results: 1 }
    }

    /// Removes the rows of the file, because the history records it.
    pub(super) fn forgotten(&self) -> Vec<Part> {
        let mut parts = self.journal_guard();
        let bindings = self.job.journal_bindings(self.bindings.clone(), 0, "", "NULL");
        let sql = bindings.render(JOURNAL_FORGET);
        parts.push(Part { sql, purpose: Purpose::Journal, results: 1 });
        parts
    }
}
