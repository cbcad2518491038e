//! `renumber`: gives new versions to files of a branch that was merged too late.

use std::fs;
use std::path::Path;

use jetbase_core::{Folder, Rename, SumFile};

use super::command_error::CommandError;
use super::command_output::CommandOutput;
use super::context::folder;
use super::json::{CommandFields, list};
use super::options::RenumberArgs;

pub(crate) fn renumber(
    named: Option<&Path>,
    args: &RenumberArgs,
) -> Result<CommandOutput, CommandError> {
    let root = folder(named);
    let shown = root.display().to_string();
    let read = Folder::read(&root);
    let others = read.findings.iter().filter(|it| it.rule != "duplicate-version");
    let others: Vec<_> = others.cloned().collect();
    if !others.is_empty() {
        return Err(CommandError::folder(&others, &shown));
    }
    let sum_file =
        SumFile::read(&root).map_err(|finding| CommandError::folder(&[*finding], &shown))?;
    let renames = read.renumber(sum_file.as_ref());
    if !args.dry_run {
        for it in &renames {
            rename(&root, it)?;
        }
    }
    let verb = if args.dry_run { "Would rename" } else { "Renamed" };
    let lines: Vec<_> =
        renames.iter().map(|it| format!("{verb} {} to {}", it.from, it.to)).collect();
    let fields = CommandFields::Renumber { renamed: list(&renames) };
    if renames.is_empty() {
        let text =
            "Nothing to renumber: every new file has a version of its own above the recorded ones.";
        return Ok(CommandOutput::new(text, fields));
    }
    Ok(CommandOutput::new(lines.join("\n"), fields).note(
        "If one of your databases has applied an old version, roll it back there before you upgrade.",
    ))
}

fn rename(root: &Path, rename: &Rename) -> Result<(), CommandError> {
    let (from, to) = (root.join(&rename.from), root.join(&rename.to));
    if to.exists() {
        return Err(CommandError::exists(to.display()));
    }
    fs::rename(&from, &to)
        .map_err(|error| CommandError::io(format!("{} cannot be renamed", from.display()), &error))
}
