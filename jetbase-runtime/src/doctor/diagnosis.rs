//! The result of an examination.

use std::fmt;

/// What a run would see on a database: one line for each subject.
///
/// The text is a table that fits on one screen, with a summary at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The lines. The order is that in which a run meets the subjects.
    pub diagnostics: Vec<Diagnostic>,
}

/// One line of a diagnosis.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// What the line is about, in one word: `server`, `user`, `rights`, `lock` and others.
    pub subject: &'static str,
    /// Whether a run would succeed.
    pub level: DiagnosticLevel,
    /// What was found, as a sentence without a period.
    pub message: String,
    /// What to do. It is empty for a line that is good.
    pub help: String,
}

/// How a line of a diagnosis affects a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiagnosticLevel {
    /// It is as it should be.
    Good,
    /// A run works, but an operator should check it.
    Warning,
    /// A run would fail.
    Blocker,
}

impl DiagnosticLevel {
    /// Returns the name: `good`, `warning` or `blocker`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            DiagnosticLevel::Good => "good",
            DiagnosticLevel::Warning => "warning",
            DiagnosticLevel::Blocker => "blocker",
        }
    }
}

impl fmt::Display for DiagnosticLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Diagnosis {
    /// Whether a run would fail.
    #[must_use]
    pub fn has_blocker(&self) -> bool {
        self.count(DiagnosticLevel::Blocker) > 0
    }

    /// Returns one sentence about the whole diagnosis, without a period.
    #[must_use]
    pub fn summary(&self) -> String {
        let counted = |level: DiagnosticLevel| match self.count(level) {
            1 => format!("1 {level}"),
            count => format!("{count} {level}s"),
        };
        let warnings = counted(DiagnosticLevel::Warning);
        if self.has_blocker() {
            format!("a run would fail: {}, {warnings}", counted(DiagnosticLevel::Blocker))
        } else {
            format!("a run would work: {warnings}")
        }
    }

    fn count(&self, level: DiagnosticLevel) -> usize {
        self.diagnostics.iter().filter(|it| it.level == level).count()
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Diagnostic { subject, level, message, help } in &self.diagnostics {
            writeln!(f, "{level:7}  {subject:12}  {message}")?;
            if !help.is_empty() {
                writeln!(f, "{:23}help: {help}", "")?;
            }
        }
        f.write_str(&self.summary())
    }
}
