//! The compound statements of MySQL and MariaDB.

use crate::sql::token::{Token, TokenKind};

/// A statement of MySQL or MariaDB, and the blocks that are open in it.
#[derive(Default)]
pub(super) struct Routine<'t> {
    stage: RoutineStage,
    position: RoutinePosition,
    blocks: Vec<OpenBlock>,
    /// Where the outermost block opens.
    at: usize,
    parentheses: usize,
    previous: Option<Token<'t>>,
    /// Whether the next body belongs to a routine of a package.
    member: Member,
}

/// How much of the statement has been read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum RoutineStage {
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
enum RoutinePosition {
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
enum OpenBlock {
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
        (!self.blocks.is_empty()).then_some(self.at)
    }

    /// Whether the statement has no body.
    pub(super) fn is_other(&self) -> bool {
        matches!(self.stage, RoutineStage::Other)
    }

    pub(super) fn read(&mut self, token: &Token<'t>) {
        if self.is_other() {
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
            (RoutineStage::Begin, "CREATE" | "ALTER") => self.stage = RoutineStage::Create,
            (RoutineStage::Begin, "BEGIN") => self.stage = RoutineStage::Block,
            (RoutineStage::Begin, "IF" | "CASE" | "LOOP" | "WHILE" | "REPEAT" | "FOR") => {
                self.stage = RoutineStage::Body;
                self.body(token, word);
            }
            (RoutineStage::Block, "NOT") => {
                self.enter(RoutinePosition::Start);
                self.push(OpenBlock::Block, self.previous.map_or(token.start, |begin| begin.start));
            }
            (RoutineStage::Create, _) => self.create(token, word),
            (RoutineStage::Routine, "AS" | "IS") if self.parentheses == 0 => {
                self.enter(RoutinePosition::Head)
            }
            (RoutineStage::Trigger, "ROW") if self.follows("EACH") => {
                self.enter(RoutinePosition::Head)
            }
            (RoutineStage::Event, "DO") if self.parentheses == 0 => {
                self.enter(RoutinePosition::Head)
            }
            (RoutineStage::Routine | RoutineStage::Trigger | RoutineStage::Event, _) => {}
            (RoutineStage::Body, _) => self.body(token, word),
            (RoutineStage::Begin | RoutineStage::Block | RoutineStage::Other, _) => {
                self.stage = RoutineStage::Other
            }
        }
    }

    fn create(&mut self, token: &Token<'t>, word: &str) {
        let definer = self.previous.is_some_and(|previous| previous.is_symbol("="));
        match word {
            _ if definer => {}
            "OR" | "REPLACE" | "DEFINER" | "AGGREGATE" => {}
            "PROCEDURE" | "FUNCTION" => self.stage = RoutineStage::Routine,
            "TRIGGER" => self.stage = RoutineStage::Trigger,
            "EVENT" => self.stage = RoutineStage::Event,
            "PACKAGE" => {
                self.enter(RoutinePosition::Inside);
                self.push(OpenBlock::Package, token.start);
            }
            _ => self.stage = RoutineStage::Other,
        }
    }

    fn other(&mut self, token: &Token<'t>) {
        match (self.stage, token.text) {
            (RoutineStage::Routine | RoutineStage::Event, "(") => self.parentheses += 1,
            (RoutineStage::Routine | RoutineStage::Event, ")") => {
                self.parentheses = self.parentheses.saturating_sub(1);
                if self.stage == RoutineStage::Routine && self.parentheses == 0 {
                    self.enter(RoutinePosition::Head);
                }
            }
            (RoutineStage::Body, ";") => {
                // A `;` ends every expression.
                while self.blocks.pop_if(|block| *block == OpenBlock::Expression).is_some() {}
                self.position = RoutinePosition::Start;
            }
            (RoutineStage::Body, ":") if self.position == RoutinePosition::Label => {
                self.position = RoutinePosition::Start
            }
            (RoutineStage::Body, _)
                if self.position == RoutinePosition::Start && token.kind != TokenKind::Symbol =>
            {
                self.position = RoutinePosition::Label;
            }
            (RoutineStage::Body, _) if self.position != RoutinePosition::Head => {
                self.position = RoutinePosition::Inside
            }
            (RoutineStage::Begin | RoutineStage::Block, _) => self.stage = RoutineStage::Other,
            _ => {}
        }
    }

    fn body(&mut self, token: &Token<'t>, word: &str) {
        let begins = matches!(self.position, RoutinePosition::Start | RoutinePosition::Head);
        let top = self.blocks.last().copied();
        match word {
            "END" => self.end(),
            "CASE" | "LOOP" if self.follows("END") => self.position = RoutinePosition::Inside,
            "BEGIN" if begins || self.follows("AS") || self.follows("IS") => self.begin(token),
            "IF" | "CASE" | "WHILE" | "FOR" if begins => {
                self.push(OpenBlock::Block, token.start);
                self.position = RoutinePosition::Inside;
            }
            "LOOP" | "REPEAT" if begins => {
                self.push(OpenBlock::Block, token.start);
                self.position = RoutinePosition::Start;
            }
            "CASE" => {
                self.push(OpenBlock::Expression, token.start);
                self.position = RoutinePosition::Inside;
            }
            "PROCEDURE" | "FUNCTION" if top == Some(OpenBlock::Package) => {
                self.member = Member::Pending;
                self.position = RoutinePosition::Head;
            }
            "AS" | "IS" if top == Some(OpenBlock::Package) => {
                self.position = RoutinePosition::Start
            }
            "UNTIL" if begins => {
                if let Some(top) = self.blocks.last_mut() {
                    *top = OpenBlock::Expression;
                }
                self.position = RoutinePosition::Inside;
            }
            "THEN" | "DO" | "LOOP" if !begins && top == Some(OpenBlock::Block) => {
                self.position = RoutinePosition::Start;
            }
            "ELSE" | "NOT" | "ATOMIC" if begins => {}
            "FOR" if self.follows("HANDLER") => self.position = RoutinePosition::Head,
            _ => self.step(word),
        }
    }

    /// Reads a word that neither opens nor closes a block.
    fn step(&mut self, word: &str) {
        self.position = match self.position {
            RoutinePosition::Start => RoutinePosition::Label,
            // `CHARACTER SET` and `RETURNS SET('a')` are types.
            RoutinePosition::Head if self.follows("CHARACTER") || self.follows("RETURNS") => {
                RoutinePosition::Head
            }
            RoutinePosition::Head if !SIMPLE.contains(&word) => RoutinePosition::Head,
            _ => RoutinePosition::Inside,
        };
    }

    fn begin(&mut self, token: &Token<'t>) {
        // The `BEGIN` of a package itself shares the package's `END`.
        if self.blocks.last() != Some(&OpenBlock::Package) || self.member == Member::Pending {
            self.push(OpenBlock::Block, token.start);
        }
        self.member = Member::None;
        self.position = RoutinePosition::Start;
    }

    fn end(&mut self) {
        match self.blocks.last() {
            Some(OpenBlock::Expression) => self.blocks.pop(),
            Some(_) if self.position == RoutinePosition::Start => self.blocks.pop(),
            _ => None,
        };
        self.position = RoutinePosition::Inside;
    }

    fn enter(&mut self, position: RoutinePosition) {
        self.stage = RoutineStage::Body;
        self.position = position;
    }

    fn push(&mut self, frame: OpenBlock, start: usize) {
        if self.blocks.is_empty() {
            self.at = start;
        }
        self.blocks.push(frame);
    }

    fn follows(&self, word: &str) -> bool {
        self.previous.is_some_and(|previous| previous.is_word(word))
    }
}
