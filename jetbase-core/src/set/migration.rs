//! Migrations as the runtime sees them: embedded in the program, or read from a folder.

use std::borrow::Cow;
use std::sync::Arc;

use crate::file::{Checksum, MigrationKind, Name, Script, Version};
use crate::set::folder::SourceFile;
use crate::set::table::Table;
use crate::set::text_change::{RecordedChange, TextChange, added_since};
use crate::sql::Dialect;

/// A set of migrations, in the order in which they run.
///
/// `embed!` makes one as a `static`: the program parses and allocates nothing when it starts.
/// [`Migrations::load`] makes one from a folder at run time. A clone is cheap, because it shares the
/// files.
#[derive(Clone, Debug)]
pub struct Migrations {
    source: MigrationSource,
    options: Options,
}

#[derive(Clone, Debug)]
enum MigrationSource {
    Embedded(Table),
    Loaded(Arc<[SourceFile]>),
}

/// How the text of the files is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// Unchanged.
    #[default]
    Plain,
    /// `\:` means `:`, as in the Python tool.
    Python,
}

/// The options of a whole set, as the macro call gives them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The dialect of the files. `None` means that every dialect must accept them.
    pub dialect: Option<Dialect>,
    /// The schema (MySQL: the database) in which the migrations are applied.
    pub schema: Option<&'static str>,
    /// How the text of the files is read.
    pub reading: Reading,
    /// The text of the map beside the folder, if the first run adopts the history of another tool. See
    /// [`AdoptMap`](crate::AdoptMap).
    pub adopt: Option<&'static str>,
    /// The folder that was embedded. A run of a debug build compares it with the set.
    pub folder: Option<&'static str>,
}

impl Options {
    /// No options.
    pub const NONE: Options =
        Options { dialect: None, schema: None, reading: Reading::Plain, adopt: None, folder: None };
}

impl Migrations {
    /// The table that the macro generates.
    #[doc(hidden)]
    #[must_use]
    pub const fn embedded(table: Table, options: Options) -> Self {
        Migrations { source: MigrationSource::Embedded(table), options }
    }

    /// Makes a set of the files of a folder. They must be in running order, as [`Folder::read`] and
    /// [`check_folder`] return them.
    ///
    /// [`Folder::read`]: crate::Folder::read
    /// [`check_folder`]: crate::check_folder
    ///
    /// # Examples
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use jetbase_core::{Migrations, Options, Rules, check_folder};
    ///
    /// let check = check_folder(Path::new("../migrations"), &Rules::default());
    /// assert!(!check.has_errors());
    ///
    /// let set = Migrations::load(check.files, Options::NONE);
    /// assert_eq!(set.len(), 4);
    /// assert_eq!(set.latest(), Some("3".parse()?));
    /// # Ok::<(), jetbase_core::VersionError>(())
    /// ```
    #[must_use]
    pub fn load(files: Vec<SourceFile>, options: Options) -> Self {
        Migrations { source: MigrationSource::Loaded(files.into()), options }
    }

    /// Returns the options of the set.
    #[must_use]
    pub const fn options(&self) -> Options {
        self.options
    }

    /// Returns whether the macro has made the set, and so has checked its files.
    #[doc(hidden)]
    #[must_use]
    pub const fn is_embedded(&self) -> bool {
        matches!(self.source, MigrationSource::Embedded(_))
    }

    /// Returns the number of migrations.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.source {
            MigrationSource::Embedded(table) => table.len(),
            MigrationSource::Loaded(files) => files.len(),
        }
    }

    /// Returns whether the set has no migrations.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the migration at an index of the running order, from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Migration<'_>> {
        match &self.source {
            MigrationSource::Embedded(table) => table.get(index).map(|row| Migration {
                path: row.path,
                version: (!row.version.is_empty()).then_some(row.version),
                sql: row.text,
                checksum: row.checksum,
                recorded: row.recorded,
                change: None,
            }),
            MigrationSource::Loaded(files) => files.get(index).map(|file| Migration {
                path: &file.path,
                version: file.name.version.as_ref().map(Version::as_str),
                sql: &file.text,
                checksum: file.checksum,
                recorded: file.recorded,
                change: file.change.as_ref(),
            }),
        }
    }

    /// Returns the migrations in running order: versions ascending, then `RA__`, then `ROC__` files.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Migration<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Returns the repeatable migrations with their index. They follow those that have a version.
    pub(crate) fn repeatables(&self) -> impl Iterator<Item = (usize, Migration<'_>)> {
        let count = self.iter().rev().take_while(|it| it.version_text().is_none()).count();
        (self.len() - count..self.len()).filter_map(|index| Some((index, self.get(index)?)))
    }

    /// Returns the highest version of the set.
    #[must_use]
    pub fn latest(&self) -> Option<Version> {
        self.iter().rev().find_map(|migration| migration.version())
    }
}

/// One migration of a set.
#[derive(Clone, Copy, Debug)]
pub struct Migration<'m> {
    path: &'m str,
    version: Option<&'m str>,
    sql: &'m str,
    checksum: Checksum,
    recorded: bool,
    change: Option<&'m RecordedChange>,
}

impl<'m> Migration<'m> {
    /// Returns the file's path in its folder, with `/`.
    #[must_use]
    pub fn path(&self) -> &'m str {
        self.path
    }

    /// Returns the file's name, as the history table holds it.
    #[must_use]
    pub fn file(&self) -> &'m str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    /// Returns the version. A repeatable migration has none.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.version.map(Version::of_valid)
    }

    /// The text of the version, without a copy.
    #[doc(hidden)]
    #[must_use]
    pub fn version_text(&self) -> Option<&'m str> {
        self.version
    }

    /// Returns the kind, which says when the migration runs.
    #[must_use]
    pub fn kind(&self) -> MigrationKind {
        match self.version {
            Some(_) => MigrationKind::Versioned,
            None if self.file().starts_with("RA__") => MigrationKind::RunsAlways,
            None => MigrationKind::RunsOnChange,
        }
    }

    /// Returns the description, as the history table holds it.
    #[must_use]
    pub fn description(&self) -> Cow<'m, str> {
        Name::parse(self.file())
            .map_or(Cow::Borrowed(self.file()), |name| Cow::Owned(name.description))
    }

    /// Returns the file's text.
    #[must_use]
    pub fn sql(&self) -> &'m str {
        self.sql
    }

    /// Returns the checksum, as the history table holds it.
    #[must_use]
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// Returns whether the list beside the folder had the file when the set was made.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// Returns what has changed since the file had this checksum, as far as it can be known.
    pub(crate) fn change_since(&self, checksum: &str) -> Option<TextChange> {
        match self.change {
            Some(it) if it.recorded.to_string() == checksum => Some(it.change.clone()),
            None if self.recorded => Some(TextChange::NotInFile),
            _ => added_since(self.sql, checksum),
        }
    }

    /// Returns the file's text, cut into its sections.
    #[must_use]
    pub fn script(&self) -> Script<'m> {
        Script::read(self.sql)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::folder::Folder;
    use crate::set::table::Packed;

    #[test]
    fn what_is_packed_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in
            [("V1_2__a.sql", "SELECT 1;\n"), ("RA__ü.sql", "SELECT 'ü';\n"), ("V3__c.sql", "")]
        {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let mut files = Folder::read(dir.path()).files;
        files[1].recorded = true;
        let packed = Packed::of(&files);
        let texts: Vec<&'static str> =
            files.iter().map(|file| &*file.text.clone().leak()).collect();
        let table = Table::new(texts.leak(), packed.records.leak(), packed.names.leak());
        assert!(table.agrees(packed.lengths) && !table.agrees(packed.lengths + 1));
        let embedded = Migrations::embedded(table, Options::default());
        let loaded = Migrations::load(files, Options::default());
        assert_eq!(embedded.len(), 3);
        for (a, b) in embedded.iter().zip(loaded.iter()) {
            assert_eq!(
                (a.path(), a.version(), a.sql(), a.checksum(), a.is_recorded()),
                (b.path(), b.version(), b.sql(), b.checksum(), b.is_recorded())
            );
        }
        assert!(embedded.get(3).is_none());
    }
}
