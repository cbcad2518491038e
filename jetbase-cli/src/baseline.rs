//! `baseline`: marks versions as applied, or compares the pending ones with the database.

use jetbase_core::{DetectedState, Version};
use jetbase_runtime::{DetectedBaseline, DetectedVersion, Event};

use super::command_error::CommandError;
use super::command_output::CommandOutput;
use super::context::{CommandContext, FolderChecks, Intent, in_namespace};
use super::exit::Exit;
use super::json::{CommandFields, list};
use super::options::BaselineArgs;
use super::printer::Printer;
use super::sentence::sentence;
use super::table::{CellStyle, StyledCell};

pub(crate) async fn baseline(
    context: CommandContext<'_>,
    args: BaselineArgs,
) -> Result<CommandOutput, CommandError> {
    match &args.version {
        Some(version) => mark(context, version, &args).await,
        None => detect(context).await,
    }
}

/// Marks the versions up to and including one as applied.
async fn mark(
    mut context: CommandContext<'_>,
    version: &Version,
    args: &BaselineArgs,
) -> Result<CommandOutput, CommandError> {
    let set = context.set(FolderChecks::SumFile)?;
    if !args.dry_run {
        let question = format!(
            "Mark every version up to {version} as applied? None of them is executed, and no run will execute them."
        );
        args.confirm.ask(context.printer, &question)?;
    }
    let database = context.database(Intent::Read)?;
    let printer = context.printer;
    let mut baseline =
        in_namespace!(context, jetbase_runtime::baseline(&set, database, version.clone()))
            .wait(context.wait(&args.wait)?)
            .on_event(move |event| match event {
                Event::Waiting { .. } | Event::Recovered { .. } => {
                    printer.progress(&sentence(&event.to_string()));
                }
                Event::Warning { message } => printer.warning(&sentence(message)),
                _ => {}
            });
    if args.force {
        baseline = baseline.force();
    }
    if args.dry_run {
        baseline = baseline.dry_run();
    }
    let report = baseline.await.map_err(|error| context.command_error(&error))?;
    let verb = if args.dry_run { "Would mark" } else { "Marked" };
    let files = if args.dry_run { &report.planned } else { &report.marked };
    let mut lines: Vec<_> = files.iter().map(|file| format!("{verb} {file} as applied")).collect();
    if files.is_empty() {
        lines.push("The history has these versions already. Nothing was changed.".to_owned());
    }
    let fields = CommandFields::Baseline {
        marked: report.marked.clone(),
        planned: report.planned.clone(),
        detected: Vec::new(),
        suggested: None,
    };
    let output = CommandOutput::new(lines.join("\n"), fields);
    let is_preview = args.dry_run && !files.is_empty();
    Ok(if is_preview { output.note("Nothing was changed.") } else { output })
}

/// Compares the pending versions with the database, and names the command that follows.
async fn detect(mut context: CommandContext<'_>) -> Result<CommandOutput, CommandError> {
    let set = context.set(FolderChecks::SumFile)?;
    let database = context.database(Intent::Read)?;
    let mut query = in_namespace!(context, jetbase_runtime::detect_baseline(&set, database));
    for validation in context.skipped()? {
        query = query.skip(validation);
    }
    let detected = query.await.map_err(|error| context.command_error(&error))?;
    let fields = CommandFields::Baseline {
        marked: Vec::new(),
        planned: Vec::new(),
        detected: list(&detected.versions),
        suggested: detected.version.as_ref().map(ToString::to_string),
    };
    let is_in_conflict = detected.versions.iter().any(|it| it.state == DetectedState::Conflict);
    let output = CommandOutput::new(shown(context.printer, &detected), fields);
    let output = notes(&detected).into_iter().fold(output, CommandOutput::note);
    Ok(if is_in_conflict { output.exit(Exit::Drift) } else { output })
}

/// Returns the table and the next command.
fn shown(printer: Printer, detected: &DetectedBaseline) -> String {
    if detected.versions.is_empty() {
        return "No version is pending.".to_owned();
    }
    let rows = detected.versions.iter().map(|it| {
        let cells = [it.version.to_string().into(), it.file.clone().into()];
        let [version, file]: [StyledCell; 2] = cells;
        [version, file, state(it.state), facts(it).into()]
    });
    let table =
        printer.table("Pending versions", ["Version", "File", "State", "In the database"], rows);
    let next = match &detected.version {
        Some(version) => {
            let force = if detected.has_history { " --force" } else { "" };
            format!("Next, mark what is there: `jetbase baseline {version}{force}`")
        }
        None => {
            "There is no version to mark: the first pending one is not there as a whole.".to_owned()
        }
    };
    format!("{table}\n\n{next}")
}

fn state(state: DetectedState) -> StyledCell {
    let style = match state {
        DetectedState::AlreadyThere => CellStyle::Good,
        DetectedState::ToApply => CellStyle::Plain,
        DetectedState::Conflict => CellStyle::Bad,
        DetectedState::Unknown => CellStyle::Warning,
    };
    style.cell(state.as_str())
}

/// Returns what of a version is in the database, if that needs a decision.
fn facts(it: &DetectedVersion) -> String {
    let facts: Vec<_> = it.done.iter().chain(&it.missing).map(String::as_str).collect();
    match it.state {
        DetectedState::Conflict => facts.join("; "),
        DetectedState::Unknown => "nothing shows it".to_owned(),
        DetectedState::AlreadyThere | DetectedState::ToApply => String::new(),
    }
}

/// Returns what a person should look at before the next command.
fn notes(detected: &DetectedBaseline) -> Vec<String> {
    let marked =
        |it: &&DetectedVersion| detected.version.as_ref().is_some_and(|last| it.version <= *last);
    let files = |state: DetectedState, in_baseline: bool| -> Vec<&str> {
        let of_state = detected.versions.iter().filter(|it| it.state == state);
        of_state.filter(|it| marked(it) == in_baseline).map(|it| it.file.as_str()).collect()
    };
    let mut notes = Vec::new();
    let unknown = files(DetectedState::Unknown, true);
    if !unknown.is_empty() {
        notes.push(format!(
            "Nothing in the catalog shows whether {} was applied. Look at the rows of its tables before you mark it.",
            unknown.join(", ")
        ));
    }
    let conflicts = files(DetectedState::Conflict, false);
    if !conflicts.is_empty() {
        notes.push(format!(
            "{} is there in part. Nothing was changed. Make the database by hand as it is before or after this file, \
             and run `jetbase baseline --detect` again.",
            conflicts.join(", ")
        ));
    }
    let late = files(DetectedState::AlreadyThere, false);
    if !late.is_empty() {
        notes.push(format!(
            "{} is there, although a version before it is not. An upgrade would fail at it.",
            late.join(", ")
        ));
    }
    notes
}
