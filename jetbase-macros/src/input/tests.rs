use quote::{ToTokens, quote};

use super::*;

fn read(tokens: TokenStream) -> Call {
    Call::read(quote!([jetbase] #tokens))
}

fn errors(tokens: TokenStream) -> Vec<String> {
    read(tokens).errors.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_at_all_is_a_private_module_migrations() {
    let call = read(quote!());
    assert_eq!(call.krate.to_string(), "jetbase");
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
    assert_eq!(call.settings.dialect, Some(Dialect::Postgres));
    assert!(call.settings.require_rollback);
    assert!(!call.settings.python_compatible);
    assert_eq!(call.settings.schema.map(|it| it.value()).as_deref(), Some("billing"));
}

#[test]
fn options_may_stand_alone() {
    let call = read(quote!(manifest = strict, python_compatible));
    assert!(call.errors.is_empty(), "{:?}", call.errors);
    assert_eq!(call.folder(), "migrations");
    assert_eq!(call.settings.manifest, Manifest::Strict);
    assert!(call.settings.python_compatible);
}

#[test]
fn a_module_keeps_what_stands_before_it() {
    let call = read(quote! {
        /// The billing schema.
        #[cfg(feature = "billing")]
        pub(crate) mod billing = "db/billing", dialect = mysql
    });
    assert!(call.errors.is_empty(), "{:?}", call.errors);
    assert_eq!(call.attributes.len(), 2);
    assert_eq!(call.visibility.to_token_stream().to_string(), "pub (crate)");
    assert_eq!(call.module, "billing");
    assert_eq!(call.settings.dialect, Some(Dialect::MySql));
    assert_eq!(read(quote!(mod billing)).folder(), "migrations");
}

#[test]
fn a_mistyped_word_is_answered_with_the_nearest() {
    assert_eq!(
        errors(quote!("m", requre_rollback, dialect = postgress, manifest = stric)),
        [
            "unknown option `requre_rollback`: did you mean `require_rollback`? known are `dialect`, `schema`, \
             `require_rollback`, `manifest`, `python_compatible`",
            "unknown `dialect` `postgress`: did you mean `postgres`? known are `postgres`, `mysql`, `sqlite`",
            "unknown `manifest` `stric`: did you mean `strict`? known are `required`, `strict`",
        ]
    );
}

#[test]
fn an_option_of_the_wrong_form_is_told_its_form() {
    assert_eq!(
        errors(quote!(
            dialect,
            dialect = "mysql",
            schema = billing,
            schema = "",
            require_rollback = true
        )),
        [
            "write `dialect = …` with one of `postgres`, `mysql`, `sqlite`, without quotes",
            "write `dialect = …` with one of `postgres`, `mysql`, `sqlite`, without quotes",
            "write `schema = \"name\"`, with quotes",
            "the schema has no name",
            "`require_rollback` takes no value: write the word alone, or leave it out",
        ]
    );
    assert_eq!(
        errors(quote!(require_rollback, require_rollback)),
        ["`require_rollback` is given twice"]
    );
}

#[test]
fn what_was_read_before_a_mistake_is_kept() {
    let call = read(quote!(pub mod billing = 5));
    assert_eq!(call.module, "billing");
    assert_eq!(call.errors.len(), 1);
    assert_eq!(read(quote!("db" "x")).folder(), "db");
    assert_eq!(errors(quote!(5)).len(), 1);
    assert_eq!(errors(quote!("a", = ,)).len(), 1);
}
