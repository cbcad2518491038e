//! The context of a command: a set, a database, and the configuration.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jetbase_core::{Dialect, Folder, Migrations, Options, Severity, SumFile, Validation};

use super::answer::Code;
use super::args::Common;
use super::config::{Config, parsed, up_to};
use super::failure::Failure;
use super::options::{Locking, Patience};
use super::output::Output;
use crate::error::Error;
use crate::run::Published;
use crate::target::{Source, sealed, source_of_url};
use crate::wait::Wait;

/// Where the migrations come from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// The folder that was named, or one of the default folders.
    Folder(Option<PathBuf>),
    /// A set that is embedded in the program.
    Embedded(Migrations),
}

// A `Source` is a target too, so that the commands need no type parameter.
impl<'t> sealed::Sealed<'t> for Source<'t> {
    fn source(self) -> Source<'t> {
        self
    }
}

/// What a command does with the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    Ask,
    Write,
}

/// How far a folder is checked before a command uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Names and versions.
    Names,
    /// Names, versions, and the list of recorded migrations.
    SumFile,
}

/// The context of a command.
#[derive(Debug)]
pub(crate) struct CommandContext<'t> {
    pub(crate) origin: Origin,
    pub(crate) common: Common,
    pub(crate) output: Output,
    /// The database of the calling program.
    pub(crate) given: Option<Source<'t>>,
    config: Config,
}

/// The default wait of a command.
const WAIT: Duration = Duration::from_secs(30);

impl<'t> CommandContext<'t> {
    pub(crate) fn new(
        origin: Origin,
        common: Common,
        output: Output,
        given: Option<Source<'t>>,
    ) -> Result<Self, Failure> {
        let folder = match &origin {
            Origin::Folder(named) => Some(folder(named.as_deref())),
            Origin::Embedded(_) => None,
        };
        let config = Config::read(folder.as_deref())?;
        config.check()?;
        config.warnings.iter().for_each(|warning| output.warning(warning));
        Ok(CommandContext { origin, common, output, given, config })
    }

    /// Returns the set, checked as far as the command needs it.
    pub(crate) fn set(&self, depth: Depth) -> Result<Migrations, Failure> {
        let root = match &self.origin {
            Origin::Embedded(set) => return Ok(set.clone()),
            Origin::Folder(named) => folder(named.as_deref()),
        };
        let mut read = Folder::read(&root);
        let mut findings = std::mem::take(&mut read.findings);
        findings.retain(|finding| finding.severity == Severity::Error);
        let mut code = Code::Failed;
        if findings.is_empty() && depth == Depth::SumFile {
            match SumFile::read(&root) {
                Ok(None) => {}
                Ok(Some(list)) => findings = list.verify(&read),
                Err(finding) => findings.push(*finding),
            }
            code = Code::Drift;
        }
        match findings.is_empty() {
            true => Ok(Migrations::load(read.files, Options::default())),
            false => Err(Failure::folder(&findings, &root.display().to_string(), code)),
        }
    }

    /// Turns a library error into a failure. It shows the folder before the names of files.
    pub(crate) fn failed(&self, error: &Error) -> Failure {
        let folder = match &self.origin {
            Origin::Embedded(_) => String::new(),
            Origin::Folder(named) => folder(named.as_deref()).display().to_string(),
        };
        Failure::in_folder(error, &folder)
    }

    /// Returns the set's name and options, for commands that need no migration.
    pub(crate) fn set_unread(&self) -> Migrations {
        match &self.origin {
            Origin::Embedded(set) => set.clone(),
            Origin::Folder(_) => Migrations::load(Vec::new(), Options::default()),
        }
    }

    /// Returns the database: the URL from the command line, else the program's own, else the
    /// configured one.
    pub(crate) fn database(&mut self, intent: Intent) -> Result<Source<'t>, Failure> {
        let typed = self.common.database_url.as_deref();
        if typed.is_none()
            && let Some(given) = self.given.take()
        {
            return Ok(given);
        }
        let address = self.config.address(typed)?;
        Ok(source_of_url(&match intent {
            Intent::Ask => address.to_ask(),
            Intent::Write => address.to_write(),
        }))
    }

    /// Returns the schema to work in. `postgres_schema` applies to PostgreSQL only.
    pub(crate) fn schema(&self) -> Result<Option<String>, Failure> {
        if let Some(schema) = &self.common.schema {
            return Ok(Some(schema.clone()));
        }
        let Some(schema) = self.config.schema()? else { return Ok(None) };
        let address = self.config.address(self.common.database_url.as_deref());
        let postgres = address.is_ok_and(|it| it.dialect() == Dialect::Postgres);
        Ok(postgres.then_some(schema))
    }

    /// Returns the validations that the configuration switches off.
    pub(crate) fn skipped(&self) -> Result<Vec<Validation>, Failure> {
        self.config.skipped()
    }

    pub(crate) fn wait(&self, wanted: &Patience) -> Result<Wait, Failure> {
        match wanted.wait {
            _ if wanted.no_wait => Ok(Wait::Never),
            Some(time) => Ok(up_to(time)),
            None => Ok(self.config.wait()?.unwrap_or(Wait::UpTo(WAIT))),
        }
    }

    pub(crate) fn published(wanted: &Locking) -> Published {
        if wanted.allow_published { Published::Allow } else { Published::Refuse }
    }

    /// Returns the URL that bypasses a pooler.
    pub(crate) fn direct_url(&self, wanted: &Locking) -> Result<Option<String>, Failure> {
        let address = match &wanted.direct_url {
            Some(text) => Some(parsed("--direct-url", text, Path::new(""))?),
            None => self.config.direct_url()?,
        };
        Ok(address.map(|address| address.to_write()))
    }
}

/// Returns the folder that was named, else `migrations`, else `jetbase/migrations`.
pub(crate) fn folder(named: Option<&Path>) -> PathBuf {
    if let Some(named) = named {
        return named.to_owned();
    }
    let usual = ["migrations", "jetbase/migrations"].map(PathBuf::from);
    let there = usual.iter().find(|folder| folder.is_dir());
    there.cloned().unwrap_or_else(|| PathBuf::from("migrations"))
}
