//! The text of a converted file: the two scripts of the old tool, made one file of ours.

use crate::check::{EMPTY, Finding, NEAR_MARKER, check_markers};
use crate::file::{Script, Section};
use crate::sql::{Syntax, TokenKind, cut, tokens};

/// Returns the text of the new file. What a person should know, and what is left to do, is added to
/// the findings, which are about the old file.
pub(super) fn converted(
    old: &str,
    up: &str,
    down: Option<&str>,
    autocommit: bool,
    syntaxes: &[Syntax],
    findings: &mut Vec<Finding>,
) -> Option<String> {
    let syntax = *syntaxes.first()?;
    let up = without_markers(old, &plain(up), syntaxes, findings)?;
    let up = terminated(&up, syntax);
    let mut header = String::new();
    if autocommit {
        header.push_str("-- jetbase: transaction=off\n");
    }
    let script = Script::read(&up);
    let near = check_markers(old, &script, syntax);
    if !near.is_empty() {
        header.push_str(&format!("-- jetbase: allow={NEAR_MARKER}\n"));
        findings.extend(near.into_iter().map(|finding| {
            let help = "the statements below it run in the upgrade, as the old tool runs them";
            finding.warning().help(help)
        }));
    }
    let is_empty = |syntax: &Syntax| cut(&up, ";", *syntax).is_ok_and(|it| it.is_empty());
    if syntaxes.iter().all(is_empty) {
        header.push_str(&format!("-- jetbase: allow={EMPTY}\n"));
        let what = "the script has no statements";
        findings.push(Finding::error("adopt", old, what).warning());
    }
    let mut text = header + &up;
    if let Some(down) = down {
        text.push_str("\n-- rollback\n");
        text.push_str(&terminated(&plain(down), syntax));
    }
    Some(text)
}

/// The text with `\n` line ends and without a byte order mark.
fn plain(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Script::read(text).text().to_owned()
}

/// Replaces each comment line that would be the line `-- rollback`. `None` if such a line is no
/// comment of its own.
fn without_markers(
    old: &str,
    text: &str,
    syntaxes: &[Syntax],
    findings: &mut Vec<Finding>,
) -> Option<String> {
    let mut text = text.to_owned();
    loop {
        let script = Script::read(&text);
        let Some(rollback) = script.range(Section::Rollback) else { return Some(text) };
        let upgrade = script.section(Section::Upgrade).len();
        let line = text.get(upgrade..rollback.start)?;
        let at = upgrade + (line.len() - line.trim_start().len());
        let is_comment = |syntax: &Syntax| {
            tokens(&text, *syntax).any(|it| it.start == at && it.kind == TokenKind::Comment)
        };
        if !syntaxes.iter().all(is_comment) {
            let what =
                "this line would end the upgrade, but it is a part of a string or of a comment";
            let help = "write the migration by hand: jetbase reads the line `-- rollback` first";
            findings.push(Finding::error("adopt", old, what).at(&text, at, 11).help(help));
            return None;
        }
        let note = "this comment would be the line that begins the rollback, so it is replaced";
        findings.push(Finding::error("adopt", old, note).at(&text, at, 11).warning());
        let (before, after) = (text.get(..upgrade)?, text.get(rollback.start..)?);
        text = format!("{before}{REPLACED}{after}");
    }
}

const REPLACED: &str = "-- Here the old file has a comment with the word rollback alone.\n";

/// Ends the last statement with a delimiter, and the text with a line end.
fn terminated(text: &str, syntax: Syntax) -> String {
    let mut text = text.trim_end().to_owned();
    let open = cut(&text, ";", syntax).ok().and_then(|statements| {
        let last = statements.last().filter(|last| !last.terminated)?;
        Some(last.start + last.sql.len())
    });
    match open {
        Some(end) if end == text.len() => text.push(';'),
        // Comments follow the statement.
        Some(_) => text.push_str("\n;"),
        None => {}
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}
