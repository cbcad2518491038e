//! The context of a command: a set, a database, and the configuration.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jetbase_core::{Dialect, Folder, Migrations, Options, Severity, SumFile, Validation};

use jetbase_runtime::{AnyTarget, DatabaseUrl, Error, Wait};

use super::args::CommonArgs;
use super::command_error::CommandError;
use super::config::{Config, parse_url, up_to};
use super::options::WaitArgs;
use super::printer::Printer;

/// Applies the options about schema and roles to a builder of the runtime.
macro_rules! in_namespace {
    ($context:expr, $builder:expr) => {{
        let mut builder = $builder;
        if let Some(schema) = $context.schema()? {
            builder = builder.schema(schema);
        }
        if let Some(role) = &$context.common.role {
            builder = builder.role(role);
        }
        for owner in &$context.common.trust_owner {
            builder = builder.trust_owner(owner);
        }
        builder
    }};
}
pub(crate) use in_namespace;

/// The location of the migrations.
#[derive(Clone, Debug)]
pub(crate) enum MigrationsLocation {
    /// The folder that was named, or one of the default folders.
    Folder(Option<PathBuf>),
    /// A set that is embedded in the program.
    Embedded(Migrations),
}

/// What a command does with the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    Read,
    Write,
}

/// How far a folder is checked before a command uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FolderChecks {
    /// Names and versions.
    Names,
    /// Names, versions, and the list of recorded migrations.
    SumFile,
}

/// The context of a command.
#[derive(Debug)]
pub(crate) struct CommandContext<'t> {
    pub(crate) source: MigrationsLocation,
    pub(crate) common: CommonArgs,
    pub(crate) printer: Printer,
    /// The database of the calling program.
    pub(crate) target: Option<AnyTarget<'t>>,
    config: Config,
}

/// The default wait of a command.
const WAIT: Duration = Duration::from_secs(30);

impl<'t> CommandContext<'t> {
    pub(crate) fn new(
        source: MigrationsLocation,
        common: CommonArgs,
        printer: Printer,
        target: Option<AnyTarget<'t>>,
    ) -> Result<Self, CommandError> {
        let folder = match &source {
            MigrationsLocation::Folder(named) => Some(folder(named.as_deref())),
            MigrationsLocation::Embedded(_) => None,
        };
        let config = Config::read(folder.as_deref())?;
        config.check()?;
        config.warnings.iter().for_each(|warning| printer.warning(warning));
        Ok(CommandContext { source, common, printer, target, config })
    }

    /// Returns the set, checked as far as the command needs it.
    ///
    /// The first mistake to report is a database that is not named.
    pub(crate) fn set(&self, checks: FolderChecks) -> Result<Migrations, CommandError> {
        if self.target.is_none() {
            self.config.address(self.common.database_url.as_deref())?;
        }
        let root = match &self.source {
            MigrationsLocation::Embedded(set) => return Ok(set.clone()),
            MigrationsLocation::Folder(named) => folder(named.as_deref()),
        };
        let mut read = Folder::read(&root);
        let mut findings = std::mem::take(&mut read.findings);
        findings.retain(|finding| finding.severity == Severity::Error);
        if findings.is_empty() {
            match (SumFile::read(&root), checks) {
                (Ok(None), _) => {}
                // The list says which part of a file has changed.
                (Ok(Some(list)), FolderChecks::Names) => list.mark(&mut read.files),
                (Err(_), FolderChecks::Names) => {}
                (Ok(Some(list)), FolderChecks::SumFile) => {
                    findings = list.verify(&read);
                    list.mark(&mut read.files);
                }
                (Err(finding), FolderChecks::SumFile) => findings.push(*finding),
            }
        }
        if findings.is_empty() {
            Ok(Migrations::load(read.files, Options::default()))
        } else {
            Err(CommandError::folder(&findings, &root.display().to_string()))
        }
    }

    /// Turns a library error into the error of the command. It shows the folder before the names of files.
    pub(crate) fn command_error(&self, error: &Error) -> CommandError {
        let folder = match &self.source {
            MigrationsLocation::Embedded(_) => String::new(),
            MigrationsLocation::Folder(named) => folder(named.as_deref()).display().to_string(),
        };
        CommandError::in_folder(error, &folder)
    }

    /// Returns the set's name and options, for commands that need no migration.
    pub(crate) fn set_without_files(&self) -> Migrations {
        match &self.source {
            MigrationsLocation::Embedded(set) => set.clone(),
            MigrationsLocation::Folder(_) => Migrations::load(Vec::new(), Options::default()),
        }
    }

    /// Returns the database: the URL from the command line, else the program's own, else the
    /// configured one.
    pub(crate) fn database(&mut self, intent: Intent) -> Result<AnyTarget<'t>, CommandError> {
        let option = self.common.database_url.as_deref();
        if option.is_none()
            && let Some(target) = self.target.take()
        {
            return Ok(target);
        }
        let address = self.config.address(option)?;
        let url = match intent {
            Intent::Read => address.to_read(),
            Intent::Write => address.to_write(),
        };
        Ok(AnyTarget::new(DatabaseUrl(&url)))
    }

    /// Returns the file of an SQLite database that the first run will create.
    pub(crate) fn missing_file(&self) -> Option<String> {
        let option = self.common.database_url.as_deref();
        if option.is_none() && self.target.is_some() {
            return None;
        }
        self.config.address(option).ok()?.missing_file()
    }

    /// Returns the schema to work in. `postgres_schema` applies to PostgreSQL only.
    pub(crate) fn schema(&self) -> Result<Option<String>, CommandError> {
        if let Some(schema) = &self.common.schema {
            return Ok(Some(schema.clone()));
        }
        let Some(schema) = self.config.schema()? else { return Ok(None) };
        let address = self.config.address(self.common.database_url.as_deref());
        let postgres = address.is_ok_and(|it| it.dialect() == Dialect::Postgres);
        Ok(postgres.then_some(schema))
    }

    /// Returns the validations that the configuration switches off.
    pub(crate) fn skipped(&self) -> Result<Vec<Validation>, CommandError> {
        self.config.skipped()
    }

    pub(crate) fn wait(&self, args: &WaitArgs) -> Result<Wait, CommandError> {
        match args.wait {
            _ if args.no_wait => Ok(Wait::Never),
            Some(time) => Ok(up_to(time)),
            None => Ok(self.config.wait()?.unwrap_or(Wait::UpTo(WAIT))),
        }
    }

    /// Returns the URL that bypasses a pooler.
    pub(crate) fn direct_url(&self, option: Option<&str>) -> Result<Option<String>, CommandError> {
        let address = match option {
            Some(text) => Some(parse_url("--direct-url", text, Path::new(""))?),
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
