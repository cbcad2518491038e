//! What is said about a file that has changed, or that has another name.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use jetbase_core::{
    Ahead, Folder, Goal, MigrationKind, Migrations, Name, Options, OutOfOrder, Policy, Record,
    Script, SourceFile, SumFile, Until, plan,
};

fn file(path: &str, text: &str) -> SourceFile {
    let (name, checksum) = (Name::parse(path).unwrap(), Script::read(text).checksum());
    SourceFile {
        path: path.to_owned(),
        name,
        text: text.to_owned(),
        checksum,
        recorded: false,
        change: None,
    }
}

fn folder(files: &[(&str, &str)]) -> Folder {
    let files = files.iter().map(|(path, text)| file(path, text)).collect();
    Folder { files, ..Folder::default() }
}

fn list(files: &[(&str, &str)]) -> SumFile {
    let empty = SumFile::new(Path::new("m"));
    empty.record(&folder(files), &[], OutOfOrder::Refuse).unwrap()
}

/// The rows of a database that has applied these files.
fn history(files: &[(&str, &str)]) -> Vec<Record> {
    let record = |(order, (path, text)): (usize, &(&str, &str))| {
        let file = file(path, text);
        Record {
            order: i64::try_from(order).unwrap(),
            version: file.name.version,
            description: file.name.description,
            file: file.path,
            kind: file.name.kind,
            applied_at: String::new(),
            checksum: file.checksum.to_string(),
        }
    };
    files.iter().enumerate().map(record).collect()
}

/// What the comparison of two texts with the list says.
fn edited(old: &str, new: &str) -> String {
    let found = list(&[("V1__a.sql", old)]).verify(&folder(&[("V1__a.sql", new)]));
    let found: Vec<_> = found.iter().map(|it| format!("{}\n{}", it.message, it.help)).collect();
    found.join("\n")
}

/// What a run says on a database that has applied the old files.
fn refused(old: &[(&str, &str)], new: Folder, policy: &Policy) -> String {
    let set = Migrations::load(new.files, Options::NONE);
    let planned = plan(&set, &history(old), &Goal::Upgrade(Until::End), policy);
    planned.map_or_else(|error| error.to_string(), |plan| format!("{plan:?}"))
}

const OLD: &str =
    "CREATE TABLE a (b INT);\nINSERT INTO a VALUES (1);\n-- rollback\nDROP TABLE a;\n";

#[test]
fn the_list_knows_which_part_of_a_file_has_changed() {
    let new = OLD.replace("(1)", "(2)");
    insta::assert_snapshot!(edited(OLD, &new), @r"
    V1__a.sql was changed after it was recorded (m.sum:2): statement 2 was changed
    restore the file from version control, and write the change as a new migration; if no database has it, run `jetbase sum --accept V1`
    ");
    let new = OLD.replace("INSERT", "SELECT 1;\nINSERT");
    insta::assert_snapshot!(edited(OLD, &new), @r"
    V1__a.sql was changed after it was recorded (m.sum:2): statement 2 was added
    restore the file from version control, and write the change as a new migration; if no database has it, run `jetbase sum --accept V1`
    ");
    let new = OLD.replace("INSERT INTO a VALUES (1);\n", "");
    insta::assert_snapshot!(edited(OLD, &new), @r"
    V1__a.sql was changed after it was recorded (m.sum:2): statement 2 was removed (counted in the old text)
    restore the file from version control, and write the change as a new migration; if no database has it, run `jetbase sum --accept V1`
    ");
    let new = OLD.replace("DROP TABLE a", "DROP TABLE IF EXISTS a");
    insta::assert_snapshot!(edited(OLD, &new), @r"
    V1__a.sql was changed after it was recorded (m.sum:2): only its rollback section was changed, which the checksum does not cover
    a rollback of V1 will execute the new text: run `jetbase sum --accept V1` if it is right, or restore the file
    ");
    let new = format!("-- the first table\n{OLD}");
    insta::assert_snapshot!(edited(OLD, &new), @r"
    V1__a.sql was changed after it was recorded (m.sum:2): only comments and white space were changed, and the statements are the same
    no database notices it: run `jetbase sum --accept V1`, or restore the file
    ");
    let new = OLD.replace("(b INT)", "( b /* c */ INT )");
    insta::assert_snapshot!(edited(OLD, &new), @r"
    V1__a.sql was changed after it was recorded (m.sum:2): only comments and white space were changed, and the statements are the same
    restore the file from version control; or, because the schema stays the same, run `jetbase sum --accept V1`, and `jetbase fix-checksums` on each database that has it
    ");
}

#[test]
fn a_change_in_a_body_is_a_change_of_one_statement_if_the_dialect_is_known() {
    let old =
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 1;\nEND;\n$$;\n";
    let new = old.replace("RETURN 1", "RETURN 2");
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("m");
    std::fs::create_dir(&root).unwrap();
    list(&[("V1__a.sql", old)]).write(&root).unwrap();
    std::fs::write(root.join("V1__a.sql"), new).unwrap();
    let rules = jetbase_core::Rules {
        dialect: Some(jetbase_core::Dialect::Postgres),
        ..jetbase_core::Rules::default()
    };
    let found = jetbase_core::check_folder(&root, &rules).findings;
    assert!(found[0].message.ends_with(": statement 1 was changed"), "{}", found[0]);
}

#[test]
fn a_list_without_digests_of_statements_is_valid() {
    let files = [("V1__a.sql", OLD), ("V2__b.sql", "SELECT 1;\n")];
    let text = list(&files).to_string();
    let old: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(" statements=").next().unwrap())
        .collect();
    let old = SumFile::parse("m.sum", &format!("{}\n", old.join("\n"))).unwrap();
    assert!(old.entries().len() == 2 && !old.to_string().contains("statements="));
    // New lines have them, and the old lines stay as they are.
    let more = [files[0], files[1], ("V3__c.sql", "SELECT 1;\n")];
    let new = old.record(&folder(&more), &[], OutOfOrder::Refuse).unwrap().to_string();
    let with: Vec<_> = new.lines().map(|line| line.contains("statements=")).collect();
    assert_eq!(with, [false, false, false, true, false]);
    for wrong in ["statements=0", "statements=0123456G", "statements=x:01234567", "statements=--"] {
        let line = text.lines().nth(1).unwrap().split("statements=").next().unwrap();
        assert!(SumFile::parse("m.sum", &format!("jetbase.sum v1\n{line}{wrong}\n")).is_err());
    }
}

#[test]
fn a_file_with_many_statements_has_a_short_line() {
    let text = "SELECT 1;\n".repeat(65);
    assert!(!list(&[("V1__a.sql", &text)]).to_string().contains("statements="));
    let said = edited(&text, &text.replacen('1', "2", 1));
    assert!(said.contains(": its checksum was "), "{said}");
}

#[test]
fn a_run_says_what_has_changed_as_far_as_it_can_know() {
    let old = [("V1__a.sql", OLD)];
    let new = OLD.replace("(1)", "(2)");
    // Only the checksum is known.
    insta::assert_snapshot!(refused(&old, folder(&[("V1__a.sql", &new)]), &Policy::default()), @"V1__a.sql was changed after version 1 had been applied (checksum 9cfafd47 was recorded, a840f2fb found); restore the file from version control, and write the change as a new migration");
    // The list has the text that was applied.
    let mut files = folder(&[("V1__a.sql", &new)]);
    list(&old).mark(&mut files.files);
    insta::assert_snapshot!(refused(&old, files, &Policy::default()), @"V1__a.sql was changed after version 1 had been applied (checksum 9cfafd47 was recorded, a840f2fb found): statement 2 was changed; restore the file from version control, and write the change as a new migration");
    // The list has the text of the file.
    let mut files = folder(&[("V1__a.sql", &new)]);
    list(&[("V1__a.sql", &new)]).mark(&mut files.files);
    insta::assert_snapshot!(refused(&old, files, &Policy::default()), @"V1__a.sql was changed after version 1 had been applied (checksum 9cfafd47 was recorded, a840f2fb found): the file has the text of the list of recorded migrations, so this database has applied another text; find the text that this database has applied, and correct the schema with a new migration; if the schema is the same, run `jetbase fix-checksums`");
    let new = OLD.replace("-- rollback", "SELECT 3;\n-- rollback");
    insta::assert_snapshot!(refused(&old, folder(&[("V1__a.sql", &new)]), &Policy::default()), @"V1__a.sql was changed after version 1 had been applied (checksum 9cfafd47 was recorded, a3d1b690 found): statement 3 was added; restore the file from version control, and write the change as a new migration");
    let new = OLD.replace("INT)", "INT/* number */)");
    insta::assert_snapshot!(refused(&old, folder(&[("V1__a.sql", &new)]), &Policy::default()), @"V1__a.sql was changed after version 1 had been applied (checksum 9cfafd47 was recorded, 2670a76f found): only comments and white space were changed, and the statements are the same; the schema stays the same: restore the file from version control, or run `jetbase fix-checksums`");
}

#[test]
fn a_renamed_file_is_named_as_a_rename() {
    let other = "CREATE TABLE c (d INT);\n";
    let old = [("V1__a.sql", "SELECT 1;\n"), ("V9__x.sql", OLD)];
    let up = folder(&[("V1__a.sql", "SELECT 1;\n"), ("V10__x.sql", OLD)]);
    insta::assert_snapshot!(refused(&old, up, &Policy::default()), @"V9__x.sql was renamed to V10__x.sql after it had been applied; rename it back to V9__x.sql: it would be applied twice under the new name");
    let down = folder(&[("V1__a.sql", "SELECT 1;\n"), ("V8__x.sql", OLD)]);
    insta::assert_snapshot!(refused(&old, down, &Policy::default()), @"V9__x.sql was renamed to V8__x.sql after it had been applied; rename it back to V9__x.sql: it would be applied twice under the new name");
    let replaced =
        folder(&[("V1__a.sql", "SELECT 1;\n"), ("V9__y.sql", other), ("V10__x.sql", OLD)]);
    insta::assert_snapshot!(refused(&old, replaced, &Policy::default()), @"V9__x.sql was renamed to V10__x.sql after it had been applied; rename it back to V9__x.sql: it would be applied twice under the new name");
    // Another text is no rename.
    let missing = folder(&[("V1__a.sql", "SELECT 1;\n"), ("V10__x.sql", other)]);
    assert!(refused(&old, missing, &Policy::default()).contains("its file is missing"));
    // The database keeps its version, so an old program may find a newer one.
    let ahead = folder(&[("V1__a.sql", "SELECT 1;\n")]);
    assert!(refused(&old, ahead, &Policy::default()).contains("Ahead"));

    let repeatable = [("ROC__v.sql", "CREATE VIEW v AS SELECT 1;\n")];
    let now = folder(&[("ROC__w.sql", repeatable[0].1)]);
    let strict = Policy { ahead: Ahead::Refuse, ..Policy::default() };
    insta::assert_snapshot!(refused(&repeatable, now, &strict), @"ROC__v.sql was renamed to ROC__w.sql after it had been applied; rename it back to ROC__v.sql: it would be applied twice under the new name");
    assert_eq!(history(&repeatable)[0].kind, MigrationKind::RunsOnChange);

    // In the list: the same text, or the same checksum.
    for text in [OLD.to_owned(), format!("-- a comment\n{OLD}")] {
        let found = list(&[("V9__x.sql", OLD)]).verify(&folder(&[("V10__x.sql", &text)]));
        assert_eq!(found.len(), 1);
        insta::allow_duplicates! {
            insta::assert_snapshot!(found[0].message, @"V9__x.sql was renamed to V10__x.sql after it was recorded (m.sum:2)");
        }
    }
}
