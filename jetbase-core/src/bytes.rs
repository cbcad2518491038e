//! Walks over the bytes of a text.
//!
//! The macro is compiled without optimisation in its user's build. There a
//! slice pattern is a few instructions, and an iterator over characters with a
//! closure a few hundred for each of them.

/// The length of the start of a text, of which every byte fits a pattern.
macro_rules! run {
    ($text:expr, $part:pat) => {{
        let mut rest = $text.as_bytes();
        while let [$part, after @ ..] = rest {
            rest = after;
        }
        $text.len() - rest.len()
    }};
}

pub(crate) use run;
