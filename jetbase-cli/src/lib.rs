//! The command line, for the program `jetbase` and for programs that embed their migrations.
//!
//! The program `jetbase` reads a folder when it runs. A program that embeds its migrations has the
//! same commands for its embedded set: [`cli`], or `migrations::cli()` of the generated module.
//!
//! This crate uses the public API of `jetbase-core` and `jetbase-runtime` only.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod adopt;
mod args;
mod baseline;
mod command_error;
mod command_output;
mod config;
mod confirm;
mod context;
mod database_address;
mod doctor;
mod examples;
mod exit;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod inspect;
mod interrupt;
mod journal;
mod json;
mod lock;
mod manual;
mod options;
mod printer;
mod program;
mod python;
mod query;
mod renumber;
mod repair;
mod run;
mod secret;
mod sentence;
mod signal;
mod spinner;
mod status;
mod sum;
mod table;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ColorChoice, CommandFactory, FromArgMatches, Subcommand};
use jetbase_core::Migrations;
use jetbase_runtime::{AnyTarget, RepairScope, Target};

use self::args::{AFTER_HELP, CommonArgs, FilesCommand, SetCommand, Tool, ToolCommand};
use self::command_error::CommandError;
use self::command_output::CommandOutput;
use self::context::{CommandContext, MigrationsLocation};
use self::printer::{Format, Printer};

pub use clap;

/// Returns the command line of an embedded set. See [`Cli`].
///
/// # Examples
///
/// A program that parses its own command line adds one more command:
///
/// ```no_run
/// # use std::process::ExitCode;
/// # async fn example(migrations: &jetbase_core::Migrations) -> ExitCode {
/// use jetbase_cli::clap::Command;
///
/// let cli = jetbase_cli::cli(migrations);
/// let app = Command::new("app").subcommand(cli.command()).subcommand(Command::new("serve"));
/// match app.get_matches().subcommand() {
///     Some(("migrate", matches)) => cli.handle_url(matches).await,
///     _ => ExitCode::SUCCESS,
/// }
/// # }
/// ```
///
/// In a program without other commands, [`Cli::run_main`] is the whole `main`.
#[must_use]
pub fn cli(set: &Migrations) -> Cli {
    Cli { set: set.clone() }
}

/// The commands `upgrade`, `rollback`, `redo`, `reapply`, `status`, `history`, `current`, `check`, `doctor`,
/// `lock-status`, `unlock`, `validate-checksums`, `validate-files`, `baseline`, `fix`, `fix-checksums` and
/// `fix-files`, for an embedded set.
///
/// Every command has `--help` and `--json`. `--help` documents the exit codes. An error is printed to
/// stderr. With `--json` it is an object on stdout.
///
/// # Examples
///
/// A program without other commands:
///
/// ```no_run
/// use std::process::ExitCode;
///
/// # use jetbase_cli::cli;
/// # use jetbase_core::{Migrations, Options};
/// async fn run() -> ExitCode {
///     # let set = Migrations::load(Vec::new(), Options::NONE);
///     cli(&set).run_main().await
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Cli {
    set: Migrations,
}

impl Cli {
    /// Returns a command named `migrate`, to add to the program's own [`clap::Command`].
    #[must_use]
    pub fn command(&self) -> clap::Command {
        let command = CommonArgs::augment_args(clap::Command::new("migrate"));
        let command = SetCommand::augment_subcommands(command);
        examples::add(command, "migrate")
            .about("Migrate the database of this program")
            .after_help(AFTER_HELP)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .disable_help_subcommand(true)
    }

    /// Executes the matches of [`Cli::command`] on a database of the program, such as its pool.
    ///
    /// If `--database-url` is given, the command uses that database instead.
    pub async fn handle<'t>(
        &self,
        matches: &clap::ArgMatches,
        target: impl Target<'t> + 't,
    ) -> ExitCode {
        self.perform(matches, Some(AnyTarget::new(target))).await
    }

    /// Executes the matches of [`Cli::command`] on the database that the options, the environment or
    /// `jetbase.toml` name.
    pub async fn handle_url(&self, matches: &clap::ArgMatches) -> ExitCode {
        self.perform(matches, None).await
    }

    /// Reads the program's arguments and executes them. It can be the whole `main` of a program.
    pub async fn run_main(&self) -> ExitCode {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        match self.command().try_get_matches_from(&arguments) {
            Ok(matches) => self.handle_url(&matches).await,
            Err(error) => print_clap_error(&error, &arguments),
        }
    }

    async fn perform(&self, matches: &clap::ArgMatches, target: Option<AnyTarget<'_>>) -> ExitCode {
        let read = CommonArgs::from_arg_matches(matches)
            .and_then(|common| Ok((common, SetCommand::from_arg_matches(matches)?)));
        match read {
            Ok((common, command)) => {
                let command = ToolCommand::Set(command);
                program::remember(command.name());
                let source = MigrationsLocation::Embedded(self.set.clone());
                execute(source, common, command, target).await
            }
            Err(error) => print_clap_error(&error, &[]),
        }
    }
}

/// The whole program `jetbase`: it reads its arguments and executes them.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let matches = examples::add(Tool::command(), "jetbase").try_get_matches_from(&arguments);
    let tool = match matches.and_then(|matches| Tool::from_arg_matches(&matches)) {
        Ok(tool) => tool,
        Err(error) => return print_clap_error(&error, &arguments),
    };
    let work = execute(MigrationsLocation::Folder(tool.dir), tool.common, tool.command, None);
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            let error = CommandError::io("the program cannot start", &error);
            let printer = Printer::new(Format::Plain, ColorChoice::Auto);
            printer.finish("", &Err(error)).into()
        }
    }
}

async fn execute(
    source: MigrationsLocation,
    common: CommonArgs,
    command: ToolCommand,
    target: Option<AnyTarget<'_>>,
) -> ExitCode {
    let format = if common.json { Format::Json } else { Format::Plain };
    let printer = Printer::new(format, common.color);
    let name = command.name();
    let result = match command {
        ToolCommand::Set(command) => match CommandContext::new(source, common, printer, target) {
            Ok(context) => execute_on_set(context, command).await,
            Err(error) => Err(error),
        },
        ToolCommand::Files(command) => execute_on_files(&source, printer, command),
        ToolCommand::Adopt(args) if common.database_url.is_some() => {
            adopt::adopt_history(source, common, printer, args).await
        }
        ToolCommand::Adopt(args) => adopt::convert_folder(printer, named_folder(&source), &args),
    };
    printer.finish(name, &result).into()
}

async fn execute_on_set(
    context: CommandContext<'_>,
    command: SetCommand,
) -> Result<CommandOutput, CommandError> {
    match command {
        SetCommand::Upgrade(args) => run::upgrade(context, args).await,
        SetCommand::Rollback(args) => run::rollback(context, args).await,
        SetCommand::Redo(args) => run::redo(context, args).await,
        SetCommand::Reapply(args) => run::reapply(context, args).await,
        SetCommand::Status => status::status(context).await,
        SetCommand::Doctor(args) => doctor::doctor(context, args).await,
        SetCommand::History => query::history(context).await,
        SetCommand::Current => query::current(context).await,
        SetCommand::Check => query::check(context).await,
        SetCommand::LockStatus => lock::lock_status(context).await,
        SetCommand::Journal(args) => journal::journal(context, args).await,
        SetCommand::Unlock(args) => lock::unlock(context, args).await,
        SetCommand::ValidateChecksums(args) if args.fix => {
            repair::repair(context, Some(RepairScope::Checksums), &args.repair).await
        }
        SetCommand::ValidateFiles(args) if args.fix => {
            repair::repair(context, Some(RepairScope::Files), &args.repair).await
        }
        SetCommand::ValidateChecksums(_) => query::validate_checksums(context).await,
        SetCommand::ValidateFiles(_) => query::validate_files(context).await,
        SetCommand::Baseline(args) => baseline::baseline(context, args).await,
        SetCommand::Fix(args) => repair::repair(context, None, &args).await,
        SetCommand::FixChecksums(args) => {
            repair::repair(context, Some(RepairScope::Checksums), &args).await
        }
        SetCommand::FixFiles(args) => {
            repair::repair(context, Some(RepairScope::Files), &args).await
        }
    }
}

/// Returns the folder that the command line names.
fn named_folder(source: &MigrationsLocation) -> Option<&Path> {
    match source {
        MigrationsLocation::Folder(named) => named.as_deref(),
        MigrationsLocation::Embedded(_) => None,
    }
}

fn execute_on_files(
    source: &MigrationsLocation,
    printer: Printer,
    command: FilesCommand,
) -> Result<CommandOutput, CommandError> {
    let named = named_folder(source);
    match command {
        FilesCommand::Init => files::init(named),
        FilesCommand::New(args) => files::new(named, &args),
        FilesCommand::Inspect(args) => Ok(inspect::inspect(printer, &args)),
        FilesCommand::Sum(args) => sum::sum(printer, named, &args),
        FilesCommand::Renumber(args) => renumber::renumber(named, &args),
        FilesCommand::Completions(args) => Ok(manual::completions(&args)),
        FilesCommand::Man(args) => manual::man(&args),
    }
}

impl ToolCommand {
    fn name(&self) -> &'static str {
        match self {
            ToolCommand::Set(command) => match command {
                SetCommand::Upgrade(_) => "upgrade",
                SetCommand::Rollback(_) => "rollback",
                SetCommand::Redo(_) => "redo",
                SetCommand::Reapply(_) => "reapply",
                SetCommand::Status => "status",
                SetCommand::Doctor(_) => "doctor",
                SetCommand::History => "history",
                SetCommand::Current => "current",
                SetCommand::Check => "check",
                SetCommand::LockStatus => "lock-status",
                SetCommand::Journal(_) => "journal",
                SetCommand::Unlock(_) => "unlock",
                SetCommand::ValidateChecksums(_) => "validate-checksums",
                SetCommand::ValidateFiles(_) => "validate-files",
                SetCommand::Baseline(_) => "baseline",
                SetCommand::Fix(_) => "fix",
                SetCommand::FixChecksums(_) => "fix-checksums",
                SetCommand::FixFiles(_) => "fix-files",
            },
            ToolCommand::Adopt(_) => "adopt",
            ToolCommand::Files(command) => match command {
                FilesCommand::Init => "init",
                FilesCommand::New(_) => "new",
                FilesCommand::Inspect(_) => "inspect",
                FilesCommand::Sum(_) => "sum",
                FilesCommand::Renumber(_) => "renumber",
                FilesCommand::Completions(_) => "completions",
                FilesCommand::Man(_) => "man",
            },
        }
    }
}

/// Reports what is wrong with the arguments. Help and version are not mistakes.
fn print_clap_error(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let wrong = error.use_stderr();
    if wrong && arguments.iter().any(|argument| argument == "--json") {
        let text = error.to_string();
        let text = text.trim().strip_prefix("error: ").unwrap_or(&text).to_owned();
        let printer = Printer::new(Format::Json, ColorChoice::Never);
        return printer.finish("", &Err(CommandError::usage(text))).into();
    }
    if wrong { printer::print_usage_error(error).into() } else { printer::print_help(error).into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jetbase_core::Options;

    fn embedded() -> Cli {
        cli(&Migrations::load(Vec::new(), Options::default()))
    }

    #[test]
    fn the_embedded_commands_can_be_mounted() {
        let app = clap::Command::new("app").subcommand(embedded().command());
        app.clone().debug_assert();
        let matches = app.get_matches_from(["app", "migrate", "--json", "lock-status"]);
        let Some(("migrate", matches)) = matches.subcommand() else { panic!() };
        assert!(CommonArgs::from_arg_matches(matches).unwrap().json);
        let command = SetCommand::from_arg_matches(matches).unwrap();
        assert_eq!(ToolCommand::Set(command).name(), "lock-status");
    }

    #[test]
    fn commands_about_files_are_for_folders() {
        let command = embedded().command();
        let names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        assert!(names.contains(&"upgrade") && names.contains(&"fix-files"));
        assert!(!names.contains(&"new") && !names.contains(&"sum"));
    }
}
