//! Writes the messages of a job, in the order in which they are sent.

use jetbase_core::{Action, Dialect, Effect, SessionEffect, TableLocks, Transaction};

use super::message::{FileMessage, Part, Purpose};
use super::{Grouping, Job, JobStatement};
use crate::dialect::Bindings;
use crate::session::Session;
use crate::target::ConnectionOwner;

pub(super) struct Writer<'w, 'j, 'c> {
    pub(super) job: &'w Job<'j>,
    pub(super) session: &'w Session<'c>,
    pub(super) bindings: &'w Bindings,
}

impl Writer<'_, '_, '_> {
    /// Returns all messages of the job.
    pub(super) fn messages(&self, grouping: Grouping) -> Vec<FileMessage> {
        match grouping {
            Grouping::OneMessage => {
                vec![FileMessage { parts: self.transaction(), retry_from: Some(0) }]
            }
            Grouping::OneTransaction => self
                .transaction()
                .into_iter()
                .map(|part| FileMessage { parts: vec![part], retry_from: Some(0) })
                .collect(),
            Grouping::PerStatement => self.per_statement(),
        }
    }

    fn part(&self, purpose: Purpose, template: &str) -> Part {
        Part { sql: self.bindings.render(template), purpose, results: 1 }
    }

    fn parts(&self, purpose: Purpose, templates: &[&str]) -> Vec<Part> {
        templates.iter().map(|template| self.part(purpose, template)).collect()
    }

    fn statement(&self, index: usize, statement: &JobStatement) -> Part {
        Part {
            sql: self.job.sent(&statement.range),
            purpose: Purpose::Statement(index),
            results: statement.results,
        }
    }

    fn fences(&self, fence: &str) -> Vec<Part> {
        let mut parts = vec![self.part(Purpose::Fence, fence)];
        parts.extend(self.session_fence());
        parts
    }

    /// Returns the fence on the session lock, if the session holds one that the server knows.
    fn session_fence(&self) -> Option<Part> {
        self.session
            .has_server_lock()
            .then(|| self.part(Purpose::Fence, self.session.sql.fence_session_lock))
    }

    fn guard(&self) -> Vec<Part> {
        self.parts(Purpose::Guard, self.session.guard(self.session.sql.guard_writing))
    }

    /// Returns the start of the transaction, with all checks that come before the file.
    fn opening(&self) -> Vec<Part> {
        let sql = self.session.sql;
        let mut open = self.parts(Purpose::Setup, sql.begin);
        open.extend(self.guard());
        match self.session.dialect {
            // With a locking fence before the file, the Python tool would hang instead of fail. A
            // plain fence inside the transaction would fix the snapshot that the file reads before
            // the file starts.
            Dialect::MySql => {
                let mut parts = self.fences(sql.fence);
                parts.append(&mut open);
                parts
            }
            Dialect::Postgres | Dialect::Sqlite => {
                open.extend(self.fences(sql.fence_locking));
                open
            }
        }
    }

    /// Returns the messages' parts for the whole file in one transaction.
    fn transaction(&self) -> Vec<Part> {
        let sql = self.session.sql;
        let mut parts = self.parts(Purpose::Setup, sql.session_settings);
        parts.extend(self.opening());
        parts.extend(self.parts(Purpose::Setup, sql.file_settings));
        let statements = self.job.statements.iter().enumerate();
        parts.extend(statements.map(|(index, it)| self.statement(index, it)));
        parts.extend(self.restored_settings());
        parts.extend(self.parts(Purpose::StillOpen, sql.still_open));
        parts.extend(self.closing());
        parts
    }

    /// Returns the settings that jetbase's own statements need again after those of the file.
    fn restored_settings(&self) -> Vec<Part> {
        let sql = self.session.sql;
        let untouched = match self.session.dialect {
            Dialect::Postgres => self.job.session_use.effect == SessionEffect::Nothing,
            Dialect::MySql => false,
            Dialect::Sqlite => self.job.session_use.effect < SessionEffect::Setting,
        };
        self.parts(
            Purpose::Setup,
            if untouched { sql.fence_settings } else { sql.restore_settings },
        )
    }

    /// Returns the last checks, the history row, the commit, and what follows it.
    fn closing(&self) -> Vec<Part> {
        let sql = self.session.sql;
        let mut parts = Vec::new();
        if self.session.foreign_keys && !sql.foreign_keys.is_empty() {
            parts.push(self.part(Purpose::ForeignKeys, sql.foreign_keys));
        }
        parts.extend(self.fences(sql.fence_locking));
        if self.session.has_superseded && self.job.replaces() {
            parts.extend(
                self.parts(Purpose::Guard, self.session.guard(sql.guard_superseded_writing)),
            );
            parts.extend(self.parts(Purpose::Record, sql.supersede));
        }
        let (record, recorded) = match self.job.action {
            Action::Apply => (sql.insert, sql.inserted),
            Action::Reapply => (sql.update, sql.updated),
            Action::RollBack => (sql.delete, sql.deleted),
        };
        if self.job.action == Action::Apply && self.may_have_number() {
            parts.extend(self.parts(Purpose::Record, sql.restore_number));
        }
        if !self.job.stale.is_empty() {
            parts.push(self.part(Purpose::Record, sql.mark_stale));
        }
        parts.push(self.part(Purpose::Record, record));
        parts.extend(self.parts(Purpose::Commit, sql.run_deferred));
        parts.push(self.part(Purpose::Recorded, recorded));
        parts.push(self.part(Purpose::Commit, "COMMIT"));
        // Outside a transaction, the file's settings apply to the whole session.
        let off = self.job.transaction == Transaction::Off;
        let effect = if off { SessionEffect::Object } else { self.job.session_use.effect };
        let reset = self.session.reset_statements(effect);
        parts.extend(reset.map(|sql| Part { sql, purpose: Purpose::Reset, results: 1 }));
        parts
    }

    /// Whether the session may have a next number: set by the caller, by the file, or by a trigger.
    fn may_have_number(&self) -> bool {
        let effect = self.job.session_use.effect;
        self.session.owner == ConnectionOwner::Caller
            || effect > SessionEffect::Rows
            || (effect == SessionEffect::Rows && self.session.has_triggers)
    }

    /// Returns each statement in a message of its own, after a fence, and then the record in a
    /// transaction.
    fn per_statement(&self) -> Vec<FileMessage> {
        let sql = self.session.sql;
        let once = |parts| FileMessage { parts, retry_from: None };
        let mut setup = self.parts(Purpose::Setup, sql.session_settings);
        // Through a pooler, a session's setting would affect other clients.
        if self.session.liveness.has_session_lock() || self.session.owner != ConnectionOwner::Run {
            setup.extend(self.parts(Purpose::Setup, sql.autocommit_settings));
        }
        let mut messages: Vec<_> = setup.into_iter().map(|part| once(vec![part])).collect();
        // The index of the message that starts the open transaction.
        let mut open = None;
        let mut locks = TableLocks::Released;
        for (index, statement) in self.job.statements.iter().enumerate() {
            let mut parts = Vec::new();
            let undoable = statement.effect == Effect::Transactional
                && self.job.transaction == Transaction::Whole
                && locks == TableLocks::Released;
            parts.extend(match locks {
                TableLocks::Released => self.fences_outside_transaction(sql.fence),
                // LOCK TABLES hides every other table, so only the session lock can be checked.
                TableLocks::Acquired => self.session_fence().into_iter().collect(),
            });
            if undoable && open.is_none() {
                parts.extend(self.parts(Purpose::Setup, sql.begin));
            }
            open = undoable.then(|| open.unwrap_or(messages.len()));
            locks = statement.table_locks.unwrap_or(locks);
            match self.session.dialect {
                // A message with this statement must contain no other, so the fence is sent in a
                // message before it.
                Dialect::Postgres | Dialect::Sqlite => {
                    messages.extend([once(parts), once(vec![self.statement(index, statement)])])
                }
                Dialect::MySql => {
                    parts.push(self.statement(index, statement));
                    messages.push(FileMessage { parts, retry_from: open });
                }
            }
        }
        let mut last = Vec::new();
        if locks == TableLocks::Acquired {
            messages.push(once(self.parts(Purpose::Setup, &["UNLOCK TABLES"])));
        }
        // The server must read the text of the last message in the character set in which it was
        // written.
        messages.extend(
            self.parts(Purpose::Setup, sql.encoding).into_iter().map(|part| once(vec![part])),
        );
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
        last.extend(self.closing());
        messages.push(FileMessage { retry_from: open.or(Some(messages.len())), parts: last });
        messages
    }

    /// Returns a fence for use outside a transaction, with the settings that it needs.
    fn fences_outside_transaction(&self, fence: &str) -> Vec<Part> {
        let mut parts = self.parts(Purpose::Setup, self.session.sql.fence_settings);
        parts
            .extend(self.parts(Purpose::Guard, self.session.guard(self.session.sql.guard_reading)));
        parts.extend(self.fences(fence));
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
