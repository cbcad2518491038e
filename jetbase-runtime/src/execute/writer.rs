//! Writes the messages of a job, in the order in which they are sent.

use jetbase_core::{Action, Dialect, SessionEffect, Transaction};

use super::job_group::TransactionPart;
use super::message::{FileMessage, Part, Purpose};
use super::{Grouping, Job, JobStatement};
use crate::dialect::Bindings;
use crate::session::Session;
use crate::target::ConnectionOwner;

pub(super) struct Writer<'w, 'j, 'c> {
    pub(super) job: &'w Job<'j>,
    pub(super) session: &'w Session<'c>,
    pub(super) bindings: &'w Bindings,
    /// How many statements from the first one are permanent. They are not sent again.
    pub(super) done: usize,
    pub(super) part: TransactionPart,
}

impl Writer<'_, '_, '_> {
    /// Returns all messages of the job.
    pub(super) fn messages(&self, grouping: Grouping) -> Vec<FileMessage> {
        match grouping {
            Grouping::OneMessage => {
                vec![FileMessage::of(self.transaction()).retried_from(Some(0))]
            }
            Grouping::OneTransaction => self
                .transaction()
                .into_iter()
                .map(|part| FileMessage::of(vec![part]).retried_from(Some(0)))
                .collect(),
            Grouping::PerStatement => self.per_statement(),
        }
    }

    pub(super) fn rendered(&self, purpose: Purpose, template: &str) -> Part {
        Part { sql: self.bindings.render(template), purpose, results: 1 }
    }

    pub(super) fn parts(&self, purpose: Purpose, templates: &[&str]) -> Vec<Part> {
        templates.iter().map(|template| self.rendered(purpose, template)).collect()
    }

    pub(super) fn statement(&self, index: usize, statement: &JobStatement) -> Part {
        Part {
            sql: self.job.sent(&statement.range),
            purpose: Purpose::Statement(index),
            results: statement.results,
        }
    }

    /// Returns the statements of the permanent part that set the session.
    pub(super) fn replayed(&self) -> impl Iterator<Item = Part> {
        let statements = self.job.statements.iter().take(self.done).enumerate();
        let settings = statements.filter(|(_, statement)| statement.is_setting);
        settings.map(|(index, statement)| Part {
            purpose: Purpose::Replay(index),
            ..self.statement(index, statement)
        })
    }

    pub(super) fn fence(&self, fence: &str) -> Part {
        self.rendered(Purpose::Fence, fence)
    }

    /// Returns the fences before the commit of a transaction.
    pub(super) fn committing_fences(&self) -> Vec<Part> {
        self.parts(Purpose::Fence, &self.session.committing_fences())
    }

    /// Returns the fence on the session lock, if the session holds one that the server knows.
    pub(super) fn session_fence(&self) -> Option<Part> {
        self.session
            .has_server_lock()
            .then(|| self.rendered(Purpose::Fence, self.session.sql.fence_session_lock))
    }

    pub(super) fn guard(&self) -> Vec<Part> {
        self.parts(Purpose::Guard, self.session.guard(self.session.sql.guard_writing))
    }

    /// Returns the start of the transaction, with all checks that come before the file.
    pub(super) fn opening(&self) -> Vec<Part> {
        let sql = self.session.sql;
        let mut open = self.parts(Purpose::Setup, sql.begin);
        open.extend(self.guard());
        match self.session.dialect {
            // With a locking fence before the file, the Python tool would hang instead of fail. A
            // plain fence inside the transaction would fix the snapshot that the file reads before
            // the file starts.
            Dialect::MySql => {
                let mut parts = vec![self.fence(sql.fence)];
                parts.append(&mut open);
                parts
            }
            Dialect::Postgres | Dialect::Sqlite => {
                open.push(self.fence(sql.fence_locking));
                open
            }
        }
    }

    /// Returns the messages' parts for the whole file in one transaction.
    fn transaction(&self) -> Vec<Part> {
        let sql = self.session.sql;
        let mut parts = self.parts(Purpose::Setup, sql.session_settings);
        parts.extend(match self.part.begins {
            true => self.opening(),
            // What comes after BEGIN.
            false => self.parts(Purpose::Setup, sql.begin.get(1..).unwrap_or_default()),
        });
        parts.extend(self.parts(Purpose::Setup, sql.file_settings));
        parts.extend(self.replayed());
        let statements = self.job.statements.iter().enumerate().skip(self.done);
        parts.extend(statements.map(|(index, it)| self.statement(index, it)));
        parts.extend(self.restored_settings());
        parts.extend(self.parts(Purpose::StillOpen, sql.still_open));
        if self.part.commits {
            parts.extend(match self.session.dialect {
                // The transaction that has locked the row is still open, so the row is still locked.
                Dialect::Postgres => self.session_fence().into_iter().collect(),
                Dialect::MySql | Dialect::Sqlite => self.committing_fences(),
            });
        }
        parts.extend(self.closing());
        parts
    }

    /// Returns the settings that jetbase's own statements need again after those of the file.
    pub(super) fn restored_settings(&self) -> Vec<Part> {
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

    /// Returns what follows the fences: the history row, the commit, and the reset of the session.
    pub(super) fn closing(&self) -> Vec<Part> {
        let sql = self.session.sql;
        let mut parts = Vec::new();
        if self.session.checks_references() {
            parts.push(self.rendered(Purpose::ForeignKeys, sql.foreign_keys));
        }
        if self.session.has_superseded && self.job.replaces() {
            parts.extend(
                self.parts(Purpose::Guard, self.session.guard(sql.guard_superseded_writing)),
            );
            parts.extend(self.parts(Purpose::Record, sql.supersede));
        }
        if self.session.has_journal
            && (self.job.has_entries || self.job.needs_journal(self.session.dialect))
        {
            parts.extend(self.forgotten());
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
            parts.push(self.rendered(Purpose::Record, sql.mark_stale));
        }
        parts.push(self.rendered(Purpose::Record, record));
        parts.extend(self.parts(Purpose::Commit, sql.run_deferred));
        parts.push(self.rendered(Purpose::Recorded, recorded));
        if self.part.commits {
            parts.push(self.rendered(Purpose::Commit, "COMMIT"));
        } else {
            parts.extend(self.parts(Purpose::Setup, sql.defer_again));
        }
        // Outside a transaction, the file's settings apply to the whole session.
        let off = self.job.transaction == Transaction::Off;
        let effect = if off { SessionEffect::Object } else { self.job.session_use.effect };
        let reset = self.session.reset_statements(effect);
        let purpose = if self.part.commits { Purpose::Reset } else { Purpose::Setup };
        parts.extend(reset.map(|sql| Part { sql, purpose, results: 1 }));
        parts
    }

    /// Whether the session may have a next number: set by the caller, by the file, or by a trigger.
    fn may_have_number(&self) -> bool {
        let effect = self.job.session_use.effect;
        self.session.owner == ConnectionOwner::Caller
            || effect > SessionEffect::Rows
            || (effect == SessionEffect::Rows && self.session.has_triggers)
    }
}
