//! Lints: statements that run, but can do harm.
//!
//! They read tokens only, so they know neither types nor sizes. A table that the
//! same file creates is empty, so the lints do not warn about it.

mod file_context;
mod words;

use self::file_context::FileContext;
use self::words::{actions, name, parenthesised, words, words_of};
use crate::file::{MigrationKind, Transaction};
use crate::sql::{Dialect, Statement, Token};

/// The rules of the lints, as `-- jetbase: allow=<rule>` names them.
pub const LINTS: [&str; 13] = [
    "drop-table",
    "drop-column",
    "rename",
    "type-change",
    "not-null",
    "index-concurrently",
    "constraint-not-valid",
    "not-idempotent",
    "truncate",
    "no-where",
    "session-set",
    EMPTY,
    NEAR_MARKER,
];

/// The rule about a versioned migration without statements.
pub const EMPTY: &str = "empty";

/// The rule about a comment that is nearly the line `-- rollback`.
pub const NEAR_MARKER: &str = "rollback-marker";

/// A warning about a statement: its rule, the possible harm, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LintHit(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static str,
);

const DROP_TABLE: LintHit = LintHit(
    "drop-table",
    "this deletes data permanently",
    "first deploy a program that does not use it, and drop it in a later release",
);
const DROP_COLUMN: LintHit = LintHit(
    "drop-column",
    "this drops a column that running programs may still read",
    "first deploy a program that does not use it, and drop it in a later release",
);
const RENAME: LintHit = LintHit(
    "rename",
    "running programs still use the old name",
    "add the new one, copy the data, and drop the old one in a later release; or create a view with the old name",
);
const TYPE_CHANGE: LintHit = LintHit(
    "type-change",
    "a new type may rewrite the whole table under a lock, and running programs still expect the old type",
    "add a column of the new type, copy the data, and use the new column in a later release",
);
const NOT_NULL: LintHit = LintHit(
    "not-null",
    "this fails if a row has no value, and running programs may still write rows without one",
    "set a DEFAULT; or add the column without NOT NULL, fill it, and add NOT NULL in a later release",
);
const INDEX: LintHit = LintHit(
    "index-concurrently",
    "building this index blocks all writes to its table",
    "use CREATE INDEX CONCURRENTLY in a separate file with `-- jetbase: transaction=off` at the top",
);
const INDEX_OF_CONSTRAINT: LintHit = LintHit(
    "index-concurrently",
    "building the index of this constraint blocks all reads and writes of its table",
    "use CREATE UNIQUE INDEX CONCURRENTLY in a separate file with `-- jetbase: transaction=off` at the top, and then ADD CONSTRAINT … USING INDEX",
);
const NOT_VALID: LintHit = LintHit(
    "constraint-not-valid",
    "checking the rows of the table blocks all writes to it",
    "add the constraint as NOT VALID, and run VALIDATE CONSTRAINT in a separate migration",
);
const NOT_IDEMPOTENT: LintHit = LintHit(
    "not-idempotent",
    "a repeatable migration runs several times, but the second time this statement fails or inserts its rows again",
    "use CREATE OR REPLACE, IF [NOT] EXISTS or ON CONFLICT, or drop or delete first",
);
const TRUNCATE: LintHit = LintHit(
    "truncate",
    "this deletes all rows of the table",
    "use DELETE with a WHERE that names the rows",
);
const NO_WHERE: LintHit = LintHit(
    "no-where",
    "without WHERE, this changes and locks every row of the table",
    "add a WHERE",
);
const SET_LOCAL: LintHit = LintHit(
    "session-set",
    "this setting stays in the session after the migration if a pooler or the Python tool shares the session",
    "use SET LOCAL, which ends with the transaction",
);
const SET_BACK: LintHit = LintHit(
    "session-set",
    "this setting stays in the session after the migration if a pooler or the Python tool shares the session",
    "restore the setting at the end of the file",
);

/// What the lints know about a file.
pub(crate) struct Lints {
    pub(crate) kind: MigrationKind,
    pub(crate) transaction: Transaction,
    /// The dialect, when the set names one.
    pub(crate) dialect: Option<Dialect>,
}

impl Lints {
    /// The warnings about the statements of a file.
    pub(crate) fn hits<'a, 't>(
        &self,
        statements: &'a [Statement<'t>],
    ) -> Vec<(&'a Statement<'t>, LintHit)> {
        let read = |it: &'a Statement<'t>| Some((it, words(it, self.kind)?));
        let (statements, all): (Vec<_>, Vec<_>) = statements.iter().filter_map(read).unzip();
        let all: Vec<Vec<_>> =
            all.iter().map(|words| words.iter().map(String::as_str).collect()).collect();
        let mut seen = FileContext::ahead(&all);
        let mut hits = Vec::new();
        for (words, statement) in all.iter().zip(statements) {
            let mut found = self.statement(words, &seen);
            if found.is_empty() && words.first() == Some(&"WITH") {
                found.extend(self.with_clause(statement, &seen));
            }
            if self.kind.is_repeatable() && differs_when_repeated(words, &seen) {
                found.push(NOT_IDEMPOTENT);
            }
            hits.extend(found.into_iter().map(|hit| (statement, hit)));
            seen.add(words);
        }
        hits
    }

    fn statement(&self, words: &[&str], seen: &FileContext) -> Vec<LintHit> {
        let once = self.kind == MigrationKind::Versioned;
        let postgres = self.dialect == Some(Dialect::Postgres);
        let hit = match words {
            ["DROP", "TABLE", rest @ ..] if !seen.may_drop(rest) => DROP_TABLE,
            ["DROP", "SCHEMA" | "DATABASE", ..] => DROP_TABLE,
            ["TRUNCATE", rest @ ..]
                if once && !seen.made_all(rest.strip_prefix(&["TABLE"]).unwrap_or(rest)) =>
            {
                TRUNCATE
            }
            ["RENAME", "TABLE", ..] => RENAME,
            ["CREATE", "INDEX", rest @ ..] | ["CREATE", "UNIQUE", "INDEX", rest @ ..]
                if postgres =>
            {
                let table = rest
                    .iter()
                    .skip_while(|word| **word != "ON")
                    .skip(1)
                    .copied()
                    .collect::<Vec<_>>();
                match rest {
                    ["CONCURRENTLY", ..] => return Vec::new(),
                    _ if seen.made(&table) => return Vec::new(),
                    _ => INDEX,
                }
            }
            ["ALTER", "TABLE", rest @ ..] if !seen.made(rest) => return self.alter_table(rest),
            ["SET", rest @ ..] if self.outlives(rest) && !seen.is_set_back(rest, postgres) => {
                match (postgres, self.transaction) {
                    (true, Transaction::Whole) => SET_LOCAL,
                    _ => SET_BACK,
                }
            }
            _ if once && all_rows(words, seen) => NO_WHERE,
            _ => return Vec::new(),
        };
        vec![hit]
    }

    /// The warning about the parts of a `WITH`, which can change rows on PostgreSQL.
    fn with_clause(&self, statement: &Statement<'_>, seen: &FileContext) -> Option<LintHit> {
        let changes_all = |part: &[Token<'_>]| {
            let words = words_of(part.iter().copied());
            all_rows(&words.iter().map(String::as_str).collect::<Vec<_>>(), seen)
        };
        let tokens: Vec<_> = statement.tokens().collect();
        let once = self.kind == MigrationKind::Versioned;
        (once && parenthesised(&tokens).into_iter().any(changes_all)).then_some(NO_WHERE)
    }

    fn alter_table(&self, rest: &[&str]) -> Vec<LintHit> {
        let postgres = self.dialect == Some(Dialect::Postgres);
        let (_, rest) = name(rest);
        actions(rest).filter_map(|action| self::action(action, postgres)).collect()
    }

    /// Whether a setting lasts longer than its transaction.
    fn outlives(&self, rest: &[&str]) -> bool {
        match rest {
            ["LOCAL" | "CONSTRAINTS" | "TRANSACTION", ..] => false,
            // A user variable, such as `@rows`.
            ["@", next, ..] => *next == "@",
            ["SESSION", "AUTHORIZATION", ..] => true,
            ["STATEMENT" | "PASSWORD" | "DEFAULT", ..] | [.., "DEFAULT"] => false,
            _ => true,
        }
    }
}

/// The statements whose settings last longer than the file.
pub(crate) fn lasting_settings<'a, 't>(
    statements: &'a [Statement<'t>],
    dialect: Dialect,
) -> impl Iterator<Item = &'a Statement<'t>> {
    let (kind, transaction) = (MigrationKind::Versioned, Transaction::Whole);
    let hits = Lints { kind, transaction, dialect: Some(dialect) }.hits(statements).into_iter();
    hits.filter(|(_, LintHit(rule, ..))| *rule == "session-set").map(|(statement, _)| statement)
}

/// Whether the second run of these statements, which are those of a repeatable file, succeeds and
/// inserts no row again.
pub(crate) fn can_repeat(statements: &[Statement<'_>]) -> bool {
    let (kind, transaction) = (MigrationKind::RunsOnChange, Transaction::Whole);
    let hits = Lints { kind, transaction, dialect: None }.hits(statements);
    !hits.iter().any(|(_, hit)| *hit == NOT_IDEMPOTENT)
}

/// The warning about one action of an ALTER TABLE.
fn action(action: &[&str], postgres: bool) -> Option<LintHit> {
    let has = |word: &str| action.contains(&word);
    let follows = |words: [&str; 2]| action.windows(2).any(|pair| pair == words);
    let filled = [
        "DEFAULT",
        "GENERATED",
        "AS",
        "IDENTITY",
        "AUTO_INCREMENT",
        "SERIAL",
        "BIGSERIAL",
        "SMALLSERIAL",
    ];
    match action {
        ["DROP", "PARTITION", ..] => Some(DROP_TABLE),
        ["TRUNCATE", "PARTITION", ..] => Some(TRUNCATE),
        ["DROP", "COLUMN", ..] => Some(DROP_COLUMN),
        ["DROP", what, ..] if !NO_COLUMN.contains(what) => Some(DROP_COLUMN),
        ["RENAME", what, ..] if !NO_COLUMN.contains(what) => Some(RENAME),
        ["CHANGE" | "MODIFY", ..] => Some(TYPE_CHANGE),
        ["ALTER", ..] if follows(["SET", "NOT"]) => Some(NOT_NULL),
        ["ALTER", _, "TYPE", ..] | ["ALTER", "COLUMN", _, "TYPE", ..] => Some(TYPE_CHANGE),
        ["ALTER", ..] if follows(["DATA", "TYPE"]) => Some(TYPE_CHANGE),
        ["ADD", "CONSTRAINT", _, "CHECK" | "FOREIGN", ..] | ["ADD", "CHECK" | "FOREIGN", ..] => {
            (postgres && !follows(["NOT", "VALID"])).then_some(NOT_VALID)
        }
        ["ADD", "CONSTRAINT", _, "UNIQUE" | "PRIMARY", ..] | ["ADD", "UNIQUE" | "PRIMARY", ..] => {
            (postgres && !follows(["USING", "INDEX"])).then_some(INDEX_OF_CONSTRAINT)
        }
        ["ADD", what, ..] if !NO_COLUMN.contains(what) => {
            (follows(["NOT", "NULL"]) && !filled.iter().any(|word| has(word))).then_some(NOT_NULL)
        }
        _ => None,
    }
}

/// The words after ADD, DROP or RENAME that do not mean a column.
const NO_COLUMN: [&str; 18] = [
    "(",
    "CHECK",
    "CONSTRAINT",
    "DEFAULT",
    "EXPRESSION",
    "FOREIGN",
    "FULLTEXT",
    "IDENTITY",
    "INDEX",
    "KEY",
    "NOT",
    "PARTITION",
    "PERIOD",
    "PRIMARY",
    "SPATIAL",
    "SYSTEM",
    "UNIQUE",
    "VALUE",
];

/// Whether a statement without WHERE changes or deletes the rows of a table that existed before the file.
fn all_rows(words: &[&str], seen: &FileContext) -> bool {
    let verb = match words {
        ["WITH", rest @ ..] => rest
            .iter()
            .position(|word| matches!(*word, "SELECT" | "INSERT" | "UPDATE" | "DELETE"))
            .map(|at| at + 1),
        _ => Some(0),
    };
    let words = verb.and_then(|at| words.get(at..)).unwrap_or_default();
    let table = match words {
        ["UPDATE", "OR", _, table @ ..] | ["UPDATE", table @ ..] => table,
        ["DELETE", "FROM", table @ ..] => table,
        _ => return false,
    };
    let has = |word: &str| words.contains(&word);
    // In MySQL, an inner join or a LIMIT also selects rows; an outer join does not.
    let some = has("WHERE") || has("LIMIT") || (has("JOIN") && !has("LEFT") && !has("RIGHT"));
    !some && !seen.made(table)
}

/// Whether the second run of a statement differs from the first.
fn differs_when_repeated(words: &[&str], seen: &FileContext) -> bool {
    let exists = words.windows(2).any(|pair| pair == ["IF", "NOT"] || pair == ["IF", "EXISTS"]);
    match words {
        ["CREATE", "OR", "REPLACE", ..] | ["CREATE", "TEMP" | "TEMPORARY", ..] => false,
        ["CREATE", ..] => !exists && !seen.dropped,
        ["DROP", ..] => !exists,
        ["INSERT", "IGNORE" | "OR", ..] => false,
        ["INSERT", ..] => {
            !words.iter().any(|word| matches!(*word, "CONFLICT" | "DUPLICATE" | "WHERE"))
                && !seen.emptied
        }
        ["ALTER", "TABLE", ..] => !exists && words.contains(&"ADD") && !seen.dropped,
        _ => false,
    }
}
