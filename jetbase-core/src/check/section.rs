//! What can be wrong in one section of a file, as one syntax reads it.

use crate::check::finding::{Finding, MAX_PER_KIND};
use crate::check::lint::{LintHit, Lints};
use crate::check::misread::misread;
use crate::check::readings::SyntaxReading;
use crate::check::rules::{Explanation, cut_rule, forbidden, only_dialect};
use crate::file::{MigrationKind, Script, Section, Transaction};
use crate::sql::{CutError, Dialect, Statement, Syntax, effect, statement};

/// One section of a file under check.
pub(super) struct SectionCheck<'c, 's> {
    pub(super) file: &'c str,
    pub(super) script: &'s Script<'s>,
    pub(super) section: Section,
    pub(super) start: usize,
    pub(super) transaction: Transaction,
    pub(super) lint: Option<MigrationKind>,
    pub(super) allowed: &'c [&'c str],
    /// The dialect, if only one is possible.
    pub(super) dialect: Option<Dialect>,
}

impl<'s> SectionCheck<'_, 's> {
    pub(super) fn findings(&self, reading: &SyntaxReading<'s>) -> Vec<Finding> {
        let statements = match reading.cut(self.script, self.section) {
            Ok(statements) => statements,
            Err(error) => return vec![self.cut_error(error)],
        };
        let mut findings = Vec::new();
        self.each(statements, &mut findings, |statement| {
            let (rule, message, help) = self.forbidden(statement)?;
            Some(self.about(statement, rule, message).help(help))
        });
        self.each(statements, &mut findings, |statement| {
            let (rule, message, help) = misread(statement)?.explain();
            Some(self.about(statement, rule, message).help(help))
        });
        self.each(statements, &mut findings, |statement| self.hidden(statement));
        findings.extend(statements.last().and_then(|last| self.unterminated(last)));
        self.lints(statements, &mut findings);
        findings
    }

    /// Adds the findings about single statements.
    fn each(
        &self,
        statements: &[Statement<'_>],
        findings: &mut Vec<Finding>,
        find: impl Fn(&Statement<'_>) -> Option<Finding>,
    ) {
        findings.extend(statements.iter().filter_map(find).take(MAX_PER_KIND));
    }

    fn cut_error(&self, error: &CutError) -> Finding {
        let (rule, help) = cut_rule(&error.open);
        let finding = self.at(rule, error.at, 1, error.to_string());
        let marker_follows =
            self.section == Section::Upgrade && self.script.range(Section::Rollback).is_some();
        finding.help(match help {
            Some(help) => help,
            None if marker_follows => {
                "close it, because everything after it is read as a part of it; the line `-- rollback` ends this section, even inside quotes"
            }
            None => "close it, because everything after it is read as a part of it",
        })
    }

    /// Why a statement must not stand in the file, for each server that may read it.
    fn forbidden(&self, own: &Statement<'_>) -> Option<Explanation> {
        let read_by = |syntax: Syntax| statement(own.sql, syntax).map(|other| effect(&other));
        let forbid = |effect| forbidden(effect, self.transaction);
        match self.dialect.is_none().then(|| only_dialect(own)).flatten() {
            Some(dialect) if dialect != own.syntax.dialect => {
                read_by(Syntax::of(dialect)).and_then(forbid)
            }
            _ if own.conditional => {
                own.syntax.of_each_server().into_iter().filter_map(read_by).find_map(forbid)
            }
            _ => forbid(effect(own)),
        }
    }

    /// Finds a statement that ends in the code of a comment.
    fn hidden(&self, statement: &Statement<'_>) -> Option<Finding> {
        let message = "a statement ends inside this executable comment".to_owned();
        let finding = self.at("executable-comment", statement.hidden?, 1, message);
        Some(finding.help("write one statement in the comment, and write the `;` after its `*/`"))
    }

    fn unterminated(&self, last: &Statement<'_>) -> Option<Finding> {
        let finding = || self.about(last, "unterminated", "the last statement has no delimiter");
        (!last.terminated).then(|| {
            finding().help(format!(
                "end it with `{}` at the end of a line, because the Python tool silently drops a statement without a delimiter",
                self.script.delimiter()
            ))
        })
    }

    fn lints(&self, statements: &[Statement<'_>], findings: &mut Vec<Finding>) {
        let Some(kind) = self.lint else { return };
        let lints = Lints { kind, transaction: self.transaction, dialect: self.dialect };
        let hits = lints.hits(statements).into_iter();
        let hits = hits.filter(|(_, LintHit(rule, ..))| !self.allowed.contains(rule));
        findings.extend(hits.take(MAX_PER_KIND).map(
            |(statement, LintHit(rule, message, help))| {
                let help =
                    format!("{help}; to allow it, write `-- jetbase: allow={rule}` in the file");
                self.about(statement, rule, message).warning().help(help)
            },
        ));
    }

    fn about(&self, statement: &Statement<'_>, rule: &'static str, message: &str) -> Finding {
        let width = statement.sql.lines().next().unwrap_or_default().chars().count();
        self.at(rule, statement.start, width, message.to_owned())
    }

    fn at(&self, rule: &'static str, offset: usize, width: usize, message: String) -> Finding {
        Finding::error(rule, self.file, message).at(self.script.text(), self.start + offset, width)
    }
}
