//! What the Python tool would run differently.
//!
//! It strips lines, drops blank and comment lines, joins the rest by blanks,
//! ends a statement where a line ends with the delimiter, and lets SQLAlchemy
//! see `:name` as a parameter. Whether the result means the same is told by
//! comparing tokens; why it does not, by looking at the text again.

use crate::check::MANY;
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
        let before = at.checked_sub(1).and_then(|at| ours.get(at));
        let begin = before.map_or(0, |statement| statement.start + statement.sql.len());
        let reason = before.and_then(|statement| self.end(statement));
        let reason = match ours.get(at) {
            Some(statement) => {
                reason.or_else(|| self.inside(statement, begin)).or_else(|| self.end(statement))
            }
            None => reason,
        };
        Some(self.finding(&reason.unwrap_or(Reason {
            at: ours.get(at).map_or(begin, |statement| statement.start),
            width: 1,
            message: "the Python tool sends another text from here on",
            help: "put each statement on lines of its own, with the delimiter at the end of the last one",
        })))
    }

    /// What makes the Python tool read the lines of a statement otherwise.
    fn inside(&self, statement: &Statement<'_>, begin: usize) -> Option<Reason> {
        let Statement { sql, start, .. } = *statement;
        let tokens = deep(sql, self.syntax);
        let long = tokens
            .iter()
            .find(|token| token.kind == TokenKind::Quoted && token.text.contains('\n'));
        let long = long.map(|token| Reason {
            at: start + token.start,
            width: first_line(token.text),
            message: "the Python tool joins the lines of this string by blanks, and drops those that begin with `--`",
            help: "write it on one line, with the database's own way to name a line break",
        });
        let note = tokens.iter().find(|token| {
            let line = token.kind == TokenKind::Comment && !token.text.starts_with("/*");
            line && !(token.text.starts_with("--") && begins_line(sql, token.start))
        });
        let note = note.map(|token| Reason {
            at: start + token.start,
            width: first_line(token.text),
            message: "the Python tool joins the lines of a statement, so this comment swallows those behind it",
            help: "move it to a line of its own that begins with `--`",
        });
        let delimiter = self.script.delimiter();
        let region =
            self.script.section(self.section).get(begin..start + sql.len()).unwrap_or_default();
        let early = lines(region).find(|(_, line)| {
            let line = line.trim();
            line.ends_with(delimiter) && line != delimiter && !line.starts_with("--")
        });
        let early = early.map(|(offset, line)| Reason {
            at: begin + offset + line.trim_end().len() - delimiter.len(),
            width: delimiter.chars().count(),
            message: "the Python tool ends the statement at the end of this line",
            help: "name another delimiter on top of the file, such as `-- jetbase: delimiter=~`",
        });
        long.or(note).or(early)
    }

    /// What stands behind a statement on its last line.
    fn end(&self, statement: &Statement<'_>) -> Option<Reason> {
        let end = statement.start + statement.sql.len();
        let rest = self.script.section(self.section).get(end..)?;
        let line = rest.lines().next()?;
        let behind = line.trim_start().strip_prefix(self.script.delimiter())?;
        let note = behind.trim();
        let at = end + line.len() - behind.trim_start().len();
        let comment = ["--", "#", "/*"].iter().any(|mark| note.starts_with(mark));
        (!note.is_empty()).then(|| Reason {
            at,
            width: note.chars().count(),
            message: match comment {
                true => {
                    "the Python tool does not see that the statement before this comment has ended"
                }
                false => "the Python tool takes all statements of this line for one",
            },
            help: match comment {
                true => "move the comment to a line of its own",
                false => "put each statement on lines of its own",
            },
        })
    }

    /// Each `:name` that SQLAlchemy would take for a parameter.
    fn parameters(&self) -> Vec<Finding> {
        let text = self.script.section(self.section);
        let code = lines(text).filter(|(_, line)| !line.trim_start().starts_with("--"));
        let places = code.flat_map(|(start, line)| parameters(line).map(move |at| start + at));
        let reasons = places.take(MANY).map(|at| Reason {
            at,
            width: 1,
            message: "the Python tool takes this for a parameter, and fails as it has no value",
            help: "write `\\:` for the colon",
        });
        reasons.map(|reason| self.finding(&reason)).collect()
    }

    fn finding(&self, reason: &Reason) -> Finding {
        Finding::error("python", self.file, reason.message)
            .at(self.script.text(), self.start + reason.at, reason.width)
            .help(reason.help)
    }
}

/// Why the Python tool reads a section otherwise, and where.
struct Reason {
    at: usize,
    width: usize,
    message: &'static str,
    help: &'static str,
}

fn first_line(text: &str) -> usize {
    text.lines().next().unwrap_or_default().chars().count()
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
