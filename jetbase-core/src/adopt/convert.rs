//! Converts the folder of an old tool: one pure function from its files to ours.

use std::collections::HashMap;

use super::diesel::diesel;
use super::flyway::flyway;
use super::map::{AdoptMap, MapEntry};
use super::numbered::{refinery_folder, sqlx};
use super::old_folder::{Listing, OldFile, OldMigration};
use super::script::converted;
use super::sea_orm::sea_orm;
use crate::check::{Finding, Severity, check};
use crate::file::{Name, OldTool, Script, Version};
use crate::sql::{Dialect, Syntax};

/// What a conversion makes of an old folder.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// The files to write, in the order of the old tool.
    pub files: Vec<ConvertedFile>,
    /// The map from the migrations of the old tool to these files.
    pub map: AdoptMap,
    /// What a person should know or do about files of the old folder. Errors are left to do by hand.
    pub about_old: Vec<Finding>,
    /// What is left to do by hand in the new files.
    pub about_new: Vec<Finding>,
    /// Why the folder must not be converted as it is. If there is one, nothing may be written.
    pub refusals: Vec<Finding>,
}

/// One file of a conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertedFile {
    /// The path in the new folder, with `/`.
    pub path: String,
    /// The text of the file.
    pub text: String,
    /// The paths of the old files, the one with the upgrade first.
    pub from: Vec<String>,
}

impl Conversion {
    /// Returns how many things are left to do by hand.
    #[must_use]
    pub fn left_to_do(&self) -> usize {
        let all = self.about_old.iter().chain(&self.about_new);
        all.filter(|finding| finding.severity == Severity::Error).count()
    }
}

/// Converts the files of an old folder. It writes nothing.
///
/// Up and down scripts become one file. Versions and descriptions are kept. Each file that is not
/// converted has a finding.
///
/// # Examples
///
/// ```
/// use jetbase_core::{OldFile, OldTool, convert};
///
/// let file = |path: &str, text: &str| OldFile { path: path.to_owned(), text: Some(text.to_owned()) };
/// let old = [
///     file("20240201120000_create_posts.up.sql", "CREATE TABLE posts (id INT)"),
///     file("20240201120000_create_posts.down.sql", "DROP TABLE posts;\n"),
/// ];
/// let conversion = convert(OldTool::Sqlx, &old, None);
/// assert_eq!(conversion.files[0].path, "V20240201120000__create_posts.sql");
/// assert_eq!(
///     conversion.files[0].text,
///     "CREATE TABLE posts (id INT);\n\n-- rollback\nDROP TABLE posts;\n"
/// );
/// ```
#[must_use]
pub fn convert(tool: OldTool, files: &[OldFile], dialect: Option<Dialect>) -> Conversion {
    let listing = match tool {
        OldTool::Sqlx => sqlx(files),
        OldTool::Refinery => refinery_folder(files),
        OldTool::Diesel => diesel(files),
        OldTool::Flyway => flyway(files),
        OldTool::SeaOrm => sea_orm(files),
    };
    let Listing { migrations, findings } = listing;
    let syntaxes: Vec<Syntax> = match dialect {
        Some(dialect) => vec![Syntax::of(dialect)],
        None => Dialect::ALL.map(Syntax::of).to_vec(),
    };
    let mut conversion = Conversion {
        files: Vec::new(),
        map: AdoptMap { tool, entries: Vec::new() },
        about_old: findings,
        about_new: Vec::new(),
        refusals: refusals(tool, &migrations),
    };
    for migration in migrations {
        conversion.add(migration, &syntaxes);
    }
    conversion
}

impl Conversion {
    fn add(&mut self, migration: OldMigration<'_>, syntaxes: &[Syntax]) {
        let OldMigration { key, file, up, down, autocommit, checksums } = migration;
        let mut todo = |path: &str, what: String, help: &str| {
            self.about_old.push(Finding::error("adopt", path, what).help(help));
        };
        let broken: Vec<_> = [Some(up), down].into_iter().flatten().collect();
        if let Some(broken) = broken.into_iter().find(|file| file.text.is_none()) {
            let what = "this file is not UTF-8, so it is not converted".to_owned();
            todo(&broken.path, what, "save it as UTF-8, and convert again");
            return;
        }
        let name = file.rsplit('/').next().unwrap_or(&file);
        if let Err(error) = Name::parse(name) {
            let what = format!("the new name `{}` is not valid: {error}", name.escape_debug());
            todo(&up.path, what, "rename the old file, and convert again");
            return;
        }
        let entry = MapEntry { key, checksums, file: name.to_owned() };
        let old = &mut self.about_old;
        let scripts = (up.text(), down.map(OldFile::text));
        let text = converted(&up.path, scripts.0, scripts.1, autocommit, syntaxes, old);
        let Some(text) = text else { return };
        let script = Script::read(&text);
        self.about_new.extend(check(&file, &script, syntaxes).findings);
        let from = [Some(up), down].into_iter().flatten().map(|it| it.path.clone()).collect();
        self.map.entries.push(entry);
        self.files.push(ConvertedFile { path: file, text, from });
    }
}

/// Finds versions that are there twice, and versions that the old tool sorts in another way.
fn refusals(tool: OldTool, migrations: &[OldMigration<'_>]) -> Vec<Finding> {
    let version = |migration: &OldMigration<'_>| -> Option<Version> {
        let name = migration.file.rsplit('/').next()?;
        Name::parse(name).ok()?.version
    };
    let mut refusals = Vec::new();
    let mut seen: HashMap<String, &str> = HashMap::new();
    let mut before: Option<(Version, &str)> = None;
    for migration in migrations {
        let name = version(migration).map_or_else(|| migration.file.clone(), |it| it.to_string());
        let path = migration.up.path.as_str();
        if let Some(first) = seen.insert(name, path) {
            let what = format!("{first} has the same version");
            let help =
                "keep one of the two, as the table of the old tool shows it, and convert again";
            refusals.push(Finding::error("adopt", path, what).help(help));
            continue;
        }
        let Some(version) = version(migration) else { continue };
        match &before {
            Some((last, first)) if *last == version => {
                let what = format!("{first} has the same version for jetbase");
                let help = "give one of the two another version, in the table of the old tool too";
                refusals.push(Finding::error("adopt", path, what).help(help));
            }
            Some((last, first)) if *last > version => {
                let what = format!(
                    "{tool} runs it after {first}, but its version is lower for jetbase, which compares numbers"
                );
                let help = "rename the old files so that the numbers have one length, and correct the rows of the old \
                            tool; then convert again";
                refusals.push(Finding::error("adopt", path, what).help(help));
            }
            _ => {}
        }
        before = Some((version, path));
    }
    refusals
}

#[cfg(test)]
mod tests;
