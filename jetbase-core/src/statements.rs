//! Cuts the text of a migration into statements.

mod body;
mod delimiter;
mod routine;

use std::error::Error;
use std::fmt;

use self::body::Body;
use self::delimiter::{Delimiter, client_command};
use crate::dialect::{Dialect, Syntax};
use crate::modes::Modes;
use crate::server::Runs;
use crate::token::{Token, TokenKind, Tokens, dollar_tag, skipped_comment, tokens};

/// A statement with the comments before it and the delimiter behind it; the
/// pieces of a text, joined, are the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'t> {
    /// The text of the piece.
    pub text: &'t str,
    /// The byte offset of the piece in the text.
    pub start: usize,
    /// The statement, unless the piece holds comments or a `DELIMITER` line only.
    pub statement: Option<Statement<'t>>,
}

/// A statement, from its first to its last token, without its delimiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'t> {
    /// The SQL to run.
    pub sql: &'t str,
    /// The byte offset of the SQL in the text.
    pub start: usize,
    /// False for a last statement that no delimiter ends.
    pub terminated: bool,
    /// How the server reads it: a `SET sql_mode` before it may have changed the syntax.
    pub syntax: Syntax,
}

/// A text that cannot be cut, as something in it is never closed, or can be read in two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutError {
    /// The byte offset where it opens.
    pub at: usize,
    /// What is open.
    pub open: Open,
}

/// What the end of a text can leave open, or the text itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Open {
    /// A quoted string.
    String,
    /// A quoted identifier.
    Identifier,
    /// A comment, or code in a comment of MySQL.
    Comment,
    /// A dollar-quoted string, with its tag such as `$fn$`.
    DollarQuote(String),
    /// A parenthesis of PostgreSQL, where no `;` ends a statement, or in a variable of SQLite.
    Parenthesis,
    /// The body of a trigger or routine, or a block in it.
    Body,
    /// A comment that some servers run as code, and others skip to another end.
    Versions,
    /// The syntax of what follows: `sql_mode` is set to a value that the text does not show.
    SqlMode,
}

impl fmt::Display for CutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.open {
            Open::String => f.write_str("this string is never closed"),
            Open::Identifier => f.write_str("this quoted identifier is never closed"),
            Open::Comment => f.write_str("this comment is never closed"),
            Open::DollarQuote(tag) => write!(f, "the dollar quote {tag} is never closed"),
            Open::Parenthesis => f.write_str("this parenthesis is never closed"),
            Open::Body => f.write_str("this block is never closed by its END"),
            Open::Versions => {
                f.write_str("servers of different versions read this comment differently")
            }
            Open::SqlMode => {
                f.write_str("this sets sql_mode to a value that the text does not show")
            }
        }
    }
}

impl Error for CutError {}

/// Cuts a text into its statements.
///
/// # Errors
///
/// A string, comment, dollar quote, body or parenthesis that is never closed.
pub fn cut<'t>(
    text: &'t str,
    delimiter: &str,
    syntax: Syntax,
) -> Result<Vec<Statement<'t>>, CutError> {
    let pieces = pieces(text, delimiter, syntax)?;
    Ok(pieces.into_iter().filter_map(|piece| piece.statement).collect())
}

/// The statements in a text that another delimiter than `;` may have cut out.
pub(crate) fn parts(sql: &str, syntax: Syntax) -> Vec<&str> {
    if !sql.contains(';') {
        return vec![sql];
    }
    let mut cutter = Cutter::of(sql, ";", syntax);
    match cutter.run() {
        Ok(()) => cutter.pieces.iter().filter_map(|it| Some(it.statement?.sql)).collect(),
        Err(_) => vec![sql],
    }
}

/// Cuts a text into pieces, each with one statement or none.
///
/// The delimiter `;` ends a statement wherever it stands outside quotes,
/// comments and bodies. Any other delimiter counts as the last thing on its
/// line only, and then `;` is part of the statements. In MySQL, `DELIMITER`
/// lines change the delimiter as in the `mysql` client.
///
/// # Errors
///
/// A string, comment, dollar quote, body or parenthesis that is never closed.
pub fn pieces<'t>(
    text: &'t str,
    delimiter: &str,
    syntax: Syntax,
) -> Result<Vec<Piece<'t>>, CutError> {
    Ok(Cutter::cut(text, delimiter, syntax)?.pieces)
}

/// Where the first comment opens in whose code a statement ends: the server goes on behind
/// that statement, and no piece shows it.
pub(crate) fn hidden(text: &str, delimiter: &str, syntax: Syntax) -> Option<usize> {
    Cutter::cut(text, delimiter, syntax).ok()?.hidden
}

struct Cutter<'t> {
    text: &'t str,
    syntax: Syntax,
    /// What a `SET sql_mode` changes; nothing, where statements are only counted.
    modes: Option<Modes>,
    tokens: Tokens<'t>,
    delimiter: Delimiter,
    body: Body<'t>,
    /// The comment of MySQL whose code is read.
    code: Option<Code>,
    /// Where the first comment opens that not every server runs.
    differs: Option<usize>,
    /// Where the first comment opens in whose code a statement ends.
    hidden: Option<usize>,
    /// Where the piece begins.
    begin: usize,
    /// Where the statement of the piece begins and ends so far.
    sql: Option<(usize, usize)>,
    pieces: Vec<Piece<'t>>,
}

/// A comment of MySQL whose code is read.
#[derive(Clone, Copy)]
struct Code {
    start: usize,
    /// Where it ends for a server that skips it, when there can be one.
    skipped: Option<usize>,
}

/// Whether a delimiter ends the piece.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    ByDelimiter,
    ByText,
}

impl<'t> Cutter<'t> {
    fn of(text: &'t str, delimiter: &str, syntax: Syntax) -> Self {
        let delimiter = Delimiter::of_file(delimiter);
        Cutter {
            text,
            syntax,
            modes: None,
            tokens: tokens(text, syntax),
            body: Body::new(&delimiter, syntax.dialect),
            delimiter,
            code: None,
            differs: None,
            hidden: None,
            begin: 0,
            sql: None,
            pieces: Vec::new(),
        }
    }

    fn following(text: &'t str, delimiter: &str, syntax: Syntax) -> Self {
        Cutter { modes: Some(Modes::of(syntax)), ..Cutter::of(text, delimiter, syntax) }
    }

    fn cut(text: &'t str, delimiter: &str, syntax: Syntax) -> Result<Self, CutError> {
        let mut cutter = Cutter::following(text, delimiter, syntax);
        cutter.run()?;
        if let Some(at) = cutter.differs {
            cutter.compare(delimiter, syntax, at)?;
        }
        Ok(cutter)
    }

    fn run(&mut self) -> Result<(), CutError> {
        loop {
            // Looked for before the token is read, so that delimiters such as
            // `$$` and `--` are no quotes and no comments.
            if let Some(end) = self.delimiter_at(self.tokens.offset()) {
                self.finish(end, Ended::ByDelimiter)?;
            } else if let Some(token) = self.tokens.next() {
                self.read(token)?;
            } else {
                return self.finish_text();
            }
        }
    }

    fn delimiter_at(&self, at: usize) -> Option<usize> {
        let end = self.delimiter.end_at(self.text, at)?;
        (self.code.is_none() && !self.body.is_open()).then_some(end)
    }

    fn read(&mut self, token: Token<'t>) -> Result<(), CutError> {
        if !token.closed {
            return Err(match self.code {
                Some(Code { start, skipped: Some(_) }) => {
                    CutError { at: start, open: Open::Versions }
                }
                _ => CutError { at: token.start, open: self.open(&token) },
            });
        }
        if token.is_trivia() || (self.sql.is_none() && self.obey(&token)?) {
            return Ok(());
        }
        let token = self.before_delimiter(token);
        let start = self.sql.map_or(token.start, |(start, _)| start);
        self.sql = Some((start, token.end()));
        if token.opens_code() {
            self.open_code(&token)
        } else if token.is_symbol("*/") {
            self.close_code(&token)
        } else {
            self.inside_code(&token);
            self.body.read(&token);
            Ok(())
        }
    }

    fn open_code(&mut self, token: &Token<'t>) -> Result<(), CutError> {
        let start = token.start;
        let here = self.text.get(start..).unwrap_or_default();
        let mark = self.syntax.server.mark(here).filter(|mark| mark.runs == Runs::Somebody);
        let Some(mark) = mark else {
            self.code = Some(Code { start, skipped: None });
            return Ok(());
        };
        self.differs.get_or_insert(start);
        match (self.code, skipped_comment(here, mark.nesting)) {
            (None, Some(length)) => {
                self.code = Some(Code { start, skipped: Some(start + length) });
                Ok(())
            }
            // A server that skips a comment does not see the one in it.
            _ => Err(CutError { at: start, open: Open::Versions }),
        }
    }

    fn close_code(&mut self, token: &Token<'t>) -> Result<(), CutError> {
        match self.code.take() {
            Some(Code { start, skipped: Some(end) }) if end != token.end() => {
                Err(CutError { at: start, open: Open::Versions })
            }
            _ => Ok(()),
        }
    }

    /// A server ends a statement at a `;` in the code of a comment, too.
    fn inside_code(&mut self, token: &Token<'t>) {
        if let Some(Code { start, .. }) = self.code
            && token.is_symbol(";")
            && self.delimiter == Delimiter::Semicolon
            && !self.body.is_open()
        {
            self.hidden.get_or_insert(start);
        }
    }

    /// Wants every server to cut the text at the same places, and to read it alike.
    fn compare(&self, delimiter: &str, syntax: Syntax, at: usize) -> Result<(), CutError> {
        let alike = |own: &Piece<'_>, other: &Piece<'_>| {
            let quotes = |syntax: Syntax| (syntax.ansi_quotes, syntax.backslash_escapes);
            let same = match (own.statement, other.statement) {
                (Some(own), Some(other)) => quotes(own.syntax) == quotes(other.syntax),
                _ => true,
            };
            same && own.start == other.start
        };
        for syntax in syntax.of_each_server().into_iter().skip(1) {
            let mut other = Cutter::following(self.text, delimiter, syntax);
            let cut = other.run().is_ok() && self.pieces.len() == other.pieces.len();
            if !cut || !self.pieces.iter().zip(&other.pieces).all(|(own, it)| alike(own, it)) {
                return Err(CutError { at, open: Open::Versions });
            }
        }
        Ok(())
    }

    /// The part of a word before the delimiter that sticks to it, as in `END$$`.
    fn before_delimiter(&mut self, token: Token<'t>) -> Token<'t> {
        let is_word = match token.kind {
            TokenKind::Word | TokenKind::Number => true,
            // A variable of SQLite.
            TokenKind::Symbol => token.text.len() > 1 && !token.opens_code(),
            _ => false,
        };
        if !is_word || self.delimiter == Delimiter::Semicolon {
            return token;
        }
        let hit = self
            .delimiter
            .starts_in(token.text)
            .map(|offset| token.start + offset)
            .find(|&at| self.delimiter_at(at).is_some());
        let Some(at) = hit else { return token };
        self.tokens.jump(self.text, at);
        Token { text: self.text.get(token.start..at).unwrap_or_default(), ..token }
    }

    /// Follows a `DELIMITER` line of the `mysql` client, if the token begins one.
    fn obey(&mut self, token: &Token<'t>) -> Result<bool, CutError> {
        if self.syntax.dialect != Dialect::MySql || !token.is_word("DELIMITER") {
            return Ok(false);
        }
        let Some((delimiter, end)) = client_command(self.text, token.end()) else {
            return Ok(false);
        };
        self.delimiter = delimiter;
        self.finish(end, Ended::ByDelimiter)?;
        Ok(true)
    }

    fn finish(&mut self, end: usize, ended: Ended) -> Result<(), CutError> {
        let text = self.text;
        let statement = self.sql.take().map(|(from, to)| Statement {
            sql: text.get(from..to).unwrap_or_default(),
            start: from,
            terminated: ended == Ended::ByDelimiter,
            syntax: self.syntax,
        });
        let piece = text.get(self.begin..end).unwrap_or_default();
        self.pieces.push(Piece { text: piece, start: self.begin, statement });
        self.begin = end;
        self.tokens.jump(text, end);
        self.body = Body::new(&self.delimiter, self.syntax.dialect);
        if let (Some(Statement { sql, start, .. }), Some(modes)) = (statement, &mut self.modes) {
            let unclear = |_| CutError { at: start, open: Open::SqlMode };
            self.syntax = modes.after(sql).map_err(unclear)?;
            self.tokens.follow(self.syntax);
        }
        Ok(())
    }

    fn finish_text(&mut self) -> Result<(), CutError> {
        if let Some(Code { start, skipped }) = self.code {
            let open = if skipped.is_some() { Open::Versions } else { Open::Comment };
            return Err(CutError { at: start, open });
        }
        if let Some((at, open)) = self.body.opened() {
            return Err(CutError { at, open });
        }
        if self.begin < self.text.len() {
            self.finish(self.text.len(), Ended::ByText)?;
        }
        Ok(())
    }

    fn open(&self, token: &Token<'t>) -> Open {
        match token.kind {
            // The end of this one depends on how deep comments nest.
            TokenKind::Comment if token.text.starts_with("/*M!") && token.text.contains("*/") => {
                Open::Versions
            }
            TokenKind::Comment => Open::Comment,
            TokenKind::DollarQuoted => {
                Open::DollarQuote(dollar_tag(token.text).unwrap_or("$$").to_owned())
            }
            TokenKind::Symbol => Open::Parenthesis,
            _ if token.text.starts_with(['`', '[']) => Open::Identifier,
            _ if token.text.trim_start_matches(['u', 'U', '&']).starts_with('"')
                && self.syntax.ansi_quotes =>
            {
                Open::Identifier
            }
            _ => Open::String,
        }
    }
}

#[cfg(test)]
mod tests;
