//! The settings of MySQL and MariaDB that change how the statements after them are read.

use std::collections::HashMap;

use crate::sql::dialect::Syntax;
use crate::sql::token::{Token, TokenKind};

/// Follows `sql_mode` through a text.
#[derive(Clone, Debug)]
pub(crate) struct Modes {
    /// The syntax at the beginning of the text.
    first: Syntax,
    now: Syntax,
    /// The user variables that were written to, with the syntax for those that hold `@@sql_mode`.
    saved: HashMap<String, Option<Syntax>>,
}

/// Why the syntax after a statement is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unclear {
    /// `sql_mode` has a value that the text does not show.
    Value,
    /// The mode changes inside a text of several statements, which was cut with one syntax.
    Joined,
}

/// The modes that hold `ANSI_QUOTES`.
const ANSI: [&str; 7] = ["ANSI", "ANSI_QUOTES", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL"];

impl Modes {
    pub(crate) fn of(syntax: Syntax) -> Self {
        Modes { first: syntax, now: syntax, saved: HashMap::new() }
    }

    /// Whether a single statement can change the syntax or a variable that holds a mode.
    pub(crate) fn may_change(sql: &str, first: Option<Token<'_>>) -> bool {
        first.is_some_and(|first| first.is_word("SET")) || sql.contains('@')
    }

    /// The syntax of what follows these statements, which were cut with one syntax.
    pub(crate) fn after(&mut self, parts: &[Vec<Token<'_>>]) -> Result<Syntax, Unclear> {
        let before = self.now;
        for part in parts {
            self.part(part)?;
        }
        if parts.len() > 1 && self.now != before { Err(Unclear::Joined) } else { Ok(self.now) }
    }

    fn part(&mut self, tokens: &[Token<'_>]) -> Result<(), Unclear> {
        let Some((first, rest)) = tokens.split_first() else { return Ok(()) };
        if !first.is_word("SET") {
            self.forget(tokens);
            return Ok(());
        }
        let mut scope = SetScope::Session;
        for assignment in assignments(rest) {
            self.assign(assignment, &mut scope)?;
        }
        Ok(())
    }

    /// A statement that names a variable may write to it.
    fn forget(&mut self, tokens: &[Token<'_>]) {
        for (at, token) in tokens.iter().enumerate() {
            if token.is_symbol("@") && matches!(tokens.get(at + 1), Some(it) if !it.is_symbol("@"))
            {
                let name = variable(tokens.get(at + 1..).unwrap_or_default());
                self.saved.entry(name).or_insert(None);
            }
        }
    }

    fn assign(&mut self, tokens: &[Token<'_>], scope: &mut SetScope) -> Result<(), Unclear> {
        let Some(at) = tokens.iter().position(|token| token.is_symbol("=")) else { return Ok(()) };
        let (target, value) = (tokens.get(..at), tokens.get(at + 1..));
        let (Some(target), Some(value)) = (target, value) else { return Ok(()) };
        let target = match target.split_last() {
            Some((last, target)) if last.is_symbol(":") => target,
            _ => target,
        };
        match target {
            [at, name @ ..] if at.is_symbol("@") && !begins_with(name, "@") => {
                let value = self.value(value).ok();
                self.saved.insert(variable(name), value.filter(|_| reads_mode(tokens)));
                Ok(())
            }
            _ if scope.sets_mode(target) => {
                self.now = self.value(value)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The syntax under a value of `sql_mode`.
    fn value(&self, tokens: &[Token<'_>]) -> Result<Syntax, Unclear> {
        match tokens {
            [word] if word.is_word("DEFAULT") => Ok(self.first),
            [modes] if matches!(modes.kind, TokenKind::Word | TokenKind::Quoted) => {
                Ok(self.literal(modes.text))
            }
            [zero] if zero.text == "0" => Ok(self.literal("")),
            [at, second, name @ ..] if at.is_symbol("@") && second.is_symbol("@") => {
                match system(name).as_str() {
                    "sql_mode" | "session.sql_mode" | "local.sql_mode" => Ok(self.now),
                    "global.sql_mode" => Ok(self.first),
                    _ => Err(Unclear::Value),
                }
            }
            // A variable that was never written to is NULL, which the server refuses.
            [at, name @ ..] if at.is_symbol("@") && is_name(name) => self
                .saved
                .get(&variable(name))
                .copied()
                .unwrap_or(Some(self.first))
                .ok_or(Unclear::Value),
            _ => Err(Unclear::Value),
        }
    }

    fn literal(&self, text: &str) -> Syntax {
        let text = text.trim_matches(['\'', '"', '`']).to_ascii_uppercase();
        let has = |names: &[&str]| text.split(',').any(|mode| names.contains(&mode.trim()));
        Syntax {
            ansi_quotes: has(&ANSI),
            backslash_escapes: !has(&["NO_BACKSLASH_ESCAPES"]),
            ..self.now
        }
    }
}

/// The scope of an assignment in a SET. An assignment that names no scope has the scope of the one before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SetScope {
    Session,
    Server,
}

impl SetScope {
    /// Whether the target of an assignment is the `sql_mode` of this session.
    fn sets_mode(&mut self, target: &[Token<'_>]) -> bool {
        let target = match target {
            [scope, rest @ ..] if !rest.is_empty() && scope.kind == TokenKind::Word => {
                let is_session = scope.is_word("SESSION") || scope.is_word("LOCAL");
                *self = if is_session { SetScope::Session } else { SetScope::Server };
                rest
            }
            _ => target,
        };
        match target {
            [name] => *self == SetScope::Session && system(&[*name]) == "sql_mode",
            [_, second, name @ ..] if second.is_symbol("@") => {
                matches!(system(name).as_str(), "sql_mode" | "session.sql_mode" | "local.sql_mode")
            }
            _ => false,
        }
    }
}

/// The assignments of a SET, cut at the commas outside of parentheses.
fn assignments<'t, 'a>(tokens: &'a [Token<'t>]) -> impl Iterator<Item = &'a [Token<'t>]> {
    let mut depth = 0_usize;
    tokens.split(move |token| {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.is_symbol(",")
    })
}

fn begins_with(tokens: &[Token<'_>], symbol: &str) -> bool {
    tokens.first().is_some_and(|token| token.is_symbol(symbol))
}

/// Whether an assignment holds `@@sql_mode` and nothing else.
fn reads_mode(tokens: &[Token<'_>]) -> bool {
    matches!(tokens, [.., name] if system(&[*name]) == "sql_mode")
}

/// Whether tokens are one name, such as `a` or `a.b`.
fn is_name(tokens: &[Token<'_>]) -> bool {
    !tokens.is_empty()
        && tokens.iter().all(|token| token.kind != TokenKind::Symbol || token.text == ".")
}

/// The name of a system variable, with its scope.
fn system(tokens: &[Token<'_>]) -> String {
    let text = tokens.iter().map(|token| token.text.trim_matches('`')).collect::<String>();
    text.to_ascii_lowercase()
}

/// The name of a user variable that these tokens begin with.
fn variable(tokens: &[Token<'_>]) -> String {
    let mut end = None;
    let name = tokens.iter().take_while(|token| {
        let joined = end.is_none_or(|end| end == token.start);
        end = Some(token.end());
        joined && (token.kind != TokenKind::Symbol || token.text == ".")
    });
    name.map(|token| token.text.trim_matches(['`', '\'', '"'])).collect::<String>().to_lowercase()
}
