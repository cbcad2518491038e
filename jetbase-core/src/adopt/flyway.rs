//! The folder of Flyway: versioned, undo and repeatable scripts.

use std::collections::BTreeMap;

use super::checksum::crc32_of_lines;
use super::old_folder::{Listing, OldFile, OldMigration};
use crate::check::Finding;
use crate::file::{OldTool, Version};

/// The scripts that Flyway reads, also in sub-folders: `V<version>__<name>.sql` with its
/// `U<version>__<name>.sql`, and `R__<name>.sql`. Each can have a `.conf` file.
pub(super) fn flyway(files: &[OldFile]) -> Listing<'_> {
    let mut listing = Listing::default();
    let mut versions: Vec<(Version, &OldFile)> = Vec::new();
    let mut undos: BTreeMap<Version, &OldFile> = BTreeMap::new();
    let mut repeatables = Vec::new();
    for file in files {
        let name = file.name();
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let (front, rest) = stem.split_once("__").unwrap_or((stem, ""));
        let (prefix, version) = front.split_at_checked(1).unwrap_or((front, ""));
        let version = Version::parse(version).ok().filter(|_| !rest.is_empty());
        match (ending, prefix, version) {
            ("conf", ..) => {}
            ("sql", "V", Some(version)) => versions.push((version, file)),
            ("sql", "U", Some(version)) => {
                undos.insert(version, file);
            }
            ("sql", "R", None) if front == "R" && !rest.is_empty() => repeatables.push(file),
            ("sql", "B", Some(version)) => listing.todo(
                &file.path,
                "this is a baseline script, which jetbase does not have",
                format!(
                    "a new database runs the versions up to {version} instead; if they are gone, write this script as \
                     the first version"
                ),
            ),
            ("java" | "kt" | "class" | "py" | "sh" | "ps1" | "bat", "V" | "R" | "U" | "B", _)
                if !rest.is_empty() =>
            {
                listing.todo(
                    &file.path,
                    "this migration is a program, so it is not converted",
                    "write the SQL that it sends into a file of the new folder, and add the line \
                     `<version><tab>-<tab><file>` to the map",
                );
            }
            ("sql", ..) if is_callback(front) => listing.todo(
                &file.path,
                "this is a callback, which jetbase does not have",
                "write its statements into the migrations, or let the program send them",
            ),
            _ => listing.ignored(&file.path, OldTool::Flyway),
        }
    }
    versions.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (version, up) in versions {
        let down = undos.remove(&version);
        placeholders(&mut listing, up);
        listing.migrations.push(OldMigration {
            key: version.to_string(),
            file: up.path.clone(),
            up,
            down,
            autocommit: !runs_in_transaction(files, up),
            checksums: vec![crc32_of_lines(up.text())],
        });
        if let Some(down) = down {
            placeholders(&mut listing, down);
        }
    }
    for up in repeatables {
        // The checksum of a repeatable script covers the values of its placeholders.
        let has_placeholder = placeholders(&mut listing, up);
        let checksums = if has_placeholder { Vec::new() } else { vec![crc32_of_lines(up.text())] };
        let name = up.name().strip_prefix("R__").unwrap_or_default();
        listing.migrations.push(OldMigration {
            key: up.path.clone(),
            file: format!("{}ROC__{name}", up.parent()),
            up,
            down: None,
            autocommit: !runs_in_transaction(files, up),
            checksums,
        });
    }
    for file in undos.into_values() {
        listing.todo(
            &file.path,
            "this undo script has no versioned script",
            "write the versioned script beside it, or delete it, and convert again",
        );
    }
    listing
}

/// Lists the placeholders of a script, and returns whether there is one.
fn placeholders(listing: &mut Listing<'_>, file: &OldFile) -> bool {
    let text = file.text();
    let mut found = Vec::<&str>::new();
    for (at, _) in text.match_indices("${") {
        let rest = text.get(at + 2..).unwrap_or_default();
        let Some((name, _)) = rest.split_once('}') else { continue };
        let is_name = !name.is_empty()
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '.'));
        if !is_name || found.contains(&name) {
            continue;
        }
        found.push(name);
        let what = format!("`${{{name}}}` is a placeholder, which jetbase does not replace");
        let finding = Finding::error("adopt", &file.path, what).at(text, at, name.len() + 3);
        listing.findings.push(finding.help("write its value into the converted file"));
    }
    !found.is_empty()
}

/// Reads `executeInTransaction` from the `.conf` file of a script.
fn runs_in_transaction(files: &[OldFile], script: &OldFile) -> bool {
    let path = format!("{}.conf", script.path);
    let settings = files.iter().find(|file| file.path == path).map_or("", OldFile::text);
    !settings.lines().any(|line| {
        let pair = line.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
        pair.is_some_and(|(key, value)| {
            key == "executeInTransaction" && value.eq_ignore_ascii_case("false")
        })
    })
}

/// Whether a script is one that Flyway runs at an event.
fn is_callback(name: &str) -> bool {
    let rest = ["before", "after"].iter().find_map(|word| name.strip_prefix(word));
    name == "createSchema" || rest.is_some_and(|rest| rest.starts_with(char::is_uppercase))
}
