//! Writes the messages of a file whose statements commit by themselves, with the rows of the journal.

use jetbase_core::{Detection, Dialect, Effect, ObjectKind, TableLocks, Transaction};

use super::message::{FileMessage, Part, Purpose};
use super::writer::Writer;
use super::{Job, JobStatement};

/// How a statement commits, and how the journal records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Commit {
    /// With the statements around it that can be rolled back (MySQL).
    WithGroup,
    /// In one transaction with its row.
    WithRow,
    /// By itself. Its row is written before, and changed after it.
    Alone,
    /// By itself, while the file locks tables (MySQL). The server refuses to use other tables then.
    UnderTableLocks,
}

impl Job<'_> {
    /// Whether the statements of the file are recorded one by one.
    ///
    /// A file of one statement needs no journal if a second execution is refused or changes nothing:
    /// its history row is the record. A file that sets `gtid_next` gets no journal either, because a row
    /// of the journal would be the transaction that has the identifier.
    pub(crate) fn needs_journal(&self, dialect: Dialect) -> bool {
        if self.grouping(dialect) != super::Grouping::PerStatement
            || (dialect == Dialect::MySql && self.sets_transaction_identifier())
        {
            return false;
        }
        match (self.statements.as_slice(), dialect) {
            ([], _) => false,
            ([only], Dialect::MySql) => {
                only.detection == Detection::Ask && only.effect != Effect::Transactional
            }
            ([only], Dialect::Sqlite) => only.detection != Detection::Repeat,
            ([only], Dialect::Postgres) => {
                only.detection != Detection::Repeat || only.effect != Effect::NeedsNoTransaction
            }
            _ => true,
        }
    }

    fn sets_transaction_identifier(&self) -> bool {
        let names_it = |text: &str| text.to_ascii_lowercase().contains("gtid_next");
        self.statements.iter().any(|it| it.is_setting && names_it(self.text(&it.range)))
    }

    fn commit(&self, statement: &JobStatement, locks: TableLocks, dialect: Dialect) -> Commit {
        if locks == TableLocks::Acquired || statement.table_locks.is_some() {
            return Commit::UnderTableLocks;
        }
        if dialect == Dialect::MySql && self.is_undoable(statement) {
            return Commit::WithGroup;
        }
        // On SQLite, a query changes nothing.
        let is_query = dialect == Dialect::Sqlite
            && self.starts_with(statement, &["SELECT", "VALUES", "WITH"]);
        let is_query = is_query && statement.detection == Detection::Repeat;
        let is_transactional = statement.effect == Effect::Transactional && !is_query;
        if is_transactional && !statement.is_setting && self.joins_transaction(statement) {
            Commit::WithRow
        } else {
            Commit::Alone
        }
    }

    fn is_undoable(&self, statement: &JobStatement) -> bool {
        statement.effect == Effect::Transactional && self.transaction == Transaction::Whole
    }

    /// Whether a statement can run in a transaction that jetbase opens, by its first word. Others may
    /// call code that commits.
    fn joins_transaction(&self, statement: &JobStatement) -> bool {
        const WORDS: &[&str] = &[
            "ALTER", "ANALYZE", "COMMENT", "CREATE", "DELETE", "DROP", "GRANT", "INSERT", "MERGE",
            "REFRESH", "REPLACE", "REVOKE", "SELECT", "TRUNCATE", "UPDATE", "VALUES", "WITH",
        ];
        self.starts_with(statement, WORDS)
    }

    pub(super) fn starts_with(&self, statement: &JobStatement, words: &[&str]) -> bool {
        let text = self.text(&statement.range);
        let first: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
        words.iter().any(|word| word.eq_ignore_ascii_case(&first))
    }

    /// Whether a statement builds an index without a transaction, so that the index may be invalid
    /// afterwards (PostgreSQL).
    pub(super) fn builds_concurrently(&self, index: usize) -> bool {
        self.statements.get(index).is_some_and(|it| {
            matches!(&it.detection, Detection::Catalog(object) if object.concurrently && object.kind == ObjectKind::Index)
        })
    }
}

impl Writer<'_, '_, '_> {
    /// Returns the statements of the file one by one, and then the record in a transaction.
    pub(super) fn per_statement(&self) -> Vec<FileMessage> {
        let (sql, dialect) = (self.session.sql, self.session.dialect);
        let once = FileMessage::of;
        let mut messages: Vec<_> = self.setup().into_iter().map(|part| once(vec![part])).collect();
        messages.extend(self.replayed().map(|part| once(vec![part])));
        // The index of the message that starts the open transaction, and the first statement in it.
        let mut open: Option<(usize, usize)> = None;
        // The first statement under table locks.
        let mut locked_from = None;
        let mut locks = TableLocks::Released;
        for (index, statement) in self.job.statements.iter().enumerate().skip(self.done) {
            let commit = self.job.commit(statement, locks, dialect);
            if commit != Commit::WithGroup
                && let Some((start, first)) = open.take()
            {
                messages.push(self.end_of_group(first..index).retried_from(Some(start)));
            }
            match commit {
                Commit::WithGroup => {
                    let mut parts = vec![self.fence(sql.fence)];
                    if open.is_none() {
                        parts.extend(self.parts(Purpose::Setup, sql.begin));
                    }
                    parts.push(self.statement(index, statement));
                    let (start, _) = *open.get_or_insert((messages.len(), index));
                    messages.push(once(parts).retried_from(Some(start)));
                }
                Commit::WithRow => {
                    let retry_from = Some(messages.len());
                    messages.push(self.with_row(index, statement).retried_from(retry_from));
                }
                Commit::Alone => messages.extend(self.alone(index, statement, messages.len())),
                Commit::UnderTableLocks => {
                    let mut parts = Vec::new();
                    match locks {
                        TableLocks::Released => {
                            parts.extend(self.intent(index));
                        }
                        // LOCK TABLES hides every other table, so only the session lock can be checked.
                        TableLocks::Acquired => parts.extend(self.session_fence()),
                    }
                    let first = *locked_from.get_or_insert(index);
                    locks = statement.table_locks.unwrap_or(locks);
                    parts.push(self.statement(index, statement));
                    let mut done = None;
                    if locks == TableLocks::Released {
                        locked_from = None;
                        parts.extend(self.rows_of(first..index + 1));
                        done = Some(index + 1);
                    }
                    let done_at_once = Some(index + 1);
                    messages.push(FileMessage {
                        done: done.or(done_at_once),
                        done_at_once,
                        ..once(parts)
                    });
                }
            }
        }
        if locks == TableLocks::Acquired {
            messages.push(once(self.parts(Purpose::Setup, &["UNLOCK TABLES"])));
        }
        // The server must read the text of the last message in the character set in which it was
        // written.
        messages.extend(
            self.parts(Purpose::Setup, sql.encoding).into_iter().map(|part| once(vec![part])),
        );
        let mut last = Vec::new();
        match open {
            Some(_) => {
                last.extend(self.restored_settings());
                last.extend(self.parts(Purpose::StillOpen, sql.still_open));
            }
            None => {
                last.extend(self.restored_settings_outside_transaction());
                last.extend(self.opening());
            }
        }
        last.extend(self.committing_fences());
        last.extend(self.closing());
        let retry_from = open.map_or(messages.len(), |(start, _)| start);
        messages.push(once(last).retried_from(Some(retry_from)));
        messages
    }

    /// Returns the settings of the session.
    fn setup(&self) -> Vec<Part> {
        let sql = self.session.sql;
        let mut setup = self.parts(Purpose::Setup, sql.session_settings);
        // Through a pooler, a session's setting would affect other clients.
        let is_private = self.session.liveness.has_session_lock()
            || self.session.owner != crate::target::ConnectionOwner::Run;
        if is_private {
            setup.extend(self.parts(Purpose::Setup, sql.autocommit_settings));
        }
        setup
    }

    /// Returns the end of a group of statements: their rows, and the COMMIT.
    fn end_of_group(&self, statements: std::ops::Range<usize>) -> FileMessage {
        let sql = self.session.sql;
        let done = Some(statements.end);
        let mut parts = self.parts(Purpose::StillOpen, sql.still_open);
        parts.extend(self.committing_fences());
        parts.extend(self.rows_of(statements));
        // The file may have set `completion_type`.
        parts.push(self.rendered(Purpose::Journal, "COMMIT AND NO CHAIN NO RELEASE"));
        FileMessage { done, ..FileMessage::of(parts) }
    }

    /// Returns a statement in one transaction with its row.
    fn with_row(&self, index: usize, statement: &JobStatement) -> FileMessage {
        let sql = self.session.sql;
        let mut parts = Vec::new();
        match self.session.dialect {
            // With a locking fence before the statement, the Python tool would hang instead of fail.
            Dialect::MySql => {
                parts.push(self.fence(sql.fence));
                parts.extend(self.parts(Purpose::Setup, sql.begin));
                parts.push(self.statement(index, statement));
                parts.extend(self.committing_fences());
            }
            Dialect::Sqlite => {
                parts.extend(self.parts(Purpose::Setup, sql.begin));
                parts.push(self.fence(sql.fence_locking));
                parts.push(self.statement(index, statement));
            }
            // With a locking fence before the statement, an unlock would wait for it.
            Dialect::Postgres => {
                let (begin, settings) = sql.begin.split_at(1);
                parts.extend(self.parts(Purpose::Setup, begin));
                parts.extend(self.parts(Purpose::Setup, &[SAVE_SETTINGS]));
                parts.extend(self.parts(Purpose::Setup, settings));
                parts.extend(self.guard());
                parts.extend(self.journal_guard());
                parts.push(self.fence(sql.fence));
                parts.extend(self.parts(Purpose::Setup, &[RESTORE_SAVED_SETTINGS]));
                parts.push(self.statement(index, statement));
                parts.extend(self.parts(Purpose::Setup, settings));
                parts.push(self.fence(sql.fence_locking));
            }
        }
        parts.extend(self.rows_of(index..index + 1));
        parts.push(self.rendered(Purpose::CommitStatement(index), "COMMIT"));
        FileMessage { done: Some(index + 1), ..FileMessage::of(parts) }
    }

    /// Returns a statement that commits by itself, with the change of its row before and after it.
    /// `start` is the index of its first message.
    fn alone(&self, index: usize, statement: &JobStatement, start: usize) -> Vec<FileMessage> {
        let is_setting = statement.is_setting;
        let statement = self.statement(index, statement);
        let (done, done_at_once) = (Some(index + 1), Some(index + 1));
        let message = |parts| FileMessage { done, done_at_once, ..FileMessage::of(parts) };
        match self.session.dialect {
            Dialect::MySql => {
                let mut parts = self.intent(index);
                parts.push(statement);
                // A setting could keep the row from being written. The next statement marks it.
                if !is_setting {
                    parts.extend(self.done(index));
                }
                vec![message(parts)]
            }
            // A message with this statement must contain no other.
            Dialect::Postgres | Dialect::Sqlite => {
                let before = FileMessage::of(self.intent(index)).retried_from(Some(start));
                let mut messages = vec![before];
                match self.validity(index) {
                    // With an invalid index, the statement counts as failed.
                    Some(check) => {
                        messages.push(FileMessage::of(vec![statement]));
                        messages.push(FileMessage { done, ..FileMessage::of(vec![check]) });
                    }
                    None => messages.push(message(vec![statement])),
                }
                let done = self.done(index);
                let is_last = index + 1 == self.job.statements.len();
                if self.session.dialect == Dialect::Sqlite && !is_last && !done.is_empty() {
                    let retry_from = Some(start + messages.len());
                    messages.push(FileMessage::of(done).retried_from(retry_from));
                }
                messages
            }
        }
    }

    /// Returns the check that a statement has left no invalid index.
    fn validity(&self, index: usize) -> Option<Part> {
        if !self.job.builds_concurrently(index) {
            return None;
        }
        let sql = self.session.sql;
        let found = self.job.catalog_expression(sql, self.session.dialect, index)?;
        let check = format!("SELECT 1 OPERATOR(pg_catalog./) (2 OPERATOR(pg_catalog.-) {found})");
        Some(Part { sql: check, purpose: Purpose::Valid(index), results: 1 })
    }

    /// Returns a fence for use outside a transaction, with the settings that it needs.
    pub(super) fn fences_outside_transaction(&self) -> Vec<Part> {
        let sql = self.session.sql;
        let mut parts = self.parts(Purpose::Setup, sql.fence_settings);
        parts.extend(self.parts(Purpose::Guard, self.session.guard(sql.guard_reading)));
        parts.push(self.fence(sql.fence));
        parts
    }

    /// Returns the settings that jetbase's own statements need again when no transaction is open.
    fn restored_settings_outside_transaction(&self) -> Vec<Part> {
        match self.session.dialect {
            // The transaction that follows sets everything else.
            Dialect::Postgres => self.parts(Purpose::Setup, &["RESET SESSION AUTHORIZATION"]),
            Dialect::MySql | Dialect::Sqlite => self.restored_settings(),
        }
    }
}

/// Saves the settings of the file (PostgreSQL).
const SAVE_SETTINGS: &str = "SELECT pg_catalog.set_config('jetbase.file_path', pg_catalog.current_setting('search_path'), true),
  pg_catalog.set_config('jetbase.file_role', pg_catalog.current_setting('role'), true),
  pg_catalog.set_config('jetbase.file_timeout', pg_catalog.current_setting('statement_timeout'), true),
  pg_catalog.set_config('jetbase.file_lock_timeout', pg_catalog.current_setting('lock_timeout'), true)";

/// Restores them until the end of the transaction.
const RESTORE_SAVED_SETTINGS: &str =
    "SELECT set_config('statement_timeout', current_setting('jetbase.file_timeout'), true),
  set_config('lock_timeout', current_setting('jetbase.file_lock_timeout'), true),
  set_config('role', current_setting('jetbase.file_role'), true),
  set_config('search_path', current_setting('jetbase.file_path'), true)";
