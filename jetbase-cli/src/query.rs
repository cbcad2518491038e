//! The commands that only read: `history`, `current`, `check` and the two validations.

use std::fmt::Display;

use jetbase_core::{Ahead, MigrationKind, Problem, Record, Validation};
use jetbase_runtime::{Error, ErrorKind, Readiness, Validated};

use super::command_error::CommandError;
use super::command_output::CommandOutput;
use super::context::{CommandContext, FolderChecks, Intent, MigrationsLocation, in_namespace};
use super::exit::Exit;
use super::json::{CommandFields, list};
use super::python::sentences;
use super::sentence::{sentence, sentence_of};

pub(crate) async fn history(
    mut context: CommandContext<'_>,
) -> Result<CommandOutput, CommandError> {
    let set = context.set_without_files();
    let database = context.database(Intent::Read)?;
    let found = in_namespace!(context, jetbase_runtime::history(&set, database)).await?;
    let fields = CommandFields::History { records: list(&found.records) };
    if found.records.is_empty() {
        let text = if found.table_exists { NONE_YET } else { NO_TABLE };
        return Ok(CommandOutput::new(text, fields));
    }
    let header = ["Version", "Order Executed", "Description", "Applied At"];
    let rows = found.records.iter().map(|it: &Record| {
        let version = version_or_kind(it.version.as_ref(), it.kind);
        [version, it.order.to_string(), it.description.clone(), applied_at(it)]
    });
    Ok(CommandOutput::new(context.printer.table("Migration History", header, rows), fields))
}

/// The sentence of the Python tool for a database that it has not used yet.
const NO_TABLE: &str = "No migrations have been applied.";
const NONE_YET: &str = "No migrations have been applied yet.";

pub(crate) async fn current(
    mut context: CommandContext<'_>,
) -> Result<CommandOutput, CommandError> {
    let set = context.set_without_files();
    let database = context.database(Intent::Read)?;
    let version = in_namespace!(context, jetbase_runtime::current(&set, database)).await?;
    let text = match &version {
        Some(version) => format!("Latest migration version: {version}"),
        None => NONE_YET.to_owned(),
    };
    let version = version.map(|version| version.to_string());
    Ok(CommandOutput::new(text, CommandFields::Current { version }))
}

pub(crate) async fn check(mut context: CommandContext<'_>) -> Result<CommandOutput, CommandError> {
    let set = context.set(FolderChecks::Names)?;
    let database = context.database(Intent::Read)?;
    let mut query = in_namespace!(context, jetbase_runtime::check(&set, database));
    for validation in context.skipped()? {
        query = query.skip(validation);
    }
    let readiness = query.await?;
    let (state, pending, unfinished) = match &readiness {
        Readiness::Ready => ("ready", Vec::new(), Vec::new()),
        Readiness::Ahead => ("ahead", Vec::new(), Vec::new()),
        Readiness::Behind { pending, unfinished } => ("behind", pending.clone(), list(unfinished)),
    };
    let fields = CommandFields::Check { state, pending, unfinished };
    Ok(CommandOutput::new(sentence(&readiness.to_string()), fields).exit(Exit::from(&readiness)))
}

pub(crate) async fn validate_checksums(
    context: CommandContext<'_>,
) -> Result<CommandOutput, CommandError> {
    let (compared, problems) = compare(context, Validation::Files).await?;
    let fields = validated(&compared, &problems);
    if problems.is_empty() {
        let none = compared.is_some_and(|it| it.records == 0);
        let text = if none {
            "No migrations have been applied; nothing to repair."
        } else {
            "All migration checksums are valid - no altered upgrade statements detected."
        };
        return Ok(CommandOutput::new(text, fields));
    }
    let versions: Vec<_> = problems.iter().filter_map(version_of).collect();
    let text = format!(
        "JETBASE - Checksum Audit Report\n----------------------------------------\n\
         Changes detected in the following migration versions:\n{}",
        arrows(&versions)
    );
    Ok(with_problems(CommandOutput::new(text, fields), &problems))
}

pub(crate) async fn validate_files(
    context: CommandContext<'_>,
) -> Result<CommandOutput, CommandError> {
    let (compared, problems) = compare(context, Validation::Checksums).await?;
    let fields = validated(&compared, &problems);
    if problems.is_empty() {
        return Ok(CommandOutput::new("All migrations have corresponding files.", fields));
    }
    let (missing, others): (Vec<_>, Vec<_>) =
        problems.iter().cloned().partition(|it| missing(it).is_some());
    let mut lines = Vec::new();
    if !missing.is_empty() {
        let names: Vec<_> = missing.iter().filter_map(self::missing).collect();
        lines.push(format!(
            "The following migration versions are missing their corresponding files:\n{}",
            arrows(&names)
        ));
    }
    lines.extend(sentences(&others));
    Ok(with_problems(CommandOutput::new(lines.join("\n"), fields), &problems))
}

/// Compares the history with the set. Returns the compared rows, or what is wrong with them.
async fn compare(
    mut context: CommandContext<'_>,
    without: Validation,
) -> Result<(Option<Validated>, Vec<Problem>), CommandError> {
    let set = context.set(FolderChecks::Names)?;
    let database = context.database(Intent::Read)?;
    let mut query = in_namespace!(context, jetbase_runtime::validate(&set, database)).skip(without);
    if matches!(context.source, MigrationsLocation::Folder(_)) {
        query = query.ahead(Ahead::Refuse);
    }
    match query.await {
        Ok(validated) => Ok((Some(validated), Vec::new())),
        Err(error) => Ok((None, problems(error)?)),
    }
}

fn problems(error: Error) -> Result<Vec<Problem>, CommandError> {
    match error.kind() {
        ErrorKind::Refused(refusal) => Ok(refusal.problems.clone()),
        _ => Err(error.into()),
    }
}

fn validated(compared: &Option<Validated>, problems: &[Problem]) -> CommandFields {
    CommandFields::Validate {
        compared: compared.as_ref().map(|it| it.records),
        problems: list(problems),
        skipped: compared.iter().flat_map(|it| list(&it.skipped)).collect(),
    }
}

/// Adds a note for each problem, and the exit code for them.
fn with_problems(output: CommandOutput, problems: &[Problem]) -> CommandOutput {
    let output = output.exit(Exit::of_problems(problems));
    problems.iter().fold(output, |output, it| output.note(format!("  {}", sentence_of(it))))
}

pub(crate) fn arrows(names: &[String]) -> String {
    names.iter().map(|name| format!("→ {name}")).collect::<Vec<_>>().join("\n")
}

fn version_of(problem: &Problem) -> Option<String> {
    match problem {
        Problem::Changed { version, .. } | Problem::OtherSet { version, .. } => {
            Some(version.to_string())
        }
        Problem::Respelled { recorded, .. } => Some(recorded.to_string()),
        _ => None,
    }
}

fn missing(problem: &Problem) -> Option<String> {
    match problem {
        Problem::Missing { version, .. }
        | Problem::Ahead { version, .. }
        | Problem::Renamed { version: Some(version), .. } => Some(version.to_string()),
        Problem::Renamed { version: None, recorded, .. } => Some(recorded.clone()),
        Problem::MissingRepeatable { file } => Some(file.clone()),
        _ => None,
    }
}

/// Returns the text for the column `Applied At` of a table, as the Python tool shortens it.
pub(crate) fn applied_at(record: &Record) -> String {
    record.applied_at.chars().take(22).collect()
}

/// Returns the text for the column `Version` of a table.
pub(crate) fn version_or_kind(version: Option<&impl Display>, kind: MigrationKind) -> String {
    version.map_or_else(|| kind.as_str().to_owned(), ToString::to_string)
}
