//! What can be wrong inside one file.

use crate::check::finding::{Finding, MAX_PER_KIND};
use crate::check::lint::{EMPTY, LINTS, NEAR_MARKER};
use crate::check::near_marker::near_markers;
use crate::check::python::PythonComparison;
use crate::check::readings::SyntaxReading;
use crate::check::rules::class;
use crate::check::section::SectionCheck;
use crate::file::{Directives, MigrationKind, Script, Section, Transaction, similar};
use crate::sql::{Dialect, Statement, Syntax};

/// A checked file: the mistakes in it, and its statements.
#[derive(Clone, Debug)]
pub struct CheckedFile<'s> {
    /// What is wrong in the file.
    pub findings: Vec<Finding>,
    /// A warning, if the upgrade section has no statements and the file does not allow that. A
    /// versioned file that was applied empty cannot be filled later.
    pub empty: Option<Finding>,
    upgrade: Vec<Statement<'s>>,
    rollback: Vec<Statement<'s>>,
}

impl<'s> CheckedFile<'s> {
    /// Returns the statements of a section, as the first syntax reads them. Empty if the section cannot
    /// be cut.
    #[must_use]
    pub fn statements(&self, section: Section) -> &[Statement<'s>] {
        match section {
            Section::Upgrade => &self.upgrade,
            Section::Rollback => &self.rollback,
        }
    }
}

/// Checks the text of one file as the given syntaxes read it.
///
/// Several syntaxes mean that the dialect is not known. Then a mistake counts
/// only if it is a mistake in every syntax.
#[must_use]
pub fn check<'s>(file: &str, script: &'s Script<'_>, syntaxes: &[Syntax]) -> CheckedFile<'s> {
    let check = FileCheck::new(file, script, syntaxes);
    let findings = check.mistakes(None);
    let empty = check.without_statements();
    let first = check.readings.into_iter().next();
    let (upgrade, rollback) = first.map(SyntaxReading::into_statements).unwrap_or_default();
    CheckedFile { findings, empty, upgrade, rollback }
}

/// Finds the comments that somebody may have meant as the line `-- rollback`. Their rule is
/// [`NEAR_MARKER`].
#[must_use]
pub fn check_markers(file: &str, script: &Script<'_>, syntax: Syntax) -> Vec<Finding> {
    FileCheck::new(file, script, &[syntax]).near_markers()
}

/// One file under check.
pub(crate) struct FileCheck<'c, 's> {
    file: &'c str,
    script: &'s Script<'s>,
    readings: Vec<SyntaxReading<'s>>,
}

impl<'c, 's> FileCheck<'c, 's> {
    pub(crate) fn new(file: &'c str, script: &'s Script<'_>, syntaxes: &[Syntax]) -> Self {
        let readings = syntaxes.iter().map(|syntax| SyntaxReading::new(*syntax)).collect();
        FileCheck { file, script, readings }
    }

    /// The mistakes in the file. With the kind of the file, the lints run, too.
    pub(crate) fn mistakes(&self, lint: Option<MigrationKind>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let (file, script) = (self.file, self.script);
        findings.extend(byte_order_mark(file, script.text()));
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
        let rules = || directives.allow.iter().flat_map(|rules| rules.split(',')).map(str::trim);
        // Each lint once: the list is searched for each hit, so it must stay short.
        let allowed: Vec<&str> =
            LINTS.into_iter().filter(|lint| rules().any(|it| it == *lint)).collect();
        let unknown = rules().filter(|rule| !LINTS.contains(rule));
        findings.extend(unknown.take(MAX_PER_KIND).map(|rule| unknown_lint(file, script, rule)));
        findings.append(&mut self.near_markers());
        if lint == Some(MigrationKind::Versioned) {
            findings.extend(self.without_statements());
        }
        for section in [Section::Upgrade, Section::Rollback] {
            let Some(range) = script.range(section) else { continue };
            let part = SectionCheck {
                file,
                script,
                section,
                start: range.start,
                transaction: directives.transaction,
                // A rollback may drop and delete: the lints skip it.
                lint: lint.filter(|_| section == Section::Upgrade),
                allowed: &allowed,
                dialect: self.dialect(),
            };
            findings.append(&mut self.agreed(|reading| part.findings(reading)));
        }
        findings
    }

    /// The comments that are nearly the rollback marker, unless the file allows them.
    fn near_markers(&self) -> Vec<Finding> {
        let findings = self.agreed(|reading| near_markers(self.file, self.script, reading));
        if findings.is_empty() || self.allows(NEAR_MARKER) { Vec::new() } else { findings }
    }

    /// Whether the file silences a lint.
    fn allows(&self, lint: &str) -> bool {
        let directives = self.script.directives().unwrap_or_default();
        let mut rules = directives.allow.iter().flat_map(|rules| rules.split(','));
        rules.any(|rule| rule.trim() == lint)
    }

    /// The warning about a versioned migration that does nothing.
    fn without_statements(&self) -> Option<Finding> {
        let empty = |reading: &SyntaxReading<'s>| {
            let statements = reading.cut(self.script, Section::Upgrade);
            statements.as_ref().is_ok_and(Vec::is_empty)
        };
        if !self.readings.iter().all(empty) {
            return None;
        }
        (!self.allows(EMPTY)).then(|| {
            Finding::error(EMPTY, self.file, "the migration has no statements").warning().help(
                format!(
                    "write its statements before a database applies it, because an applied file must not change; \
                     if it does nothing on purpose, write `-- jetbase: allow={EMPTY}` in the file"
                ),
            )
        })
    }

    /// What the Python tool would run differently.
    pub(crate) fn python_differences(&self) -> Vec<Finding> {
        let transaction = self.script.directives().unwrap_or_default().transaction;
        let mut findings = Vec::new();
        if transaction == Transaction::Off {
            let message = "the Python tool runs every file in a transaction";
            findings.push(
                Finding::error("python-transaction", self.file, message)
                    .help("delete `transaction=off`, or do not use `python_compatible`"),
            );
        }
        findings.append(&mut self.agreed(|reading| {
            let sections = [Section::Upgrade, Section::Rollback].into_iter();
            let comparisons = sections.filter_map(|section| {
                PythonComparison::new(self.file, self.script, section, reading)
            });
            comparisons.flat_map(|comparison| comparison.findings()).collect()
        }));
        findings
    }

    /// The dialect, if only one is possible.
    fn dialect(&self) -> Option<Dialect> {
        match self.readings.as_slice() {
            [only] => Some(only.syntax.dialect),
            _ => None,
        }
    }

    /// The findings of the first syntax that all other syntaxes share.
    ///
    /// The search ends at the first syntax that finds nothing, so most files are lexed once.
    fn agreed(&self, find: impl Fn(&SyntaxReading<'s>) -> Vec<Finding>) -> Vec<Finding> {
        let Some((first, others)) = self.readings.split_first() else { return Vec::new() };
        let mut findings = find(first);
        for other in others {
            if findings.is_empty() {
                break;
            }
            let found = find(other);
            findings.retain(|finding| found.iter().any(|it| class(it.rule) == class(finding.rule)));
        }
        findings
    }
}

/// Finds a byte order mark at the beginning.
fn byte_order_mark(file: &str, text: &str) -> Option<Finding> {
    text.starts_with('\u{feff}').then(|| {
        Finding::error("bom", file, "the file begins with a byte order mark")
            .at(text, 0, 1)
            .help("save the file as UTF-8 without a byte order mark, because a database reads the mark as SQL")
    })
}

/// Finds a NUL character: libraries and protocols end a text there and drop the rest.
fn nul(file: &str, text: &str) -> Option<Finding> {
    let at = text.find('\0')?;
    Some(
        Finding::error(
            "nul",
            file,
            "the file contains a NUL character, and databases end a text there",
        )
        .at(text, at, 1)
        .help("delete it, or write such bytes as a hexadecimal literal"),
    )
}

/// Finds a merge conflict that was not resolved: the marks of both sides, each at the start of a line.
fn conflict(file: &str, text: &str) -> Option<Finding> {
    // A search for a byte is much faster than one for a text.
    if !text.as_bytes().contains(&b'<') {
        return None;
    }
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
            .help("keep the lines that you need, and delete the three conflict markers"),
    )
}

fn unknown_lint(file: &str, script: &Script<'_>, rule: &str) -> Finding {
    let at = script.text().find(rule).unwrap_or(0);
    let close =
        similar(rule, &LINTS).map_or_else(String::new, |close| format!("did you mean `{close}`? "));
    Finding::error("directive", file, format!("there is no lint `{rule}`"))
        .at(script.text(), at, rule.chars().count())
        .help(format!("{close}the lints are {}", LINTS.join(", ")))
}

fn line_width(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.lines().next()).unwrap_or_default().chars().count()
}
