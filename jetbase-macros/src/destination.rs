//! Detects two sets of one crate with the same destination.
//!
//! A schema has one history. Two sets in it would take each other's versions for unknown ones. Only
//! sets with a named schema can be compared. Without a name, two sets may go to two databases, and
//! only a run can see whether they do.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use jetbase_core::Dialect;
use proc_macro2::Span;
use syn::Error;

use crate::input::Call;
use crate::migrations_dir::{Environment, MigrationsDir};

/// The calls that this process has expanded. The compiler uses one process for all calls of a
/// crate.
static CLAIMS: Mutex<Vec<Claim>> = Mutex::new(Vec::new());

/// One set, and its destination.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Claim {
    /// The folder and the name of the crate, because a package may have several crates.
    krate: (Option<PathBuf>, Option<String>),
    schema: String,
    dialect: Option<Dialect>,
    folder: PathBuf,
    /// The path of the folder in messages.
    shown: String,
    /// The position of the schema's name in the source.
    place: String,
    /// The position of the folder in the source. It distinguishes the calls that one `macro_rules!`
    /// makes.
    call: String,
}

impl Claim {
    fn of(call: &Call, place: &MigrationsDir, environment: &Environment) -> Option<Self> {
        let schema = call.settings.schema.as_ref()?;
        // Of several calls under `cfg`, a program may contain only one.
        if call
            .attributes
            .iter()
            .any(|it| ["cfg", "cfg_attr"].iter().any(|cfg| it.path().is_ident(cfg)))
        {
            return None;
        }
        Some(Claim {
            krate: (environment.crate_dir.clone(), environment.crate_name.clone()),
            schema: schema.value(),
            dialect: call.settings.dialect,
            folder: fs::canonicalize(&place.folder).unwrap_or_else(|_| place.folder.clone()),
            shown: place.shown.clone(),
            place: shown(schema.span())?,
            call: shown(call.span())?,
        })
    }

    /// Whether the two sets cannot be used together, as far as a call shows.
    fn is_against(&self, other: &Claim) -> bool {
        let same_call = (&self.place, &self.call) == (&other.place, &other.call);
        let two_databases = matches!((self.dialect, other.dialect), (Some(a), Some(b)) if a != b);
        self.krate == other.krate
            && self.schema.eq_ignore_ascii_case(&other.schema)
            && self.folder != other.folder
            && !same_call
            && !two_databases
    }

    fn error(&self, first: &Claim) -> String {
        format!(
            "two sets of migrations go to the schema `{schema}`: `{here}` here, and `{there}` at {at}; a schema has one \
             history, in which each set would take the other's versions for unknown ones\n  \
             = help: name another schema, or put all files into one folder; if the sets go to two databases, take \
             `schema` out of this call and name it at run time: `run(&pool).schema(\"{schema}\")`",
            schema = self.schema,
            here = self.shown,
            there = first.shown,
            at = first.place,
        )
    }
}

/// Returns the conflict of a call with one of the calls before it.
pub(crate) fn conflict(
    call: &Call,
    place: &MigrationsDir,
    environment: &Environment,
) -> Option<Error> {
    // An editor keeps one process for hours, and expands unsaved text. A call that it has expanded
    // may no longer be in any file, so it must not cause an error.
    if environment.is_editor {
        return None;
    }
    let claim = Claim::of(call, place, environment)?;
    let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
    let error = claims.iter().find(|first| claim.is_against(first)).map(|first| claim.error(first));
    claims.push(claim);
    let span = call.settings.schema.as_ref().map_or_else(Span::call_site, |schema| schema.span());
    error.map(|text| Error::new(span, text))
}

/// Returns `file:line:column`; `None` outside a compiler.
fn shown(span: Span) -> Option<String> {
    proc_macro::is_available().then(|| {
        let span = span.unwrap();
        format!("{}:{}:{}", span.file(), span.line(), span.column())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Claim {
        Claim {
            krate: (Some(PathBuf::from("/ws/app")), Some("app".to_owned())),
            schema: "app".to_owned(),
            dialect: None,
            folder: PathBuf::from("/ws/app/orders"),
            shown: "app/orders".to_owned(),
            place: "app/src/lib.rs:3:40".to_owned(),
            call: "app/src/lib.rs:3:20".to_owned(),
        }
    }

    #[test]
    fn two_sets_are_rivals_as_the_table_says() {
        let second = || Claim {
            folder: PathBuf::from("/ws/app/billing"),
            shown: "app/billing".to_owned(),
            place: "app/src/lib.rs:9:40".to_owned(),
            call: "app/src/lib.rs:9:20".to_owned(),
            ..claim()
        };
        let written = |dialect| Claim { dialect, ..claim() };
        for (name, first, second, rivals) in [
            ("two folders", claim(), second(), true),
            ("one folder twice", claim(), Claim { folder: claim().folder, ..second() }, false),
            ("other case", claim(), Claim { schema: "APP".to_owned(), ..second() }, true),
            ("another schema", claim(), Claim { schema: "apps".to_owned(), ..second() }, false),
            (
                "one dialect not named",
                claim(),
                Claim { dialect: Some(Dialect::MySql), ..second() },
                true,
            ),
            (
                "equal dialects",
                written(Some(Dialect::MySql)),
                Claim { dialect: Some(Dialect::MySql), ..second() },
                true,
            ),
            (
                "two dialects",
                written(Some(Dialect::Postgres)),
                Claim { dialect: Some(Dialect::MySql), ..second() },
                false,
            ),
            (
                "another crate of the package",
                claim(),
                Claim { krate: (claim().krate.0, Some("main".to_owned())), ..second() },
                false,
            ),
            (
                "the same call, edited and expanded again",
                claim(),
                Claim { folder: second().folder, ..claim() },
                false,
            ),
            (
                "two calls of one macro_rules",
                claim(),
                Claim { place: claim().place, ..second() },
                true,
            ),
        ] {
            assert_eq!(second.is_against(&first), rivals, "{name}");
        }
    }

    #[test]
    fn the_error_names_both_places_and_the_cures() {
        let second = Claim { shown: "app/billing".to_owned(), ..claim() };
        assert_eq!(
            second.error(&claim()),
            "two sets of migrations go to the schema `app`: `app/billing` here, and `app/orders` at app/src/lib.rs:3:40; \
             a schema has one history, in which each set would take the other's versions for unknown ones\n  \
             = help: name another schema, or put all files into one folder; if the sets go to two databases, take \
             `schema` out of this call and name it at run time: `run(&pool).schema(\"app\")`"
        );
    }
}
