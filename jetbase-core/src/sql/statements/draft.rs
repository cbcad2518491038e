//! The statement that the cutter reads.

use super::body::BodyReader;
use super::piece::Statement;
use crate::sql::dialect::{Dialect, Syntax};
use crate::sql::token::{Lexeme, Token, TokenKind};

/// A statement whose end is not read yet.
pub(super) struct StatementDraft<'t> {
    /// Where the statement begins and ends so far; `None` before its first token.
    range: Option<(usize, usize)>,
    body: BodyReader<'t>,
    /// Whether the body reader needs no more words and names.
    ignores_names: bool,
    lexemes: Vec<Lexeme>,
    semicolons: Vec<usize>,
    hidden: Option<usize>,
    conditional: bool,
}

/// The number of lexemes that is reserved for a statement at most.
const USUAL_LENGTH: usize = 64;

impl<'t> StatementDraft<'t> {
    pub(super) fn new(dialect: Dialect) -> Self {
        StatementDraft {
            range: None,
            body: BodyReader::new(dialect),
            ignores_names: false,
            lexemes: Vec::new(),
            semicolons: Vec::new(),
            hidden: None,
            conditional: false,
        }
    }

    /// The draft of the statement after this one, which often is as long.
    pub(super) fn next(&self, dialect: Dialect) -> Self {
        let lexemes = Vec::with_capacity(self.lexemes.len().min(USUAL_LENGTH));
        StatementDraft { lexemes, ..StatementDraft::new(dialect) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.range.is_none()
    }

    pub(super) fn body(&self) -> &BodyReader<'t> {
        &self.body
    }

    /// Extends the statement to the end of a token.
    pub(super) fn extend(&mut self, token: &Token<'t>) {
        match &mut self.range {
            Some((_, end)) => *end = token.end(),
            None => self.range = Some((token.start, token.end())),
        }
    }

    /// Notes a comment that only some servers run.
    pub(super) fn add_condition(&mut self) {
        self.conditional = true;
    }

    /// Adds a name, a value or a simple symbol if its text has no meaning for the end of the statement. Returns whether it did.
    ///
    /// Most tokens of a long file are such: the macro, which is compiled without optimisation, needs
    /// a short way for them.
    pub(super) fn add_name(&mut self, lexeme: Lexeme, text: &str) -> bool {
        let Some((_, end)) = &mut self.range else { return false };
        let is_name = self.ignores_names
            && match lexeme.kind {
                TokenKind::Word | TokenKind::Number | TokenKind::Quoted => lexeme.closed,
                TokenKind::Symbol => match text.as_bytes().get(lexeme.start) {
                    Some(b',' | b'.' | b'=') => true,
                    Some(byte @ (b'(' | b')')) => {
                        self.body.read_parenthesis(*byte, lexeme.start);
                        true
                    }
                    _ => false,
                },
                _ => false,
            };
        if is_name {
            *end = lexeme.end;
            self.lexemes.push(lexeme);
        }
        is_name
    }

    /// Adds a token that the server reads. `comment` is the start of the comment around it, if it is
    /// code in a comment of MySQL.
    pub(super) fn add(&mut self, token: Token<'t>, comment: Option<usize>, dialect: Dialect) {
        if matches!(token.text.as_bytes(), [b';']) && !self.body.is_open() {
            match comment {
                Some(start) => {
                    self.hidden.get_or_insert(start);
                }
                None => {
                    self.semicolons.push(self.lexemes.len());
                    self.body = BodyReader::new(dialect);
                    self.ignores_names = false;
                    self.lexemes.push(token.lexeme());
                    return;
                }
            }
        }
        self.body.read(&token);
        self.ignores_names = self.body.ignores_names();
        self.lexemes.push(token.lexeme());
    }

    /// The statement, when its end is read; `None` if there was no token.
    pub(super) fn finish(
        self,
        text: &'t str,
        syntax: Syntax,
        terminated: bool,
    ) -> Option<Statement<'t>> {
        let (start, end) = self.range?;
        // In a body that is never closed, a `;` ends nothing.
        let semicolons = if self.body.is_open() { Vec::new() } else { self.semicolons };
        Some(Statement {
            sql: text.get(start..end).unwrap_or_default(),
            start,
            terminated,
            syntax,
            lexemes: self.lexemes,
            semicolons,
            hidden: self.hidden,
            conditional: self.conditional,
        })
    }
}
