//! The commands that only read: `status`, `history`, `current`, `check` and the two validations.

use jetbase_core::{Ahead, Problem, Record, Repeat, Validation};

use super::answer::{Answer, Code, Object, sentence};
use super::context::{CommandContext, Depth, Intent, Origin};
use super::failure::{Failure, sentences};
use super::output::table;
use super::record::{pending, problem, record, shown_version, skipped};
use jetbase_runtime::{Error, ErrorKind};
use jetbase_runtime::{Query, Readiness, Validated};

pub(crate) async fn status(mut context: CommandContext<'_>) -> Result<Answer, Failure> {
    let set = context.set(Depth::Names)?;
    let database = context.database(Intent::Ask)?;
    let mut query = context.ask(jetbase_runtime::status(&set, database))?;
    query.policy.repeat = Repeat::Always;
    query.policy.skip.append(&mut context.skipped()?);
    let found = query.await?;
    let mut applied = found.applied;
    applied.sort_by(|a, b| a.applied_at.cmp(&b.applied_at).then(a.order.cmp(&b.order)));
    let header = ["Version", "Description"];
    let rows = applied
        .iter()
        .map(|it| [shown_version(it.version.as_deref(), it.kind), it.description.clone()]);
    let above = table("Migrations Applied", header, rows);
    let rows = found
        .pending
        .iter()
        .map(|it| [shown_version(it.version.as_deref(), it.kind), it.description.clone()]);
    let below = table("Migrations Pending", header, rows);
    let fields = Object::default()
        .list("applied", applied.iter().map(record))
        .list("pending", found.pending.iter().map(pending))
        .list("skipped", found.skipped.iter().map(skipped))
        .list("problems", found.problems.iter().map(problem));
    let mut answer = Answer::new(format!("{above}\n\n{below}"), fields);
    for it in &found.skipped {
        answer = answer.note(format!("{}: {}", it.file, sentence(&it.reason.to_string())));
    }
    for it in &found.problems {
        let text = sentence(&format!("{it}; {}", it.help()));
        answer = answer.note(format!("problem: {text}"));
    }
    Ok(answer)
}

pub(crate) async fn history(mut context: CommandContext<'_>) -> Result<Answer, Failure> {
    let set = context.set_unread();
    let database = context.database(Intent::Ask)?;
    let found = context.ask(jetbase_runtime::history(&set, database))?.await?;
    let fields = Object::default().list("records", found.records.iter().map(record));
    if found.records.is_empty() {
        return Ok(Answer::new(NONE_YET, fields));
    }
    let header = ["Version", "Order Executed", "Description", "Applied At"];
    let rows = found.records.iter().map(|it: &Record| {
        let applied_at: String = it.applied_at.chars().take(22).collect();
        let version = shown_version(it.version.as_deref(), it.kind);
        [version, it.order.to_string(), it.description.clone(), applied_at]
    });
    Ok(Answer::new(table("Migration History", header, rows), fields))
}

const NONE_YET: &str = "No migrations have been applied yet.";

pub(crate) async fn current(mut context: CommandContext<'_>) -> Result<Answer, Failure> {
    let set = context.set_unread();
    let database = context.database(Intent::Ask)?;
    let version = context.ask(jetbase_runtime::current(&set, database))?.await?;
    let text = match &version {
        Some(version) => format!("Latest migration version: {version}"),
        None => NONE_YET.to_owned(),
    };
    let version = version.map(|version| version.to_string());
    Ok(Answer::new(text, Object::default().field("version", version)))
}

pub(crate) async fn check(mut context: CommandContext<'_>) -> Result<Answer, Failure> {
    let set = context.set(Depth::Names)?;
    let database = context.database(Intent::Ask)?;
    let mut query = context.ask(jetbase_runtime::check(&set, database))?;
    query.policy.skip.append(&mut context.skipped()?);
    let readiness = query.await?;
    let (state, pending, code) = match &readiness {
        Readiness::Ready => ("ready", Vec::new(), Code::Done),
        Readiness::Ahead => ("ahead", Vec::new(), Code::Done),
        Readiness::Behind { pending } => ("behind", pending.clone(), Code::Pending),
    };
    let fields = Object::default().field("state", state).field("pending", pending);
    Ok(Answer::new(sentence(&readiness.to_string()), fields).code(code))
}

pub(crate) async fn validate_checksums(context: CommandContext<'_>) -> Result<Answer, Failure> {
    let (compared, problems) = compare(context, Validation::Files).await?;
    let fields = validated(&compared, &problems);
    if problems.is_empty() {
        let none = compared.is_some_and(|it| it.records == 0);
        return Ok(Answer::new(
            match none {
                true => "No migrations have been applied; nothing to repair.",
                false => {
                    "All migration checksums are valid - no altered upgrade statements detected."
                }
            },
            fields,
        ));
    }
    let versions: Vec<_> = problems.iter().filter_map(version_of).collect();
    let text = format!(
        "JETBASE - Checksum Audit Report\n----------------------------------------\n\
         Changes detected in the following migration versions:\n{}",
        arrows(&versions)
    );
    Ok(noted(Answer::new(text, fields).code(Code::Drift), &problems))
}

pub(crate) async fn validate_files(context: CommandContext<'_>) -> Result<Answer, Failure> {
    let (compared, problems) = compare(context, Validation::Checksums).await?;
    let fields = validated(&compared, &problems);
    if problems.is_empty() {
        return Ok(Answer::new("All migrations have corresponding files.", fields));
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
    Ok(noted(Answer::new(lines.join("\n"), fields).code(Code::Drift), &problems))
}

/// Compares the history with the set. Returns the compared rows, or what is wrong with them.
async fn compare(
    mut context: CommandContext<'_>,
    without: Validation,
) -> Result<(Option<Validated>, Vec<Problem>), Failure> {
    let set = context.set(Depth::Names)?;
    let database = context.database(Intent::Ask)?;
    let mut query = context.ask(jetbase_runtime::validate(&set, database))?.skip(without);
    if matches!(context.origin, Origin::Folder(_)) {
        query = query.ahead(Ahead::Refuse);
    }
    match query.await {
        Ok(validated) => Ok((Some(validated), Vec::new())),
        Err(error) => Ok((None, drift(error)?)),
    }
}

fn drift(error: Error) -> Result<Vec<Problem>, Failure> {
    match error.kind() {
        ErrorKind::Refused(refusal) => Ok(refusal.problems.clone()),
        _ => Err(error.into()),
    }
}

fn validated(compared: &Option<Validated>, problems: &[Problem]) -> Object {
    Object::default()
        .field("compared", compared.as_ref().map(|it| it.records))
        .list("problems", problems.iter().map(problem))
        .list("skipped", compared.iter().flat_map(|it| it.skipped.iter().map(skipped)))
}

fn noted(answer: Answer, problems: &[Problem]) -> Answer {
    problems.iter().fold(answer, |answer, it| {
        answer.note(format!("  {}", sentence(&format!("{it}; {}", it.help()))))
    })
}

fn arrows(names: &[&str]) -> String {
    names.iter().map(|name| format!("→ {name}")).collect::<Vec<_>>().join("\n")
}

fn version_of(problem: &Problem) -> Option<&str> {
    match problem {
        Problem::Changed { version, .. } | Problem::OtherSet { version, .. } => Some(version),
        Problem::Respelled { recorded, .. } => Some(recorded),
        _ => None,
    }
}

fn missing(problem: &Problem) -> Option<&str> {
    match problem {
        Problem::Missing { version, .. } | Problem::Ahead { version, .. } => Some(version),
        Problem::MissingRepeatable { file } => Some(file),
        _ => None,
    }
}

impl<'t> CommandContext<'t> {
    /// Applies the options of the command to a query.
    pub(crate) fn ask<'q, T>(&self, query: Query<'q, T>) -> Result<Query<'q, T>, Failure> {
        let mut query =
            self.schema()?.into_iter().fold(query, |query, schema| query.schema(schema));
        query.options.role.clone_from(&self.common.role);
        query.options.trusted.clone_from(&self.common.trust_owner);
        Ok(query)
    }
}
