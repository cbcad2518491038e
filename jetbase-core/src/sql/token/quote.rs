//! Where quotes and nested comments end.

use crate::sql::bytes::{after_line, run, word_start};
use crate::sql::server::Nesting;

/// A kind of quotes: the length of what opens it, what closes it, what escapes in it.
pub(super) struct Quote {
    pub(super) open: usize,
    pub(super) close: u8,
    pub(super) backslash: bool,
}

impl Quote {
    /// What follows the quotes, from behind what opens them; `None` if they are never closed.
    pub(super) fn after<'t>(&self, mut rest: &'t [u8]) -> Option<&'t [u8]> {
        loop {
            rest = match rest {
                [] => return None,
                [b'\\', _, after @ ..] if self.backslash => after,
                [byte, after @ ..] if *byte == self.close => match after {
                    [next, after @ ..] if next == byte && *byte != b']' => after,
                    _ => return Some(after),
                },
                [_, after @ ..] => after,
            };
        }
    }
}

/// The dollar quote that opens at the start of `text`, such as `$$` or `$fn$`.
pub(crate) fn dollar_tag(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let length = match name.as_bytes() {
        [b'0'..=b'9', ..] => return None,
        _ => run!(name, word_start!() | b'0'..=b'9'),
    };
    let closes = name.get(length..)?.starts_with('$');
    if closes { text.get(..length + 2) } else { None }
}

/// The rest of a string of PostgreSQL that goes on after its quotes. `'a'⏎'b'` is one
/// string, and the escapes of `E'a'` count in its second part too.
pub(super) fn continuation(mut rest: &[u8]) -> Option<&[u8]> {
    let mut lines = false;
    loop {
        rest = match rest {
            [b' ' | b'\t' | b'\x0b' | b'\x0c', after @ ..] => after,
            [b'\n' | b'\r', after @ ..] => {
                lines = true;
                after
            }
            [b'-', b'-', after @ ..] => after_line(after),
            [b'\'', after @ ..] => return lines.then_some(after),
            _ => return None,
        };
    }
}

/// The length of a comment that MySQL or SQLite skips. It may hold comments, one level deep.
///
/// If servers nest comments differently, the result is `None` unless they agree on the end.
pub(crate) fn skipped_comment(text: &str, nesting: Nesting) -> Option<usize> {
    let close = |from: usize| text.get(from..)?.find("*/").map(|at| from + at + 2);
    let plain = close(2)?;
    if nesting == Nesting::None {
        return Some(plain);
    }
    let mut at = 2;
    loop {
        let end = close(at)?;
        let inside = text.get(at..end)?;
        // The `/` of a closing `*/` does not open a comment.
        match inside.find("/*").filter(|open| at + open + 2 < end) {
            Some(open) => at = close(at + open + 2)?,
            None if nesting == Nesting::Both && end != plain => return None,
            None => return Some(end),
        }
    }
}

/// The length of a comment that may hold comments.
pub(super) fn nested_comment(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [b'/', b'*', after @ ..] => {
                depth += 1;
                after
            }
            [b'*', b'/', after @ ..] if depth == 1 => return Some(text.len() - after.len()),
            [b'*', b'/', after @ ..] => {
                depth -= 1;
                after
            }
            [_, after @ ..] => after,
            [] => return None,
        };
    }
}

/// The length of a variable of SQLite; 1 if the character does not begin a variable.
///
/// A suffix in parentheses, such as that of `$a(';)`, may hold every character except blanks: quotes
/// and delimiters have no meaning in it. A suffix with a blank counts as never closed.
pub(super) fn variable(text: &str) -> Option<usize> {
    let (mark, mut rest) = text.as_bytes().split_first()?;
    if *mark == b'?' {
        return Some(1 + run!(text.get(1..)?, b'0'..=b'9'));
    }
    let mut named = false;
    loop {
        rest = match rest {
            [word_start!() | b'0'..=b'9' | b'$', after @ ..] => {
                named = true;
                after
            }
            [b':', b':', after @ ..] => after,
            [b'(', ..] if named => break,
            _ => return Some(text.len() - rest.len()),
        };
    }
    loop {
        rest = match rest {
            [b')', after @ ..] => return Some(text.len() - after.len()),
            [] | [b'\t'..=b'\r' | b' ', ..] => return None,
            [_, after @ ..] => after,
        };
    }
}
