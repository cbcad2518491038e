//! What the Python tool would run differently.
//!
//! It strips lines, drops blank and comment lines, joins the rest by blanks,
//! ends a statement where a line ends with the delimiter, and lets SQLAlchemy
//! see `:name` as a parameter. Whether the result means the same is told by
//! comparing tokens; why it does not, by looking at the text again.

use crate::statements::{Statement, cut};
use crate::token::{Token, TokenKind, dollar_tag, tokens};
use crate::{Finding, Script, Section, Syntax, Transaction};

/// The findings about one file, as one syntax reads it.
pub(crate) fn differences(file: &str, script: &Script<'_>, syntax: Syntax) -> Vec<Finding> {
    let mut findings = Vec::new();
    if script.directives().is_ok_and(|directives| directives.transaction == Transaction::Off) {
        findings.push(
            Finding::error(
                "python-transaction",
                file,
                "the Python tool runs every file in a transaction",
            )
            .help("take `transaction=off` out, or give up `python_compatible`"),
        );
    }
    for section in [Section::Upgrade, Section::Rollback] {
        if let Some(range) = script.range(section) {
            let part = Part { file, script, section, start: range.start, syntax };
            findings.extend(part.statements());
            findings.extend(part.parameters());
        }
    }
    findings
}

struct Part<'s> {
    file: &'s str,
    script: &'s Script<'s>,
    section: Section,
    start: usize,
    syntax: Syntax,
}

impl Part<'_> {
    /// The first statement that the Python tool would send otherwise: behind it nothing can be compared.
    fn statements(&self) -> Option<Finding> {
        let text = self.script.section(self.section);
        let ours = cut(text, self.script.delimiter(), self.syntax).ok()?;
        let theirs = self.script.python_statements(self.section);
        let at = (0..ours.len().max(theirs.len())).find(|at| {
            match (ours.get(*at), theirs.get(*at)) {
                (Some(ours), Some(theirs)) => {
                    meaning(ours.sql, self.syntax) != meaning(theirs, self.syntax)
                }
                _ => true,
            }
        })?;
        let Some(statement) = ours.get(at) else {
            let end = text.trim_end().len();
            let line = text.get(..end).and_then(|text| text.rfind('\n')).map_or(0, |at| at + 1);
            return Some(self.finding(
                line,
                "the Python tool sees one more statement here",
                "delete what follows the last statement",
            ));
        };
        let (offset, message, help) = self.reason(statement);
        Some(self.finding(offset, message, help))
    }

    /// Where and why the Python tool reads a statement otherwise.
    fn reason(&self, statement: &Statement<'_>) -> (usize, &'static str, &'static str) {
        let text = self.script.section(self.section);
        let Statement { sql, start, .. } = *statement;
        let inside = || deep(sql, self.syntax).into_iter();
        let long =
            inside().find(|token| token.kind == TokenKind::Quoted && token.text.contains('\n'));
        if let Some(token) = long {
            return (
                start + token.start,
                "the Python tool joins the lines of this string by blanks, and drops those that begin with `--`",
                "write it on one line, with the database's own way to name a line break",
            );
        }
        let swallows = inside().find(|token| {
            token.kind == TokenKind::Comment
                && !token.text.starts_with("/*")
                && !begins_line(sql, token.start)
        });
        if let Some(token) = swallows {
            return (
                start + token.start,
                "the Python tool joins the lines of a statement, so this comment swallows those behind it",
                "move the comment to a line of its own",
            );
        }
        let delimiter = self.script.delimiter();
        if let Some(line) = lines(sql).find(|(_, line)| line.trim_end().ends_with(delimiter)) {
            return (
                start + line.0,
                "the Python tool ends the statement at the end of this line",
                "name another delimiter on top of the file, such as `-- jetbase: delimiter=~`",
            );
        }
        let behind =
            text.get(start + sql.len()..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let behind = behind.trim_start().strip_prefix(delimiter).unwrap_or(behind).trim();
        match behind {
            "" => (
                start,
                "the Python tool sends another text for this statement",
                "put each statement on lines of its own, with the delimiter at the end of the last one",
            ),
            comment
                if comment.starts_with("--")
                    || comment.starts_with('#')
                    || comment.starts_with("/*") =>
            {
                (
                    start + sql.len(),
                    "the Python tool sees no end of the statement before this comment, and takes the next one for a part of it",
                    "move the comment to a line of its own",
                )
            }
            _ => (
                start + sql.len(),
                "the Python tool takes all statements of this line for one",
                "put each statement on lines of its own",
            ),
        }
    }

    /// Each `:name` that SQLAlchemy would take for a parameter.
    fn parameters(&self) -> Vec<Finding> {
        let text = self.script.section(self.section);
        let mut findings = Vec::new();
        for (offset, line) in lines(text) {
            if line.trim_start().starts_with("--") {
                continue;
            }
            findings.extend(parameters(line).map(|at| {
                self.finding(
                    offset + at,
                    "the Python tool takes this for a parameter, and fails as it has no value",
                    "write `\\:` for the colon",
                )
            }));
        }
        findings
    }

    fn finding(&self, offset: usize, message: &str, help: &str) -> Finding {
        Finding::error("python", self.file, message)
            .at(self.script.text(), self.start + offset, 1)
            .help(help)
    }
}

/// The tokens that a database sees.
fn meaning(sql: &str, syntax: Syntax) -> Vec<&str> {
    let mut words: Vec<_> =
        deep(sql, syntax).iter().filter(|it| !it.is_trivia()).map(|it| it.text).collect();
    while words.last() == Some(&";") {
        words.pop();
    }
    words
}

/// The tokens of a statement, those of the code in dollar quotes in the place of the quotes.
fn deep(sql: &str, syntax: Syntax) -> Vec<Token<'_>> {
    let mut all = Vec::new();
    for token in tokens(sql, syntax) {
        if token.kind != TokenKind::DollarQuoted {
            all.push(token);
            continue;
        }
        let tag = dollar_tag(token.text).unwrap_or_default();
        let inside = token
            .text
            .strip_prefix(tag)
            .and_then(|text| text.strip_suffix(tag))
            .unwrap_or_default();
        all.push(Token { kind: TokenKind::Symbol, text: tag, ..token });
        let start = token.start + tag.len();
        all.extend(
            deep(inside, syntax).into_iter().map(|it| Token { start: start + it.start, ..it }),
        );
    }
    all
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let from = start;
        start += line.len();
        (from, line)
    })
}

fn begins_line(text: &str, at: usize) -> bool {
    text.get(..at)
        .is_some_and(|before| before.rsplit('\n').next().unwrap_or_default().trim().is_empty())
}

/// The places that SQLAlchemy's pattern `(?<![:\w\\]):(\w+)(?!:)` matches.
fn parameters(line: &str) -> impl Iterator<Item = usize> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(':').map(|(at, _)| at).filter(move |at| {
        let before = line.get(..*at).and_then(|text| text.chars().next_back());
        let behind = line.get(at + 1..).unwrap_or_default();
        let length = behind.chars().take_while(|c| word(*c)).count();
        let closed = behind.chars().nth(length) == Some(':');
        before.is_none_or(|c| !word(c) && c != ':' && c != '\\') && length > usize::from(closed)
    })
}
