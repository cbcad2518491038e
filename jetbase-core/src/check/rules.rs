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
                "write plain SQL, or take the comment out: a version from 50700 to 98999 is code to \
                 some servers and a comment to others",
            ),
        ),
        Open::SqlMode => (
            "sql-mode",
            Some(
                "write the modes as a literal, or give back a variable in which the file itself has \
                 saved @@sql_mode: they decide how the statements behind it are read",
            ),
        ),
        Open::JoinedSqlMode => (
            "sql-mode",
            Some("end the SET with the delimiter of the file: it decides how what follows is read"),
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
    match statement.tokens.first() {
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
            "delete the statement: jetbase wraps the file and its history row in one transaction; \
             for a file without one, write `-- jetbase: transaction=off` on top",
        )),
        (Effect::TransactionControl, Transaction::Off) => Some((
            "transaction-control",
            "the file begins or ends a transaction itself",
            "delete the statement: under `transaction=off` each statement commits by itself",
        )),
        (Effect::ForeignKeysPragma, Transaction::Whole) => Some((
            "foreign-keys-pragma",
            "`PRAGMA foreign_keys` does nothing inside a transaction",
            "delete it: jetbase turns foreign keys off before the file and checks them behind it",
        )),
        (Effect::CopyFromStdin, _) => Some((
            "copy-stdin",
            "a migration has no client that could send or take the data of this COPY",
            "write INSERT statements, or COPY from a file on the server",
        )),
        (Effect::NeedsNoTransaction, Transaction::Whole) => Some((
            "needs-no-transaction",
            "this statement cannot run inside a transaction",
            "write `-- jetbase: transaction=off` on top of the file, which then runs statement by statement",
        )),
        _ => None,
    }
}
