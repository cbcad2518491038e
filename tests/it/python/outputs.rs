//! Reads the outputs of both tools in one form.

use std::collections::BTreeSet;

use jetbase_test_harness::ToolOutput;

/// The lines of the Python tool: first the progress on standard error, then the result.
pub(super) fn lines_of(output: &ToolOutput) -> Vec<&str> {
    let lines = output.stderr.lines().chain(output.stdout.lines());
    lines.map(str::trim_end).filter(|line| !line.is_empty()).collect()
}

/// The tools write progress and results to different streams, so only the lines count.
pub(super) fn sorted<'l>(lines: &[&'l str]) -> Vec<&'l str> {
    let mut lines = lines.to_vec();
    lines.sort_unstable();
    lines
}

/// The words of a text, because the Python tool breaks long lines.
pub(super) fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The rows of the Python tool's tables: version, description, and the order of the history. Each
/// row of `status` begins with whether it is applied.
pub(super) fn their_rows(text: &str) -> BTreeSet<Vec<String>> {
    let mut rows = BTreeSet::new();
    let mut state = None;
    for line in text.lines() {
        if line.contains("Migrations Applied") {
            state = Some("applied");
        } else if line.contains("Migrations Pending") {
            state = Some("pending");
        }
        // The header has other lines.
        if let Some(inner) = line.trim().strip_prefix('│') {
            let cells = inner.split('│').map(|cell| cell.trim().to_owned());
            let cells: Vec<_> = cells.filter(|cell| !cell.is_empty()).collect();
            let is_history = state.is_none();
            let kept = if is_history { cells.into_iter().take(3).collect() } else { cells };
            rows.insert(state.iter().map(|it| (*it).to_owned()).chain(kept).collect());
        }
    }
    rows
}

/// The rows of this tool's table, in the same form.
pub(super) fn our_rows(command: &str, text: &str) -> BTreeSet<Vec<String>> {
    let table = text.split("\n\n").next().unwrap_or_default();
    let rows = table.lines().skip(2).map(|line| {
        let cells = line.split("  ").map(|cell| cell.trim().to_owned());
        let cells = cells.filter(|cell| !cell.is_empty());
        cells.take(3).collect::<Vec<_>>()
    });
    debug_assert!(matches!(command, "status" | "history"));
    rows.filter(|row| !row.is_empty()).collect()
}
