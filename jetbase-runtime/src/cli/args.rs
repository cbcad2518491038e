//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ColorChoice, Parser, Subcommand};
use jetbase_core::{Dialect, Version};

/// Database migrations, applied exactly once.
#[derive(Debug, Parser)]
#[command(name = "jetbase", version, about, after_help = AFTER, disable_help_subcommand = true)]
pub(crate) struct Tool {
    #[command(flatten)]
    pub(crate) common: Common,

    /// The folder of migrations [default: ./migrations, else ./jetbase/migrations]
    #[arg(long, global = true, value_name = "FOLDER", help_heading = OPTIONS)]
    pub(crate) dir: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: ToolCommand,
}

const OPTIONS: &str = "Common options";

/// What stands below the help of every face.
pub(crate) const AFTER: &str = "\
Database: --database-url, else JETBASE_DATABASE_URL, JETBASE_SQLALCHEMY_URL or DATABASE_URL, else
  `sqlalchemy_url` in jetbase.toml. `sqlite:///x.db` is a file here, `sqlite:////x.db` an absolute one.
  jetbase.toml (or JETBASE_<KEY>) may also set postgres_schema, skip_validation,
  skip_checksum_validation and skip_file_validation. JETBASE_WAIT is the default of --wait.

Output: results on standard output, progress and errors on standard error. With --json one object on
  standard output: command, ok, exit_code, the fields of the command (see its --help), error.

Exit codes: 0 done, 1 failed, 2 wrong usage, 10 migrations are pending, 11 drift or missing files,
  12 locked or lock lost, 130 interrupted.";

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// The database, as SQLAlchemy or sqlx writes it
    #[arg(long, global = true, value_name = "URL", help_heading = OPTIONS)]
    pub(crate) database_url: Option<String>,

    /// The schema to work in (MySQL: the database)
    #[arg(long, global = true, help_heading = OPTIONS)]
    pub(crate) schema: Option<String>,

    /// The PostgreSQL role to work as
    #[arg(long, global = true, help_heading = OPTIONS)]
    pub(crate) role: Option<String>,

    /// Print one JSON object
    #[arg(long, global = true, help_heading = OPTIONS)]
    pub(crate) json: bool,

    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = OPTIONS)]
    pub(crate) color: ColorChoice,
}

/// The commands of the standalone tool.
#[derive(Debug, Subcommand)]
pub(crate) enum ToolCommand {
    #[command(flatten)]
    Set(SetCommand),
    #[command(flatten)]
    Files(FilesCommand),
}

/// Commands about a set and its database.
#[derive(Debug, Subcommand)]
pub(crate) enum SetCommand {
    /// Apply what is pending
    #[command(
        after_long_help = "JSON: applied, planned (--dry-run), skipped, warnings, waited_ms, recovered, elapsed_ms"
    )]
    Upgrade(Upgrade),

    /// Undo the version applied last, or more
    #[command(
        after_long_help = "JSON: applied, planned (--dry-run), skipped, warnings, waited_ms, recovered, elapsed_ms"
    )]
    Rollback(Rollback),

    /// Show what is applied and what is pending
    #[command(after_long_help = "JSON: applied, pending, skipped, problems")]
    Status,

    /// Show what was applied, and when
    #[command(
        after_long_help = "JSON: records (order, version, description, file, kind, applied_at, checksum)"
    )]
    History,

    /// Show the latest applied version
    #[command(after_long_help = "JSON: version")]
    Current,

    /// Ask whether a program may start: everything is applied, or more than everything
    #[command(after_long_help = "JSON: state (ready, ahead, behind), pending")]
    Check,

    /// Show who holds the migration lock, and whether that holder lives
    #[command(after_long_help = "JSON: locked, locked_at, process_id, holder, alive")]
    LockStatus,

    /// Set the migration lock free
    ///
    /// A holder that is provably alive keeps it, unless --force is given: its run then stops before
    /// its next commit.
    #[command(after_long_help = "JSON: holder")]
    Unlock(Unlock),

    /// Compare the checksums of files and history
    #[command(after_long_help = "JSON: compared, problems, skipped")]
    ValidateChecksums,

    /// Look for applied migrations without files, and for files that sort too low
    #[command(after_long_help = "JSON: compared, problems, skipped")]
    ValidateFiles,
}

/// Commands about files.
#[derive(Debug, Subcommand)]
pub(crate) enum FilesCommand {
    /// Create a folder of migrations and a jetbase.toml
    #[command(after_long_help = "JSON: created")]
    Init,

    /// Create a migration file
    #[command(after_long_help = "JSON: file")]
    New(New),

    /// Show how files are read: name, checksum, statements, findings
    #[command(
        after_long_help = "JSON: one object a line: file, valid_name, kind, version, description, delimiter, \
        checksum, upgrade, rollback (line, sql), findings (severity, rule, line, column, message)"
    )]
    Inspect(Inspect),

    /// Record the new migrations in the list beside the folder, `<folder>.sum`
    ///
    /// What is recorded must not change: a build, and this command, tell.
    #[command(after_long_help = "JSON: list, recorded, entries; with --check: list, unrecorded")]
    Sum(Sum),

    /// Give new migrations that sort too low, or share a version, versions above all others
    #[command(after_long_help = "JSON: renamed (from, to)")]
    Renumber(Renumber),
}

#[derive(Debug, Args)]
pub(crate) struct Upgrade {
    /// Apply at most this many versions
    #[arg(short, long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub(crate) count: Option<usize>,

    /// Apply the versions up to and with this one
    #[arg(short, long, value_name = "VERSION", value_parser = Version::parse)]
    pub(crate) to_version: Option<Version>,

    /// Show the SQL, execute nothing
    #[arg(short, long)]
    pub(crate) dry_run: bool,

    /// Compare neither checksums nor files with the history
    #[arg(long)]
    pub(crate) skip_validation: bool,

    /// Do not compare checksums
    #[arg(long)]
    pub(crate) skip_checksum_validation: bool,

    /// Do not look for missing files, or for files that sort too low
    #[arg(long)]
    pub(crate) skip_file_validation: bool,

    #[command(flatten)]
    pub(crate) patience: Patience,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// Roll back this many versions
    #[arg(short, long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub(crate) count: Option<usize>,

    /// Roll back every version above this one
    #[arg(short, long, value_name = "VERSION", value_parser = Version::parse)]
    pub(crate) to_version: Option<Version>,

    /// Show the SQL, execute nothing
    #[arg(short, long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) patience: Patience,
}

#[derive(Debug, Args)]
pub(crate) struct Patience {
    /// How long to wait while somebody else holds the lock, such as `90s` or `5min` [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) wait: Option<Duration>,

    /// Do not wait for the lock
    #[arg(long, conflicts_with = "wait")]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Unlock {
    /// Unlock even under a holder that is provably alive
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// What the migration does, in words
    pub(crate) description: String,

    /// The version [default: the date and time in UTC, above all others]
    #[arg(short, long)]
    pub(crate) version: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// The dialect they are written in: postgres, mysql or sqlite [default: any that reads them]
    #[arg(long, value_parser = dialect)]
    pub(crate) dialect: Option<Dialect>,
}

#[derive(Debug, Args)]
pub(crate) struct Sum {
    /// Write nothing; fail when folder and list disagree (11), or a migration is not recorded (10)
    #[arg(long, conflicts_with_all = ["accept", "out_of_order"])]
    pub(crate) check: bool,

    /// Take a recorded version as the folder has it now
    #[arg(long, value_name = "VERSION", value_parser = super::list::accepted)]
    pub(crate) accept: Vec<Version>,

    /// Record versions below recorded ones: every database can still take them
    #[arg(long)]
    pub(crate) out_of_order: bool,

    /// The dialect the set is written in: postgres, mysql or sqlite [default: any]
    #[arg(long, value_parser = dialect)]
    pub(crate) dialect: Option<Dialect>,
}

#[derive(Debug, Args)]
pub(crate) struct Renumber {
    /// Show the new names, rename nothing
    #[arg(short, long)]
    pub(crate) dry_run: bool,
}

/// A positive number.
fn count(text: &str) -> Result<usize, &'static str> {
    match text.parse() {
        Ok(0) | Err(_) => Err("'count' must be a positive integer."),
        Ok(count) => Ok(count),
    }
}

fn dialect(text: &str) -> Result<Dialect, &'static str> {
    text.parse().map_err(|()| "write `postgres`, `mysql` or `sqlite`")
}

/// A time such as `30`, `500ms`, `30s`, `5min` or `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and a unit: `500ms`, `30s`, `5min` or `1h`".to_owned();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit.trim() {
        "ms" => return Ok(Duration::from_millis(number)),
        "" | "s" | "sec" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Tool, clap::Error> {
        Tool::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Tool::command().debug_assert();
    }

    #[test]
    fn options_of_the_python_tool_are_taken() {
        let tool = parse("jetbase upgrade -c 2 -d --skip-validation --wait 5min").unwrap();
        let ToolCommand::Set(SetCommand::Upgrade(upgrade)) = tool.command else { panic!() };
        assert_eq!(upgrade.count, Some(2));
        assert!(upgrade.dry_run && upgrade.skip_validation);
        assert_eq!(upgrade.patience.wait, Some(Duration::from_secs(300)));
        let tool = parse("jetbase rollback --to-version 1_2").unwrap();
        let ToolCommand::Set(SetCommand::Rollback(rollback)) = tool.command else { panic!() };
        assert_eq!(rollback.to_version.unwrap().as_str(), "1.2");
        assert!(parse("jetbase new words -v 3").is_ok());
    }

    #[test]
    fn common_options_stand_anywhere() {
        let tool = parse("jetbase --dir a status --json --database-url sqlite://").unwrap();
        assert!(tool.common.json);
        assert_eq!(tool.dir, Some(PathBuf::from("a")));
        assert!(parse("jetbase status --dir b").unwrap().dir.is_some());
    }

    #[test]
    fn a_count_is_positive() {
        for line in ["jetbase upgrade -c 0", "jetbase rollback -c -1", "jetbase upgrade -c x"] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("'count' must be a positive integer."), "{error}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, time) in [("7", 7_000), ("250ms", 250), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(time)));
        }
        for text in ["", "s", "1d", "-1s", "1.5s", "99999999999999999999"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
