use std::fs;

use jetbase_core::Dialect;

use super::*;
use crate::environment::WarningPolicy;

/// Returns the expansion of a call over these files, with the temporary folder written as `/crate`.
fn expanded(call: TokenStream, files: &[(&str, &str)]) -> String {
    expanded_with(call, files, WarningPolicy::Show)
}

fn expanded_with(call: TokenStream, files: &[(&str, &str)], warnings: WarningPolicy) -> String {
    expanded_in(call, files, BuildEnvironment { warnings, ..BuildEnvironment::default() })
}

fn expanded_in(call: TokenStream, files: &[(&str, &str)], environment: BuildEnvironment) -> String {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let environment = BuildEnvironment {
        crate_dir: Some(dir.path().to_path_buf()),
        current_dir: dir.path().to_path_buf(),
        ..environment
    };
    let tokens = expand(&EmbedInput::read(quote!([jetbase] #call)), &environment);
    let file = syn::parse2::<syn::File>(tokens.clone());
    assert!(file.is_ok(), "not items: {tokens}");
    let dir = shown(dir.path());
    tokens.to_string().replace(&dir, "/crate")
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn has(expansion: &str, tokens: TokenStream) -> bool {
    expansion.contains(&tokens.to_string())
}

const FILES: [(&str, &str); 3] = [
    ("migrations/V10__last.sql", "create table c (id int);\n"),
    ("migrations/sub/V2.1__add-email.sql", "create table b (id int);\n-- rollback\n"),
    ("migrations/ROC__view.sql", "select 1;\n"),
];

#[test]
fn the_map_of_the_old_tool_is_embedded_and_checked() {
    let migration = ("migrations/V1__a.sql", "create table a (id int);\n");
    let with_map = |map: &str| {
        let files = [migration, ("migrations.adopt", map)];
        expanded(quote!(adopt = sqlx), if map.is_empty() { &files[..1] } else { &files })
    };
    let good = with_map("jetbase.adopt v1 sqlx\n1\taa\tV1__a.sql\n");
    let path = "/crate/migrations.adopt";
    assert!(
        has(&good, quote!(adopt: ::core::option::Option::Some(::core::include_str!(#path)))),
        "{good}"
    );
    for (map, texts) in [
        (
            "",
            &[
                "there is no map of the migrations of sqlx",
                "--> migrations.adopt",
                "run `jetbase adopt sqlx <old folder> --write`, with `--dir` and the path of this folder",
            ][..],
        ),
        (
            "jetbase.adopt v1 diesel\n1\t-\tV1__a.sql\n",
            &["this is the map of a folder of Diesel, not of sqlx", "write `adopt = diesel`"],
        ),
        (
            "jetbase.adopt v1 sqlx\n1 aa V1__a.sql\n",
            &["`jetbase adopt` does not write a line like this", "--> migrations.adopt:2:1"],
        ),
        (
            "jetbase.adopt v1 sqlx\n1\taa\tV1__a.sql\n2\tbb\tV2__b.sql\n",
            &[
                "the folder lacks V2__b.sql, so it is only half converted",
                "--> migrations.adopt:3:1",
            ],
        ),
    ] {
        let expansion = with_map(map);
        assert!(expansion.contains("compile_error"), "{expansion}");
        for text in texts {
            assert!(expansion.contains(text), "{text}: {expansion}");
        }
    }
}

#[test]
fn texts_are_in_running_order() {
    let expansion = expanded(quote!(), &FILES);
    let places: Vec<_> = ["sub/V2.1__add-email.sql", "V10__last.sql", "ROC__view.sql"]
        .iter()
        .map(|path| {
            let absolute = format!("/crate/migrations/{path}");
            expansion.find(&quote!(::core::include_str!(#absolute)).to_string())
        })
        .collect();
    assert!(places.iter().all(Option::is_some), "{places:?} {expansion}");
    assert!(places.is_sorted());
    assert!(has(&expansion, quote!(static __TEXTS: [&str; 3usize])));
}

#[test]
fn each_version_has_a_variant() {
    let expansion = expanded(quote!(), &FILES);
    assert!(expansion.contains("pub enum Known { V2_1__ADD_EMAIL , V10__LAST }"), "{expansion}");
    assert!(has(&expansion, quote!(::core::option::Option::Some(Known::V10__LAST))));
}

#[test]
fn options_are_part_of_the_expansion() {
    let expansion = expanded(quote!("migrations", dialect = mysql, schema = "billing"), &FILES);
    assert!(has(
        &expansion,
        quote!(dialect: ::core::option::Option::Some(jetbase::Dialect::MySql))
    ));
    assert!(has(&expansion, quote!(schema: ::core::option::Option::Some("billing"))));
    assert!(has(&expansion, quote!(::core::option::Option::Some("/crate/migrations"))));
}

#[test]
fn a_module_with_a_mistake_keeps_its_items() {
    let files = [("migrations/V1__a.sql", "select 1;"), ("migrations/V1__A.sql", "select 1;")];
    let expansion = expanded(quote!(pub mod billing = "migrations"), &files);
    assert_eq!(expansion.matches("compile_error").count(), 1, "{expansion}");
    assert!(expansion.contains("pub mod billing"));
    assert!(has(&expansion, quote!(pub fn run_url(url: &str) -> jetbase::Run<'static>)));
    assert!(
        expansion.contains("pub enum Known { V1__A , V1__A_2 }"),
        "two files never give one name"
    );
    assert!(!expansion.contains("include_str"));
}

#[test]
fn all_findings_are_shown_at_once_up_to_a_limit() {
    let files: Vec<_> = (1..=27).map(|n| (format!("migrations/V{n}__x.sql"), "select 1")).collect();
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let expansion = expanded(quote!(nonsense), &files);
    assert_eq!(expansion.matches("compile_error").count(), 1 + 20 + 1, "{expansion}");
    assert!(expansion.contains("and 7 more in the same folder"));
}

#[test]
fn an_empty_folder_is_a_warning_that_can_be_denied() {
    let files = [("migrations/README.md", "")];
    let expansion = expanded(quote!(), &files);
    assert!(expansion.contains("deprecated") && !expansion.contains("compile_error"));
    assert!(has(
        &expansion,
        quote!(
            pub const LATEST: ::core::option::Option<Known> = ::core::option::Option::None;
        )
    ));
    let denied = expanded_with(quote!(), &files, WarningPolicy::Deny);
    assert!(denied.contains("compile_error") && !denied.contains("deprecated"));
}

#[test]
fn a_missing_folder_is_an_error() {
    let expansion = expanded(quote!("nowhere"), &[]);
    assert!(expansion.contains("compile_error") && expansion.contains("there is no such folder"));
}

#[test]
fn descriptions_cannot_break_the_documentation() {
    let expansion = expanded(quote!(), &[("migrations/V1__a|b`c.sql", "select 1;\n")]);
    assert!(expansion.contains(r"| 1 | a\\|b\\`c |"), "{expansion}");
}

#[test]
fn the_only_driver_is_the_default_dialect() {
    use jetbase_core::Dialect::{MySql, Postgres, Sqlite};
    let files = [
        ("migrations/V1__a.sql", "CREATE INDEX CONCURRENTLY i ON t (a);\n"),
        ("migrations/V2__b.sql", "CREATE FUNCTION f() RETURNS INT AS $$ SELECT 1;\n"),
    ];
    let errors = |call: TokenStream, drivers: &[Dialect]| {
        let drivers = drivers.to_vec();
        let environment = BuildEnvironment { drivers, ..BuildEnvironment::default() };
        let expansion = expanded_in(call, &files, environment);
        ["cannot run inside a transaction", "the dollar quote $$ is never closed"]
            .map(|message| expansion.contains(message))
    };
    assert_eq!(errors(quote!(), &[Postgres]), [true, true]);
    assert_eq!(errors(quote!(dialect = sqlite), &[Postgres]), [false, false]);
    assert_eq!(errors(quote!(dialect = postgres), &[MySql, Postgres]), [true, true]);
    for drivers in [&[][..], &[MySql], &[Sqlite], &[Postgres, MySql, Sqlite]] {
        assert_eq!(errors(quote!(), drivers), [false, false], "{drivers:?}");
    }
}
