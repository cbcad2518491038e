//! Plans that roll back.

use std::collections::BTreeMap;

use crate::file::{Section, Version};
use crate::plan::plan_error::Problem;
use crate::plan::planner::View;
use crate::plan::policy::{Policy, Until};
use crate::plan::step::{Action, Plan, Record, Step};

impl<'a> View<'a> {
    pub(super) fn rollback(&self, until: &Until) -> (Plan, Vec<Problem>) {
        let mut problems = Vec::new();
        let chosen = self.chosen(until, &mut problems);
        let (steps, mut others) = self.rollback_steps(&chosen);
        problems.append(&mut others);
        let mut plan = Plan { steps, ..Plan::default() };
        self.add_stale_after_rollback(&mut plan);
        (plan, problems)
    }

    /// The rows of the versions to roll back, the highest one first.
    fn chosen(&self, until: &Until, problems: &mut Vec<Problem>) -> Vec<&'a Record> {
        let applied = self.applied();
        let count = match until {
            Until::End => applied.len(),
            Until::Count(count) => *count,
            Until::Version(limit) => {
                // Nothing is below version 0, so it means everything, although no file has it.
                if !self.is_applied(limit) && !limit.is_zero() {
                    problems.push(Problem::NotApplied { version: limit.clone() });
                }
                applied.iter().take_while(|it| it.version.as_ref() > Some(limit)).count()
            }
        };
        applied.into_iter().take(count).collect()
    }

    /// The steps that roll back the versions of these rows.
    fn rollback_steps(&self, chosen: &[&Record]) -> (Vec<Step>, Vec<Problem>) {
        let (mut steps, mut problems) = (Vec::new(), Vec::new());
        for record in chosen {
            let Some(version) = &record.version else { continue };
            let found = self
                .set
                .iter()
                .enumerate()
                .find(|(_, it)| it.version_text() == Some(version.as_str()));
            match found {
                None => problems
                    .push(Problem::NoFile { version: version.clone(), file: record.file.clone() }),
                Some((_, migration)) if migration.script().range(Section::Rollback).is_none() => {
                    problems.push(Problem::NoRollback { file: migration.file().to_owned() });
                }
                Some((index, _)) => steps.push(Step { index, action: Action::RollBack }),
            }
        }
        (steps, problems)
    }

    /// Rolls back versions that are not recorded, and applies everything that is pending then.
    pub(super) fn redo(&self, until: &Until, policy: &Policy) -> (Plan, Vec<Problem>) {
        let mut problems = Vec::new();
        let chosen = match until {
            Until::End => self.unrecorded(),
            until => self.chosen(until, &mut problems),
        };
        for record in &chosen {
            if let Some(file) = self.recorded_file(record) {
                problems.push(Problem::Recorded { file: file.to_owned() });
            }
        }
        let (steps, mut others) = self.rollback_steps(&chosen);
        problems.append(&mut others);
        let mut plan = Plan { steps, ..Plan::default() };
        self.add_stale_after_rollback(&mut plan);
        let remaining = |it: &&Record| !chosen.iter().any(|gone| gone.version == it.version);
        let remains = |it: &&Record| it.version.is_none() || remaining(it);
        let history: Vec<Record> = self.history.iter().filter(remains).cloned().collect();
        let (upgrade, mut others) = View::new(self.set, &history).upgrade(&Until::End, policy);
        problems.append(&mut others);
        // The files that cannot be repeated are in both parts.
        let skipped = std::mem::take(&mut plan.skipped).into_iter();
        plan.skipped.extend(skipped.filter(|it| !upgrade.skipped.contains(it)));
        plan.skipped.extend(upgrade.skipped);
        plan.stale.extend(upgrade.stale);
        plan.stale.sort();
        plan.stale.dedup();
        plan.steps.extend(upgrade.steps);
        (plan, problems)
    }

    /// The applied versions that a redo rolls back if it is not told which.
    fn unrecorded(&self) -> Vec<&'a Record> {
        let applied = self.applied();
        if self.set.iter().any(|migration| migration.is_recorded()) {
            let new = applied.iter().take_while(|record| self.recorded_file(record).is_none());
            // All applied versions are recorded: the highest one is the one that was meant.
            let count = new.count().max(1);
            return applied.into_iter().take(count).collect();
        }
        let changed = applied.iter().rposition(|record| {
            let mut ours = self.set.iter().filter(|it| it.version_text() == version_of(record));
            ours.any(|migration| !migration.checksum().matches(&record.checksum))
        });
        applied.into_iter().take(changed.unwrap_or(0) + 1).collect()
    }

    /// The name of the file of a row, if it is recorded.
    fn recorded_file(&self, record: &Record) -> Option<&'a str> {
        let mut recorded = self.set.iter().filter(|migration| migration.is_recorded());
        recorded.find(|it| it.version_text() == version_of(record)).map(|it| it.file())
    }

    /// Whether the history has a version, as it is written.
    fn is_applied(&self, version: &Version) -> bool {
        self.history.iter().any(|row| version_of(row) == Some(version.as_str()))
    }

    /// The newest row of each applied version, the highest one first.
    fn applied(&self) -> Vec<&'a Record> {
        let versions = self.history.iter().filter_map(|row| Some((version_of(row)?, row)));
        let newest: BTreeMap<&str, &Record> = versions.collect();
        let mut applied: Vec<_> = newest.into_values().collect();
        applied.sort_by(|a, b| b.version.cmp(&a.version));
        applied
    }
}

fn version_of(record: &Record) -> Option<&str> {
    record.version.as_ref().map(Version::as_str)
}
