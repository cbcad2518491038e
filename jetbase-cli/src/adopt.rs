//! `adopt`: takes over the folder and the history of another migration tool.

use std::fs;
use std::path::{Path, PathBuf};

use jetbase_core::{
    AdoptMap, Conversion, ConvertedFile, Dialect, Finding, Folder, OldFile, Script, Syntax, check,
    convert,
};
use jetbase_runtime::Event;

use super::args::CommonArgs;
use super::command_error::CommandError;
use super::command_output::CommandOutput;
use super::context::{CommandContext, FolderChecks, Intent, MigrationsLocation, in_namespace};
use super::exit::Exit;
use super::json::{CommandFields, list};
use super::options::AdoptArgs;
use super::printer::Printer;
use super::sentence::sentence;

/// Where the converted files go, if no folder is named.
const NEW_FOLDER: &str = "jetbase/migrations";

/// Returns the folder of the converted files.
fn new_folder(named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| PathBuf::from(NEW_FOLDER), Path::to_owned)
}

/// What happens to a file of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileState {
    /// It does not exist yet.
    New,
    /// It exists with this text.
    Same,
    /// It exists with another text, and stays as it is.
    Other,
}

/// Converts a folder. Without `--write`, it only shows what it would do.
pub(crate) fn convert_folder(
    printer: Printer,
    named: Option<&Path>,
    args: &AdoptArgs,
) -> Result<CommandOutput, CommandError> {
    let (old, new) = (args.folder(), new_folder(named));
    let (old_shown, new_shown) = (display(&old), display(&new));
    if is_same_folder(&old, &new) {
        return Err(CommandError::usage(format!(
            "{new_shown} is the old folder, which stays as it is. Name another folder for the converted files with --dir."
        )));
    }
    let files = OldFile::read_folder(&old)
        .map_err(|finding| CommandError::folder(&[*finding], &old_shown))?;
    let mut conversion = convert(args.tool, &files, args.dialect);
    if conversion.files.is_empty() && conversion.left_to_do() == 0 {
        let text = format!("{old_shown} has no migration of {}. Nothing was written.", args.tool);
        return Err(CommandError::new("folder", text, Exit::Failed));
    }
    if !conversion.refusals.is_empty() {
        return Err(CommandError::folder(&conversion.refusals, &old_shown));
    }
    let map_path = AdoptMap::path(&new);
    let old_map = read_map(&map_path, &conversion)?;
    if let Some(old_map) = &old_map {
        conversion.map.keep(old_map);
    }
    let states = states(&new, &mut conversion, args.dialect)?;
    let has_map = old_map.as_ref() == Some(&conversion.map);
    if args.write {
        write(&new, &conversion, &states)?;
        if !has_map {
            write_file(&map_path, &conversion.map.to_string())?;
        }
    }
    let left = conversion.left_to_do();
    for (findings, folder) in
        [(&conversion.about_old, &old_shown), (&conversion.about_new, &new_shown)]
    {
        findings.iter().for_each(|finding| printer.finding(finding, folder));
    }
    let mut lines: Vec<_> = conversion
        .files
        .iter()
        .zip(&states)
        .map(|(file, state)| line(file, *state, args.write, &new_shown))
        .collect();
    lines.push(match (has_map, args.write) {
        (true, _) => format!("{} is there already", map_path.display()),
        (false, true) => format!("Wrote {}", map_path.display()),
        (false, false) => format!("Would write {}", map_path.display()),
    });
    let fields = CommandFields::Adopt {
        files: list(&conversion.files),
        map: map_path.display().to_string(),
        written: args.write,
        findings: conversion
            .about_old
            .iter()
            .chain(&conversion.about_new)
            .map(Into::into)
            .collect(),
        adopted: Vec::new(),
    };
    let mut output = CommandOutput::new(lines.join("\n"), fields);
    if left > 0 {
        let noun = if left == 1 { "thing is" } else { "things are" };
        output = output.exit(Exit::Pending).note(format!(
            "{left} {noun} left to do by hand: each error above says where and what."
        ));
    }
    Ok(if args.write { output } else { output.note(NOT_WRITTEN) })
}

/// The line about one file.
fn line(file: &ConvertedFile, state: FileState, write: bool, folder: &str) -> String {
    let (path, from) = (&file.path, file.from.join(", "));
    match (state, write) {
        (FileState::New, true) => format!("Wrote {folder}/{path} from {from}"),
        (FileState::New, false) => format!("Would write {folder}/{path} from {from}"),
        (FileState::Same, _) => format!("{folder}/{path} is there already"),
        (FileState::Other, _) => {
            format!("{folder}/{path} is there with another text, and stays as it is")
        }
    }
}

/// Reads the map that is there. The map of another tool, or of another text of the old files, is not
/// replaced: an applied migration would no longer agree with it.
fn read_map(path: &Path, conversion: &Conversion) -> Result<Option<AdoptMap>, CommandError> {
    let Some(text) = read(path)? else { return Ok(None) };
    let shown = path.display();
    let refused = |text: String| Err(CommandError::new("folder", text, Exit::Drift));
    let old = match AdoptMap::parse(&text) {
        Ok(old) => old,
        Err(error) => return refused(format!("{shown}: {error}. Nothing was written.")),
    };
    if old.tool != conversion.map.tool {
        return refused(format!(
            "{shown} is the map of a folder of {}. Nothing was written. Name another folder with --dir, or delete the map.",
            old.tool
        ));
    }
    let changed = conversion.map.entries.iter().find(|entry| {
        let before = old.entries.iter().find(|it| it.key == entry.key);
        before.is_some_and(|it| it.checksums != entry.checksums || it.file != entry.file)
    });
    let Some(entry) = changed else { return Ok(Some(old)) };
    refused(format!(
        "The old file of {} has changed since it was converted. Nothing was written. Restore it from version control; or, \
         if no database has the old text, delete {} and its line in {shown}, and convert again.",
        entry.file, entry.file
    ))
}

/// Finds out which files exist already. What is left to do in a file that a person has changed is read
/// from that file.
fn states(
    new: &Path,
    conversion: &mut Conversion,
    dialect: Option<Dialect>,
) -> Result<Vec<FileState>, CommandError> {
    let syntaxes = dialect
        .map_or_else(|| Dialect::ALL.map(Syntax::of).to_vec(), |dialect| vec![Syntax::of(dialect)]);
    let mut states = Vec::new();
    for file in &conversion.files {
        states.push(match read(&new.join(&file.path))? {
            None => FileState::New,
            Some(text) if text == file.text => FileState::Same,
            Some(text) => {
                conversion.about_new.retain(|finding: &Finding| finding.file != file.path);
                let script = Script::read(&text);
                conversion.about_new.extend(check(&file.path, &script, &syntaxes).findings);
                FileState::Other
            }
        });
    }
    Ok(states)
}

fn write(new: &Path, conversion: &Conversion, states: &[FileState]) -> Result<(), CommandError> {
    for (file, state) in conversion.files.iter().zip(states) {
        if *state == FileState::New {
            write_file(&new.join(&file.path), &file.text)?;
        }
    }
    Ok(())
}

/// Writes a file and the folders above it.
fn write_file(path: &Path, text: &str) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| {
        CommandError::io(format!("{} cannot be written", path.display()), &error)
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}

/// Reads a file that may not exist.
fn read(path: &Path) -> Result<Option<String>, CommandError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CommandError::io(format!("{} cannot be read", path.display()), &error)),
    }
}

fn is_same_folder(a: &Path, b: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    whole(a) == whole(b)
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

/// Compares the table of the old tool with the map, and writes the history. Without `--write`, it only
/// shows what it would do.
pub(crate) async fn adopt_history(
    source: MigrationsLocation,
    common: CommonArgs,
    printer: Printer,
    args: AdoptArgs,
) -> Result<CommandOutput, CommandError> {
    let new = match &source {
        MigrationsLocation::Folder(named) => new_folder(named.as_deref()),
        MigrationsLocation::Embedded(_) => new_folder(None),
    };
    let shown = display(&new);
    let source = MigrationsLocation::Folder(Some(new.clone()));
    let mut context = CommandContext::new(source, common, printer, None)?;
    let set = context.set(FolderChecks::SumFile)?;
    let map = AdoptMap::read(&new, &Folder::read(&new).files, args.tool)
        .map_err(|findings| CommandError::folder(&findings, &shown))?;
    let database = context.database(Intent::Read)?;
    let mut adopt = in_namespace!(context, jetbase_runtime::adopt(&set, &map, database))
        .wait(context.wait(&args.wait)?)
        .on_event(move |event| match event {
            Event::Waiting { .. } | Event::Recovered { .. } => {
                printer.progress(&sentence(&event.to_string()));
            }
            Event::Warning { message } => printer.warning(&sentence(message)),
            _ => {}
        });
    if !args.write {
        adopt = adopt.dry_run();
    }
    let report = adopt.await.map_err(|error| context.command_error(&error))?;
    let files = if args.write { report.adopted } else { report.planned };
    let verb = if args.write { "Adopted" } else { "Would adopt" };
    let mut lines: Vec<_> = files.iter().map(|file| format!("{verb} {file}")).collect();
    if report.has_history {
        lines.push(
            "This database has a history of jetbase already. Nothing was written.".to_owned(),
        );
    } else if files.is_empty() {
        lines.push(format!("{} has applied nothing there. Nothing was written.", args.tool));
    }
    let fields = CommandFields::Adopt {
        files: Vec::new(),
        map: AdoptMap::path(&new).display().to_string(),
        written: args.write,
        findings: Vec::new(),
        adopted: files.clone(),
    };
    let output = CommandOutput::new(lines.join("\n"), fields);
    let is_preview = !args.write && !files.is_empty();
    Ok(if is_preview { output.note(NOT_WRITTEN) } else { output })
}

const NOT_WRITTEN: &str = "Nothing was written. Write it with --write.";
