//! Where quotes and nested comments end.

use super::{is_blank, is_word, is_word_start, run};

/// A kind of quotes: the length of what opens it, what closes it, what escapes in it.
pub(super) struct Quote {
    pub(super) open: usize,
    pub(super) close: u8,
    pub(super) backslash: bool,
}

impl Quote {
    /// Where the quotes end that are open at `from`.
    pub(super) fn end(&self, text: &str, from: usize) -> Option<usize> {
        let mut bytes = text.bytes().enumerate().skip(from).peekable();
        while let Some((at, byte)) = bytes.next() {
            if byte == b'\\' && self.backslash {
                bytes.next();
            } else if byte == self.close
                && (byte == b']' || bytes.next_if(|&(_, next)| next == byte).is_none())
            {
                return Some(at + 1);
            }
        }
        None
    }
}

/// The dollar quote that opens at the start of `text`, such as `$$` or `$fn$`.
pub(crate) fn dollar_tag(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let length = run(name, |c| is_word(c) && c != '$');
    let closes = name.get(length..)?.starts_with('$');
    let named = name.chars().next().is_some_and(|c| c == '$' || is_word_start(c));
    if closes && named { text.get(..length + 2) } else { None }
}

/// Where a string of PostgreSQL that ended at `end` goes on: `'a'⏎'b'` is one
/// string, so that the escapes of `E'a'` count in the second part too.
pub(super) fn continuation(text: &str, end: usize) -> Option<usize> {
    let after = text.get(end..)?;
    let mut rest = after;
    let mut lines = 0;
    loop {
        let blank = run(rest, is_blank);
        let (blanks, next) = rest.split_at_checked(blank)?;
        lines += blanks.bytes().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
        if !next.starts_with("--") {
            let quoted = next.strip_prefix('\'')?;
            return (lines > 0).then_some(text.len() - quoted.len());
        }
        rest = next.get(run(next, |c| c != '\n' && c != '\r')..)?;
    }
}

/// The length of a comment that may hold comments.
pub(super) fn nested_comment(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'/' && bytes.next_if(|&(_, next)| next == b'*').is_some() {
            depth += 1;
        } else if byte == b'*' && bytes.next_if(|&(_, next)| next == b'/').is_some() {
            depth -= 1;
            if depth == 0 {
                return Some(at + 2);
            }
        }
    }
    None
}
