//! Walks over the bytes of a text.
//!
//! The macro is compiled without optimisation in its user's build, where every
//! call of an iterator and of its closure is one. A slice pattern is none.

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
