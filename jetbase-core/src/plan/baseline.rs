//! Which versions a baseline marks as applied.

use crate::file::Version;
use crate::plan::plan_error::{PlanError, Problem};
use crate::plan::planner::plan;
use crate::plan::policy::{Goal, Policy, Until};
use crate::plan::step::Record;
use crate::set::{Migration, Migrations};

/// Returns the migrations that a baseline at `version` marks as applied, in order.
///
/// These are the versions up to and including it that are above every applied version. Repeatable files stay
/// pending: they can run again by definition.
///
/// # Errors
///
/// Returns an error if the set has no such version, if the history contradicts the files, or if the history has
/// rows and `force` is false.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use jetbase_core::{Folder, Migrations, Options, plan_baseline};
///
/// let set = Migrations::load(Folder::read(Path::new("../migrations")).files, Options::NONE);
/// let marked = plan_baseline(&set, &[], &"2".parse()?, false)?;
/// assert_eq!(marked.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn plan_baseline<'m>(
    set: &'m Migrations,
    history: &[Record],
    version: &Version,
    force: bool,
) -> Result<Vec<Migration<'m>>, PlanError> {
    let goal = Goal::Upgrade(Until::Version(version.clone()));
    let planned = plan(set, history, &goal, &Policy::default())?;
    if !force && !history.is_empty() {
        return Err(PlanError { problems: vec![Problem::HasHistory { rows: history.len() }] });
    }
    let migrations = planned.steps.iter().filter_map(|step| set.get(step.index));
    Ok(migrations.filter(|it| it.version_text().is_some()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::MigrationKind;
    use crate::set::{Folder, Options};

    fn record(file: &str, version: &str, checksum: String) -> Record {
        Record {
            order: 1,
            version: Version::parse(version).ok(),
            description: "a".to_owned(),
            file: file.to_owned(),
            kind: MigrationKind::Versioned,
            applied_at: String::new(),
            checksum,
        }
    }

    #[test]
    fn a_baseline_takes_the_versions_above_the_history() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["V1__a.sql", "V2__b.sql", "V10__c.sql", "RA__d.sql", "ROC__e.sql"] {
            std::fs::write(folder.path().join(name), "SELECT 1;\n").unwrap();
        }
        let set = Migrations::load(Folder::read(folder.path()).files, Options::NONE);
        let marked = |history: &[Record], version: &str, force| match plan_baseline(
            &set,
            history,
            &Version::parse(version).unwrap(),
            force,
        ) {
            Ok(marked) => marked.iter().map(Migration::file).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        };
        let sum = set.get(0).unwrap().checksum().to_string();
        let one = [record("V1__a.sql", "1", sum.clone())];
        assert_eq!(marked(&[], "2", false), "V1__a.sql V2__b.sql");
        assert_eq!(marked(&[], "10", false), "V1__a.sql V2__b.sql V10__c.sql");
        assert_eq!(marked(&one, "10", true), "V2__b.sql V10__c.sql");
        assert_eq!(marked(&one, "1", true), "");
        insta::assert_snapshot!(
            marked(&[], "3", false),
            @"no migration has the version 3; name a version of the set"
        );
        insta::assert_snapshot!(
            marked(&one, "2", false),
            @"the history has 1 row already, so this database is no new one; run `jetbase status` to see it; to mark the versions above the applied ones as well, add `--force`"
        );
        // Version 1 is below the applied one.
        let two = [record("V2__b.sql", "2", sum)];
        insta::assert_snapshot!(
            marked(&two, "10", true),
            @"V1__a.sql is new, but its version 1 is below 2, which is applied; rename the file to a version above 2"
        );
    }
}
