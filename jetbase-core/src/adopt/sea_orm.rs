//! The folder of SeaORM, with the statements in SQL files.

use std::collections::BTreeMap;

use super::old_folder::{Listing, OldFile, OldMigration, described};
use crate::file::OldTool;
use crate::file::is_sea_orm_date;

/// The files of one migration.
#[derive(Default)]
struct SeaOrmFiles<'f> {
    up: Option<&'f OldFile>,
    down: Option<&'f OldFile>,
    code: Option<&'f OldFile>,
}

/// The layouts that are read: `m20220101_000001_name.sql`, `….up.sql` with `….down.sql`, and a folder
/// `m20220101_000001_name` with `up.sql` and `down.sql`. The name of the Rust module is the version.
pub(super) fn sea_orm(files: &[OldFile]) -> Listing<'_> {
    let mut listing = Listing::default();
    let mut found: BTreeMap<&str, SeaOrmFiles<'_>> = BTreeMap::new();
    for file in files {
        let name = file.name();
        let folder = file.parent().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let (stem, is_down) = match name {
            "up.sql" => (folder, false),
            "down.sql" => (folder, true),
            _ => match name.strip_suffix(".down.sql") {
                Some(stem) => (stem, true),
                None => {
                    let stem = name.strip_suffix(".up.sql").or_else(|| name.strip_suffix(".sql"));
                    (stem.or_else(|| name.strip_suffix(".rs")).unwrap_or_default(), false)
                }
            },
        };
        if version_and_name(stem).is_none() {
            listing.ignored(&file.path, OldTool::SeaOrm);
            continue;
        }
        let files = found.entry(stem).or_default();
        let place = match (name.ends_with(".rs"), is_down) {
            (true, _) => &mut files.code,
            (false, true) => &mut files.down,
            (false, false) => &mut files.up,
        };
        if place.replace(file).is_some() {
            let what = format!("the migration {stem} has two files like this");
            listing.todo(&file.path, what, "keep one of them, and convert again");
        }
    }
    for (stem, SeaOrmFiles { up, down, code }) in found {
        let Some((version, name)) = version_and_name(stem) else { continue };
        match (up, down, code) {
            (Some(up), down, _) => listing.migrations.push(OldMigration {
                key: stem.to_owned(),
                file: format!("V{version}__{}.sql", described(name)),
                up,
                down,
                autocommit: false,
                checksums: Vec::new(),
            }),
            (None, Some(file), _) => listing.todo(
                &file.path,
                "this down script has no up script",
                "write the up script beside it, or delete it, and convert again",
            ),
            (None, None, Some(file)) => listing.todo(
                &file.path,
                "this migration is Rust code without an SQL file, so it is not converted",
                format!(
                    "write the statements that it sends into `{stem}.up.sql` and `{stem}.down.sql`, and convert again"
                ),
            ),
            (None, None, None) => {}
        }
    }
    listing
}

/// Splits `m20220101_000001_name` into its version and its name.
fn version_and_name(stem: &str) -> Option<(String, &str)> {
    let (date, rest) = stem.split_once('_')?;
    let (time, name) = rest.split_once('_').unwrap_or((rest, ""));
    let is_number = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    (is_sea_orm_date(date) && is_number)
        .then(|| (format!("{}_{time}", date.trim_start_matches('m')), name))
}
