//! Comments that somebody may have meant as the rollback marker. The statements below such a comment
//! would run in the upgrade.

use crate::check::finding::{Finding, MAX_PER_KIND};
use crate::check::lint::NEAR_MARKER;
use crate::check::readings::SyntaxReading;
use crate::file::{Script, Section};
use crate::sql::{Statement, TokenKind, tokens};

/// The findings about the comments of an upgrade section, as one syntax reads it.
pub(super) fn near_markers<'s>(
    file: &str,
    script: &'s Script<'s>,
    reading: &SyntaxReading<'s>,
) -> Vec<Finding> {
    let mut near = script.near_markers().peekable();
    if near.peek().is_none() {
        return Vec::new();
    }
    let Ok(statements) = reading.cut(script, Section::Upgrade) else { return Vec::new() };
    let text = script.section(Section::Upgrade);
    let near = near.filter(|(at, _)| is_between(*at, text, statements, reading));
    let findings = near.take(MAX_PER_KIND).map(|(at, marker)| {
        let shown: String = marker.comment.chars().take(LONGEST_SHOWN).collect();
        let message = format!("`{}` is not the rollback marker", shown.escape_debug());
        Finding::error(NEAR_MARKER, file, message)
            .at(script.text(), at, marker.comment.chars().count())
            .help(format!(
                "write `-- rollback` alone on its line, because the statements below this line run in the upgrade; \
                 if the comment is no marker, write `-- jetbase: allow={NEAR_MARKER}` in the file"
            ))
    });
    findings.collect()
}

/// The most characters of a comment that a message shows.
const LONGEST_SHOWN: usize = 60;

/// Whether a comment stands between two statements, and not in a string or in another comment.
fn is_between(
    at: usize,
    text: &str,
    statements: &[Statement<'_>],
    reading: &SyntaxReading<'_>,
) -> bool {
    let mut gap = 0..text.len();
    for statement in statements {
        let end = statement.start + statement.sql.len();
        match at {
            _ if end <= at => gap.start = end,
            // To MySQL, `---` is no comment, and to others, `#` is none: then a statement begins here.
            _ if statement.start == at => return true,
            _ if statement.start < at => return false,
            _ => {
                gap.end = statement.start;
                break;
            }
        }
    }
    let (start, syntax) = (gap.start, reading.syntax);
    let mut comments = tokens(text.get(gap).unwrap_or_default(), syntax);
    comments.any(|token| start + token.start == at && token.kind == TokenKind::Comment)
}
