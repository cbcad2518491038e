//! The folder of Diesel: one sub-folder for each migration.

use std::collections::BTreeMap;

use super::old_folder::{Listing, OldFile, OldMigration, described};
use crate::file::OldTool;

/// The sub-folders that Diesel reads: `<version>_<name>` with `up.sql`, and perhaps `down.sql` and
/// `metadata.toml`.
pub(super) fn diesel(files: &[OldFile]) -> Listing<'_> {
    let mut listing = Listing::default();
    let mut folders: BTreeMap<&str, Vec<&OldFile>> = BTreeMap::new();
    for file in files {
        match file.path.split_once('/') {
            Some((folder, _)) => folders.entry(folder).or_default().push(file),
            None => listing.ignored(&file.path, OldTool::Diesel),
        }
    }
    let mut found = Vec::new();
    for (folder, files) in folders {
        let named = |name: &str| {
            files.iter().copied().find(|file| {
                file.path.strip_prefix(folder).and_then(|it| it.strip_prefix('/')) == Some(name)
            })
        };
        let known = ["up.sql", "down.sql", "metadata.toml"].map(named);
        for file in &files {
            if !known.iter().flatten().any(|it| it.path == file.path) {
                listing.ignored(&file.path, OldTool::Diesel);
            }
        }
        let [up, down, metadata] = known;
        let (front, name) = folder.split_once('_').unwrap_or((folder, ""));
        let version = front.replace('-', "");
        let Some(up) = up else {
            listing.todo(
                folder,
                "this folder has no `up.sql`",
                "write it, or move the folder away, and convert again",
            );
            continue;
        };
        if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) {
            listing.todo(
                &up.path,
                format!("`{version}` is no version that jetbase can keep: it has other characters than digits"),
                "rename the folder to `<date>_<name>`, and correct the row of Diesel",
            );
            continue;
        }
        found.push(OldMigration {
            file: format!("V{version}__{}.sql", described(name)),
            key: version,
            up,
            down,
            autocommit: metadata.is_some_and(|file| !runs_in_transaction(file.text())),
            checksums: Vec::new(),
        });
    }
    // Diesel compares versions as texts.
    found.sort_by(|a, b| a.key.cmp(&b.key));
    listing.migrations = found;
    listing
}

/// Reads `metadata.toml` as Diesel does: without the key, the answer is no.
fn runs_in_transaction(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let pair = line.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
        pair == Some(("run_in_transaction", "true"))
    })
}
