//! What a statement does to the transaction it runs in.

use crate::sql::dialect::Dialect;
use crate::sql::statements::{Statement, StatementPart};
use crate::sql::token::{Token, keywords};

/// What a statement does to its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It can be rolled back with the transaction.
    Transactional,
    /// It commits the transaction, as DDL does in MySQL and MariaDB.
    CommitsImplicitly,
    /// It fails or does nothing inside a transaction.
    NeedsNoTransaction,
    /// It begins or ends a transaction.
    TransactionControl,
    /// It sets `PRAGMA foreign_keys` of SQLite, which does nothing inside a transaction.
    ForeignKeysPragma,
    /// It copies from or to the client of PostgreSQL.
    CopyFromStdin,
}

/// Returns what a statement does to its transaction. The first words decide it.
///
/// An unknown statement counts as transactional in PostgreSQL and SQLite, and as
/// one that commits in MySQL and MariaDB. With a delimiter other than `;`, a text
/// can hold several statements: then the strongest effect counts.
#[must_use]
pub fn effect(statement: &Statement<'_>) -> Effect {
    let changes_rows =
        |first: Token<'_>| first.is_any_word(&["INSERT", "UPDATE", "DELETE", "SELECT"]);
    if statement.count() == 1 && statement.first().is_some_and(changes_rows) {
        return Effect::Transactional;
    }
    let dialect = statement.syntax.dialect;
    let effects = statement.parts().map(|part| effect_of_one(part, dialect));
    effects.max_by_key(|effect| rank(*effect)).unwrap_or(Effect::Transactional)
}

/// The strength of an effect, for a text that holds several statements.
fn rank(effect: Effect) -> u8 {
    match effect {
        Effect::Transactional => 0,
        Effect::CommitsImplicitly => 1,
        Effect::ForeignKeysPragma => 2,
        Effect::CopyFromStdin => 3,
        Effect::NeedsNoTransaction => 4,
        Effect::TransactionControl => 5,
    }
}

fn effect_of_one(part: StatementPart<'_, '_>, dialect: Dialect) -> Effect {
    let words = StatementTokens(part);
    let head = keywords(part.tokens(), HEAD);
    let head = head.iter().map(String::as_str).collect::<Vec<_>>();
    match dialect {
        Dialect::Postgres => postgres(&head, &words),
        Dialect::MySql => mysql(&head, &words),
        Dialect::Sqlite => sqlite(&head),
    }
}

/// How many tokens are read where the first ones decide.
const HEAD: usize = 8;

/// The tokens of one statement.
struct StatementTokens<'a, 't>(StatementPart<'a, 't>);

impl StatementTokens<'_, '_> {
    /// Whether these words follow each other outside parentheses.
    fn contain(&self, first: &[&str], second: &[&str]) -> bool {
        let mut depth = 0_usize;
        let mut found = false;
        for token in self.0.tokens() {
            match token.text {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ if depth > 0 => continue,
                _ if found && token.is_any_word(second) => return true,
                _ => {}
            }
            found = depth == 0 && token.is_any_word(first);
        }
        false
    }

    fn contains(&self, word: &str) -> bool {
        self.0.tokens().any(|token| token.is_word(word))
    }

    /// Whether a `SET` of MySQL sets the system variable `autocommit`.
    fn set_autocommit(&self) -> bool {
        let mut marks = 0;
        for token in self.0.tokens() {
            let name = token.text.trim_matches('`');
            if name.eq_ignore_ascii_case("autocommit") && marks != 1 {
                return true;
            }
            marks = if token.is_symbol("@") { marks + 1 } else { 0 };
        }
        false
    }
}

fn postgres(head: &[&str], words: &StatementTokens<'_, '_>) -> Effect {
    match head {
        ["BEGIN" | "COMMIT" | "END" | "ABORT", ..] => Effect::TransactionControl,
        ["START" | "PREPARE", "TRANSACTION", ..] => Effect::TransactionControl,
        ["ROLLBACK", rest @ ..] => rollback(rest),
        ["COPY", ..] if words.contain(&["FROM", "TO"], &["STDIN", "STDOUT"]) => {
            Effect::CopyFromStdin
        }
        _ if needs_no_transaction_in_postgres(head, words) => Effect::NeedsNoTransaction,
        _ => Effect::Transactional,
    }
}

/// Whether a statement of PostgreSQL "cannot run inside a transaction block".
fn needs_no_transaction_in_postgres(head: &[&str], words: &StatementTokens<'_, '_>) -> bool {
    match head {
        ["VACUUM", ..] | ["ALTER", "SYSTEM", ..] | ["DISCARD", "ALL"] => true,
        ["CREATE" | "DROP", "DATABASE" | "TABLESPACE" | "SUBSCRIPTION", ..] => true,
        ["CREATE" | "DROP", "INDEX", "CONCURRENTLY", ..] => true,
        ["CREATE", "UNIQUE", "INDEX", "CONCURRENTLY", ..] => true,
        ["CLUSTER"] | ["CLUSTER", "VERBOSE"] => true,
        ["CLUSTER", "(", options @ ..] => options.last() == Some(&")"),
        ["REINDEX", "DATABASE" | "SYSTEM" | "SCHEMA", ..] => true,
        ["REINDEX", "(", ..] if reindexes_all(words) => true,
        ["REINDEX", ..] => words.contains("CONCURRENTLY"),
        ["ALTER", "DATABASE", ..] => words.contain(&["SET"], &["TABLESPACE"]),
        ["ALTER", "TABLE", ..] => {
            words.contain(&["DETACH"], &["PARTITION"]) && words.contains("CONCURRENTLY")
        }
        ["ALTER", "SUBSCRIPTION", ..] => {
            words.contain(&["SET", "ADD", "DROP", "REFRESH"], &["PUBLICATION"])
                && !(words.contains("REFRESH") && words.contains("FALSE"))
        }
        _ => false,
    }
}

/// Whether a `REINDEX (options)` names more than a table or an index.
fn reindexes_all(words: &StatementTokens<'_, '_>) -> bool {
    let mut behind = words.0.tokens().skip_while(|token| !token.is_symbol(")")).skip(1);
    behind.next().is_some_and(|token| token.is_any_word(&["DATABASE", "SYSTEM", "SCHEMA"]))
}

fn rollback(rest: &[&str]) -> Effect {
    match rest {
        ["TO", ..] | ["WORK" | "TRANSACTION", "TO", ..] => Effect::Transactional,
        ["TRANSACTION", _, "TO", ..] => Effect::Transactional,
        _ => Effect::TransactionControl,
    }
}

fn mysql(head: &[&str], words: &StatementTokens<'_, '_>) -> Effect {
    match head {
        ["BEGIN", "NOT", ..] => Effect::CommitsImplicitly,
        ["BEGIN" | "COMMIT" | "XA", ..] | ["START", "TRANSACTION", ..] => {
            Effect::TransactionControl
        }
        ["ROLLBACK", rest @ ..] => rollback(rest),
        ["SET", "TRANSACTION", ..] => Effect::NeedsNoTransaction,
        ["SET", "PASSWORD" | "DEFAULT" | "STATEMENT" | "RESOURCE", ..] => Effect::CommitsImplicitly,
        ["SET", ..] if words.set_autocommit() => Effect::TransactionControl,
        ["CREATE" | "DROP", "TEMPORARY", "TABLE", ..] => Effect::Transactional,
        ["CREATE", "OR", "REPLACE", "TEMPORARY", "TABLE", ..] => Effect::Transactional,
        ["LOAD", "DATA" | "XML", ..] | ["RELEASE", "SAVEPOINT", ..] => Effect::Transactional,
        [first, ..] if ROWS.contains(first) => Effect::Transactional,
        _ => Effect::CommitsImplicitly,
    }
}

/// The first words of the statements that do not commit the transaction in MySQL and MariaDB.
const ROWS: [&str; 22] = [
    "(",
    "DEALLOCATE",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DO",
    "EXPLAIN",
    "GET",
    "HANDLER",
    "INSERT",
    "PREPARE",
    "REPLACE",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "SHOW",
    "SIGNAL",
    "TABLE",
    "UPDATE",
    "USE",
    "VALUES",
    "WITH",
];

fn sqlite(head: &[&str]) -> Effect {
    match head {
        ["BEGIN" | "COMMIT" | "END", ..] => Effect::TransactionControl,
        ["ROLLBACK", rest @ ..] => rollback(rest),
        // SQLite cannot detach a database that the open transaction has used.
        ["VACUUM" | "DETACH", ..] => Effect::NeedsNoTransaction,
        ["PRAGMA", _, ".", pragma @ ..] | ["PRAGMA", pragma @ ..] => set_pragma(pragma),
        _ => Effect::Transactional,
    }
}

fn set_pragma(pragma: &[&str]) -> Effect {
    let (name, sets) = match pragma {
        [name, "=" | "(", ..] => (name.trim_matches(['"', '\'', '`', '[', ']']), true),
        [name, ..] => (name.trim_matches(['"', '\'', '`', '[', ']']), false),
        [] => return Effect::Transactional,
    };
    match name {
        "FOREIGN_KEYS" if sets => Effect::ForeignKeysPragma,
        "JOURNAL_MODE" | "SYNCHRONOUS" if sets => Effect::NeedsNoTransaction,
        "WAL_CHECKPOINT" => Effect::NeedsNoTransaction,
        _ => Effect::Transactional,
    }
}

#[cfg(test)]
mod tests;
