//! A quick look that spares most files the lexer.
//!
//! The macro is compiled without optimisation in its user's build, where the
//! lexer's work on each character is most of the time that a large folder
//! takes. Files of everyday statements need no more than a look at their lines:
//! what is plain here has no finding in any dialect, which a test with random
//! texts shows. Everything else goes to the lexer.

use crate::{Dialect, Script, Section};

/// What the lexer would be asked, if it were.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    /// The dialect, when the set names one.
    pub(crate) dialect: Option<Dialect>,
    /// Whether lints look at the upgrade section.
    pub(crate) lints: Lints,
}

/// Whether lints look at a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lints {
    None,
    Versioned,
}

/// Whether a file plainly has no finding; `false` says nothing.
pub(crate) fn is_plain(script: &Script<'_>, question: Question) -> bool {
    let text = script.text();
    script.delimiter() == ";"
        && !['"', '`', '$', '#', '[', '\\', '@', '<', '\u{feff}'].iter().any(|&c| text.contains(c))
        && is_plain_section(script.section(Section::Upgrade), question)
        && is_plain_section(
            script.section(Section::Rollback),
            Question { lints: Lints::None, ..question },
        )
}

fn is_plain_section(text: &str, question: Question) -> bool {
    let mut place = Place { open: false, depth: 0 };
    text.split('\n').all(|line| place.line(line.trim_ascii(), question)) && !place.open
}

/// Where the look has come to.
struct Place {
    /// Inside a statement.
    open: bool,
    /// Inside parentheses.
    depth: usize,
}

impl Place {
    fn line(&mut self, line: &str, question: Question) -> bool {
        if line.is_empty() {
            return true;
        }
        if let Some(comment) = line.strip_prefix("--") {
            // With a colon it may be a directive.
            return (comment.is_empty() || comment.starts_with(' ')) && !comment.contains(':');
        }
        if !self.open && !is_everyday(line, question) {
            return false;
        }
        self.open = true;
        let code = line.strip_suffix(';');
        // Strings end on their line, so every second part is outside of them.
        let mut outside = true;
        for part in code.unwrap_or(line).split('\'') {
            if outside && !self.code(part) {
                return false;
            }
            outside = !outside;
        }
        self.open = code.is_none();
        !outside && (self.open || self.depth == 0)
    }

    /// Code without strings, in which nothing may end or comment.
    fn code(&mut self, code: &str) -> bool {
        let comment = code.contains('-') && code.contains("--");
        if comment || code.contains(';') || code.contains('/') {
            return false;
        }
        self.depth += code.matches('(').count();
        match self.depth.checked_sub(code.matches(')').count()) {
            Some(depth) => self.depth = depth,
            None => return false,
        }
        true
    }
}

/// Whether a line begins a statement that no rule has anything to say about.
fn is_everyday(line: &str, question: Question) -> bool {
    let mut words = line.split(' ');
    let (Some(first), Some(second)) = (words.next(), words.next()) else { return false };
    let is = |word: &str, other: &str| word.eq_ignore_ascii_case(other);
    let quiet = question.lints == Lints::None;
    let postgres = question.dialect == Some(Dialect::Postgres);
    match () {
        () if is(first, "INSERT") => is(second, "INTO"),
        () if is(first, "CREATE") => is(second, "TABLE") || (is(second, "INDEX") && !postgres),
        () if is(first, "DROP") => quiet && (is(second, "TABLE") || is(second, "VIEW")),
        () if is(first, "UPDATE") => quiet,
        () if is(first, "DELETE") => quiet && is(second, "FROM"),
        () if is(first, "ALTER") => quiet && is(second, "TABLE") && !postgres,
        () => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::check::lex;
    use crate::{Kind, Syntax};

    /// Pieces that SQL files are made of, and that break them.
    const PIECES: [&str; 47] = [
        "CREATE TABLE a (id INT);\n",
        "INSERT INTO t VALUES ('it''s; -- x');\n",
        "DROP TABLE a;\n",
        "\n",
        "UPDATE t SET a = 1;\n",
        "DELETE FROM t;\n",
        "ALTER TABLE t ADD b INT;\n",
        "CREATE INDEX i ON t (a);\n",
        "-- a comment\n",
        "-- rollback\n",
        "-- jetbase: transaction=off\n",
        "-- jetbase: allow=x\n",
        "--x\n",
        "--\n",
        "CREATE",
        "TABLE",
        "INDEX",
        "CONCURRENTLY",
        "TRIGGER",
        "BEGIN",
        "END",
        "COMMIT",
        "insert into",
        "(",
        ")",
        ";",
        "'",
        "\"",
        "`",
        "$$",
        "/*",
        "*/",
        "--",
        "#",
        "[",
        "\\",
        " ",
        " ",
        "\n",
        "\t",
        "-",
        "é",
        "x",
        ":",
        "<<<<<<< ours\n",
        "=======\n",
        ">>>>>>> theirs\n",
    ];

    fn found(text: &str, dialect: Option<Dialect>, lints: Lints) -> usize {
        let syntaxes: Vec<_> = dialect
            .map_or(Dialect::ALL.to_vec(), |dialect| vec![dialect])
            .into_iter()
            .map(Syntax::of)
            .collect();
        let lint = (lints == Lints::Versioned).then_some(Kind::Versioned);
        lex("V1__x.sql", &Script::read(text), &syntaxes, lint).len()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

        #[test]
        fn what_is_plain_has_no_finding(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12)) {
            let text = pieces.concat();
            for dialect in [None, Some(Dialect::Postgres), Some(Dialect::MySql), Some(Dialect::Sqlite)] {
                for lints in [Lints::None, Lints::Versioned] {
                    if is_plain(&Script::read(&text), Question { dialect, lints }) {
                        prop_assert_eq!(found(&text, dialect, lints), 0, "{:?} {:?}", dialect, lints);
                    }
                }
            }
        }
    }

    #[test]
    fn everyday_files_are_plain() {
        let text = "-- Users.\nCREATE TABLE users (\n    id INT,\n    -- the name\n    name TEXT DEFAULT '(a; b -- c)'\n);\n\n\
                    INSERT INTO users VALUES (1, '2026-01-01');\n-- rollback\nDROP TABLE users;\n";
        for lints in [Lints::None, Lints::Versioned] {
            assert!(is_plain(&Script::read(text), Question { dialect: None, lints }));
        }
    }
}
