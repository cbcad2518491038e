use quote::{ToTokens, quote};

use super::*;
use crate::functions::{BASELINE, FUNCTIONS, REAPPLY, RUN_URL};

fn read(tokens: TokenStream) -> EmbedInput {
    EmbedInput::read(quote!([jetbase] #tokens))
}

fn errors(tokens: TokenStream) -> Vec<String> {
    read(tokens).errors.iter().map(ToString::to_string).collect()
}

#[test]
fn a_call_without_arguments_is_a_private_module_migrations() {
    let call = read(quote!());
    assert_eq!(call.facade.to_string(), "jetbase");
    assert_eq!(call.module, "migrations");
    assert_eq!(call.folder(), "migrations");
    assert!(matches!(call.visibility, Visibility::Inherited));
    assert!(call.errors.is_empty());
}

#[test]
fn a_folder_and_options_are_read() {
    let call =
        read(quote!("db/migrations", dialect = postgres, require_rollback, schema = "billing",));
    assert!(call.errors.is_empty(), "{:?}", call.errors);
    assert_eq!(call.folder(), "db/migrations");
    assert_eq!(call.options.dialect, Some(Dialect::Postgres));
    assert!(call.options.require_rollback);
    assert!(!call.options.python_compatible);
    assert_eq!(call.options.schema.map(|it| it.value()).as_deref(), Some("billing"));
}

#[test]
fn options_can_be_written_without_a_folder() {
    let call = read(quote!(manifest = strict, python_compatible));
    assert!(call.errors.is_empty(), "{:?}", call.errors);
    assert_eq!(call.folder(), "migrations");
    assert_eq!(call.options.manifest, Manifest::Strict);
    assert!(call.options.python_compatible);
}

#[test]
fn the_old_tool_is_read() {
    for (word, tool) in OLD_TOOLS {
        let word = Ident::new(word, Span::call_site());
        let call = read(quote!("db", adopt = #word));
        assert!(call.errors.is_empty(), "{:?}", call.errors);
        assert_eq!(call.options.adopt, Some(tool));
    }
    assert_eq!(
        errors(quote!(adopt = flywey)),
        [
            "unknown value `flywey` of `adopt`: did you mean `flyway`? The values are `sqlx`, `refinery`, `diesel`, `flyway`, \
          `sea_orm_sql`"
        ]
    );
}

#[test]
fn a_module_keeps_its_attributes_and_its_visibility() {
    let call = read(quote! {
        /// The billing schema.
        #[cfg(feature = "billing")]
        pub(crate) mod billing = "db/billing", dialect = mysql
    });
    assert!(call.errors.is_empty(), "{:?}", call.errors);
    assert_eq!(call.attributes.len(), 2);
    assert_eq!(call.visibility.to_token_stream().to_string(), "pub (crate)");
    assert_eq!(call.module, "billing");
    assert_eq!(call.options.dialect, Some(Dialect::MySql));
    assert_eq!(read(quote!(mod billing)).folder(), "migrations");
}

#[test]
fn an_unknown_word_is_an_error_that_suggests_a_similar_word() {
    assert_eq!(
        errors(quote!("m", requre_rollback, dialect = postgress, manifest = stric)),
        [
            "unknown option `requre_rollback`: did you mean `require_rollback`? The options are `dialect`, `schema`, \
             `require_rollback`, `manifest`, `python_compatible`, `adopt`",
            "unknown value `postgress` of `dialect`: did you mean `postgres`? The values are `postgres`, `mysql`, `sqlite`",
            "unknown value `stric` of `manifest`: did you mean `strict`? The values are `required`, `strict`",
        ]
    );
}

#[test]
fn an_option_in_the_wrong_form_is_an_error_that_shows_the_form() {
    assert_eq!(
        errors(quote!(
            dialect,
            dialect = "mysql",
            schema = billing,
            schema = "",
            require_rollback = true
        )),
        [
            "write `dialect = <value>`, without quotes; the values are `postgres`, `mysql`, `sqlite`",
            "write `dialect = <value>`, without quotes; the values are `postgres`, `mysql`, `sqlite`",
            "write `schema = \"<name>\"`, with quotes",
            "the name of the schema is empty: write `schema = \"<name>\"`",
            "`require_rollback` has no value: write `require_rollback` alone, or remove it",
        ]
    );
    assert_eq!(
        errors(quote!(require_rollback, require_rollback)),
        ["the option `require_rollback` is written twice: remove one"]
    );
}

#[test]
fn the_part_before_a_mistake_is_kept() {
    let call = read(quote!(pub mod billing = 5));
    assert_eq!(call.module, "billing");
    assert_eq!(call.errors.len(), 1);
    assert_eq!(read(quote!("db" "x")).folder(), "db");
    assert_eq!(errors(quote!(5)).len(), 1);
    assert_eq!(errors(quote!("a", = ,)).len(), 1);
}

#[test]
fn the_page_of_the_macro_lists_every_option() {
    let page = page_of_the_macro();
    for option in OPTIONS {
        let row = format!("/// | `{option}` |");
        assert_eq!(page.matches(&row).count(), 1, "src/lib.rs of `jetbase` needs a row {row}");
    }
    let rows =
        page.lines().filter(|line| line.ends_with("` |") && line.matches(" | ").count() == 4);
    assert_eq!(rows.count(), OPTIONS.len(), "a row names an option that does not exist");
}

#[test]
fn the_page_of_the_macro_compiles_the_example_of_every_function() {
    let page = page_of_the_macro();
    for function in FUNCTIONS.iter().chain([&BASELINE, &REAPPLY, &RUN_URL]) {
        for line in function.example.lines() {
            assert!(
                page.contains(&format!("/// {line}\n")),
                "src/lib.rs of `jetbase` lacks {line}"
            );
        }
    }
}

fn page_of_the_macro() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/lib.rs");
    std::fs::read_to_string(path).unwrap()
}
