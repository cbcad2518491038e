//! The sentences that the Python tool prints about the same problems.

use jetbase_core::{Finding, Name, Problem};

/// Returns the Python tool's sentences for these problems, in the order of its validations. It stops at
/// the first one.
pub(crate) fn sentences(problems: &[Problem]) -> Vec<String> {
    let mut sentences = Vec::new();
    let (out_of_order, others): (Vec<_>, Vec<_>) =
        problems.iter().partition(|it| matches!(it, Problem::OutOfOrder { .. }));
    sentences.extend(out_of_order.into_iter().chain(others).filter_map(sentence_of_problem));
    let repeatables: Vec<_> = problems.iter().filter_map(missing_repeatable).collect();
    if !repeatables.is_empty() {
        sentences.push(format!(
            "The following migrated repeatable files are missing: {}",
            repeatables.join(", ")
        ));
    }
    let changed: Vec<_> = problems.iter().filter_map(changed).collect();
    if !changed.is_empty() {
        let versions = changed.join(", ");
        sentences.push(format!(
            "Checksum mismatch for versions: {versions}. Files have been changed since migration."
        ));
    }
    sentences
}

fn changed(problem: &Problem) -> Option<String> {
    match problem {
        Problem::Changed { version, .. } | Problem::OtherSet { version, .. } => {
            Some(version.to_string())
        }
        _ => None,
    }
}

fn missing_repeatable(problem: &Problem) -> Option<&str> {
    match problem {
        Problem::MissingRepeatable { file }
        | Problem::Renamed { version: None, recorded: file, .. } => Some(file),
        _ => None,
    }
}

fn sentence_of_problem(problem: &Problem) -> Option<String> {
    Some(match problem {
        Problem::Missing { version, .. }
        | Problem::Ahead { version, .. }
        | Problem::Renamed { version: Some(version), .. } => format!(
            "Version {version} has been migrated but is missing from the current migration files."
        ),
        Problem::OutOfOrder { file, version, latest } => format!(
            "{file} has version {version} which is lower than the latest migrated version {latest}.\n\
             New migration files cannot have versions lower than the latest migrated version.\n\
             Please rename the file to have a version higher than {latest}."
        ),
        Problem::UnknownVersion { version } => {
            format!("The specified to_version '{version}' does not exist among pending migrations.")
        }
        Problem::NotApplied { version } => {
            format!("Version '{version}' has not been applied yet or does not exist.")
        }
        Problem::NoFile { version, .. } => format!(
            "Migration file for version '{version}' not found. Cannot proceed with rollback."
        ),
        _ => return None,
    })
}

/// Returns the Python tool's sentence for a finding, if it has one.
pub(crate) fn sentence_of_finding(finding: &Finding) -> Option<String> {
    let file = finding.file.rsplit('/').next().unwrap_or_default();
    match finding.rule {
        "name" => Some(format!("Invalid migration filename format: {file}.")),
        "duplicate-version" => {
            let version = Name::parse(file).ok()?.version?;
            Some(format!("Duplicate migration version detected: {version}."))
        }
        _ => None,
    }
}
