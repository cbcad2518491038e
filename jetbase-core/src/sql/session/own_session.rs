//! What a statement does to a session that other programs use too, and to the locks of its session.

use crate::sql::statements::{Statement, StatementPart};
use crate::sql::token::{Token, TokenKind, keywords};

/// Whether a statement of PostgreSQL needs a session that no other program uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnSession {
    /// Nothing of it outlives its transaction.
    #[default]
    NotNeeded,
    /// Outside a transaction, its settings stay in the session.
    OutsideTransaction,
    /// What it makes always stays in the session.
    Always,
}

/// Whether a statement of MySQL and MariaDB locks tables for its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TableLocks {
    /// It locks tables.
    Acquired,
    /// It releases all table locks.
    Released,
}

/// Returns whether a statement needs a session that no other program uses (PostgreSQL).
#[must_use]
pub fn needs_own_session(statement: &Statement<'_>) -> OwnSession {
    let need = |tokens: Vec<Token<'_>>| match tokens.first() {
        Some(first) if first.is_any_word(&["SET", "RESET", "DISCARD"]) => {
            OwnSession::OutsideTransaction
        }
        Some(first) if first.is_any_word(&["PREPARE", "LISTEN", "LOAD"]) => OwnSession::Always,
        _ if mention(&tokens, &["pg_advisory_lock", "pg_try_advisory_lock"]) => OwnSession::Always,
        _ if mention(&tokens, &["set_config"]) => OwnSession::OutsideTransaction,
        _ => OwnSession::NotNeeded,
    };
    statement.parts().map(StatementPart::to_vec).map(need).max().unwrap_or_default()
}

/// Returns whether a statement ends objects of its session, including those of other programs (PostgreSQL).
#[must_use]
pub fn empties_session(statement: &Statement<'_>) -> bool {
    statement.parts().any(|part| {
        let words = keywords(part.tokens(), 3);
        matches!(
            words.iter().map(String::as_str).collect::<Vec<_>>().as_slice(),
            ["DISCARD", ..]
                | ["RESET" | "DEALLOCATE" | "CLOSE", "ALL", ..]
                | ["UNLISTEN", "*", ..]
                | ["DEALLOCATE", "PREPARE", "ALL", ..]
        )
    })
}

/// Returns whether a statement may create a trigger.
#[must_use]
pub fn mentions_trigger(statement: &Statement<'_>) -> bool {
    mention(&statement.tokens().collect::<Vec<_>>(), &["TRIGGER"])
}

/// Returns what a statement does to the table locks of its session (MySQL and MariaDB).
#[must_use]
pub fn table_locks(statement: &Statement<'_>) -> Option<TableLocks> {
    let locks = |tokens: Vec<Token<'_>>| {
        let [verb, rest @ ..] = tokens.as_slice() else { return None };
        match rest.iter().find(|token| !token.is_any_word(&["LOCAL", "NO_WRITE_TO_BINLOG"])) {
            Some(tables) if tables.is_any_word(&["TABLE", "TABLES"]) => {}
            _ => return None,
        }
        let acquired = verb.is_word("LOCK") || (verb.is_word("FLUSH") && mention(rest, &["LOCK"]));
        if acquired {
            Some(TableLocks::Acquired)
        } else {
            verb.is_word("UNLOCK").then_some(TableLocks::Released)
        }
    };
    statement.parts().map(StatementPart::to_vec).filter_map(locks).last()
}

/// Whether one of these names stands in the tokens. Strings count too, because they can hold code.
fn mention(tokens: &[Token<'_>], names: &[&str]) -> bool {
    let kinds = [TokenKind::Word, TokenKind::Quoted, TokenKind::DollarQuoted];
    let contains = |text: &str, name: &str| {
        text.as_bytes().windows(name.len()).any(|bytes| bytes.eq_ignore_ascii_case(name.as_bytes()))
    };
    tokens
        .iter()
        .filter(|token| kinds.contains(&token.kind))
        .any(|token| names.iter().any(|name| contains(token.text, name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::dialect::{Dialect, Syntax};
    use crate::sql::statements::statement;

    #[test]
    fn statements_that_need_a_session_of_their_own_are_known() {
        let need = |sql| needs_own_session(&statement(sql, Syntax::of(Dialect::Postgres)).unwrap());
        for sql in ["/* a */ set a = 1", "RESET ALL", "SELECT Set_Config('a', 'b', false)"] {
            assert_eq!(need(sql), OwnSession::OutsideTransaction, "{sql}");
        }
        for sql in [
            "LISTEN a",
            "LOAD 'a'",
            "SELECT pg_try_advisory_lock_shared(1)",
            "DO $$ BEGIN PERFORM PG_ADVISORY_LOCK(1); END $$",
            "SELECT 1; PREPARE a AS SELECT 1",
        ] {
            assert_eq!(need(sql), OwnSession::Always, "{sql}");
        }
        for sql in ["SELECT pg_advisory_xact_lock(1)", "UPDATE t SET a = 1", "-- LISTEN\nSELECT 1"]
        {
            assert_eq!(need(sql), OwnSession::NotNeeded, "{sql}");
        }
    }

    #[test]
    fn statements_that_empty_their_session_are_known() {
        let empties =
            |sql| empties_session(&statement(sql, Syntax::of(Dialect::Postgres)).unwrap());
        for sql in [
            "DISCARD TEMP",
            "reset all",
            "DEALLOCATE ALL",
            "DEALLOCATE PREPARE ALL",
            "CLOSE /* a */ ALL",
            "UNLISTEN *",
            "SELECT 1; CLOSE ALL",
        ] {
            assert!(empties(sql), "{sql}");
        }
        for sql in ["RESET a", "DEALLOCATE PREPARE a", "UNLISTEN a", "SELECT 'DISCARD ALL'"] {
            assert!(!empties(sql), "{sql}");
        }
    }

    #[test]
    fn table_locks_and_triggers_of_mysql_are_known() {
        let read = |sql| statement(sql, Syntax::of(Dialect::MySql)).unwrap();
        for (sql, wanted) in [
            ("LOCK TABLES a WRITE", Some(TableLocks::Acquired)),
            ("/*!40000 lock table a read */", Some(TableLocks::Acquired)),
            ("FLUSH TABLES a WITH READ LOCK", Some(TableLocks::Acquired)),
            ("FLUSH LOCAL TABLES WITH READ LOCK", Some(TableLocks::Acquired)),
            ("UNLOCK TABLES", Some(TableLocks::Released)),
            ("LOCK TABLES a WRITE; UNLOCK TABLES", Some(TableLocks::Released)),
            ("FLUSH TABLES", None),
            ("SELECT 'LOCK TABLES'", None),
        ] {
            assert_eq!(table_locks(&read(sql)), wanted, "{sql}");
        }
        assert!(mentions_trigger(&read("PREPARE s FROM 'create trigger t …'")));
        assert!(!mentions_trigger(&read("SELECT 1 /* TRIGGER */")));
    }
}
