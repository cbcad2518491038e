//! A file as each dialect reads it. Each section is cut once for each syntax.

use std::cell::OnceCell;

use crate::file::{Script, Section};
use crate::sql::{CutError, Statement, Syntax, cut};

/// A file, cut into statements as one syntax reads it.
pub(super) struct SyntaxReading<'s> {
    pub(super) syntax: Syntax,
    upgrade: OnceCell<Cut<'s>>,
    rollback: OnceCell<Cut<'s>>,
}

type Cut<'s> = Result<Vec<Statement<'s>>, CutError>;

impl<'s> SyntaxReading<'s> {
    pub(super) fn new(syntax: Syntax) -> Self {
        SyntaxReading { syntax, upgrade: OnceCell::new(), rollback: OnceCell::new() }
    }

    /// The statements of a section. The first call cuts it.
    pub(super) fn cut(&self, script: &'s Script<'s>, section: Section) -> &Cut<'s> {
        let cell = match section {
            Section::Upgrade => &self.upgrade,
            Section::Rollback => &self.rollback,
        };
        cell.get_or_init(|| cut(script.section(section), script.delimiter(), self.syntax))
    }

    /// The statements of both sections, as far as they were cut.
    pub(super) fn into_statements(self) -> (Vec<Statement<'s>>, Vec<Statement<'s>>) {
        let statements =
            |cell: OnceCell<Cut<'s>>| cell.into_inner().and_then(Result::ok).unwrap_or_default();
        (statements(self.upgrade), statements(self.rollback))
    }
}
