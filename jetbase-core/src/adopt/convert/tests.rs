use super::*;

fn old(path: &str, text: &str) -> OldFile {
    OldFile { path: path.to_owned(), text: Some(text.to_owned()) }
}

fn paths(conversion: &Conversion) -> Vec<&str> {
    conversion.files.iter().map(|file| file.path.as_str()).collect()
}

fn messages(findings: &[Finding]) -> Vec<String> {
    let message = |it: &Finding| format!("{}: {}: {}", it.severity, it.place(""), it.message);
    findings.iter().map(message).collect()
}

fn postgres(tool: OldTool, files: &[OldFile]) -> Conversion {
    convert(tool, files, Some(Dialect::Postgres))
}

#[test]
fn each_file_of_sqlx_is_converted_or_listed() {
    let conversion = postgres(
        OldTool::Sqlx,
        &[
            old("0002_b.sql", "CREATE TABLE b (id INT) -- last\n"),
            old("1_a.down.sql", "DROP TABLE a"),
            old("1_a.up.sql", "\u{feff}CREATE TABLE a (id INT);\r\n"),
            old("3_c.sql", "-- no-transaction\nCREATE INDEX CONCURRENTLY i ON a (id);\n"),
            old("4_.sql", "-- nothing yet\n"),
            old("5_e.down.sql", "DROP TABLE e;\n"),
            old("README.md", "text"),
            old("sub/6_f.sql", "SELECT 1;\n"),
            old("x_y.sql", "SELECT 1;\n"),
        ],
    );
    let texts: Vec<_> =
        conversion.files.iter().map(|it| (it.path.as_str(), it.text.as_str())).collect();
    assert_eq!(
        texts,
        [
            ("V1__a.sql", "CREATE TABLE a (id INT);\n\n-- rollback\nDROP TABLE a;\n"),
            ("V0002__b.sql", "CREATE TABLE b (id INT) -- last\n;\n"),
            (
                "V3__c.sql",
                "-- jetbase: transaction=off\n-- no-transaction\nCREATE INDEX CONCURRENTLY i ON a (id);\n"
            ),
            ("V4__migration.sql", "-- jetbase: allow=empty\n-- nothing yet\n"),
        ]
    );
    assert_eq!(
        messages(&conversion.about_old),
        [
            "warning: README.md: sqlx ignores this file, so it is not converted",
            "warning: sub/6_f.sql: sqlx ignores this file, so it is not converted",
            "error: x_y.sql: `x` is no version that jetbase can keep",
            "error: 5_e.down.sql: this down script has no up script",
            "warning: 4_.sql: the script has no statements",
        ]
    );
    assert!(conversion.about_new.is_empty() && conversion.refusals.is_empty());
    assert_eq!(conversion.left_to_do(), 2);
    let keys: Vec<_> = conversion.map.entries.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(keys, ["1", "2", "3", "4"]);
    // The checksum covers the original bytes.
    let original = super::super::checksum::sha384("\u{feff}CREATE TABLE a (id INT);\r\n");
    assert_eq!(conversion.map.entries[0].checksums, [original]);
    assert_eq!(AdoptMap::parse(&conversion.map.to_string()), Ok(conversion.map));
}

#[test]
fn a_statement_that_we_refuse_is_left_to_do() {
    let file = old("1_a.sql", "BEGIN;\nCREATE TABLE a (id INT);\nCOMMIT;\n");
    let conversion = postgres(OldTool::Sqlx, &[file]);
    assert_eq!(conversion.about_new.len(), 2, "{:?}", messages(&conversion.about_new));
    assert_eq!(conversion.about_new[0].place("new"), "new/V1__a.sql:1:1");
    assert_eq!(conversion.left_to_do(), 2);
}

#[test]
fn a_comment_that_is_the_marker_does_not_end_the_upgrade() {
    let up =
        "CREATE TABLE a (id INT);\n  -- Rollback\nCREATE TABLE b (id INT);\n-- down\nSELECT 1;\n";
    let down = "-- rollback:\nDROP TABLE b;\n-- rollback\nDROP TABLE a;\n";
    let conversion = postgres(OldTool::Sqlx, &[old("1_a.down.sql", down), old("1_a.up.sql", up)]);
    assert_eq!(
        conversion.files[0].text,
        "-- jetbase: allow=rollback-marker\nCREATE TABLE a (id INT);\n\
         -- Here the old file has a comment with the word rollback alone.\nCREATE TABLE b (id INT);\n-- down\nSELECT 1;\n\
         \n-- rollback\n-- rollback:\nDROP TABLE b;\n-- rollback\nDROP TABLE a;\n"
    );
    assert_eq!(
        messages(&conversion.about_old),
        [
            "warning: 1_a.up.sql:2:3: this comment would be the line that begins the rollback, so it is replaced",
            "warning: 1_a.up.sql:4:1: `-- down` is not the rollback marker",
        ]
    );
    assert_eq!(messages(&conversion.about_new), Vec::<String>::new());
    let script = Script::read(&conversion.files[0].text);
    let statements = script.python_statements(crate::file::Section::Rollback);
    assert_eq!(statements, ["DROP TABLE b", "DROP TABLE a"]);
}

#[test]
fn a_marker_inside_a_string_is_left_to_do() {
    let up = "INSERT INTO a VALUES ('x\n-- rollback\ny');\n";
    let conversion = postgres(OldTool::Sqlx, &[old("1_a.sql", up)]);
    assert!(conversion.files.is_empty() && conversion.map.entries.is_empty());
    assert_eq!(
        messages(&conversion.about_old),
        [
            "error: 1_a.sql:2:1: this line would end the upgrade, but it is a part of a string or of a comment"
        ]
    );
}

#[test]
fn each_file_of_refinery_is_converted_or_listed() {
    let sql = "CREATE TABLE a (id INT);\n";
    let conversion = postgres(
        OldTool::Refinery,
        &[
            old("U3__c.sql", sql),
            old("V10__j.sql", sql),
            old("V1__a.sql", sql),
            old("V1.5__x.sql", sql),
            old("V2__b.rs", "pub fn migration() -> String { String::new() }"),
            old("V10__j.rs", "pub fn migration() -> String { String::new() }"),
            old("V4_d.sql", sql),
            old("mod.rs", ""),
            old("more/V5__e.sql", sql),
        ],
    );
    let expected = ["V1__a.sql", "V3__c.sql", "more/V5__e.sql", "V10__j.sql"];
    assert_eq!(paths(&conversion), expected);
    assert_eq!(
        messages(&conversion.about_old),
        [
            "warning: U3__c.sql: refinery may run a `U` file after higher versions; jetbase runs it in the order of its \
             version",
            "error: V1.5__x.sql: refinery cannot read the version `1.5`",
            "warning: V4_d.sql: refinery ignores this file, so it is not converted",
            "error: V2__b.rs: this migration is Rust code, so it is not converted",
            "warning: V10__j.rs: an SQL file with its version takes its place",
        ]
    );
    assert_eq!(conversion.map.entries[0].checksums.len(), 2);
}

#[test]
fn each_folder_of_diesel_is_converted_or_listed() {
    let conversion = postgres(
        OldTool::Diesel,
        &[
            old("00000000000000_diesel_initial_setup/down.sql", "DROP FUNCTION f();\n"),
            old("00000000000000_diesel_initial_setup/up.sql", "SELECT 1;\n"),
            old("2024-01-01-000000_users/metadata.toml", "run_in_transaction = false # slow\n"),
            old("2024-01-01-000000_users/notes.txt", "text"),
            old("2024-01-01-000000_users/up.sql", "VACUUM;\n"),
            old("2024-01-02-000000_posts/down.sql", "DROP TABLE posts;\n"),
            old("next_posts/up.sql", "SELECT 1;\n"),
        ],
    );
    assert_eq!(
        paths(&conversion),
        ["V00000000000000__diesel_initial_setup.sql", "V20240101000000__users.sql"]
    );
    assert_eq!(conversion.files[1].text, "-- jetbase: transaction=off\nVACUUM;\n");
    assert_eq!(
        messages(&conversion.about_old),
        [
            "warning: 2024-01-01-000000_users/notes.txt: Diesel ignores this file, so it is not converted",
            "error: 2024-01-02-000000_posts: this folder has no `up.sql`",
            "error: next_posts/up.sql: `next` is no version that jetbase can keep: it has other characters than digits",
        ]
    );
}

#[test]
fn each_file_of_flyway_is_converted_or_listed() {
    let conversion = postgres(
        OldTool::Flyway,
        &[
            old("B2__base.sql", "SELECT 1;\n"),
            old("R__views.sql", "CREATE OR REPLACE VIEW v AS SELECT 1;\n"),
            old("U1__a.sql", "DROP TABLE a;\n"),
            old("V1_1__b.sql", "CREATE TABLE ${owner}.b (id INT);\n"),
            old("V1_1__b.sql.conf", "executeInTransaction=false\n"),
            old("V1__a.sql", "CREATE TABLE a (id INT);\n"),
            old("V3__c.java", "class V3__c {}"),
            old("afterMigrate.sql", "SELECT 1;\n"),
        ],
    );
    assert_eq!(paths(&conversion), ["V1__a.sql", "V1_1__b.sql", "ROC__views.sql"]);
    assert_eq!(
        conversion.files[0].text,
        "CREATE TABLE a (id INT);\n\n-- rollback\nDROP TABLE a;\n"
    );
    assert!(conversion.files[1].text.starts_with("-- jetbase: transaction=off\n"));
    assert_eq!(
        messages(&conversion.about_old),
        [
            "error: B2__base.sql: this is a baseline script, which jetbase does not have",
            "error: V3__c.java: this migration is a program, so it is not converted",
            "error: afterMigrate.sql: this is a callback, which jetbase does not have",
            "error: V1_1__b.sql:1:14: `${owner}` is a placeholder, which jetbase does not replace",
        ]
    );
    let keys: Vec<_> = conversion.map.entries.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(keys, ["1", "1.1", "R__views.sql"]);
}

#[test]
fn each_file_of_sea_orm_is_converted_or_listed() {
    let conversion = postgres(
        OldTool::SeaOrm,
        &[
            old("lib.rs", ""),
            old("m20220101_000001_users.rs", "include_str!"),
            old("m20220101_000001_users.up.sql", "SELECT 1;\n"),
            old("m20220101_000001_users.down.sql", "SELECT 2;\n"),
            old("m20220102_000001_posts.rs", "fn up() {}"),
            old("sql/m20220103_000001_tags/up.sql", "SELECT 3;\n"),
        ],
    );
    assert_eq!(paths(&conversion), ["V20220101_000001__users.sql", "V20220103_000001__tags.sql"]);
    assert_eq!(conversion.map.entries[0].key, "m20220101_000001_users");
    assert_eq!(
        messages(&conversion.about_old),
        [
            "warning: lib.rs: SeaORM ignores this file, so it is not converted",
            "error: m20220102_000001_posts.rs: this migration is Rust code without an SQL file, so it is not converted",
        ]
    );
}

#[test]
fn versions_that_sort_in_another_way_are_refused() {
    let folders = [old("10_b/up.sql", "SELECT 1;\n"), old("9_a/up.sql", "SELECT 1;\n")];
    assert_eq!(
        messages(&postgres(OldTool::Diesel, &folders).refusals),
        [
            "error: 9_a/up.sql: Diesel runs it after 10_b/up.sql, but its version is lower for jetbase, which compares \
             numbers"
        ]
    );
    let same = [old("1_a.sql", "SELECT 1;\n"), old("1_b.up.sql", "SELECT 1;\n")];
    assert_eq!(
        messages(&postgres(OldTool::Sqlx, &same).refusals),
        ["error: 1_b.up.sql: 1_a.sql has the same version"]
    );
}

#[test]
fn a_file_that_is_not_utf_8_is_left_to_do() {
    let file = OldFile { path: "1_a.sql".to_owned(), text: None };
    let conversion = postgres(OldTool::Sqlx, &[file]);
    assert_eq!(
        messages(&conversion.about_old),
        ["error: 1_a.sql: this file is not UTF-8, so it is not converted"]
    );
}

#[test]
fn a_map_with_a_line_of_somebody_else_is_refused() {
    for (text, line) in [
        ("", 1),
        ("jetbase.adopt v1 goose\n", 1),
        ("jetbase.adopt v1 sqlx\n1 aa V1__a.sql\n", 2),
        ("jetbase.adopt v1 sqlx\n1\taa\tV1__a.sql\n1\taa\tV2__a.sql\n", 3),
        ("jetbase.adopt v1 sqlx\n1\taa\ta.sql\n", 2),
    ] {
        let error = AdoptMap::parse(text).unwrap_err();
        assert_eq!(error.line, line, "{text}");
    }
    assert_eq!(
        AdoptMap::parse("x").unwrap_err().to_string(),
        "line 1 is not a line that `jetbase adopt` writes; restore the map from version control, or convert the old \
         folder again"
    );
}
