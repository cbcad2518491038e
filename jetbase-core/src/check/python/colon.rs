//! Colons, in which SQLAlchemy looks for parameters.

/// What SQLAlchemy makes of a colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colon {
    /// `(?<![:\w\x5c]):(\w+)(?![:\w])`
    Parameter,
    /// A backslash in front of it that is outside of `\x5c(:\w*)(?![:\w])`.
    Kept,
}

/// The colons of a line that mean something else to SQLAlchemy, or their backslashes.
pub(super) fn colons(line: &str) -> impl Iterator<Item = (usize, Colon)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(':').filter_map(move |(at, _)| {
        let before = line.get(..at)?.chars().next_back();
        let behind = line.get(at + 1..)?;
        let rest = behind.trim_start_matches(is_word);
        let closed = rest.starts_with(':');
        match before {
            Some('\\') => closed.then(|| (at - 1, Colon::Kept)),
            Some(c) if c == ':' || is_word(c) => None,
            _ => (rest.len() < behind.len() && !closed).then_some((at, Colon::Parameter)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colons_are_taken_as_sqlalchemy_takes_them() {
        for (line, expected) in [
            ("':x'", vec![(1, Colon::Parameter)]),
            (" :mi", vec![(1, Colon::Parameter)]),
            ("$:a", vec![(1, Colon::Parameter)]),
            ("':a$b'", vec![(1, Colon::Parameter)]),
            (":²", vec![(0, Colon::Parameter)]),
            ("arr[:2]", vec![(4, Colon::Parameter)]),
            ("':smile:'", vec![]),
            ("':a::b'", vec![]),
            ("::x:", vec![]),
            ("x::text 12:30:45 HH24:MI http://h:80 [1:2] @x := 5 {\"a\": 1}", vec![]),
            (r"\:x \:a$b \: x", vec![]),
            (r"\:smile:", vec![(0, Colon::Kept)]),
            (r"x\::text", vec![(1, Colon::Kept)]),
        ] {
            assert_eq!(colons(line).collect::<Vec<_>>(), expected, "{line}");
        }
    }
}
