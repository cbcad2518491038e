//! `init` and `new`.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use jetbase_core::{Folder, Name, Version};

use super::answer::{Answer, Code, Object};
use super::context::folder;
use super::failure::Failure;
use super::options::New;

/// The text of a new migration, as in the Python tool.
const TEMPLATE: &str = "-- upgrade\n\n-- rollback\n";

const SETTINGS: &str = "\
# Settings of jetbase, for the Rust and the Python tool alike.
# The database; JETBASE_DATABASE_URL, JETBASE_SQLALCHEMY_URL and DATABASE_URL count before it.
# sqlalchemy_url = \"postgresql://user:password@localhost:5432/mydb\"
# postgres_schema = \"public\"
";

pub(crate) fn init(named: Option<&Path>) -> Result<Answer, Failure> {
    // A Rust project has its migrations next to Cargo.toml, where `embed!()` looks for them.
    let (base, migrations) = match named {
        Some(named) => (PathBuf::from("."), named.to_owned()),
        None if Path::new("Cargo.toml").is_file() => {
            (PathBuf::from("."), PathBuf::from("migrations"))
        }
        None => (PathBuf::from("jetbase"), PathBuf::from("jetbase/migrations")),
    };
    let mut created = Vec::new();
    if !migrations.is_dir() {
        fs::create_dir_all(&migrations).map_err(|error| {
            Failure::io(format!("{} cannot be created", migrations.display()), &error)
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
    }
    Ok(Answer::new(text, Object::default().field("created", created)))
}

pub(crate) fn new(named: Option<&Path>, wanted: &New) -> Result<Answer, Failure> {
    let root = folder(named);
    if !root.is_dir() {
        let text = format!(
            "Migrations directory not found. There is no folder {}: run `jetbase init`, or name \
             another one with --dir.",
            root.display()
        );
        return Err(Failure::new("folder", text, Code::Failed));
    }
    let files = Folder::read(&root).files;
    let taken: Vec<&Version> = files.iter().filter_map(|it| it.name.version.as_ref()).collect();
    let version = match &wanted.version {
        Some(text) => chosen(text, &taken)?,
        None => next_version(&now(), taken.iter().copied().max()),
    };
    let file = name(&version, &wanted.description)?;
    let path = root.join(&file);
    create(&path, TEMPLATE)?;
    let text = format!("Created migration file: {file}");
    let answer = Answer::new(text, Object::default().field("file", path.display().to_string()));
    let low =
        Version::parse(&version).is_ok_and(|version| taken.iter().any(|taken| **taken > version));
    Ok(match low {
        true => answer
            .note("Its version is not the highest: databases that have a higher one refuse it."),
        false => answer,
    })
}

/// Returns the version from the command line, if it is valid and not taken.
fn chosen(text: &str, taken: &[&Version]) -> Result<String, Failure> {
    let Ok(version) = Version::parse(text) else {
        return Err(Failure::usage(format!(
            "Invalid version: {text}.\nVersion must be integer(s) that are separated by periods or \
             underscores.\nExamples: \"1\", \"1.5\", \"1_5\""
        )));
    };
    match taken.iter().find(|taken| ***taken == version) {
        Some(taken) => Err(Failure::usage(format!(
            "Duplicate migration version detected: {taken}.\nChoose a version above all others."
        ))),
        None => Ok(text.to_owned()),
    }
}

fn name(version: &str, description: &str) -> Result<String, Failure> {
    let words = description.trim().replace(char::is_whitespace, "_");
    let file = format!("V{version}__{words}.sql");
    let foreign = |c: char| c.is_control() || r#"/\:*?"<>|"#.contains(c);
    if words.is_empty() || words.contains(foreign) {
        return Err(Failure::usage(
            "The description becomes part of a file's name: write words, digits and `-` or `_`.",
        ));
    }
    match Name::parse(&file) {
        Ok(_) => Ok(file),
        Err(_) if file.chars().count() > 512 => Err(Failure::usage(
            "Migration filename too long.\nFilename must not exceed 512 characters.",
        )),
        Err(error) => Err(Failure::usage(format!("{file}: {error}."))),
    }
}

/// Returns the time stamp. If a file has a later version, returns the first version above all
/// files.
fn next_version(stamp: &str, highest: Option<&Version>) -> String {
    match highest {
        Some(highest) if Version::parse(stamp).is_ok_and(|stamp| stamp <= *highest) => {
            above(highest)
        }
        _ => stamp.to_owned(),
    }
}

/// Returns the version with its last number increased by one.
pub(crate) fn above(version: &Version) -> String {
    let (head, last) = match version.as_str().rsplit_once('.') {
        Some((head, last)) => (format!("{head}."), last),
        None => (String::new(), version.as_str()),
    };
    let mut digits: Vec<char> = Vec::new();
    let mut carry = 1;
    for digit in last.chars().rev() {
        let sum = digit.to_digit(10).unwrap_or_default() + carry;
        carry = sum / 10;
        digits.push(char::from_digit(sum % 10, 10).unwrap_or('0'));
    }
    if carry > 0 {
        digits.push('1');
    }
    format!("{head}{}", digits.iter().rev().collect::<String>())
}

/// Returns `YYYYMMDD.HHMMSS` in UTC, which sorts the same way for everyone.
fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    stamp(seconds)
}

fn stamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Civil date from a day number, in eras of 400 years that start in March.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    let year = year + era * 400;
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{day:02}.{hour:02}{minute:02}{second:02}")
}

/// Writes a file that does not exist yet.
fn create(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::new(
            "io",
            format!("{} is there already, and is left as it is.", path.display()),
            Code::Failed,
        ),
        _ => Failure::io(format!("{} cannot be written", path.display()), &error),
    })
}

fn shown(path: &Path) -> String {
    path.components().collect::<PathBuf>().display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_dates() {
        for (seconds, text) in [
            (0, "19700101.000000"),
            (951_782_399, "20000228.235959"),
            (951_782_400, "20000229.000000"),
            (1_767_225_599, "20251231.235959"),
            (4_107_542_400, "21000301.000000"),
        ] {
            assert_eq!(stamp(seconds), text);
        }
    }

    #[test]
    fn a_new_version_is_above_all_others() {
        let version = |text: &str| Version::parse(text).unwrap();
        for (highest, next) in [
            ("1", "2"),
            ("1.9", "1.10"),
            ("99999999999999999999", "100000000000000000000"),
            ("20260101.235959", "20260101.235960"),
            ("1.0", "1.1"),
        ] {
            assert_eq!(above(&version(highest)), next);
            assert!(version(next) > version(highest));
        }
        assert_eq!(next_version("20260101.000000", Some(&version("3"))), "20260101.000000");
        assert_eq!(
            next_version("20260101.000000", Some(&version("20260101.000000"))),
            "20260101.000001"
        );
    }

    #[test]
    fn descriptions_become_names() {
        assert_eq!(name("1_5", " add users ").unwrap(), "V1_5__add_users.sql");
        for wrong in ["", " ", "a/b", "a\\b", "a\nb\0", &"x".repeat(600)] {
            assert!(name("1", wrong).is_err(), "{wrong:?}");
        }
        assert!(chosen("x", &[]).is_err());
        assert!(chosen("1.0", &[&Version::parse("1").unwrap()]).is_err());
    }
}
