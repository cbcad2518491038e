//! `jetbase.toml`.

use jetbase_cli::fuzzing::parsed_config;

use crate::urls::MARKS;

pub(crate) fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = parsed_config(&text);
    // A URL with a password, in a line with any mistake around it.
    let clean = MARKS.iter().fold(text.into_owned(), |it, mark| it.replace(mark, ""));
    let (before, after) = clean.split_once('\0').unwrap_or((&clean, ""));
    let password = MARKS.concat();
    for quote in ["'", "\"", "", "'''", "\"\"\""] {
        let line = format!("sqlalchemy_url = {quote}postgresql://u:{password}@h/db{after}\n");
        for said in parsed_config(&format!("{before}\n{line}")) {
            assert!(!MARKS.iter().any(|mark| said.contains(mark)), "{line:?}: {said}");
        }
    }
}
