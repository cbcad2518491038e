//! What can be wrong inside one file.

use crate::check::finding::{Finding, MAX_PER_KIND};
use crate::check::lint::{LINTS, LintHit, Lints};
use crate::check::plain::{LintScope, Question, is_plain};
use crate::check::reading::{may_misread, misread};
use crate::check::rules::{class, cut_rule, forbidden, only_dialect};
use crate::file::{Directives, Kind, Script, Section, Transaction, similar};
use crate::sql::{Dialect, Statement, Syntax, cut, effect, hidden};

/// Checks one file's text as the given syntaxes read it.
///
/// Several syntaxes mean that the dialect is not known. Then a mistake counts
/// only if it is a mistake in every syntax.
#[must_use]
pub fn check(file: &str, script: &Script<'_>, syntaxes: &[Syntax]) -> Vec<Finding> {
    examine(file, script, syntaxes, None)
}

/// Checks one file's text. With the kind of the file, it also runs the lints.
pub(crate) fn examine(
    file: &str,
    script: &Script<'_>,
    syntaxes: &[Syntax],
    lint: Option<Kind>,
) -> Vec<Finding> {
    let dialect = match syntaxes {
        [only] => Some(only.dialect),
        _ => None,
    };
    let lints = match lint {
        None => Some(LintScope::None),
        Some(Kind::Versioned) => Some(LintScope::Versioned),
        Some(_) => None,
    };
    let text = script.text();
    let odd = text.contains('\0')
        || (dialect == Some(Dialect::Postgres) && may_misread(text, Dialect::Postgres));
    if !odd && lints.is_some_and(|lints| is_plain(script, Question { dialect, lints })) {
        return Vec::new();
    }
    lex(file, script, syntaxes, lint)
}

/// Checks one file's text with the lexer.
pub(crate) fn lex(
    file: &str,
    script: &Script<'_>,
    syntaxes: &[Syntax],
    lint: Option<Kind>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if script.text().starts_with('\u{feff}') {
        findings.push(
            Finding::error("bom", file, "the file begins with a byte order mark")
                .at(script.text(), 0, 1)
                .help("save it as UTF-8 without BOM: a database takes the mark for SQL"),
        );
    }
    findings.extend(nul(file, script.text()));
    findings.extend(conflict(file, script.text()));
    let directives = match script.directives() {
        Ok(directives) => directives,
        Err(errors) => {
            findings.extend(errors.iter().take(MAX_PER_KIND).map(|error| {
                Finding::error("directive", file, error.to_string())
                    .at(script.text(), error.at, line_width(script.text(), error.at))
                    .help(error.help())
            }));
            Directives::default()
        }
    };
    let transaction = directives.transaction;
    let rules = || directives.allow.iter().flat_map(|rules| rules.split(',')).map(str::trim);
    // Each lint once: the list is searched for each hit, so it must stay short.
    let allowed: Vec<&str> =
        LINTS.into_iter().filter(|lint| rules().any(|it| it == *lint)).collect();
    let unknown = rules().filter(|rule| !LINTS.contains(rule));
    findings.extend(unknown.take(MAX_PER_KIND).map(|rule| no_lint(file, script, rule)));
    for section in [Section::Upgrade, Section::Rollback] {
        if let Some(range) = script.range(section) {
            // A rollback may drop and delete: the lints skip it.
            let lint = lint.filter(|_| section == Section::Upgrade);
            let part = SectionCheck {
                file,
                script,
                section,
                start: range.start,
                transaction,
                lint,
                allowed: &allowed,
            };
            findings.append(&mut agreed(syntaxes, |syntax| part.check_as(syntax, syntaxes)));
        }
    }
    findings
}

/// Finds a NUL character: libraries and protocols end a text there and drop the rest.
fn nul(file: &str, text: &str) -> Option<Finding> {
    let at = text.find('\0')?;
    Some(
        Finding::error("nul", file, "the file holds a NUL character, where databases end a text")
            .at(text, at, 1)
            .help("delete it; write such bytes as a hexadecimal literal"),
    )
}

/// Finds a merge conflict that was not resolved: the marks of both sides, each at the start of a line.
fn conflict(file: &str, text: &str) -> Option<Finding> {
    let mark = |from: usize, mark: &str| {
        let mut marks = text.get(from..)?.match_indices(mark).map(|(at, _)| from + at);
        marks.find(|at| {
            text.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with('\n'))
        })
    };
    let ours = mark(0, "<<<<<<< ")?;
    mark(mark(ours, "=======\n")?, ">>>>>>> ")?;
    Some(
        Finding::error("conflict", file, "a merge conflict is not resolved")
            .at(text, ours, line_width(text, ours))
            .help("keep the lines that are meant, and delete the three marks"),
    )
}

/// The findings of the first syntax that all other syntaxes share.
///
/// The search ends at the first syntax that finds nothing, so most files are lexed once.
pub(crate) fn agreed(syntaxes: &[Syntax], find: impl Fn(Syntax) -> Vec<Finding>) -> Vec<Finding> {
    let Some((first, others)) = syntaxes.split_first() else { return Vec::new() };
    let mut findings = find(*first);
    for other in others {
        if findings.is_empty() {
            break;
        }
        let found = find(*other);
        findings.retain(|finding| found.iter().any(|it| class(it.rule) == class(finding.rule)));
    }
    findings
}

/// One section of a file under check.
struct SectionCheck<'s> {
    file: &'s str,
    script: &'s Script<'s>,
    section: Section,
    start: usize,
    transaction: Transaction,
    lint: Option<Kind>,
    allowed: &'s [&'s str],
}

impl SectionCheck<'_> {
    fn check_as(&self, syntax: Syntax, known: &[Syntax]) -> Vec<Finding> {
        let statements =
            match cut(self.script.section(self.section), self.script.delimiter(), syntax) {
                Ok(statements) => statements,
                Err(error) => {
                    let (rule, help) = cut_rule(&error.open);
                    let finding = self.at(rule, error.at, 1, error.to_string());
                    if let Some(help) = help {
                        return vec![finding.help(help)];
                    }
                    let cut_short = self.section == Section::Upgrade
                        && self.script.range(Section::Rollback).is_some();
                    return vec![finding.help(match cut_short {
                        true => {
                            "close it: all that follows is swallowed; the line `-- rollback` ends \
                             this section, even inside of quotes"
                        }
                        false => "close it: all that follows is swallowed",
                    })];
                }
            };
        let forbidden = statements.iter().filter_map(|statement| {
            let syntax = match (known, only_dialect(statement.sql)) {
                ([_, _, ..], Some(dialect)) => Syntax::of(dialect),
                _ => statement.syntax,
            };
            let (rule, message, help) = syntax
                .of_each_server()
                .into_iter()
                .find_map(|syntax| forbidden(effect(statement.sql, syntax), self.transaction))?;
            Some(
                self.at(rule, statement.start, first_line(statement), message.to_owned())
                    .help(help),
            )
        });
        let misread = self.misread(&statements, syntax);
        let hidden = statements.iter().filter_map(|statement| self.hidden(statement));
        let unterminated =
            statements.last().filter(|statement| !statement.terminated).map(|statement| {
                let message = "the last statement has no end".to_owned();
                self.at("unterminated", statement.start, first_line(statement), message).help(
                    format!(
                        "end it with `{}` at the end of a line: the Python tool drops it silently",
                        self.script.delimiter()
                    ),
                )
            });
        forbidden
            .take(MAX_PER_KIND)
            .chain(misread)
            .chain(hidden.take(MAX_PER_KIND))
            .chain(unterminated)
            .chain(self.lint_findings(&statements, syntax, known))
            .collect()
    }

    /// Finds settings that make the server read the file differently.
    fn misread(&self, statements: &[Statement<'_>], syntax: Syntax) -> Vec<Finding> {
        if !may_misread(self.script.section(self.section), syntax.dialect) {
            return Vec::new();
        }
        let found = statements.iter().filter_map(|statement| {
            let (rule, message, help) = misread(statement.sql, statement.syntax)?.explain();
            let width = first_line(statement);
            Some(self.at(rule, statement.start, width, message.to_owned()).help(help))
        });
        found.take(MAX_PER_KIND).collect()
    }

    /// Finds a statement that ends in the code of a comment.
    fn hidden(&self, statement: &Statement<'_>) -> Option<Finding> {
        let syntax = statement.syntax;
        let code = syntax.dialect == Dialect::MySql && statement.sql.contains("/*");
        let at = code.then(|| hidden(statement.sql, ";", syntax)).flatten()?;
        let message = "a statement ends inside this executable comment".to_owned();
        let finding = self.at("executable-comment", statement.start + at, 1, message);
        Some(finding.help("write one statement in a comment, and the `;` behind its `*/`"))
    }

    fn lint_findings(
        &self,
        statements: &[Statement<'_>],
        syntax: Syntax,
        known: &[Syntax],
    ) -> Vec<Finding> {
        let Some(kind) = self.lint else { return Vec::new() };
        let dialect = match known {
            [only] => Some(only.dialect),
            _ => None,
        };
        let hits = Lints { kind, transaction: self.transaction, syntax, dialect }.hits(statements);
        let hits = hits
            .into_iter()
            .filter(|(_, LintHit(rule, ..))| !self.allowed.contains(rule))
            .take(MAX_PER_KIND);
        let findings = hits.filter_map(|(at, LintHit(rule, message, help))| {
            let statement = statements.get(at)?;
            let finding =
                self.at(rule, statement.start, first_line(statement), message.to_owned()).warning();
            Some(finding.help(format!("{help}; meant as it is? `-- jetbase: allow={rule}`")))
        });
        findings.collect()
    }

    fn at(&self, rule: &'static str, offset: usize, width: usize, message: String) -> Finding {
        Finding::error(rule, self.file, message).at(self.script.text(), self.start + offset, width)
    }
}

fn no_lint(file: &str, script: &Script<'_>, rule: &str) -> Finding {
    let at = script.text().find(rule).unwrap_or(0);
    let close =
        similar(rule, &LINTS).map_or_else(String::new, |close| format!("did you mean `{close}`? "));
    Finding::error("directive", file, format!("no lint has the name `{rule}`"))
        .at(script.text(), at, rule.chars().count())
        .help(format!("{close}known are {}", LINTS.join(", ")))
}

fn first_line(statement: &Statement<'_>) -> usize {
    statement.sql.lines().next().unwrap_or_default().chars().count()
}

fn line_width(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.lines().next()).unwrap_or_default().chars().count()
}

#[cfg(test)]
mod tests;
