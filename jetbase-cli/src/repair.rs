//! `fix`, `fix-checksums`, `fix-files`, and the validations with `--fix`.

use jetbase_core::Ahead;
use jetbase_runtime::{Event, HistoryChange, RepairScope};

use super::command_error::CommandError;
use super::command_output::CommandOutput;
use super::context::{CommandContext, FolderChecks, Intent, MigrationsLocation, in_namespace};
use super::exit::Exit;
use super::options::FixArgs;
use super::query::arrows;
use super::sentence::sentence;

/// Repairs the history: checksums, missing files, or with `None` both.
pub(crate) async fn repair(
    mut context: CommandContext<'_>,
    only: Option<RepairScope>,
    args: &FixArgs,
) -> Result<CommandOutput, CommandError> {
    let (files, checksums) =
        (only != Some(RepairScope::Checksums), only != Some(RepairScope::Files));
    let set = context.set(FolderChecks::Names)?;
    if set.is_empty() && files {
        let text = "There are no migrations here, so every row of the history would be deleted. \
                    Nothing was changed. Name the right folder with --dir.";
        return Err(CommandError::new("folder", text, Exit::Failed));
    }
    args.confirm.ask(context.printer, question(only))?;
    let database = context.database(Intent::Read)?;
    let printer = context.printer;
    let mut repair = in_namespace!(context, jetbase_runtime::repair(&set, database))
        .wait(context.wait(&args.wait)?)
        .on_event(move |event| match event {
            Event::Waiting { .. } | Event::Recovered { .. } => {
                printer.progress(&sentence(&event.to_string()));
            }
            Event::Warning { message } => printer.warning(&sentence(message)),
            _ => {}
        });
    // A program must not delete the rows of migrations that are newer than itself.
    if matches!(context.source, MigrationsLocation::Folder(_)) {
        repair = repair.ahead(Ahead::Refuse);
    }
    if let Some(scope) = only {
        repair = repair.only(scope);
    }
    let report = repair.await?;
    let mut lines = Vec::new();
    if files {
        lines.extend(file_lines(&report.repaired));
    }
    if checksums {
        lines.extend(checksum_lines(&report.repaired));
    }
    if files && checksums {
        lines.push("Fix completed successfully.".to_owned());
    }
    let mut output = CommandOutput::new(lines.join("\n"), &report);
    for change in &report.repaired {
        if let HistoryChange::ChecksumUpdated { file, change: Some(change), .. } = change {
            output = output.note(format!("{file}: {change}."));
        }
    }
    Ok(output)
}

/// Returns the question before the history is changed.
fn question(only: Option<RepairScope>) -> &'static str {
    match only {
        Some(RepairScope::Checksums) => {
            "Change the checksums in the history to those of the files? The old checksums are lost."
        }
        Some(RepairScope::Files) => {
            "Delete the history rows of migrations whose files are missing? The schema does not change."
        }
        None => {
            "Change the history so that it agrees with the files: delete the rows of missing files, and replace \
             checksums?"
        }
    }
}

fn file_lines(changes: &[HistoryChange]) -> Vec<String> {
    let versions: Vec<_> = changes
        .iter()
        .filter_map(|it| match it {
            HistoryChange::RowDeleted { version: Some(version), .. } => Some(version.to_string()),
            _ => None,
        })
        .collect();
    let repeatables: Vec<_> = changes
        .iter()
        .filter_map(|it| match it {
            HistoryChange::RowDeleted { version: None, file, .. } => Some(file.clone()),
            _ => None,
        })
        .collect();
    let mut lines = Vec::new();
    if !versions.is_empty() {
        let list = arrows(&versions);
        lines.push(format!("Stopped tracking the following missing versions:\n{list}"));
    }
    if !repeatables.is_empty() {
        let list = arrows(&repeatables);
        lines.push(format!(
            "Removed the following missing repeatable migrations from the database:\n{list}"
        ));
    }
    if lines.is_empty() {
        lines.push("No missing migration files.".to_owned());
    }
    lines
}

fn checksum_lines(changes: &[HistoryChange]) -> Vec<String> {
    let repaired = changes.iter().filter_map(|it| match it {
        HistoryChange::ChecksumUpdated { version, .. } => {
            Some(format!("Repaired checksum for version: {version}"))
        }
        _ => None,
    });
    let mut lines: Vec<_> = repaired.collect();
    lines.push(
        if lines.is_empty() {
            "All migration checksums are valid - no altered upgrade statements detected."
        } else {
            "Successfully repaired checksums"
        }
        .to_owned(),
    );
    lines
}
