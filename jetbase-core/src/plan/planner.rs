//! What a run would do: one pure function of the set, the history and the goal.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::file::{MigrationKind, Version, compare};
use crate::plan::plan_error::{PlanError, Problem};
use crate::plan::policy::{Ahead, Goal, Policy, Until, Validation};
use crate::plan::step::{Action, Plan, Record, SkipReason, Skipped, Step};
use crate::set::{Migration, Migrations};

/// Decides what a run does.
///
/// A run calls it twice: first without the lock, to find out whether anything is pending, then under
/// the lock. Only the second plan is executed.
///
/// # Errors
///
/// Returns all [`Problem`]s that forbid the run.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use jetbase_core::{Action, Folder, Goal, Migrations, Options, Policy, Until, plan};
///
/// let files = Folder::read(Path::new("../migrations")).files;
/// let set = Migrations::load(files, Options::NONE);
///
/// // Nothing is in the history, so all four files are pending.
/// let plan = plan(&set, &[], &Goal::Upgrade(Until::End), &Policy::default())?;
/// assert_eq!(plan.steps.len(), 4);
/// assert!(plan.steps.iter().all(|step| step.action == Action::Apply));
/// # Ok::<(), jetbase_core::PlanError>(())
/// ```
pub fn plan(
    set: &Migrations,
    history: &[Record],
    goal: &Goal,
    policy: &Policy,
) -> Result<Plan, PlanError> {
    let view = View::new(set, history);
    let (plan, problems) = match goal {
        Goal::Upgrade(until) => view.upgrade(until, policy),
        Goal::Rollback(until) => view.rollback(until),
        Goal::Redo(until) => view.redo(until, policy),
        Goal::Reapply(file) => view.reapply(file),
    };
    if problems.is_empty() { Ok(plan) } else { Err(PlanError { problems }) }
}

/// Compares the set with the history. Returns the differences that the policy tolerates.
///
/// # Errors
///
/// Returns all [`Problem`]s that the policy does not tolerate.
pub fn validate(
    set: &Migrations,
    history: &[Record],
    policy: &Policy,
) -> Result<Vec<Skipped>, PlanError> {
    let (plan, problems) = View::new(set, history).compare(policy);
    if problems.is_empty() { Ok(plan.skipped) } else { Err(PlanError { problems }) }
}

/// The set and the history side by side.
pub(super) struct View<'a> {
    pub(super) set: &'a Migrations,
    pub(super) history: &'a [Record],
    /// The newest row of each migration, in the order of the set.
    rows: Vec<Option<&'a Record>>,
    /// The migrations, by their index in the set, that have no row, or a row with another checksum.
    different: Vec<usize>,
    /// The rows that belong to no migration of the set, in the order of the history.
    pub(super) unknown: Vec<&'a Record>,
}

impl<'a> View<'a> {
    pub(super) fn new(set: &'a Migrations, history: &'a [Record]) -> Self {
        let mut view = View {
            set,
            history,
            rows: vec![None; set.len()],
            different: Vec::new(),
            unknown: Vec::new(),
        };
        let index = SetIndex::new(set);
        let mut next = 0;
        for record in history {
            match index.find(record, next) {
                Some(found) => {
                    if let Some(row) = view.rows.get_mut(found) {
                        *row = Some(record);
                    }
                    next = found + 1;
                }
                None => view.unknown.push(record),
            }
        }
        let is_different = |(migration, row): (Migration<'_>, &Option<&Record>)| {
            row.is_none_or(|row| !migration.checksum().matches(&row.checksum))
        };
        let different = set.iter().zip(&view.rows).map(is_different).enumerate();
        view.different = different.filter_map(|(index, it)| it.then_some(index)).collect();
        view
    }

    /// The newest row of a migration.
    pub(super) fn row(&self, index: usize) -> Option<&'a Record> {
        self.rows.get(index).copied().flatten()
    }

    /// The migrations that have no row, or a row with another checksum, with their index and that row.
    pub(super) fn different(
        &self,
    ) -> impl Iterator<Item = (usize, Migration<'a>, Option<&'a Record>)> {
        let different = self.different.iter();
        different.filter_map(|&index| Some((index, self.set.get(index)?, self.row(index))))
    }

    pub(super) fn latest_applied(&self) -> Option<&'a Version> {
        let known = self.rows.iter().rev().flatten().find_map(|row| row.version.as_ref());
        self.unknown.iter().filter_map(|row| row.version.as_ref()).chain(known).max()
    }

    pub(super) fn is_ahead(&self, version: &Version) -> bool {
        self.set.latest().is_none_or(|latest| *version > latest)
    }

    pub(super) fn upgrade(&self, until: &Until, policy: &Policy) -> (Plan, Vec<Problem>) {
        let (mut plan, mut problems) = self.compare(policy);
        if let Until::Version(version) = until
            && !self.set.iter().any(|it| it.version_text() == Some(version.as_str()))
        {
            problems.push(Problem::UnknownVersion { version: version.clone() });
        }
        if plan.skipped.iter().any(|skipped| skipped.reason == SkipReason::Ahead) {
            return (plan, problems);
        }
        let latest = self.latest_applied();
        let pending = self.different().filter_map(|(index, migration, row)| {
            let version = migration.version_text()?;
            let above = latest.is_none_or(|latest| compare(version, latest.as_str()).is_gt());
            (above && row.is_none()).then_some((index, version))
        });
        let wanted: Vec<_> = match until {
            Until::End => pending.collect(),
            Until::Count(count) => pending.take(*count).collect(),
            Until::Version(limit) => {
                pending.filter(|(_, it)| compare(it, limit.as_str()).is_le()).collect()
            }
        };
        plan.steps.extend(wanted.iter().map(|&(index, _)| Step { index, action: Action::Apply }));
        self.add_repeatables(&mut plan, policy);
        (plan, problems)
    }

    /// The differences between set and history: problems, or skipped migrations if a validation is off.
    fn compare(&self, policy: &Policy) -> (Plan, Vec<Problem>) {
        let mut plan = Plan::default();
        let mut problems = Vec::new();
        let mut skip =
            |file: &str, reason| plan.skipped.push(Skipped { file: file.to_owned(), reason });
        let latest = self.latest_applied();
        let renamed = match policy.validates(Validation::Files) {
            true => self.renamed(policy),
            false => Vec::new(),
        };
        for (_, migration, row) in self.different() {
            let Some(version) = migration.version_text() else { continue };
            if renamed.iter().any(|it| {
                it.now == migration.file()
                    || it.before.version.as_ref().is_some_and(|it| it.as_str() == version)
            }) {
                continue;
            }
            match row {
                Some(row) if policy.validates(Validation::Checksums) => {
                    problems.push(difference(&migration, version, row));
                }
                Some(_) => skip(migration.file(), SkipReason::Changed),
                None => {
                    let mut recorded = self.unknown.iter().filter_map(|it| it.version.as_ref());
                    let same = recorded.find(|it| compare(it.as_str(), version).is_eq());
                    let low = latest.filter(|latest| compare(version, latest.as_str()).is_lt());
                    match (same, low) {
                        (Some(recorded), _) => problems.push(Problem::Respelled {
                            file: migration.file().to_owned(),
                            recorded: recorded.clone(),
                        }),
                        (None, Some(latest)) if policy.validates(Validation::Files) => {
                            problems.push(Problem::OutOfOrder {
                                file: migration.file().to_owned(),
                                version: Version::of_valid(version),
                                latest: latest.clone(),
                            });
                        }
                        (None, Some(_)) => skip(migration.file(), SkipReason::OutOfOrder),
                        (None, None) => {}
                    }
                }
            }
        }
        let respelled = |version: &Version| {
            let same = |it: &Problem| matches!(it, Problem::Respelled { recorded, .. } if recorded == version);
            problems.iter().any(same)
        };
        let mut missing = Vec::new();
        for &record in &self.unknown {
            let file = record.file.clone();
            match &record.version {
                _ if renamed.iter().any(|it| it.before == record) => {}
                Some(version) if respelled(version) => {}
                Some(version) if self.is_ahead(version) => match policy.ahead {
                    Ahead::Allow => skip(&file, SkipReason::Ahead),
                    Ahead::Refuse if policy.validates(Validation::Files) => {
                        missing.push(Problem::Ahead { version: version.clone(), file });
                    }
                    Ahead::Refuse => skip(&file, SkipReason::Missing),
                },
                Some(version) if policy.validates(Validation::Files) => {
                    missing.push(Problem::Missing { version: version.clone(), file });
                }
                None if policy.ahead == Ahead::Refuse && policy.validates(Validation::Files) => {
                    missing.push(Problem::MissingRepeatable { file });
                }
                _ => skip(&file, SkipReason::Missing),
            }
        }
        problems.extend(renamed.iter().map(|it| it.problem()));
        problems.append(&mut missing);
        (plan, problems)
    }
}

/// Finds the migration of a row.
struct SetIndex<'a> {
    set: &'a Migrations,
    /// How many migrations have a version. They are the first ones, in the order of their versions.
    versions: usize,
    repeatables: HashMap<(&'a str, MigrationKind), usize>,
}

impl<'a> SetIndex<'a> {
    fn new(set: &'a Migrations) -> Self {
        SetIndex {
            set,
            versions: set.repeatables().next().map_or(set.len(), |(first, _)| first),
            repeatables: set
                .repeatables()
                .map(|(index, it)| ((it.file(), it.kind()), index))
                .collect(),
        }
    }

    /// Returns the index of a row's migration. `next` is the index after that of the row before: most
    /// rows are in the order of the set.
    fn find(&self, record: &Record, next: usize) -> Option<usize> {
        let Some(version) = record.version.as_ref().map(Version::as_str) else {
            return self.repeatables.get(&(record.file.as_str(), record.kind)).copied();
        };
        if self.version(next) == Some(version) {
            return Some(next);
        }
        let (mut low, mut high) = (0, self.versions);
        while low < high {
            let middle = usize::midpoint(low, high);
            let found = self.version(middle)?;
            match compare(found, version) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                // Another spelling is not the version of this migration.
                Ordering::Equal => return (found == version).then_some(middle),
            }
        }
        None
    }

    fn version(&self, index: usize) -> Option<&'a str> {
        self.set.get(index)?.version_text()
    }
}

/// How an applied version differs from ours: another file by name, or the same one edited.
fn difference(migration: &Migration<'_>, version: &str, record: &Record) -> Problem {
    let checksum = migration.checksum().to_string();
    let version = Version::of_valid(version);
    let file = migration.file().to_owned();
    if record.file == file {
        let change = migration.change_since(&record.checksum);
        Problem::Changed {
            version,
            file,
            recorded: record.checksum.clone(),
            found: checksum,
            change,
        }
    } else {
        Problem::OtherSet { version, file, recorded: record.file.clone() }
    }
}
