//! The reader that cuts a text into pieces.

use super::delimiter::{Delimiter, client_command};
use super::draft::StatementDraft;
use super::piece::{CutError, Open, Piece, StatementPart};
use crate::sql::dialect::{Dialect, Syntax};
use crate::sql::modes::{Modes, Unclear};
use crate::sql::server::Runs;
use crate::sql::token::{Token, TokenKind, Tokens, dollar_tag, skipped_comment, tokens};

/// Reads a text once, and ends a piece at each delimiter.
pub(super) struct Cutter<'t> {
    text: &'t str,
    syntax: Syntax,
    /// What a `SET sql_mode` of MySQL changes; `None` where the modes do not matter.
    modes: Option<Modes>,
    tokens: Tokens<'t>,
    delimiter: Delimiter,
    /// The comment of MySQL whose code is read.
    comment: Option<CodeComment>,
    /// The start of the first comment that only some servers run.
    differs: Option<usize>,
    /// Where the piece begins.
    begin: usize,
    /// The statement of the piece, as far as it is read.
    draft: StatementDraft<'t>,
    pub(super) pieces: Vec<Piece<'t>>,
}

/// A comment of MySQL whose code is read.
#[derive(Clone, Copy)]
struct CodeComment {
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
    pub(super) fn of(text: &'t str, delimiter: Delimiter, syntax: Syntax) -> Self {
        Cutter {
            text,
            syntax,
            modes: None,
            tokens: tokens(text, syntax),
            delimiter,
            comment: None,
            differs: None,
            begin: 0,
            draft: StatementDraft::new(syntax.dialect),
            pieces: Vec::new(),
        }
    }

    fn following(text: &'t str, delimiter: &str, syntax: Syntax) -> Self {
        let delimiter = Delimiter::of_file(delimiter);
        let modes = (syntax.dialect == Dialect::MySql).then(|| Modes::of(syntax));
        Cutter { modes, ..Cutter::of(text, delimiter, syntax) }
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
            self.tokens.skip_blanks();
            // Where no statement has begun, a blank of Unicode is a blank, as for the Python tool.
            if self.draft.is_empty() && self.tokens.skip_unicode_blanks() {
                continue;
            }
            // The delimiter is searched before the token is read, because a delimiter such
            // as `$$` or `--` must not be read as a quote or a comment.
            if let Some(end) = self.delimiter_here() {
                self.finish(end, Ended::ByDelimiter)?;
            } else if let Some(lexeme) = self.tokens.next_lexeme() {
                let short = matches!(self.delimiter, Delimiter::Semicolon);
                if !(short && self.draft.add_name(lexeme, self.text)) {
                    self.read(lexeme.token(self.text, 0))?;
                }
            } else {
                return self.finish_text();
            }
        }
    }

    #[inline(always)]
    fn delimiter_here(&self) -> Option<usize> {
        if matches!(self.delimiter, Delimiter::Semicolon) && !self.tokens.is_at(b';') {
            return None;
        }
        self.delimiter_at(self.tokens.offset())
    }

    fn delimiter_at(&self, at: usize) -> Option<usize> {
        let end = self.delimiter.end_at(self.text, at)?;
        let in_body = self.delimiter == Delimiter::Semicolon && self.draft.body().is_open();
        (self.comment.is_none() && !in_body).then_some(end)
    }

    fn read(&mut self, token: Token<'t>) -> Result<(), CutError> {
        if !token.closed {
            return Err(match self.comment {
                Some(CodeComment { start, skipped: Some(_) }) => {
                    CutError { at: start, open: Open::Versions }
                }
                _ => CutError { at: token.start, open: self.open(&token) },
            });
        }
        if token.is_trivia() || (self.draft.is_empty() && self.read_delimiter_command(&token)?) {
            return Ok(());
        }
        let token = self.before_delimiter(token);
        self.draft.extend(&token);
        if token.opens_code() {
            self.open_code(&token)
        } else if self.comment.is_some() && token.is_symbol("*/") {
            self.close_code(&token)
        } else {
            let comment = self.comment.map(|comment| comment.start);
            self.draft.add(token, comment, self.syntax.dialect);
            Ok(())
        }
    }

    fn open_code(&mut self, token: &Token<'t>) -> Result<(), CutError> {
        let start = token.start;
        let here = self.text.get(start..).unwrap_or_default();
        let mark = self.syntax.server.mark(here).filter(|mark| mark.runs == Runs::Somebody);
        let Some(mark) = mark else {
            self.comment = Some(CodeComment { start, skipped: None });
            return Ok(());
        };
        self.differs.get_or_insert(start);
        self.draft.add_condition();
        match (self.comment, skipped_comment(here, mark.nesting)) {
            (None, Some(length)) => {
                self.comment = Some(CodeComment { start, skipped: Some(start + length) });
                Ok(())
            }
            // A server that skips the outer comment does not read the inner one.
            _ => Err(CutError { at: start, open: Open::Versions }),
        }
    }

    fn close_code(&mut self, token: &Token<'t>) -> Result<(), CutError> {
        match self.comment.take() {
            Some(CodeComment { start, skipped: Some(end) }) if end != token.end() => {
                Err(CutError { at: start, open: Open::Versions })
            }
            _ => Ok(()),
        }
    }

    /// Checks that every server cuts the text at the same offsets and reads it with the same quotes.
    fn compare(&self, delimiter: &str, syntax: Syntax, at: usize) -> Result<(), CutError> {
        let alike = |own: &Piece<'_>, other: &Piece<'_>| {
            let quotes = |syntax: Syntax| (syntax.ansi_quotes, syntax.backslash_escapes);
            let same = match (&own.statement, &other.statement) {
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
            _ if matches!(self.delimiter, Delimiter::Semicolon) => false,
            TokenKind::Word | TokenKind::Number => true,
            // A variable of SQLite.
            TokenKind::Symbol => token.text.len() > 1 && !token.opens_code(),
            _ => false,
        };
        if !is_word {
            return token;
        }
        let hit = self
            .delimiter
            .starts_in(token.text)
            .map(|offset| token.start + offset)
            .find(|&at| self.delimiter_at(at).is_some());
        let Some(at) = hit else { return token };
        self.tokens.jump(at);
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
        let dialect = self.syntax.dialect;
        let next = self.draft.next(dialect);
        let draft = std::mem::replace(&mut self.draft, next);
        let statement = draft.finish(self.text, self.syntax, ended == Ended::ByDelimiter);
        self.tokens.jump(end);
        if let (Some(statement), Some(modes)) = (&statement, &mut self.modes) {
            let first = statement.first();
            if statement.count() > 1 || Modes::may_change(statement.sql, first) {
                let parts: Vec<_> = statement.parts().map(StatementPart::to_vec).collect();
                self.syntax = modes.after(&parts).map_err(|unclear| CutError {
                    at: statement.start,
                    open: match unclear {
                        Unclear::Value => Open::SqlMode,
                        Unclear::Joined => Open::JoinedSqlMode,
                    },
                })?;
                self.tokens.follow(self.syntax);
            }
        }
        let text = self.text.get(self.begin..end).unwrap_or_default();
        self.pieces.push(Piece { text, start: self.begin, statement });
        self.begin = end;
        Ok(())
    }

    fn finish_text(&mut self) -> Result<(), CutError> {
        if let Some(CodeComment { start, skipped }) = self.comment {
            let open = if skipped.is_some() { Open::Versions } else { Open::Comment };
            return Err(CutError { at: start, open });
        }
        if let Some((at, open)) = self.draft.body().opened()
            && self.delimiter == Delimiter::Semicolon
        {
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
