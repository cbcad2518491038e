//! Expands a call into its module.

use std::fmt::Write;
use std::path::Path;

use jetbase_core::{AdoptMap, Finding, FolderCheck, Packed, Rules, SourceFile, check_folder};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote};

use crate::diagnostics::Diagnostics;
use crate::environment::BuildEnvironment;
use crate::input::EmbedInput;
use crate::migrations_dir::MigrationsDir;
use crate::tokens::parse_tokens;
use crate::{docs, functions, versions};

/// Expands a call into its module, or into its errors and a module without migrations.
pub(crate) fn expand(input: &EmbedInput, environment: &BuildEnvironment) -> TokenStream {
    let mut diagnostics = Diagnostics::new(input, environment.warnings);
    if !input.has_folder {
        return without_migrations(input, &[], &diagnostics);
    }
    let dir = match MigrationsDir::find(&input.folder(), environment) {
        Ok(dir) => dir,
        Err(text) => {
            diagnostics.add_error(text);
            return without_migrations(input, &[], &diagnostics);
        }
    };
    let options = &input.options;
    let rules = Rules {
        dialect: options.dialect.or(environment.default_dialect()),
        require_rollback: options.require_rollback,
        python_compatible: options.python_compatible,
        manifest: options.manifest,
    };
    let check = check_folder(&dir.folder, &rules);
    diagnostics.add_findings(&check.findings, &dir.display_path);
    diagnostics.add_findings(&folder_warnings(&dir, &check), &dir.display_path);
    if let Some(tool) = options.adopt
        && let Err(findings) = AdoptMap::read(&dir.folder, &check.files, tool)
    {
        diagnostics.add_findings(&findings, &dir.display_path);
    }
    if diagnostics.has_errors() {
        return without_migrations(input, &check.files, &diagnostics);
    }
    let list = watch_list(&check, &diagnostics);
    let manifest = dir.manifest.as_deref().and_then(watch_file);
    let contents = with_migrations(input, &dir, &check.files);
    let doc = docs::table(&input.folder(), &check.files);
    module(input, &doc, &quote!(#diagnostics #list #manifest #contents))
}

/// Returns the errors, and every item of the module that the program may use.
///
/// With these items the rest of the program compiles, so the user sees only the errors of the call.
fn without_migrations(
    input: &EmbedInput,
    files: &[SourceFile],
    diagnostics: &Diagnostics,
) -> TokenStream {
    let facade = &input.facade;
    let functions = functions::functions(facade, &input.module);
    let versions = versions::module(facade, files);
    let contents = quote! {
        #diagnostics

        /// The embedded migrations: none, because they have errors.
        pub static MIGRATIONS: #facade::Migrations = #facade::Migrations::embedded(
            #facade::__private::Table::new(&[], &[], ""),
            #facade::__private::Options::NONE,
        );

        #functions
        #versions
    };
    module(
        input,
        "The migrations of this module have errors, so none of them is embedded.",
        &contents,
    )
}

/// Makes cargo watch the list, and makes a release build warn about files that are not in the list.
fn watch_list(check: &FolderCheck, diagnostics: &Diagnostics) -> Option<TokenStream> {
    let list = watch_file(check.list.as_ref()?);
    let unrecorded = (check.unrecorded > 0).then(|| {
        let text = match check.unrecorded {
            1 => "one migration is not recorded yet".to_owned(),
            count => format!("{count} migrations are not recorded yet"),
        };
        let warning = diagnostics.warning(
            "unrecorded",
            &format!("{text}\n  = help: run `jetbase sum` and commit the list"),
        );
        quote!(#[cfg(not(debug_assertions))] #warning)
    });
    Some(quote!(#list #unrecorded))
}

/// Makes cargo watch a file, if it exists.
fn watch_file(path: &Path) -> Option<TokenStream> {
    let path = path.to_str().filter(|_| path.is_file())?;
    Some(quote!(
        const _: &[u8] = ::core::include_bytes!(#path);
    ))
}

/// Returns warnings about the folder as a whole.
fn folder_warnings(dir: &MigrationsDir, check: &FolderCheck) -> Vec<Finding> {
    let mut warnings = Vec::new();
    if check.files.is_empty() && check.findings.is_empty() {
        warnings.push(
            Finding::error("empty-folder", "", "the folder contains no migration")
                .warning()
                .help("add the first one: V1__<description>.sql"),
        );
    }
    if dir.is_left_out {
        warnings.push(
            Finding::error("outside-the-crate", "", "a published crate would not contain this folder")
                .warning()
                .help(
                    "move the folder into the folder of the crate's Cargo.toml; if the crate is never published, write \
                     `publish = false` in Cargo.toml",
                ),
        );
    }
    warnings
}

/// Returns the module around its contents, with the attributes that the caller wrote.
fn module(input: &EmbedInput, doc: &str, contents: &TokenStream) -> TokenStream {
    let EmbedInput { attributes, visibility, module, .. } = input;
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

fn with_migrations(input: &EmbedInput, dir: &MigrationsDir, files: &[SourceFile]) -> TokenStream {
    let facade = &input.facade;
    let count = files.len();
    let texts = texts(dir, files);
    let Packed { records, names, lengths } = Packed::of(files);
    let records = Literal::byte_string(&records);
    let changed = format!(
        "a file in {} changed while the program was compiled: run `cargo build` again",
        dir.display_path
    );
    let options = options(input, dir);
    let functions = functions::functions(facade, &input.module);
    let versions = versions::module(facade, files);
    quote! {
        static __TEXTS: [&str; #count] = [#texts];

        const __TABLE: #facade::__private::Table = #facade::__private::Table::new(&__TEXTS, #records, #names);

        #[allow(long_running_const_eval)]
        const _: () = ::core::assert!(__TABLE.agrees(#lengths), #changed);

        /// The embedded migrations.
        pub static MIGRATIONS: #facade::Migrations = #facade::Migrations::embedded(__TABLE, #options);

        #functions
        #versions

        #[cfg(test)]
        #[test]
        fn embedded_set_matches_the_folder() {
            if let ::core::result::Result::Err(difference) = #facade::__private::compare_with_folder(&MIGRATIONS) {
                ::core::panic!("{difference}");
            }
        }
    }
}

/// Returns the texts of the table.
///
/// The tokens are written as text that the compiler parses. If the macro made the tokens one by one
/// for thousands of files, it would be slower than the compiler.
fn texts(dir: &MigrationsDir, files: &[SourceFile]) -> TokenStream {
    let mut texts = String::new();
    for file in files {
        // Writing to a String cannot fail.
        let _ = writeln!(texts, "::core::include_str!({:?}),", dir.file(&file.path));
    }
    parse_tokens(&texts)
}

fn options(input: &EmbedInput, dir: &MigrationsDir) -> TokenStream {
    let facade = &input.facade;
    let some = |value: &TokenStream| quote!(::core::option::Option::Some(#value));
    let none = || quote!(::core::option::Option::None);
    let dialect = input.options.dialect.map_or_else(none, |dialect| {
        let variant = Ident::new(&format!("{dialect:?}"), Span::call_site());
        some(&quote!(#facade::Dialect::#variant))
    });
    let schema =
        input.options.schema.as_ref().map_or_else(none, |schema| some(&schema.to_token_stream()));
    let map = AdoptMap::path(&dir.folder);
    let adopt = input.options.adopt.map_or_else(none, |_| {
        let path = map.to_string_lossy();
        some(&quote!(::core::include_str!(#path)))
    });
    let reading = if input.options.python_compatible { quote!(Python) } else { quote!(Plain) };
    let folder = dir.file("");
    let folder = folder.trim_end_matches(['/', '\\']);
    quote! {
        #facade::__private::Options {
            dialect: #dialect,
            schema: #schema,
            reading: #facade::Reading::#reading,
            adopt: #adopt,
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

#[cfg(test)]
mod tests;
