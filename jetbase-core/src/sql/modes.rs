//! The settings of MySQL and MariaDB that change how the statements behind them are read.

use std::collections::HashMap;

use crate::sql::dialect::{Dialect, Syntax};
use crate::sql::statements::parts;
use crate::sql::token::{Token, TokenKind, code};

/// Follows `sql_mode` through a text.
#[derive(Clone, Debug)]
pub(crate) struct Modes {
    /// The syntax at the beginning of the text.
    first: Syntax,
    now: Syntax,
    /// The user variables that were written to; with the syntax, if they hold `@@sql_mode`.
    saved: HashMap<String, Option<Syntax>>,
}

/// Why the syntax behind a statement is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unclear {
    /// `sql_mode` has a value that the text does not show.
    Value,
    /// Statements that another delimiter joins were cut with one syntax.
    Joined,
}

/// The modes that hold `ANSI_QUOTES`.
const ANSI: [&str; 7] = ["ANSI", "ANSI_QUOTES", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL"];

impl Modes {
    pub(crate) fn of(syntax: Syntax) -> Self {
        Modes { first: syntax, now: syntax, saved: HashMap::new() }
    }

    /// The syntax of what follows a statement.
    pub(crate) fn after(&mut self, sql: &str) -> Result<Syntax, Unclear> {
        if self.now.dialect != Dialect::MySql {
            return Ok(self.now);
        }
        let sets = |sql| code(sql, self.now).next().is_some_and(|first| first.is_word("SET"));
        if !sql.contains('@') && !sql.contains(';') && !sets(sql) {
            return Ok(self.now);
        }
        let before = self.now;
        let parts = parts(sql, before);
        for part in &parts {
            self.statement(part)?;
        }
        match parts.len() > 1 && self.now != before {
            true => Err(Unclear::Joined),
            false => Ok(self.now),
        }
    }

    fn statement(&mut self, sql: &str) -> Result<(), Unclear> {
        let tokens: Vec<_> = code(sql, self.now).collect();
        let Some((first, rest)) = tokens.split_first() else { return Ok(()) };
        if !first.is_word("SET") {
            self.forget(&tokens);
            return Ok(());
        }
        let mut scope = Scope::Session;
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

    fn assign(&mut self, tokens: &[Token<'_>], scope: &mut Scope) -> Result<(), Unclear> {
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

/// Whom a SET without a scope of its own concerns: as the assignment before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Session,
    Server,
}

impl Scope {
    /// Whether the target of an assignment is the `sql_mode` of this session.
    fn sets_mode(&mut self, target: &[Token<'_>]) -> bool {
        let target = match target {
            [scope, rest @ ..] if !rest.is_empty() && scope.kind == TokenKind::Word => {
                *self = match () {
                    () if scope.is_word("SESSION") || scope.is_word("LOCAL") => Scope::Session,
                    () => Scope::Server,
                };
                rest
            }
            _ => target,
        };
        match target {
            [name] => *self == Scope::Session && system(&[*name]) == "sql_mode",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn follow(statements: &[&str]) -> Result<(bool, bool), Unclear> {
        let mut modes = Modes::of(Syntax::of(Dialect::MySql));
        let mut syntax = Syntax::of(Dialect::MySql);
        for sql in statements {
            syntax = modes.after(sql)?;
        }
        Ok((syntax.ansi_quotes, syntax.backslash_escapes))
    }

    #[test]
    fn literals_are_followed() {
        for sql in [
            "SET sql_mode = 'ANSI_QUOTES'",
            "SET SESSION sql_mode = \"STRICT_ALL_TABLES,ansi\"",
            "set @@sql_mode := 'ORACLE'",
            "SET @@SESSION.sql_mode = ANSI_QUOTES",
            "SET @@local.`sql_mode` = 'DB2'",
            "/*!40101 SET a = 1, SQL_MODE='ANSI' */",
            "SET GLOBAL a = 1, SESSION sql_mode = 'ANSI'",
            "SET LOCAL b = f(1, 2), sql_mode = 'ANSI'",
        ] {
            assert_eq!(follow(&[sql]), Ok((true, true)), "{sql}");
        }
        for sql in
            ["SET sql_mode = 'NO_BACKSLASH_ESCAPES'", "SET x=1, sql_mode=NO_BACKSLASH_ESCAPES"]
        {
            assert_eq!(follow(&[sql]), Ok((false, false)), "{sql}");
        }
        for sql in [
            "SET sql_mode = ''",
            "SET sql_mode = 0",
            "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
            "SET sql_mode = @@sql_mode",
            "SET GLOBAL sql_mode = 'ANSI_QUOTES'",
            "SET GLOBAL a = 1, sql_mode = 'ANSI_QUOTES'",
            "SET PERSIST sql_mode = concat('a')",
            "SET @@global.sql_mode = 'ANSI_QUOTES'",
            "SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR SELECT 1",
            "SET @sql_mode = 'ANSI_QUOTES'",
            "SELECT 1; SET sql_mode = ''; SET @x = 1",
            "SELECT 'SET sql_mode = ''ANSI_QUOTES'''",
            "CREATE PROCEDURE p() BEGIN SET sql_mode = 'ANSI_QUOTES'; END",
        ] {
            assert_eq!(follow(&[sql]), Ok((false, true)), "{sql}");
        }
    }

    #[test]
    fn variables_give_back_what_they_hold() {
        let ansi = "SET sql_mode = 'ANSI_QUOTES'";
        for (statements, ansi_quotes) in [
            (vec!["SET @OLD=@@SQL_MODE, SQL_MODE='ANSI'", "SET SQL_MODE=@old"], false),
            (vec![ansi, "SET @a = @@sql_mode", "SET sql_mode = ''", "SET sql_mode = @`a`"], true),
            (vec![ansi, "SET sql_mode = DEFAULT"], false),
            (vec![ansi, "SET sql_mode = @@global.sql_mode"], false),
            (vec![ansi, "SET sql_mode = @never"], false),
            (vec!["SET @a.b = @@session.sql_mode", ansi, "SET sql_mode = @a.b"], false),
        ] {
            assert_eq!(follow(&statements), Ok((ansi_quotes, true)), "{statements:?}");
        }
    }

    #[test]
    fn what_the_text_does_not_show_is_refused() {
        for statements in [
            vec!["SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')"],
            vec!["SET sql_mode = (SELECT 'ANSI_QUOTES')"],
            vec!["SET sql_mode = 4"],
            vec!["SET @@session.sql_mode = @@x"],
            vec!["SET @a = 'ANSI_QUOTES'", "SET sql_mode = @a"],
            vec!["SELECT 'ANSI_QUOTES' INTO @a", "SET sql_mode = @A"],
            vec!["SELECT @a := 'ANSI_QUOTES'", "/*!40101 SET sql_mode = @a */"],
            vec!["SET @a = concat(@@sql_mode, 'x')", "SET sql_mode = @a"],
        ] {
            assert_eq!(follow(&statements), Err(Unclear::Value), "{statements:?}");
        }
        let joined = ["SET sql_mode = 'ANSI_QUOTES'; SELECT 1"];
        assert_eq!(follow(&joined), Err(Unclear::Joined));
    }
}
