//! The functions of a generated module.
//!
//! Their examples are text for rustdoc, not tests, because rustdoc would compile them in the crate
//! of the caller. The page of `jetbase::embed!` has the same examples, and compiles them.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// A generated function, which calls the function of the crate `jetbase` that has its name.
pub(crate) struct GeneratedFunction {
    name: &'static str,
    summary: &'static str,
    errors: &'static str,
    /// The lines of the example. `migrations` stands for the name of the module.
    pub(crate) example: &'static str,
    /// The type of the result. The argument is the path to the crate `jetbase`.
    result: fn(&TokenStream) -> TokenStream,
}

/// The functions of a module that take a target.
pub(crate) const FUNCTIONS: [GeneratedFunction; 14] = [
    GeneratedFunction {
        name: "run",
        summary: "Applies the pending migrations, under the migration lock.",
        errors: "the history contradicts the migrations, another process holds the lock for longer than the wait \
                 allows, or a statement fails",
        example: "let report = migrations::run(&pool).await?;\nprintln!(\"{report}\");",
        result: |f| quote!(#f::Run<'t>),
    },
    GeneratedFunction {
        name: "rollback",
        summary: "Rolls back the highest applied version, under the migration lock.",
        errors: "the version has no rollback section, another process holds the lock for longer than the wait \
                 allows, or a statement fails",
        example: "let report = migrations::rollback(&pool).await?;",
        result: |f| quote!(#f::Rollback<'t>),
    },
    GeneratedFunction {
        name: "redo",
        summary: "Rolls back the versions that are not recorded in the list beside the folder, and applies them again, \
                  under the migration lock.",
        errors: "one of the versions is recorded or has no rollback section, another process holds the lock for longer \
                 than the wait allows, or a statement fails",
        example: "let report = migrations::redo(&pool).await?;",
        result: |f| quote!(#f::Redo<'t>),
    },
    GeneratedFunction {
        name: "repair",
        summary: "Makes the history agree with the migrations: deletes the rows of missing files, and updates \
                  checksums.",
        errors: "the history differs in a way that no repair may change, or another process holds the lock for \
                 longer than the wait allows",
        example: "let report = migrations::repair(&pool).await?;\nprintln!(\"{report}\");",
        result: |f| quote!(#f::Repair<'t>),
    },
    GeneratedFunction {
        name: "detect_baseline",
        summary: "Compares each pending version with the catalog of the database: is it already there, to apply, in \
                  conflict, or unknown?",
        errors: "the history contradicts the migrations",
        example: "let detected = migrations::detect_baseline(&pool).await?;\nprintln!(\"{detected}\");",
        result: |f| quote!(#f::Query<'t, #f::DetectedBaseline>),
    },
    GeneratedFunction {
        name: "status",
        summary: "Returns the applied and the pending migrations.",
        errors: "the tables of jetbase cannot be read",
        example: "let status = migrations::status(&pool).await?;\nprintln!(\"{status}\");",
        result: |f| quote!(#f::Query<'t, #f::Status>),
    },
    GeneratedFunction {
        name: "history",
        summary: "Returns what has been applied, and when.",
        errors: "the tables of jetbase cannot be read",
        example: "let history = migrations::history(&pool).await?;\nprintln!(\"{history}\");",
        result: |f| quote!(#f::Query<'t, #f::History>),
    },
    GeneratedFunction {
        name: "current",
        summary: "Returns the highest applied version, or `None` if no version is applied.",
        errors: "the tables of jetbase cannot be read",
        example: "let version = migrations::current(&pool).await?;",
        result: |f| quote!(#f::Query<'t, ::core::option::Option<#f::Version>>),
    },
    GeneratedFunction {
        name: "validate",
        summary: "Compares the history of the database with the migrations.",
        errors: "they contradict each other",
        example: "migrations::validate(&pool).await?;",
        result: |f| quote!(#f::Query<'t, #f::Validated>),
    },
    GeneratedFunction {
        name: "check",
        summary: "Returns whether the database is ready for this program.",
        errors: "the history contradicts the migrations",
        example: "let is_ready = migrations::check(&pool).await?.is_ready();",
        result: |f| quote!(#f::Query<'t, #f::Readiness>),
    },
    GeneratedFunction {
        name: "doctor",
        summary: "Examines what a run would see: the server, the user and its rights, the tables and the lock.",
        errors: "a URL is wrong",
        example: "let diagnosis = migrations::doctor(&pool).await?;\nprintln!(\"{diagnosis}\");",
        result: |f| quote!(#f::Doctor<'t>),
    },
    GeneratedFunction {
        name: "lock_status",
        summary: "Returns who holds the migration lock, and whether that process is alive.",
        errors: "the tables of jetbase cannot be read",
        example: "let lock = migrations::lock_status(&pool).await?;\nprintln!(\"{lock}\");",
        result: |f| quote!(#f::Query<'t, #f::LockStatus>),
    },
    GeneratedFunction {
        name: "journal",
        summary: "Returns the files of which only a part is permanent.",
        errors: "the tables of jetbase cannot be read",
        example: "let journal = migrations::journal(&pool).await?;\nprintln!(\"{journal}\");",
        result: |f| quote!(#f::Query<'t, #f::UnfinishedFiles>),
    },
    GeneratedFunction {
        name: "unlock",
        summary: "Releases the migration lock by hand.",
        errors: "the process that holds the lock is alive",
        example: "let unlocked = migrations::unlock(&pool).await?;\nprintln!(\"{unlocked}\");",
        result: |f| quote!(#f::Unlock<'t>),
    },
];

/// The function that takes a URL.
pub(crate) const RUN_URL: GeneratedFunction = GeneratedFunction {
    name: "run_url",
    summary: "Applies the pending migrations to the database at a URL, under the migration lock.",
    errors: "the URL is wrong, or if `run` would return an error",
    example: "let report = migrations::run_url(\"postgres://localhost/app\").await?;",
    result: |f| quote!(#f::Run<'static>),
};

/// The function that takes the name of a file.
pub(crate) const REAPPLY: GeneratedFunction = GeneratedFunction {
    name: "reapply",
    summary: "Runs one repeatable migration again, although it has not changed, under the migration lock.",
    errors: "no repeatable migration has the name, or if `run` would return an error",
    example: "let report = migrations::reapply(&pool, \"ROC__user_names.sql\").await?;",
    result: |f| quote!(#f::Reapply<'t>),
};

/// The function that takes a version.
pub(crate) const BASELINE: GeneratedFunction = GeneratedFunction {
    name: "baseline",
    summary: "Marks every version up to and including this one as applied, and executes none of them, under the \
              migration lock.",
    errors: "the history has rows, a file is unfinished, or another process holds the lock for longer than the wait \
             allows",
    example: "let report = migrations::baseline(&pool, migrations::versions::V2__ADD_EMAIL).await?;\n\
              println!(\"{report}\");",
    result: |f| quote!(#f::Baseline<'t>),
};

/// Returns the functions of a module.
pub(crate) fn functions(facade: &TokenStream, module: &Ident) -> TokenStream {
    let module = module.to_string();
    let functions = FUNCTIONS.iter().map(|function| {
        let name = Ident::new(function.name, Span::call_site());
        let docs = function.docs(&module);
        let result = (function.result)(facade);
        quote! {
            #[doc = #docs]
            pub fn #name<'t>(target: impl #facade::Target<'t> + 't) -> #result {
                #facade::#name(&MIGRATIONS, target)
            }
        }
    });
    let (reapply_docs, reapply_result) = (REAPPLY.docs(&module), (REAPPLY.result)(facade));
    let (baseline_docs, baseline_result) = (BASELINE.docs(&module), (BASELINE.result)(facade));
    let docs = RUN_URL.docs(&module);
    let result = (RUN_URL.result)(facade);
    quote! {
        #(#functions)*

        #[doc = #reapply_docs]
        pub fn reapply<'t>(target: impl #facade::Target<'t> + 't, file: &str) -> #reapply_result {
            #facade::reapply(&MIGRATIONS, target, file)
        }

        #[doc = #baseline_docs]
        pub fn baseline<'t>(
            target: impl #facade::Target<'t> + 't,
            version: impl #facade::IntoVersion,
        ) -> #baseline_result {
            #facade::baseline(&MIGRATIONS, target, version)
        }

        #[doc = #docs]
        pub fn run_url(url: &str) -> #result {
            #facade::run_url(&MIGRATIONS, url)
        }

        #facade::__cli!();
    }
}

impl GeneratedFunction {
    /// Returns the documentation for a module with this name.
    fn docs(&self, module: &str) -> String {
        let GeneratedFunction { summary, errors, example, .. } = self;
        let example = example.replace("migrations::", &format!("{module}::"));
        format!(
            "{summary}\n\nThe result is a future: await it.\n\n# Errors\n\nThe future returns an error if the \
             database cannot be reached, or if {errors}.\n\n# Examples\n\n```text\n{example}\n```"
        )
    }
}
