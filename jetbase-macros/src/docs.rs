//! The documentation of a generated module.

use std::fmt::Write;

use jetbase_core::{MigrationKind, SourceFile};

/// Returns a Markdown table of version, description, short checksum and file.
pub(crate) fn table(folder: &str, files: &[SourceFile]) -> String {
    let mut text =
        format!("The migrations of `{folder}`, embedded when the program was compiled.\n");
    if files.is_empty() {
        return text;
    }
    text.push_str("\n| version | description | checksum | file |\n|---|---|---|---|\n");
    for file in files {
        let version = match (&file.name.version, file.name.kind) {
            (Some(version), _) => version.as_str(),
            (None, MigrationKind::RunsAlways) => "each run",
            (None, _) => "on change",
        };
        let [a, b, c, d, ..] = file.checksum.as_bytes();
        let description = plain(&file.name.description);
        let path = plain(&file.path);
        // Writing to a String cannot fail.
        let _ =
            writeln!(text, "| {version} | {description} | {a:02x}{b:02x}{c:02x}{d:02x} | {path} |");
    }
    text
}

/// Escapes a text so that Markdown does not interpret it.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&' | '$')
        {
            plain.push('\\');
        }
        plain.push(if c.is_control() { ' ' } else { c });
    }
    plain
}
