//! The bodies of triggers and functions, in which `;` does not end the statement.

use super::piece::Open;
use super::routine::Routine;
use crate::sql::dialect::Dialect;
use crate::sql::token::{Token, TokenKind};

/// Reads one statement and knows whether the current token is inside a body.
pub(super) enum BodyReader<'t> {
    /// The `BEGIN ATOMIC` and the parentheses of PostgreSQL.
    Postgres(Function<'t>),
    /// The compound statements of MySQL and MariaDB.
    MySql(Routine<'t>),
    /// The triggers of SQLite.
    Sqlite(Trigger),
}

impl<'t> BodyReader<'t> {
    pub(super) fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Postgres => BodyReader::Postgres(Function::default()),
            Dialect::MySql => BodyReader::MySql(Routine::default()),
            Dialect::Sqlite => BodyReader::Sqlite(Trigger::default()),
        }
    }

    /// Reads the next token of the statement that is no trivia.
    pub(super) fn read(&mut self, token: &Token<'t>) {
        match self {
            BodyReader::Postgres(function) => function.read(token),
            BodyReader::MySql(routine) => routine.read(token),
            BodyReader::Sqlite(trigger) => trigger.read(token),
        }
    }

    /// Reads a parenthesis where names have no meaning.
    pub(super) fn read_parenthesis(&mut self, byte: u8, start: usize) {
        match self {
            BodyReader::Postgres(function) if byte == b'(' => {
                open(&mut function.parentheses, start);
            }
            BodyReader::Postgres(function) => close(&mut function.parentheses),
            BodyReader::MySql(_) | BodyReader::Sqlite(_) => {}
        }
    }

    /// Whether words and names of the rest of the statement have no meaning here.
    pub(super) fn ignores_names(&self) -> bool {
        match self {
            BodyReader::Postgres(function) => matches!(function.head, FunctionHead::Other),
            BodyReader::MySql(routine) => routine.is_other(),
            BodyReader::Sqlite(trigger) => matches!(trigger.state, TriggerState::Other),
        }
    }

    /// Whether a `;` is part of the statement here.
    pub(super) fn is_open(&self) -> bool {
        self.opened().is_some()
    }

    /// The start of the outermost block or parenthesis that is still open.
    pub(super) fn opened(&self) -> Option<(usize, Open)> {
        match self {
            BodyReader::Postgres(function) => function.opened(),
            BodyReader::MySql(routine) => Some((routine.opened()?, Open::Body)),
            BodyReader::Sqlite(trigger) => Some((trigger.opened()?, Open::Body)),
        }
    }
}

/// A statement of PostgreSQL, read as `psql` reads it.
#[derive(Default)]
pub(super) struct Function<'t> {
    head: FunctionHead,
    previous: Option<Token<'t>>,
    /// Where the outermost parenthesis opens, and how many are open.
    parentheses: (usize, usize),
    /// Where the body opens, and how many `BEGIN ATOMIC` and `CASE` are open.
    blocks: (usize, usize),
}

/// How far a statement is known to be a `CREATE FUNCTION`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum FunctionHead {
    #[default]
    Begin,
    Create,
    Function,
    Other,
}

impl<'t> Function<'t> {
    fn read(&mut self, token: &Token<'t>) {
        match token.text.as_bytes() {
            [b'('] => open(&mut self.parentheses, token.start),
            [b')'] => close(&mut self.parentheses),
            _ if matches!(self.head, FunctionHead::Other) => return,
            _ if token.kind == TokenKind::Word => self.word(token),
            _ if self.head != FunctionHead::Function => self.head = FunctionHead::Other,
            _ => {}
        }
        self.previous = Some(*token);
    }

    fn word(&mut self, token: &Token<'t>) {
        let is = |word| token.is_word(word);
        match self.head {
            FunctionHead::Begin if is("CREATE") => self.head = FunctionHead::Create,
            FunctionHead::Create if is("OR") || is("REPLACE") => {}
            FunctionHead::Create if is("FUNCTION") || is("PROCEDURE") => {
                self.head = FunctionHead::Function
            }
            FunctionHead::Function => self.block(token),
            _ => self.head = FunctionHead::Other,
        }
    }

    fn block(&mut self, token: &Token<'t>) {
        let Some(previous) = self.previous else { return };
        let inside = self.blocks.1 > 0;
        if token.is_word("ATOMIC") && previous.is_word("BEGIN") {
            open(&mut self.blocks, previous.start);
        } else if !inside || previous.is_symbol(".") || previous.is_word("AS") {
            // A column may be called `t.end` and `… AS end`.
        } else if token.is_word("CASE") {
            open(&mut self.blocks, token.start);
        } else if token.is_word("END") {
            close(&mut self.blocks);
        }
    }

    fn opened(&self) -> Option<(usize, Open)> {
        match (self.blocks, self.parentheses) {
            ((at, 1..), _) => Some((at, Open::Body)),
            (_, (at, 1..)) => Some((at, Open::Parenthesis)),
            _ => None,
        }
    }
}

fn open((at, depth): &mut (usize, usize), start: usize) {
    if *depth == 0 {
        *at = start;
    }
    *depth += 1;
}

fn close((_, depth): &mut (usize, usize)) {
    *depth = depth.saturating_sub(1);
}

/// A statement of SQLite, read as `sqlite3_complete()` reads it: a trigger
/// ends with a `;`, an `END` and a `;`.
#[derive(Default)]
pub(super) struct Trigger {
    state: TriggerState,
    /// Where the trigger or its `BEGIN` stands.
    at: usize,
}

#[derive(Clone, Copy, Default)]
enum TriggerState {
    #[default]
    Begin,
    Explain,
    Create,
    Trigger,
    Body,
    Semicolon,
    End,
    Other,
}

impl Trigger {
    fn read(&mut self, token: &Token<'_>) {
        let is = |word| token.is_word(word);
        self.state = match self.state {
            TriggerState::Begin if is("EXPLAIN") => TriggerState::Explain,
            TriggerState::Begin | TriggerState::Explain if is("CREATE") => TriggerState::Create,
            TriggerState::Explain if is("QUERY") || is("PLAN") => TriggerState::Explain,
            TriggerState::Create if is("TEMP") || is("TEMPORARY") => TriggerState::Create,
            TriggerState::Create if is("TRIGGER") => {
                self.at = token.start;
                TriggerState::Trigger
            }
            TriggerState::Trigger if is("BEGIN") => {
                self.at = token.start;
                TriggerState::Body
            }
            TriggerState::Trigger => TriggerState::Trigger,
            TriggerState::Body | TriggerState::Semicolon if token.is_symbol(";") => {
                TriggerState::Semicolon
            }
            TriggerState::Semicolon if is("END") => TriggerState::End,
            TriggerState::Body | TriggerState::Semicolon | TriggerState::End => TriggerState::Body,
            TriggerState::Begin
            | TriggerState::Explain
            | TriggerState::Create
            | TriggerState::Other => TriggerState::Other,
        };
    }

    fn opened(&self) -> Option<usize> {
        matches!(self.state, TriggerState::Trigger | TriggerState::Body | TriggerState::Semicolon)
            .then_some(self.at)
    }
}
