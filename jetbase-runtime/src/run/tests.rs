#![allow(clippy::unwrap_used)]

use jetbase_core::{Migrations, Name, Options, Repeat, Script, SourceFile, lexed_bytes};

use super::{run, run_url};
use crate::execute::Empty;
use crate::query::current;

#[test]
fn a_whole_run_lexes_each_section_once() {
    let text = "CREATE TABLE a (id INT);\n-- rollback\nDROP TABLE a;\n";
    let set = set(&[("V1__a.sql", text)]);
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

/// A set of files with these names and texts. A name with `*` in front is recorded.
fn set(files: &[(&str, &str)]) -> Migrations {
    let files = files.iter().map(|(name, text)| {
        let (name, recorded) = match name.strip_prefix('*') {
            Some(name) => (name, true),
            None => (*name, false),
        };
        SourceFile {
            path: name.to_owned(),
            name: Name::parse(name).unwrap(),
            text: (*text).to_owned(),
            checksum: Script::read(text).checksum(),
            recorded,
            change: None,
        }
    });
    Migrations::load(files.collect(), Options::NONE)
}

/// Does something with an empty database in memory.
fn on_database<T>(work: impl AsyncFnOnce(&sqlx::SqlitePool) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
        work(&options.connect("sqlite::memory:").await.unwrap()).await
    })
}

const NEAR: &str = "CREATE TABLE a (id INT);\n-- rollback:\nDROP TABLE a;\n";

#[test]
fn a_pending_file_with_a_near_miss_of_the_marker_is_refused() {
    on_database(async |pool| {
        let error = run(&set(&[("V1__a.sql", NEAR)]), pool).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "`-- rollback:` is not the rollback marker\n \
             --> V1__a.sql:2:1\n  |\n2 | -- rollback:\n  | ^^^^^^^^^^^^\n  \
             = help: write `-- rollback` alone on its line, because the statements below this line run in the \
             upgrade; if the comment is no marker, write `-- jetbase: allow=rollback-marker` in the file"
        );
        assert!(current(&set(&[]), pool).await.unwrap().is_none());
        let allowed = format!("-- jetbase: allow=rollback-marker\n{NEAR}");
        assert_eq!(run(&set(&[("V1__a.sql", &allowed)]), pool).await.unwrap().applied.len(), 1);
    });
}

#[test]
fn a_recorded_or_applied_file_with_a_near_miss_does_not_stop_a_run() {
    on_database(async |pool| {
        let report = run(&set(&[("*V1__a.sql", NEAR)]), pool).await.unwrap();
        assert_eq!((report.applied.len(), report.warnings.len()), (1, 0));
        let files = [("V1__a.sql", NEAR), ("V2__b.sql", "SELECT 1;\n")];
        let report = run(&set(&files), pool).await.unwrap();
        assert_eq!(report.applied.len(), 1);
        let [warning] = report.warnings.as_slice() else { panic!("{:?}", report.warnings) };
        assert!(warning.starts_with("V1__a.sql:2:1: `-- rollback:` is not"), "{warning}");

        let repeatable = "SELECT 1;\n-- down\nSELECT 2;\n";
        let allowed = format!("-- jetbase: allow=rollback-marker\n{repeatable}");
        let with =
            |text| set(&[("*V1__a.sql", NEAR), ("V2__b.sql", "SELECT 1;\n"), ("RA__c.sql", text)]);
        assert!(run(&with(repeatable), pool).await.is_err());
        run(&with(&allowed), pool).await.unwrap();
        let report = run(&with(repeatable), pool).repeat(Repeat::Always).await.unwrap();
        assert_eq!(report.applied.len(), 1);
        assert!(report.warnings.iter().any(|it| it.starts_with("RA__c.sql:2:1")), "{report}");
    });
}

#[test]
fn an_empty_migration_is_refused_unless_it_is_allowed() {
    let template = "-- upgrade\n\n-- rollback\n";
    on_database(async |pool| {
        let empty = set(&[("V1__a.sql", template)]);
        let error = run(&empty, pool).empty(Empty::Refuse).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the migration has no statements\n --> V1__a.sql\n  = help: write its statements before a database \
             applies it, because an applied file must not change; if it does nothing on purpose, write \
             `-- jetbase: allow=empty` in the file"
        );
        assert_eq!(Empty::default() == Empty::Allow, cfg!(debug_assertions));
        let report = run(&empty, pool).empty(Empty::Allow).await.unwrap();
        assert_eq!(report.applied.len(), 1);
        assert!(report.warnings[0].starts_with("V1__a.sql: the migration has no statements"));
        // An applied one is no mistake of the next run.
        assert!(run(&empty, pool).empty(Empty::Refuse).await.unwrap().is_up_to_date());
    });
    let on_purpose = "-- jetbase: allow=empty\n";
    for (name, text) in [("*V1__a.sql", template), ("V1__a.sql", on_purpose), ("ROC__a.sql", "")] {
        on_database(async |pool| {
            let report = run(&set(&[(name, text)]), pool).empty(Empty::Refuse).await.unwrap();
            assert_eq!((report.applied.len(), report.warnings.len()), (1, 0), "{name}");
        });
    }
}
