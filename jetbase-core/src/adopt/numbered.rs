//! The folders of sqlx and refinery: one file or two files for each number.

use std::collections::BTreeMap;

use super::checksum::{refinery, sha384};
use super::old_folder::{Listing, OldFile, OldMigration, described};
use crate::file::OldTool;

/// The files that sqlx reads: `<version>_<description>.sql`, or the two files `.up.sql` and
/// `.down.sql`.
pub(super) fn sqlx(files: &[OldFile]) -> Listing<'_> {
    let tool = OldTool::Sqlx;
    let mut listing = Listing::default();
    let mut ups: BTreeMap<i64, Vec<(&str, &str, &OldFile)>> = BTreeMap::new();
    let mut downs: BTreeMap<i64, Vec<&OldFile>> = BTreeMap::new();
    for file in files {
        let parts = file.name().split_once('_').filter(|(_, rest)| rest.ends_with(".sql"));
        let Some((digits, rest)) = parts.filter(|_| file.parent().is_empty()) else {
            listing.ignored(&file.path, tool);
            continue;
        };
        let version: i64 = match digits.parse() {
            Ok(version) if version >= 0 => version,
            _ => {
                listing.todo(
                    &file.path,
                    format!("`{digits}` is no version that jetbase can keep"),
                    "rename the file to `<number>_<description>.sql`, and correct the row of sqlx",
                );
                continue;
            }
        };
        if rest.ends_with(".down.sql") {
            downs.entry(version).or_default().push(file);
        } else {
            let suffix = if rest.ends_with(".up.sql") { ".up.sql" } else { ".sql" };
            let description = rest.strip_suffix(suffix).unwrap_or(rest);
            ups.entry(version).or_default().push((digits, description, file));
        }
    }
    for (version, found) in ups {
        let mut down = downs.remove(&version).unwrap_or_default();
        if down.len() > 1 {
            let what = format!("version {version} has several down scripts");
            down.iter().for_each(|it| {
                listing.todo(&it.path, what.clone(), "keep one of them, and convert again");
            });
            down.clear();
        }
        for (digits, description, up) in found {
            let digits = digits.strip_prefix('+').unwrap_or(digits);
            listing.migrations.push(OldMigration {
                key: version.to_string(),
                file: format!("V{digits}__{}.sql", described(description)),
                up,
                down: down.first().copied(),
                autocommit: up.text().starts_with("-- no-transaction"),
                checksums: vec![sha384(up.text())],
            });
        }
    }
    for down in downs.into_values().flatten() {
        listing.todo(
            &down.path,
            "this down script has no up script",
            "write the up script beside it, or delete it, and convert again",
        );
    }
    listing
}

/// The files that refinery reads: `V<version>__<name>.sql` and `U<version>__<name>.sql`, also in
/// sub-folders.
pub(super) fn refinery_folder(files: &[OldFile]) -> Listing<'_> {
    let tool = OldTool::Refinery;
    let mut listing = Listing::default();
    let mut found = Vec::new();
    let mut code = Vec::new();
    for file in files {
        let (stem, ending) = file.name().rsplit_once('.').unwrap_or((file.name(), ""));
        let Some((prefix, digits, name)) = refinery_name(stem).filter(|_| is_script(ending)) else {
            if file.name() != "mod.rs" {
                listing.ignored(&file.path, tool);
            }
            continue;
        };
        let Ok(version) = digits.parse::<i64>() else {
            listing.todo(
                &file.path,
                format!("refinery cannot read the version `{digits}`"),
                "give the file a whole number",
            );
            continue;
        };
        if ending == "rs" {
            code.push((version, file));
            continue;
        }
        if prefix == "U" {
            listing.note(
                &file.path,
                "refinery may run a `U` file after higher versions; jetbase runs it in the order of its version",
            );
        }
        found.push((version, digits, name, file));
    }
    for (version, file) in code {
        if found.iter().any(|(it, ..)| *it == version) {
            listing.note(&file.path, "an SQL file with its version takes its place");
        } else {
            listing.todo(
                &file.path,
                "this migration is Rust code, so it is not converted",
                "write the SQL that it returns, byte for byte, into a file with the same name and the \
                 ending `.sql`, and convert again: refinery's checksum covers that text",
            );
        }
    }
    found.sort_by_key(|(version, ..)| *version);
    listing.migrations = found
        .into_iter()
        .map(|(version, digits, name, up)| OldMigration {
            key: version.to_string(),
            file: format!("{}V{digits}__{name}.sql", up.parent()),
            up,
            down: None,
            autocommit: false,
            checksums: refinery(name, version, up.text()),
        })
        .collect();
    listing
}

fn is_script(ending: &str) -> bool {
    matches!(ending, "sql" | "rs")
}

/// The prefix, the digits and the name in `V1__initial`.
fn refinery_name(stem: &str) -> Option<(&str, &str, &str)> {
    let (front, name) = stem.split_once("__")?;
    let (prefix, digits) = front.split_at_checked(1)?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (matches!(prefix, "V" | "U") && is_number && !name.is_empty() && name.chars().all(is_word))
        .then_some((prefix, digits, name))
}
