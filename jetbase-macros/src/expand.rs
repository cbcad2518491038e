//! Expands a call into its module.

use std::fmt::Write;
use std::path::Path;

use jetbase_core::{Finding, FolderCheck, Packed, Rules, SourceFile, check_folder};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Error;

use crate::input::Call;
use crate::migrations_dir::{Environment, MigrationsDir};
use crate::report::Report;
use crate::{destination, docs, fallback, versions};

/// Expands a call into its module, or into its errors and an empty module.
pub(crate) fn expand(call: &Call, environment: &Environment) -> TokenStream {
    let mut report = Report::new(call.span(), environment.warnings, &call.errors);
    if !call.has_folder {
        return fallback::module(call, &[], &report);
    }
    let place = match MigrationsDir::find(&call.folder(), environment) {
        Ok(place) => place,
        Err(text) => {
            report.error(text);
            return fallback::module(call, &[], &report);
        }
    };
    report.refuse(destination::conflict(call, &place, environment));
    let settings = &call.settings;
    let rules = Rules {
        dialect: settings.dialect,
        require_rollback: settings.require_rollback,
        python_compatible: settings.python_compatible,
        manifest: settings.manifest,
    };
    let proof = check_folder(&place.folder, &rules);
    report.add(&proof.findings, &place.shown);
    report.add(&doubts(&place, &proof), &place.shown);
    if report.has_errors() {
        return fallback::module(call, &proof.files, &report);
    }
    let list = list(&proof, &report);
    let manifest = place.manifest.as_deref().and_then(watched);
    let contents = contents(call, &place, &proof.files);
    let doc = docs::table(&call.folder(), &proof.files);
    frame(call, &doc, &quote!(#report #list #manifest #contents))
}

/// Makes cargo watch the list, and makes a release build warn about files that are not in the list.
fn list(proof: &FolderCheck, report: &Report) -> Option<TokenStream> {
    let list = watched(proof.list.as_ref()?);
    let unrecorded = (proof.unrecorded > 0).then(|| {
        let text = match proof.unrecorded {
            1 => "one migration is not recorded yet".to_owned(),
            count => format!("{count} migrations are not recorded yet"),
        };
        let note = report.warning(
            "unrecorded",
            &format!("{text}\n  = help: run `jetbase sum` and commit the list"),
        );
        quote!(#[cfg(not(debug_assertions))] #note)
    });
    Some(quote!(#list #unrecorded))
}

/// Makes cargo watch a file, if it exists.
fn watched(path: &Path) -> Option<TokenStream> {
    let path = path.to_str().filter(|_| path.is_file())?;
    Some(quote!(
        const _: &[u8] = ::core::include_bytes!(#path);
    ))
}

/// Returns warnings about the folder as a whole.
fn doubts(place: &MigrationsDir, proof: &FolderCheck) -> Vec<Finding> {
    let mut doubts = Vec::new();
    if proof.files.is_empty() && proof.findings.is_empty() {
        doubts.push(
            Finding::error("empty-folder", "", "the folder holds no migration")
                .warning()
                .help("write the first one: V1__<description>.sql"),
        );
    }
    if place.left_behind {
        doubts.push(
            Finding::error("outside-the-crate", "", "a published crate would come without this folder")
                .warning()
                .help(
                    "move it below the crate's Cargo.toml; in a crate that stays at home, `publish = false` in \
                     Cargo.toml ends this warning",
                ),
        );
    }
    doubts
}

/// Returns the module around its contents, with the attributes that the caller wrote.
pub(crate) fn frame(call: &Call, doc: &str, contents: &TokenStream) -> TokenStream {
    let Call { attributes, visibility, module, .. } = call;
    // The table follows the caller's own documentation.
    let doc = if attributes.is_empty() { doc.to_owned() } else { format!("\n{doc}") };
    quote! {
        #(#attributes)*
        #[doc = #doc]
        #[allow(dead_code, unreachable_pub)]
        #visibility mod #module {
            #contents
        }
    }
}

fn contents(call: &Call, place: &MigrationsDir, files: &[SourceFile]) -> TokenStream {
    let krate = &call.krate;
    let count = files.len();
    let texts = texts(place, files);
    let Packed { records, names, lengths } = Packed::of(files);
    let records = Literal::byte_string(&records);
    let changed = format!(
        "a file of {} has changed while the program was compiled: build again",
        place.shown
    );
    let options = options(call, place);
    let functions = functions(krate);
    let versions = versions::module(krate, files);
    quote! {
        static __TEXTS: [&str; #count] = [#texts];

        const __TABLE: #krate::__private::Table = #krate::__private::Table::new(&__TEXTS, #records, #names);

        #[allow(long_running_const_eval)]
        const _: () = ::core::assert!(__TABLE.agrees(#lengths), #changed);

        /// The embedded set.
        pub static MIGRATIONS: #krate::Migrations = #krate::Migrations::embedded(__TABLE, #options);

        #functions
        #versions

        #[cfg(test)]
        #[test]
        fn embedded_set_matches_the_folder() {
            if let ::core::result::Result::Err(difference) = #krate::__private::compare_with_folder(&MIGRATIONS) {
                ::core::panic!("{difference}");
            }
        }
    }
}

/// Returns the texts of the table.
///
/// The tokens are written as text that the compiler parses. If the macro made the tokens one by one
/// for thousands of files, it would be slower than the compiler.
fn texts(place: &MigrationsDir, files: &[SourceFile]) -> TokenStream {
    let mut texts = String::new();
    for file in files {
        // Writing to a String cannot fail.
        let _ = writeln!(texts, "::core::include_str!({:?}),", place.file(&file.path));
    }
    tokens(&texts)
}

/// Parses generated text, which has no errors.
pub(crate) fn tokens(text: &str) -> TokenStream {
    // `proc_macro2` would first parse the text itself, to see whether the compiler can.
    if proc_macro::is_available() {
        return text.parse::<proc_macro::TokenStream>().unwrap_or_default().into();
    }
    text.parse().unwrap_or_else(|error| Error::from(error).to_compile_error())
}

fn options(call: &Call, place: &MigrationsDir) -> TokenStream {
    let krate = &call.krate;
    let some = |value: &TokenStream| quote!(::core::option::Option::Some(#value));
    let none = || quote!(::core::option::Option::None);
    let dialect = call.settings.dialect.map_or_else(none, |dialect| {
        let variant = Ident::new(&format!("{dialect:?}"), Span::call_site());
        some(&quote!(#krate::Dialect::#variant))
    });
    let schema =
        call.settings.schema.as_ref().map_or_else(none, |schema| some(&schema.to_token_stream()));
    let reading = if call.settings.python_compatible { quote!(Python) } else { quote!(Plain) };
    let folder = place.file("");
    let folder = folder.trim_end_matches(['/', '\\']);
    quote! {
        #krate::__private::Options {
            dialect: #dialect,
            schema: #schema,
            reading: #krate::Reading::#reading,
            // The folder is only useful where the sources are. A release build must not contain a
            // path of the build machine.
            folder: if ::core::cfg!(any(test, debug_assertions)) {
                ::core::option::Option::Some(#folder)
            } else {
                ::core::option::Option::None
            },
        }
    }
}

/// Returns the functions of a module. The table has the name, the documentation, and the result of
/// the facade's function with that name.
pub(crate) fn functions(krate: &TokenStream) -> TokenStream {
    let query = |result: TokenStream| quote!(#krate::Query<'t, #result>);
    let version = quote!(::core::option::Option<#krate::Version>);
    let table = [
        ("run", "Applies what is pending, under the jetbase lock.", quote!(#krate::Run<'t>)),
        ("rollback", "Takes the last applied version back.", quote!(#krate::Rollback<'t>)),
        (
            "repair",
            "Makes the history agree with the files: deletes the rows of missing files, updates checksums.",
            quote!(#krate::Repair<'t>),
        ),
        ("status", "Tells what is applied and what is pending.", query(quote!(#krate::Status))),
        ("history", "Reads the history of the database.", query(quote!(#krate::History))),
        ("current", "Reads the version of the database.", query(version)),
        ("validate", "Compares the history with the set.", query(quote!(#krate::Validated))),
        (
            "check",
            "Tells whether the database is ready for this program.",
            query(quote!(#krate::Readiness)),
        ),
        (
            "lock_status",
            "Tells who holds the jetbase lock, if anybody.",
            query(quote!(#krate::LockStatus)),
        ),
        ("unlock", "Releases the jetbase lock by hand.", quote!(#krate::Unlock<'t>)),
    ];
    let functions = table.iter().map(|(name, doc, result)| {
        let name = Ident::new(name, Span::call_site());
        quote! {
            #[doc = #doc]
            pub fn #name<'t>(target: impl #krate::Target<'t> + 't) -> #result {
                #krate::#name(&MIGRATIONS, target)
            }
        }
    });
    quote! {
        #(#functions)*

        #krate::__cli!();

        /// Applies what is pending in the database at a URL, under the jetbase lock.
        pub fn run_url(url: &str) -> #krate::Run<'static> {
            #krate::run_url(&MIGRATIONS, url)
        }
    }
}

#[cfg(test)]
mod tests;
