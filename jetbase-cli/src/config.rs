//! The configuration: command-line options, then the environment, then `jetbase.toml`.

use std::env::VarError;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jetbase_core::{Validation, duration, similar};
use toml::{Table, Value};

use super::command_error::{CommandError, io_reason};
use super::database_address::{DIRECT_URL, DatabaseAddress, URLS};
use super::options::{TIME, time};
use super::secret;
use jetbase_runtime::Wait;

/// The keys of `jetbase.toml`. Keys for other databases are for the Python tool only.
const KEYS: [&str; 7] = [
    "sqlalchemy_url",
    "postgres_schema",
    "skip_validation",
    "skip_checksum_validation",
    "skip_file_validation",
    "snowflake_private_key",
    "snowflake_private_key_password",
];

/// The settings outside the command line.
#[derive(Debug)]
pub(crate) struct Config {
    table: Table,
    /// The path of the file that was read.
    file: Option<PathBuf>,
    /// Warnings about the file.
    pub(crate) warnings: Vec<String>,
    read_variable: ReadVariable,
}

/// Reads a variable. An empty one counts as not set.
type ReadVariable = fn(&str) -> Result<Option<String>, CommandError>;

impl Config {
    /// Reads `jetbase.toml` from the working directory, or from the folder that contains the
    /// migrations.
    pub(crate) fn read(folder: Option<&Path>) -> Result<Self, CommandError> {
        let beside = folder.and_then(Path::parent).map(|parent| parent.join("jetbase.toml"));
        let file = [Some(PathBuf::from("jetbase.toml")), beside]
            .into_iter()
            .flatten()
            .find(|file| file.exists());
        let text = match &file {
            Some(file) => {
                std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?
            }
            None => String::new(),
        };
        Config::parse(&text, file, variable)
    }

    fn parse(
        text: &str,
        file: Option<PathBuf>,
        read_variable: ReadVariable,
    ) -> Result<Self, CommandError> {
        let table = text.parse::<Table>().map_err(|error| {
            // The parser's own text would quote the line, which may contain a password.
            let line = error.span().and_then(|span| text.get(..span.start));
            let line = line.map_or(1, |before| before.matches('\n').count() + 1);
            let message = error.message();
            CommandError::usage(format!(
                "{}:{line}: {message}; correct the file, or remove it",
                shown(file.as_deref())
            ))
        })?;
        let warnings = table.keys().filter(|key| !KEYS.contains(&key.as_str())).map(|key| {
            let close = similar(key, &KEYS)
                .map_or_else(String::new, |close| format!("; did you mean `{close}`?"));
            format!("{}: the key `{key}` has no meaning{close}", shown(file.as_deref()))
        });
        let warnings = warnings.collect();
        Ok(Config { table, file, warnings, read_variable })
    }

    /// Returns the warnings and the error about a text. Only `tests/fuzz` calls it.
    pub(crate) fn said_about(text: &str) -> Vec<String> {
        let config = match Config::parse(text, None, |_| Ok(None)) {
            Ok(config) => config,
            Err(error) => return error.blocks,
        };
        let checked = config.check().and_then(|()| config.address(None)).map(drop);
        let mut said = checked.map_err(|error| error.blocks).err().unwrap_or_default();
        said.extend(config.warnings);
        said
    }

    /// Checks every setting, including those that the command does not need, so that none is
    /// ignored silently.
    pub(crate) fn check(&self) -> Result<(), CommandError> {
        self.text("sqlalchemy_url")?;
        self.text("postgres_schema")?;
        self.skipped()?;
        self.schema()?;
        self.wait()?;
        self.direct_url()?;
        for name in ["JETBASE_DATABASE_URL", "JETBASE_SQLALCHEMY_URL"] {
            (self.read_variable)(name)?;
        }
        let lease = (self.read_variable)("JETBASE_LEASE")?;
        match lease.map(|text| duration(&text)) {
            None => Ok(()),
            Some(Some(lease)) if !lease.is_zero() => Ok(()),
            Some(_) => Err(CommandError::usage(format!("JETBASE_LEASE: {TIME}, and not 0"))),
        }
    }

    /// Returns how long to wait for the lock, from `JETBASE_WAIT`.
    pub(crate) fn wait(&self) -> Result<Option<Wait>, CommandError> {
        match (self.read_variable)("JETBASE_WAIT")?.as_deref().map(str::trim) {
            None => Ok(None),
            Some("never") => Ok(Some(Wait::Never)),
            Some(text) => match time(text) {
                Ok(time) => Ok(Some(up_to(time))),
                Err(why) => Err(CommandError::usage(format!("JETBASE_WAIT: {why}, or `never`"))),
            },
        }
    }

    /// Returns the URL that bypasses a pooler, from `JETBASE_DIRECT_URL`.
    pub(crate) fn direct_url(&self) -> Result<Option<DatabaseAddress>, CommandError> {
        let text = (self.read_variable)(DIRECT_URL)?;
        text.map(|text| parse_url(DIRECT_URL, &text, Path::new(""))).transpose()
    }

    /// Returns the database's address. The command-line option has priority.
    pub(crate) fn address(&self, option: Option<&str>) -> Result<DatabaseAddress, CommandError> {
        let here = Path::new("");
        if let Some(text) = option {
            return parse_url("--database-url", text, here);
        }
        for name in URLS {
            if let Some(text) = (self.read_variable)(name)? {
                return parse_url(name, &text, here);
            }
        }
        match self.text("sqlalchemy_url")? {
            Some(text) => {
                let base = self.file.as_deref().and_then(Path::parent).unwrap_or(here);
                parse_url(&shown(self.file.as_deref()), &text, base)
            }
            None => Err(CommandError::usage(no_url())),
        }
    }

    /// Returns the schema in which the Python tool would work on PostgreSQL.
    pub(crate) fn schema(&self) -> Result<Option<String>, CommandError> {
        match (self.read_variable)("JETBASE_POSTGRES_SCHEMA")? {
            Some(schema) => Ok(Some(schema)),
            None => self.text("postgres_schema"),
        }
    }

    /// Returns the validations that are switched off.
    pub(crate) fn skipped(&self) -> Result<Vec<Validation>, CommandError> {
        let mut skipped = Vec::new();
        for (key, validation) in [
            ("skip_validation", Validation::All),
            ("skip_checksum_validation", Validation::Checksums),
            ("skip_file_validation", Validation::Files),
        ] {
            if self.is_on(key)? {
                skipped.push(validation);
            }
        }
        Ok(skipped)
    }

    fn is_on(&self, key: &str) -> Result<bool, CommandError> {
        let name = format!("JETBASE_{}", key.to_ascii_uppercase());
        if let Some(text) = (self.read_variable)(&name)? {
            return match text.trim().to_ascii_lowercase().as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(CommandError::usage(format!("{name}: write `true` or `false`"))),
            };
        }
        match self.table.get(key) {
            None => Ok(false),
            Some(Value::Boolean(value)) => Ok(*value),
            Some(_) => Err(self.wrong(key, "`true` or `false`")),
        }
    }

    fn text(&self, key: &str) -> Result<Option<String>, CommandError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(key, "a text in quotes")),
        }
    }

    fn wrong(&self, key: &str, expected: &str) -> CommandError {
        CommandError::usage(format!("{}: `{key}` must be {expected}", shown(self.file.as_deref())))
    }
}

/// Returns the error of a configuration file that cannot be read.
fn unreadable(file: &Path, error: &std::io::Error) -> CommandError {
    let file = file.display();
    CommandError::usage(match error.kind() {
        ErrorKind::InvalidData => format!("{file}: the file is not UTF-8; save it as UTF-8"),
        ErrorKind::IsADirectory => {
            format!("{file} is a folder; rename it, or put a file in its place")
        }
        _ => format!("{file} cannot be read: {}; correct its rights", io_reason(error)),
    })
}

fn variable(name: &str) -> Result<Option<String>, CommandError> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.trim().is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(CommandError::usage(format!("{name}: the value is not UTF-8; set it again")))
        }
    }
}

/// Parses a URL from an option, a variable or a file. From then on, its password is hidden wherever
/// it is quoted.
pub(crate) fn parse_url(
    source: &str,
    text: &str,
    base: &Path,
) -> Result<DatabaseAddress, CommandError> {
    secret::learn(text);
    DatabaseAddress::parse(text, base)
        .map_err(|why| CommandError::usage(format!("{source}: {why}")))
}

/// Turns a time into a wait; zero means no wait.
pub(crate) fn up_to(time: Duration) -> Wait {
    if time.is_zero() { Wait::Never } else { Wait::UpTo(time) }
}

fn shown(file: Option<&Path>) -> String {
    file.map_or_else(|| "jetbase.toml".to_owned(), |file| file.display().to_string())
}

fn no_url() -> String {
    let mut text = "Configuration 'sqlalchemy_url' not found: no database is named.\n\
        Pass --database-url, set JETBASE_DATABASE_URL or DATABASE_URL, or write \
        `sqlalchemy_url = \"postgresql://user@host/database\"` into jetbase.toml."
        .to_owned();
    let python = ["env.py", "jetbase/env.py"].into_iter().find(|file| Path::new(file).is_file());
    if let Some(file) = python {
        text.push_str(&format!(
            "\nhint: {file} is Python, which this program does not run; move its settings to \
             jetbase.toml, which both tools read"
        ));
    } else if std::fs::read_to_string("pyproject.toml")
        .is_ok_and(|text| text.contains("[tool.jetbase]"))
    {
        text.push_str(
            "\nhint: this program does not read pyproject.toml; move the settings of \
             [tool.jetbase] to jetbase.toml, which both tools read",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn none(_: &str) -> Result<Option<String>, CommandError> {
        Ok(None)
    }

    fn config(text: &str, read_variable: ReadVariable) -> Config {
        Config::parse(text, Some(PathBuf::from("db/jetbase.toml")), read_variable).unwrap()
    }

    #[test]
    fn the_option_counts_before_the_environment_and_that_before_the_file() {
        let file = "sqlalchemy_url = 'sqlite:///file.db'";
        let write = |config: &Config, option| config.address(option).unwrap().to_write();
        let config_only = config(file, none);
        assert_eq!(write(&config_only, None), "sqlite://db/file.db?mode=rwc");
        let both = config(file, |name| {
            Ok((name == "DATABASE_URL").then(|| "sqlite:///variable.db".to_owned()))
        });
        assert_eq!(write(&both, None), "sqlite://variable.db?mode=rwc");
        assert_eq!(write(&both, Some("mysql://h/d")), "mysql://h/d");
        assert!(config("", none).address(None).is_err());
    }

    #[test]
    fn switches_come_from_both() {
        let text = "skip_validation = false\nskip_file_validation = true\n";
        assert_eq!(config(text, none).skipped().unwrap(), [Validation::Files]);
        let variables: ReadVariable = |name| {
            Ok(match name {
                "JETBASE_SKIP_VALIDATION" => Some("True".to_owned()),
                "JETBASE_SKIP_FILE_VALIDATION" => Some("false".to_owned()),
                _ => None,
            })
        };
        assert_eq!(config(text, variables).skipped().unwrap(), [Validation::All]);
        assert!(config("skip_validation = 'yes'", none).skipped().is_err());
    }

    #[test]
    fn a_wrong_setting_is_an_error_of_every_command() {
        assert!(config("", none).check().is_ok());
        for text in ["sqlalchemy_url = 5", "postgres_schema = []", "skip_file_validation = 1"] {
            assert!(config(text, none).check().is_err(), "{text}");
        }
        let variables: ReadVariable = |name| Ok((name == "JETBASE_LEASE").then(|| "0s".to_owned()));
        let failure = config("", variables).check().unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.blocks.concat().starts_with("JETBASE_LEASE: write a number and a unit"));
    }

    #[test]
    fn a_wrong_file_is_reported_without_its_secrets() {
        let failure = Config::parse("\nsqlalchemy_url = secret@h", None, none).unwrap_err();
        let text = failure.blocks.concat();
        assert!(text.starts_with("jetbase.toml:2: "), "{text}");
        assert!(!text.contains("secret"), "{text}");
        let config = config("postgres_shema = 'a'", none);
        assert!(config.warnings[0].ends_with("did you mean `postgres_schema`?"));
    }
}
