//! What the Python tool would run differently.
//!
//! It strips lines, drops blank and comment lines, joins the rest by blanks,
//! ends a statement where a line ends with the delimiter, lets SQLAlchemy see
//! `:name` as a parameter, and runs all files in one session. Its statements are
//! another text, so they are lexed too. If a statement has other tokens than
//! ours, a second look at the text finds the reason.

mod colon;
mod meaning;

use self::colon::{Colon, colons};
use self::meaning::{is_empty, means_the_same, tokens_with_nested_code};
use crate::check::finding::{Finding, MAX_PER_KIND};
use crate::check::lint::lasting_settings;
use crate::check::readings::SyntaxReading;
use crate::file::{Script, Section, is_space, trim};
use crate::sql::{Dialect, Statement, Syntax, TokenKind, tokens};

/// One section, as one syntax reads it and as the Python tool sends it.
pub(super) struct PythonComparison<'c, 's> {
    file: &'c str,
    script: &'s Script<'s>,
    section: Section,
    start: usize,
    syntax: Syntax,
    /// Empty if the section cannot be cut, which has its own finding.
    statements: &'c [Statement<'s>],
    is_cut: bool,
}

impl<'c, 's> PythonComparison<'c, 's> {
    /// `None` for a section that the file does not have.
    pub(super) fn new(
        file: &'c str,
        script: &'s Script<'s>,
        section: Section,
        reading: &'c SyntaxReading<'s>,
    ) -> Option<Self> {
        let start = script.range(section)?.start;
        let cut = reading.cut(script, section).as_deref().ok();
        let (statements, is_cut) = (cut.unwrap_or_default(), cut.is_some());
        let syntax = reading.syntax;
        Some(PythonComparison { file, script, section, start, syntax, statements, is_cut })
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        let first = self.first_difference().filter(|_| self.is_cut);
        first.into_iter().chain(self.settings()).chain(self.colons()).collect()
    }

    /// Finds the first statement that the Python tool sends differently. The statements after it cannot be compared.
    fn first_difference(&self) -> Option<Finding> {
        let ours = self.statements;
        let theirs = self.script.python_statements(self.section);
        let at = (0..ours.len().max(theirs.len())).find(|at| {
            match (ours.get(*at), theirs.get(*at)) {
                (Some(ours), Some(theirs)) => !means_the_same(ours, theirs),
                _ => true,
            }
        })?;
        let before = at.checked_sub(1).and_then(|at| ours.get(at));
        let begin = before.map_or(0, |statement| statement.start + statement.sql.len());
        let reason = before.and_then(|statement| self.end(statement));
        let reason = reason.or_else(|| self.before(begin, theirs.get(at)?));
        let reason = match ours.get(at) {
            Some(statement) => {
                reason.or_else(|| self.inside(statement, begin)).or_else(|| self.end(statement))
            }
            None => reason,
        };
        Some(self.finding(&reason.unwrap_or(Reason {
            at: ours.get(at).map_or(begin, |statement| statement.start),
            width: 1,
            message: "the Python tool sends a different text from here on",
            help: "write each statement on separate lines, with the delimiter at the end of its last line",
        })))
    }

    /// A text that the Python tool sends as a statement, though it is not one for any database.
    fn before(&self, begin: usize, theirs: &str) -> Option<Reason> {
        let rest = self.script.section(self.section).get(begin..)?;
        if is_empty(theirs, self.syntax) {
            let comment =
                tokens(rest, self.syntax).find(|token| token.kind == TokenKind::Comment)?;
            return Some(Reason {
                at: begin + comment.start,
                width: first_line(comment.text),
                message: "the Python tool sends this comment as a separate, empty statement",
                help: "delete the delimiter after it",
            });
        }
        let is_command = |line: &str| {
            let word = line.trim_start().get(.."DELIMITER ".len());
            word.is_some_and(|word| word.eq_ignore_ascii_case("DELIMITER "))
        };
        let (at, line) = lines(rest).find(|(_, line)| is_command(line))?;
        (self.syntax.dialect == Dialect::MySql && is_command(theirs)).then(|| Reason {
            at: begin + at,
            width: first_line(line),
            message: "the Python tool sends this command of the MySQL client to the server",
            help: "set the delimiter at the top of the file, for example `-- jetbase: delimiter=//`, and delete the command",
        })
    }

    /// Why the Python tool reads the lines of a statement differently.
    fn inside(&self, statement: &Statement<'_>, begin: usize) -> Option<Reason> {
        let Statement { sql, start, syntax, .. } = *statement;
        let tokens = tokens_with_nested_code(sql, syntax);
        let long =
            tokens.iter().find(|token| QUOTED.contains(&token.kind) && token.text.contains('\n'));
        let long = long.map(|token| Reason {
            at: start + token.start,
            width: first_line(token.text),
            message: "the Python tool joins the lines of this string with spaces, and drops lines that begin with `--`",
            help: "write the string on one line, and write line breaks with an escape or a function of the database",
        });
        let note = tokens.iter().find(|token| {
            let line = token.kind == TokenKind::Comment && !token.text.starts_with("/*");
            line && !(token.text.starts_with("--") && begins_line(sql, token.start))
        });
        let note = note.map(|token| Reason {
            at: start + token.start,
            width: first_line(token.text),
            message: "the Python tool joins the lines of a statement, so the lines after this comment become a part of it",
            help: "move the comment to a separate line that begins with `--`",
        });
        let minus = tokens.iter().find(|token| {
            let twice = sql.get(token.start..).is_some_and(|rest| rest.starts_with("--"));
            twice && token.text == "-" && begins_line(sql, token.start)
        });
        let minus = minus.map(|token| Reason {
            at: start + token.start,
            width: 2,
            message: "the Python tool drops this line, because it begins with `--`",
            help: "write a space between the two signs",
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
            help: "set another delimiter at the top of the file, for example `-- jetbase: delimiter=~`",
        });
        let reason = long.or(note).or(minus).or(early);
        reason.or_else(|| {
            stripped(region).map(|at| Reason {
                at: begin + at,
                width: 1,
                message: "the Python tool removes this character, but the database does not read it as white space",
                help: "write a normal space, or delete the character",
            })
        })
    }

    /// What stands after a statement on its last line.
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
            message: if comment {
                "the Python tool does not end the statement before this comment"
            } else {
                "the Python tool reads all statements on this line as one"
            },
            help: if comment {
                "move the comment to a separate line"
            } else {
                "write each statement on a separate line"
            },
        })
    }

    /// Finds each setting that lasts until the next file, because the Python tool keeps the session.
    fn settings(&self) -> Vec<Finding> {
        let statements = lasting_settings(self.statements, self.syntax.dialect);
        let reasons = statements.map(|statement| Reason {
            at: statement.start,
            width: first_line(statement.sql),
            message: "the Python tool keeps this setting for the next file and for its own statements",
            help: "restore the setting at the end of the file; on PostgreSQL, use SET LOCAL",
        });
        reasons.take(MAX_PER_KIND).map(|reason| self.finding(&reason)).collect()
    }

    /// Finds each `:name` that SQLAlchemy takes for a parameter, and each `\:` that it does not unescape.
    fn colons(&self) -> Vec<Finding> {
        let text = self.script.section(self.section);
        let code = lines(text).filter(|(_, line)| !line.trim_start().starts_with("--"));
        let places =
            code.flat_map(|(start, line)| colons(line).map(move |(at, colon)| (start + at, colon)));
        let reasons = places.take(MAX_PER_KIND).map(|(at, colon)| match colon {
            Colon::Parameter => Reason {
                at,
                width: 1,
                message: "the Python tool reads this as a parameter, and fails because it has no value",
                help: "write `\\:` instead of the colon",
            },
            Colon::Kept => Reason {
                at,
                width: 2,
                message: "the Python tool sends this backslash to the database, because another colon follows",
                help: "delete the backslash, because such a colon does not begin a parameter",
            },
        });
        reasons.map(|reason| self.finding(&reason)).collect()
    }

    fn finding(&self, reason: &Reason) -> Finding {
        Finding::error("python", self.file, reason.message)
            .at(self.script.text(), self.start + reason.at, reason.width)
            .help(reason.help)
    }
}

const QUOTED: [TokenKind; 2] = [TokenKind::Quoted, TokenKind::DollarQuoted];

/// Why the Python tool reads a section differently, and where.
struct Reason {
    at: usize,
    width: usize,
    message: &'static str,
    help: &'static str,
}

fn first_line(text: &str) -> usize {
    text.lines().next().unwrap_or_default().chars().count()
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let from = start;
        start += line.len();
        (from, line)
    })
}

/// The first character at either end of a line that only Python takes for white space.
fn stripped(text: &str) -> Option<usize> {
    let is_odd = |c: char| is_space(c) && !c.is_ascii_whitespace() && c != '\x0b';
    lines(text).find_map(|(start, line)| {
        let inside = trim(line);
        let from = line.find(inside)?;
        let odd = line
            .char_indices()
            .find(|(at, c)| is_odd(*c) && !(from..from + inside.len()).contains(at));
        odd.map(|(at, _)| start + at)
    })
}

fn begins_line(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let line = before.trim_end_matches(|c: char| c != '\n' && c.is_whitespace());
    line.is_empty() || line.ends_with('\n')
}
