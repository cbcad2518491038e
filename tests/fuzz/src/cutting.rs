//! SQL cut into statements, in each dialect and mode.

use jetbase_core::{
    Dialect, Piece, Script, Section, Syntax, cut, detection, effect, empties_session, is_setting,
    lexed_bytes, may_fail_in_part, mentions_trigger, needs_own_session, pieces, session_use,
    table_locks, tokens,
};

/// The servers whose reading of comments differs.
const SERVERS: [&str; 4] = ["", "8.0.36", "9.7.0", "10.11.6-MariaDB"];

pub(crate) fn cutting(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let script = Script::read(&text);
    for section in [Section::Upgrade, Section::Rollback] {
        let section = script.section(section);
        for syntax in syntaxes() {
            cut_in(section, script.delimiter(), syntax);
        }
    }
}

/// All combinations that a server can have.
fn syntaxes() -> Vec<Syntax> {
    let mut all = vec![Syntax::of(Dialect::Sqlite)];
    for mode in [false, true] {
        all.push(Syntax { backslash_escapes: mode, ..Syntax::of(Dialect::Postgres) });
    }
    for server in SERVERS {
        for (ansi_quotes, backslash_escapes) in
            [(false, true), (false, false), (true, true), (true, false)]
        {
            all.push(Syntax { ansi_quotes, backslash_escapes, ..Syntax::of_server(server) });
        }
    }
    all
}

fn cut_in(text: &str, delimiter: &str, syntax: Syntax) {
    let mut end = 0;
    for token in tokens(text, syntax) {
        assert_eq!(token.start, end);
        assert!(!token.text.is_empty());
        assert!(token.closed || token.end() == text.len());
        end = token.end();
    }
    assert_eq!(end, text.len(), "the tokens join to the text");

    let before = lexed_bytes();
    let found = pieces(text, delimiter, syntax);
    let lexed = lexed_bytes() - before;
    assert!(lexed <= 4 * text.len(), "{lexed} bytes lexed: {text:?}");
    match found {
        Ok(pieces) => joined(text, &pieces, delimiter, syntax),
        Err(error) => assert!(text.get(error.at..).is_some_and(|open| !open.is_empty())),
    }
}

fn joined(text: &str, pieces: &[Piece<'_>], delimiter: &str, syntax: Syntax) {
    let mut end = 0;
    for piece in pieces {
        assert_eq!(piece.start, end);
        assert!(!piece.text.is_empty());
        end += piece.text.len();
        assert_eq!(text.get(piece.start..end), Some(piece.text));
        let Some(statement) = &piece.statement else { continue };
        let last = statement.start + statement.sql.len();
        assert!(!statement.sql.is_empty());
        assert_eq!(text.get(statement.start..last), Some(statement.sql));
        assert!(piece.start <= statement.start && last <= end);

        let _ = (effect(statement), detection(statement), session_use(statement));
        let _ = (is_setting(statement), may_fail_in_part(statement), table_locks(statement));
        let _ = (needs_own_session(statement), empties_session(statement));
        let _ = mentions_trigger(statement);
    }
    assert_eq!(end, text.len(), "the pieces join to the text");
    if delimiter == ";" {
        stand_alone(text, pieces, syntax);
    }
}

/// A statement that was cut out is one statement when it stands alone, unless something in front of it
/// changes how it is read.
fn stand_alone(text: &str, pieces: &[Piece<'_>], syntax: Syntax) {
    let upper = text.to_ascii_uppercase();
    if ["DELIMITER", "SQL_MODE", "STANDARD_CONFORMING_STRINGS", "SET", "/*!", "/*M!"]
        .iter()
        .any(|word| upper.contains(word))
    {
        return;
    }
    for statement in pieces.iter().filter_map(|piece| piece.statement.as_ref()) {
        let alone = format!("{};", statement.sql);
        let again = cut(&alone, ";", syntax).unwrap_or_default();
        let again: Vec<_> = again.iter().map(|it| it.sql).collect();
        assert_eq!(again, [statement.sql], "{text:?} in {syntax:?}");
    }
}
