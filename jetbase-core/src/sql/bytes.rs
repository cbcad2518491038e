//! Walks over the bytes of a text.
//!
//! The macro is compiled without optimisation in the build of its user. There,
//! each step of an iterator costs a function call; a slice pattern costs none.

/// The length of the longest start of a text in which every byte matches a pattern.
macro_rules! run {
    ($text:expr, $part:pat) => {{
        let mut rest = $text.as_bytes();
        while let [$part, after @ ..] = rest {
            rest = after;
        }
        $text.len() - rest.len()
    }};
}

/// The bytes that a word of SQL can begin with.
macro_rules! word_start {
    () => {
        b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xff
    };
}

pub(crate) use {run, word_start};

/// What follows the blanks and line ends that a text begins with.
pub(crate) fn after_blanks(mut rest: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c', after @ ..] = rest {
        rest = after;
    }
    rest
}

/// What follows a line that `\n` or `\r` ends, from its end on.
pub(crate) fn after_line(mut rest: &[u8]) -> &[u8] {
    while let [0..=b'\t' | 0x0b..=0x0c | 0x0e..=0xff, after @ ..] = rest {
        rest = after;
    }
    rest
}
