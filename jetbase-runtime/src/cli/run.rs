//! `upgrade` and `rollback`.

use jetbase_core::{Ahead, Repeat, Validation, Version};

use super::answer::{Answer, Object, sentence};
use super::failure::{Failure, millis};
use super::interrupt;
use super::options::{Rollback, Upgrade};
use super::output::Output;
use super::place::{Depth, Intent, Origin, Place};
use super::record::{action, skipped};
use crate::event::Event;
use crate::report::{Applied, Planned, Report};

pub(crate) async fn upgrade(mut place: Place<'_>, wanted: Upgrade) -> Result<Answer, Failure> {
    only_one(&wanted.count, &wanted.to_version, "upgrade", "run all pending migrations")?;
    let set = place.set(Depth::List)?;
    let wait = place.wait(&wanted.locking.patience)?;
    let direct = place.direct_url(&wanted.locking)?;
    let intent = if wanted.dry_run { Intent::Ask } else { Intent::Write };
    let (schema, database) = (place.schema()?, place.database(intent)?);
    let mut run = crate::run::run(&set, database).wait(wait).repeat(Repeat::Always);
    run = run.published(Place::published(&wanted.locking));
    if matches!(place.origin, Origin::Folder(_)) {
        run = run.ahead(Ahead::Refuse);
    }
    for validation in wanted.skipped().into_iter().chain(place.skipped()?) {
        run = run.skip(validation);
    }
    run = schema.into_iter().fold(run, |run, schema| run.schema(schema));
    run = place.common.role.iter().fold(run, |run, role| run.role(role));
    run = direct.into_iter().fold(run, |run, url| run.direct_url(url));
    run = wanted.count.into_iter().fold(run, |run, count| run.count(count));
    run = wanted.to_version.into_iter().fold(run, |run, version| run.to_version(version));
    if wanted.dry_run {
        let report = run.dry_run().await.map_err(|error| place.failed(&error))?;
        return Ok(preview(&report, ""));
    }
    let output = place.output;
    let run = run.on_event(teller(output, &UPGRADE));
    let cancel = run.cancel();
    let report = interrupt::watch(run.into_future(), cancel, output).await;
    finished(&place, report, &UPGRADE)
}

pub(crate) async fn rollback(mut place: Place<'_>, wanted: Rollback) -> Result<Answer, Failure> {
    only_one(&wanted.count, &wanted.to_version, "rollback", "rollback the last migration")?;
    let set = place.set(Depth::List)?;
    let wait = place.wait(&wanted.locking.patience)?;
    let direct = place.direct_url(&wanted.locking)?;
    let intent = if wanted.dry_run { Intent::Ask } else { Intent::Write };
    let (schema, database) = (place.schema()?, place.database(intent)?);
    let mut run = crate::run::rollback(&set, database).wait(wait);
    run = run.published(Place::published(&wanted.locking));
    run = schema.into_iter().fold(run, |run, schema| run.schema(schema));
    run = place.common.role.iter().fold(run, |run, role| run.role(role));
    run = direct.into_iter().fold(run, |run, url| run.direct_url(url));
    run = wanted.count.into_iter().fold(run, |run, count| run.count(count));
    run = wanted.to_version.into_iter().fold(run, |run, version| run.to_version(version));
    if wanted.dry_run {
        let report = run.dry_run().await.map_err(|error| place.failed(&error))?;
        return Ok(preview(&report, ROLLBACK.nothing));
    }
    let output = place.output;
    let run = run.on_event(teller(output, &ROLLBACK));
    let cancel = run.cancel();
    let report = interrupt::watch(run.into_future(), cancel, output).await;
    finished(&place, report, &ROLLBACK)
}

/// The Python tool's words for one direction.
struct Words {
    start: &'static str,
    one: &'static str,
    end: &'static str,
    nothing: &'static str,
}

const UPGRADE: Words = Words {
    start: "Starting migrations...",
    one: "Migration applied successfully:",
    end: "Migrations completed successfully.",
    nothing: "Migrations are up to date.",
};

const ROLLBACK: Words = Words {
    start: "Starting rollback...",
    one: "Rollback applied successfully:",
    end: "Rollbacks completed successfully.",
    nothing: "Nothing to rollback.",
};

fn only_one(
    count: &Option<usize>,
    version: &Option<Version>,
    command: &str,
    default: &str,
) -> Result<(), Failure> {
    match (count, version) {
        (Some(_), Some(_)) => Err(Failure::usage(format!(
            "Cannot specify both 'count' and 'to_version' for {command}. \
             Select only one, or do not specify either to {default}."
        ))),
        _ => Ok(()),
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

/// Progress, as the Python tool words it, and what only we have to say.
fn teller(output: Output, words: &'static Words) -> impl FnMut(&Event) + Send + 'static {
    let mut spinner = None;
    move |event| {
        // The line of the last event goes before the next is told.
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
        // The error says it.
        Event::LockLost | Event::Started { .. } | Event::Released => {}
    }
}

fn finished(
    place: &Place<'_>,
    result: Result<Report, interrupt::Stopped>,
    words: &Words,
) -> Result<Answer, Failure> {
    let report = match result {
        Ok(report) => report,
        Err(interrupt::Stopped::Failed(error)) => {
            let partial = fields(error.report());
            return Err(place.failed(&error).partial(partial));
        }
        Err(interrupt::Stopped::Interrupted(report)) => {
            let done = report.applied.len();
            let text = format!("Interrupted: {done} done, and kept; the lock is free again.");
            return Err(Failure::interrupted(text).partial(fields(&report)));
        }
    };
    for it in &report.skipped {
        place.output.warning(&format!("{}: {}", it.file, sentence(&it.reason.to_string())));
    }
    place.output.progress(if report.is_up_to_date() { words.nothing } else { words.end });
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
        .field("version", applied.version.clone())
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

/// A dry run, in the Python tool's layout.
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
