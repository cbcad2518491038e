//! `sum`: the list of recorded migrations.

use std::path::Path;

use jetbase_core::{
    Dialect, Finding, Folder, FolderCheck, Manifest, OutOfOrder, Rules, Severity, SumFile,
    check_folder,
};

use super::command_error::CommandError;
use super::command_output::CommandOutput;
use super::context::folder;
use super::exit::{Exit, is_about_list};
use super::json::CommandFields;
use super::options::SumArgs;
use super::printer::Printer;

pub(crate) fn sum(
    printer: Printer,
    named: Option<&Path>,
    args: &SumArgs,
) -> Result<CommandOutput, CommandError> {
    let root = folder(named);
    if args.check {
        return check(printer, &root, args.dialect);
    }
    let checked = check_files(&root, args.dialect, Manifest::Optional);
    let (about_list, in_files): (Vec<_>, Vec<_>) =
        checked.findings.into_iter().partition(is_about_list);
    // A recorded file is frozen, so its mistakes would be frozen too.
    report_findings(in_files, printer, &root)?;
    let old = match SumFile::read(&root) {
        Ok(list) => list,
        Err(_) => return Err(CommandError::folder(&about_list, &display(&root))),
    };
    let old_or_new = old.clone().unwrap_or_else(|| SumFile::new(&root));
    let out_of_order = if args.out_of_order { OutOfOrder::Record } else { OutOfOrder::Refuse };
    let list = old_or_new
        .record(&Folder::read(&root), &args.accept, out_of_order)
        .map_err(|findings| CommandError::folder(&findings, &display(&root)))?;
    let path = display(&SumFile::path(&root));
    let recorded: Vec<_> = list
        .entries()
        .iter()
        .filter(|entry| !old_or_new.entries().iter().any(|it| it.file == entry.file))
        .map(|entry| entry.file.clone())
        .collect();
    let fields = CommandFields::Sum {
        list: path.clone(),
        recorded: recorded.clone(),
        entries: list.entries().len(),
    };
    if old.as_ref() == Some(&list) {
        let text = format!("Nothing to record: {path} is up to date.");
        return Ok(CommandOutput::new(text, fields));
    }
    list.write(&root)
        .map_err(|error| CommandError::io(format!("{path} cannot be written"), &error))?;
    let mut lines: Vec<_> =
        args.accept.iter().map(|version| format!("Accepted V{version}")).collect();
    lines.extend(recorded.iter().map(|file| format!("Recorded {file}")));
    let count = list.entries().len();
    let noun = if count == 1 { "migration" } else { "migrations" };
    lines.push(format!("{path} has {count} {noun}: commit it."));
    Ok(CommandOutput::new(lines.join("\n"), fields))
}

/// Checks that the folder matches the list, and that everything is recorded.
fn check(
    printer: Printer,
    root: &Path,
    dialect: Option<Dialect>,
) -> Result<CommandOutput, CommandError> {
    let checked = check_files(root, dialect, Manifest::Required);
    report_findings(checked.findings, printer, root)?;
    let unrecorded: Vec<String> = match SumFile::read(root) {
        Ok(Some(list)) => list.unrecorded(&checked.files).map(|it| it.file().to_owned()).collect(),
        _ => Vec::new(),
    };
    let path = display(&SumFile::path(root));
    let exit = Exit::of_unrecorded(&unrecorded);
    let names = unrecorded.join(", ");
    let fields = CommandFields::SumCheck { list: path.clone(), unrecorded };
    if exit == Exit::Done {
        return Ok(CommandOutput::new(format!("{path} and the folder agree."), fields));
    }
    let output = CommandOutput::new(format!("Not recorded yet: {names}"), fields);
    Ok(output.exit(exit).note("Run `jetbase sum` to record them."))
}

fn check_files(root: &Path, dialect: Option<Dialect>, manifest: Manifest) -> FolderCheck {
    check_folder(root, &Rules { dialect, manifest, ..Rules::default() })
}

/// Prints warnings. Errors end the command.
fn report_findings(
    findings: Vec<Finding>,
    printer: Printer,
    root: &Path,
) -> Result<(), CommandError> {
    let (errors, warnings): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|it| it.severity == Severity::Error);
    let folder = display(root);
    warnings.iter().for_each(|warning| printer.finding(warning, &folder));
    if errors.is_empty() { Ok(()) } else { Err(CommandError::folder(&errors, &folder)) }
}

fn display(path: &Path) -> String {
    path.display().to_string()
}
