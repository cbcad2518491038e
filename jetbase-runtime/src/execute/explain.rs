//! A failed message, explained by its place in the file.

use jetbase_core::{Effect, Position, Transaction, snippet};

use super::message::{Halt, Role};
use super::{Job, Mode};
use crate::connection::CauseKind;
use crate::error::{Error, ErrorKind, Outcome, StatementError};
use crate::session::Session;

/// What to do about rows without parents.
const NO_ORPHANS: &str = "delete those rows in the file, or mend their references";
/// What to do about a file that gives our lock back.
const GIVE_LESS: &str = "release only the file's own locks, not all of them: without pg_advisory_unlock_all(), \
                         RELEASE_ALL_LOCKS() and DISCARD ALL";

impl Job<'_> {
    /// The rows that lost their parents, in words, when that is what stopped the file.
    pub(super) async fn orphans(&self, session: &mut Session<'_>, halt: &Halt) -> Option<String> {
        if halt.role != Role::ForeignKeys {
            return None;
        }
        let sets = session.raw("PRAGMA foreign_key_check").await.ok()?;
        let rows = sets.first().map(|set| set.rows.as_slice()).unwrap_or_default();
        let words: Vec<_> = rows
            .iter()
            .take(5)
            .map(|row| format!("{} row {} → {}", row.text(0), row.text(1), row.text(2)))
            .collect();
        let more = if rows.len() > words.len() { ", …" } else { "" };
        let count = match rows.len() {
            1 => "a row without its parent".to_owned(),
            count => format!("{count} rows without their parents"),
        };
        Some(format!("it leaves {count}: {}{more}", words.join(", ")))
    }

    /// Whether a file that its fence stopped had given the lock back itself, in words: its row is
    /// still ours, what proves our life is not.
    pub(super) async fn given_away(
        &self,
        session: &mut Session<'_>,
        halt: &Halt,
    ) -> Option<String> {
        if halt.role != Role::Fence || halt.executed == 0 || !session.proof.is_proof() {
            return None;
        }
        let sets = session.send(session.sql.poll).await.ok()?;
        let row = sets.first()?.rows.first()?;
        let ours = session.claim.as_ref().is_some_and(|claim| row.opt(1) == Some(claim.id()));
        let given = row.is_true(0) && ours && !row.is_true(3);
        given.then(|| "it gives back all locks of its session, jetbase's own among them".to_owned())
    }

    pub(super) fn explain(
        &self,
        session: &Session<'_>,
        halt: Halt,
        mode: Mode,
        misdeed: Option<String>,
    ) -> Error {
        let file = self.migration.path();
        let alone = mode == Mode::EachAlone;
        if halt.cause.kind == CauseKind::Lost {
            // Who looks at the history afterwards may know better.
            let outcome = if alone { Outcome::InDoubt } else { Outcome::Unknown };
            return Error::new(ErrorKind::Interrupted {
                file: file.to_owned(),
                outcome,
                message: halt.cause.message,
            });
        }
        let permanent = if alone { self.permanent(halt.executed) } else { 0 };
        match halt.role {
            Role::Fence if session.sql.fence_codes.contains(&halt.cause.code.as_str()) => {
                match misdeed {
                    Some(misdeed) => self.misdeed(misdeed, GIVE_LESS, permanent),
                    None => Error::new(ErrorKind::LockLost { file: Some(file.to_owned()) }),
                }
            }
            Role::Statement(index) => self.statement_error(&halt, Some(index), permanent),
            Role::Commit => self.statement_error(&halt, None, permanent),
            Role::StillOpen => Error::place(format!(
                "{file} ended its transaction itself, with a COMMIT inside a statement; take it out: nothing was recorded"
            )),
            Role::ForeignKeys => {
                self.misdeed(misdeed.unwrap_or(halt.cause.message), NO_ORPHANS, permanent)
            }
            Role::Record if halt.cause.code == "23505" && halt.cause.message.contains("_pkey") => {
                let (schema, table) = (&session.place.schema, "jetbase_migrations");
                Error::place(format!(
                    "{file} cannot be recorded: the numbers of {table} are behind its rows, as after a copy without \
                     its sequence; run SELECT setval(pg_get_serial_sequence('\"{schema}\".{table}', 'order_executed'), \
                     (SELECT max(order_executed) FROM \"{schema}\".{table})), then run again"
                ))
            }
            Role::Record => Error::database(format!("recording {file}"), &halt.cause),
            Role::Frame | Role::Fence | Role::Reset => {
                Error::database(format!("preparing {file}"), &halt.cause)
            }
        }
    }

    /// What a file has done that none of its statements failed with.
    fn misdeed(&self, message: String, hint: &str, permanent: usize) -> Error {
        Error::new(ErrorKind::Statement(Box::new(StatementError {
            file: self.migration.path().to_owned(),
            position: None,
            snippet: String::new(),
            message,
            code: String::new(),
            detail: None,
            hint: Some(hint.to_owned()),
            statement: None,
            permanent,
        })))
    }

    /// How many statements cannot be undone once `executed` of them ran.
    fn permanent(&self, executed: usize) -> usize {
        if self.transaction == Transaction::Off {
            return executed;
        }
        let ran = self.statements.get(..executed).unwrap_or_default();
        ran.iter().rposition(|(_, effect)| *effect != Effect::Transactional).map_or(0, |at| at + 1)
    }

    fn statement_error(&self, halt: &Halt, index: Option<usize>, permanent: usize) -> Error {
        let text = self.script.text();
        let range =
            index.and_then(|index| self.statements.get(index)).map(|(range, _)| range.clone());
        let at = range.clone().map(|range| {
            let statement = self.text(&range);
            let pointed =
                halt.offset.and_then(|chars| statement.char_indices().nth(chars)).map(|(at, _)| at);
            let inside = pointed
                .or_else(|| line_of(&halt.cause.message, statement))
                .or_else(|| token_of(&halt.cause.message, statement));
            range.start + inside.unwrap_or(0)
        });
        let width = |at: usize| {
            let rest = text.get(at..).unwrap_or_default();
            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').count().max(1)
        };
        Error::new(ErrorKind::Statement(Box::new(StatementError {
            file: self.migration.path().to_owned(),
            position: at.map(|at| Position::of(text, at)),
            snippet: at.map(|at| snippet(text, at, width(at))).unwrap_or_default(),
            message: halt.cause.message.clone(),
            code: halt.cause.code.clone(),
            detail: halt.cause.detail.clone(),
            hint: halt.cause.hint.clone(),
            statement: index.map(|index| (index + 1, self.statements.len())),
            permanent,
        })))
    }
}

/// MySQL counts lines inside the failing statement: `… at line 3`.
fn line_of(message: &str, statement: &str) -> Option<usize> {
    let line: usize = message.rsplit_once(" at line ")?.1.parse().ok()?;
    let start: usize =
        statement.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let indent = statement.get(start..)?.chars().take_while(|c| *c == ' ' || *c == '\t').count();
    Some(start + indent)
}

/// SQLite names the word it stumbled over: `near "x": syntax error`; it counts if it stands there once.
fn token_of(message: &str, statement: &str) -> Option<usize> {
    let word = message.strip_prefix("near \"")?.split_once("\": ")?.0;
    let mut found = statement.match_indices(word);
    let (at, _) = found.next()?;
    found.next().is_none().then_some(at)
}
