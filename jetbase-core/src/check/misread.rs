//! Settings that make the server read a file differently from the lexer.

use crate::check::rules::Explanation;
use crate::sql::{Dialect, Lexeme, Statement, Syntax, Token, TokenKind};

/// A setting that must not stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misread {
    /// `standard_conforming_strings` of PostgreSQL, with another value than the server has.
    Strings,
    /// A character set of MySQL in which a later byte of a character can be a quote or a backslash.
    Charset,
}

const STRINGS: &str = "standard_conforming_strings";

/// Whether a token of a statement has the length of a name. Few have the length of a long one.
fn may_be_named(statement: &Statement<'_>, name: &str) -> bool {
    let (least, most) = (name.len(), name.len() + QUOTES);
    let mut rest = statement.lexemes.as_slice();
    while let [Lexeme { start, end, .. }, after @ ..] = rest {
        let length = *end - *start;
        if least <= length && length <= most {
            return true;
        }
        rest = after;
    }
    false
}

/// The length of the quotes of a name: `E'…'` or `$$…$$`.
const QUOTES: usize = 4;

/// The character sets whose characters may end with an ASCII byte.
const CHARSETS: [&str; 5] = ["big5", "cp932", "gb18030", "gbk", "sjis"];

/// Whether a statement sets such a setting.
pub(crate) fn misread(statement: &Statement<'_>) -> Option<Misread> {
    let syntax = statement.syntax;
    match syntax.dialect {
        Dialect::Postgres if may_be_named(statement, STRINGS) => statement
            .parts()
            .any(|part| strings(&part.to_vec(), syntax))
            .then_some(Misread::Strings),
        Dialect::MySql if statement.count() > 1 || statement.first()?.is_word("SET") => {
            statement.parts().any(|part| charset(&part.to_vec())).then_some(Misread::Charset)
        }
        Dialect::Postgres | Dialect::MySql => None,
        Dialect::Sqlite => None,
    }
}

fn strings(tokens: &[Token<'_>], syntax: Syntax) -> bool {
    match tokens {
        [set, rest @ ..] if set.is_word("SET") => {
            let rest = match rest {
                [scope, rest @ ..] if scope.is_any_word(&["LOCAL", "SESSION"]) => rest,
                rest => rest,
            };
            let [name, _, value @ ..] = rest else { return false };
            is_strings(name) && !is_kept(value, syntax)
        }
        [update, ..] if update.is_word("UPDATE") => {
            tokens.iter().any(|token| token.is_word("pg_settings")) && tokens.iter().any(is_strings)
        }
        _ => calls_set_config(tokens, syntax),
    }
}

fn calls_set_config(tokens: &[Token<'_>], syntax: Syntax) -> bool {
    let mut rest = tokens;
    while let [function, arguments @ ..] = rest {
        if let [open, setting, comma, value @ ..] = arguments
            && matches!(open.text.as_bytes(), [b'('])
            && is_named(function, "set_config")
            && is_strings(setting)
            && comma.is_symbol(",")
            && !is_kept(first_argument(value), syntax)
        {
            return true;
        }
        rest = arguments;
    }
    false
}

/// The tokens of an argument, up to its comma.
fn first_argument<'a, 't>(tokens: &'a [Token<'t>]) -> &'a [Token<'t>] {
    tokens.split(|token| token.is_symbol(",")).next().unwrap_or_default()
}

fn is_strings(token: &Token<'_>) -> bool {
    is_named(token, STRINGS)
}

/// Whether a token is this name, or a string with this text.
fn is_named(token: &Token<'_>, name: &str) -> bool {
    unquoted(token).eq_ignore_ascii_case(name)
}

/// A name or the text of a string, without its quotes; empty for other tokens.
fn unquoted<'t>(token: &Token<'t>) -> &'t str {
    if !matches!(token.kind, TokenKind::Word | TokenKind::Quoted | TokenKind::DollarQuoted) {
        return "";
    }
    let text = token.text.strip_prefix(['E', 'e', 'N', 'n']).filter(|it| it.starts_with('\''));
    text.unwrap_or(token.text).trim_matches(['\'', '"', '$'])
}

/// Whether a value leaves the setting as it is.
fn is_kept(value: &[Token<'_>], syntax: Syntax) -> bool {
    let [value] = value else { return false };
    let on = ["on", "true", "yes", "1", "t", "y"];
    let off = ["off", "false", "no", "0", "f", "n"];
    let text = if value.kind == TokenKind::Number { value.text } else { unquoted(value) };
    match text.to_ascii_lowercase().as_str() {
        "default" => value.kind == TokenKind::Word,
        text if syntax.backslash_escapes => off.contains(&text),
        text => on.contains(&text),
    }
}

fn charset(tokens: &[Token<'_>]) -> bool {
    let [set, rest @ ..] = tokens else { return false };
    let clients = ["NAMES", "SET", "CHARSET", "character_set_client"];
    set.is_word("SET")
        && rest.windows(2).any(|pair| match pair {
            [before, value] => {
                let target = before.is_any_word(&clients) || before.is_symbol("=");
                target && CHARSETS.contains(&unquoted(value).to_ascii_lowercase().as_str())
            }
            _ => false,
        })
}

impl Misread {
    /// The rule, what is wrong, and what to do.
    pub(crate) fn explain(self) -> Explanation {
        match self {
            Misread::Strings => (
                "standard-conforming-strings",
                "this changes how the server reads strings, but jetbase has already split the file into statements",
                "delete the statement, and write strings with backslashes as E'…'",
            ),
            Misread::Charset => (
                "charset",
                "the server would read the statements after this one in another character set, but the file is UTF-8",
                "delete the statement: jetbase sends UTF-8, and the server converts it",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::statement;

    fn misread(sql: &str, syntax: Syntax) -> Option<Misread> {
        super::misread(&statement(sql, syntax).unwrap())
    }

    #[test]
    fn strings_of_postgres_keep_their_meaning() {
        let on = Syntax::of(Dialect::Postgres);
        let off = Syntax { backslash_escapes: true, ..on };
        for sql in [
            "SET standard_conforming_strings = on",
            "set local STANDARD_conforming_strings to 'on'",
            "SET SESSION standard_conforming_strings = true",
            "SELECT pg_catalog.set_config('standard_conforming_strings', 'on', false)",
            "SET standard_conforming_strings = 1",
        ] {
            assert_eq!(misread(sql, on), None, "{sql}");
            assert_eq!(misread(sql, off), Some(Misread::Strings), "{sql}");
        }
        for sql in [
            "SET standard_conforming_strings = off",
            "SET \"standard_conforming_strings\" TO 'off'",
            "/* a */ SET LOCAL standard_conforming_strings = no",
            "SELECT 1; SET standard_conforming_strings = 0",
            "SELECT 1, set_config(E'Standard_conforming_strings', 'off', true) FROM t",
            "INSERT INTO t SELECT set_config($$standard_conforming_strings$$, 'f', true)",
        ] {
            assert_eq!(misread(sql, on), Some(Misread::Strings), "{sql}");
            assert_eq!(misread(sql, off), None, "{sql}");
        }
        for sql in [
            "SELECT set_config('standard_conforming_strings', v, true) FROM t",
            "SELECT set_config('standard_conforming_strings', 'o' || 'n', true)",
            "UPDATE pg_settings SET setting = 'on' WHERE name = 'standard_conforming_strings'",
        ] {
            assert_eq!(misread(sql, on), Some(Misread::Strings), "{sql}");
        }
        for sql in [
            "SET standard_conforming_strings = DEFAULT",
            "RESET standard_conforming_strings",
            "SHOW standard_conforming_strings",
            "SELECT current_setting('standard_conforming_strings')",
            "INSERT INTO t VALUES ('SET standard_conforming_strings = off')",
            "ALTER ROLE a SET standard_conforming_strings = off",
        ] {
            assert_eq!((misread(sql, on), misread(sql, off)), (None, None), "{sql}");
        }
    }

    #[test]
    fn character_sets_of_mysql_that_hide_quotes_are_seen() {
        let mysql = Syntax::of(Dialect::MySql);
        for sql in [
            "SET NAMES gbk",
            "set names 'SJIS' COLLATE sjis_bin",
            "/*!40101 SET NAMES big5 */",
            "SET CHARACTER SET cp932",
            "SET CHARSET gb18030",
            "SET @a = 1, character_set_client = gbk",
            "SET @@session.character_set_client := 'gbk'",
        ] {
            assert_eq!(misread(sql, mysql), Some(Misread::Charset), "{sql}");
        }
        for sql in [
            "SET NAMES utf8mb4",
            "SET NAMES latin1",
            "SELECT 'SET NAMES gbk'",
            "CREATE TABLE t (a TEXT CHARACTER SET gbk)",
        ] {
            assert_eq!(misread(sql, mysql), None, "{sql}");
        }
    }
}
