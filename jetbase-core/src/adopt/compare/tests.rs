use super::*;

const FILES: [&str; 3] = ["V1__a.sql", "V2__b.sql", "V3__c.sql"];

fn map(tool: OldTool) -> AdoptMap {
    let entries = FILES.iter().zip(["1", "2", "3"]).map(|(file, key)| MapEntry {
        key: key.to_owned(),
        checksums: vec![format!("sum{key}")],
        file: (*file).to_owned(),
    });
    AdoptMap { tool, entries: entries.collect() }
}

fn row(key: &str) -> OldRow {
    OldRow {
        key: key.to_owned(),
        checksum: format!("sum{key}"),
        success: true,
        kind: String::new(),
    }
}

fn names(applied: Vec<AdoptedEntry<'_>>) -> Vec<&str> {
    applied.into_iter().map(|it| it.entry.file.as_str()).collect()
}

#[test]
fn rows_that_agree_are_adopted_in_order() {
    let map = map(OldTool::Sqlx);
    let rows = [row("2"), row("1")];
    let applied = compare_history(&map, &rows, &FILES).unwrap();
    assert_eq!(names(applied), ["V1__a.sql", "V2__b.sql"]);
    assert_eq!(compare_history(&map, &[], &FILES), Ok(Vec::new()));
}

#[test]
fn every_difference_is_listed_with_its_cure() {
    let map = map(OldTool::Sqlx);
    let edited = OldRow { checksum: "other".to_owned(), ..row("1") };
    let dirty = OldRow { success: false, ..row("4") };
    let rows = [edited, row("3"), dirty, row("9")];
    let error = compare_history(&map, &rows, &["V1__a.sql", "V2__b.sql"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the history of sqlx cannot be adopted, and nothing was written:\n  \
         V3__c.sql: the map has this file, and the folder does not: the folder is only half converted; run `jetbase adopt \
         sqlx --write` again\n  \
         sqlx has not finished the migration 4: look which of its statements have taken effect, complete or undo them, and \
         then run UPDATE _sqlx_migrations SET success = true WHERE version = 4, or delete the row\n  \
         1: the old file of V1__a.sql was edited after it was applied, or the map belongs to another text: restore the old \
         file from version control, and convert it again\n  \
         9: _sqlx_migrations has this migration, and the map has no line for it: the database is ahead of this folder, or \
         the migration is left to do by hand; convert the folder again with its file\n  \
         V2__b.sql: _sqlx_migrations does not have it, although version 3 is applied: let sqlx apply it first, because \
         jetbase runs no version below an applied one"
    );
}

#[test]
fn the_kinds_of_flyway_are_understood() {
    let map = map(OldTool::Flyway);
    let kind = |key: &str, kind: &str| OldRow { kind: kind.to_owned(), ..row(key) };
    let baseline = [kind("", "SCHEMA"), kind("2", "BASELINE")];
    assert_eq!(
        names(compare_history(&map, &baseline, &FILES).unwrap()),
        ["V1__a.sql", "V2__b.sql"]
    );
    let undone = [kind("1", "SQL"), kind("2", "SQL"), kind("2.0", "UNDO_SQL")];
    assert_eq!(names(compare_history(&map, &undone, &FILES).unwrap()), ["V1__a.sql"]);
    let code = [kind("1", "SQL"), kind("2", "JDBC")];
    let error = compare_history(&map, &code, &FILES).unwrap_err();
    assert_eq!(
        error.problems,
        [AdoptProblem::Kind { key: "2".to_owned(), kind: "JDBC".to_owned() }]
    );
    assert!(error.to_string().ends_with(
        "2: flyway_schema_history has a row of the type JDBC, which jetbase cannot compare: write the SQL of that \
         migration into a file of the new folder, and add the line `2<tab>-<tab><file>` to the map"
    ));
    let mut by_hand = map.clone();
    by_hand.entries[1].checksums.clear();
    assert_eq!(
        names(compare_history(&by_hand, &code, &FILES).unwrap()),
        ["V1__a.sql", "V2__b.sql"]
    );
}

#[test]
fn a_repeatable_script_with_another_text_runs_again() {
    let entry = |checksums: &[&str]| MapEntry {
        key: "R__v.sql".to_owned(),
        checksums: checksums.iter().map(|it| (*it).to_owned()).collect(),
        file: "ROC__v.sql".to_owned(),
    };
    let row = OldRow { checksum: "5".to_owned(), ..row("R__v.sql") };
    for (checksums, count) in [(&["5"][..], 1), (&["6"], 0), (&[], 0)] {
        let map = AdoptMap { tool: OldTool::Flyway, entries: vec![entry(checksums)] };
        let rows = [row.clone()];
        assert_eq!(compare_history(&map, &rows, &["ROC__v.sql"]).unwrap().len(), count);
    }
}

#[test]
fn the_lines_of_a_person_are_kept() {
    let all = map(OldTool::Flyway);
    let mut converted = all.clone();
    converted.entries.remove(1);
    converted.keep(&all);
    assert_eq!(converted, all);
}
