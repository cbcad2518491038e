//! Reads the tokens of a statement once.

use super::calls::{CallName, FunctionCall, is_call};
use super::head::{self, Head, Scope};
use super::session_effect::{SessionEffect, SessionUse};
use crate::sql::dialect::Dialect;
use crate::sql::token::{Token, TokenKind, keywords};

/// What the tokens of a statement have shown so far.
pub(super) struct Scan<'t> {
    effect: SessionEffect,
    reads: bool,
    dialect: Dialect,
    scope: Scope,
    first: String,
    depth: usize,
    /// The two tokens before this one, the last one first.
    before: [Option<Token<'t>>; 2],
    name: Option<CallName<'t>>,
    variable: Variable,
    expression: Expression,
    call: Option<FunctionCall>,
}

/// How far a user variable of MySQL has been read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Variable {
    None,
    /// After an `@` that follows no name.
    Mark,
    /// After the `@` of a target.
    Target,
    /// After the name of a variable, which is read unless `:=` follows.
    Name,
    /// After the `:` that follows such a name.
    Colon,
    /// After `@@`.
    System,
}

/// Whether the server evaluates the expression here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expression {
    Evaluated,
    /// The default of a column, for rows to come.
    Stored,
}

impl<'t> Scan<'t> {
    /// Walks over a statement.
    pub(super) fn of(tokens: &[Token<'t>], dialect: Dialect) -> Self {
        let first = keywords(tokens.iter().copied(), head::LENGTH);
        let words = first.iter().map(String::as_str).collect::<Vec<_>>();
        let Head { effect, scope } = Head::of(&words, dialect);
        let mut scan = Scan {
            effect,
            reads: false,
            dialect,
            scope,
            first: first.first().cloned().unwrap_or_default(),
            depth: 0,
            before: [None, None],
            name: None,
            variable: Variable::None,
            expression: Expression::Evaluated,
            call: None,
        };
        for token in tokens {
            if scope == Scope::Start && begins_body(token) {
                break;
            }
            scan.read(*token);
        }
        scan.finish_variable();
        scan
    }

    pub(super) fn session_use(&self) -> SessionUse {
        SessionUse { effect: self.effect, reads: self.reads }
    }

    fn read(&mut self, token: Token<'t>) {
        self.temporary(&token);
        match self.scope {
            Scope::All => self.evaluate(token),
            Scope::Query if self.begins_query(&token) => {
                self.scope = Scope::All;
                if !token.is_word("OF") {
                    self.leave(SessionEffect::Code);
                }
            }
            Scope::Query | Scope::Names | Scope::Start => {}
        }
        match token.text {
            "(" => self.depth += 1,
            ")" => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.name = CallName::after(self.name.take(), self.last(), &token);
        self.before = [Some(token), self.last()];
    }

    fn evaluate(&mut self, token: Token<'t>) {
        self.stored(&token);
        self.argument(&token);
        if self.dialect == Dialect::MySql {
            self.variable(&token);
        }
        if token.is_symbol("(") && self.expression == Expression::Evaluated {
            self.call();
        }
        self.into(&token);
        self.next_value(&token);
    }

    fn leave(&mut self, effect: SessionEffect) {
        self.effect = self.effect.max(effect);
    }

    fn last(&self) -> Option<Token<'t>> {
        let [last, _] = self.before;
        last
    }

    fn follows(&self, word: &str) -> bool {
        self.last().is_some_and(|last| last.is_word(word))
    }

    /// A `.` after the name of the schema of temporary objects.
    fn temporary(&mut self, token: &Token<'t>) {
        let Some(last) = self.last().filter(|_| token.is_symbol(".")) else { return };
        let name = last.text.trim_matches(['"', '`', '[', ']']).to_ascii_lowercase();
        let temporary = match self.dialect {
            Dialect::Postgres => name == "pg_temp" || name.starts_with("pg_temp_"),
            Dialect::Sqlite => name == "temp",
            Dialect::MySql => false,
        };
        if temporary {
            self.leave(SessionEffect::Object);
        }
    }

    /// Whether a CREATE TABLE goes on with a query, or with the bounds of a partition.
    fn begins_query(&self, token: &Token<'t>) -> bool {
        (token.is_word("AS") && self.depth == 0)
            || (token.is_word("SELECT") && !self.last().is_some_and(|last| last.is_symbol(".")))
            || (token.is_word("OF") && self.follows("PARTITION"))
    }

    /// `SET DEFAULT` stores an expression, which no row of this statement needs.
    fn stored(&mut self, token: &Token<'t>) {
        if token.is_word("DEFAULT") && self.follows("SET") && self.first == "ALTER" {
            self.expression = Expression::Stored;
        } else if token.is_symbol(",") && self.depth == 0 {
            self.expression = Expression::Evaluated;
        }
    }

    fn call(&mut self) {
        let Some(name) = &self.name else { return };
        // The table and the kind of an index.
        if self.first == "CREATE" && self.depth == 0 && name.follows(&["ON", "USING"]) {
            return;
        }
        self.call = is_call(name, self.dialect);
        match self.call {
            None | Some(FunctionCall::Harmless) => {}
            Some(FunctionCall::Leaves(effect)) => self.leave(effect),
            Some(FunctionCall::Reads) => self.reads = true,
            // The next token shows whether the call has an argument.
            Some(FunctionCall::LastInsertId) => self.reads = true,
        }
    }

    /// `LAST_INSERT_ID(7)` sets what `LAST_INSERT_ID()` reads.
    fn argument(&mut self, token: &Token<'t>) {
        if self.call.take() == Some(FunctionCall::LastInsertId) && !token.is_symbol(")") {
            self.leave(SessionEffect::Code);
        }
    }

    /// `SELECT … INTO` makes a table in PostgreSQL.
    fn into(&mut self, token: &Token<'t>) {
        if self.dialect != Dialect::Postgres
            || !matches!(self.first.as_str(), "SELECT" | "WITH" | "(" | "EXPLAIN")
        {
            return;
        }
        let [_, verb] = self.before;
        let rows = verb.is_some_and(|verb| verb.is_word("INSERT") || verb.is_word("MERGE"));
        if self.follows("INTO") && !rows {
            let temporary = ["TEMP", "TEMPORARY", "LOCAL", "GLOBAL"];
            self.leave(if token.is_any_word(&temporary) {
                SessionEffect::Object
            } else {
                SessionEffect::Code
            });
        }
    }

    /// `NEXT VALUE FOR` and `PREVIOUS VALUE FOR` of MariaDB.
    fn next_value(&mut self, token: &Token<'t>) {
        let [Some(last), Some(first)] = self.before else { return };
        if self.dialect != Dialect::MySql || !token.is_word("FOR") || !last.is_word("VALUE") {
            return;
        }
        if first.is_word("NEXT") {
            self.leave(SessionEffect::Code);
        } else if first.is_word("PREVIOUS") {
            self.reads = true;
        }
    }

    /// A variable `@x` of MySQL: read, or written to.
    fn variable(&mut self, token: &Token<'t>) {
        match (self.variable, token.text) {
            (Variable::Mark, "@") => self.variable = Variable::System,
            (Variable::Mark, _) => self.variable = Variable::Name,
            (Variable::Target, "@") => self.variable = Variable::System,
            (Variable::Target, _) => {
                self.variable = Variable::None;
                self.leave(SessionEffect::Object);
                // A procedure can also read its argument.
                self.reads |= self.first == "CALL";
            }
            (Variable::System, ".") => {}
            (Variable::System, _) if token.is_word("SESSION") || token.is_word("LOCAL") => {}
            (Variable::System, _) => {
                let reads = ["IDENTITY", "LAST_INSERT_ID", "WARNING_COUNT", "ERROR_COUNT"];
                self.reads |= reads.iter().any(|name| token.is_word(name)) && self.first != "SET";
                self.variable = Variable::None;
            }
            (Variable::Name, ":") => self.variable = Variable::Colon,
            // A name such as `@a.b` goes on.
            (Variable::Name, ".") => self.variable = Variable::Mark,
            (Variable::Colon, "=") => {
                self.variable = Variable::None;
                self.leave(SessionEffect::Object);
            }
            (Variable::Name | Variable::Colon, _) => {
                self.finish_variable();
                self.begin_variable(token);
            }
            (Variable::None, _) => self.begin_variable(token),
        }
    }

    fn finish_variable(&mut self) {
        self.reads |= matches!(self.variable, Variable::Name | Variable::Colon);
        self.variable = Variable::None;
    }

    fn begin_variable(&mut self, token: &Token<'t>) {
        if !token.is_symbol("@") {
            return;
        }
        let last = self.last();
        // `root@localhost` is an account.
        let account = last.is_some_and(|last| {
            last.end() == token.start && matches!(last.kind, TokenKind::Word | TokenKind::Quoted)
        });
        let listed = last.is_some_and(|last| last.is_symbol(","));
        let target = match self.first.as_str() {
            "SET" => self.depth == 0 && (self.follows("SET") || listed),
            "CALL" | "LOAD" | "GET" => true,
            _ => self.follows("INTO"),
        };
        self.variable = match (account, target) {
            (true, _) => Variable::None,
            (false, true) => Variable::Target,
            (false, false) => Variable::Mark,
        };
    }
}

/// Whether the head of a routine, a trigger or a view ends here.
fn begins_body(token: &Token<'_>) -> bool {
    token.is_symbol("(") || token.is_any_word(&["AS", "BEGIN", "DO", "FOR"])
}
