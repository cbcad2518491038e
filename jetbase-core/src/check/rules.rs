//! The rules about a statement, and their messages.

use crate::file::Transaction;
use crate::sql::{Dialect, Effect, Open, Statement};

/// A rule, what is wrong, and what to do.
pub(super) type Explanation = (&'static str, &'static str, &'static str);

/// The rule about a text that cannot be cut, and a help text if servers read it in two ways.
pub(super) fn cut_rule(open: &Open) -> (&'static str, Option<&'static str>) {
    match open {
        Open::Versions => (
            "executable-comment",
            Some(
                "write plain SQL, or delete the comment: some servers run the code of a version from 50700 to 98999, and others skip it",
            ),
        ),
        Open::SqlMode => (
            "sql-mode",
            Some(
                "write the modes as a literal, or use a variable in which this file has saved @@sql_mode, because the modes decide how the statements after it are read",
            ),
        ),
        Open::JoinedSqlMode => (
            "sql-mode",
            Some(
                "end the SET with the delimiter of the file, because the modes decide how the statements after it are read",
            ),
        ),
        _ => ("unclosed", None),
    }
}

/// One name for rules that are the same mistake in different dialects.
pub(super) fn class(rule: &'static str) -> &'static str {
    match rule {
        "unclosed" | "executable-comment" => "unterminated",
        rule => rule,
    }
}

/// The only dialect that has statements with this first word, if there is one.
pub(super) fn only_dialect(statement: &Statement<'_>) -> Option<Dialect> {
    match statement.first() {
        Some(first) if first.is_word("PRAGMA") => Some(Dialect::Sqlite),
        Some(first) if first.is_word("COPY") => Some(Dialect::Postgres),
        _ => None,
    }
}

/// Why a statement must not stand in a file, and what to do.
pub(super) fn forbidden(effect: Effect, transaction: Transaction) -> Option<Explanation> {
    match (effect, transaction) {
        (Effect::TransactionControl, Transaction::Whole) => Some((
            "transaction-control",
            "the file begins or ends a transaction itself",
            "delete the statement, because jetbase runs the file and writes its history row in one transaction; to run the file without a transaction, write `-- jetbase: transaction=off` at the top",
        )),
        (Effect::TransactionControl, Transaction::Off) => Some((
            "transaction-control",
            "the file begins or ends a transaction itself",
            "delete the statement, because with `transaction=off` each statement commits by itself",
        )),
        (Effect::ForeignKeysPragma, Transaction::Whole) => Some((
            "foreign-keys-pragma",
            "`PRAGMA foreign_keys` does nothing inside a transaction",
            "delete it, because jetbase turns foreign keys off before the file and checks them after it",
        )),
        (Effect::CopyFromStdin, _) => Some((
            "copy-stdin",
            "this COPY needs a client that sends or receives the data, and a migration has none",
            "write INSERT statements, or use COPY with a file on the server",
        )),
        (Effect::NeedsNoTransaction, Transaction::Whole) => Some((
            "needs-no-transaction",
            "this statement cannot run inside a transaction",
            "write `-- jetbase: transaction=off` at the top of the file, so that each statement runs and commits by itself",
        )),
        _ => None,
    }
}
