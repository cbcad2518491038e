//! A quick check that makes the lexer unnecessary for most files.
//!
//! One pass over the bytes is enough for a file of common statements. A file that
//! is plain has no finding in any dialect; a test with random texts shows it. All
//! other files go to the lexer.

use crate::file::{Script, Section};
use crate::sql::{Dialect, run};

/// The bytes of words and numbers, without the first byte of a byte order mark.
macro_rules! word {
    () => {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | 0x80..=0xee | 0xf0..=0xff
    };
}

/// What the check is asked about a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    /// The dialect, when the set names one.
    pub(crate) dialect: Option<Dialect>,
    /// Whether lints look at the upgrade section.
    pub(crate) lints: LintScope,
}

/// Whether lints look at a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LintScope {
    None,
    Versioned,
}

/// Whether a file certainly has no finding. `false` means that the lexer must decide.
pub(crate) fn is_plain(script: &Script<'_>, question: Question) -> bool {
    let quiet = Question { lints: LintScope::None, ..question };
    script.delimiter() == ";"
        && is_plain_section(script.section(Section::Upgrade), question)
        && is_plain_section(script.section(Section::Rollback), quiet)
}

fn is_plain_section(text: &str, question: Question) -> bool {
    let mut rest = text;
    loop {
        rest = after(rest, run!(rest, b' ' | b'\t' | b'\n'));
        let behind = match rest.as_bytes() {
            [] => return true,
            [b'-', b'-', ..] => comment(rest),
            _ if is_everyday(rest, question) => statement(rest),
            _ => None,
        };
        match behind {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
}

/// The text after a line that is a comment in every dialect and not a directive.
fn comment(text: &str) -> Option<&str> {
    let end = text.find('\n').unwrap_or(text.len());
    let (line, rest) = text.split_at_checked(end)?;
    let plain = matches!(line.as_bytes(), [_, _] | [_, _, b' ', ..]) && !line.contains(':');
    plain.then_some(rest)
}

/// The text after a statement that ends at the end of a line.
///
/// Strings and quoted names must end on their line. Without backslashes, every
/// dialect finds the same end. Outside of them, nothing may begin a comment.
fn statement(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    let mut rest = text;
    loop {
        rest = after(
            rest,
            run!(
                rest,
                word!() | b' ' | b',' | b'.' | b'=' | b'<' | b'>' | b'*' | b'+' | b'|' | b':'
            ),
        );
        let length = match rest.as_bytes() {
            [b'(', ..] => {
                depth += 1;
                1
            }
            [b')', ..] => {
                depth = depth.checked_sub(1)?;
                1
            }
            [b'\'', ..] => 2 + string(rest)?,
            [b'"', ..] => 2 + name(rest)?,
            [b'\n', ..] => {
                rest = after(rest, run!(rest, b' ' | b'\t' | b'\n'));
                match rest.as_bytes() {
                    [b'-', b'-', ..] => rest = comment(rest)?,
                    // This may be the mark of a merge conflict.
                    [b'<', ..] => return None,
                    _ => {}
                }
                0
            }
            [b'-', next, ..] if *next != b'-' => 1,
            [b';', ..] if depth == 0 => {
                rest = after(rest, 1 + run!(after(rest, 1), b' ' | b'\t'));
                return (rest.is_empty() || rest.starts_with('\n')).then_some(rest);
            }
            [b'\t', ..] => 1,
            _ => return None,
        };
        rest = after(rest, length);
    }
}

/// The length of a string on one line.
fn string(text: &str) -> Option<usize> {
    let inside = after(text, 1);
    let length = run!(inside, 0..=b'\t' | 0x0b..=b'&' | b'('..=b'[' | b']'..=0xff);
    after(inside, length).starts_with('\'').then_some(length)
}

/// The length of a quoted name, whose text is also valid as a string of MySQL.
fn name(text: &str) -> Option<usize> {
    let inside = after(text, 1);
    let length = run!(inside, word!() | b' ' | b'-' | b'.');
    after(inside, length).starts_with('"').then_some(length)
}

fn after(text: &str, length: usize) -> &str {
    text.get(length..).unwrap_or_default()
}

/// Whether a text begins with a statement that no rule and no lint is about.
fn is_everyday(text: &str, question: Question) -> bool {
    let (first, rest) = text.split_at(run!(text, b'a'..=b'z' | b'A'..=b'Z'));
    let Some(rest) = rest.strip_prefix(' ') else { return false };
    let (second, rest) = rest.split_at(run!(rest, b'a'..=b'z' | b'A'..=b'Z'));
    if !rest.starts_with(' ') {
        return false;
    }
    let is = |word: &str, other: &str| word.eq_ignore_ascii_case(other);
    let quiet = question.lints == LintScope::None;
    let postgres = question.dialect == Some(Dialect::Postgres);
    match () {
        () if is(first, "INSERT") => is(second, "INTO"),
        () if is(first, "CREATE") => {
            is(second, "TABLE") || is(second, "VIEW") || (is(second, "INDEX") && !postgres)
        }
        () if is(first, "COMMENT") => is(second, "ON"),
        () if is(first, "DROP") => quiet && (is(second, "TABLE") || is(second, "VIEW")),
        () if is(first, "UPDATE") => quiet,
        () if is(first, "DELETE") => quiet && is(second, "FROM"),
        () if is(first, "ALTER") => quiet && is(second, "TABLE") && !postgres,
        () => false,
    }
}
