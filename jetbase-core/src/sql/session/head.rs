//! The kind of a statement, which its first words decide.

use super::session_effect::SessionEffect;
use crate::sql::dialect::Dialect;

/// What the first words of a statement say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// What the statement leaves, whatever follows.
    pub(super) effect: SessionEffect,
    /// Which part of the rest the server evaluates.
    pub(super) scope: Scope,
}

/// Which tokens of a statement count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of them: the server evaluates the expressions.
    All,
    /// Those after the `AS` or `SELECT` that makes a table of a query, and the bounds of a partition.
    Query,
    /// Names only: the server evaluates no expression.
    Names,
    /// The first words only: the rest is a body.
    Start,
}

/// How many tokens the first words are.
pub(super) const LENGTH: usize = 12;

const fn head(effect: SessionEffect, scope: Scope) -> Head {
    Head { effect, scope }
}

const NAMES: Head = head(SessionEffect::Nothing, Scope::Names);
const BODY: Head = head(SessionEffect::Nothing, Scope::Start);
const EXPRESSIONS: Head = head(SessionEffect::Nothing, Scope::All);
const TABLE: Head = head(SessionEffect::Nothing, Scope::Query);
const ROWS: Head = head(SessionEffect::Rows, Scope::All);
const CODE: Head = head(SessionEffect::Code, Scope::All);
const SETTING: Head = head(SessionEffect::Setting, Scope::All);
const OBJECT: Head = head(SessionEffect::Object, Scope::Names);

impl Head {
    /// Reads the first words of a statement, in upper case.
    pub(super) fn of(words: &[&str], dialect: Dialect) -> Self {
        match words {
            [] => NAMES,
            ["SELECT" | "INSERT" | "UPDATE" | "DELETE" | "WITH" | "VALUES" | "(" | "MERGE", ..] => {
                ROWS
            }
            ["SAVEPOINT" | "RELEASE", ..] | ["ROLLBACK", "TO", ..] => NAMES,
            ["ROLLBACK", "WORK" | "TRANSACTION", "TO", ..] => NAMES,
            _ => match dialect {
                Dialect::Postgres => postgres(words),
                Dialect::MySql => mysql(words),
                Dialect::Sqlite => sqlite(words),
            },
        }
    }
}

fn postgres(words: &[&str]) -> Head {
    match words {
        ["CREATE", rest @ ..] => create_in_postgres(rest),
        ["ALTER", "EXTENSION" | "FOREIGN" | "SERVER", ..] => CODE,
        ["ALTER", "USER", "MAPPING", ..] => CODE,
        ["ALTER", "TABLE" | "DOMAIN" | "MATERIALIZED", ..] => EXPRESSIONS,
        ["ALTER" | "DROP" | "COMMENT" | "GRANT" | "REVOKE" | "REASSIGN", ..] => NAMES,
        ["NOTIFY" | "CHECKPOINT" | "LOCK" | "SHOW", ..] => NAMES,
        ["TRUNCATE" | "TABLE" | "COPY", ..] => ROWS,
        // Its effect ends with the transaction, but it can fire triggers.
        ["SET", "CONSTRAINTS", ..] => ROWS,
        ["SET" | "RESET", ..] => SETTING,
        ["PREPARE", "TRANSACTION", ..] => CODE,
        ["PREPARE" | "DEALLOCATE" | "LISTEN" | "UNLISTEN" | "LOAD" | "DISCARD" | "CLOSE", ..] => {
            OBJECT
        }
        ["DECLARE", ..] if words.windows(2).any(|pair| pair == ["WITH", "HOLD"]) => OBJECT,
        ["DECLARE", ..] => ROWS,
        _ => CODE,
    }
}

fn create_in_postgres(words: &[&str]) -> Head {
    match words {
        ["OR", "REPLACE", rest @ ..] => create_in_postgres(rest),
        ["GLOBAL" | "LOCAL" | "UNLOGGED" | "UNIQUE" | "CONSTRAINT" | "RECURSIVE", rest @ ..] => {
            create_in_postgres(rest)
        }
        ["TEMP" | "TEMPORARY", ..] => OBJECT,
        ["TABLE", ..] => TABLE,
        ["INDEX", ..] => EXPRESSIONS,
        ["FUNCTION" | "PROCEDURE" | "TRIGGER" | "RULE", ..] => BODY,
        // A view of a temporary table is temporary, too.
        ["VIEW", ..] => NAMES,
        ["USER", "MAPPING", ..] => CODE,
        ["AGGREGATE" | "CAST" | "COLLATION" | "DATABASE" | "DOMAIN" | "EVENT" | "GROUP", ..] => {
            NAMES
        }
        ["OPERATOR" | "POLICY" | "PUBLICATION" | "ROLE" | "SCHEMA" | "SEQUENCE", ..] => NAMES,
        ["STATISTICS" | "TABLESPACE" | "TEXT" | "TYPE" | "USER", ..] => NAMES,
        _ => CODE,
    }
}

fn mysql(words: &[&str]) -> Head {
    match words {
        ["CREATE", rest @ ..] => create_in_mysql(rest),
        ["DROP", "TEMPORARY" | "PREPARE", ..] => OBJECT,
        ["ALTER" | "DROP" | "RENAME" | "GRANT" | "REVOKE", ..] => BODY,
        ["TRUNCATE" | "REPLACE" | "TABLE", ..] | ["LOAD", "DATA" | "XML", ..] => ROWS,
        ["SET" | "USE", ..] => SETTING,
        ["PREPARE" | "DEALLOCATE" | "HANDLER" | "LOCK" | "UNLOCK" | "XA" | "BACKUP", ..] => {
            head(SessionEffect::Object, Scope::All)
        }
        ["FLUSH", rest @ ..] if rest.iter().any(|word| matches!(*word, "LOCK" | "EXPORT")) => {
            OBJECT
        }
        // The list of tables may be longer than the first words.
        ["FLUSH", .., "TABLE" | "TABLES" | ","] if words.len() == LENGTH => OBJECT,
        ["FLUSH", "TABLE" | "TABLES", ..] if words.len() == LENGTH => OBJECT,
        ["FLUSH" | "SIGNAL" | "RESIGNAL" | "OPTIMIZE" | "CHECK" | "REPAIR" | "CHECKSUM", ..] => {
            NAMES
        }
        ["ANALYZE", "TABLE" | "LOCAL" | "NO_WRITE_TO_BINLOG", ..] => NAMES,
        // DO evaluates expressions, and has no rows to show.
        ["SHOW" | "DESC" | "DESCRIBE" | "HELP" | "GET" | "DO", ..] => EXPRESSIONS,
        _ => CODE,
    }
}

fn create_in_mysql(words: &[&str]) -> Head {
    match words {
        ["OR", "REPLACE", rest @ ..] => create_in_mysql(rest),
        ["TEMPORARY", ..] => OBJECT,
        ["TABLE", ..] => TABLE,
        // The server does not evaluate the text of an index, a routine or a view, or it holds no code of a user.
        _ => BODY,
    }
}

fn sqlite(words: &[&str]) -> Head {
    match words {
        ["CREATE", "TEMP" | "TEMPORARY", ..] | ["ATTACH" | "DETACH", ..] => OBJECT,
        ["CREATE", "TABLE", ..] => TABLE,
        ["CREATE", "INDEX" | "UNIQUE", ..] | ["ALTER", ..] => EXPRESSIONS,
        ["CREATE", "VIEW" | "TRIGGER", ..] => BODY,
        ["DROP" | "ANALYZE" | "REINDEX" | "VACUUM" | "EXPLAIN", ..] => NAMES,
        ["REPLACE", ..] => ROWS,
        ["PRAGMA", _, ".", pragma @ ..] | ["PRAGMA", pragma @ ..] => self::pragma(pragma),
        _ => CODE,
    }
}

/// The pragmas of SQLite that only read, or that write to the database file.
const PERMANENT: [&str; 13] = [
    "APPLICATION_ID",
    "FOREIGN_KEY_CHECK",
    "FOREIGN_KEY_LIST",
    "INCREMENTAL_VACUUM",
    "INDEX_INFO",
    "INDEX_LIST",
    "INDEX_XINFO",
    "INTEGRITY_CHECK",
    "QUICK_CHECK",
    "TABLE_INFO",
    "TABLE_LIST",
    "TABLE_XINFO",
    "USER_VERSION",
];

fn pragma(words: &[&str]) -> Head {
    match words {
        [name, "=" | "(", ..] if !PERMANENT.contains(&unquoted(name)) => SETTING,
        _ => NAMES,
    }
}

fn unquoted(name: &str) -> &str {
    name.trim_matches(['"', '\'', '`', '[', ']'])
}
