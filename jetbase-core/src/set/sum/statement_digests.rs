//! The short digests of the statements of a file, one column of the list.
//!
//! They say which statement has changed. Whether a file has changed is decided by the whole digests.

use super::super::text_change::{SectionDigests, TextChange};
use crate::file::{Checksum, Script, Section};
use crate::sql::{Dialect, Statement, Syntax, cut};

/// The digests of the statements, as the column holds them.
///
/// `1d0a3c52,9b1e77aa-40f1c2d3`: two statements, and one in the rollback section. If the dialects cut the file
/// into different statements, each has a part: `postgres:…/mysql:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StatementDigests(String);

/// What the column begins with.
pub(super) const COLUMN: &str = "statements=";

/// A file with more statements has no digests of statements, so that its line stays short.
const MOST_STATEMENTS: usize = 64;

impl StatementDigests {
    pub(super) fn of(text: &str) -> Option<Self> {
        let readings = Dialect::ALL.map(|dialect| Some((dialect, reading(text, dialect)?)));
        let readings: Vec<_> = readings.into_iter().flatten().collect();
        let (_, first) = readings.first()?;
        let all_agree =
            readings.len() == Dialect::ALL.len() && readings.iter().all(|(_, it)| it == first);
        Some(StatementDigests(match all_agree {
            true => first.clone(),
            false => {
                let parts = readings.iter().map(|(dialect, it)| format!("{}:{it}", dialect.name()));
                parts.collect::<Vec<_>>().join("/")
            }
        }))
    }

    /// Reads the text behind [`COLUMN`].
    pub(super) fn parse(column: &str) -> Option<Self> {
        let is_digest = |it: &str| {
            it.len() == 8 && it.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_list = |it: &str| it.is_empty() || it.split(',').all(is_digest);
        let is_valid = column.split('/').all(|part| {
            let part = match part.split_once(':') {
                Some((dialect, _)) if dialect.parse::<Dialect>().is_err() => return false,
                Some((_, part)) => part,
                None => part,
            };
            let (upgrade, rollback) = part.split_once('-').unwrap_or((part, ""));
            is_list(upgrade) && is_list(rollback)
        });
        is_valid.then(|| StatementDigests(column.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what has changed in the newer text, or `None` if the dialects do not agree about it.
    pub(super) fn change_to(&self, text: &str, known: Option<Dialect>) -> Option<TextChange> {
        let now = StatementDigests::of(text)?;
        let change = |dialect| Some(self.of_dialect(dialect)?.change_to(&now.of_dialect(dialect)?));
        if let Some(dialect) = known {
            return change(dialect);
        }
        let mut changes = Dialect::ALL.into_iter().filter_map(change);
        let first = changes.next()?;
        changes.all(|it| it == first).then_some(first)
    }

    fn of_dialect(&self, dialect: Dialect) -> Option<SectionDigests<&str>> {
        let own = |part: &str| part.split_once(':').is_some_and(|(name, _)| name == dialect.name());
        let part = match self.0.contains(':') {
            true => self.0.split('/').find(|part| own(part))?.split_once(':')?.1,
            false => self.0.as_str(),
        };
        let (upgrade, rollback) = match part.split_once('-') {
            Some((upgrade, rollback)) => (upgrade, Some(rollback)),
            None => (part, None),
        };
        Some(SectionDigests { upgrade: split(upgrade), rollback: rollback.map(split) })
    }
}

fn split(digests: &str) -> Vec<&str> {
    digests.split(',').filter(|it| !it.is_empty()).collect()
}

fn reading(text: &str, dialect: Dialect) -> Option<String> {
    let script = Script::read(text);
    let digests = |section| {
        let statements =
            cut(script.section(section), script.delimiter(), Syntax::of(dialect)).ok()?;
        let short = statements.len() <= MOST_STATEMENTS;
        short.then(|| statements.iter().map(digest).collect::<Vec<_>>().join(","))
    };
    let upgrade = digests(Section::Upgrade)?;
    match script.range(Section::Rollback) {
        Some(_) => Some(format!("{upgrade}-{}", digests(Section::Rollback)?)),
        None => Some(upgrade),
    }
}

/// The digest of the tokens of a statement, so that comments and white space do not count.
fn digest(statement: &Statement<'_>) -> String {
    let mut text = String::with_capacity(statement.sql.len());
    for token in statement.tokens() {
        text.push_str(token.text);
        text.push('\n');
    }
    Checksum::of_text(&text).short()
}
