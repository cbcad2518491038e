//! Sentences made of the library's fragments.

use jetbase_core::Problem;

/// Turns a sentence fragment of the library into a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let word = text.split([' ', ',', ':', ';']).next().unwrap_or_default();
    let mut sentence = if word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        let mut letters = text.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect()
    } else {
        text.to_owned()
    };
    if sentence.ends_with(|c: char| c.is_alphanumeric() || matches!(c, ')' | '`' | '"' | '\'')) {
        sentence.push('.');
    }
    sentence
}

/// Returns the sentence for a problem, with its remedy.
pub(crate) fn sentence_of(problem: &Problem) -> String {
    sentence(&format!("{problem}; {}", problem.help()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_become_sentences() {
        for (fragment, whole) in [
            ("the lock was free", "The lock was free."),
            ("version 1 (a) is gone", "Version 1 (a) is gone."),
            ("a.sql is gone", "a.sql is gone."),
            ("V1__a.sql: no!", "V1__a.sql: no!"),
            ("", ""),
        ] {
            assert_eq!(sentence(fragment), whole);
        }
    }
}
