use jetbase_core::{Migrations, Name, Options, Script, SourceFile, lexed_bytes};

use super::run_url;

#[test]
fn a_whole_run_lexes_each_section_once() {
    let text = "CREATE TABLE a (id INT);\n-- rollback\nDROP TABLE a;\n";
    let file = SourceFile {
        path: "V1__a.sql".to_owned(),
        name: Name::parse("V1__a.sql").unwrap(),
        text: text.to_owned(),
        checksum: Script::read(text).checksum(),
    };
    let set = Migrations::load(vec![file], Options::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let before = lexed_bytes();
    let report = runtime.block_on(async { run_url(&set, "sqlite::memory:").await }).unwrap();
    assert_eq!(report.applied.len(), 1);
    assert_eq!(lexed_bytes() - before, text.len() - "-- rollback\n".len());
}

#[test]
fn debug_shows_no_password() {
    let set = Migrations::load(Vec::new(), Options::NONE);
    let url = "postgres://app:hunter2@localhost/app";
    let run = run_url(&set, url).direct_url(url);
    let text = format!("{run:?} {run:#?}");
    assert!(text.contains("SecretUrl") && !text.contains("hunter2"), "{text}");
}
