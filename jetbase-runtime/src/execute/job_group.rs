//! The files that are executed in one transaction: a single one, or several if the run asks for that.

use std::time::Duration;

use jetbase_core::{Dialect, SessionEffect};
use tracing::{Instrument, Span};

use super::message::{MessageFailure, Purpose};
use super::writer::Writer;
use super::{Grouping, Job, JobProgress};
use crate::connection::CauseKind;
use crate::error::Error;
use crate::session::{NextStep, Session};
use crate::target::ConnectionOwner;
use crate::wait::jittered;

/// How often a file is tried that cannot get a lock on a table.
const TRIES: u32 = 10;

/// Whether the run executes each file in a transaction of its own, or consecutive files in one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TransactionUse {
    #[default]
    PerFile,
    PerRun,
}

/// Consecutive files of a plan that share a transaction, or one file alone.
pub(crate) struct JobGroup<'j, 'm> {
    pub(crate) jobs: &'j [Job<'m>],
    /// The index of the first file in the plan.
    pub(crate) start: usize,
    /// How many files the plan has.
    pub(crate) of: usize,
}

/// What a file does with the transaction in which it is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TransactionPart {
    pub(super) begins: bool,
    pub(super) commits: bool,
}

/// A file of a group that failed.
pub(crate) struct FailedFile {
    /// The index in the group.
    pub(crate) index: usize,
    pub(crate) error: Error,
}

/// How a group is tried again.
struct NextTry {
    /// How many statements of the first file are permanent.
    done: usize,
    reason: String,
}

impl<'j, 'm> JobGroup<'j, 'm> {
    /// Splits the files of a plan into groups.
    pub(crate) fn split(
        jobs: &'j [Job<'m>],
        session: &Session<'_>,
        transactions: TransactionUse,
    ) -> Vec<JobGroup<'j, 'm>> {
        let shares = |before: &Job<'m>, after: &Job<'m>| {
            transactions == TransactionUse::PerRun
                && before.is_transactional(session)
                && after.is_transactional(session)
                && !before.needs_reset(session)
                && !after.session_use.reads
        };
        let mut start = 0;
        let group = |group: &'j [Job<'m>]| {
            start += group.len();
            JobGroup { jobs: group, start: start - group.len(), of: jobs.len() }
        };
        jobs.chunk_by(shares).map(group).collect()
    }

    /// What the whole group leaves in its session.
    pub(crate) fn session_effect(&self) -> SessionEffect {
        let effects = self.jobs.iter().map(|job| job.session_use.effect);
        effects.max().unwrap_or(SessionEffect::Nothing)
    }

    /// The texts of the files.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.jobs.iter().map(Job::file_text).collect()
    }

    /// Returns the number of a file in the plan, from 1.
    pub(crate) fn number(&self, index: usize) -> usize {
        self.start + index + 1
    }

    fn part(&self, index: usize) -> TransactionPart {
        TransactionPart { begins: index == 0, commits: index + 1 == self.jobs.len() }
    }

    /// Executes the files and records them: all of them, or none. `progress` gets the index of the file.
    pub(crate) async fn run(
        &self,
        session: &mut Session<'_>,
        mut progress: impl FnMut(usize, JobProgress<'_>),
    ) -> Result<(), FailedFile> {
        let spans: Vec<Span> = self.jobs.iter().map(Job::span).collect();
        let mut progress = |index: usize, step: JobProgress<'_>| match spans.get(index) {
            Some(span) => span.in_scope(|| progress(index, step)),
            None => progress(index, step),
        };
        let mut done = self.jobs.first().map_or(0, |job| job.done);
        let mut attempt = 1;
        loop {
            let sent = self.send(session, done, &spans, &mut progress).await;
            let Err((index, failure)) = sent else {
                (0..self.jobs.len()).for_each(|index| progress(index, JobProgress::Committed));
                return Ok(());
            };
            let Some(job) = self.jobs.get(index) else { return Ok(()) };
            let label = self.label(index, job);
            let next = job.next_try(session, failure, &label, attempt).await;
            let NextTry { done: permanent, reason } =
                next.map_err(|error| FailedFile { index, error })?;
            done = permanent;
            attempt += 1;
            progress(index, JobProgress::Retrying { attempt, reason: &reason });
            tokio::time::sleep(jittered(Duration::from_millis(200))).await;
        }
    }

    /// Sends the messages of the files in order.
    async fn send(
        &self,
        session: &mut Session<'_>,
        done: usize,
        spans: &[Span],
        progress: &mut impl FnMut(usize, JobProgress<'_>),
    ) -> Result<(), (usize, MessageFailure)> {
        for (index, (job, span)) in self.jobs.iter().zip(spans).enumerate() {
            progress(index, JobProgress::Started);
            let grouping = job.grouping_in(session);
            // A fresh session has another session lock.
            let bindings = job.bindings(session, &self.label(index, job), grouping);
            let part = self.part(index);
            let messages =
                Writer { job, session, bindings: &bindings, done, part }.messages(grouping);
            let report = &mut |step: JobProgress<'_>| progress(index, step);
            let sent = job.deliver(session, &messages, grouping, done, report);
            match sent.instrument(span.clone()).await {
                // The files are committed. Only the settings of the last one remain to be reset.
                Err(failure) if failure.purpose == Purpose::Reset && !failure.is_lost() => {
                    session.reset().await;
                }
                Err(failure) => return Err((index, failure)),
                Ok(()) => {}
            }
            progress(index, JobProgress::Ended);
        }
        Ok(())
    }

    /// What shows a file to the operator of the server.
    fn label(&self, index: usize, job: &Job<'_>) -> String {
        format!("jetbase {} {}/{}", job.migration.file(), self.number(index), self.of)
    }
}

impl Job<'_> {
    /// The span in which the file is executed.
    fn span(&self) -> Span {
        tracing::info_span!(target: "jetbase", "jetbase.migration", file = self.migration.file())
    }

    /// Whether the file is executed in a transaction from its first statement to its record.
    fn is_transactional(&self, session: &Session<'_>) -> bool {
        self.grouping_in(session) != Grouping::PerStatement && self.done == 0 && !self.has_entries
    }

    /// Whether the session must be reset after the file, and that needs the end of the transaction.
    fn needs_reset(&self, session: &Session<'_>) -> bool {
        // What rows leave, by themselves or by a trigger, ends with a statement on PostgreSQL, and is nothing on
        // SQLite.
        let of_rows = match session.dialect {
            Dialect::Postgres => session.owner == ConnectionOwner::Caller,
            Dialect::MySql => session.owner == ConnectionOwner::Caller || session.has_triggers,
            Dialect::Sqlite => false,
        };
        let effect = self.session_use.effect;
        effect > SessionEffect::Rows || (effect == SessionEffect::Rows && of_rows)
    }

    /// Undoes what failed, and decides whether to try again.
    async fn next_try(
        &self,
        session: &mut Session<'_>,
        failure: MessageFailure,
        label: &str,
        attempt: u32,
    ) -> Result<NextTry, Error> {
        let grouping = self.grouping_in(session);
        if failure.is_lost() {
            return Err(self.interrupted(session, failure, grouping));
        }
        // Undo what failed before the failure is reported.
        let found = self.clean_up(session, &failure, grouping).await;
        let may_retry = attempt < TRIES && !session.cancel.is_at_once();
        let retry_from = failure.retry_from.filter(|_| failure.cause.is_contended() && may_retry);
        let Some(retry_from) = retry_from else {
            let found = self.settle(session, &failure, found, label).await;
            return Err(self.explain(session, failure, found));
        };
        if retry_from == 0 {
            session.refresh(self.session_use.effect, NextStep::File).await?;
        }
        // The new attempt also sets the session again, because `clean_up` has reset it.
        Ok(NextTry { done: failure.done, reason: failure.cause.message })
    }
}

impl MessageFailure {
    fn is_lost(&self) -> bool {
        self.cause.kind == CauseKind::Lost
    }
}
