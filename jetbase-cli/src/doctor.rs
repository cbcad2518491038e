//! `doctor`: what a run would see on the database.

use jetbase_core::Ahead;
use jetbase_runtime::{Diagnosis, Diagnostic, DiagnosticLevel, Published};

use super::command_error::CommandError;
use super::command_output::CommandOutput;
use super::context::{CommandContext, FolderChecks, Intent, MigrationsLocation, in_namespace};
use super::exit::Exit;
use super::json::{CommandFields, list};
use super::options::{DoctorArgs, WaitArgs};
use super::printer::Printer;
use super::sentence::sentence;
use super::table::CellStyle;

pub(crate) async fn doctor(
    mut context: CommandContext<'_>,
    args: DoctorArgs,
) -> Result<CommandOutput, CommandError> {
    let set = context.set(FolderChecks::SumFile)?;
    let missing_file = context.missing_file();
    let database = context.database(Intent::Read)?;
    let mut doctor = in_namespace!(context, jetbase_runtime::doctor(&set, database))
        .wait(context.wait(&WaitArgs::default())?);
    if matches!(context.source, MigrationsLocation::Folder(_)) {
        doctor = doctor.ahead(Ahead::Refuse);
    }
    for validation in context.skipped()? {
        doctor = doctor.skip(validation);
    }
    if let Some(url) = context.direct_url(args.direct_url.as_deref())? {
        doctor = doctor.direct_url(url);
    }
    if args.allow_published {
        doctor = doctor.published(Published::Allow);
    }
    let mut diagnosis = doctor.await?;
    if let Some(file) = missing_file {
        // A command that reads sees an empty database instead of the file.
        let lines = diagnosis.diagnostics.iter_mut();
        lines.filter(|line| line.subject == "connection").for_each(|line| {
            line.message = format!("the file {file} does not exist; the first run creates it");
        });
        diagnosis.diagnostics.retain(|line| line.subject != "liveness");
    }
    let exit = if diagnosis.has_blocker() { Exit::Failed } else { Exit::Done };
    let fields = CommandFields::Doctor { diagnostics: list(&diagnosis.diagnostics) };
    Ok(CommandOutput::new(screen(context.printer, &diagnosis), fields).exit(exit))
}

/// Formats a diagnosis: a table, and one sentence about all of it.
fn screen(printer: Printer, diagnosis: &Diagnosis) -> String {
    let rows = diagnosis.diagnostics.iter().map(|line| {
        let Diagnostic { subject, level, message, help, .. } = line;
        let style = match level {
            DiagnosticLevel::Good => CellStyle::Good,
            DiagnosticLevel::Warning => CellStyle::Warning,
            DiagnosticLevel::Blocker => CellStyle::Bad,
        };
        let help = if help.is_empty() { String::new() } else { format!("\nhelp: {help}") };
        [
            style.cell(level.name()),
            CellStyle::Plain.cell(*subject),
            CellStyle::Plain.cell(format!("{message}{help}")),
        ]
    });
    let table = printer.table("Doctor", ["Level", "Subject", "What a run would see"], rows);
    format!("{table}\n\n{}", sentence(&diagnosis.summary()))
}
