//! `upgrade` and `rollback`.

use std::future::IntoFuture;
use std::time::Duration;

use jetbase_core::{Action, Ahead, Repeat, Validation};
use jetbase_runtime::{Empty, Error, Event, Published, Report, Resume};

use super::command_error::CommandError;
use super::command_output::CommandOutput;
use super::context::{CommandContext, FolderChecks, Intent, MigrationsLocation, in_namespace};
use super::interrupt::{self, RunEnd};
use super::json::CommandFields;
use super::options::{
    LockArgs, ReapplyArgs, RedoArgs, ResumeArgs, RollbackArgs, RunArgs, UpgradeArgs,
};
use super::printer::Printer;
use super::sentence::sentence;
use super::spinner::Spinner;

/// Sets how far a run goes: two or three types with the same options.
macro_rules! limited {
    ($builder:expr, $args:expr) => {{
        let (mut run, args): (_, &RunArgs) = ($builder, &$args);
        if let Some(count) = args.count {
            run = run.count(count);
        }
        if let Some(version) = &args.to_version {
            run = run.to_version(version.clone());
        }
        run
    }};
}

/// Sets where an unfinished file goes on: two types with the same option.
macro_rules! resumed {
    ($builder:expr, $args:expr) => {{
        let (run, args): (_, &ResumeArgs) = ($builder, &$args);
        let after = args.resume_after.map(Resume::After);
        match after.or(args.resume_at.map(Resume::At)) {
            Some(resume) => run.resume(resume),
            None => run,
        }
    }};
}

/// Executes a run: several types with the same options.
macro_rules! execute {
    ($context:ident, $builder:expr, $lock:expr, $dry_run:expr, $texts:expr) => {{
        let lock: &LockArgs = &$lock;
        let mut run = in_namespace!($context, $builder).wait($context.wait(&lock.wait)?);
        if let Some(url) = $context.direct_url(lock.direct_url.as_deref())? {
            run = run.direct_url(url);
        }
        if lock.allow_published {
            run = run.published(Published::Allow);
        }
        if $dry_run {
            return preview(&$context, run.dry_run().await, $texts);
        }
        let printer = $context.printer;
        if printer.is_on_terminal() {
            // A person who waits wants to know at once for whom.
            run = run.notice_after(Duration::ZERO);
        }
        let run = run.on_event(event_printer(printer, $texts));
        let handle = run.cancel_handle();
        finished(&$context, interrupt::watch(run.into_future(), handle, printer).await, $texts)
    }};
}

pub(crate) async fn upgrade(
    mut context: CommandContext<'_>,
    args: UpgradeArgs,
) -> Result<CommandOutput, CommandError> {
    args.run.check("upgrade", "run all pending migrations")?;
    let set = context.set(FolderChecks::SumFile)?;
    let database = context.database(args.run.intent())?;
    let mut run = jetbase_runtime::run(&set, database).repeat(Repeat::Always);
    if matches!(context.source, MigrationsLocation::Folder(_)) {
        run = run.ahead(Ahead::Refuse);
    }
    run = run.empty(if args.allow_empty { Empty::Allow } else { Empty::Refuse });
    if args.one_transaction {
        run = run.one_transaction();
    }
    for validation in args.skipped().into_iter().chain(context.skipped()?) {
        run = run.skip(validation);
    }
    let run = resumed!(run, args.resume);
    execute!(context, limited!(run, args.run), args.run.lock, args.run.dry_run, &UPGRADE)
}

pub(crate) async fn rollback(
    mut context: CommandContext<'_>,
    args: RollbackArgs,
) -> Result<CommandOutput, CommandError> {
    args.run.check("rollback", "rollback the last migration")?;
    let set = context.set(FolderChecks::SumFile)?;
    if !args.run.dry_run {
        args.confirm.ask(context.printer, &rollback_question(&args))?;
    }
    let database = context.database(args.run.intent())?;
    let rollback = limited!(jetbase_runtime::rollback(&set, database), args.run);
    let rollback = resumed!(rollback, args.resume);
    let rollback = if args.all { rollback.all() } else { rollback };
    execute!(context, rollback, args.run.lock, args.run.dry_run, &ROLLBACK)
}

fn rollback_question(args: &RollbackArgs) -> String {
    let what = match (&args.run.to_version, args.run.count) {
        (Some(version), _) => format!("every version above {version}"),
        (None, Some(count)) if count > 1 => format!("the {count} highest applied versions"),
        _ if args.all => "every version".to_owned(),
        _ => "the highest applied version".to_owned(),
    };
    format!("Roll back {what}? What the versions have stored may be lost.")
}

pub(crate) async fn redo(
    mut context: CommandContext<'_>,
    args: RedoArgs,
) -> Result<CommandOutput, CommandError> {
    args.run.check("redo", "redo every version that is not recorded")?;
    let set = context.set(FolderChecks::SumFile)?;
    if !args.run.dry_run {
        let question =
            "Roll back versions, and apply them again? What they have stored may be lost.";
        args.confirm.ask(context.printer, question)?;
    }
    let database = context.database(args.run.intent())?;
    let redo = limited!(jetbase_runtime::redo(&set, database), args.run);
    execute!(context, redo, args.run.lock, args.run.dry_run, &REDO)
}

pub(crate) async fn reapply(
    mut context: CommandContext<'_>,
    args: ReapplyArgs,
) -> Result<CommandOutput, CommandError> {
    let set = context.set(FolderChecks::SumFile)?;
    let database = context.database(if args.dry_run { Intent::Read } else { Intent::Write })?;
    let reapply = jetbase_runtime::reapply(&set, database, args.file);
    execute!(context, reapply, args.lock, args.dry_run, &UPGRADE)
}

/// The Python tool's texts for one command.
struct PythonTexts {
    start: &'static str,
    one: &'static str,
    end: &'static str,
    nothing: &'static str,
    /// The text of a dry run with nothing to do.
    preview: &'static str,
}

const UPGRADE: PythonTexts = PythonTexts {
    start: "Starting migrations...",
    one: "Migration applied successfully:",
    end: "Migrations completed successfully.",
    nothing: "Migrations are up to date.",
    preview: "",
};

const ROLLBACK: PythonTexts = PythonTexts {
    start: "Starting rollback...",
    one: "Rollback applied successfully:",
    end: "Rollbacks completed successfully.",
    nothing: "Nothing to rollback.",
    preview: "Nothing to rollback.",
};

const REDO: PythonTexts = PythonTexts {
    start: "Starting to redo migrations...",
    one: "Migration applied successfully:",
    end: "Migrations completed successfully.",
    nothing: "Nothing to redo.",
    preview: "Nothing to redo.",
};

impl RunArgs {
    /// Refuses two options that both say how far to go.
    fn check(&self, command: &str, default: &str) -> Result<(), CommandError> {
        if self.count.is_some() && self.to_version.is_some() {
            return Err(CommandError::usage(format!(
                "Cannot specify both 'count' and 'to_version' for {command}. \
                 Select only one, or do not specify either to {default}."
            )));
        }
        Ok(())
    }

    fn intent(&self) -> Intent {
        if self.dry_run { Intent::Read } else { Intent::Write }
    }
}

impl UpgradeArgs {
    fn skipped(&self) -> Vec<Validation> {
        let switches = [
            (self.skip_validation, Validation::All),
            (self.skip_checksum_validation, Validation::Checksums),
            (self.skip_file_validation, Validation::Files),
        ];
        switches.into_iter().filter(|(on, _)| *on).map(|(_, validation)| validation).collect()
    }
}

/// Returns a listener that prints progress in the Python tool's texts, and what only jetbase for
/// Rust reports.
fn event_printer(
    printer: Printer,
    texts: &'static PythonTexts,
) -> impl FnMut(&Event) + Send + 'static {
    let mut spinner: Option<Spinner> = None;
    let mut title = String::new();
    move |event| {
        if let Event::Executing { statement, of, sql, .. } = event {
            let first = sql.lines().next().unwrap_or_default();
            if let Some(spinner) = &spinner {
                spinner.show(format!("{title}, statement {statement} of {of}: {first}"));
            }
            return;
        }
        // The spinner of the last event ends before the next event is printed.
        drop(spinner.take());
        print_event(printer, event, texts);
        if let Event::Started { .. } | Event::Retrying { .. } = event {
            title = sentence(&event.to_string()).trim_end_matches('.').to_owned();
            spinner = printer.spinner(&title);
        }
    }
}

fn print_event(printer: Printer, event: &Event, texts: &PythonTexts) {
    match event {
        Event::Acquired { .. } => printer.progress(texts.start),
        Event::Finished { file, action: Action::RollBack, .. } => {
            printer.progress(&format!("{} {file}", ROLLBACK.one));
        }
        Event::Finished { file, .. } => printer.progress(&format!("{} {file}", texts.one)),
        Event::Waiting { .. }
        | Event::Unavailable { .. }
        | Event::Recovered { .. }
        | Event::Adopted { .. }
        | Event::Retrying { .. } => printer.progress(&sentence(&event.to_string())),
        Event::Warning { message } => printer.warning(&sentence(message)),
        // The spinner shows the start of a file. The error reports a lost lock.
        _ => {}
    }
}

fn finished(
    context: &CommandContext<'_>,
    end: RunEnd,
    texts: &PythonTexts,
) -> Result<CommandOutput, CommandError> {
    let report = match end {
        RunEnd::Finished(report) => report,
        RunEnd::Failed(error) => {
            let partial = CommandFields::from(error.report());
            return Err(context.command_error(&error).partial(partial));
        }
        RunEnd::Stopped(error, signal) => {
            let partial = CommandFields::from(error.report());
            return Err(context.command_error(&error).partial(partial).after(signal));
        }
        RunEnd::Interrupted(report, signal) => {
            let count = report.applied.len();
            let noun = if count == 1 { "migration was" } else { "migrations were" };
            let text = format!("Interrupted: {count} {noun} executed. The lock is released.");
            return Err(CommandError::interrupted(text, signal).partial((&report).into()));
        }
    };
    for it in &report.skipped {
        context.printer.warning(&format!("{}: {}", it.file, sentence(&it.reason.to_string())));
    }
    context.printer.progress(if report.is_up_to_date() { texts.nothing } else { texts.end });
    Ok(CommandOutput::new("", &report))
}

const RULE: &str = "----------------------------------------";

/// Formats a dry run in the Python tool's layout.
fn preview(
    context: &CommandContext<'_>,
    result: Result<Report, Error>,
    texts: &PythonTexts,
) -> Result<CommandOutput, CommandError> {
    let report = result.map_err(|error| context.command_error(&error))?;
    if report.planned.is_empty() && !texts.preview.is_empty() {
        return Ok(CommandOutput::new("", &report).note(texts.preview));
    }
    let mut text = format!(
        "\nJETBASE - Dry Run Mode\n\
         No SQL will be executed. This is a preview of what would happen.\n{RULE}\n\n\n"
    );
    for it in &report.planned {
        let count = it.statements.len();
        let noun = if count == 1 { "statement" } else { "statements" };
        text.push_str(&format!("SQL Preview for {} ({count} {noun})\n\n", it.file));
        for statement in &it.statements {
            text.push_str(&format!("{statement}\n\n"));
        }
        text.push_str(&format!("{RULE}\n\n"));
    }
    Ok(CommandOutput::new(text, &report))
}
