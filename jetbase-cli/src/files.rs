//! `init` and `new`.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use jetbase_core::{Folder, Name, Version};
use jiff::Timestamp;

use super::command_error::CommandError;
use super::command_output::CommandOutput;
use super::context::folder;
use super::exit::Exit;
use super::json::CommandFields;
use super::options::NewArgs;

/// The text of a new migration, as in the Python tool.
const TEMPLATE: &str = "-- upgrade\n\n-- rollback\n";

const SETTINGS: &str = "\
# Settings of jetbase, for the Rust tool and the Python tool.
# The database. JETBASE_DATABASE_URL, JETBASE_SQLALCHEMY_URL and DATABASE_URL have priority.
# sqlalchemy_url = \"postgresql://user:password@localhost:5432/mydb\"
# postgres_schema = \"public\"
";

pub(crate) fn init(named: Option<&Path>) -> Result<CommandOutput, CommandError> {
    // A Rust project has its migrations next to Cargo.toml, where `embed!()` looks for them.
    let (base, migrations) = match (named, package(&std::env::current_dir()?)) {
        (Some(named), _) => (PathBuf::from("."), named.to_owned()),
        (None, Some(package)) if package == Path::new(".") => {
            (package, PathBuf::from("migrations"))
        }
        (None, Some(package)) => (package.clone(), package.join("migrations")),
        // The root of a workspace without a package.
        (None, None) if Path::new("Cargo.toml").is_file() => {
            (PathBuf::from("."), PathBuf::from("migrations"))
        }
        (None, None) => (PathBuf::from("jetbase"), PathBuf::from("jetbase/migrations")),
    };
    let mut created = Vec::new();
    if !migrations.is_dir() {
        fs::create_dir_all(&migrations).map_err(|error| {
            CommandError::io(format!("{} cannot be created", migrations.display()), &error)
        })?;
        created.push(migrations.display().to_string());
    }
    let settings = base.join("jetbase.toml");
    if !settings.exists() {
        create(&settings, SETTINGS)?;
        created.push(settings.display().to_string());
    }
    let folder = std::path::absolute(&base)?;
    let mut text = format!("Initialized Jetbase project in {}", shown(&folder));
    if base == Path::new("jetbase") {
        text.push_str("\nRun 'cd jetbase' to get started!");
    } else if base != Path::new(".") {
        text.push_str(&format!("\nRun 'cd {}' to get started!", base.display()));
    }
    Ok(CommandOutput::new(text, CommandFields::Init { created }))
}

/// Returns the folder of the package that contains a folder: the one whose Cargo.toml has `[package]`. It
/// is relative to that folder.
fn package(folder: &Path) -> Option<PathBuf> {
    let is_package = |folder: &Path| {
        let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        text.lines().any(|line| line.trim() == "[package]")
    };
    let depth = folder.ancestors().position(is_package)?;
    Some(if depth == 0 { PathBuf::from(".") } else { (0..depth).map(|_| "..").collect() })
}

pub(crate) fn new(named: Option<&Path>, args: &NewArgs) -> Result<CommandOutput, CommandError> {
    let root = folder(named);
    if !root.is_dir() {
        let text = format!(
            "Migrations directory not found. There is no folder {}: run `jetbase init`, or name \
             another one with --dir.",
            root.display()
        );
        return Err(CommandError::new("folder", text, Exit::Failed));
    }
    let files = Folder::read(&root).files;
    let taken: Vec<&Version> = files.iter().filter_map(|it| it.name.version.as_ref()).collect();
    let version = match &args.version {
        Some(text) => parse_version(text, &taken)?,
        None => {
            let scheme = match (args.sequential, args.timestamp) {
                (true, _) => Scheme::Sequential,
                (_, true) => Scheme::Timestamp,
                _ => Scheme::of(&taken),
            };
            let highest = taken.iter().copied().max();
            next_version(scheme, &timestamp(Timestamp::now()), highest)
        }
    };
    let file = name(&version, &args.description)?;
    let path = root.join(&file);
    create(&path, TEMPLATE)?;
    let text = format!("Created migration file: {}", path.display());
    let output = CommandOutput::new(text, CommandFields::New { file: path.display().to_string() });
    let low =
        Version::parse(&version).is_ok_and(|version| taken.iter().any(|taken| **taken > version));
    Ok(if low {
        output.note("Its version is not the highest. A database that has a higher one refuses it.")
    } else {
        output
    })
}

/// Returns the version from the command line, if it is valid and not taken.
fn parse_version(text: &str, taken: &[&Version]) -> Result<String, CommandError> {
    let Ok(version) = Version::parse(text) else {
        return Err(CommandError::usage(format!(
            "Invalid version: {text}.\nVersion must be integer(s) that are separated by periods or \
             underscores.\nExamples: \"1\", \"1.5\", \"1_5\""
        )));
    };
    match taken.iter().find(|taken| ***taken == version) {
        Some(taken) => Err(CommandError::usage(format!(
            "Duplicate migration version detected: {taken}.\nChoose a version above all others."
        ))),
        None => Ok(text.to_owned()),
    }
}

fn name(version: &str, description: &str) -> Result<String, CommandError> {
    let description = description.trim().replace(char::is_whitespace, "_");
    let file = format!("V{version}__{description}.sql");
    let foreign = |c: char| c.is_control() || r#"/\:*?"<>|"#.contains(c);
    if description.is_empty() || description.contains(foreign) {
        return Err(CommandError::usage(
            "The description becomes part of a file's name: write words, digits and `-` or `_`.",
        ));
    }
    match Name::parse(&file) {
        Ok(_) => Ok(file),
        Err(_) if file.chars().count() > 512 => Err(CommandError::usage(
            "Migration filename too long.\nFilename must not exceed 512 characters.",
        )),
        Err(error) => Err(CommandError::usage(format!("{file}: {error}."))),
    }
}

/// How the files of a folder choose their versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// `1`, `2`, `3`, or `1.1`, `1.2`.
    Sequential,
    /// `20260131.235959`.
    Timestamp,
}

/// The digits of a date: `20260131`.
const DATE: usize = 8;

impl Scheme {
    /// The scheme of the highest version. An empty folder has time stamps, as in the Python tool.
    fn of(taken: &[&Version]) -> Self {
        let first = |version: &Version| {
            let number = version.as_str().split('.').next().unwrap_or_default();
            number.trim_start_matches('0').len()
        };
        match taken.iter().max() {
            Some(highest) if first(highest) < DATE => Scheme::Sequential,
            _ => Scheme::Timestamp,
        }
    }
}

/// Returns the next version of a scheme. It is above all files.
fn next_version(scheme: Scheme, timestamp: &str, highest: Option<&Version>) -> String {
    match highest {
        None if scheme == Scheme::Sequential => "1".to_owned(),
        Some(highest) if scheme == Scheme::Sequential => highest.next().to_string(),
        // A folder whose time stamps have no dot.
        Some(highest) if timestamp.contains('.') && is_compact(highest) => {
            next_version(scheme, &timestamp.replace('.', ""), Some(highest))
        }
        Some(highest) if Version::parse(timestamp).is_ok_and(|timestamp| timestamp <= *highest) => {
            highest.next().to_string()
        }
        _ => timestamp.to_owned(),
    }
}

/// Whether a version is a time stamp of one number, such as `20260131235959`.
fn is_compact(version: &Version) -> bool {
    let text = version.as_str();
    !text.contains('.') && text.len() >= DATE + "235959".len()
}

/// Returns `YYYYMMDD.HHMMSS` in UTC, which sorts the same way for everyone.
fn timestamp(time: Timestamp) -> String {
    time.strftime("%Y%m%d.%H%M%S").to_string()
}

/// Writes a file that does not exist yet.
fn create(path: &Path, text: &str) -> Result<(), CommandError> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => CommandError::exists(path.display()),
        _ => CommandError::io(format!("{} cannot be written", path.display()), &error),
    })
}

fn shown(path: &Path) -> String {
    path.components().collect::<PathBuf>().display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_date_in_utc() {
        for (seconds, text) in [
            (0, "19700101.000000"),
            (951_782_399, "20000228.235959"),
            (951_782_400, "20000229.000000"),
            (1_767_225_599, "20251231.235959"),
        ] {
            assert_eq!(timestamp(Timestamp::from_second(seconds).unwrap()), text);
        }
    }

    #[test]
    fn a_new_version_is_above_all_others() {
        let version = |text: &str| Version::parse(text).unwrap();
        let now = "20260101.000000";
        for (taken, expected) in [
            (&[][..], now),
            (&["1", "2"], "3"),
            (&["1.9", "1.10"], "1.11"),
            (&["0009"], "0010"),
            (&["20251231.120000"], now),
            (&[now], "20260101.000001"),
            (&["1", "20251231120000"], "20260101000000"),
            (&["20260101000000"], "20260101000001"),
        ] {
            let versions: Vec<Version> = taken.iter().map(|text| version(text)).collect();
            let taken: Vec<&Version> = versions.iter().collect();
            let highest = taken.iter().copied().max();
            assert_eq!(next_version(Scheme::of(&taken), now, highest), expected, "{taken:?}");
        }
        assert_eq!(next_version(Scheme::Sequential, now, None), "1");
        assert_eq!(next_version(Scheme::Timestamp, now, Some(&version("3"))), now);
    }

    #[test]
    fn descriptions_become_names() {
        assert_eq!(name("1_5", " add users ").unwrap(), "V1_5__add_users.sql");
        for wrong in ["", " ", "a/b", "a\\b", "a\nb\0", &"x".repeat(600)] {
            assert!(name("1", wrong).is_err(), "{wrong:?}");
        }
        assert!(parse_version("x", &[]).is_err());
        assert!(parse_version("1.0", &[&Version::parse("1").unwrap()]).is_err());
    }
}
