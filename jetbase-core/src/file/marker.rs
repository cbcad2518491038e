//! The line that divides a file, and the lines that somebody may have meant as that line.

use crate::file::name::{trim, trim_start};

/// Whether a line is the rollback marker, as the Python tool reads it.
pub(super) fn is_rollback_marker(line: &str) -> bool {
    trim_start(line).strip_prefix("--").is_some_and(is_marker_word)
}

/// Whether the text after `--` is the word of the marker.
fn is_marker_word(comment: &str) -> bool {
    let word = trim(comment);
    // The check of the length avoids an allocation for each ordinary comment. The Kelvin sign, whose
    // lower case is `k`, has three bytes.
    (8..=10).contains(&word.len()) && word.to_lowercase() == "rollback"
}

/// A comment that somebody may have meant as the rollback marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NearMarker<'t> {
    /// Where the comment begins, in bytes of its line.
    pub(crate) at: usize,
    /// The comment, without blanks at its ends.
    pub(crate) comment: &'t str,
}

/// Finds a comment that is nearly the rollback marker in a line that is not the marker.
///
/// A sentence that speaks of a rollback is no such comment.
pub(crate) fn near_marker(line: &str) -> Option<NearMarker<'_>> {
    let start = line.len() - trim_start(line).len();
    let stripped = trim(line);
    if let Some(block) = stripped.strip_prefix("/*") {
        let (inside, _) = block.split_once("*/")?;
        let comment = stripped.get(..inside.len() + 4)?;
        return is_near(inside).then_some(NearMarker { at: start, comment });
    }
    if let Some(inside) = stripped.strip_prefix("--").or_else(|| stripped.strip_prefix('#')) {
        return is_near(inside).then_some(NearMarker { at: start, comment: stripped });
    }
    // The marker, but behind SQL on the same line. Few lines end with this letter, so few are searched.
    if !stripped.ends_with(['k', 'K']) {
        return None;
    }
    let (before, comment) = stripped.rsplit_once("--")?;
    let comment = is_marker_word(comment).then(|| stripped.get(before.len()..))??;
    Some(NearMarker { at: start + before.len(), comment })
}

/// The words that other tools use for the marker, alone or with [`FILLERS`].
const WORDS: [&str; 8] =
    ["undo", "undos", "down", "downs", "downgrade", "downgrades", "revert", "reverts"];

/// The words that may stand beside the word of a marker. With any other word, it is a sentence.
const FILLERS: [&str; 20] = [
    "begin",
    "begins",
    "below",
    "block",
    "code",
    "goose",
    "here",
    "micrate",
    "migrate",
    "migration",
    "migrations",
    "part",
    "rambler",
    "script",
    "section",
    "sql",
    "start",
    "starts",
    "statement",
    "statements",
];

/// The first words of the statements that undo a migration.
const VERBS: [&str; 9] =
    ["alter", "create", "delete", "drop", "insert", "rename", "revoke", "truncate", "update"];

/// The most words of a marker.
const MOST_WORDS: usize = 4;

/// Longer comments are sentences, unless they hold a statement.
const LONGEST_WORD: usize = 16;

fn is_near(comment: &str) -> bool {
    let mut words = comment
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase);
    let first: Vec<String> = words.by_ref().take(MOST_WORDS).collect();
    let first: Vec<&str> = first.iter().map(String::as_str).collect();
    match first.as_slice() {
        ["create", "above", "drop", "below"] => words.next().is_none(),
        // `rollback DROP TABLE a;`, as Liquibase writes it.
        [word, verb, ..] if is_rollback(word) && VERBS.contains(verb) => {
            trim(comment).ends_with(';')
        }
        short => words.next().is_none() && is_heading(short),
    }
}

/// Whether exactly one of the words is that of a marker, and all others are fillers.
fn is_heading(words: &[&str]) -> bool {
    let Some((word, rest)) = words.split_first() else { return false };
    let all_fillers = |words: &[&str]| words.iter().all(|word| FILLERS.contains(word));
    match rest.split_first() {
        Some((next, others))
            if is_rollback(&format!("{word}{next}")) && word.starts_with("rol") =>
        {
            all_fillers(others)
        }
        _ if is_rollback(word) || WORDS.contains(word) => all_fillers(rest),
        _ => FILLERS.contains(word) && is_heading(rest),
    }
}

/// Whether a word is `rollback`, or is misspelt.
fn is_rollback(word: &str) -> bool {
    const ROLLBACK: &str = "rollback";
    if word.len() > LONGEST_WORD {
        return false;
    }
    match strsim::damerau_levenshtein(word, ROLLBACK) {
        0 | 1 => true,
        // Two mistakes also lead to `callback` and `fallback`.
        2 => word.starts_with("ro"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_of_the_marker_are_seen() {
        for line in [
            "-- rollback:",
            "-- rollback;",
            "-- rollback.",
            "-- rollbak",
            "-- rolback",
            "-- rollbakc",
            "-- rollbacks",
            "-- roll back",
            "-- roll-back",
            "-- ROLL_BACK:",
            "-- rolled back",
            "-- down",
            "--DOWN",
            "-- Down:",
            "-- undo",
            "-- downgrade",
            "-- revert",
            "--- rollback",
            "---- rollback ----",
            "-- === rollback ===",
            "-- [rollback]",
            "-- @rollback",
            "-- rollback section",
            "-- rollback part:",
            "-- begin rollback",
            "-- rollback\u{200b}",
            "-- r\u{43e}llback",
            "/* rollback */",
            "  /* ROLLBACK: */ DROP TABLE a;",
            "/** down **/",
            "# rollback",
            "#down",
            "-- +goose Down",
            "-- +migrate Down",
            "-- migrate:down",
            "-- +micrate Down",
            "-- rambler down",
            "-- Down Migration",
            "# --- !Downs",
            "-- //@UNDO",
            "--//@UNDO",
            "---- create above / drop below ----",
            "--rollback DROP TABLE a;",
            "-- rollback: drop table a;",
            "CREATE TABLE a (id INT); -- rollback",
            "CREATE TABLE a (id INT); --Rollback ",
        ] {
            assert!(near_marker(line).is_some(), "{line:?}");
        }
    }

    #[test]
    fn sentences_and_other_words_are_no_near_misses() {
        for line in [
            "",
            "--",
            "-- upgrade",
            "-- up",
            "-- +goose Up",
            "-- migrate:up",
            "-- begin",
            "-- migration",
            "-- callback",
            "-- fallback",
            "-- payback",
            "-- rollout",
            "-- feedback",
            "-- no rollback",
            "-- a rollback is not possible",
            "-- rollback is done by V7",
            "-- rollback: not possible",
            "-- the rollback drops the table",
            "-- see the rollback below, which drops it",
            "-- undo the change of V3",
            "-- scale down the limits",
            "-- down with old limits",
            "-- drop table a;",
            "DELETE FROM a; -- undo",
            "DELETE FROM a; -- rollback of V2",
            "ROLLBACK;",
            "SELECT 'rollback';",
            "/* rollback",
            "rollback */",
        ] {
            assert_eq!(near_marker(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_near_miss_has_its_place_in_the_line() {
        let near = |line| near_marker(line).map(|it| (it.at, it.comment));
        assert_eq!(near("  -- rollback: "), Some((2, "-- rollback:")));
        assert_eq!(near("\t/* undo */ DROP TABLE a;"), Some((1, "/* undo */")));
        assert_eq!(near("SELECT 1; -- rollback"), Some((10, "-- rollback")));
    }
}
