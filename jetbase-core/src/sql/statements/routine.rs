//! The compound statements of MySQL and MariaDB.

use crate::sql::token::{Token, TokenKind};

/// A statement of MySQL or MariaDB, and the blocks that are open in it.
#[derive(Default)]
pub(super) struct Routine<'t> {
    stage: Stage,
    place: Place,
    frames: Vec<Frame>,
    /// Where the outermost block opens.
    at: usize,
    parentheses: usize,
    previous: Option<Token<'t>>,
    /// Whether the next body belongs to a routine of a package.
    member: Member,
}

/// How much of the statement has been read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Begin,
    /// Behind `BEGIN`: a transaction, or the `NOT ATOMIC` of MariaDB.
    Block,
    /// Behind `CREATE`.
    Create,
    /// In the head of a routine, before `)`.
    Routine,
    /// In the head of a trigger, before `EACH ROW`.
    Trigger,
    /// In the head of an event, before `DO`.
    Event,
    /// Where a body is, or may be.
    Body,
    /// A statement without body.
    Other,
}

/// Where in a statement of the body.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// At its first word.
    #[default]
    Start,
    /// After its first word, which is a label if a `:` follows.
    Label,
    /// Among the words of a head, which its first word ends.
    Head,
    /// Behind its first word.
    Inside,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// Statements, closed by an `END` that begins a statement.
    Block,
    /// An expression (`CASE … END`, `UNTIL … END REPEAT`), closed by any `END`.
    Expression,
    /// The declarations of a package.
    Package,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Member {
    #[default]
    None,
    Pending,
}

/// The words that begin the statements whose expressions may call `IF()` and `REPEAT()`.
const SIMPLE: [&str; 17] = [
    "ALTER", "CALL", "CREATE", "DELETE", "DO", "DROP", "EXECUTE", "INSERT", "KILL", "REPLACE",
    "RETURN", "SELECT", "SET", "SIGNAL", "UPDATE", "VALUES", "WITH",
];

impl<'t> Routine<'t> {
    /// Where the outermost open block opens.
    pub(super) fn opened(&self) -> Option<usize> {
        (!self.frames.is_empty()).then_some(self.at)
    }

    pub(super) fn read(&mut self, token: &Token<'t>) {
        if self.stage == Stage::Other {
            return;
        }
        let after = |symbol| self.previous.is_some_and(|previous| previous.is_symbol(symbol));
        if token.kind == TokenKind::Word && !after(".") && !after("@") {
            self.word(token, &token.text.to_ascii_uppercase());
        } else {
            self.other(token);
        }
        self.previous = Some(*token);
    }

    fn word(&mut self, token: &Token<'t>, word: &str) {
        match (self.stage, word) {
            (Stage::Begin, "CREATE" | "ALTER") => self.stage = Stage::Create,
            (Stage::Begin, "BEGIN") => self.stage = Stage::Block,
            (Stage::Begin, "IF" | "CASE" | "LOOP" | "WHILE" | "REPEAT" | "FOR") => {
                self.stage = Stage::Body;
                self.body(token, word);
            }
            (Stage::Block, "NOT") => {
                self.enter(Place::Start);
                self.push(Frame::Block, self.previous.map_or(token.start, |begin| begin.start));
            }
            (Stage::Create, _) => self.create(token, word),
            (Stage::Routine, "AS" | "IS") if self.parentheses == 0 => self.enter(Place::Head),
            (Stage::Trigger, "ROW") if self.follows("EACH") => self.enter(Place::Head),
            (Stage::Event, "DO") if self.parentheses == 0 => self.enter(Place::Head),
            (Stage::Routine | Stage::Trigger | Stage::Event, _) => {}
            (Stage::Body, _) => self.body(token, word),
            (Stage::Begin | Stage::Block | Stage::Other, _) => self.stage = Stage::Other,
        }
    }

    fn create(&mut self, token: &Token<'t>, word: &str) {
        let definer = self.previous.is_some_and(|previous| previous.is_symbol("="));
        match word {
            _ if definer => {}
            "OR" | "REPLACE" | "DEFINER" | "AGGREGATE" => {}
            "PROCEDURE" | "FUNCTION" => self.stage = Stage::Routine,
            "TRIGGER" => self.stage = Stage::Trigger,
            "EVENT" => self.stage = Stage::Event,
            "PACKAGE" => {
                self.enter(Place::Inside);
                self.push(Frame::Package, token.start);
            }
            _ => self.stage = Stage::Other,
        }
    }

    fn other(&mut self, token: &Token<'t>) {
        match (self.stage, token.text) {
            (Stage::Routine | Stage::Event, "(") => self.parentheses += 1,
            (Stage::Routine | Stage::Event, ")") => {
                self.parentheses = self.parentheses.saturating_sub(1);
                if self.stage == Stage::Routine && self.parentheses == 0 {
                    self.enter(Place::Head);
                }
            }
            (Stage::Body, ";") => {
                // A `;` ends every expression.
                while self.frames.pop_if(|frame| *frame == Frame::Expression).is_some() {}
                self.place = Place::Start;
            }
            (Stage::Body, ":") if self.place == Place::Label => self.place = Place::Start,
            (Stage::Body, _) if self.place == Place::Start && token.kind != TokenKind::Symbol => {
                self.place = Place::Label;
            }
            (Stage::Body, _) if self.place != Place::Head => self.place = Place::Inside,
            (Stage::Begin | Stage::Block, _) => self.stage = Stage::Other,
            _ => {}
        }
    }

    fn body(&mut self, token: &Token<'t>, word: &str) {
        let begins = matches!(self.place, Place::Start | Place::Head);
        let top = self.frames.last().copied();
        match word {
            "END" => self.end(),
            "CASE" | "LOOP" if self.follows("END") => self.place = Place::Inside,
            "BEGIN" if begins || self.follows("AS") || self.follows("IS") => self.begin(token),
            "IF" | "CASE" | "WHILE" | "FOR" if begins => {
                self.push(Frame::Block, token.start);
                self.place = Place::Inside;
            }
            "LOOP" | "REPEAT" if begins => {
                self.push(Frame::Block, token.start);
                self.place = Place::Start;
            }
            "CASE" => {
                self.push(Frame::Expression, token.start);
                self.place = Place::Inside;
            }
            "PROCEDURE" | "FUNCTION" if top == Some(Frame::Package) => {
                self.member = Member::Pending;
                self.place = Place::Head;
            }
            "AS" | "IS" if top == Some(Frame::Package) => self.place = Place::Start,
            "UNTIL" if begins => {
                if let Some(top) = self.frames.last_mut() {
                    *top = Frame::Expression;
                }
                self.place = Place::Inside;
            }
            "THEN" | "DO" | "LOOP" if !begins && top == Some(Frame::Block) => {
                self.place = Place::Start;
            }
            "ELSE" | "NOT" | "ATOMIC" if begins => {}
            "FOR" if self.follows("HANDLER") => self.place = Place::Head,
            _ => self.step(word),
        }
    }

    /// Reads a word that neither opens nor closes a block.
    fn step(&mut self, word: &str) {
        self.place = match self.place {
            Place::Start => Place::Label,
            // `CHARACTER SET` and `RETURNS SET('a')` are types.
            Place::Head if self.follows("CHARACTER") || self.follows("RETURNS") => Place::Head,
            Place::Head if !SIMPLE.contains(&word) => Place::Head,
            _ => Place::Inside,
        };
    }

    fn begin(&mut self, token: &Token<'t>) {
        // The `BEGIN` of a package itself shares the package's `END`.
        if self.frames.last() != Some(&Frame::Package) || self.member == Member::Pending {
            self.push(Frame::Block, token.start);
        }
        self.member = Member::None;
        self.place = Place::Start;
    }

    fn end(&mut self) {
        match self.frames.last() {
            Some(Frame::Expression) => self.frames.pop(),
            Some(_) if self.place == Place::Start => self.frames.pop(),
            _ => None,
        };
        self.place = Place::Inside;
    }

    fn enter(&mut self, place: Place) {
        self.stage = Stage::Body;
        self.place = place;
    }

    fn push(&mut self, frame: Frame, start: usize) {
        if self.frames.is_empty() {
            self.at = start;
        }
        self.frames.push(frame);
    }

    fn follows(&self, word: &str) -> bool {
        self.previous.is_some_and(|previous| previous.is_word(word))
    }
}
