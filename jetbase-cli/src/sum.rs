//! `sum`: the list of recorded migrations.

use std::path::Path;

use jetbase_core::{
    Dialect, Finding, Folder, FolderCheck, Manifest, OutOfOrder, Rules, Severity, SumFile, Version,
    check_folder,
};

use super::answer::{Answer, Code, Object};
use super::context::folder;
use super::failure::Failure;
use super::options::Sum;
use super::output::Output;

/// The rules about list and folder, in contrast to rules about the content of a file.
const LIST_RULES: [&str; 9] = [
    "changed",
    "renamed",
    "replaced",
    "deleted",
    "out-of-order",
    "list",
    "conflict",
    "missing-list",
    "accept",
];

pub(crate) fn sum(output: Output, named: Option<&Path>, wanted: &Sum) -> Result<Answer, Failure> {
    let root = folder(named);
    if wanted.check {
        return check(output, &root, wanted.dialect);
    }
    let proof = proved(&root, wanted.dialect, Manifest::Optional);
    let (about_list, in_files): (Vec<_>, Vec<_>) =
        proof.findings.into_iter().partition(|it| LIST_RULES.contains(&it.rule));
    // A recorded file is frozen, so its mistakes would be frozen too.
    fail_on(in_files, output, &root, Code::Failed)?;
    let old = match SumFile::read(&root) {
        Ok(list) => list,
        Err(_) => return Err(Failure::folder(&about_list, &shown(&root), Code::Drift)),
    };
    let old_or_new = old.clone().unwrap_or_else(|| SumFile::new(&root));
    let late = if wanted.out_of_order { OutOfOrder::Record } else { OutOfOrder::Refuse };
    let list = old_or_new
        .record(&Folder::read(&root), &wanted.accept, late)
        .map_err(|findings| Failure::folder(&findings, &shown(&root), Code::Drift))?;
    let path = shown(&SumFile::path(&root));
    let recorded: Vec<_> = list
        .entries()
        .iter()
        .filter(|entry| !old_or_new.entries().iter().any(|it| it.file == entry.file))
        .map(|entry| entry.file.clone())
        .collect();
    let fields = Object::default()
        .field("list", path.as_str())
        .field("recorded", recorded.clone())
        .field("entries", list.entries().len());
    if old.as_ref() == Some(&list) {
        let text = format!("Nothing to record: {path} is up to date.");
        return Ok(Answer::new(text, fields));
    }
    list.write(&root).map_err(|error| Failure::io(format!("{path} cannot be written"), &error))?;
    let mut lines: Vec<_> =
        wanted.accept.iter().map(|version| format!("Accepted V{version}")).collect();
    lines.extend(recorded.iter().map(|file| format!("Recorded {file}")));
    let count = list.entries().len();
    let noun = if count == 1 { "migration" } else { "migrations" };
    lines.push(format!("{path} has {count} {noun}: commit it."));
    Ok(Answer::new(lines.join("\n"), fields))
}

/// Checks that the folder matches the list, and that everything is recorded.
fn check(output: Output, root: &Path, dialect: Option<Dialect>) -> Result<Answer, Failure> {
    let proof = proved(root, dialect, Manifest::Required);
    let drift = proof.findings.iter().any(|it| LIST_RULES.contains(&it.rule));
    fail_on(proof.findings, output, root, if drift { Code::Drift } else { Code::Failed })?;
    let unrecorded = match SumFile::read(root) {
        Ok(Some(list)) => list.unrecorded(&proof.files).map(|it| it.file().to_owned()).collect(),
        _ => Vec::new(),
    };
    let path = shown(&SumFile::path(root));
    let fields =
        Object::default().field("list", path.as_str()).field("unrecorded", unrecorded.clone());
    Ok(match unrecorded.is_empty() {
        true => Answer::new(format!("{path} and the folder agree."), fields),
        false => {
            let text = format!("Not recorded yet: {}", unrecorded.join(", "));
            Answer::new(text, fields).code(Code::Pending).note("Run `jetbase sum` to record them.")
        }
    })
}

fn proved(root: &Path, dialect: Option<Dialect>, manifest: Manifest) -> FolderCheck {
    check_folder(root, &Rules { dialect, manifest, ..Rules::default() })
}

/// Prints warnings. Errors end the command.
fn fail_on(findings: Vec<Finding>, output: Output, root: &Path, code: Code) -> Result<(), Failure> {
    let (errors, warnings): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|it| it.severity == Severity::Error);
    let folder = shown(root);
    warnings.iter().for_each(|warning| output.finding(warning, &folder));
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Failure::folder(&errors, &folder, code)),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Parses a version for `--accept`: `2`, or `V2` as in the file's name.
pub(crate) fn accepted(text: &str) -> Result<Version, jetbase_core::VersionError> {
    Version::parse(text.strip_prefix('V').unwrap_or(text))
}
