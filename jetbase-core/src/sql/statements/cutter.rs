//! The reader that cuts a text into pieces.

use super::body::Body;
use super::delimiter::{Delimiter, client_command};
use super::piece::{CutError, Open, Piece, Statement};
use crate::sql::dialect::{Dialect, Syntax};
use crate::sql::modes::{Modes, Unclear};
use crate::sql::server::Runs;
use crate::sql::token::{Token, TokenKind, Tokens, dollar_tag, skipped_comment, tokens};

/// The statements in a text. With a delimiter other than `;`, the text can hold several.
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

/// Reads a text once, and ends a piece at each delimiter.
pub(super) struct Cutter<'t> {
    text: &'t str,
    syntax: Syntax,
    /// What a `SET sql_mode` changes; `None` where the modes do not matter.
    modes: Option<Modes>,
    tokens: Tokens<'t>,
    delimiter: Delimiter,
    body: Body<'t>,
    /// The comment of MySQL whose code is read.
    code: Option<Code>,
    /// The start of the first comment that only some servers run.
    differs: Option<usize>,
    /// The start of the first comment whose code ends a statement.
    pub(super) hidden: Option<usize>,
    /// Where the piece begins.
    begin: usize,
    /// Where the statement of the piece begins and ends so far.
    sql: Option<(usize, usize)>,
    pub(super) pieces: Vec<Piece<'t>>,
}

/// A comment of MySQL whose code is read.
#[derive(Clone, Copy)]
struct Code {
    start: usize,
    /// Where it ends for a server that skips it, if some server does.
    skipped: Option<usize>,
}

/// Whether a delimiter ends the piece.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    ByDelimiter,
    ByText,
}

impl<'t> Cutter<'t> {
    pub(super) fn of(text: &'t str, delimiter: &str, syntax: Syntax) -> Self {
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

    pub(super) fn cut(text: &'t str, delimiter: &str, syntax: Syntax) -> Result<Self, CutError> {
        let mut cutter = Cutter::following(text, delimiter, syntax);
        cutter.run()?;
        if let Some(at) = cutter.differs {
            cutter.compare(delimiter, syntax, at)?;
        }
        Ok(cutter)
    }

    pub(super) fn run(&mut self) -> Result<(), CutError> {
        loop {
            // The delimiter is searched before the token is read, because a delimiter such
            // as `$$` or `--` must not be read as a quote or a comment.
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
        if token.is_trivia() || (self.sql.is_none() && self.read_delimiter_command(&token)?) {
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
            // A server that skips the outer comment does not read the inner one.
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

    /// A server also ends a statement at a `;` in the code of a comment.
    fn inside_code(&mut self, token: &Token<'t>) {
        if let Some(Code { start, .. }) = self.code
            && token.is_symbol(";")
            && self.delimiter == Delimiter::Semicolon
            && !self.body.is_open()
        {
            self.hidden.get_or_insert(start);
        }
    }

    /// Checks that every server cuts the text at the same offsets and reads it with the same quotes.
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

    /// The part of a word before a delimiter that follows without a blank, as in `END$$`.
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
    fn read_delimiter_command(&mut self, token: &Token<'t>) -> Result<bool, CutError> {
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
            let error = |unclear| CutError {
                at: start,
                open: match unclear {
                    Unclear::Value => Open::SqlMode,
                    Unclear::Joined => Open::JoinedSqlMode,
                },
            };
            if modes.may_change(sql) {
                self.syntax = modes.after(&parts(sql, self.syntax)).map_err(error)?;
                self.tokens.follow(self.syntax);
            }
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
            // The end of this comment depends on how deep the server nests comments.
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
