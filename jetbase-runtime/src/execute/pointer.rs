//! Where inside a statement the message of a database points.

use super::message::MessageFailure;

/// Returns the byte of a failed statement that the database points at.
pub(super) fn pointed_at(failure: &MessageFailure, statement: &str) -> Option<usize> {
    let cause = &failure.cause;
    let at = failure.offset.and_then(|chars| statement.char_indices().nth(chars));
    at.map(|(at, _)| at)
        .or_else(|| inner_of(cause.inner_query.as_ref()?, statement))
        .or_else(|| line_of(&cause.message, statement))
        .or_else(|| token_of(&cause.message, statement))
}

/// Finds a position in a query that the statement executes, such as one in a block of PL/pgSQL. It
/// counts only if the statement contains the query once.
fn inner_of((query, position): &(String, usize), statement: &str) -> Option<usize> {
    let mut found = statement.match_indices(query.as_str());
    let (at, _) = found.next()?;
    if found.next().is_some() {
        return None;
    }
    let inside = query.char_indices().nth(position.checked_sub(1)?)?;
    Some(at + inside.0)
}

/// Reads the line number inside the failing statement from a MySQL message: `… at line 3`.
fn line_of(message: &str, statement: &str) -> Option<usize> {
    let line: usize = message.rsplit_once(" at line ")?.1.parse().ok()?;
    let start: usize =
        statement.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let indent = statement.get(start..)?.chars().take_while(|c| *c == ' ' || *c == '\t').count();
    Some(start + indent)
}

/// Finds the word that an SQLite message names: `near "x": syntax error`. It counts only if the
/// statement contains it once.
fn token_of(message: &str, statement: &str) -> Option<usize> {
    let word = message.strip_prefix("near \"")?.split_once("\": ")?.0;
    let mut found = statement.match_indices(word);
    let (at, _) = found.next()?;
    found.next().is_none().then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_in_an_inner_query_is_found_in_its_statement() {
        let statement = "DO $$ BEGIN PERFORM 'größe'; INSERT INTO a VALUES (x); END $$";
        let inner = ("INSERT INTO a VALUES (x)".to_owned(), 23);
        let at = inner_of(&inner, statement).unwrap();
        assert_eq!(statement.get(at..at + 1), Some("x"));
        assert_eq!(inner_of(&("$$".to_owned(), 1), statement), None);
        assert_eq!(inner_of(&("SELECT 1".to_owned(), 1), statement), None);
    }
}
