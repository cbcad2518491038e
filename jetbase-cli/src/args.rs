//! The arguments of the command line.

use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser, Subcommand};

use super::options::{
    AdoptArgs, BaselineArgs, CompletionsArgs, DoctorArgs, FixArgs, InspectArgs, JournalArgs,
    ManArgs, NewArgs, ReapplyArgs, RedoArgs, RenumberArgs, RollbackArgs, SumArgs, UnlockArgs,
    UpgradeArgs, ValidateArgs,
};

/// The command line of the standalone tool.
#[derive(Debug, Parser)]
#[command(name = "jetbase", version, about = ABOUT, after_help = below(), disable_help_subcommand = true)]
pub(crate) struct Tool {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// The folder of migrations [default: ./migrations, else ./jetbase/migrations]
    #[arg(long, global = true, value_name = "FOLDER", help_heading = OPTIONS)]
    pub(crate) dir: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: ToolCommand,
}

const ABOUT: &str = "Applies SQL migrations exactly once, under the jetbase lock";
/// The fields of a run, below the help of its command.
const RUN_FIELDS: &str = "JSON: adopted, applied, same_transaction, planned (--dry-run), skipped, warnings, waited_ms, recovered, elapsed_ms";
const OPTIONS: &str = "Common options";

/// The text below the help of every command line.
pub(crate) const AFTER_HELP: &str = "\
Database: --database-url, else JETBASE_DATABASE_URL, JETBASE_SQLALCHEMY_URL or DATABASE_URL, else
  `sqlalchemy_url` in jetbase.toml. `sqlite:///x.db` is a relative path, `sqlite:////x.db` an absolute one.
  jetbase.toml (or JETBASE_<KEY>) can also set postgres_schema, skip_validation,
  skip_checksum_validation and skip_file_validation. JETBASE_WAIT (`30s`, `never`) is the default of
  --wait. A value that cannot be read is wrong usage.

Output: results go to standard output, progress and errors to standard error. With --json, a command
  prints one object to standard output: command, ok, exit_code, the fields of the command (see its
  --help), error.

Exit codes: 0 done, 1 failed, 2 wrong usage, 10 migrations are pending (check) or not recorded
  (sum --check), or something is left to do by hand (adopt), 11 drift or missing files, 12 another
  process holds the lock or took it away, 130 stopped by Ctrl-C, 143 stopped by SIGTERM.";

/// Returns the text below the help of the tool, which has one more command that prints JSON.
fn below() -> String {
    let (before, codes) = AFTER_HELP.rsplit_once("\n\n").unwrap_or((AFTER_HELP, ""));
    format!(
        "{before} Only `inspect`\n  prints JSON Lines: one object a line for each file.\n\n{codes}"
    )
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct CommonArgs {
    /// The URL of the database, in the form of SQLAlchemy or sqlx
    #[arg(long, global = true, value_name = "URL", help_heading = OPTIONS)]
    pub(crate) database_url: Option<String>,

    /// The schema to work in (MySQL: the database)
    #[arg(long, global = true, help_heading = OPTIONS)]
    pub(crate) schema: Option<String>,

    /// The PostgreSQL role to work as (SET ROLE)
    #[arg(long, global = true, help_heading = OPTIONS)]
    pub(crate) role: Option<String>,

    /// Trust a PostgreSQL role that owns jetbase's tables or their schema; can be repeated
    #[arg(long, global = true, value_name = "ROLE", help_heading = OPTIONS)]
    pub(crate) trust_owner: Vec<String>,

    /// Print the result as JSON
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

    /// Take over the folder of another migration tool, or with --database-url its history
    ///
    /// Without --database-url, it converts the files of the old folder into the folder of --dir
    /// [default: jetbase/migrations], and writes a map beside that folder. With --database-url, it
    /// compares the table of the old tool with the map, and writes the history of jetbase. The old
    /// folder and the old table stay as they are.
    #[command(after_long_help = "JSON: files (path, from), map, written, findings, adopted")]
    Adopt(AdoptArgs),
}

/// Commands about a set and its database.
#[derive(Debug, Subcommand)]
pub(crate) enum SetCommand {
    /// Apply the pending migrations
    #[command(after_long_help = RUN_FIELDS)]
    Upgrade(UpgradeArgs),

    /// Roll back the latest applied version, or more
    #[command(after_long_help = RUN_FIELDS)]
    Rollback(RollbackArgs),

    /// Roll back the versions that are not recorded in the list, and apply them again
    ///
    /// It is for the database of a developer who has changed a file after it was applied. A recorded
    /// version is refused. Without a list beside the folder, it redoes the versions from the lowest one
    /// whose file has changed, or else the highest one.
    #[command(after_long_help = RUN_FIELDS)]
    Redo(RedoArgs),

    /// Run a repeatable file again, although it has not changed
    #[command(after_long_help = RUN_FIELDS)]
    Reapply(ReapplyArgs),

    /// Show all migrations with their state, and who is migrating now
    #[command(after_long_help = "JSON: applied, pending, skipped, problems, unfinished, lock")]
    Status,

    /// Show which migrations were applied, and when
    #[command(
        after_long_help = "JSON: records (order, version, description, file, kind, applied_at, checksum)"
    )]
    History,

    /// Show the latest applied version
    #[command(after_long_help = "JSON: version")]
    Current,

    /// Check whether a program can start: no migration is pending
    #[command(after_long_help = "JSON: state (ready, ahead, behind), pending, unfinished")]
    Check,

    /// Show what a run would see: server, user, rights, schema, tables, history, lock
    ///
    /// Each line is good, a warning, or a blocker: something that would stop a run. A warning and a
    /// blocker say what to do. Nothing is written. The exit code is 1 if there is a blocker.
    #[command(after_long_help = "JSON: diagnostics (subject, level, message, help)")]
    Doctor(DoctorArgs),

    /// Show who holds the migration lock, and whether that holder is alive
    #[command(after_long_help = "JSON: locked, locked_at, process_id, holder, alive, unfinished")]
    LockStatus,

    /// Show the files of which only a part is permanent, or forget one of them
    ///
    /// Statements that commit by themselves are recorded in jetbase_journal. After a failure, the next
    /// run goes on at the statement that failed.
    #[command(
        after_long_help = "JSON: unfinished (file, direction, done, in_doubt, leftover, message)"
    )]
    Journal(JournalArgs),

    /// Release the migration lock by hand
    ///
    /// The lock of a holder that is alive is released with --force only. The run of that holder
    /// then stops before its next commit.
    #[command(after_long_help = "JSON: holder")]
    Unlock(UnlockArgs),

    /// Compare the checksums of the files with the history
    #[command(after_long_help = "JSON: compared, problems, skipped; with --fix: repaired")]
    ValidateChecksums(ValidateArgs),

    /// Find applied migrations without files, and new files with a version that is too low
    #[command(after_long_help = "JSON: compared, problems, skipped; with --fix: repaired")]
    ValidateFiles(ValidateArgs),

    /// Mark every version up to and including VERSION as applied, and execute none of them
    ///
    /// It is for a database whose schema exists already. Repeatable files stay pending. A history with rows is
    /// refused without --force; with it, the versions above the highest applied one are marked. With --detect,
    /// each pending version is compared with the database: already there, to apply, conflict, or unknown.
    /// Nothing is written, and the exit code is 11 if there is a conflict.
    #[command(
        after_long_help = "JSON: marked, planned (--dry-run), detected, suggested (--detect)"
    )]
    Baseline(BaselineArgs),

    /// Run fix-files and fix-checksums
    #[command(after_long_help = "JSON: repaired (kind, version, file, from, to)")]
    Fix(FixArgs),

    /// Change the checksums in the history to those of the files
    #[command(after_long_help = "JSON: repaired (kind, version, file, from, to)")]
    FixChecksums(FixArgs),

    /// Delete the history rows of migrations whose files are missing; the schema does not change
    #[command(after_long_help = "JSON: repaired (kind, version, file)")]
    FixFiles(FixArgs),
}

/// Commands about files.
#[derive(Debug, Subcommand)]
pub(crate) enum FilesCommand {
    /// Create a folder of migrations and a jetbase.toml
    #[command(after_long_help = "JSON: created")]
    Init,

    /// Create a migration file
    #[command(after_long_help = "JSON: file")]
    New(NewArgs),

    /// Show how files are read: name, checksum, statements, findings
    #[command(
        after_long_help = "JSON Lines, one object for each file: file, valid_name, kind, version, description, delimiter, \
        checksum, upgrade, rollback (line, sql), findings (severity, rule, line, column, message)"
    )]
    Inspect(InspectArgs),

    /// Record the new migrations in the list beside the folder, `<folder>.sum`
    ///
    /// A recorded migration must not change. The build and this command report a change.
    #[command(after_long_help = "JSON: list, recorded, entries; with --check: list, unrecorded")]
    Sum(SumArgs),

    /// Rename new files whose version is too low or taken: their versions become the highest
    #[command(after_long_help = "JSON: renamed (from, to)")]
    Renumber(RenumberArgs),

    /// Print the completions of a shell
    #[command(after_long_help = "JSON: text")]
    Completions(CompletionsArgs),

    /// Print a manual page, or write all of them into a folder
    #[command(after_long_help = "JSON: text; with --out: created")]
    Man(ManArgs),
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::CommandFactory;

    use super::super::options::time;
    use super::*;

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
        assert_eq!(upgrade.run.count, Some(2));
        assert!(upgrade.run.dry_run && upgrade.skip_validation);
        assert_eq!(upgrade.run.lock.wait.wait, Some(Duration::from_secs(300)));
        let tool = parse("jetbase rollback --to-version 1_2").unwrap();
        let ToolCommand::Set(SetCommand::Rollback(rollback)) = tool.command else { panic!() };
        assert_eq!(rollback.run.to_version.unwrap().as_str(), "1.2");
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
        for (text, millis) in [("7", 7_000), ("250ms", 250), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)));
        }
        for text in ["", "s", "1d", "-1s", "1.5s", "99999999999999999999"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
