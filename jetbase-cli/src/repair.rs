//! `fix`, `fix-checksums`, `fix-files`, and the validations with `--fix`.

use jetbase_core::Ahead;

use super::answer::{Answer, Code, Object, sentence};
use super::context::{CommandContext, Depth, Intent, Origin};
use super::failure::Failure;
use super::options::Patience;
use jetbase_runtime::Event;
use jetbase_runtime::internal::Cancel;
use jetbase_runtime::internal::Listener;
use jetbase_runtime::internal::NamespaceOptions;
use jetbase_runtime::internal::{Repair, RepairRequest, RepairScope, repair};

pub(crate) async fn fix(
    mut context: CommandContext<'_>,
    scopes: &[RepairScope],
    patience: &Patience,
) -> Result<Answer, Failure> {
    let set = context.set(Depth::Names)?;
    if set.is_empty() && scopes.contains(&RepairScope::Files) {
        let text = "There is no migration here: the whole history would be forgotten. Name the right folder.";
        return Err(Failure::new("folder", text, Code::Failed));
    }
    let output = context.output;
    let emit = move |event: &Event| match event {
        Event::Waiting { .. } | Event::Recovered { .. } => {
            output.progress(&sentence(&event.to_string()));
        }
        Event::Warning { message } => output.warning(&sentence(message)),
        _ => {}
    };
    let listener = Listener::new(emit, &Cancel::default());
    let mut request = RepairRequest {
        set,
        options: NamespaceOptions {
            schema: context.schema()?,
            role: context.common.role.clone(),
            trusted: context.common.trust_owner.clone(),
        },
        wait: context.wait(patience)?,
        scopes: scopes.to_vec(),
        // A program must not delete the rows of migrations that are newer than itself.
        ahead: match context.origin {
            Origin::Folder(_) => Ahead::Refuse,
            Origin::Embedded(_) => Ahead::Allow,
        },
        listener,
    };
    let database = context.database(Intent::Ask)?;
    let repairs = repair(&mut request, database).await?;
    let mut lines = Vec::new();
    if scopes.contains(&RepairScope::Files) {
        lines.extend(of_files(&repairs));
    }
    if scopes.contains(&RepairScope::Checksums) {
        lines.extend(of_checksums(&repairs));
    }
    if scopes.len() > 1 {
        lines.push("Fix completed successfully.".to_owned());
    }
    let fields = Object::default().list("repaired", repairs.iter().map(object));
    Ok(Answer::new(lines.join("\n"), fields))
}

fn of_files(repairs: &[Repair]) -> Vec<String> {
    let versions: Vec<_> = repairs
        .iter()
        .filter_map(|it| match it {
            Repair::Version { version, .. } => Some(format!("→ {version}")),
            _ => None,
        })
        .collect();
    let repeatables: Vec<_> = repairs
        .iter()
        .filter_map(|it| match it {
            Repair::Repeatable { file, .. } => Some(format!("→ {file}")),
            _ => None,
        })
        .collect();
    let mut lines = Vec::new();
    if !versions.is_empty() {
        let list = versions.join("\n");
        lines.push(format!("Stopped tracking the following missing versions:\n{list}"));
    }
    if !repeatables.is_empty() {
        let list = repeatables.join("\n");
        lines.push(format!(
            "Removed the following missing repeatable migrations from the database:\n{list}"
        ));
    }
    if lines.is_empty() {
        lines.push("No missing migration files.".to_owned());
    }
    lines
}

fn of_checksums(repairs: &[Repair]) -> Vec<String> {
    let repaired = repairs.iter().filter_map(|it| match it {
        Repair::Checksum { version, .. } => {
            Some(format!("Repaired checksum for version: {version}"))
        }
        _ => None,
    });
    let mut lines: Vec<_> = repaired.collect();
    lines.push(
        match lines.is_empty() {
            true => "All migration checksums are valid - no altered upgrade statements detected.",
            false => "Successfully repaired checksums",
        }
        .to_owned(),
    );
    lines
}

fn object(repair: &Repair) -> Object {
    let object = Object::default();
    match repair {
        Repair::Checksum { version, file, from, to } => object
            .field("kind", "checksum")
            .field("version", version.as_str())
            .field("file", file.as_str())
            .field("from", from.as_str())
            .field("to", to.as_str()),
        Repair::Version { version, file } => object
            .field("kind", "forgotten")
            .field("version", version.as_str())
            .field("file", file.as_str()),
        Repair::Repeatable { file, .. } => object
            .field("kind", "forgotten")
            .field("version", serde_json::Value::Null)
            .field("file", file.as_str()),
    }
}
