//! The options of single commands.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use clap_complete::Shell;
use jetbase_core::{Dialect, OldTool, Version, VersionError, duration};

/// The options of a run.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// At most this many versions
    #[arg(short, long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub(crate) count: Option<usize>,

    /// The last version: an upgrade applies it, a rollback keeps it
    #[arg(short, long, value_name = "VERSION", value_parser = Version::parse)]
    pub(crate) to_version: Option<Version>,

    /// Show the SQL, and execute nothing
    #[arg(short, long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

/// Where an unfinished file goes on.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// Go on with an unfinished file after its statement N, which has taken effect
    #[arg(long, value_name = "N")]
    pub(crate) resume_after: Option<usize>,

    /// Go on with an unfinished file at its statement N, which has not taken effect
    #[arg(long, value_name = "N", conflicts_with = "resume_after", value_parser = count)]
    pub(crate) resume_at: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct UpgradeArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,

    #[command(flatten)]
    pub(crate) resume: ResumeArgs,

    /// Do not compare checksums or files with the history
    #[arg(long)]
    pub(crate) skip_validation: bool,

    /// Do not compare checksums
    #[arg(long)]
    pub(crate) skip_checksum_validation: bool,

    /// Do not look for missing files, or for files with a version that is too low
    #[arg(long)]
    pub(crate) skip_file_validation: bool,

    /// Apply migrations that have no statements; they cannot be filled later
    #[arg(long)]
    pub(crate) allow_empty: bool,

    /// Apply consecutive files in one transaction, where the database allows it: all of them, or none
    #[arg(long)]
    pub(crate) one_transaction: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,

    #[command(flatten)]
    pub(crate) resume: ResumeArgs,

    /// Every version, as `--to-version 0` does
    #[arg(long, conflicts_with_all = ["count", "to_version"])]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) confirm: ConfirmArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RedoArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,

    #[command(flatten)]
    pub(crate) confirm: ConfirmArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReapplyArgs {
    /// The name of the file, such as `ROC__views.sql`
    pub(crate) file: String,

    /// Show the SQL, and execute nothing
    #[arg(short, long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

/// Whether a command asks before it changes something that cannot be restored.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ConfirmArgs {
    /// Do not ask; a command asks only on a terminal
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// How long a command waits for the lock.
#[derive(Debug, Default, Args)]
pub(crate) struct WaitArgs {
    /// How long to wait while another process holds the lock, such as `90s` or `5min` [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) wait: Option<Duration>,

    /// Do not wait for the lock
    #[arg(long, conflicts_with = "wait")]
    pub(crate) no_wait: bool,
}

/// How a run acquires the lock.
#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    #[command(flatten)]
    pub(crate) wait: WaitArgs,

    /// A URL that reaches the same database without a pooler [default: JETBASE_DIRECT_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) direct_url: Option<String>,

    /// Run even if a PostgreSQL publication contains jetbase's tables
    #[arg(long)]
    pub(crate) allow_published: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// A URL that reaches the same database without a pooler [default: JETBASE_DIRECT_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) direct_url: Option<String>,

    /// Do not count a PostgreSQL publication that contains jetbase's tables as a blocker
    #[arg(long)]
    pub(crate) allow_published: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// Change the history so that it agrees with the files
    #[arg(short, long)]
    pub(crate) fix: bool,

    #[command(flatten)]
    pub(crate) repair: FixArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UnlockArgs {
    /// Unlock even if the holder is alive
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) confirm: ConfirmArgs,
}

#[derive(Debug, Args)]
pub(crate) struct FixArgs {
    #[command(flatten)]
    pub(crate) wait: WaitArgs,

    #[command(flatten)]
    pub(crate) confirm: ConfirmArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BaselineArgs {
    /// The last version to mark
    #[arg(value_name = "VERSION", value_parser = accepted, required_unless_present = "detect")]
    pub(crate) version: Option<Version>,

    /// Compare the pending versions with the database, and write nothing
    #[arg(long, conflicts_with_all = ["version", "dry_run", "force", "wait", "no_wait", "yes"])]
    pub(crate) detect: bool,

    /// Show what would be marked, and change nothing
    #[arg(short, long)]
    pub(crate) dry_run: bool,

    /// Mark the versions above the applied ones, although the history has rows
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) wait: WaitArgs,

    #[command(flatten)]
    pub(crate) confirm: ConfirmArgs,
}

#[derive(Debug, Args)]
pub(crate) struct JournalArgs {
    #[command(subcommand)]
    pub(crate) command: Option<JournalCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JournalCommand {
    /// Forget an unfinished file, after its statements were undone by hand
    Clear {
        /// The name of the file
        #[arg(value_name = "FILE")]
        file: String,

        #[command(flatten)]
        wait: WaitArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// What the migration does; it becomes part of the file name
    pub(crate) description: String,

    /// The version [default: as the other files have it: the next number, or the date and time in UTC]
    #[arg(short, long)]
    pub(crate) version: Option<String>,

    /// Use the next number: 4 after 3, and 1 in an empty folder
    #[arg(long, conflicts_with_all = ["version", "timestamp"])]
    pub(crate) sequential: bool,

    /// Use the date and time in UTC
    #[arg(long, conflicts_with = "version")]
    pub(crate) timestamp: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// The dialect of the files: postgres, mysql or sqlite [default: any that can read them]
    #[arg(long, value_parser = dialect)]
    pub(crate) dialect: Option<Dialect>,
}

#[derive(Debug, Args)]
pub(crate) struct SumArgs {
    /// Write nothing; fail if the folder and the list differ (11), or if a file is not recorded (10)
    #[arg(long, conflicts_with_all = ["accept", "out_of_order"])]
    pub(crate) check: bool,

    /// Record a version again, as the folder has it now; can be repeated
    #[arg(long, value_name = "VERSION", value_parser = accepted)]
    pub(crate) accept: Vec<Version>,

    /// Record new versions below recorded ones; only right if every database can still apply them
    #[arg(long)]
    pub(crate) out_of_order: bool,

    /// The dialect of the files: postgres, mysql or sqlite [default: any]
    #[arg(long, value_parser = dialect)]
    pub(crate) dialect: Option<Dialect>,
}

#[derive(Debug, Args)]
pub(crate) struct AdoptArgs {
    /// The tool: sqlx, refinery, diesel, flyway or sea-orm-sql
    #[arg(value_parser = old_tool)]
    pub(crate) tool: OldTool,

    /// The folder of that tool, which stays as it is [default: migrations]
    pub(crate) folder: Option<PathBuf>,

    /// Write; without it, show what would be written
    #[arg(long)]
    pub(crate) write: bool,

    /// The dialect of the files: postgres, mysql or sqlite [default: any]
    #[arg(long, value_parser = dialect)]
    pub(crate) dialect: Option<Dialect>,

    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

impl AdoptArgs {
    /// Returns the old folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.clone().unwrap_or_else(|| PathBuf::from("migrations"))
    }
}

#[derive(Debug, Args)]
pub(crate) struct RenumberArgs {
    /// Show the new names, and rename nothing
    #[arg(short, long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The command that the page is about [default: the whole program]
    pub(crate) command: Option<String>,

    /// Write the pages of all commands into this folder, and print nothing
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    pub(crate) out: Option<PathBuf>,
}

/// Parses a positive number.
fn count(text: &str) -> Result<usize, &'static str> {
    match text.parse() {
        Ok(0) | Err(_) => Err("'count' must be a positive integer."),
        Ok(count) => Ok(count),
    }
}

fn old_tool(text: &str) -> Result<OldTool, &'static str> {
    text.parse().map_err(|()| "write `sqlx`, `refinery`, `diesel`, `flyway` or `sea-orm-sql`")
}

fn dialect(text: &str) -> Result<Dialect, &'static str> {
    text.parse().map_err(|()| "write `postgres`, `mysql` or `sqlite`")
}

/// Parses a version for `--accept` and `baseline`: `2`, or `V2` as in the file's name.
fn accepted(text: &str) -> Result<Version, VersionError> {
    Version::parse(text.strip_prefix('V').unwrap_or(text))
}

/// How to write a time.
pub(crate) const TIME: &str = "write a number and a unit: `500ms`, `30s`, `5min` or `1h`";

/// Parses a time such as `30`, `500ms`, `30s`, `5min` or `1h`.
pub(crate) fn time(text: &str) -> Result<Duration, &'static str> {
    let seconds = format!("{text}s");
    let time = duration(text).or_else(|| duration(&seconds));
    time.ok_or(TIME)
}
