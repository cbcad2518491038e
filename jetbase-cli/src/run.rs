//! `upgrade` and `rollback`.

use jetbase_core::{Ahead, Goal, Repeat, Until, Validation};

use super::answer::{Answer, Object, sentence};
use super::context::{CommandContext, Depth, Intent, Origin};
use super::failure::{Failure, millis};
use super::interrupt;
use super::options::{Reach, Rollback, Upgrade};
use super::output::Output;
use super::record::{action, skipped};
use jetbase_runtime::Event;
use jetbase_runtime::internal::Listener;
use jetbase_runtime::internal::{DryRun, Request, start};
use jetbase_runtime::{Applied, Planned, Report};

pub(crate) async fn upgrade(
    context: CommandContext<'_>,
    wanted: Upgrade,
) -> Result<Answer, Failure> {
    let until = wanted.reach.until("upgrade", "run all pending migrations")?;
    let set = context.set(Depth::SumFile)?;
    let mut request = Request::new(&set, Goal::Upgrade(until.unwrap_or(Until::End)));
    request.policy.repeat = Repeat::Always;
    if matches!(context.origin, Origin::Folder(_)) {
        request.policy.ahead = Ahead::Refuse;
    }
    request.policy.skip.extend(wanted.skipped());
    request.policy.skip.extend(context.skipped()?);
    carry_out(context, request, &wanted.reach, &UPGRADE).await
}

pub(crate) async fn rollback(
    context: CommandContext<'_>,
    wanted: Rollback,
) -> Result<Answer, Failure> {
    let until = wanted.reach.until("rollback", "rollback the last migration")?;
    let set = context.set(Depth::SumFile)?;
    let request = Request::new(&set, Goal::Rollback(until.unwrap_or(Until::Count(1))));
    carry_out(context, request, &wanted.reach, &ROLLBACK).await
}

/// Executes both commands.
async fn carry_out(
    mut context: CommandContext<'_>,
    mut request: Request,
    wanted: &Reach,
    words: &'static Words,
) -> Result<Answer, Failure> {
    request.wait = Ok(context.wait(&wanted.locking.patience)?);
    request.direct = context.direct_url(&wanted.locking)?;
    request.published = CommandContext::published(&wanted.locking);
    request.options.schema = context.schema()?.or(request.options.schema);
    request.options.role = context.common.role.clone();
    request.options.trusted.clone_from(&context.common.trust_owner);
    if wanted.dry_run {
        request.dry_run = DryRun::Yes;
        let report = start(context.database(Intent::Ask)?, request).await;
        return Ok(preview(&report.map_err(|error| context.failed(&error))?, words.preview));
    }
    let output = context.output;
    request.listener = Listener::new(teller(output, words), &request.cancel);
    let cancel = request.cancel.clone();
    let run = start(context.database(Intent::Write)?, request);
    finished(&context, interrupt::watch(run, cancel, output).await, words)
}

/// The Python tool's texts for one command.
struct Words {
    start: &'static str,
    one: &'static str,
    end: &'static str,
    nothing: &'static str,
    /// The text of a dry run with nothing to do.
    preview: &'static str,
}

const UPGRADE: Words = Words {
    start: "Starting migrations...",
    one: "Migration applied successfully:",
    end: "Migrations completed successfully.",
    nothing: "Migrations are up to date.",
    preview: "",
};

const ROLLBACK: Words = Words {
    start: "Starting rollback...",
    one: "Rollback applied successfully:",
    end: "Rollbacks completed successfully.",
    nothing: "Nothing to rollback.",
    preview: "Nothing to rollback.",
};

impl Reach {
    /// Returns how far to go; `None` if no option says so.
    fn until(&self, command: &str, default: &str) -> Result<Option<Until>, Failure> {
        match (&self.count, &self.to_version) {
            (Some(_), Some(_)) => Err(Failure::usage(format!(
                "Cannot specify both 'count' and 'to_version' for {command}. \
                 Select only one, or do not specify either to {default}."
            ))),
            (Some(count), None) => Ok(Some(Until::Count(*count))),
            (None, version) => Ok(version.clone().map(Until::Version)),
        }
    }
}

impl Upgrade {
    fn skipped(&self) -> Vec<Validation> {
        let switches = [
            (self.skip_validation, Validation::All),
            (self.skip_checksum_validation, Validation::Checksums),
            (self.skip_file_validation, Validation::Files),
        ];
        switches.into_iter().filter(|(on, _)| *on).map(|(_, validation)| validation).collect()
    }
}

/// Returns a listener that prints progress in the Python tool's texts, and what only jetbase for
/// Rust reports.
fn teller(output: Output, words: &'static Words) -> impl FnMut(&Event) + Send + 'static {
    let mut spinner = None;
    move |event| {
        // The spinner of the last event ends before the next event is printed.
        drop(spinner.take());
        tell(output, event, words);
        if let Event::Started { .. } | Event::Retrying { .. } = event {
            spinner = output.spinner(sentence(&event.to_string()).trim_end_matches('.'));
        }
    }
}

fn tell(output: Output, event: &Event, words: &Words) {
    match event {
        Event::Acquired { .. } => output.progress(words.start),
        Event::Finished { file, .. } => output.progress(&format!("{} {file}", words.one)),
        Event::Waiting { .. }
        | Event::Unavailable { .. }
        | Event::Recovered { .. }
        | Event::Retrying { .. } => {
            output.progress(&sentence(&event.to_string()));
        }
        Event::Warning { message } => output.warning(&sentence(message)),
        _ => {}
    }
}

fn finished(
    context: &CommandContext<'_>,
    result: Result<Report, interrupt::Stopped>,
    words: &Words,
) -> Result<Answer, Failure> {
    let report = match result {
        Ok(report) => report,
        Err(interrupt::Stopped::Failed(error)) => {
            let partial = fields(error.report());
            return Err(context.failed(&error).partial(partial));
        }
        Err(interrupt::Stopped::Interrupted(report)) => {
            let done = report.applied.len();
            let text = format!("Interrupted: {done} done, and kept; the lock is free again.");
            return Err(Failure::interrupted(text).partial(fields(&report)));
        }
    };
    for it in &report.skipped {
        context.output.warning(&format!("{}: {}", it.file, sentence(&it.reason.to_string())));
    }
    context.output.progress(if report.is_up_to_date() { words.nothing } else { words.end });
    Ok(Answer::new("", fields(&report)))
}

fn fields(report: &Report) -> Object {
    Object::default()
        .list("applied", report.applied.iter().map(applied))
        .list("planned", report.planned.iter().map(planned))
        .list("skipped", report.skipped.iter().map(skipped))
        .field("warnings", report.warnings.clone())
        .field("waited_ms", millis(report.waited))
        .field("recovered", report.recovered.clone())
        .field("elapsed_ms", millis(report.elapsed))
}

fn applied(applied: &Applied) -> Object {
    Object::default()
        .field("file", applied.file.as_str())
        .field("version", applied.version.as_ref().map(ToString::to_string))
        .field("kind", applied.kind.as_str())
        .field("action", action(applied.action))
        .field("elapsed_ms", millis(applied.elapsed))
}

fn planned(planned: &Planned) -> Object {
    Object::default()
        .field("file", planned.file.as_str())
        .field("action", action(planned.action))
        .field("statements", planned.statements.clone())
}

const RULE: &str = "----------------------------------------";

/// Formats a dry run in the Python tool's layout.
fn preview(report: &Report, nothing: &str) -> Answer {
    if report.planned.is_empty() && !nothing.is_empty() {
        return Answer::new("", fields(report)).note(nothing);
    }
    let mut text = format!(
        "\nJETBASE - Dry Run Mode\n\
         No SQL will be executed. This is a preview of what would happen.\n{RULE}\n\n\n"
    );
    for it in &report.planned {
        let count = it.statements.len();
        let noun = if count == 1 { "statement" } else { "statements" };
        text.push_str(&format!("SQL Preview for {} ({count} {noun})\n\n", it.file));
        for statement in &it.statements {
            text.push_str(&format!("{statement}\n\n"));
        }
        text.push_str(&format!("{RULE}\n\n"));
    }
    Answer::new(text, fields(report))
}
