//! `status`: every migration with its state, in one table.

use jetbase_core::{Problem, Record, SkipReason};
use jetbase_runtime::{LockStatus, Pending, Status};

use super::command_error::CommandError;
use super::command_output::CommandOutput;
use super::context::{CommandContext, FolderChecks, Intent, in_namespace};
use super::json::{CommandFields, list};
use super::printer::Printer;
use super::query::{applied_at, version_or_kind};
use super::sentence::{sentence, sentence_of};
use super::table::{CellStyle, StyledCell};

pub(crate) async fn status(mut context: CommandContext<'_>) -> Result<CommandOutput, CommandError> {
    let set = context.set(FolderChecks::Names)?;
    let database = context.database(Intent::Read)?;
    let mut query = in_namespace!(context, jetbase_runtime::status(&set, database));
    for validation in context.skipped()? {
        query = query.skip(validation);
    }
    let mut found = query.await?;
    found.applied.sort_by(|a, b| a.applied_at.cmp(&b.applied_at).then(a.order.cmp(&b.order)));
    let fields = CommandFields::Status {
        applied: list(&found.applied),
        pending: list(&found.pending),
        skipped: list(&found.skipped),
        problems: list(&found.problems),
        unfinished: list(&found.unfinished),
        lock: Box::new((&found.lock).into()),
    };
    let mut output = CommandOutput::new(screen(context.printer, &found), fields);
    for it in &found.skipped {
        output = output.note(format!("{}: {}", it.file, sentence(&it.reason.to_string())));
    }
    for it in &found.problems {
        output = output.note(format!("problem: {}", sentence_of(it)));
    }
    for it in &found.unfinished {
        output = output.note(format!("unfinished: {}", sentence(&it.to_string())));
    }
    Ok(output)
}

/// Formats the table, the summary and who is migrating.
fn screen(printer: Printer, found: &Status) -> String {
    let header = ["State", "Version", "Description", "File", "Applied at"];
    let applied = found.applied.iter().map(|record| applied_row(record, found));
    let pending = found.pending.iter().map(|pending| pending_row(pending, found));
    let rows: Vec<_> = applied.chain(skipped_rows(found)).chain(pending).collect();
    let summary = summary(found);
    if rows.is_empty() {
        return format!("There are no migrations.\n{summary}");
    }
    format!("{}\n\n{summary}", printer.table("Migrations", header, rows))
}

type StatusRow = [StyledCell; 5];

fn applied_row(record: &Record, found: &Status) -> StatusRow {
    let (style, state) = state_of(&record.file, found).unwrap_or((CellStyle::Good, "applied"));
    [
        style.cell(state),
        version_or_kind(record.version.as_ref(), record.kind).into(),
        record.description.clone().into(),
        record.file.clone().into(),
        applied_at(record).into(),
    ]
}

fn pending_row(pending: &Pending, found: &Status) -> StatusRow {
    let late = found
        .problems
        .iter()
        .any(|it| matches!(it, Problem::OutOfOrder { file, .. } if *file == pending.file));
    let unfinished = found.unfinished.iter().any(|it| it.file == pending.file);
    let state = match (late, unfinished) {
        (true, _) => CellStyle::Bad.cell("out of order"),
        (false, true) => CellStyle::Bad.cell("unfinished"),
        (false, false) => CellStyle::Warning.cell("pending"),
    };
    [
        state,
        version_or_kind(pending.version.as_ref(), pending.kind).into(),
        pending.description.clone().into(),
        pending.file.clone().into(),
        String::new().into(),
    ]
}

/// Returns the files that a run skips and that the history does not have.
fn skipped_rows(found: &Status) -> impl Iterator<Item = StatusRow> {
    let is_listed = |file: &str| {
        found.applied.iter().any(|it| it.file == file)
            || found.pending.iter().any(|it| it.file == file)
    };
    found.skipped.iter().filter(move |it| !is_listed(&it.file)).map(|it| {
        let (style, state) = state_of(&it.file, found).unwrap_or((CellStyle::Warning, "skipped"));
        let empty = || StyledCell::from(String::new());
        [style.cell(state), empty(), empty(), it.file.clone().into(), empty()]
    })
}

/// Returns the state of a file that a run would refuse or skip.
fn state_of(file: &str, found: &Status) -> Option<(CellStyle, &'static str)> {
    let problem = found.problems.iter().find_map(|it| match it {
        Problem::Changed { file: it, .. } | Problem::OtherSet { file: it, .. } if it == file => {
            Some("changed")
        }
        Problem::Respelled { file: it, .. } if it == file => Some("renamed"),
        Problem::Renamed { recorded, file: it, .. } if it == file || recorded == file => {
            Some("renamed")
        }
        Problem::Missing { file: it, .. } | Problem::MissingRepeatable { file: it }
            if it == file =>
        {
            Some("missing")
        }
        Problem::Ahead { file: it, .. } if it == file => Some("ahead"),
        Problem::OutOfOrder { file: it, .. } if it == file => Some("out of order"),
        _ => None,
    });
    if let Some(problem) = problem {
        return Some((CellStyle::Bad, problem));
    }
    let skipped = found.skipped.iter().find(|it| it.file == file)?;
    Some((
        CellStyle::Warning,
        match skipped.reason {
            SkipReason::Ahead => "ahead",
            SkipReason::Missing => "missing",
            SkipReason::OutOfOrder => "out of order",
            SkipReason::Changed => "changed",
            SkipReason::Superseded => "superseded",
            SkipReason::NotRepeated => "not repeated",
        },
    ))
}

/// Returns the lines below the table.
fn summary(found: &Status) -> String {
    let mut counts = vec![
        format!("{} applied", found.applied.len()),
        format!("{} pending", found.pending.len()),
    ];
    match found.problems.len() {
        0 => {}
        1 => counts.push("1 problem".to_owned()),
        count => counts.push(format!("{count} problems")),
    }
    let latest = found.applied.iter().filter_map(|it| it.version.as_ref()).max();
    let latest = match latest {
        Some(version) => format!("the latest applied version is {version}"),
        None => "no version is applied".to_owned(),
    };
    let LockStatus { locked, holder, locked_at, alive, .. } = &found.lock;
    let now = match (locked, holder) {
        (true, Some(holder)) => {
            let since = locked_at.as_deref().map_or_else(String::new, |at| format!(", since {at}"));
            let dead = if *alive == Some(false) {
                "; it is dead, and the next run takes over"
            } else {
                ""
            };
            format!("Migrating now: {holder}{since}{dead}.")
        }
        _ => "Nobody is migrating now.".to_owned(),
    };
    format!("{}; {latest}.\n{now}", counts.join(", "))
}
