//! Which repeatable files a plan runs.

use std::slice;

use crate::check::can_repeat;
use crate::file::{MigrationKind, Section};
use crate::plan::plan_error::Problem;
use crate::plan::planner::View;
use crate::plan::policy::{Policy, Repeat};
use crate::plan::step::{Action, Plan, Record, SkipReason, Skipped, Step};
use crate::set::Migration;
use crate::sql::{Dialect, Syntax, cut};

/// A repeatable file, and its row.
struct Repeatable<'a> {
    step: Step,
    migration: Migration<'a>,
    record: Option<&'a Record>,
    /// Whether its text has not run since it changed, or since the last version.
    new: bool,
}

impl<'a> View<'a> {
    fn all_repeatables(&self) -> impl Iterator<Item = Repeatable<'a>> {
        self.set.repeatables().map(|(index, migration)| {
            let record = self.row(index);
            let action = if record.is_some() { Action::Reapply } else { Action::Apply };
            let new = record.is_none_or(|it| !migration.checksum().matches(&it.checksum));
            Repeatable { step: Step { index, action }, migration, record, new }
        })
    }

    /// Adds the `RA__` and `ROC__` files to run after the versions of a plan, in the order of the set,
    /// and those to skip.
    ///
    /// A version can drop or replace what a `ROC__` file has made. So these files run again after it,
    /// unless their statements cannot be repeated.
    pub(super) fn add_repeatables(&self, plan: &mut Plan, policy: &Policy) {
        let versions_run = !plan.steps.is_empty();
        let mut steps = Vec::new();
        let mut skip = |repeatable: &Repeatable<'_>, reason| {
            let file = repeatable.migration.file().to_owned();
            plan.skipped.push(Skipped { file, reason });
        };
        for it in self.all_repeatables() {
            let is_newer = it.new && it.record.is_some_and(|record| !record.is_stale());
            let when_needed = policy.repeat == Repeat::WhenNeeded;
            match it.migration.kind() {
                _ if is_newer && when_needed && policy.is_superseded(&it.migration) => {
                    skip(&it, SkipReason::Superseded);
                }
                MigrationKind::RunsOnChange if !it.new && !versions_run => {}
                MigrationKind::RunsOnChange if !it.new && !self.can_repeat(&it.migration) => {
                    skip(&it, SkipReason::NotRepeated);
                }
                _ => steps.push(it),
            }
        }
        plan.stale.extend(
            steps.iter().filter(|it| versions_run && it.may_be_stale()).map(|it| it.file()),
        );
        let something = versions_run || steps.iter().any(|it| it.new);
        let always = something || policy.repeat == Repeat::Always;
        steps.retain(|it| it.migration.kind() != MigrationKind::RunsAlways || always);
        plan.steps.extend(steps.iter().map(|it| it.step));
    }

    /// Adds the `ROC__` files that must run again after the rollback of a plan, and those that cannot.
    pub(super) fn add_stale_after_rollback(&self, plan: &mut Plan) {
        if plan.steps.is_empty() {
            return;
        }
        for it in self.all_repeatables().filter(Repeatable::may_be_stale) {
            if self.can_repeat(&it.migration) {
                plan.stale.push(it.file());
            } else {
                plan.skipped.push(Skipped { file: it.file(), reason: SkipReason::NotRepeated });
            }
        }
    }

    /// Whether the statements of a file can run again although nothing has changed.
    fn can_repeat(&self, migration: &Migration<'_>) -> bool {
        let known = self.set.options().dialect;
        let dialects = known.as_ref().map_or(Dialect::ALL.as_slice(), slice::from_ref);
        let script = migration.script();
        let text = script.section(Section::Upgrade);
        dialects.iter().any(|dialect| {
            let statements = cut(text, script.delimiter(), Syntax::of(*dialect));
            statements.is_ok_and(|statements| can_repeat(&statements))
        })
    }

    /// One file runs, whether it has changed or not.
    pub(super) fn reapply(&self, file: &str) -> (Plan, Vec<Problem>) {
        let named =
            |it: &Repeatable<'_>| it.migration.file() == file || it.migration.path() == file;
        match self.all_repeatables().find(named) {
            Some(found) => (Plan { steps: vec![found.step], ..Plan::default() }, Vec::new()),
            None => (Plan::default(), vec![Problem::NotRepeatable { file: file.to_owned() }]),
        }
    }
}

impl Repeatable<'_> {
    /// Whether the file has a row that a version can make stale.
    fn may_be_stale(&self) -> bool {
        self.migration.kind() == MigrationKind::RunsOnChange && self.record.is_some()
    }

    fn file(&self) -> String {
        self.migration.file().to_owned()
    }
}
