//! Expands `#[jetbase::test]`.

use jetbase_core::Dialect;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, GenericParam, ItemFn, Result};

use crate::test_options::{TestOptions, WrittenFixture};

/// Expands a function with the attribute into one test, or into one for each of its databases.
pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand_function(attribute, item).unwrap_or_else(|error| error.to_compile_error())
}

fn expand_function(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options = TestOptions::read(attribute)?;
    let function: ItemFn = syn::parse2(item).map_err(|error| {
        Error::new(
            error.span(),
            "`#[jetbase::test]` belongs in front of a function: `async fn name(pool: PgPool)`",
        )
    })?;
    check(&function)?;
    let name = &function.sig.ident;
    let parameter = type_parameter(&function)?;
    match (&options.databases, parameter) {
        (None, None) => Ok(test(&options, &function, name, None)),
        (Some(databases), Some(parameter)) => Ok(databases
            .iter()
            .map(|&database| {
                let name = format_ident!("{name}_{}", database.name());
                test(&options, &function, &name, Some((parameter, database)))
            })
            .collect()),
        (None, Some(parameter)) => Err(Error::new(
            parameter.span(),
            "which databases does the test run on? Name them: \
             `#[jetbase::test(databases(postgres, sqlite))]`",
        )),
        (Some(_), None) => Err(Error::new(
            name.span(),
            "a test with `databases(…)` needs a type parameter for the database: \
             `async fn name<DB>(pool: Pool<DB>)`",
        )),
    }
}

fn check(function: &ItemFn) -> Result<()> {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        return Err(Error::new(
            signature.fn_token.span(),
            "a test with a database is asynchronous: write `async fn`",
        ));
    }
    if signature.inputs.is_empty() {
        return Err(Error::new(
            signature.ident.span(),
            "the test has no parameter, so it would get no database: \
             write for example `(pool: PgPool)`",
        ));
    }
    for input in &signature.inputs {
        if let FnArg::Receiver(receiver) = input {
            return Err(Error::new(
                receiver.span(),
                "a test has no `self`: move it out of the `impl`",
            ));
        }
    }
    Ok(())
}

/// Returns the type parameter that stands for the database.
fn type_parameter(function: &ItemFn) -> Result<Option<&Ident>> {
    let mut parameters = function.sig.generics.params.iter();
    let first = match parameters.next() {
        None => return Ok(None),
        Some(GenericParam::Type(parameter)) if parameter.bounds.is_empty() => &parameter.ident,
        Some(GenericParam::Type(parameter)) => {
            return Err(Error::new(
                parameter.bounds.span(),
                "the test is compiled once for each database, so its type parameter needs no bounds: \
                 remove them",
            ));
        }
        Some(other) => {
            return Err(Error::new(other.span(), "a test has no such parameter: remove it"));
        }
    };
    match parameters.next() {
        None => Ok(Some(first)),
        Some(more) => Err(Error::new(
            more.span(),
            "a test has one type parameter at most: the database. Remove this one",
        )),
    }
}

/// Writes one test. `database` is the type parameter and the database that it stands for.
fn test(
    options: &TestOptions,
    function: &ItemFn,
    name: &Ident,
    database: Option<(&Ident, Dialect)>,
) -> TokenStream {
    let facade = &options.facade;
    let attributes = &function.attrs;
    let mut body = function.clone();
    body.attrs.clear();
    body.sig.generics = syn::Generics::default();
    body.sig.ident = Ident::new("body", Span::mixed_site());
    let alias = database.map(|(parameter, database)| {
        let driver = driver(facade, database);
        quote!(type #parameter = #driver;)
    });
    let names: Vec<_> =
        (0..body.sig.inputs.len()).map(|at| format_ident!("parameter_{at}")).collect();
    let created = body.sig.inputs.iter().zip(&names).filter_map(|(input, name)| match input {
        FnArg::Typed(input) => {
            let ty = &input.ty;
            // A type that is no parameter of a test is shown where it is written.
            Some(quote_spanned! {ty.span()=>
                let #name = databases.parameter::<#ty>().await?;
            })
        }
        FnArg::Receiver(_) => None,
    });
    let fixtures = options.fixtures.iter().map(|WrittenFixture { path, span }| {
        let include = quote_spanned!(*span=> ::core::include_str!(#path));
        quote!(#facade::testing::Fixture::new(#path, #include))
    });
    let migrations = match &options.migrations {
        Some(module) => {
            let span = module.span();
            quote_spanned!(span=> ::core::option::Option::Some(&#module::MIGRATIONS))
        }
        None => quote!(::core::option::Option::None),
    };
    let called = &body.sig.ident;
    // A test that must panic returns nothing. If it gets no database, it does not panic, so it fails.
    let must_panic = attributes.iter().any(|it| it.path().is_ident("should_panic"));
    let (output, end) = match must_panic {
        true => (quote!(()), quote!(;)),
        false => (quote!(::std::process::ExitCode), TokenStream::new()),
    };
    quote! {
        #[::core::prelude::v1::test]
        #(#attributes)*
        fn #name() -> #output {
            #alias
            #body

            static CASE: #facade::__private::TestCase = #facade::__private::TestCase {
                name: ::core::concat!(::core::module_path!(), "::", ::core::stringify!(#name)),
                migrations: #migrations,
                fixtures: &[#(#fixtures),*],
                must_panic: #must_panic,
            };
            CASE.run(async |databases: &mut #facade::__private::TestDatabases| {
                #(#created)*
                ::core::result::Result::Ok(#called(#(#names),*).await)
            }) #end
        }
    }
}

/// The type of sqlx for a database.
fn driver(facade: &syn::Path, database: Dialect) -> TokenStream {
    match database {
        Dialect::Postgres => quote!(#facade::sqlx::Postgres),
        Dialect::MySql => quote!(#facade::sqlx::MySql),
        Dialect::Sqlite => quote!(#facade::sqlx::Sqlite),
    }
}
