//! Which part of a file has changed, as far as it can be known.

use std::fmt;
use std::ops::Range;

use crate::file::{Checksum, Script, Section};
use crate::sql::{Dialect, Syntax, TokenKind, cut, tokens};

/// Which part of a file has changed since it was recorded or applied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextChange {
    /// Only comments and white space. The statements are the same.
    Comments,
    /// Only the rollback section. The checksum of the history does not cover it.
    Rollback,
    /// Statements of the upgrade section. The numbers begin with 1.
    Statements {
        /// The statements with another text.
        changed: Vec<usize>,
        /// The new statements.
        added: Vec<usize>,
        /// The statements that are gone, with their numbers in the old text.
        removed: Vec<usize>,
    },
    /// The file has the text of the list of recorded migrations, so the database has another text.
    NotInFile,
}

/// A change since the file was recorded in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedChange {
    /// The checksum in the list.
    pub recorded: Checksum,
    /// What has changed since.
    pub change: TextChange,
}

/// The digests of the statements of both sections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SectionDigests<D> {
    pub(super) upgrade: Vec<D>,
    /// `None` if there is no rollback section.
    pub(super) rollback: Option<Vec<D>>,
}

impl<D: PartialEq> SectionDigests<D> {
    /// Returns what has changed from `self` to a newer text.
    pub(super) fn change_to(&self, now: &Self) -> TextChange {
        if self.upgrade != now.upgrade {
            return statements(&self.upgrade, &now.upgrade);
        }
        match self.rollback == now.rollback {
            true => TextChange::Comments,
            false => TextChange::Rollback,
        }
    }
}

/// Compares two lists of statements: the longest common subsequence stays, the rest has changed.
fn statements<D: PartialEq>(old: &[D], new: &[D]) -> TextChange {
    let width = new.len() + 1;
    let mut longest = vec![0_usize; (old.len() + 1) * width];
    let at = |longest: &[usize], row: usize, column: usize| {
        longest.get(row * width + column).copied().unwrap_or_default()
    };
    for (row, before) in old.iter().enumerate().rev() {
        for (column, after) in new.iter().enumerate().rev() {
            let length = match before == after {
                true => at(&longest, row + 1, column + 1) + 1,
                false => at(&longest, row + 1, column).max(at(&longest, row, column + 1)),
            };
            if let Some(cell) = longest.get_mut(row * width + column) {
                *cell = length;
            }
        }
    }
    let (mut changed, mut added, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut row, mut column) = (0, 0);
    let (mut gone, mut fresh) = (Vec::new(), Vec::new());
    loop {
        let same = row < old.len() && old.get(row) == new.get(column);
        let ends = row == old.len() && column == new.len();
        if same || ends {
            // In one place, a statement that is gone and a new one are one changed statement.
            let pairs = gone.len().min(fresh.len());
            changed.extend(fresh.drain(..pairs));
            added.append(&mut fresh);
            removed.extend(gone.drain(..).skip(pairs));
        }
        if ends {
            return TextChange::Statements { changed, added, removed };
        }
        if same {
            (row, column) = (row + 1, column + 1);
        } else if row < old.len()
            && (column == new.len()
                || at(&longest, row + 1, column) >= at(&longest, row, column + 1))
        {
            row += 1;
            gone.push(row);
        } else {
            column += 1;
            fresh.push(column);
        }
    }
}

/// The most statements and comments of a file that are tried.
const MOST_TRIED: usize = 64;

/// The most bytes that are tried.
const MOST_BYTES: usize = 16_000_000;

/// Finds out what was added to a text since it had another checksum.
///
/// The old text is not known. But if the file without some of its comments or statements has the old checksum,
/// then these were added.
pub(crate) fn added_since(text: &str, checksum: &str) -> Option<TextChange> {
    let script = Script::read(text);
    let section = script.section(Section::Upgrade);
    let is_old = |text: &str| Script::read(text).checksum().matches(checksum);
    let comments: Vec<_> = comments(section);
    if comments.len() <= MOST_TRIED && comments.len() * text.len() <= MOST_BYTES {
        let one = comments.iter().map(std::slice::from_ref);
        for chosen in one.chain([comments.as_slice()]) {
            let mut old = section.to_owned();
            for comment in chosen.iter().rev() {
                old.replace_range(comment.clone(), "");
            }
            if !chosen.is_empty() && is_old(&old) {
                return Some(TextChange::Comments);
            }
        }
    }
    let statements = script.python_statements(Section::Upgrade);
    let count = statements.len();
    let numbers_agree = Dialect::ALL.iter().any(|dialect| {
        let cut = cut(section, script.delimiter(), Syntax::of(*dialect));
        cut.is_ok_and(|cut| cut.len() == count)
    });
    if count > MOST_TRIED || count * count * section.len() > 2 * MOST_BYTES || !numbers_agree {
        return None;
    }
    for start in 0..count {
        for end in start + 1..=count {
            let rest = statements.iter().take(start).chain(statements.iter().skip(end));
            let rest: Vec<_> = rest.map(String::as_str).collect();
            if Checksum::of_text(&rest.join("\n")).to_string() == checksum {
                let (changed, removed) = (Vec::new(), Vec::new());
                let added = (start + 1..=end).collect();
                return Some(TextChange::Statements { changed, added, removed });
            }
        }
    }
    None
}

/// The places that are comments for every dialect.
fn comments(section: &str) -> Vec<Range<usize>> {
    let [all, others @ ..] = Dialect::ALL.map(|dialect| {
        let comments = tokens(section, Syntax::of(dialect));
        let comments = comments.filter(|token| token.kind == TokenKind::Comment);
        comments.map(|token| token.start..token.end()).collect::<Vec<_>>()
    });
    let is_common = |it: &Range<usize>| {
        others.iter().all(|other| {
            other
                .binary_search_by_key(&it.start, |it| it.start)
                .is_ok_and(|at| other.get(at) == Some(it))
        })
    };
    all.into_iter().filter(is_common).collect()
}

impl fmt::Display for TextChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TextChange::Comments => {
                f.write_str("only comments and white space were changed, and the statements are the same")
            }
            TextChange::Rollback => {
                f.write_str("only its rollback section was changed, which the checksum does not cover")
            }
            TextChange::NotInFile => f.write_str(
                "the file has the text of the list of recorded migrations, so this database has applied another text",
            ),
            TextChange::Statements { changed, added, removed } => {
                let parts = [
                    part(changed, "changed"),
                    part(added, "added"),
                    part(removed, "removed").map(|it| format!("{it} (counted in the old text)")),
                ];
                f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// Returns `statements 2, 3 and 5 were added`, or `None` without a statement.
fn part(numbers: &[usize], verb: &str) -> Option<String> {
    const MOST_NAMED: usize = 4;
    let names: Vec<_> = numbers.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    let more = numbers.len() - names.len();
    let (last, first) = names.split_last()?;
    Some(match (first, more) {
        ([], _) => format!("statement {last} was {verb}"),
        (first, 0) => format!("statements {} and {last} were {verb}", first.join(", ")),
        (_, more) => format!("statements {} and {more} more were {verb}", names.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(old: &str, new: &str) -> String {
        let list = |text: &str| text.chars().collect::<Vec<_>>();
        statements(&list(old), &list(new)).to_string()
    }

    #[test]
    fn a_change_names_the_statements() {
        for (old, new, text) in [
            ("abc", "axc", "statement 2 was changed"),
            ("abc", "abxc", "statement 3 was added"),
            ("abc", "ac", "statement 2 was removed (counted in the old text)"),
            ("", "ab", "statements 1 and 2 were added"),
            ("abcd", "xbcy", "statements 1 and 4 were changed"),
            ("abc", "xaby", "statement 4 was changed, statement 1 was added"),
            ("a", "abcdefg", "statements 2, 3, 4, 5 and 2 more were added"),
            (
                "ab",
                "c",
                "statement 1 was changed, statement 2 was removed (counted in the old text)",
            ),
        ] {
            assert_eq!(said(old, new), text, "{old} {new}");
        }
    }

    #[test]
    fn what_was_added_is_found_without_the_old_text() {
        let old = "CREATE TABLE a (b INT);\nINSERT INTO a VALUES (1);\n";
        let checksum = Script::read(old).checksum().to_string();
        let found = |text: &str| added_since(text, &checksum).map(|it| it.to_string());
        let comments =
            "only comments and white space were changed, and the statements are the same";
        let commented =
            "CREATE TABLE a (b INT/* a number */);\nINSERT INTO a VALUES (1/* one */);\n";
        assert_eq!(found(commented).as_deref(), Some(comments));
        let added = format!("SELECT 0;\nSELECT 1;\n{old}");
        assert_eq!(found(&added).as_deref(), Some("statements 1 and 2 were added"));
        let added = format!("{old}SELECT 3;\n");
        assert_eq!(found(&added).as_deref(), Some("statement 3 was added"));
        assert_eq!(found("CREATE TABLE a (b BIGINT);\nINSERT INTO a VALUES (1);\n"), None);
    }
}
